"""Pooling: each window of an image becomes one number."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind

from .base import Shape
from .windows import Sizes, Windows, as_sizes, by, two

__all__ = ["AvgPool2d", "MaxPool2d"]


class _Pool2d(Windows):
    """A window that becomes one number, each channel on its own."""

    settings = ("kernel", "stride", "padding")

    def __init__(self, kernel: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        self.kernel, self.stride = kernel, kernel if stride is None else stride
        self.padding = padding
        self._check_padding()

    def _check_padding(self) -> None:
        window = two(self.kernel)
        if any(2 * p > side for p, side in zip(two(self.padding), window, strict=True)):
            raise ValueError(
                f"{type(self).__name__} padding: expected at most half of the window "
                f"{by(window)}, got {self.padding!r}"
            )

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(channels, h, w): a number for each window that fits."""
        self._check_padding()  # which may have been set after the constructor's check
        return self._image_shape(shape)


class MaxPool2d(_Pool2d):
    """Y = the maximum of each window of X.

    Parameters
    ----------
    kernel, stride, padding : int or (int, int)
        The window's size, its step (the window's size if left out), and how many rows and columns
        of -∞ are put around X.

    Examples
    --------
    >>> fb.MaxPool2d(2).forward([[[[1.0, 2.0], [3.0, 4.0]]]])
    array([[[[4.]]]])
    """

    border = -math.inf
    kind = Kind.MAX_POOL

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, the maximum of each window."""
        x = self._images(x)
        y = np.empty((len(x), *self._image_shape(x.shape[1:])), x.dtype)
        x = self._padded(x)
        kernels().max_pool2d_forward(x, as_sizes(self.kernel), as_sizes(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where X is the first maximum of its window, else 0; summed over windows."""
        dy = self._gradient(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().max_pool2d_backward(x, dy, as_sizes(self.kernel), as_sizes(self.stride), dx)
        return self._without_padding(dx)


class AvgPool2d(_Pool2d):
    """Y = the mean of each window of X, the zeros of the padding among it.

    Parameters
    ----------
    kernel, stride, padding : int or (int, int)
        The window's size, its step (the window's size if left out), and how many rows and columns
        of zeros are put around X.

    Examples
    --------
    >>> fb.AvgPool2d(2).forward([[[[1.0, 2.0], [3.0, 4.0]]]])
    array([[[[2.5]]]])
    """

    kind = Kind.AVG_POOL

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, the mean of each window."""
        x = self._images(x)
        y = np.empty((len(x), *self._image_shape(x.shape[1:])), x.dtype)
        x = self._padded(x)
        kernels().avg_pool2d_forward(x, as_sizes(self.kernel), as_sizes(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / the window's size, summed over the windows."""
        dy = self._gradient(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().avg_pool2d_backward(dy, as_sizes(self.kernel), as_sizes(self.stride), dx)
        return self._without_padding(dx)
