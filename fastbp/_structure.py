"""What a network is made of: layers in a row, and the shapes between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ._arrays import as_array
from ._checks import as_batch, as_matrix
from ._hints import Guessed, refuse
from .layers import Layer, Shape
from .layers.nesting import columns_into, every_layer

FIXED = ("layers", "input_shape", "dtype")
OF_LAYERS = ("trainable", "requires_grad")  # what is said of layers, one by one


class Structure(Guessed):
    """Layers in a row, of which there are ``len(net)``; ``for layer in net`` goes through them."""

    _layers: tuple[Layer, ...]
    _input_shape: Shape | None
    _dtype: np.dtype

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED:
            raise AttributeError(
                f"Sequential.{name}: it is fixed, for the network's arrays have their sizes; make "
                "a new network" + (", net.astype(dtype)" if name == "dtype" else "")
            )
        if name in OF_LAYERS:
            refuse(self, name)
        super().__setattr__(name, value)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order."""
        return self._layers

    @property
    def input_shape(self) -> Shape | None:
        """Of one sample, where it was named."""
        return self._input_shape

    @property
    def dtype(self) -> np.dtype:
        """Of parameters and arithmetic; see ``astype``."""
        return self._dtype

    @property
    def inputs(self) -> int | None:
        """Columns of x, or None where any number fits."""
        if self.input_shape is not None:
            return math.prod(self.input_shape)
        return columns_into(self.layers)

    @property
    def outputs(self) -> int | None:
        """Columns of the scores, or None where they are as many as the inputs."""
        shape = self.shapes[-1]
        return None if shape is None else math.prod(shape)

    @property
    def shapes(self) -> list[Shape | None]:
        """What shape a sample has behind each layer; None for that of the input."""
        shapes, shape = [], self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
            shapes.append(shape)
        return shapes

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def train(self, mode: bool = True) -> Self:
        """Let ``forward`` and ``backward`` behave as in training: Dropout drops. So it is at first.

        ``fit`` trains like that in any case, and ``scores``, ``predict`` and ``evaluate`` never do.
        """
        for layer in every_layer(self.layers):
            layer.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Let ``forward`` behave as in use, not in training: ``train(False)``."""
        return self.train(False)

    @property
    def training(self) -> bool:
        """Whether ``forward`` behaves as in training."""
        return any(layer.training for layer in every_layer(self.layers))

    def as_input(self, x: npt.ArrayLike, name: str, dtype: np.dtype | None = None) -> np.ndarray:
        """Check samples, and shape them like ``input_shape`` if the network has one."""
        shape = self.input_shape
        if shape is None or len(shape) == 1:
            return as_matrix(x, name, dtype=dtype, columns=self.inputs)
        array = as_array(x, name)
        if array.shape[1:] not in (shape, (self.inputs,)):
            raise ValueError(
                f"{name}: expected images {shape}, or rows of their {self.inputs} numbers; "
                f"got shape {array.shape}"
            )
        return as_batch(array.reshape(len(array), *shape), name, dtype=dtype)

    def __repr__(self) -> str:
        parts = [*map(repr, self.layers)]
        if self.input_shape is not None:
            parts.append(f"input_shape={self.input_shape}")
        return f"Sequential({', '.join(parts)})"
