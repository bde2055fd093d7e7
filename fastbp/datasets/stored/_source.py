"""What data in blocks are read from: files that must stay as they were, or Dask's partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fastbp.datasets._checked import DataError
from fastbp.datasets._files import bad_file

if TYPE_CHECKING:
    import pandas as pd

    from fastbp.datasets._fitted import Table

Piece = tuple[np.ndarray, np.ndarray]  # some samples and their targets, in order


class File:
    """A file that must not change while there is training on it."""

    def __init__(self, path: Path) -> None:
        self.path, self.state = path, _state(path)

    def __getstate__(self) -> dict[str, Any]:
        """In another process the same file, wherever that works."""
        return vars(self) | {"path": self.path.absolute()}

    def check(self) -> Path:
        """The path, if the file is as it was.

        Raises
        ------
        FileNotFoundError, DataError
            If it is gone, or another.
        """
        now = _state(self.path)
        if now != self.state:
            size = f", {self.state[0]:,} bytes then and {now[0]:,} now" * (now[0] != self.state[0])
            raise bad_file(self.path, f"it was changed since it was first read{size}")
        return self.path


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: this part of the data is missing") from None
    return found.st_size, found.st_mtime_ns


class Blocks:
    """What is read block by block: samples, or the table that they are made of.

    Attributes
    ----------
    names : list of str
        Of the blocks, as messages call them.
    """

    def __init__(self, name: str, names: Sequence[str]) -> None:
        self.name, self.names = name, [*names]

    def check(self, block: int) -> None:
        """Refuse to go on where a file that the block is of is gone, or was changed."""

    def most(self) -> int:
        """Bytes that reading a block takes."""
        raise NotImplementedError

    def kept(self) -> int:
        """Bytes beside those that a reader keeps, once it has read."""
        return 0


class Source(Blocks):
    """Samples in blocks, each of which is read as a whole, or piece by piece.

    Attributes
    ----------
    sizes : list of int
        How many samples each holds, once ``survey`` has seen them.
    random : bool
        Whether any samples are read as cheaply as those that follow each other.
    decodes : bool
        Whether the numbers have to be made of what is read: a copy of them on disk is read faster.
    copied : str
        Where that is, or why there is none.
    table : Table or None
        How they are made of a table's rows.
    """

    decodes: bool = False
    copied: str = ""
    random: ClassVar[bool] = False
    table: Table | None = None

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(name, names)
        self.sizes: list[int] = []

    def pieces(self, block: int) -> Iterator[Piece]:
        """The samples of a block, in order, as 2-D arrays of one dtype."""
        raise NotImplementedError

    def rows(self, rows: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        """Fill in the samples of these rows, in order, counted over all blocks; if ``random``."""
        raise NotImplementedError


class Frames(Blocks):
    """A table in blocks: what a ``TableSource`` makes samples of."""

    def frames(self, block: int) -> Iterator[pd.DataFrame]:
        """Rows of a block, in order, as DataFrames of the same columns and dtypes."""
        raise NotImplementedError


def in_block(name: str, problem: Exception) -> DataError:
    """What is wrong with samples, and in which block."""
    return problem if isinstance(problem, DataError) else bad_file(name, problem)
