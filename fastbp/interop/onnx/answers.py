"""What is made of scores: several networks' as one, probabilities, labels and values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastbp.datasets import Classes, Values
from fastbp.meaning import Meaning, meaning_of

from .graph import Dims, Graph

PART = "answer"  # of the model that its nodes are of


def together(graph: Graph, scores: Sequence[str], net: Any) -> str:
    """The scores of what networks say together; see ``Ensemble.scores``."""
    if len(scores) == 1:
        return scores[0]
    meaning = meaning_of(net)
    if meaning is Meaning.VALUES:
        return _mean(graph, scores)
    if meaning is Meaning.COUNTS:
        return _log_mean(graph, scores)
    if meaning is Meaning.CLASSES:
        return _log_mean(graph, [_node(graph, "LogSoftmax", each, axis=-1) for each in scores])
    no = [_node(graph, "Neg", _log_one_plus_exp(graph, each)) for each in scores]
    yes = [_node(graph, "Add", each, other) for each, other in zip(scores, no, strict=True)]
    return _node(graph, "Sub", _log_mean(graph, yes), _log_mean(graph, no))


def _mean(graph: Graph, values: Sequence[str]) -> str:
    total = _node(graph, "Sum", *values)
    return _node(graph, "Div", total, graph.numbers(len(values), "networks"))


def _log_mean(graph: Graph, values: Sequence[str]) -> str:
    """log of the mean of exp, without overflow."""
    most = _node(graph, "Max", *values)
    shares = [_node(graph, "Exp", _node(graph, "Sub", value, most)) for value in values]
    return _node(graph, "Add", most, _node(graph, "Log", _mean(graph, shares)))


def _log_one_plus_exp(graph: Graph, x: str) -> str:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), of which x - that is log sigmoid(x)."""
    small = _node(graph, "Exp", _node(graph, "Neg", _node(graph, "Abs", x)))
    log = _node(graph, "Log", _node(graph, "Add", small, graph.numbers(1, "one")))
    return _node(graph, "Add", _node(graph, "Relu", x), log)


def write(graph: Graph, net: Any, scores: str, shape: Dims) -> None:
    """The model's outputs, of scores of this shape."""
    label = None if net.table is None else net.table.label
    if isinstance(label, Classes):
        _labels(graph, net, scores, label, shape)
        _meant(graph, meaning_of(net), scores, shape)
    elif isinstance(label, Values):
        _values(graph, net, scores, label, shape)
    graph.output("scores", scores, net.dtype, shape)
    if label is None and net.meaning is not None and len(shape) == 1:
        _meant(graph, net.meaning, scores, shape)


def _meant(graph: Graph, meaning: Meaning, scores: str, shape: Dims) -> None:
    """Probabilities, or counts."""
    if meaning is Meaning.COUNTS:
        graph.output("counts", _node(graph, "Exp", scores), graph.dtype, shape)
    elif meaning is Meaning.CLASSES:
        graph.output("probabilities", _node(graph, "Softmax", scores, axis=-1), graph.dtype, shape)
    elif meaning is Meaning.LABELS:
        graph.output("probabilities", _node(graph, "Sigmoid", scores), graph.dtype, shape)
    elif meaning is Meaning.TWO_CLASSES:
        both = _node(graph, "Concat", _node(graph, "Neg", scores), scores, axis=1)
        graph.output("probabilities", _node(graph, "Sigmoid", both), graph.dtype, (2,))


def _labels(graph: Graph, net: Any, scores: str, label: Classes, shape: Dims) -> None:
    """The names of the classes that are predicted."""
    meaning, names = meaning_of(net), np.array(label.names)
    if meaning.is_values:
        raise ValueError(f"onnx.save: the scores mean {meaning}, but {label.name!r} has classes")
    if meaning is Meaning.CLASSES:
        found = _node(graph, "ArgMax", scores, axis=1, keepdims=0)
    else:
        above = _node(graph, "Greater", scores, graph.numbers(0, "zero"))
        found = graph.cast(above, np.int64, PART)
    if meaning is Meaning.TWO_CLASSES:
        rows = graph.constant(np.array([-1]), "rows")
        found = _node(graph, "Reshape", found, rows)
    is_text = names.dtype.kind == "U"
    table = graph.constant(names.astype(object) if is_text else names, "names")
    dims = shape if meaning is Meaning.LABELS else ()
    kind = str if is_text else names.dtype
    graph.output("label", _node(graph, "Gather", table, found), kind, dims)


def _values(graph: Graph, net: Any, scores: str, label: Values, shape: Dims) -> None:
    """What is predicted, float64 in the label's unit and range."""
    meaning = meaning_of(net)
    if not meaning.is_values:
        raise ValueError(f"onnx.save: the scores mean {meaning}, but {label.name!r} has values")
    found = scores if meaning is Meaning.VALUES else _node(graph, "Exp", scores)
    found = graph.cast(found, np.float64, PART)
    found = _node(graph, "Mul", found, graph.constant(np.float64(label.std), "std"))
    found = _node(graph, "Add", found, graph.constant(np.float64(label.mean), "mean"))
    if label.low is not None:
        range_ = zip((label.low, label.high), ("low", "high"), strict=True)
        ends = [graph.constant(np.float64(end), name) for end, name in range_]
        found = _node(graph, "Clip", found, *ends)
    dims = () if shape == (1,) else shape
    if not dims:
        found = _node(graph, "Reshape", found, graph.constant(np.array([-1]), "rows"))
    graph.output("value", found, np.float64, dims)


def _node(graph: Graph, op: str, *inputs: str, **attributes: Any) -> str:
    return graph.node(op, *inputs, within=PART, **attributes)
