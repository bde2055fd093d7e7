"""The layers of images: convolution, pooling, and Flatten, which makes rows of images.

Images are (n, channels, h, w), as in PyTorch. Padding is a step of its own, so that the kernels
know nothing of it: X becomes X with a border, and dl/dX loses it again.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastbp._hints import Also
from fastbp._settings import Count, Padding, Pair
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind

from .base import Layer, Shape, as_rows
from .initializers import Initializer
from .shapes import as_image, check_channels
from .weighted import Weighted

__all__ = ["AvgPool2d", "Conv2d", "Flatten", "MaxPool2d"]

Sizes = int | tuple[int, int]


class _Windows(Layer):
    """What convolution and pooling have in common: a window that moves over a padded image.

    Attributes
    ----------
    kernel, stride, padding : int or (int, int)
        Of the window, for rows and columns.
    """

    worded = ("kernel", "stride", "padding")
    border = 0.0  # the padding's value
    kernel, stride, padding = Pair(), Pair(), Pair(least=0)
    kernel_size = Also("kernel")

    def columns(self) -> dict[Column, int]:
        """The window, for rows and columns."""
        pairs = (
            (Column.KERNEL, self.kernel),
            (Column.STRIDE, self.stride),
            (Column.PADDING, self.border_sizes()[0]),
        )
        return {first + axis: _two(size)[axis] for first, size in pairs for axis in range(2)}

    def border_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many rows and columns are put before an image, and how many behind it."""
        return _two(self.padding), _two(self.padding)

    def numbers_inside(self, shape: Shape) -> int:
        """What comes out, and what comes in with a border around it."""
        out = super().numbers_inside(shape)
        return out + self.has_border() * shape[0] * math.prod(self._padded_sizes(shape))

    def _image_shape(self, shape: Shape | None) -> Shape:
        """(channels, h, w) of an output; refuses what is no image, or smaller than the window."""
        shape = as_image(self, shape)
        padded, window = self._padded_sizes(shape), _two(self.kernel)
        if any(size < least for size, least in zip(padded, window, strict=True)):
            raise ValueError(
                f"{self!r}: its window of {_by(window)} is larger than the images {shape}"
                + (f", {_by(padded)} with padding" if self.has_border() else "")
            )
        h, w = (
            (size - side) // step + 1
            for size, side, step in zip(padded, window, _two(self.stride), strict=True)
        )
        return shape[0], h, w

    def has_border(self) -> bool:
        """Whether anything is put around an image."""
        return any(map(any, self.border_sizes()))

    def _padded_sizes(self, shape: Shape) -> tuple[int, ...]:
        return tuple(map(sum, zip(shape[1:], *self.border_sizes(), strict=True)))

    def _padded(self, x: np.ndarray) -> np.ndarray:
        if not self.has_border():
            return x
        y = np.empty((*x.shape[:2], *self._padded_sizes(x.shape[1:])), x.dtype)
        kernels().pad2d_forward(x, _array(self.border_sizes()[0]), self.border, y)
        return y

    def _without_padding(self, dx: np.ndarray) -> np.ndarray:
        if not self.has_border():
            return dx
        before, behind = self.border_sizes()
        sizes = (n - a - b for n, a, b in zip(dx.shape[2:], before, behind, strict=True))
        inside = np.empty((*dx.shape[:2], *sizes), dx.dtype)
        kernels().pad2d_backward(dx, _array(before), inside)
        return inside

    def _images(self, x: npt.ArrayLike) -> np.ndarray:
        """Check a batch of images."""
        x = self._input(x)
        self._image_shape(x.shape[1:])
        return x


