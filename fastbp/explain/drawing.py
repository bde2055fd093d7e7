"""The worked example as drawings of its network: what is given, forward, backward, the update."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastbp import plots

from .explanation import GIVEN, LOSS, Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EDGES = 40  # beyond these, numbers on the lines would cover each other


def drawings(told: Explanation) -> dict[str, Figure]:
    """Name -> figure, in the order in which things are computed."""
    given = [f"{q.name} = {q.text}" for q in told.sections[GIVEN] if q.name[0] in "ycη"]
    loss = [f"{q.name} = {q.text}" for q in told.sections[LOSS]]
    gradients = _values(told, "dl/d"), _equals(told, "dl/d")
    return {
        "given": _draw(told, "the network", _given(told), _equals(told, ""), ", ".join(given)),
        "forward": _draw(told, "forward", _values(told, ""), _equals(told, ""), loss[0]),
        "backward": _draw(told, "backward, the gradients", *gradients, ", ".join(loss[1:])),
        "update": _draw(told, "after the update", _given(told, "new "), _equals(told, "new "), ""),
    }


def _draw(
    told: Explanation,
    what: str,
    node: Callable[[str], str],
    on_edge: Callable[[str], str],
    note: str,
) -> Figure:
    columns = _columns(told)
    nodes = [["\n".join(filter(None, map(node, names))) for names in units] for units in columns]
    edges = {
        (column, i, j): on_edge(name)
        for column, rows in enumerate(told.weights.values())
        for i, row in enumerate(rows)
        for j, name in enumerate(row)
    }
    if len(edges) > MOST_EDGES:
        edges = dict.fromkeys(edges, "")
    return plots.network(nodes, edges, title=f"{told.title}: {what}", note=note)


def _columns(told: Explanation) -> list[list[list[str]]]:
    """The names in each circle: the inputs, then for each Linear its bias and its values."""
    linear = [*told.weights, len(told.stages) - 1]
    columns = [[[name] for name in told.stages[0]]]
    for start, end in itertools.pairwise(linear):
        stages = list(dict.fromkeys(map(tuple, told.stages[start + 1 : end + 1])))
        columns.append(
            [
                [*filter(None, [bias]), *(stage[unit] for stage in stages)]
                for unit, bias in enumerate(told.biases[start])
            ]
        )
    return columns


def _equals(told: Explanation, prefix: str) -> Callable[[str], str]:
    return lambda name: f"{prefix}{name} = {_short(told, prefix + name)}"


def _values(told: Explanation, prefix: str) -> Callable[[str], str]:
    """A quantity and its number, where it occurs; inputs have no gradient."""
    equals = _equals(told, prefix)
    return lambda name: equals(name) if prefix + name in told.by_name else name


def _given(told: Explanation, prefix: str = "") -> Callable[[str], str]:
    """Numbers for biases, and for inputs before the step; other units by name."""
    equals, known = _equals(told, prefix), "b" if prefix else "bI"
    return lambda name: equals(name) if name[0] in known else name


def _short(told: Explanation, name: str) -> str:
    """The reported digits where there are any, else four significant ones."""
    quantity = told.by_name[name]
    if quantity.reported is not None:
        return quantity.text
    return f"{quantity.value + 0.0:.4g}".replace("-", "−")
