"""The layers. Each is its mathematics, forward and backward, on the kernels of the active backend.

A layer remembers in ``forward`` what its ``backward`` needs. ``backward(dy)`` takes the gradient of
the loss by the layer's output and returns the gradient by its input: one factor of the chain rule.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ._checks import as_count, as_matrix, as_number
from .backends import kernels
from .initializers import Initializer, initializer


class Layer:
    """One step of a network. Write your own by giving it ``forward`` and ``backward``.

    A layer with parameters returns their shapes from ``parameter_shapes``. ``Sequential`` then
    sets each as an attribute (``w``), and beside it the place for its gradient (``dw``): views
    into the network's two flat vectors, which ``backward`` must overwrite, never replace.
    """

    settings: ClassVar[tuple[str, ...]] = ()  # what the constructor takes, also attributes
    dtype: np.dtype | None = None  # the network's; None outside of one

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute the output y of a batch x (n, inputs)."""
        raise NotImplementedError

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """From dy (n, outputs) compute the parameters' gradients, and return dx (n, inputs)."""
        raise NotImplementedError

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """Compute the parameters' gradients only: all that a network's first layer needs."""
        if self.parameter_shapes():
            self.backward(dy)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each parameter."""
        return {}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill the parameters with their starting values."""

    def outputs_for(self, inputs: int | None) -> int | None:
        """How many columns come out where `inputs` go in; None stands for any number.

        Raises ValueError where that many columns cannot go in.
        """
        return inputs

    def _input(self, x: npt.ArrayLike, columns: int | None = None) -> np.ndarray:
        return as_matrix(x, f"{self!r}", dtype=self.dtype, columns=columns)

    def _gradient(self, dy: npt.ArrayLike) -> np.ndarray:
        """Check dy against the output that forward remembered."""
        y: np.ndarray | None = getattr(self, "y", None)
        if y is None:
            raise RuntimeError(f"{self!r}: call forward before backward")
        return as_matrix(dy, f"{self!r}.backward", dtype=y.dtype, rows=len(y), columns=y.shape[1])

    def __repr__(self) -> str:
        values = ", ".join(f"{getattr(self, name)}" for name in self.settings)
        return f"{type(self).__name__}({values})"


class Linear(Layer):
    """Y = X·W + b: the dense (fully connected) layer.

    Parameters
    ----------
    inputs, outputs : int
        Columns of X and of Y. W is (inputs, outputs), b is (outputs,).
    init : str or Initializer, optional
        How W and b start; the network's own ``init`` if left out.

    Attributes
    ----------
    w, b, dw, db : ndarray
        Parameters and their gradients, there once the layer is part of a ``Sequential``.
    """

    settings = ("inputs", "outputs")

    def __init__(self, inputs: int, outputs: int, init: str | Initializer | None = None) -> None:
        self.inputs = as_count(inputs, "Linear inputs")
        self.outputs = as_count(outputs, "Linear outputs")
        self.init = None if init is None else initializer(init)
        self.w: np.ndarray | None = None
        self.b: np.ndarray | None = None
        self.dw: np.ndarray | None = None
        self.db: np.ndarray | None = None

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X·W + b."""
        if self.w is None:
            raise RuntimeError(f"{self!r} has no parameters yet: put it into a Sequential first")
        self.x = self._input(x, self.inputs)
        self.y = np.empty((len(self.x), self.outputs), self.x.dtype)
        kernels().dense_forward(self.x, self.w, self.b, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dW = Xᵀ·dY, dl/db = 1ᵀ·dY, and dl/dX = dY·Wᵀ."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        dx = np.empty_like(self.x)
        kernels().dense_backward_input(dy, self.w, dx)
        return dx

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dW and dl/db without dl/dX."""
        dy = self._gradient(dy)  # before self.x, which forward may not have set
        kernels().dense_backward(self.x, dy, self.dw, self.db)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (inputs, outputs) and b (outputs,)."""
        return {"w": (self.inputs, self.outputs), "b": (self.outputs,)}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill W and b."""
        w, b = (self.init or default)(rng, self.inputs, self.outputs)
        self.w[...], self.b[...] = w, b  # type: ignore[index]

    def outputs_for(self, inputs: int | None) -> int | None:
        """`outputs`, whatever the batch."""
        if inputs not in (None, self.inputs):
            raise ValueError(f"{self!r} takes {self.inputs} columns, but {inputs} come in")
        return self.outputs


class ReLU(Layer):
    """Y = max(X, 0). Its derivative at 0 is taken to be 0."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = max(X, 0)."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().relu_forward(x, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else 0."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().relu_backward(self.y, dy, dx)
        return dx


class ELU(Layer):
    """Y = X where X > 0, else α·(exp(X) - 1).

    Parameters
    ----------
    alpha : float
        α >= 0: minus the value that Y approaches for very negative X.
    """

    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = as_number(alpha, "ELU alpha", least=0)

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X where X > 0, else α·(exp(X) - 1)."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().elu_forward(x, self.alpha, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else dY·(Y + α), for α·exp(X) = Y + α."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().elu_backward(self.y, dy, self.alpha, dx)
        return dx


class Tanh(Layer):
    """Y = tanh(X)."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = tanh(X)."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().tanh_forward(x, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ (1 - Y²)."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().tanh_backward(self.y, dy, dx)
        return dx


class Sigmoid(Layer):
    """Y = 1 / (1 + exp(-X))."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = 1 / (1 + exp(-X))."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().sigmoid_forward(x, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ Y ∘ (1 - Y)."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().sigmoid_backward(self.y, dy, dx)
        return dx


class LogSoftmax(Layer):
    """Y = X - log Σ exp(X), over each row: the logarithms of the classes' probabilities."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X - log Σ exp(X), row by row."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().log_softmax_forward(x, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY - exp(Y) · Σ dY, row by row."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().log_softmax_backward(self.y, dy, dx)
        return dx


BUILT_IN: dict[str, type[Layer]] = {
    layer.__name__: layer for layer in (Linear, ReLU, ELU, Tanh, Sigmoid, LogSoftmax)
}


def describe(layer: Layer) -> dict[str, Any]:
    """A layer as plain data: its type's name and its settings."""
    return {"type": type(layer).__name__} | {name: getattr(layer, name) for name in layer.settings}
