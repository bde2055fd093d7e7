"""How the columns of a table become numbers, as nodes: an input for each column."""

from typing import Any, NamedTuple

import numpy as np

from fastbp.datasets import Table
from fastbp.datasets._columns import CLIP, FURTHEST, Category, Column, Date, Number, YesNo

from .graph import ML, Graph

PART = "columns"  # of the model that the nodes are of
GAP = ""  # what a missing word is


class Piece(NamedTuple):
    """Some numbers of a sample, float32 (n, wide), and which of the table's they are."""

    value: str
    places: list[tuple[str, int]]  # column, and number within it


def write(graph: Graph, table: Table) -> str:
    """(n, features) in the dtype of the arithmetic, as ``Table.encode`` makes them."""
    for column in table.columns:
        _check(column)
        graph.input(column.name, np.float64 if isinstance(column, Number) else str, (1,))
    numbers = [column for column in table.columns if isinstance(column, Number)]
    pieces = _numbers(graph, numbers) if numbers else []
    for column in table.columns:
        if isinstance(column, Category):
            pieces += _category(graph, column)
        elif isinstance(column, YesNo):
            pieces += _yes_no(graph, column)
    found = _joined(graph, [piece.value for piece in pieces])
    places = [place for piece in pieces for place in piece.places]
    wanted = [(c.name, k) for c in table.columns for k in range(len(c.places()))]
    if places != wanted:
        order = graph.constant(np.array([places.index(each) for each in wanted]), "order")
        found = _node(graph, "Gather", found, order, axis=1)
    return found if graph.dtype == np.float32 else graph.cast(found, graph.dtype, PART)


def _check(column: Column) -> None:
    """Refuse what ONNX has no words for."""
    if isinstance(column, Date):
        raise ValueError(
            f"onnx.save: column {column.name!r} has dates, which ONNX knows nothing of; train "
            f"without it (drop={column.name!r}, --drop {column.name}), or on a table that has "
            "their parts as numbers, as frame.date.dt.month"
        )
    if not isinstance(column, Number | Category | YesNo):
        raise ValueError(
            f"onnx.save: column {column.name!r}: ONNX has no words for a {column.kind}"
        )
    if not column.name:
        raise ValueError("onnx.save: a column without a name, which an input of ONNX must have")


def _numbers(graph: Graph, columns: list[Number]) -> list[Piece]:
    """All of them at once: robust scaling, the smooth clip, and gaps; in float64, as they come."""

    def constant(each: Any, name: str) -> str:
        return graph.constant(np.array(each, np.float64), name)

    x = _joined(graph, [column.name for column in columns])
    missing = _node(graph, "IsNaN", x)
    known = [column.scale > 0 for column in columns]  # the others are 0 everywhere
    scales = constant([column.scale or 1.0 for column in columns], "scales")
    z = _node(graph, "Sub", x, constant([column.center for column in columns], "centers"))
    z = _node(graph, "Div", z, scales)
    z = _node(graph, "Clip", z, constant(-FURTHEST, "least"), constant(FURTHEST, "most"))
    bent = _node(graph, "Div", z, constant(CLIP, "clip"))
    bent = _node(graph, "Add", constant(1, "one"), _node(graph, "Mul", bent, bent))
    y = _node(graph, "Div", z, _node(graph, "Sqrt", bent))
    zero = constant(0, "zero")
    y = _node(graph, "Where", missing, zero, y)
    if not all(known):
        y = _node(graph, "Where", graph.constant(np.array(known), "known"), y, zero)
    pieces = [Piece(graph.cast(y, np.float32, PART), [(column.name, 0) for column in columns])]
    gaps = [place for place, column in enumerate(columns) if column.gaps]
    if gaps:
        flags = graph.cast(missing, np.float32, PART)
        flags = _node(graph, "Gather", flags, graph.constant(np.array(gaps), "gaps"), axis=1)
        pieces.append(Piece(flags, [(columns[place].name, 1) for place in gaps]))
    return pieces


def _category(graph: Graph, column: Category) -> list[Piece]:
    """A number for each word, and one for all others."""
    words = {word: place for place, word in enumerate(column.words)}
    wide = len(words) + 1
    found = _looked_up(graph, column, words | {GAP: words.get(column.frequent, wide - 1)}, wide - 1)
    depth = graph.constant(np.array(wide), "depth")
    values = graph.constant(np.array([0, 1], np.float32), "off and on")
    hot = _node(graph, "Flatten", _node(graph, "OneHot", found, depth, values), axis=1)
    return [Piece(hot, [(column.name, k) for k in range(wide)]), *_gaps(graph, column, wide)]


def _yes_no(graph: Graph, column: YesNo) -> list[Piece]:
    """0, 1 or ½."""
    words = {word: float(value) for value, word in enumerate(column.words)}
    found = _looked_up(graph, column, words | {GAP: float(column.frequent)}, 0.5)
    return [Piece(found, [(column.name, 0)]), *_gaps(graph, column, 1)]


def _gaps(graph: Graph, column: Column, place: int) -> list[Piece]:
    """1 where a word is missing, if that counts."""
    if not column.gaps:
        return []
    return [Piece(_looked_up(graph, column, {GAP: 1.0}, 0.0), [(column.name, place)])]


def _looked_up(graph: Graph, column: Column, values: dict[str, Any], other: float) -> str:
    """What words stand for: int64 or float32, as the other words' is."""
    kind = "int64" if isinstance(other, int) else "float"
    attributes = {f"values_{kind}s": [*values.values()], f"default_{kind}": other}
    return _node(
        graph, "LabelEncoder", column.name, domain=ML, keys_strings=[*values], **attributes
    )


def _joined(graph: Graph, values: list[str]) -> str:
    return values[0] if len(values) == 1 else _node(graph, "Concat", *values, axis=1)


def _node(graph: Graph, op: str, *inputs: str, **attributes: Any) -> str:
    return graph.node(op, *inputs, within=PART, **attributes)
