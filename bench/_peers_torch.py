"""PyTorch, eager and compiled: data in memory, batches by indexing, no DataLoader."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from _peers_base import Peer, Problem
from _tasks import Work
from torch import Tensor, nn
from torch.nn import functional

import fastbp as fb

LAYOUT = torch.channels_last  # of images; in memory only, and faster here than channels first
WITHOUT_SETTINGS = {
    fb.Tanh: nn.Tanh,
    fb.Sigmoid: nn.Sigmoid,
    fb.ReLU: nn.ReLU,
    fb.Flatten: nn.Flatten,
    fb.GELU: nn.GELU,
    fb.SiLU: nn.SiLU,
}
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def hinge(scores: Tensor, labels: Tensor) -> Tensor:
    """The sum over the wrong classes: multi_margin_loss divides it by the number of classes."""
    return functional.multi_margin_loss(scores, labels) * scores.shape[1]


def module(layer: fb.Layer) -> nn.Module:
    """The same layer."""
    if isinstance(layer, fb.Linear):
        return nn.Linear(layer.inputs, layer.outputs)
    if isinstance(layer, fb.Conv2d):
        window = layer.kernel, layer.stride, layer.padding
        return nn.Conv2d(layer.in_channels, layer.out_channels, *window)
    if isinstance(layer, fb.MaxPool2d):
        return nn.MaxPool2d(layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, fb.BatchNorm2d):
        return nn.BatchNorm2d(layer.num_features)
    if isinstance(layer, fb.BatchNorm1d):
        return nn.BatchNorm1d(layer.num_features)
    if isinstance(layer, fb.LayerNorm):
        return nn.LayerNorm(layer.normalized_shape)
    return WITHOUT_SETTINGS[type(layer)]()


LOSSES = {
    "hinge": hinge,
    "cross-entropy": functional.cross_entropy,
    "huber": functional.huber_loss,
    "mse": functional.mse_loss,
}


def limited(threads: int | None) -> AbstractContextManager:
    """PyTorch's number of threads is one for all."""
    torch.set_num_threads(threads or 1)
    return nullcontext()


class Torch(Peer):
    """Eager PyTorch with a fixed number of threads."""

    name = "PyTorch"
    works = frozenset({Work.TRAIN, Work.PREDICT})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.x, self.y = self._inputs(problem.x), torch.from_numpy(problem.y)
        self.model = nn.Sequential(*map(module, problem.start.layers))
        self.model.to(memory_format=LAYOUT)
        self.loss = LOSSES[problem.setting.loss]
        self.forward: Callable[[Tensor], Tensor] = self.model
        self.objective: Callable[[Tensor, Tensor], Tensor] = self._objective
        self._start()

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._start()
        return np.array([loss.item() for loss in self._steps(order)])

    def epoch(self, order: np.ndarray) -> float:
        self._start()
        start = time.perf_counter()
        for _ in self._steps(order):
            pass
        return time.perf_counter() - start

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.model.eval()
        with torch.inference_mode():
            scores = self.forward(self._inputs(x))
            return (scores if self.problem.setting.table else torch.softmax(scores, 1)).numpy()

    def limited(self) -> AbstractContextManager:
        return limited(self.threads)

    def _inputs(self, samples: np.ndarray) -> Tensor:
        x = torch.from_numpy(samples).reshape(-1, *self.problem.shape)
        return x.contiguous(memory_format=LAYOUT) if x.ndim == 4 else x

    def _objective(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.model(x), y)

    def _steps(self, order: np.ndarray) -> Iterator[Tensor]:
        for rows in torch.from_numpy(order).split(self.problem.setting.batch_size):
            loss = self.objective(self.x[rows], self.y[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            yield loss

    def _start(self) -> None:
        """The starting weights; PyTorch's W of a dense layer is (outputs, inputs).

        Running averages and the optimiser's memory start anew too.
        """
        weights = ((w.T if w.ndim == 2 else w, b) for w, b in self.problem.weights)
        parameters = [array for pair in weights for array in pair]
        with torch.no_grad():
            for parameter, array in zip(self.model.parameters(), parameters, strict=True):
                parameter.copy_(torch.from_numpy(array))
        for layer in self.model:
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                layer.reset_running_stats()
        self.model.train()
        setting = self.problem.setting
        self.optimizer = OPTIMIZERS[setting.optimizer](self.model.parameters(), setting.lr)


class TorchCompiled(Torch):
    """Through torch.compile: forward pass and loss, anew for every size of batch."""

    name = "torch.compile"

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.forward = torch.compile(self.model, dynamic=False)
        self.objective = torch.compile(self._objective, dynamic=False)

    def epoch(self, order: np.ndarray) -> float:
        if last := len(order) % self.problem.setting.batch_size:
            self.losses(order[:last])  # so that its compilation is not timed
        return super().epoch(order)


PEERS = (Torch, TorchCompiled)
