"""Tensors as arrays, and what nodes make of those, by onnx's own evaluator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def array_of(tensor: TensorProto) -> np.ndarray:
    """A tensor's numbers.

    Raises
    ------
    ValueError
        If there are more or fewer than its shape says, or of an unknown type.
    """
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, LookupError) as problem:
        raise ValueError(f"tensor {tensor.name!r}: {problem}") from None


def evaluated(
    nodes: Sequence[NodeProto], values: Mapping[str, np.ndarray], opset: int
) -> np.ndarray:
    """The first output of the last node, of values by their names.

    Raises
    ------
    ValueError
        If the nodes make no sense of them.
    """
    end = nodes[-1].output[0]
    begin, ends = (
        [helper.make_empty_tensor_value_info(name) for name in each] for each in (values, [end])
    )
    graph = helper.make_graph(nodes, "part", begin, ends)
    try:
        made: Any = ReferenceEvaluator(graph, opsets={"": opset}).run(None, dict(values))
    except Exception as problem:  # of whatever kind: an evaluator is no check
        raise ValueError(str(problem).splitlines()[0]) from None
    return np.asarray(made[0])
