"""The dense layer."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._hints import Also
from fastbp._settings import Count
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind

from .base import Shape
from .initializers import Initializer
from .shapes import check_columns
from .weighted import Weighted

__all__ = ["Linear"]


class Linear(Weighted):
    """Y = X·W + b: the dense (fully connected) layer.

    Parameters
    ----------
    inputs, outputs : int
        Columns of X and of Y. W is (inputs, outputs), b is (outputs,).
    init : str or Initializer, optional
        How W and b start; the network's own ``init`` if left out.
    bias : bool
        Whether there is a b.

    Attributes
    ----------
    w, b, dw, db : ndarray
        Parameters and their gradients, there once the layer is part of a ``Sequential``, in the
        dtype of that; b and db are None without a bias.

    Examples
    --------
    >>> layer = fb.Linear(3, 2)
    >>> net = fb.Sequential(layer)
    >>> layer.w = [[1, 0], [0, 1], [2, 2]]
    >>> layer.b = [0, 10]
    >>> net.forward([[1.0, 2.0, 3.0]])
    array([[ 7., 18.]], dtype=float32)
    """

    settings = ("inputs", "outputs", "bias")
    kind = Kind.DENSE
    inputs, outputs = Count(fixed=True), Count(fixed=True)
    in_features, out_features = Also("inputs"), Also("outputs")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        init: str | Initializer | None = None,
        bias: bool = True,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        super().__init__(init, bias)

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X·W + b."""
        x = self._input(x, (self.inputs,))
        y = np.empty((len(x), self.outputs), x.dtype)
        kernels().dense_forward(x, self.w, self._b(), y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dW = Xᵀ·dY, dl/db = 1ᵀ·dY, and dl/dX = dY·Wᵀ."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        x, _ = self._kept
        dx = np.empty_like(x)
        kernels().dense_backward_input(dy, self.w, dx)
        return dx

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dW and dl/db without dl/dX."""
        dy = self._gradient(dy)
        x, _ = self._kept
        kernels().dense_backward(x, dy, self.dw, self._db())

    def _w_shape(self) -> tuple[int, ...]:
        return self.inputs, self.outputs

    def _outputs(self) -> int:
        return self.outputs

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill W and b."""
        self._start(*(self.init or default)(rng, self.inputs, self.outputs))

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """(outputs,), whatever the batch."""
        check_columns(self, shape, self.inputs)
        return (self.outputs,)
