"""Training data as epochs take them: window by window, each of which is in memory as a whole."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from fastbp.backends import active

from .samples import Samples


class Window(NamedTuple):
    """Samples in memory, and in which order they are trained on."""

    samples: Samples
    order: np.ndarray  # (k,) rows of the samples, each once


Windows: TypeAlias = Generator[Window, None, None]


class Feed(Protocol):
    """Data that are trained on, or that judge."""

    @property
    def head(self) -> Samples:
        """All of them, or the first: what their scores mean, and how they are read."""

    def __len__(self) -> int: ...

    def windows(self, epoch: int, seed: int | None, batch_size: int) -> Windows:
        """An epoch's windows, in its order: from (seed, epoch), or without a seed as they lie.

        All but the last hold whole batches. Each is there until the next is asked for.
        """

    def parts(self) -> Generator[Samples, None, None]:
        """All samples as they lie; each part is there until the next is asked for."""

    def marks(self) -> Iterator[np.ndarray]:
        """What tells these data from others, as numbers."""


def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    """``rng.permutation(count)``, by a backend that is faster at it."""
    if not active().can("orders"):
        return rng.permutation(count)
    order = np.empty(count, np.int64)
    active().kernels.permutation(rng.bit_generator, order)
    return order


class InMemory:
    """Data that are one window."""

    def __init__(self, samples: Samples) -> None:
        self.head = samples

    def __len__(self) -> int:
        return len(self.head.x)

    def windows(self, epoch: int, seed: int | None, batch_size: int) -> Windows:
        """The only one."""
        if seed is None:
            yield Window(self.head, np.arange(len(self)))
        else:
            yield Window(self.head, drawn(np.random.default_rng([seed, epoch]), len(self)))

    def parts(self) -> Generator[Samples, None, None]:
        """The only one."""
        yield self.head

    def marks(self) -> Iterator[np.ndarray]:
        """Samples, targets and weights themselves."""
        weights = self.head.weights
        yield from (self.head.x, self.head.target, np.zeros(0) if weights is None else weights)
