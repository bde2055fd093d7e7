"""onnxruntime, which predicts with what fastbp.onnx writes."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from _peers_base import Peer, Problem
from _tasks import Work

import fastbp.onnx
from fastbp.meaning import Meaning


class OnnxRuntime(Peer):
    """One session; its threads compute within an operator."""

    name = "onnxruntime"
    works = frozenset({Work.PREDICT})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        net = problem.start.copy()
        net.meaning = Meaning.VALUES if problem.setting.table else Meaning.CLASSES
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "net.onnx")
            fastbp.onnx.save(net, path)
            self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self.output = "scores" if problem.setting.table else "probabilities"

    def predict(self, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.session.run([self.output], {"x": x})[0]
        return found


PEERS = (OnnxRuntime,)
