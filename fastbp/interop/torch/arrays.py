"""Parameters and buffers by the names that PyTorch has for them, and laid out as it has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastbp.layers import Layer, Linear
from fastbp.layers.nesting import named_layers
from fastbp.network import Sequential
from fastbp.storage import tensor_shapes

from .rows import row_for


def names_of(layer: Layer) -> Iterator[tuple[str, str]]:
    """PyTorch's name of each of a layer's arrays and counts, and the one here."""
    row = row_for(layer)
    here = {*tensor_shapes(layer), *layer.state()}
    for theirs, name in {} if row is None else row.arrays.items():
        if name in here:
            yield theirs, name


def all_names(net: Sequential) -> dict[str, tuple[Layer, str]]:
    """The same of a whole network, in PyTorch's order: "0.weight"."""
    return {
        f"{place}.{theirs}": (layer, name)
        for place, layer in named_layers(net.layers)
        for theirs, name in names_of(layer)
    }


def shape_of(layer: Layer, name: str) -> tuple[int, ...]:
    """What shape PyTorch has it in."""
    shape = tensor_shapes(layer).get(name, ())
    return shape[::-1] if _is_turned(layer, name) else shape


def read(layer: Layer, name: str) -> np.ndarray:
    """The numbers as PyTorch has them, in a new array."""
    array = np.asarray(getattr(layer, name))
    return np.array(array.T if _is_turned(layer, name) else array, order="C")


def write(layer: Layer, name: str, array: np.ndarray) -> None:
    """Give a layer its numbers, which PyTorch had."""
    if name in layer.state():
        setattr(layer, name, array.item())
    else:
        setattr(layer, name, array.T if _is_turned(layer, name) else array)


def _is_turned(layer: Layer, name: str) -> bool:
    """Linear's weight is (outputs, inputs) in PyTorch."""
    return type(layer) is Linear and name == "w"
