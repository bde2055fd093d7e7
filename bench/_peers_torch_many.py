"""PyTorch trains many networks at once: products of stacks of matrices, or torch.func's vmap."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch
from _peers_base import Peer, Problem
from _peers_torch import LOSSES, WITHOUT_SETTINGS, limited
from _tasks import Work
from torch import Tensor, nn

import fastbp as fb


class TorchStacked(Peer):
    """The parameters of all networks in one tensor a layer; the loss is the sum of theirs."""

    name, way = "PyTorch", "bmm"
    works = frozenset({Work.TRAIN_MANY})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.x, self.y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
        self.loss = LOSSES[problem.setting.loss]
        self.layers = [
            None if isinstance(layer, fb.Linear) else WITHOUT_SETTINGS[type(layer)]()
            for layer in problem.start.layers
        ]

    def losses(self, order: np.ndarray) -> np.ndarray:
        return torch.stack(list(self._steps(order, self._start()))).T.numpy()

    def epoch(self, order: np.ndarray) -> float:
        parameters = self._start()
        start = time.perf_counter()
        for _ in self._steps(order, parameters):
            pass
        return time.perf_counter() - start

    def limited(self) -> AbstractContextManager:
        return limited(self.threads)

    def _start(self) -> list[Tensor]:
        arrays = [array for pair in self.problem.stacked for array in pair]
        return [torch.from_numpy(array).requires_grad_() for array in arrays]

    def _steps(self, order: np.ndarray, parameters: list[Tensor]) -> Iterator[Tensor]:
        """Each step's losses, (networks,)."""
        optimizer = torch.optim.SGD(parameters, self.problem.setting.lr)
        for rows in torch.from_numpy(order).split(self.problem.setting.batch_size):
            optimizer.zero_grad()
            losses = self._backward(parameters, self.x[rows], self.y[rows])
            optimizer.step()
            yield losses.detach()

    def _backward(self, parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        """Fill the gradients; the losses are means over a batch of its own for every network."""
        left, networks = iter(parameters), len(parameters[0])
        y_hat = x.expand(networks, *x.shape)
        for layer in self.layers:
            if layer is None:
                w, b = next(left), next(left)
                y_hat = torch.baddbmm(b[:, None], y_hat, w)
            else:
                y_hat = layer(y_hat)
        each = nn.functional.cross_entropy(
            y_hat.flatten(0, 1), y.repeat(networks), reduction="none"
        )
        losses = each.view(networks, -1).mean(1)
        losses.sum().backward()
        return losses


class TorchVmap(TorchStacked):
    """The gradient of one network's loss, mapped over the networks."""

    way = "vmap"

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.mapped = torch.func.vmap(
            torch.func.grad_and_value(self._objective), in_dims=(0, None, None)
        )

    def _objective(self, parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        left = iter(parameters)
        for layer in self.layers:
            if layer is None:
                w, b = next(left), next(left)
                x = torch.addmm(b, x, w)
            else:
                x = layer(x)
        return self.loss(x, y)

    def _backward(self, parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        gradients, losses = self.mapped([p.detach() for p in parameters], x, y)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        return losses


PEERS = (TorchStacked, TorchVmap)
