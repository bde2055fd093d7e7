"""Normalization of rows: LayerNorm, and Scale, a factor for each column; and what norms share."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._hints import Also
from fastbp._settings import Count, Flag, Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind, Value

from .base import Layer, Shape
from .initializers import Initializer
from .shapes import check_columns

__all__ = ["LayerNorm", "Scale"]


class Norm(Layer):
    """What these layers have in common: rows of so many columns, and w and b with one number each.

    Without parameters it computes with w = 1 and b = 0.
    """

    undecayed = ("w", "b")
    weight = Also("w")

    @property
    def inputs(self) -> int:
        """Columns of X and of Y."""
        return int(getattr(self, self.settings[0]))

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W and b, a number for each column."""
        return {"w": (self.inputs,), "b": (self.inputs,)}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """W starts as 1, b as 0."""
        if self.parameter_shapes():
            self.w[...] = 1

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """The input's shape: rows of so many columns."""
        check_columns(self, shape, self.inputs)
        return (self.inputs,)

    def columns(self) -> dict[Column, int]:
        """How many vectors it has, of parameters and of buffers."""
        return {
            Column.VECTOR: self.inputs,
            Column.PARAM_VECTORS: len(self.parameter_shapes()),
            Column.BUFFERS: len(self.buffer_shapes()),
        }

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dw and dl/db without dl/dX."""
        self._parameter_gradients(self._gradient(dy))

    def _parameter_gradients(self, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dl/dw and dl/db, in the network's vector if they are learned."""
        raise NotImplementedError

    def _weights(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.parameter_shapes():
            return self.w, self.b
        return np.ones(self.inputs, x.dtype), np.zeros(self.inputs, x.dtype)

    def _gradients(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.parameter_shapes():
            return self.dw, self.db
        return np.empty(self.inputs, x.dtype), np.empty(self.inputs, x.dtype)


class Scale(Norm):
    """Y = X·w, a learned factor for each column.

    Parameters
    ----------
    num_features : int
        Columns of X and of Y.

    Attributes
    ----------
    w, dw : (num_features,) ndarray
        The factors, 1 at first, and their gradients, there once the layer is part of a
        ``Sequential``.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(30, 8), fb.Scale(8), fb.Tanh(), fb.Linear(8, 2))
    """

    settings = ("num_features",)
    kind = Kind.COLUMN_SCALE
    num_features = Count(fixed=True)

    def __init__(self, num_features: int) -> None:
        self.num_features = num_features

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X·w, column by column."""
        x = self._input(x, (self.num_features,))
        y = np.empty_like(x)
        kernels().scale_forward(x, self.w, y)
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dw = the sum of X·dY over the batch, and dl/dX = dY·w."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        dx = np.empty_like(dy)
        kernels().scale_forward(dy, self.w, dx)
        return dx

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """dl/dw without dl/dX."""
        dy = self._gradient(dy)
        kernels().scale_backward(self._kept[0], dy, self.dw)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W, a number for each column."""
        return {"w": (self.num_features,)}

    def as_affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """W, and no offset."""
        return self.w.astype(np.float64), np.zeros(self.num_features)


class LayerNorm(Norm):
    """Y = X̂·w + b, X̂ = (X - mean) / √(variance + eps): each sample over its columns.

    It does the same in training and in use (Ba, Kiros and Hinton 2016). Names and defaults are
    PyTorch's.

    Parameters
    ----------
    normalized_shape : int
        Columns of X and of Y.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether w and b are learned; else they are 1 and 0.

    Attributes
    ----------
    w, b, dw, db : (normalized_shape,) ndarray
        Parameters, 1 and 0 at first, and their gradients, there once the layer is part of a
        ``Sequential``.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(30, 64), fb.LayerNorm(64), fb.SiLU(), fb.Linear(64, 1))
    """

    settings = ("normalized_shape", "eps", "elementwise_affine")
    worded = ("eps", "elementwise_affine")
    kind = Kind.LAYER_NORM
    name = "layer"
    normalized_shape = Count(fixed=True)
    eps = Number(least=0)
    elementwise_affine = Flag(fixed=True)

    def __init__(
        self, normalized_shape: int, eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        self.normalized_shape, self.eps = normalized_shape, eps
        self.elementwise_affine = elementwise_affine

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, row by row."""
        x = self._input(x, (self.normalized_shape,))
        y, mean, rstd = np.empty_like(x), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
        kernels().layer_norm_forward(x, *self._weights(x), self.eps, mean, rstd, y)
        return self._output(x, y, mean, rstd)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dw = ΣdY·X̂, dl/db = ΣdY; with G = dY·w, dl/dX is G less its mean and its part along
        X̂, over √(variance + eps).
        """
        dy = self._gradient(dy)
        self._parameter_gradients(dy)
        x, _, mean, rstd = self._kept
        dx = np.empty_like(dy)
        kernels().layer_norm_backward_input(x, dy, mean, rstd, self._weights(x)[0], dx)
        return dx

    def _parameter_gradients(self, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, _, mean, rstd = self._kept
        dw, db = self._gradients(x)
        kernels().layer_norm_backward(x, dy, mean, rstd, dw, db)
        return dw, db

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W and b, a number for each column, if they are learned."""
        return super().parameter_shapes() if self.elementwise_affine else {}

    def numbers(self) -> dict[Value, float]:
        """eps."""
        return {Value.NORM_EPSILON: self.eps}
