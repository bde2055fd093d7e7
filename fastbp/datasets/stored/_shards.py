"""Samples that are larger than memory, as ``fit`` takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import as_number
from fastbp._hints import Guessed
from fastbp._memory import in_words
from fastbp._moments import Moments
from fastbp.datasets._dataset import Dataset
from fastbp.datasets._memory import too_small

from ._source import Piece, Source
from ._survey import Survey
from ._tables import mark

if TYPE_CHECKING:
    from fastbp.datasets._fitted import Table

EXACT, WINDOWS = "exact", "windows"  # how an order is drawn
BESIDE = 24  # bytes of a sample beside its numbers and target: its places in orders, its weight
COPIED = 4096  # rows of a piece, some of which are a part's, at a time
DRAWN = 1_000_003  # beside a seed: a part's rows are drawn from another sequence than an order


@dataclass(frozen=True)
class Drawn:
    """A part of the rows, drawn by chance: a share of each block, or all the others."""

    share: float
    seed: int
    inside: bool
    depth: int  # how many draws were before

    def mask(self, block: int, rows: int) -> np.ndarray:
        """Which rows of a block it has."""
        rng = np.random.default_rng([self.seed, DRAWN + self.depth, block])
        found: np.ndarray = (rng.random(rows) < self.share) == self.inside
        return found


@dataclass(frozen=True, eq=False, repr=False)
class Shards(Guessed):
    """Samples that stay where they are, on disk or with Dask, and are read in blocks.

    ``fb.datasets.shards`` opens them. ``fb.fit``, ``fb.evaluate`` and ``net.predict`` take them as
    they take a Dataset.

    Attributes
    ----------
    memory : int
        Bytes that training with them takes, at most, beside what the network does.
    classes : int
        How many there are; 0 of values.
    features, targets : int
        Numbers of a sample, and how many classes or values there are to predict.
    table : Table or None
        How samples are made of a table's rows.
    copied : str
        Where a copy of samples that have to be decoded is, or why there is none.

    Examples
    --------
    >>> np.savez("part.npz", x=x, y=y)
    >>> data = fb.datasets.shards("part.npz")
    >>> len(data), data.features, data.classes
    (60, 4, 3)
    """

    source: Source
    survey: Survey
    memory: int
    scale: float = 1.0
    name: str = "data"
    shuffle: str = WINDOWS
    prefetch: bool = True
    parts: tuple[Drawn, ...] = ()

    def __len__(self) -> int:
        return sum(self.sizes)

    def __repr__(self) -> str:
        what = f"values={self.targets}" if self.values else f"classes={self.classes}"
        return (
            f"Shards({self.name!r}, samples={len(self)}, features={self.features}, "
            f"dtype={self.survey.x.dtype}, scale={self.scale:.6g}, {what}, "
            f"blocks={len(self.sizes)}, memory={in_words(self.memory)})"
        )

    @property
    def classes(self) -> int:
        """How many there are; 0 of values."""
        return self.survey.classes

    @property
    def values(self) -> bool:
        """Whether targets are values."""
        return not self.survey.classes

    @property
    def features(self) -> int:
        """Numbers in one sample."""
        return int(self.survey.x.shape[1])

    @property
    def targets(self) -> int:
        """What a network has outputs for."""
        y = self.survey.y
        return self.classes or (1 if y.ndim == 1 else int(y.shape[1]))

    @property
    def table(self) -> Table | None:
        """How samples are made of a table's rows."""
        return self.source.table

    @property
    def copied(self) -> str:
        """Where a copy of samples that have to be decoded is, or why there is none."""
        return self.source.copied

    @property
    def head(self) -> Dataset:
        """The first samples, whoever's part they are: what all are like."""
        return self.as_dataset(self.survey.x, self.survey.y)

    @property
    def moments(self) -> Moments:
        """Means and deviations of the columns, of all rows, before they are scaled."""
        return self.survey.moments

    @cached_property
    def sizes(self) -> list[int]:
        """Samples of each block."""
        masks = (self.mask(block) for block in range(len(self.source.sizes)))
        each = zip(self.source.sizes, masks, strict=True)
        return [size if mask is None else int(mask.sum()) for size, mask in each]

    def rows_within(self, beside: int, least: int) -> int:
        """How many samples a window holds: all, or whole batches of so many, within the bound.

        Two windows are there at a time, with so many bytes of each sample beside, and what is being
        read; and of an exact order that of all samples.

        Raises
        ------
        ValueError
            If not even a batch fits.
        """
        each = 2 * (self.survey.x[:1].nbytes + self.survey.y[:1].nbytes) + BESIDE + beside
        free = self.memory - self.source.most() - self.source.kept()
        if free >= each * len(self):
            return len(self)
        if self.shuffle == EXACT:
            free -= 2 * 8 * len(self)
        rows = max(free, 0) // each // least * least
        if not rows:
            needed = self.memory - free + each * least
            raise too_small(self.memory, needed, f"two windows of {least:,} samples do not fit")
        return min(rows, len(self))

    def mask(self, block: int) -> np.ndarray | None:
        """Which rows of a block are here; None for all."""
        found: np.ndarray | None = None
        for part in self.parts:
            mask = part.mask(block, self.source.sizes[block])
            found = mask if found is None else found & mask
        return found

    def pieces(self, block: int) -> Iterator[Piece]:
        """The samples of a block, in order; targets as a Dataset has them."""
        mask, done = self.mask(block), 0
        kept = np.float64 if self.values else np.int64
        for x, y in self.source.pieces(block):
            step = len(x) if mask is None else COPIED  # what is masked is copied
            for start in range(0, len(x), max(step, 1)):
                some, targets = x[start : start + step], y[start : start + step]
                here = slice(None) if mask is None else mask[done : done + len(some)]
                done += len(some)
                yield some[here], targets[here].astype(kept, copy=False)

    def split(self, share: float, seed: int = 0) -> tuple[Shards, Shards]:
        """All but a share of the rows, and that share, drawn by chance from each block.

        Which rows those are depends on share, seed and blocks alone.

        Raises
        ------
        ValueError
            If one of both has no samples.
        """
        share = as_number(share, "split share", above=0, below=1)
        drawn = [Drawn(share, seed, inside, len(self.parts)) for inside in (False, True)]
        train, test = (replace(self, parts=(*self.parts, part)) for part in drawn)
        if not (len(train) and len(test)):
            raise ValueError(f"a share of {share:g} of {len(self)} samples leaves none on one side")
        return replace(train, name=f"{self.name} train"), replace(test, name=f"{self.name} test")

    def dataset(self) -> Dataset:
        """All samples, in memory."""
        x = np.empty((len(self), self.features), self.survey.x.dtype)
        y = np.empty((len(self), *self.survey.y.shape[1:]), self.survey.y.dtype)
        done = 0
        for block in range(len(self.sizes)):
            for some, targets in self.pieces(block):
                x[done : done + len(some)], y[done : done + len(some)] = some, targets
                done += len(some)
        return self.as_dataset(x, y)

    def marks(self) -> list[int]:
        """Numbers that other data have not."""
        drawn = [int(part.share * 2**53) + part.seed + part.inside for part in self.parts]
        of_table = 0 if self.table is None else mark(self.table)
        return [self.survey.crc, of_table, *self.sizes, *drawn]

    def as_dataset(self, x: np.ndarray, y: np.ndarray) -> Dataset:
        """Some samples, in memory."""
        parts = (x, y, self.classes or None, self.scale, None, self.name, self.values)
        return Dataset(*parts, table=self.table)
