"""The layers of images: convolution, pooling, and Flatten, which makes rows of images.

Images are (n, channels, h, w), as in PyTorch. Padding is a step of its own, so that the kernels
know nothing of it: X becomes X with a border, and dl/dX loses it again.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_count, as_pair
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind

from .base import Layer, Shape, as_rows
from .initializers import Initializer, initializer

__all__ = ["AvgPool2d", "Conv2d", "Flatten", "MaxPool2d"]

Pair = int | tuple[int, int]


class _Windows(Layer):
    """What convolution and pooling have in common: a window that moves over a padded image.

    Attributes
    ----------
    kernel, stride, padding : int or (int, int)
        Of the window, for rows and columns.
    """

    border = 0.0  # the padding's value

    def _set_windows(self, kernel: Any, stride: Any, padding: Any) -> None:
        name = type(self).__name__
        pairs = (
            as_pair(kernel, f"{name} kernel"),
            as_pair(stride, f"{name} stride"),
            as_pair(padding, f"{name} padding", least=0),
        )
        self._kernel, self._stride, self._padding = (np.array(pair, np.int64) for pair in pairs)
        self.kernel, self.stride, self.padding = (h if h == w else (h, w) for h, w in pairs)

    def columns(self) -> dict[Column, int]:
        """The window, for rows and columns."""
        pairs = (
            (Column.KERNEL, self._kernel),
            (Column.STRIDE, self._stride),
            (Column.PADDING, self._padding),
        )
        return {first + axis: int(pair[axis]) for first, pair in pairs for axis in range(2)}

    def _image_shape(self, shape: Shape | None) -> Shape:
        """(channels, h, w) of an output; refuses what is no image, or smaller than the window."""
        if shape is None:
            raise ValueError(
                f"{self!r} takes images of a known size: name it, "
                "Sequential(..., input_shape=(channels, height, width))"
            )
        if len(shape) != 3:
            what = "rows" if len(shape) == 1 else "samples"
            raise ValueError(f"{self!r} takes images (channels, h, w), but {what} {shape} come in")
        padded = np.array(shape[1:]) + 2 * self._padding
        if (padded < self._kernel).any():
            raise ValueError(
                f"{self!r}: its window of {_by(self._kernel)} is larger than the images {shape}"
                + (f", {_by(padded)} with padding" if self._padding.any() else "")
            )
        h, w = (padded - self._kernel) // self._stride + 1
        return shape[0], int(h), int(w)

    def _padded(self, x: np.ndarray) -> np.ndarray:
        if not self._padding.any():
            return x
        n, c, h, w = x.shape
        top, left = self._padding
        y = np.empty((n, c, h + 2 * top, w + 2 * left), x.dtype)
        kernels().pad2d_forward(x, self._padding, self.border, y)
        return y

    def _without_padding(self, dx: np.ndarray) -> np.ndarray:
        if not self._padding.any():
            return dx
        n, c, h, w = dx.shape
        top, left = self._padding
        inside = np.empty((n, c, h - 2 * top, w - 2 * left), dx.dtype)
        kernels().pad2d_backward(dx, self._padding, inside)
        return inside

    def _images(self, x: npt.ArrayLike) -> np.ndarray:
        """Check a batch of images."""
        x = self._input(x)
        self._image_shape(x.shape[1:])
        return x


class Conv2d(_Windows):
    """Y = the images X seen through windows, Y[o] = b[o] + Σ over c of X[c] ⋆ W[o, c].

    ⋆ is the cross-correlation that the field calls convolution:
    (X ⋆ W)[i, j] = Σ over k, l of X[i·stride + k, j·stride + l] · W[k, l].

    Parameters
    ----------
    in_channels, out_channels : int
        Of X (n, in_channels, h, w) and of Y.
    kernel, stride, padding : int or (int, int)
        The window's size, its step from one output to the next, and how many rows and columns of
        zeros are put around X. Y has (h + 2·padding - kernel) // stride + 1 rows.
    init : str or Initializer, optional
        How W and b start; the network's own ``init`` if left out.

    Attributes
    ----------
    w, b, dw, db : ndarray
        W (out_channels, in_channels, kernel, kernel) and b (out_channels,), and their gradients.
    """

    settings = ("in_channels", "out_channels", "kernel", "stride", "padding")
    kind = Kind.CONV

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        init: str | Initializer | None = None,
    ) -> None:
        self.in_channels = as_count(in_channels, "Conv2d in_channels")
        self.out_channels = as_count(out_channels, "Conv2d out_channels")
        self._set_windows(kernel, stride, padding)
        self.init = None if init is None else initializer(init)
        self.w: np.ndarray | None = None
        self.b: np.ndarray | None = None
        self.dw: np.ndarray | None = None
        self.db: np.ndarray | None = None

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X ⋆ W + b."""
        if self.w is None:
            raise RuntimeError(f"{self!r} has no parameters yet: put it into a Sequential first")
        x = self._images(x)
        self.x = self._padded(x)
        self.y = np.empty((len(x), *self._shape_behind(x.shape[1:])), x.dtype)
        kernels().conv2d_forward(self.x, self.w, self.b, self._stride, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dW = X ⋆ dY, dl/db = Σ dY, and dl/dX = every dY·W that X had a part in."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        dx = np.empty_like(self.x)
        kernels().conv2d_backward_input(dy, self.w, self._stride, dx)
        return self._without_padding(dx)

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dW and dl/db without dl/dX."""
        dy = self._gradient(dy)
        kernels().conv2d_backward(self.x, dy, self._stride, self.dw, self.db)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (out_channels, in_channels, kernel, kernel) and b (out_channels,)."""
        h, w = map(int, self._kernel)
        return {"w": (self.out_channels, self.in_channels, h, w), "b": (self.out_channels,)}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill W and b."""
        window = math.prod(map(int, self._kernel))
        w, b = (self.init or default)(
            rng, self.in_channels * window, self.out_channels, self.out_channels * window
        )
        self.w[...] = w.T.reshape(self.w.shape)  # type: ignore[index, union-attr]
        self.b[...] = b  # type: ignore[index]

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(out_channels, h, w)."""
        return self._shape_behind(shape)

    def _shape_behind(self, shape: Shape | None) -> Shape:
        _, h, w = self._image_shape(shape)
        if shape is not None and shape[0] != self.in_channels:
            raise ValueError(
                f"{self!r} takes images ({self.in_channels}, h, w), but {shape} come in"
            )
        return self.out_channels, h, w


class _Pool2d(_Windows):
    """A window that becomes one number, each channel on its own."""

    settings = ("kernel", "stride", "padding")

    def __init__(self, kernel: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        self._set_windows(kernel, kernel if stride is None else stride, padding)
        if (2 * self._padding > self._kernel).any():
            raise ValueError(
                f"{type(self).__name__} padding: expected at most half of the window "
                f"{_by(self._kernel)}, got {padding!r}"
            )

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(channels, h, w): a number for each window that fits."""
        return self._image_shape(shape)


class MaxPool2d(_Pool2d):
    """Y = the maximum of each window of X.

    Parameters
    ----------
    kernel, stride, padding : int or (int, int)
        The window's size, its step (the window's size if left out), and how many rows and columns
        of -∞ are put around X.
    """

    border = -math.inf
    kind = Kind.MAX_POOL

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, the maximum of each window."""
        x = self._images(x)
        self.x = self._padded(x)
        self.y = np.empty((len(x), *self._image_shape(x.shape[1:])), x.dtype)
        kernels().max_pool2d_forward(self.x, self._kernel, self._stride, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where X is the first maximum of its window, else 0; summed over windows."""
        dy = self._gradient(dy)
        dx = np.empty_like(self.x)
        kernels().max_pool2d_backward(self.x, dy, self._kernel, self._stride, dx)
        return self._without_padding(dx)


class AvgPool2d(_Pool2d):
    """Y = the mean of each window of X, the zeros of the padding among it.

    Parameters
    ----------
    kernel, stride, padding : int or (int, int)
        The window's size, its step (the window's size if left out), and how many rows and columns
        of zeros are put around X.
    """

    kind = Kind.AVG_POOL

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, the mean of each window."""
        x = self._images(x)
        self.x = self._padded(x)
        self.y = np.empty((len(x), *self._image_shape(x.shape[1:])), x.dtype)
        kernels().avg_pool2d_forward(self.x, self._kernel, self._stride, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / the window's size, summed over the windows."""
        dy = self._gradient(dy)
        dx = np.empty_like(self.x)
        kernels().avg_pool2d_backward(dy, self._kernel, self._stride, dx)
        return self._without_padding(dx)


class Flatten(Layer):
    """Images (n, c, h, w) as rows (n, c·h·w), for the dense layers."""

    kind = Kind.FLATTEN

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Y = the numbers of X, a row for each sample."""
        self.x = self._input(x)
        self.y = as_rows(self.x)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY in the shape of X."""
        return self._gradient(dy).reshape(self.x.shape)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(c·h·w,)."""
        return None if shape is None else (math.prod(shape),)


def _by(pair: npt.ArrayLike) -> str:
    """A size in words: 5x5."""
    return "x".join(str(n) for n in np.asarray(pair))
