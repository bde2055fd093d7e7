"""Models by a few words: a name, or a dense network's hidden layers; and settings of their own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastbp.layers import ACTIVATIONS

from ._reader import read
from .model import Model


def described(
    name: str | None = None,
    hidden: Sequence[int] | None = None,
    activation: str | None = None,
    **settings: Any,
) -> Model:
    """The model of that name or file, else ``dense``; settings that are None stay its own.

    Another optimiser starts with its own options.
    """
    model = read(name) if name else dense(hidden, activation)
    given = {key: value for key, value in settings.items() if value is not None}
    if given.get("optimizer", model.optimizer) != model.optimizer:
        given = {"options": {}} | given
    return replace(model, **given)


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
