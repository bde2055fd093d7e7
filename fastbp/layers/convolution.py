"""The convolution of images."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastbp._settings import Count, Padding
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind

from .base import Shape
from .initializers import Initializer
from .shapes import as_image, check_channels
from .weighted import Weighted
from .windows import Sizes, Windows, as_sizes, two

__all__ = ["Conv2d"]


class Conv2d(Windows, Weighted):
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
        kernels().conv2d_forward(x, self.w, self._b(), as_sizes(self.stride), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dW = X ⋆ dY, dl/db = Σ dY, and dl/dX = every dY·W that X had a part in."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().conv2d_backward_input(dy, self.w, as_sizes(self.stride), dx)
        return self._without_padding(dx)

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dW and dl/db without dl/dX."""
        dy = self._gradient(dy)
        x, _ = self._kept
        kernels().conv2d_backward(x, dy, as_sizes(self.stride), self.dw, self._db())

    def columns(self) -> dict[Column, int]:
        """The window, groups, and whether there is a b."""
        return super().columns() | Weighted.columns(self) | {Column.GROUPS: self.groups}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill W and b."""
        out, *window = self._w_shape()
        met = out // self.groups * math.prod(two(self.kernel))  # by each input
        w, b = (self.init or default)(rng, math.prod(window), out, met)
        self._start(w.T.reshape(self._w_shape()), b)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(out_channels, h, w)."""
        return self._shape_behind(shape)

    def _w_shape(self) -> tuple[int, ...]:
        return self.out_channels, self.in_channels // self.groups, *two(self.kernel)

    def _outputs(self) -> int:
        return self.out_channels

    def border_sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where padding is "same", one more behind than before an even window."""
        if self.padding != "same":
            return super().border_sizes()
        down, right = two(self.kernel)
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
