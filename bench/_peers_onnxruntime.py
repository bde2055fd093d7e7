"""onnxruntime, which predicts; the model is written here, in ONNX's own operators."""

import numpy as np
import onnx
import onnxruntime
from _peers_base import Peer, Problem
from _tasks import Work
from onnx import TensorProto, helper, numpy_helper

import fastbp as fb

OPSET, IR_VERSION = 17, 9
OPERATORS = {fb.Linear: "Gemm", fb.Tanh: "Tanh", fb.Sigmoid: "Sigmoid", fb.ReLU: "Relu"}


class OnnxRuntime(Peer):
    """One session; its threads compute within an operator."""

    name = "onnxruntime"
    works = frozenset({Work.PREDICT})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        content = model(problem).SerializeToString()
        self.session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])

    @classmethod
    def can(cls, problem: Problem) -> bool:
        return super().can(problem) and all(type(e) in OPERATORS for e in problem.start.layers)

    def predict(self, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.session.run(None, {"x": x})[0]
        return found


def model(problem: Problem) -> onnx.ModelProto:
    """Dense layers as Gemm, and a Softmax behind the scores of classes."""
    nodes, constants, last = [], [], "x"
    for place, layer in enumerate(problem.start.layers):
        inputs = [last]
        if isinstance(layer, fb.Linear):
            for name, array in ((f"w{place}", layer.w), (f"b{place}", layer.b)):
                constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
                inputs.append(name)
        last = f"y{place}"
        nodes.append(helper.make_node(OPERATORS[type(layer)], inputs, [last]))
    if not problem.setting.table:
        nodes.append(helper.make_node("Softmax", [last], ["probabilities"], axis=1))
        last = "probabilities"
    first, *_, classes = problem.setting.sizes
    graph = helper.make_graph(nodes, "network", [_matrix("x", first)], [_matrix(last, classes)])
    graph.initializer.extend(constants)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _matrix(name: str, columns: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", columns])


PEERS = (OnnxRuntime,)
