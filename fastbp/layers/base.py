"""The layers. Each is its mathematics, forward and backward, on the kernels of the active backend.

A layer remembers in ``forward`` what its ``backward`` needs. ``backward(dy)`` takes the gradient of
the loss by the layer's output and returns the gradient by its input: one factor of the chain rule.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ._checks import as_batch, as_count, as_matrix, as_number
from .backends import kernels
from .initializers import Initializer, initializer

Shape = tuple[int, ...]  # of one sample


def as_rows(a: np.ndarray) -> np.ndarray:
    """A view of (n, ...) as (n, columns), for kernels that take samples as rows."""
    return a.reshape(len(a), math.prod(a.shape[1:]))


class Layer:
    """One step of a network. Write your own by giving it ``forward`` and ``backward``.

    A layer with parameters returns their shapes from ``parameter_shapes``. ``Sequential`` then
    sets each as an attribute (``w``), and beside it the place for its gradient (``dw``): views
    into the network's two flat vectors, which ``backward`` must overwrite, never replace.
    """

    settings: ClassVar[tuple[str, ...]] = ()  # what the constructor takes, also attributes
    dtype: np.dtype | None = None  # the network's; None outside of one
    training: bool = True  # see Sequential.train

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute the output y of a batch x: (n, inputs), or (n, channels, h, w) of images."""
        raise NotImplementedError

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """From dy, shaped like y, compute the parameters' gradients; return dx, shaped like x."""
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

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """What shape a sample has behind this layer, where it has `shape` before it.

        A shape is (columns,), or (channels, h, w) of images; None stands for any. Raises
        ValueError where such a sample cannot go in.
        """
        return shape

    def _input(self, x: npt.ArrayLike, shape: Shape | None = None) -> np.ndarray:
        return as_batch(x, f"{self!r}", dtype=self.dtype, shape=shape)

    def _gradient(self, dy: npt.ArrayLike) -> np.ndarray:
        """Check dy against the output that forward remembered."""
        y: np.ndarray | None = getattr(self, "y", None)
        if y is None:
            raise RuntimeError(f"{self!r}: call forward before backward")
        return as_batch(dy, f"{self!r}.backward", dtype=y.dtype, rows=len(y), shape=y.shape[1:])

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
        self.x = self._input(x, (self.inputs,))
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

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(outputs,), whatever the batch."""
        if shape is not None and len(shape) > 1:
            raise ValueError(
                f"{self!r} takes {self.inputs} columns, but images {shape} come in: "
                "put Flatten() before it"
            )
        if shape not in (None, (self.inputs,)):
            raise ValueError(f"{self!r} takes {self.inputs} columns, but {shape[0]} come in")
        return (self.outputs,)


class ReLU(Layer):
    """Y = max(X, 0). Its derivative at 0 is taken to be 0."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = max(X, 0)."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().relu_forward(as_rows(x), as_rows(self.y))
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else 0."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().relu_backward(as_rows(self.y), as_rows(dy), as_rows(dx))
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
        kernels().elu_forward(as_rows(x), self.alpha, as_rows(self.y))
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY where Y > 0, else dY·(Y + α), for α·exp(X) = Y + α."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().elu_backward(as_rows(self.y), as_rows(dy), self.alpha, as_rows(dx))
        return dx


class Tanh(Layer):
    """Y = tanh(X)."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = tanh(X)."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().tanh_forward(as_rows(x), as_rows(self.y))
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ (1 - Y²)."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().tanh_backward(as_rows(self.y), as_rows(dy), as_rows(dx))
        return dx


class Sigmoid(Layer):
    """Y = 1 / (1 + exp(-X))."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = 1 / (1 + exp(-X))."""
        x = self._input(x)
        self.y = np.empty_like(x)
        kernels().sigmoid_forward(as_rows(x), as_rows(self.y))
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ Y ∘ (1 - Y)."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().sigmoid_backward(as_rows(self.y), as_rows(dy), as_rows(dx))
        return dx


class LogSoftmax(Layer):
    """Y = X - log Σ exp(X), over each row: the logarithms of the classes' probabilities."""

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X - log Σ exp(X), row by row."""
        x = as_matrix(x, f"{self!r}", dtype=self.dtype)
        self.y = np.empty_like(x)
        kernels().log_softmax_forward(x, self.y)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY - exp(Y) · Σ dY, row by row."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        kernels().log_softmax_backward(self.y, dy, dx)
        return dx

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """As what comes in, which must be rows."""
        if shape is not None and len(shape) > 1:
            raise ValueError(
                f"{self!r} takes rows, but images {shape} come in: put Flatten() before it"
            )
        return shape
