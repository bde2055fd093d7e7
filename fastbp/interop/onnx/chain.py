"""The layers that a graph is a chain of, one node after another."""

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto, helper

from fastbp.layers import Residual, Shape
from fastbp.meaning import Meaning

from .activations import Activations
from .evaluated import array_of, evaluated
from .graph import ML
from .layers import READS
from .read import Found, Op

OURS = ("", "ai.onnx")  # names of ONNX's own domain
ANSWERS = {  # what may follow scores or probabilities, and tells of them
    *("ArgMax", "ArrayFeatureExtractor", "Cast", "Gather", "Identity", "Reshape", "Softmax"),
    "ZipMap",
}
FOLDED = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")  # of constants
JOINED = ("Concat", "Gather")
MOST_JOINED = 64  # numbers of what is put together of constants: the sizes of a Reshape
MOST_NODES = 10_000
ANY_BATCH = 7919  # stands for the number of samples where it is free; nobody writes it


class Chain:
    """Follows a graph from its input to its output.

    Attributes
    ----------
    found : list of Found
        The layers.
    meaning : Meaning or None
        Classes, if it ends in Softmax, which is left out.
    input_shape : tuple of int, or None
        Of a sample; None of rows of any number of columns.

    Raises
    ------
    ValueError
        If it is no chain of what fastbp has; the message names the node and its operator.
    """

    def __init__(self, graph: GraphProto, opset: int) -> None:
        if len(graph.node) > MOST_NODES:
            raise ValueError(f"it has {len(graph.node):,} nodes; expected at most {MOST_NODES:,}")
        self.constants = {each.name: array_of(each) for each in graph.initializer}
        inputs = [each for each in graph.input if each.name not in self.constants]
        if len(inputs) != 1:
            names = ", ".join(repr(each.name) for each in inputs)
            raise ValueError(f"it has {len(inputs)} inputs ({names}); expected one")
        self.dtype, self.batch, self.input_shape = _sample(inputs[0])
        self.shapes = [self.input_shape]  # of a sample, there and behind each layer
        self.x, self.opset = inputs[0].name, opset
        self.meaning: Meaning | None = None
        self.found: list[Found] = []
        self.past = {self.x: 0}  # how many layers there were where a value came
        self.outputs = [each.name for each in graph.output]
        said = [node for node in graph.node if node.op_type == "Constant"]
        self.constants |= {node.output[0]: evaluated([node], {}, opset) for node in said}
        nodes = [node for node in graph.node if node.op_type != "Constant"]
        self.activations = Activations(nodes, self.outputs, self.dtype, opset)
        self._follow(nodes)

    def _follow(self, nodes: list[NodeProto]) -> None:
        for place, node in enumerate(nodes):
            if self._is_answered(nodes[place:]):
                return
            if node.output[0] in self.activations.inside:
                continue
            inputs = [name for name in node.input if name]
            if inputs and self.constants.keys() >= {*inputs}:
                self.constants[node.output[0]] = self._folded(node)
            elif node.op_type == "Shape" and inputs == [self.x]:
                self.constants[node.output[0]] = np.array([self.batch, *(self.shapes[-1] or (-1,))])
            elif found := self.activations.at(self.x, place, self.constants):
                self._append(Found(found[0]), found[1])
            elif node.op_type == "Add" and self._is_shortcut(inputs):
                self._shortcut(node, inputs)
            else:
                self._step(node, inputs)
        if self.x not in self.outputs:
            raise ValueError(f"its output {self.outputs[0]!r} is not what its input becomes")

    def _is_answered(self, rest: list[NodeProto]) -> bool:
        """Whether scores, or their probabilities, are there, and all that follows is told of them.

        One output alone is at the end of all, unless Softmax was there.
        """
        answered = all(node.op_type in ANSWERS for node in rest)
        several = len(self.outputs) > 1 and self.x in self.outputs
        if answered and several and any(node.op_type == "Softmax" for node in rest):
            self.meaning = Meaning.CLASSES
        return answered and (several or self.meaning is not None)

    def _folded(self, node: NodeProto) -> np.ndarray:
        """What a node makes of constants."""
        values = {name: self.constants[name] for name in node.input if name}
        few = sum(value.size for value in values.values()) <= MOST_JOINED
        if node.op_type in FOLDED or (node.op_type in JOINED and few):
            try:
                return evaluated([node], values, self.opset)
            except ValueError as problem:
                raise _refused(node, problem) from None
        raise _refused(node, "of constants alone; let onnxsim or onnxslim simplify the model first")

    def _step(self, node: NodeProto, inputs: list[str]) -> None:
        """One node more of the chain."""
        others = [name for name in inputs if name != self.x and name not in self.constants]
        if others or self.x not in inputs:
            raise _refused(node, f"a branch, for it takes {' and '.join(map(repr, others))}")
        if self.meaning is not None:
            raise _refused(node, "it follows Softmax, which must come last")
        read = READS.get(node.op_type) if node.domain in (*OURS, ML) else None
        if read is None:
            raise _refused(node, f"no layer of fastbp; known are {', '.join(sorted(READS))}")
        constants = {
            k: self.constants[name] for k, name in enumerate(node.input) if name in self.constants
        }
        last = self.found[-1] if self.found else None
        try:
            found = read(Op(node, constants, self.shapes[-1], last, self.batch))
        except ValueError as problem:
            raise _refused(node, problem) from None
        if found is not None and found.with_last:
            self._cut(len(self.found) - 1)
        self._append(found, node.output[0], node)
        self.meaning = Meaning.CLASSES if node.op_type == "Softmax" else None

    def _append(self, found: Found | None, value: str, node: NodeProto | None = None) -> None:
        if found is not None:
            try:
                self.shapes.append(found.layer.output_shape(self.shapes[-1]))
            except ValueError as problem:
                raise ValueError(problem) if node is None else _refused(node, problem) from None
            self.found.append(found)
        self.x = value
        self.past[value] = len(self.found)

    def _cut(self, start: int) -> None:
        """Leave out the layers from a number on, and what came of them: none begins there."""
        del self.found[start:], self.shapes[start + 1 :]
        self.past = {name: count for name, count in self.past.items() if count <= start}

    def _is_shortcut(self, inputs: list[str]) -> bool:
        """Whether a sum is of what there is now and of what there was."""
        return len(inputs) == 2 and self.x in inputs and {*inputs} <= {*self.past}

    def _shortcut(self, node: NodeProto, inputs: list[str]) -> None:
        """The layers since the earlier of both values are a Residual's."""
        start = min(self.past[name] for name in inputs)
        inside = (*self.found[start:],)
        if not inside:
            raise _refused(node, "it adds what is the same")
        self._cut(start)
        self._append(
            Found(Residual(*(each.layer for each in inside)), inside=inside), node.output[0], node
        )


def _refused(node: NodeProto, reason: object) -> ValueError:
    op = node.op_type if node.domain in OURS else f"{node.domain}.{node.op_type}"
    return ValueError(f"node {node.name or node.output[0]!r} ({op}): {reason}")


def _sample(info: ValueInfoProto) -> tuple[np.dtype, int, Shape | None]:
    """The dtype of samples, how many there are, and the shape of one; None of any columns."""
    kind = info.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type) if kind.elem_type else None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"input {info.name!r}: expected float32 or float64, got {dtype}")
    sizes = [dim.dim_value for dim in kind.shape.dim]
    if len(sizes) not in (2, 4):
        raise ValueError(
            f"input {info.name!r}: expected rows (n, columns) or images (n, channels, height, "
            f"width), got {len(sizes)} axes"
        )
    batch, shape = sizes[0] or ANY_BATCH, tuple(sizes[1:])
    if all(shape):
        return np.dtype(dtype), batch, shape
    if len(shape) == 3:
        raise ValueError(f"input {info.name!r}: expected images of a known size, got {sizes}")
    return np.dtype(dtype), batch, None
