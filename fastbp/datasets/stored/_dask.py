"""Dask's arrays and DataFrames, a partition at a time. Dask is imported by whoever has one."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp.datasets._checked import kept_dtype
from fastbp.datasets._given import is_dask

from ._source import Frames, Piece, Source

if TYPE_CHECKING:
    import pandas as pd


class Held:
    """What Dask's blocks are computed from: by whomever the user chose, or by each copy itself.

    A copy is what another process got: a worker of ``fit_many``, whose thread trains on the blocks.
    It computes them in its own thread, since on a cluster all threads may wait for blocks as it
    does.
    """

    is_copy = False
    parts: tuple[Any, ...]  # the collections

    def __getstate__(self) -> dict[str, Any]:
        if any(map(_is_persisted, self.parts)):
            raise TypeError(
                "Dask's workers hold it; give a collection from before persist(), whose "
                "blocks each computes, or a memory= in which it has room as a whole"
            )
        return vars(self) | {"is_copy": True}

    def computed(self, block: int) -> tuple[Any, ...]:
        """That block of all parts; what several need is computed once."""
        import dask

        how = {"scheduler": "synchronous"} if self.is_copy else {}
        blocks = (_block(part, block) for part in self.parts)
        found: tuple[Any, ...] = dask.compute(*blocks, **how)
        return found


def _block(part: Any, block: int) -> Any:
    return (part.blocks if hasattr(part, "chunks") else part.partitions)[block]


def _is_persisted(part: Any) -> bool:
    distributed = sys.modules.get("distributed")  # who has a Future has imported it
    return distributed is not None and bool(distributed.futures_of(part))


class Partitions(Held, Frames):
    """A Dask DataFrame."""

    def __init__(self, data: Any, name: str) -> None:
        self.parts = (data,)
        super().__init__(name, [f"partition {n} of {name}" for n in range(data.npartitions)])
        self.largest = 0

    def frames(self, block: int) -> Iterator[pd.DataFrame]:
        """A whole partition."""
        (frame,) = self.computed(block)
        self.largest = max(self.largest, int(frame.memory_usage(index=False, deep=False).sum()))
        yield frame.set_axis([str(name) for name in frame.columns], axis=1)

    def most(self) -> int:
        """The largest partition, and what is made of it."""
        return 3 * self.largest


class Chunks(Held, Source):
    """Two Dask arrays, of samples and of targets, in chunks of the same rows.

    Or a DataFrame and a Series, whose chunks, the partitions, do not say how long they are.
    """

    def __init__(self, x: Any, y: Any, name: str) -> None:
        x, y = _checked(x, f"{name}: x"), _checked(y, f"{name}: y")
        if x.ndim < 2 or y.ndim not in (1, 2):
            told = f"expected samples in rows and a target each; got {x.ndim}-D x and {y.ndim}-D y"
            raise ValueError(f"{name}: {told}")
        rows = [part.chunks[0] for part in (x, y)]
        known = not np.isnan(np.concatenate(rows)).any()
        if len(rows[0]) != len(rows[1]) or (known and rows[0] != rows[1]):
            raise ValueError(
                f"{name}: x comes in {_told(rows[0])}, but y in {_told(rows[1])}; give both the "
                "same: y.rechunk({0: x.chunks[0]}), or before of unknown ones compute_chunk_sizes()"
            )
        super().__init__(name, [f"chunk {n} of {name}" for n in range(len(rows[0]))])
        self.parts, self.largest, self.decodes = (x, y), 0, True
        if known:  # so that what is too large is not even read
            of_row = sum(part.dtype.itemsize * math.prod(part.shape[1:]) for part in (x, y))
            self.largest = max(rows[0], default=0) * of_row

    def pieces(self, block: int) -> Iterator[Piece]:
        """A whole chunk."""
        x, y = self.computed(block)
        x, y = np.asarray(x), np.asarray(y)
        if len(x) != len(y):
            raise ValueError(f"{self.names[block]}: {len(x)} samples, but {len(y)} targets")
        self.largest = max(self.largest, x.nbytes + y.nbytes)
        with np.errstate(over="ignore"):  # an infinity is found later
            x = np.ascontiguousarray(x, kept_dtype(x.dtype))
        yield x.reshape(len(x), math.prod(x.shape[1:])), y

    def most(self) -> int:
        """The largest chunk, while it is copied."""
        return 3 * self.largest


def _checked(data: Any, name: str) -> Any:
    """A Dask array of rows of numbers, of samples or of targets."""
    if not is_dask(data):
        told = f"expected Dask's, as the other is, got {type(data).__name__}"
        raise TypeError(f"{name}: {told}; dask.array.from_array makes one")
    return as_rows_of_numbers(data, name)


def as_rows_of_numbers(data: Any, name: str) -> Any:
    """Dask's array, DataFrame or Series as an array whose blocks are whole rows."""
    array = data.to_dask_array() if hasattr(data, "to_dask_array") else data
    if not hasattr(array, "chunks"):
        raise TypeError(f"{name}: expected an array or a DataFrame, got {type(data).__name__}")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name}: expected numbers, got dtype {array.dtype}; words and dates are taken from a "
            "DataFrame that has the label too, fb.datasets.shards(frame, label)"
        )
    if np.isnan(np.asarray(array.shape[1:], float)).any():
        raise ValueError(f"{name}: how many columns it has is unknown; call compute_chunk_sizes()")
    return array.rechunk(dict.fromkeys(range(1, array.ndim), -1))


def _told(rows: tuple[float, ...]) -> str:
    """Chunks in words: how many, and of how many rows where that is known."""
    some = ", ".join("unknown" if math.isnan(size) else str(size) for size in rows[:4])
    return f"{len(rows)} chunks of rows ({some}{', …' * (len(rows) > 4)})"
