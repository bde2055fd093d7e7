"""Layers within layers: all that a network is made of, as a tree that is walked in one way.

A layer that is made of others (``Layer.layers``) runs them one after another, the first on what
comes in. Names are paths: "2" is a network's third layer, and "2.0" the first one inside that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .base import Layer

Shape = tuple[int, ...]


class Place(NamedTuple):
    """Where a layer is: its name, and what shape a sample has before it and behind it."""

    name: str
    layer: Layer
    before: Shape | None  # None where any fits, as in Layer.output_shape
    behind: Shape | None

    @property
    def depth(self) -> int:
        """How many layers it is inside of."""
        return self.name.count(".")


def named_layers(layers: Iterable[Layer], within: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer with its name, each before those inside it."""
    for position, layer in enumerate(layers):
        name = f"{within}{position}"
        yield name, layer
        yield from named_layers(layer.layers, f"{name}.")


def every_layer(layers: Iterable[Layer]) -> list[Layer]:
    """The same without names."""
    return [layer for _, layer in named_layers(layers)]


def places(layers: Iterable[Layer], shape: Shape | None, within: str = "") -> Iterator[Place]:
    """The same with shapes, for samples of this shape."""
    for position, layer in enumerate(layers):
        place = Place(f"{within}{position}", layer, shape, layer.output_shape(shape))
        yield place
        yield from places(layer.layers, shape, f"{place.name}.")
        shape = place.behind


def short(layer: Layer) -> str:
    """A layer in a list of all: without those inside it, which are there too."""
    return type(layer).__name__ if layer.layers else repr(layer)


def columns_into(layers: Iterable[Layer]) -> int | None:
    """Columns of the rows that layers take, one after another; None where any number fits."""
    for layer in layers:
        if (columns := getattr(layer, "inputs", None)) is not None:
            return int(columns)
        if not layer.keeps_shape():
            return None  # what comes in differs from what the next layer says it takes
    return None


def backward_through(
    layers: Sequence[Layer], dy: np.ndarray, input_gradient: bool
) -> np.ndarray | None:
    """Run a gradient back through layers; returns dx, or None if it is not asked for.

    Without dx it goes no further than to the lowest layer that is trained.
    """
    lowest = -1 if input_gradient else lowest_trained(layers)
    for layer in reversed(layers[lowest + 1 :]):
        dy = layer.backward(dy)
    if input_gradient:
        return dy
    for layer in layers[lowest : lowest + 1]:
        layer.backward_parameters(dy)
    for layer in layers[:lowest]:
        layer.stepped(1)
    return None


def lowest_trained(layers: Sequence[Layer]) -> int:
    """The first layer in which anything is trained; their number if there is none."""
    return next((k for k, layer in enumerate(layers) if _trains(layer)), len(layers))


def _trains(layer: Layer) -> bool:
    return layer.is_trained or any(map(_trains, layer.layers))
