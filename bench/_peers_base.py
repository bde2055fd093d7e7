"""What every library is given, and what it must do with it."""

from abc import ABC
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from _tasks import Task, Work
from settings import SEED, Setting

import fastbp as fb

Weights = list[tuple[np.ndarray, np.ndarray]]


class Problem(NamedTuple):
    """One task, its data and its starting weights."""

    task: Task
    x: np.ndarray  # (60000, 784) float32, scaled; or of a table
    y: np.ndarray  # (60000,) int64; or (n, targets) float32
    starts: list[fb.Sequential]  # never trained: they hold the starting weights

    @classmethod
    def of(cls, task: Task) -> Self:
        """The problem of a task. Many networks start from seeds that follow on each other."""
        data = task.setting.samples()
        x, y = data if isinstance(data, tuple) else data.batch(slice(None))
        networks = task.count if task.work is Work.TRAIN_MANY else 1
        return cls(task, x, y, [task.setting.net(SEED + n) for n in range(networks)])

    @property
    def setting(self) -> Setting:
        """The task's."""
        return self.task.setting

    @property
    def start(self) -> fb.Sequential:
        """The network, or the first of many."""
        return self.starts[0]

    def predicted(self, net: fb.Sequential, x: np.ndarray) -> np.ndarray:
        """What peers predict: probabilities of classes, or values."""
        return net.scores(x) if self.setting.table else net.predict_proba(x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (784,), or (1, 28, 28) for a network on images."""
        return self.start.input_shape or self.x.shape[1:]

    @property
    def weights(self) -> Weights:
        """W and b of every layer that has them: (inputs, outputs), (out, in, rows, columns), or
        of a norm (columns,).
        """
        return weights(self.start)

    @property
    def stacked(self) -> Weights:
        """The same of many networks, (networks, …)."""
        layers = zip(*map(weights, self.starts), strict=True)
        return [(np.stack([w for w, _ in each]), np.stack([b for _, b in each])) for each in layers]


def weights(net: fb.Sequential) -> Weights:
    """W and b of every layer of a network that has them."""
    layers: list[Any] = [layer for layer in net.layers if layer.parameter_shapes()]
    return [(layer.w, layer.b) for layer in layers]


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a window, its stride or its padding."""
    return size if isinstance(size, tuple) else (size, size)


class Peer(ABC):
    """A library at work on one problem. Each call of losses and of epoch starts anew."""

    name: ClassVar[str]
    way: ClassVar[str] = ""  # where a library has several; the fastest counts
    works: ClassVar[frozenset[Work]]  # what of the three below there is

    def __init__(self, problem: Problem, threads: int | None) -> None:
        self.problem, self.threads = problem, threads

    @classmethod
    def can(cls, problem: Problem) -> bool:
        """Whether the library has what the problem takes."""
        return problem.task.work in cls.works

    @classmethod
    def counts(cls, cores: int) -> Sequence[int | None]:
        """Numbers of threads with which it is tried."""
        return sorted({1, cores})

    def losses(self, order: np.ndarray) -> np.ndarray:
        """Train on the samples in this order; the loss of every batch (of every network first)."""
        raise NotImplementedError

    def epoch(self, order: np.ndarray) -> float:
        """The same without keeping the losses: the seconds that it takes."""
        raise NotImplementedError

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The classes' probabilities or the values, by the starting weights."""
        raise NotImplementedError

    def limited(self) -> AbstractContextManager:
        """Holds the library to `threads`, where that is a matter of the whole process."""
        return nullcontext()

    def __str__(self) -> str:
        threads = {None: "", 1: ", 1 thread"}.get(self.threads, f", {self.threads} threads")
        return f"{self.name}{f' ({self.way})' if self.way else ''}{threads}"
