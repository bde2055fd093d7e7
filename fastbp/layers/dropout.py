"""Dropout (Srivastava et al. 2014), whose masks are a function of a counter."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_count, as_number
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind, Value

from .base import Layer, as_rows
from .initializers import Initializer

__all__ = ["Dropout"]


class Dropout(Layer):
    """While training, Y = X / (1 - p), but 0 with probability p; else Y = X.

    Which elements become 0 is a function of the seed, the number of the training step, and row and
    column: it depends on nothing else, so that every backend and any number of threads see the
    same. ``backward`` ends a step.

    Parameters
    ----------
    p : float
        0 <= p < 1: the share that is dropped.
    seed : int, optional
        Left out, it comes from the network's seed.

    Attributes
    ----------
    step : int
        Training steps so far.
    """

    settings = ("p", "seed")
    kind = Kind.DROPOUT

    def __init__(self, p: float = 0.5, seed: int | None = None) -> None:
        self.p = as_number(p, "Dropout p", least=0)
        if p >= 1:
            raise ValueError(f"Dropout p: expected a number below 1, got {p}")
        self.seed = None if seed is None else as_count(seed, "Dropout seed", least=0)
        if self.seed is not None and self.seed >= 2**63:
            raise ValueError(f"Dropout seed: expected a number below 2**63, got {seed}")
        self.step = 0

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, this step's mask on X / (1 - p); outside of training Y = X."""
        x = self._input(x)
        self.y = self._masked(x) if self.training else x
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / (1 - p), but 0 where Y was dropped: the same mask."""
        dy = self._gradient(dy)
        dx = self._masked(dy) if self.training else dy
        self.step += self.training
        return dx

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """There are none; the step ends."""
        self.step += self.training

    def columns(self) -> dict[Column, int]:
        """What the masks of the next step come from."""
        return {Column.SEED: self.seed or 0, Column.MASKS: self.step}

    def numbers(self) -> dict[Value, float]:
        """p."""
        return {Value.P: self.p}

    def _masked(self, x: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        kernels().dropout(as_rows(x), self.p, self.seed or 0, self.step, as_rows(y))
        return y

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Choose a seed, without moving what other layers draw."""
        if self.seed is None:
            self.seed = int(rng.spawn(1)[0].integers(2**63))
