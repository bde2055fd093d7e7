"""Models by a few words: a name, or a dense network's hidden layers; and settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from fastbp._checks import as_count, check_kind
from fastbp.layers import ACTIVATIONS, NORMALIZATIONS, Layer
from fastbp.network import Sequential

from ._keys import KEYS, PARTS, Part, chosen
from ._reader import read
from .model import TAKES, Model

PIXELS, DIGITS = 784, 10  # MNIST's
DENSE = ("hidden", "activation", "normalization")  # what describes a network in place of a model


class SettingError(ValueError):
    """What was said of how a network is trained does not go."""


SINGLE = (*(part.name for part in PARTS), *KEYS, "init", "dtype")  # what a model says of itself


def known_settings() -> tuple[str, ...]:
    """The names of all that ``asked_for`` may be given."""
    of_parts = (name for part in PARTS for name in part.settings())
    return ("model", *DENSE, *SINGLE, *of_parts)


def described(
    name: str | Model | None = None,
    hidden: Sequence[int] | None = None,
    activation: str | None = None,
    normalization: str | None = None,
    **settings: Any,
) -> Model:
    """The model of that name or file, else ``dense``; settings that are None stay its own.

    Another optimiser, loss or schedule starts with its own options. A Model may be given in place
    of its name; then its hidden layers may be others too.
    """
    if isinstance(name, str) and name:
        model = read(name)
    else:
        model = with_hidden(name or read("dense"), hidden, activation, normalization)
    given = {key: value for key, value in settings.items() if value is not None}
    for part in PARTS:
        if given.get(part.name, getattr(model, part.name)) != getattr(model, part.name):
            given = {part.options: {}} | given
    return replace(model, **given)


def with_settings(
    model: Model, given: Mapping[str, Any], called: Callable[[str], str] = str
) -> Model:
    """The model, its parts with the settings that are given; those that are None stay its own.

    ``called`` makes of a setting's name what messages call it.

    Raises
    ------
    SettingError
        If a part has no such setting, or lacks one, or refuses its value.
    """
    try:
        for part in PARTS:
            model = _with_part(model, part, given, called)
        model.fit_arguments()  # which checks them, before anything is computed or written
    except ValueError as problem:
        raise SettingError(str(problem)) from None
    return model


def _with_part(
    model: Model, part: Part, given: Mapping[str, Any], called: Callable[[str], str]
) -> Model:
    """The model, a part of it with the settings that are given."""
    said = {name: v for name in part.settings() if (v := given.get(name)) is not None}
    kind = getattr(model, part.name)
    chosen(part.known, kind, called(part.name))
    has = part.parameters(kind)
    for name in said:
        if part.known[kind] is None:
            whose = ", ".join(part.settings()[name])
            raise ValueError(f"{called(name)} goes with {called(part.name)} {whose}")
        if name not in has:
            known = ", ".join(map(called, has)) or "none"
            raise ValueError(f"{kind} has no {called(name)}; it has {known}")
    options = getattr(model, part.options) | said
    for name, parameter in has.items():
        if parameter.default is parameter.empty and name not in options:
            raise ValueError(f"{part.what} {kind} needs {called(name)}")
    return replace(model, **{part.options: options})


def asked_for(given: Mapping[str, Any], called: Callable[[str], str] = str) -> Model:
    """The model of all that may be said of one, by its name; what is None stays its own.

    Raises
    ------
    OSError, ValueError, TypeError
        As ``read``, ``dense`` and ``with_settings``.
    """
    check_kind(given, Mapping, "asked_for")
    model = described(
        given.get("model"),
        *(given.get(name) for name in DENSE),
        **{name: given.get(name) for name in SINGLE},
    )
    return with_settings(model, given, called)


def dense(
    hidden: Sequence[int] | None = None,
    activation: str | None = None,
    normalization: str | None = None,
) -> Model:
    """dense.toml with other hidden layers; see ``with_hidden``."""
    return with_hidden(read("dense"), hidden, activation, normalization)


def with_hidden(
    model: Model,
    hidden: Sequence[int] | None = None,
    activation: str | None = None,
    normalization: str | None = None,
) -> Model:
    """A dense model with other hidden layers, with another activation or a norm before each.

    What stands before its first Linear stays, and how that is trained holds for all of them. What
    stands behind its hidden layers (Dropout, norms) does so behind the new ones, behind the last of
    them what stood behind its last.

    Raises
    ------
    ValueError, TypeError
        If ``hidden`` are no whole numbers above 0, or there is no such activation or norm.
    """
    places = [place for place, row in enumerate(model.layers) if row["type"] == "Linear"]
    first, last = places[0], model.layers[places[-1]]
    sizes = [model.layers[place]["outputs"] for place in places[:-1]]
    if hidden is not None:
        if isinstance(hidden, str) or not isinstance(hidden, Iterable):
            raise TypeError(f"hidden: expected sizes like (800, 100), got {hidden!r}")
        sizes = [as_count(size, "hidden") for size in hidden]
    behind = [[*map(_sizeless, model.layers[a + 1 : b])] for a, b in pairwise(places)]
    if sizes and not behind:
        raise ValueError(f"{model.source or model.name}: hidden: it has no hidden layer to repeat")
    if activation is not None:
        kind = chosen(ACTIVATIONS, activation, "activation")
        behind = [_replaced(rows, ACTIVATIONS, kind, len(rows)) for rows in behind]
    if normalization is not None:
        norm = chosen(NORMALIZATIONS, normalization, "normalization")
        behind = [_replaced(rows, NORMALIZATIONS, norm, 0) for rows in behind]
    rows = [
        row
        for place, size in enumerate(sizes)
        for row in (model.layers[first] | {"outputs": size}, *behind[min(place, len(behind) - 1)])
    ]
    return replace(model, layers=(*model.layers[:first], *rows, last))


def _sizeless(row: dict[str, Any]) -> dict[str, Any]:
    """A layer without the size that comes in, which others may stand before."""
    return {name: value for name, value in row.items() if name != TAKES.get(row["type"])}


def _replaced(
    rows: Sequence[dict[str, Any]], family: Mapping[str, type[Layer]], kind: type[Layer], place: int
) -> list[dict[str, Any]]:
    """The layers with another of a family in its place; where there is none of it, at `place`."""
    names, new = [each.__name__ for each in family.values()], {"type": kind.__name__}
    if not any(row["type"] in names for row in rows):
        return [*rows[:place], new, *rows[place:]]
    return [new if row["type"] in names else row for row in rows]


@dataclass(frozen=True)
class Setting:
    """A network for MNIST and how it is trained, in a few words; equal ones are one.

    What trains many networks (the experiments, the benchmarks) lists these, and asks each for its
    model. The defaults are report B's.
    """

    hidden: tuple[int, ...] = (800, 100)
    activation: str = "tanh"
    loss: str = "hinge"
    lr: float = 0.01
    epochs: int = 10
    batch_size: int = 8
    init: str | None = "normal"  # N(0, 1)·10⁻³, biases 0; None for the model's own
    model: str = ""  # in place of hidden and activation, one of fastbp.models.NAMED

    @property
    def described(self) -> Model:
        """The same as a model, which makes network, loss and optimiser."""
        settings = {
            name: getattr(self, name) for name in ("loss", "lr", "epochs", "batch_size", "init")
        }
        return described(self.model, self.hidden, self.activation, **settings)

    def build(self, seed: int) -> Sequential:
        """The network before training; Sequential complains where layers do not fit."""
        return self.described.build(PIXELS, DIGITS, seed)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of a dense network's inputs, units and outputs."""
        return PIXELS, *self.hidden, DIGITS
