"""Normalization over the batch: BatchNorm1d of columns, BatchNorm2d of images' channels."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._settings import Count, Flag, Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind, Value

from .base import Shape
from .initializers import Initializer
from .normalization import Norm
from .shapes import as_image, check_channels

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class BatchNorm1d(Norm):
    """Y = X̂·w + b, X̂ = (X - mean) / √(variance + eps): each column over the batch.

    In training mean and variance are those of the batch, and running averages of them are kept:
    ``running += momentum · (of the batch - running)``, the variance over n - 1. In use
    (``net.eval()``, scores, predictions) the running ones take their place (Ioffe and Szegedy
    2015). Names and defaults are PyTorch's.

    Parameters
    ----------
    num_features : int
        Columns of X and of Y.
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
        By ``forward`` in training, of a batch with one sample: it has no variance.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(30, 64), fb.BatchNorm1d(64), fb.GELU(), fb.Linear(64, 2))
    """

    settings = ("num_features", "eps", "momentum", "affine")
    worded = ("eps", "momentum", "affine")
    kind = Kind.BATCH_NORM
    name = "batch"
    counted = "samples"  # what mean and variance of a batch are over
    num_features = Count(fixed=True)
    eps = Number(least=0)
    momentum = Number(least=0, most=1, none=True)
    affine = Flag(fixed=True)
    num_batches_tracked = Count(least=0, below=2**63)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.num_batches_tracked = affine, 0

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y; in training, move the running averages."""
        x = self._input(x, self._sample_shape(x))
        rows = self._rows(x)
        mean, var = (
            self._statistics(rows) if self.training else (self.running_mean, self.running_var)
        )
        y = np.empty_like(rows)
        kernels().batch_norm_forward(rows, mean, var, *self._weights(x), self.eps, y)
        return self._output(x, self._samples(y, x.shape), mean, var, self.training)

    def _sample_shape(self, x: npt.ArrayLike) -> Shape:
        """What shape the samples of x must have."""
        return (self.num_features,)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """What the kernels take for it: rows, whose columns have a mean and a variance each."""
        return x

    def _samples(self, rows: np.ndarray, shape: Shape) -> np.ndarray:
        """The way back, to this shape."""
        return rows

    def _statistics(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The batch's mean and variance, which the running ones take in."""
        if len(x) < 2:
            raise ValueError(
                f"{self!r}: expected at least 2 {self.counted} in a batch, of which training takes "
                f"the variance; got {len(x)}"
            )
        if not self.running_mean.flags.writeable:
            raise ValueError(
                f"{self!r}: its running averages are read-only, for the network is frozen or an "
                "engine is in the middle of an epoch; net.eval() leaves them alone"
            )
        mean, var = np.empty_like(self.running_mean), np.empty_like(self.running_var)
        kernels().batch_statistics(x, mean, var)
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        kernels().running_average(mean, share, 1.0, self.running_mean)
        kernels().running_average(var, share, len(x) / (len(x) - 1), self.running_var)
        return mean, var

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dw = ΣdY·X̂, dl/db = ΣdY, and dl/dX = w / √(variance + eps)·(dY - (db + X̂·dw) / n).

        Where the running averages were used, which do not depend on X, it is w / √(…)·dY.
        """
        dy = self._gradient(dy)
        x, _, mean, var, training = self._kept
        w, _ = self._weights(x)
        x_rows, rows = self._rows(x), self._rows(dy)
        dw, db = self._sums(x_rows, rows)
        dx = np.empty_like(rows)
        if training:
            kernels().batch_norm_backward_input(x_rows, rows, mean, var, w, dw, db, self.eps, dx)
        else:
            kernels().batch_norm_backward_input_in_use(rows, var, w, self.eps, dx)
        return self._samples(dx, dy.shape)

    def _parameter_gradients(self, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._sums(self._rows(self._kept[0]), self._rows(dy))

    def _sums(self, x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dl/dw and dl/db, of rows."""
        _, _, mean, var, _ = self._kept
        dw, db = self._gradients(x)
        kernels().batch_norm_backward(x, dy, mean, var, self.eps, dw, db)
        return dw, db

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W and b, a number for each column, if they are learned."""
        return super().parameter_shapes() if self.affine else {}

    def buffer_shapes(self) -> dict[str, tuple[int, ...]]:
        """The running averages, a number for each column."""
        return {"running_mean": (self.num_features,), "running_var": (self.num_features,)}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """W and the running variance start as 1, b and the running mean as 0."""
        super().initialize(rng, default)
        self.running_var[...] = 1

    def as_affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Y = X·f + (b - mean·f), f = w / √(variance + eps), by the running averages."""
        w, b = (vector.astype(np.float64) for vector in self._weights(self.running_mean))
        factor = w / np.sqrt(self.running_var.astype(np.float64) + self.eps)
        return factor, b - self.running_mean * factor

    def affine_spread(self) -> np.ndarray | float:
        """X̂ is about 1, and Y about w and b."""
        w, b = self._weights(self.running_mean)
        return np.abs(w) + np.abs(b)

    def state(self) -> dict[str, int]:
        """How many batches the running averages have seen."""
        return {"num_batches_tracked": self.num_batches_tracked}

    def least_batch(self, shape: Shape | None) -> int:
        """One sample has no variance."""
        return 2

    def seen(self, count: int) -> None:
        """So many batches more."""
        self.num_batches_tracked += count

    def columns(self) -> dict[Column, int]:
        """Its vectors, and how many batches there were."""
        return super().columns() | {Column.BATCHES: self.num_batches_tracked}

    def numbers(self) -> dict[Value, float]:
        """eps, and a batch's share in the running averages."""
        share = -1.0 if self.momentum is None else self.momentum
        return {Value.NORM_EPSILON: self.eps, Value.SHARE: share}


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
