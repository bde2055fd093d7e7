"""What every library is given, and what it must do with it."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Self

import numpy as np
from settings import Setting

import fastbp as fb


class Problem(NamedTuple):
    """One setting, its data and its starting weights."""

    setting: Setting
    x: np.ndarray  # (60000, 784) float32, scaled; or of a table
    y: np.ndarray  # (60000,) int64; or (n, 1) float32
    start: fb.Sequential  # never trained: holds the starting weights

    @classmethod
    def of(cls, setting: Setting) -> Self:
        """The problem of a setting."""
        data = setting.samples()
        x, y = data if isinstance(data, tuple) else data.batch(slice(None))
        return cls(setting, x, y, setting.net())

    def predicted(self, net: fb.Sequential, x: np.ndarray) -> np.ndarray:
        """What peers predict: probabilities of classes, or values."""
        return net.scores(x) if self.setting.table else net.predict_proba(x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (784,), or (1, 28, 28) for a network on images."""
        return self.start.input_shape or self.x.shape[1:]

    @property
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """W and b of every layer that has them: (inputs, outputs), (out, in, rows, columns), or
        of a norm (columns,).
        """
        layers: list[Any] = [layer for layer in self.start.layers if layer.parameter_shapes()]
        return [(layer.w, layer.b) for layer in layers]


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a window, its stride or its padding."""
    return size if isinstance(size, tuple) else (size, size)


class Peer(ABC):
    """A library at work on one problem. Each call of losses and of epoch starts anew."""

    name: str

    def __init__(self, problem: Problem, threads: int | None) -> None:
        self.problem, self.threads = problem, threads

    @abstractmethod
    def losses(self, order: np.ndarray) -> np.ndarray:
        """Train on the samples in this order; the loss of every batch."""

    @abstractmethod
    def epoch(self, order: np.ndarray) -> float:
        """The same without keeping the losses: the seconds that it takes."""

    @abstractmethod
    def predict(self, x: np.ndarray) -> np.ndarray:
        """The classes' probabilities or the values, by the starting weights."""

    def limited(self) -> AbstractContextManager:
        """Holds the library to `threads`, where that is a matter of the whole process."""
        return nullcontext()

    def __str__(self) -> str:
        threads = {None: "", 1: ", 1 thread"}.get(self.threads, f", {self.threads} threads")
        return f"{self.name}{threads}"
