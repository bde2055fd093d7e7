"""Residual (He et al. 2016): layers with a shortcut around them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_batch
from fastbp.backends import kernels
from fastbp.kernels.numbers import Kind

from .base import Layer, Shape, as_rows, named
from .nesting import backward_through, columns_into
from .sizes import check_parts

__all__ = ["Residual"]


class Residual(Layer):
    """Y = X + layers(X): layers, one after another, and a shortcut around them.

    What comes out of them must have the shape of what goes in, rows or images. They may be
    Residuals themselves.

    Parameters
    ----------
    *layers : Layer
        At least one, in order, or a list of them.

    Attributes
    ----------
    layers : tuple of Layer

    Raises
    ------
    ValueError
        When a network is made of it: if what its layers put out has another shape.

    Notes
    -----
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016, equation 1.

    Examples
    --------
    >>> block = fb.Residual(fb.Linear(64, 64), fb.ReLU(), fb.Linear(64, 64))
    >>> net = fb.Sequential(fb.Linear(8, 64), block, fb.ReLU(), fb.Linear(64, 3))
    >>> net.layers[1].layers[0].w.shape
    (64, 64)
    """

    settings = ("layers",)
    kind = Kind.ADD

    def __init__(self, *layers: Layer | Sequence[Layer]) -> None:
        self._layers = check_parts(layers, type(self).__name__)

    @property
    def inputs(self) -> int | None:
        """Columns of X, or None where any number fits."""
        return columns_into(self.layers)

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = X + layers(X)."""
        x = self._input(x)
        inner = x
        for layer in self.layers:
            inner = layer.forward(inner)
        inner = as_batch(inner, named(self, ": its layers"), dtype=x.dtype, shape=x.shape[1:])
        return self._output(x, _sum(x, inner))

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY + what the layers make of dY."""
        dy = self._gradient(dy)
        inner = backward_through(self.layers, dy, input_gradient=True)
        return _sum(dy, np.ascontiguousarray(inner, dy.dtype))

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """The gradients of the layers' parameters only."""
        backward_through(self.layers, self._gradient(dy), input_gradient=False)

    def keeps_shape(self) -> bool:
        """It does."""
        return True

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """That of what comes in; refuses layers that put out another."""
        if shape is None and self.inputs is not None:
            shape = (self.inputs,)
        behind = shape
        for position, layer in enumerate(self.layers):
            try:
                behind = layer.output_shape(behind)
            except ValueError as problem:
                raise ValueError(f"{self!r}, layer {position}: {problem}") from None
        if shape is None or behind is None:
            return shape or behind
        if behind != shape:
            raise ValueError(
                f"{self!r}: expected layers that put out the shape that comes in, {shape}, for "
                f"both are added; they put out {behind}"
            )
        return shape

    def numbers_inside(self, shape: Shape) -> int:
        """What its layers make of a sample, and the sum."""
        numbers = math.prod(shape)
        for layer in self.layers:
            numbers += layer.numbers_inside(shape)
            shape = layer.output_shape(shape) or shape
        return numbers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"


def _sum(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    kernels().add(as_rows(x), as_rows(z), as_rows(y))
    return y
