"""An ONNX graph while it is written: its inputs, nodes, constants and outputs."""

from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

ML = "ai.onnx.ml"  # the domain of what tables need
ROWS = "n"  # what the free dimension is called
Dims = tuple[int | str, ...]

# What ONNX Runtime has for float32 alone: in float64 it is computed between two casts.
SINGLE = {"AveragePool", "Conv", "Elu", "Erf", "Gelu", "LeakyRelu", "Mish", "Selu", "Softplus"}


class Graph:
    """Collects what a graph has; values are known by their names.

    Parameters
    ----------
    dtype : numpy dtype
        Of the arithmetic, float32 or float64.
    opset : int
        Of the operators that may be written.
    """

    def __init__(self, dtype: np.dtype, opset: int) -> None:
        self.dtype, self.opset = dtype, opset
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._names: set[str] = set()

    def input(self, name: str, dtype: Any, shape: Dims) -> str:
        """What goes in, (n, *shape) of a dtype."""
        self._names.add(name)
        self.inputs.append(_info(name, dtype, shape))
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Dims) -> None:
        """What comes out, (n, *shape) of a dtype, by its name, or one like it that is free."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"/{name}"))
        self.outputs.append(_info(name, dtype, shape))

    def constant(self, array: Any, name: str) -> str:
        """An array, by its name, or one like it that is free."""
        name = self._free(name)
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def numbers(self, array: Any, name: str) -> str:
        """The same in the dtype of the arithmetic."""
        return self.constant(np.asarray(array, self.dtype), name)

    def node(self, op: str, *inputs: str, within: str, domain: str = "", **attributes: Any) -> str:
        """What an operator makes of values; ``within`` says which part of the model it is of."""
        if op in SINGLE and self.dtype == np.float64:
            single = [self.cast(value, np.float32, within) for value in inputs]
            return self.cast(self._node(op, single, within, domain, attributes), self.dtype, within)
        return self._node(op, [*inputs], within, domain, attributes)

    def cast(self, value: str, dtype: Any, within: str) -> str:
        """A value in another dtype."""
        return self._node("Cast", [value], within, "", {"to": _element(dtype)})

    def _node(
        self, op: str, inputs: list[str], within: str, domain: str, attributes: dict[str, Any]
    ) -> str:
        name = self._free(f"/{within}/{op}")
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def _free(self, name: str) -> str:
        found, number = name, 1
        while found in self._names:
            found, number = f"{name}_{number}", number + 1
        self._names.add(found)
        return found

    def made(self, name: str) -> GraphProto:
        """The whole graph."""
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants)


def _info(name: str, dtype: Any, shape: Dims) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, _element(dtype), [ROWS, *shape])


def _element(dtype: Any) -> int:
    """ONNX's number of a dtype; str is text."""
    return TensorProto.STRING if dtype is str else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
