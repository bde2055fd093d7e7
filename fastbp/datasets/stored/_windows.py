"""Data on disk, window by window: so many samples in memory, while the next are being read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from ._shards import EXACT, Shards
from ._source import Piece

Draw: TypeAlias = Callable[[int], np.ndarray]  # of so many rows an order by chance


class Filled(NamedTuple):
    """A window: samples and targets, and in which order they are trained on."""

    x: np.ndarray
    y: np.ndarray
    order: np.ndarray


def filled(data: Shards, rows: int, draw: Draw | None) -> Generator[Filled, None, None]:
    """All samples, so many at a time: as they lie, or in orders that are drawn.

    Where all fit into one window, or any samples are read cheaply, that is a permutation of all, as
    it is of data in memory. Otherwise blocks come in an order by chance, and so do the samples of
    each window. Of two windows one is filled while the other may be in use; no more are there.
    """
    rows = min(rows, len(data))
    blocks, count = np.arange(len(data.sizes)), len(data)
    order = draw(count) if draw and (data.shuffle == EXACT or rows == count) else None
    if draw and order is None:
        blocks = draw(len(blocks))
    exact = order is not None and rows < count
    lying = _Lying(data, blocks)
    places = _places(data) if exact and data.parts else None
    # Two of each, so that one can be filled while the other is in use.
    buffers = [_buffers(data, rows) for _ in range(1 + (rows < count))]
    for number, start in enumerate(range(0, count, rows)):
        size = min(rows, count - start)
        x, y = (part[:size] for part in buffers[number % len(buffers)])
        here = np.arange(size)
        if exact:
            assert order is not None
            lying_rows, here = _as_they_lie(order[start : start + size])
            data.source.rows(lying_rows if places is None else places[lying_rows], x, y)
        else:
            lying.fill(x, y)
            if draw:
                here = draw(size) if order is None else order
        yield Filled(x, y, here)


def _buffers(data: Shards, rows: int) -> tuple[np.ndarray, np.ndarray]:
    of_one = data.survey
    return np.empty((rows, data.features), of_one.x.dtype), np.empty(
        (rows, *of_one.y.shape[1:]), of_one.y.dtype
    )


def _as_they_lie(wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in order, and where among them those are that are wanted, one after another."""
    count = np.arange(len(wanted))
    bits = len(wanted).bit_length()
    both = wanted << bits | count  # numbers are sorted many times faster than by what they say
    both.sort()
    found = np.empty_like(count)
    found[both & (1 << bits) - 1] = count
    both >>= bits
    return both, found


def _places(data: Shards) -> np.ndarray:
    """Of a part's samples, the places among all."""
    found, start = [], 0
    for block, size in enumerate(data.source.sizes):
        mask = data.mask(block)
        assert mask is not None  # of a part
        found.append(np.flatnonzero(mask) + start)
        start += size
    return np.concatenate(found)


class _Lying:
    """The samples of some blocks, one after another; what is left of a piece comes next."""

    def __init__(self, data: Shards, blocks: np.ndarray) -> None:
        # No method of its own: that would keep itself, and the file that is open, until gc runs.
        self.pieces: Iterator[Piece] = (p for block in blocks for p in data.pieces(int(block)))
        self.left: Piece | None = None

    def fill(self, x: np.ndarray, y: np.ndarray) -> None:
        """The next samples, as many as there is room for."""
        done = 0
        while done < len(x):
            some, targets = self.left or next(self.pieces)
            size = min(len(some), len(x) - done)
            x[done : done + size], y[done : done + size] = some[:size], targets[:size]
            self.left = None if size == len(some) else (some[size:], targets[size:])
            done += size
