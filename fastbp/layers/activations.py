"""The activations: element by element, and LogSoftmax over each row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_matrix
from fastbp._settings import Number, Word
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind, Value

from .base import Layer, Shape, as_rows

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]


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
        if shape is not None and len(shape) > 1:
            raise ValueError(
                f"{self!r} takes rows, but images {shape} come in: put Flatten() before it"
            )
        return shape
