"""The activations whose derivative needs their input: rectifiers without a corner."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._settings import Number, Word
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind, Value

from .base import Layer, as_rows

__all__ = ["GELU", "Mish", "SiLU", "Softplus"]


class SiLU(Layer):
    """Y = X / (1 + exp(-X)), also known as swish.

    Examples
    --------
    >>> fb.SiLU().forward([[-1.0, 0.0, 2.0]])
    array([[-0.26894142,  0.        ,  1.76159416]])
    """

    kind, name = Kind.SILU, "silu"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X / (1 + exp(-X))."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().silu_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ S ∘ (1 + X ∘ (1 - S)), with S = 1 / (1 + exp(-X))."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().silu_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx


class Mish(Layer):
    """Y = X ∘ tanh(log(1 + exp(X))) (Misra 2019).

    Examples
    --------
    >>> fb.Mish().forward([[-1.0, 0.0, 2.0]])
    array([[-0.30340146,  0.        ,  1.94395896]])
    """

    kind, name = Kind.MISH, "mish"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X ∘ tanh(log(1 + exp(X)))."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().mish_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ (T + X ∘ (1 - T²) / (1 + exp(-X))), with T = tanh(log(1 + exp(X)))."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().mish_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx


class Softplus(Layer):
    """Y = log(1 + exp(β·X)) / β, but X where β·X is above a threshold.

    Parameters
    ----------
    beta : float
        β > 0: the larger it is, the closer is Y to max(X, 0).
    threshold : float
        At least 0. Above it Y is X, and its derivative 1.

    Examples
    --------
    >>> fb.Softplus().forward([[-1.0, 0.0, 2.0]])
    array([[0.31326169, 0.69314718, 2.12692801]])
    """

    settings = worded = ("beta", "threshold")
    kind, name = Kind.SOFTPLUS, "softplus"

    beta, threshold = Number(above=0), Number(least=0)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = log(1 + exp(β·X)) / β, but X where β·X is above the threshold."""
        x, beta, threshold = self._input(x), self.beta, self.threshold
        y = np.empty_like(x)
        kernels().softplus_forward(as_rows(x), beta, threshold, as_rows(y))
        return self._output(x, y, beta, threshold)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / (1 + exp(-β·X)), but dY where β·X is above the threshold."""
        dy = self._gradient(dy)
        x, y, beta, threshold = self._kept
        dx = np.empty_like(dy)
        x, y = as_rows(x), as_rows(y)
        kernels().softplus_backward(x, y, as_rows(dy), beta, threshold, as_rows(dx))
        return dx

    def numbers(self) -> dict[Value, float]:
        """β and the threshold."""
        return {Value.BETA: self.beta, Value.THRESHOLD: self.threshold}


class GELU(Layer):
    """Y = X ∘ P, P being how often a standard normal number is below X (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "none": P = (1 + erf(X / √2)) / 2. "tanh": P = (1 + tanh(√(2/π)·(X + 0.044715·X³))) / 2.

    Examples
    --------
    >>> fb.GELU().forward([[-1.0, 0.0, 2.0]])
    array([[-0.15865525,  0.        ,  1.95449974]])
    """

    settings = ("approximate",)
    kind, name = Kind.GELU, "gelu"

    approximate = Word("none", "tanh")

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X ∘ P."""
        x, (approximate,) = self._input(x), self.numbers().values()
        y = np.empty_like(x)
        kernels().gelu_forward(as_rows(x), approximate, as_rows(y))
        return self._output(x, y, approximate)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ (P + X ∘ dP/dX)."""
        dy = self._gradient(dy)
        x, y, approximate = self._kept
        dx = np.empty_like(dy)
        kernels().gelu_backward(as_rows(x), as_rows(y), as_rows(dy), approximate, as_rows(dx))
        return dx

    def numbers(self) -> dict[Value, float]:
        """1 for tanh, 0 for erf."""
        return {Value.APPROXIMATE: float(self.approximate == "tanh")}
