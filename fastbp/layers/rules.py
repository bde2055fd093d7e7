"""How optimisers move a network's parameters: which of them, how fast, and which of them decay."""

# Layer as text: layers stand on this page
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastbp._settings import Flag, Number, Setting

from .binding import Vectors
from .nesting import every_layer

if TYPE_CHECKING:
    from .base import Layer


# Unless somebody sets them.
HOW_TRAINED = {"trainable": True, "lr_factor": 1.0, "bias_lr_factor": 1.0}


class _OfLayers(Setting):
    """How a layer is trained, and all layers inside it."""

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return self if obj is None else vars(obj).get(self.name, HOW_TRAINED[self.name])

    def __set__(self, obj: Any, value: Any) -> None:
        super().__set__(obj, value)
        for layer in obj.layers:
            setattr(layer, self.name, value)


class Trainable(_OfLayers, Flag):
    """Whether it is trained at all."""


class Factor(_OfLayers, Number):
    """A factor of its rate."""


class Rule(NamedTuple):
    """How an optimiser moves a parameter."""

    trained: bool  # or not at all
    rate: float  # a factor of its learning rate
    decays: bool  # whether weight decay shrinks it


class Piece(NamedTuple):
    """Parameters that lie in a row and move by the same rule."""

    part: slice  # of the flat vectors
    rule: Rule


def pieces(
    vectors: Vectors, layers: Sequence[Layer], decay_biases: bool = False
) -> tuple[Piece, ...]:
    """All parameters, in as few pieces as there can be."""
    key, kept = [layer.rule for layer in layers], vectors.pieces.get(decay_biases)
    if kept is None or kept[0] != key:
        kept = vectors.pieces[decay_biases] = key, tuple(_pieces(layers, decay_biases))
    found: tuple[Piece, ...] = kept[1]
    return found


def trained_pieces(
    vectors: Vectors, layers: Sequence[Layer], decay_biases: bool
) -> tuple[Piece, ...]:
    """Those that an optimiser moves."""
    found = pieces(vectors, layers, decay_biases)
    return tuple(piece for piece in found if piece.rule.trained)


def _pieces(layers: Iterable[Layer], decay_biases: bool) -> Iterator[Piece]:
    start = stop = 0
    before: Rule | None = None
    for layer in every_layer(layers):
        rules = layer.rules(decay_biases)
        for name, shape in layer.parameter_shapes().items():
            if before is not None and rules[name] != before:
                yield Piece(slice(start, stop), before)
                start = stop
            before, stop = rules[name], stop + math.prod(shape)
    if before is not None:
        yield Piece(slice(start, stop), before)
