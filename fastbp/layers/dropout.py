"""Dropout (Srivastava et al. 2014), whose masks are a function of a counter."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._settings import Count, Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import Column, Kind, Value

from .base import Layer, as_rows
from .initializers import Initializer

__all__ = ["Dropout"]


class Dropout(Layer):
    """While training, Y = X / (1 - p), but 0 with probability p; else Y = X.

    Which elements become 0 is a function of the seed, the number of the training step, and row and
    column: it depends on nothing else, so that every backend and any number of threads see the
    same. A mask belongs to its ``forward``: ``backward`` takes the same, as often as it is called,
    and the next ``forward`` in training another.

    Parameters
    ----------
    p : float
        0 <= p < 1: the share that is dropped.
    seed : int, optional
        Left out, it comes from the network's seed.

    Attributes
    ----------
    step : int
        Training steps so far: the number of the next ``forward``'s mask.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 64), fb.ReLU(), fb.Dropout(0.5), fb.Linear(64, 3))
    >>> history = fb.fit(net, x, y, epochs=2)  # net.predict drops nothing
    """

    settings, worded = ("p", "seed"), ("seed",)
    kind = Kind.DROPOUT

    p = Number(least=0, below=1)
    seed = Count(least=0, below=2**63, none=True)
    step = Count(least=0, below=2**63)

    def __init__(self, p: float = 0.5, seed: int | None = None) -> None:
        self.p, self.seed, self.step = p, seed, 0

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y, this step's mask on X / (1 - p); outside of training Y = X."""
        x = self._input(x)
        mask = (self.p, self.seed or 0, self.step) if self.training else None
        return self._output(None, x if mask is None else _masked(x, *mask), mask)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / (1 - p), but 0 where Y was dropped: the same mask."""
        dy = self._gradient(dy)
        self.backward_parameters(dy)
        _, _, mask = self._kept
        return dy if mask is None else _masked(dy, *mask)

    def backward_parameters(self, dy: npt.ArrayLike) -> None:
        """There are none; the step ends."""
        self._gradient(dy)
        _, _, mask = self._kept
        if mask is not None:
            self.step = mask[2] + 1

    def stepped(self, count: int) -> None:
        """As many masks were used."""
        self.step += count * self.training

    def state(self) -> dict[str, int]:
        """The number of the next mask."""
        return {"step": self.step}

    def columns(self) -> dict[Column, int]:
        """What the masks of the next step come from."""
        return {Column.SEED: self.seed or 0, Column.MASKS: self.step}

    def numbers(self) -> dict[Value, float]:
        """p."""
        return {Value.P: self.p}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Choose a seed, without moving what other layers draw."""
        if self.seed is None:
            self.seed = int(rng.spawn(1)[0].integers(2**63))


def _masked(x: np.ndarray, p: float, seed: int, step: int) -> np.ndarray:
    """X / (1 - p), but 0 where this step's mask drops."""
    y = np.empty_like(x)
    kernels().dropout(as_rows(x), p, seed, step, as_rows(y))
    return y
