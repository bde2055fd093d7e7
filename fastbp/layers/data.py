"""A layer as plain data, and made of it: its type's name, and its settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fastbp._checks import shown

from .base import Layer
from .rules import HOW_TRAINED

INSIDE = "layers"  # the setting of a layer that is made of others: a list of them, as data too


def as_data(layer: Layer) -> dict[str, Any]:
    """What JSON and TOML take: from_data makes the same layer of it, without parameters.

    How the layer is trained is there where it is not trained as any other. A layer of one's own
    whose constructor takes what its settings do not name is refused.
    """
    settings = layer.description()
    _check_remade(layer, settings)
    _check_text(layer, settings)
    if INSIDE in settings:
        settings[INSIDE] = [as_data(inside) for inside in settings[INSIDE]]
    else:
        how = {name: getattr(layer, name) for name in HOW_TRAINED}
        settings |= {name: value for name, value in how.items() if value != HOW_TRAINED[name]}
    return {"type": type(layer).__name__} | settings


def _check_remade(layer: Layer, settings: Mapping[str, Any]) -> None:
    """Refuse what from_data could not make again, while its numbers are still there."""
    kind = type(layer)
    if vars(kind).get("described"):
        return  # it has a way of its own
    named = {name: value for name, value in settings.items() if name != INSIDE}
    try:
        inspect.signature(kind).bind(*layer.layers, **named)
    except TypeError as problem:
        said = ", ".join(map(repr, settings)) or "none"
        raise TypeError(
            f"{kind.__name__}: a file could not make it again: {problem}, and its settings name "
            f'{said}; write settings = ("size",), the names of all that its constructor takes, '
            "which are attributes too"
        ) from None


def _check_text(layer: Layer, settings: Mapping[str, Any]) -> None:
    """Refuse a setting that a file cannot have."""
    import json

    for name, value in settings.items():
        try:
            if name != INSIDE:
                json.dumps(value)
        except (TypeError, ValueError) as problem:
            raise TypeError(
                f"{type(layer).__name__}: a file cannot have its {name}, {shown(value)}: "
                f"{problem}; settings are numbers, texts, truths, None, and lists or dicts of these"
            ) from None


def from_data(row: Mapping[str, Any], known: Mapping[str, type[Layer]]) -> Layer:
    """The layer, of one of the known types; whatever is wrong with it is an error of its type."""
    settings = dict(row)
    kind, inside = settings.pop("type"), settings.pop(INSIDE, ())
    if kind not in known:
        raise ValueError(
            f"unknown layer {kind!r}; known are {', '.join(known)}; define your own activations "
            "(@fb.activation) before, and pass your own layer types: load(path, layers=[...])"
        )
    how = {name: settings.pop(name) for name in HOW_TRAINED if name in settings}
    layer = known[kind].described(*(from_data(each, known) for each in inside), **settings)
    for name, value in how.items():
        setattr(layer, name, value)
    return layer
