"""Which layers make a network, and what it takes: all sizes in Python's ints, which never overflow.

A few words in a model's file can ask for any amount of memory. It is refused here, before there
are any arrays.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastbp._checks import class_itself
from fastbp._memory import in_words, machine

from .base import Layer, Shape
from .binding import is_taken
from .nesting import named_layers, places, short

MOST_BYTES = 2**30  # that one sample may take on its way through a network, unless asked for more
MOST_NUMBERS = 2**31 - 1  # that a layer may make of one sample: kernels may count in 32 bits


def check_parts(layers: tuple[Any, ...], what: str) -> tuple[Layer, ...]:
    """The layers that something is made of, given one by one or as a list: at least one."""
    if len(layers) == 1 and isinstance(layers[0], list | tuple):
        layers = tuple(layers[0])
    if not layers:
        raise ValueError(f"{what}: expected at least one layer")
    for position, layer in enumerate(layers):
        if isinstance(layer, Layer):
            continue
        hint = ""
        if isinstance(layer, type) and issubclass(layer, Layer):
            hint = class_itself(layer)
        elif hasattr(layer, "layers"):
            hint = "; write *net[:] for copies of a network's layers"
        raise TypeError(
            f"{what}: expected layers, fb.{what}(fb.Linear(...), ...); "
            f"got {type(layer).__name__} at position {position}{hint}"
        )
    return layers


def check_layers(layers: tuple[Layer, ...], shape: Shape | None) -> int:
    """Refuse layers that make no network, one after another, for samples of this shape.

    Returns how many numbers one sample takes on its way through them, as far as that is known.
    """
    numbers = 0 if shape is None else math.prod(shape)
    seen = set()
    for name, layer in named_layers(layers):
        if id(layer) in seen:
            raise ValueError(f"Sequential: {layer!r} at position {name} is used twice")
        seen.add(id(layer))
        if is_taken(layer):
            raise ValueError(
                f"Sequential: {layer!r} at position {name} is part of another network; make a "
                "new layer, or take copies of that network's, fb.Sequential(*net[:2], ...)"
            )
    for position, layer in enumerate(layers):
        try:
            before, shape = shape, layer.output_shape(shape)
            inside = 0 if before is None else layer.numbers_inside(before)
        except ValueError as problem:
            raise ValueError(f"Sequential, layer {position}: {problem}") from None
        inside = max(inside, 0 if shape is None else math.prod(shape))
        if inside > MOST_NUMBERS:
            raise ValueError(
                f"Sequential, layer {position}: {layer!r} makes {inside:,} numbers of one sample "
                f"{before}; expected at most {MOST_NUMBERS:,}"
            )
        numbers += inside
    return numbers


def check_sample(size: int, most: int) -> None:
    """Refuse layers through which one sample takes more than so many bytes."""
    if size > most:
        raise ValueError(
            f"Sequential: one sample takes {in_words(size)} on its way through these layers, more "
            f"than {in_words(most)}; if that is meant, say so: Sequential(..., most_bytes=...)"
        )


def check_batch(size: int, sample: int) -> None:
    """Refuse batches of so many samples, of so many bytes each, whose gradients find no room."""
    needed = 2 * size * sample
    if needed > machine():
        raise MemoryError(
            f"batch_size {size}: the layers' outputs and gradients take {in_words(needed)}, but "
            f"this machine has {in_words(machine())}; take a smaller one"
        )


def count_numbers(layers: tuple[Layer, ...], dtype: np.dtype) -> tuple[int, int]:
    """How many parameters there are, and how many numbers in buffers.

    Refuses more than the machine has memory for.
    """
    count = buffers = 0
    for name, layer in named_layers(layers):
        shapes = layer.parameter_shapes()
        count += sum(math.prod(shape) for shape in shapes.values())
        buffers += sum(math.prod(shape) for shape in layer.buffer_shapes().values())
        size = (2 * count + buffers) * dtype.itemsize  # with the gradients
        if size > machine():
            raise ValueError(
                f"Sequential, layer {name}: {layer!r} has parameters {shapes}; with them "
                f"parameters and gradients take {in_words(size)}, but this machine has "
                f"{in_words(machine())}"
            )
    return count, buffers


class Row(NamedTuple):
    """A layer in a list of all of a network's."""

    depth: int  # how many layers it is inside of
    text: str  # as it is written
    name: str
    settings: str  # by their names
    shape: Shape | None  # of a sample behind it; None for any
    parameters: int

    @property
    def sizes(self) -> str:
        """The shape of a batch behind it, in words."""
        return f"(n, {'any' if self.shape is None else ', '.join(map(str, self.shape))})"


def rows_of(layers: Sequence[Layer], shape: Shape | None) -> list[Row]:
    """Every layer; those inside others stand below them."""
    return [
        Row(
            place.depth,
            short(place.layer),
            type(place.layer).__name__,
            _settings(place.layer),
            place.behind,
            sum(math.prod(shape) for shape in place.layer.parameter_shapes().values()),
        )
        for place in places(layers, shape)
    ]


def _settings(layer: Layer) -> str:
    """Those of a layer that is made of others are these, which have rows of their own."""
    said = {} if layer.layers else layer.description()
    parts = [f"{name}={value!r:.40}" for name, value in said.items()]
    if layer.parameter_shapes() and not layer.trainable:
        parts.append("not trained")
    return ", ".join(parts)


def table(layers: Sequence[Layer], shape: Shape | None) -> list[str]:
    """The lines of a table: layers, what shape a sample has behind each, how many parameters.

    Layers inside others are indented.
    """
    rows = [("layer", "output", "parameters")]
    for row in rows_of(layers, shape):
        rows.append(("  " * row.depth + row.text, row.sizes, f"{row.parameters:,}"))
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in rows]
