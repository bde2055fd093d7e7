"""Data on disk as epochs take them: so many samples in memory as its bound lets there be."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fastbp.datasets import Shards, filled
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.threads import ahead

from .feeding import Window, Windows, drawn
from .samples import Samples, samples_of_arrays

JUDGING = 32  # bytes of each score, where it is compared with its target


def rows_within(data: Shards, net: Sequential, least: int) -> int:
    """How many samples a window holds: whole batches of so many, within the bound."""
    outputs = max(data.targets, net.outputs or 1)
    return data.rows_within((net.dtype.itemsize + JUDGING + 16) * outputs, least)


@dataclass
class Stored:
    """Shards that are trained on, or that judge."""

    data: Shards
    net: Sequential
    loss: Loss | None
    name: str
    rows: int  # of a window
    of_classes: np.ndarray | None = None  # the weights of classes

    def __post_init__(self) -> None:
        self.head = self._samples(self.data.head.x, self.data.head.y)

    def __len__(self) -> int:
        return len(self.data)

    def weighing(self, of_classes: np.ndarray) -> Stored:
        """The same, whose classes count so much."""
        return replace(self, of_classes=of_classes)

    def windows(self, epoch: int, seed: int | None, batch_size: int) -> Windows:
        """Read from disk, in turn."""
        rng = None if seed is None else np.random.default_rng([seed, epoch])
        reading = self._read(None if rng is None else partial(drawn, rng))
        ready = ahead(reading) if self.data.prefetch and self.rows < len(self) else reading
        with closing(ready):
            yield from ready

    def _read(self, draw: Callable[[int], np.ndarray] | None) -> Windows:
        for x, y, order in filled(self.data, self.rows, draw):
            yield Window(self._samples(x, y), order)

    def parts(self) -> Generator[Samples, None, None]:
        """The windows of all samples as they lie."""
        with closing(self.windows(0, None, 1)) as windows:
            for window in windows:
                yield window.samples

    def marks(self) -> Iterator[np.ndarray]:
        """What was found when all were looked at."""
        yield np.array(self.data.marks())
        yield np.zeros(0) if self.of_classes is None else self.of_classes

    def _samples(self, x: np.ndarray, y: np.ndarray) -> Samples:
        data = self.data
        made = samples_of_arrays(
            self.net, x, y, self.loss, self.name, data.scale, data.table, finite=True
        )
        if self.of_classes is None:
            return made
        labels = made.classes()
        assert labels is not None  # which their weights are of
        return made._replace(weights=self.of_classes[labels])