class Conv2d(_Windows, Weighted):
    """Y = the images X seen through windows, Y[o] = b[o] + Σ over c of X[c] ⋆ W[o, c].

    ⋆ is the cross-correlation that the field calls convolution:
    (X ⋆ W)[i, j] = Σ over k, l of X[i·stride + k, j·stride + l] · W[k, l].

    Parameters
    ----------
    in_channels, out_channels : int
        Of X (n, in_channels, h, w) and of Y.
    kernel, stride, padding : int or (int, int)
        The window's size, its step from one output to the next, and how many rows and columns of
        zeros are put around X. Y has (h + 2·padding - kernel) // stride + 1 rows. With
        ``padding="same"``, for a stride of 1, Y is as large as X: kernel - 1 rows of zeros, half of
        them above X, and if they are odd, one more below it. ``"valid"`` is 0.
    init : str or Initializer, optional
        How W and b start; the network's own ``init`` if left out.
    groups : int
        Channels and filters are split into so many groups, one after another, and each filter sees
        the channels of its group alone; as many groups as channels make a depthwise convolution.
    bias : bool
        Whether there is a b.

    Attributes
    ----------
    w, b, dw, db : ndarray
        W (out_channels, in_channels / groups, kernel, kernel) and b (out_channels,), and their
        gradients; b and db are None without a bias.

    Raises
    ------
    ValueError
        If ``groups`` does not divide channels and filters, or ``"same"`` meets another stride.

    Examples
    --------
    >>> net = fb.Sequential(fb.Conv2d(1, 6, 5, padding=2), input_shape=(1, 28, 28))
    >>> net.forward(np.zeros((3, 1, 28, 28))).shape
    (3, 6, 28, 28)
    """

    settings = ("in_channels", "out_channels", "kernel", "stride", "padding", "groups", "bias")
    defaults: ClassVar[dict[str, Any]] = {"groups": 1, "bias": True}
    kind = Kind.CONV
    in_channels, out_channels = Count(fixed=True), Count(fixed=True)
    padding, groups = Padding(), Count(fixed=True)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        init: str | Initializer | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel, self.stride, self.padding = kernel, stride, padding
        super().__init__(init, bias)
        self._check_together()

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X ⋆ W + b."""
        x = self._images(x)
        y = np.empty((len(x), *self._shape_behind(x.shape[1:])), x.dtype)
        x = self._padded(x)
        kernels().conv2d_forward(x, self.w, self._b(), _array(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dW = X ⋆ dY, dl/db = Σ dY, and dl/dX = every dY·W that X had a part in."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().conv2d_backward_input(dy, self.w, _array(self.stride), dx)
        return self._without_padding(dx)

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dW and dl/db without dl/dX."""
        dy = self._gradient(dy)
        x, _ = self._kept
        kernels().conv2d_backward(x, dy, _array(self.stride), self.dw, self._db())

    def columns(self) -> dict[Column, int]:
        """The window, groups, and whether there is a b."""
        return super().columns() | Weighted.columns(self) | {Column.GROUPS: self.groups}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill W and b."""
        out, *window = self._w_shape()
        met = out // self.groups * math.prod(_two(self.kernel))  # by each input
        w, b = (self.init or default)(rng, math.prod(window), out, met)
        self._start(w.T.reshape(self._w_shape()), b)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(out_channels, h, w)."""
        return self._shape_behind(shape)

    def _w_shape(self) -> tuple[int, ...]:
        return self.out_channels, self.in_channels // self.groups, *_two(self.kernel)

    def _outputs(self) -> int:
        return self.out_channels

    def border_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where padding is "same", one more behind than before an even window."""
        if self.padding != "same":
            return super().border_sizes()
        down, right = _two(self.kernel)
        return ((down - 1) // 2, (right - 1) // 2), (down // 2, right // 2)

    def _check_together(self) -> None:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"Conv2d groups: expected a divisor of in_channels {self.in_channels} and of "
                f"out_channels {self.out_channels}, got {self.groups}"
            )
        if self.padding == "same" and self.stride != 1:
            raise ValueError(
                f"Conv2d padding: 'same' is for a stride of 1, got a stride of {self.stride!r}"
            )

    def _shape_behind(self, shape: Shape | None) -> Shape:
        self._check_together()  # what may have been set after the constructor's check
        _, h, w = self._image_shape(shape)
        check_channels(self, as_image(self, shape), self.in_channels)
        return self.out_channels, h, w


class _Pool2d(_Windows):
    """A window that becomes one number, each channel on its own."""

    settings = ("kernel", "stride", "padding")

    def __init__(self, kernel: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        self.kernel, self.stride = kernel, kernel if stride is None else stride
        self.padding = padding
        self._check_padding()

    def _check_padding(self) -> None:
        window = _two(self.kernel)
        if any(2 * p > side for p, side in zip(_two(self.padding), window, strict=True)):
            raise ValueError(
                f"{type(self).__name__} padding: expected at most half of the window "
                f"{_by(window)}, got {self.padding!r}"
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
        kernels().max_pool2d_forward(x, _array(self.kernel), _array(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where X is the first maximum of its window, else 0; summed over windows."""
        dy = self._gradient(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().max_pool2d_backward(x, dy, _array(self.kernel), _array(self.stride), dx)
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
        kernels().avg_pool2d_forward(x, _array(self.kernel), _array(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / the window's size, summed over the windows."""
        dy = self._gradient(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().avg_pool2d_backward(dy, _array(self.kernel), _array(self.stride), dx)
        return self._without_padding(dx)


class Flatten(Layer):
    """Images (n, c, h, w) as rows (n, c·h·w), for the dense layers.

    Examples
    --------
    >>> fb.Flatten().forward(np.zeros((3, 6, 14, 14))).shape
    (3, 1176)
    """

    kind = Kind.FLATTEN

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Y = the numbers of X, a row for each sample."""
        x = self._input(x)
        return self._output(x, as_rows(x))

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY in the shape of X."""
        dy = self._gradient(dy)
        x, _ = self._kept
        return dy.reshape(x.shape)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(c·h·w,)."""
        return None if shape is None else (math.prod(shape),)


def _two(size: Sizes) -> tuple[int, int]:
    """A size for rows and for columns."""
    return size if isinstance(size, tuple) else (size, size)


def _array(size: Sizes) -> np.ndarray:
    """The same for kernels: made anew, so that nobody can change it."""
    return np.array(_two(size), np.int64)


def _by(pair: Sequence[int]) -> str:
    """A size in words: 5x5."""
    return "x".join(map(str, pair))
