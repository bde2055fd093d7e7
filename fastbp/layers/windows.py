"""What convolution and pooling share: a window that moves over images.

Images are (n, channels, h, w), as in PyTorch. Padding is a step of its own, so that the kernels
know nothing of it: X becomes X with a border, and dl/dX loses it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastbp._hints import Also
from fastbp._settings import Pair
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column

from .base import Layer, Shape
from .shapes import as_image

Sizes = int | tuple[int, int]


class Windows(Layer):
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
        return {first + axis: two(size)[axis] for first, size in pairs for axis in range(2)}

    def border_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many rows and columns are put before an image, and how many behind it."""
        return two(self.padding), two(self.padding)

    def numbers_inside(self, shape: Shape) -> int:
        """What comes out, and what comes in with a border around it."""
        out = super().numbers_inside(shape)
        return out + self.has_border() * shape[0] * math.prod(self._padded_sizes(shape))

    def _image_shape(self, shape: Shape | None) -> Shape:
        """(channels, h, w) of an output; refuses what is no image, or smaller than the window."""
        shape = as_image(self, shape)
        padded, window = self._padded_sizes(shape), two(self.kernel)
        if any(size < least for size, least in zip(padded, window, strict=True)):
            raise ValueError(
                f"{self!r}: its window of {by(window)} is larger than the images {shape}"
                + (f", {by(padded)} with padding" if self.has_border() else "")
            )
        h, w = (
            (size - side) // step + 1
            for size, side, step in zip(padded, window, two(self.stride), strict=True)
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
        kernels().pad2d_forward(x, as_sizes(self.border_sizes()[0]), self.border, y)
        return y

    def _without_padding(self, dx: np.ndarray) -> np.ndarray:
        if not self.has_border():
            return dx
        before, behind = self.border_sizes()
        sizes = (n - a - b for n, a, b in zip(dx.shape[2:], before, behind, strict=True))
        inside = np.empty((*dx.shape[:2], *sizes), dx.dtype)
        kernels().pad2d_backward(dx, as_sizes(before), inside)
        return inside

    def _images(self, x: npt.ArrayLike) -> np.ndarray:
        """Check a batch of images."""
        x = self._input(x)
        self._image_shape(x.shape[1:])
        return x


def two(size: Sizes) -> tuple[int, int]:
    """A size for rows and for columns."""
    return size if isinstance(size, tuple) else (size, size)


def as_sizes(size: Sizes) -> np.ndarray:
    """The same for kernels: made anew, so that nobody can change it."""
    return np.array(two(size), np.int64)


def by(pair: Sequence[int]) -> str:
    """A size in words: 5x5."""
    return "x".join(map(str, pair))
