"""What all layers share.

A layer remembers in ``forward`` what its ``backward`` needs. ``backward(dy)`` takes the gradient of
the loss by the layer's output and returns the gradient by its input: one factor of the chain rule.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_batch
from fastbp.kernels.numbers import Column, Kind, Value

from .initializers import Initializer

__all__ = ["Layer", "Shape", "as_rows"]

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
    kind: ClassVar[Kind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # of an activation, on the command line and in models
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

    def columns(self) -> dict[Column, int]:
        """What an engine must know of it besides its sizes: columns of its row in a program."""
        return {}

    def numbers(self) -> dict[Value, float]:
        """The real numbers that an engine must know of it."""
        return {}

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


def check_layers(layers: tuple[Layer, ...], shape: Shape | None) -> None:
    """Refuse layers that make no network, one after another, for samples of this shape."""
    if not layers:
        raise ValueError("Sequential: expected at least one layer")
    for position, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential: expected layers, fb.Sequential(fb.Linear(...), ...); "
                f"got {type(layer).__name__} at position {position}"
            )
        if any(layer is other for other in layers[:position]):
            raise ValueError(f"Sequential: {layer!r} at position {position} is used twice")
        if layer.dtype is not None:
            raise ValueError(
                f"Sequential: {layer!r} at position {position} is part of another network; "
                "make a new layer, or use net.copy()"
            )
        try:
            shape = layer.output_shape(shape)
        except ValueError as problem:
            raise ValueError(f"Sequential, layer {position}: {problem}") from None
