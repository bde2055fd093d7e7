"""The activations whose derivative follows from their output: element by element."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._settings import Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind, Value

from .base import Layer, as_rows

__all__ = ["ELU", "SELU", "LeakyReLU", "ReLU", "Sigmoid", "Tanh"]


class ReLU(Layer):
    """Y = max(X, 0). Its derivative at 0 is taken to be 0.

    Examples
    --------
    >>> fb.ReLU().forward([[-1.0, 0.0, 2.0]])
    array([[0., 0., 2.]])
    """

    kind, name = Kind.RELU, "relu"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = max(X, 0)."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().relu_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else 0."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().relu_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx


class ELU(Layer):
    """Y = X where X > 0, else α·(exp(X) - 1).

    Parameters
    ----------
    alpha : float
        α >= 0: minus the value that Y approaches for very negative X.

    Examples
    --------
    >>> fb.ELU().forward([[-1.0, 0.0, 2.0]])
    array([[-0.63212056,  0.        ,  2.        ]])
    """

    settings = ("alpha",)
    kind, name = Kind.ELU, "elu"

    alpha = Number(least=0)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X where X > 0, else α·(exp(X) - 1)."""
        x, alpha = self._input(x), self.alpha
        y = np.empty_like(x)
        kernels().elu_forward(as_rows(x), alpha, as_rows(y))
        return self._output(x, y, alpha)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else dY·(Y + α), for α·exp(X) = Y + α."""
        dy = self._gradient(dy)
        x, y, alpha = self._kept
        dx = np.empty_like(dy)
        kernels().elu_backward(as_rows(x), as_rows(y), as_rows(dy), alpha, as_rows(dx))
        return dx

    def numbers(self) -> dict[Value, float]:
        """α."""
        return {Value.ALPHA: self.alpha}


class Tanh(Layer):
    """Y = tanh(X).

    Examples
    --------
    >>> fb.Tanh().forward([[-1.0, 0.0, 2.0]])
    array([[-0.76159416,  0.        ,  0.96402758]])
    """

    kind, name = Kind.TANH, "tanh"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = tanh(X)."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().tanh_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ (1 - Y²)."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().tanh_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx


class Sigmoid(Layer):
    """Y = 1 / (1 + exp(-X)).

    Examples
    --------
    >>> fb.Sigmoid().forward([[-1.0, 0.0, 2.0]])
    array([[0.26894142, 0.5       , 0.88079708]])
    """

    kind, name = Kind.SIGMOID, "sigmoid"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = 1 / (1 + exp(-X))."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().sigmoid_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ Y ∘ (1 - Y)."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().sigmoid_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx


class LeakyReLU(Layer):
    """Y = X where X > 0, else s·X (Maas et al. 2013). Its derivative at 0 is taken to be s.

    Parameters
    ----------
    negative_slope : float
        s >= 0.

    Examples
    --------
    >>> fb.LeakyReLU(0.1).forward([[-1.0, 0.0, 2.0]])
    array([[-0.1,  0. ,  2. ]])
    """

    settings = ("negative_slope",)
    kind, name = Kind.LEAKY_RELU, "leaky-relu"

    negative_slope = Number(least=0)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X where X > 0, else s·X."""
        x, negative_slope = self._input(x), self.negative_slope
        y = np.empty_like(x)
        kernels().leaky_relu_forward(as_rows(x), negative_slope, as_rows(y))
        return self._output(x, y, negative_slope)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else s·dY."""
        dy = self._gradient(dy)
        x, y, slope = self._kept
        dx = np.empty_like(dy)
        kernels().leaky_relu_backward(as_rows(x), as_rows(y), as_rows(dy), slope, as_rows(dx))
        return dx

    def numbers(self) -> dict[Value, float]:
        """s."""
        return {Value.NEGATIVE_SLOPE: self.negative_slope}


class SELU(Layer):
    """Y = s·X where X > 0, else s·α·(exp(X) - 1), with fixed s and α (Klambauer et al. 2017).

    Y of X with mean 0 and variance 1 has them too.

    Examples
    --------
    >>> fb.SELU().forward([[-1.0, 0.0, 2.0]])
    array([[-1.11133074,  0.        ,  2.10140197]])
    """

    kind, name = Kind.SELU, "selu"

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = s·X where X > 0, else s·α·(exp(X) - 1)."""
        x = self._input(x)
        y = np.empty_like(x)
        kernels().selu_forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = s·dY where Y > 0, else dY·(Y + s·α)."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        kernels().selu_backward(as_rows(x), as_rows(y), as_rows(dy), as_rows(dx))
        return dx
