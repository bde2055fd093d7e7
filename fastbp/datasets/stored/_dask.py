"""Dask's arrays and DataFrames, a partition at a time. Dask is imported by whoever has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp.datasets._checked import kept_dtype

from ._source import Frames, Piece, Source

if TYPE_CHECKING:
    import pandas as pd


def is_dask(data: object) -> bool:
    """Whether something is one of Dask's collections."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(data, "dask")


class Partitions(Frames):
    """A Dask DataFrame."""

    def __init__(self, data: Any, name: str) -> None:
        self.data = data
        super().__init__(name, [f"partition {n} of {name}" for n in range(data.npartitions)])
        self.largest = 0

    def frames(self, block: int) -> Iterator[pd.DataFrame]:
        """A whole partition."""
        frame = self.data.partitions[block].compute()
        self.largest = max(self.largest, int(frame.memory_usage(index=False, deep=False).sum()))
        yield frame.set_axis([str(name) for name in frame.columns], axis=1)

    def most(self) -> int:
        """The largest partition, and what is made of it."""
        return 3 * self.largest


class Chunks(Source):
    """Two Dask arrays, of samples and of targets, in chunks of the same rows."""

    def __init__(self, x: Any, y: Any, name: str) -> None:
        if not (is_dask(x) and is_dask(y)) or x.ndim < 2 or y.ndim not in (1, 2):
            shapes = " and ".join(
                str(getattr(part, "shape", type(part).__name__)) for part in (x, y)
            )
            raise ValueError(
                f"{name}: expected two Dask arrays, samples in rows and a target each; got {shapes}"
            )
        x, y = (part.rechunk(dict.fromkeys(range(1, part.ndim), -1)) for part in (x, y))
        if len(x.chunks[0]) != len(y.chunks[0]):
            raise ValueError(
                f"{name}: x comes in {len(x.chunks[0])} chunks of rows, but y in "
                f"{len(y.chunks[0])}; give both the same, y.rechunk(x.chunks[0])"
            )
        super().__init__(name, [f"chunk {n} of {name}" for n in range(len(x.chunks[0]))])
        self.x, self.y, self.largest = x, y, 0

    def pieces(self, block: int) -> Iterator[Piece]:
        """A whole chunk."""
        x, y = (np.asarray(part.blocks[block].compute()) for part in (self.x, self.y))
        if len(x) != len(y):
            raise ValueError(f"{self.names[block]}: {len(x)} samples, but {len(y)} targets")
        self.largest = max(self.largest, x.nbytes + y.nbytes)
        with np.errstate(over="ignore"):  # an infinity is found later
            x = np.ascontiguousarray(x, kept_dtype(x.dtype)).reshape(len(x), -1)
        yield x, y

    def most(self) -> int:
        """The largest chunk, while it is copied."""
        return 3 * self.largest
