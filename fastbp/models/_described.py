"""Models by a few words: a name, or a dense network's hidden layers; and settings of their own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ._names import ACTIVATIONS
from ._reader import read
from .model import Model


def described(
    name: str | None = None,
    hidden: Sequence[int] | None = None,
    activation: str | None = None,
    **settings: Any,
) -> Model:
    """The model of that name or file, else ``dense``; settings that are None stay its own."""
    model = read(name) if name else dense(hidden, activation)
    return replace(model, **{key: value for key, value in settings.items() if value is not None})


def dense(hidden: Sequence[int] | None = None, activation: str | None = None) -> Model:
    """dense.toml with other hidden layers, or with another activation between them."""
    model = read("dense")
    outputs = [row["outputs"] for row in model.layers if "outputs" in row]
    kind = ACTIVATIONS[activation].__name__ if activation else model.layers[1]["type"]
    rows = [
        row
        for size in (outputs if hidden is None else hidden)
        for row in ({"type": "Linear", "outputs": size}, {"type": kind})
    ]
    return replace(model, layers=(*rows, {"type": "Linear"}))
