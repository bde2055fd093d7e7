"""LogSoftmax, over each row: a number of Y follows from all of its row of X."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_matrix
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind

from .base import Layer, Shape
from .shapes import check_rows

__all__ = ["LogSoftmax"]


class LogSoftmax(Layer):
    """Y = X - log Σ exp(X), over each row: the logarithms of the classes' probabilities.

    Examples
    --------
    >>> fb.LogSoftmax().forward([[-1.0, 0.0, 2.0]])
    array([[-3.16984602, -2.16984602, -0.16984602]])
    """

    kind = Kind.LOG_SOFTMAX

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X - log Σ exp(X), row by row."""
        x = as_matrix(x, f"{self!r}", dtype=self.dtype)
        y = np.empty_like(x)
        kernels().log_softmax_forward(x, y)
        return self._output(None, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY - exp(Y) · Σ dY, row by row."""
        dy = self._gradient(dy)
        _, y = self._kept
        dx = np.empty_like(dy)
        kernels().log_softmax_backward(y, dy, dx)
        return dx

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """As what comes in, which must be rows."""
        check_rows(self, shape)
        return shape
