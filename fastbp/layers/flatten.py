"""Flatten, which makes rows of images."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fastbp.kernels.numbers import Kind

from .base import Layer, Shape, as_rows

__all__ = ["Flatten"]


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
