"""Normalization of images: BatchNorm2d."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Shape
from .normalization import BatchNorm1d
from .shapes import as_image, check_channels

__all__ = ["BatchNorm2d"]


class BatchNorm2d(BatchNorm1d):
    """Y = X̂·w + b, X̂ = (X - mean) / √(variance + eps): each channel over the batch's images.

    What `BatchNorm1d` is to columns: mean and variance are over all pixels of a channel, in all
    images of the batch, and w and b have a number for each channel. Names and defaults are
    PyTorch's.

    Parameters
    ----------
    num_features : int
        Channels of X and of Y.
    eps : float
        Added to the variance.
    momentum : float, optional
        A batch's share in the running averages, 0 to 1; None for the mean over all batches.
    affine : bool
        Whether w and b are learned; else they are 1 and 0.

    Attributes
    ----------
    w, b, dw, db : (num_features,) ndarray
        Parameters, 1 and 0 at first, and their gradients, there once the layer is part of a
        ``Sequential``.
    running_mean, running_var : (num_features,) ndarray
        The running averages, 0 and 1 at first: buffers.
    num_batches_tracked : int
        How many batches they have seen.

    Raises
    ------
    ValueError
        By ``forward`` in training, where the batch has one value of each channel: there is no
        variance. A single image of more than one pixel has one.

    Examples
    --------
    >>> net = fb.Sequential(
    ...     *(fb.Conv2d(1, 8, 3, bias=False), fb.BatchNorm2d(8), fb.ReLU(), fb.Flatten()),
    ...     fb.Linear(8 * 26 * 26, 10),
    ...     input_shape=(1, 28, 28),
    ... )
    """

    name = ""  # between dense layers there are no images
    counted = "values of each channel"

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """The input's shape: (num_features, h, w)."""
        shape = as_image(self, shape)
        check_channels(self, shape, self.num_features)
        return shape

    def least_batch(self, shape: Shape | None) -> int:
        """One image will do, unless it is one pixel."""
        return 2 if shape is None or shape[1:] == (1, 1) else 1

    def _sample_shape(self, x: npt.ArrayLike) -> Shape:
        shape = np.shape(x)[1:]
        self.output_shape(shape)
        return shape

    def _rows(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(-1, self.num_features)

    def _samples(self, rows: np.ndarray, shape: Shape) -> np.ndarray:
        n, c, h, w = shape
        return np.ascontiguousarray(rows.reshape(n, h, w, c).transpose(0, 3, 1, 2))
