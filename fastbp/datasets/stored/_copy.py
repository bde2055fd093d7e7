"""A copy on disk of samples that have to be decoded, made while they are looked at first.

Its files have no names, or lose them when they are closed: however the process ends, they go.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastbp._memory import in_words

from ._arrays import LARGEST, Mapping
from ._place import temporary
from ._source import Piece, Source

PART_OF_FREE = 2  # a copy takes one part of so many of what is free in a temporary folder, at most


class Copied(Source):
    """What another source has, block by block, from files of plain numbers."""

    def __init__(self, source: Source, x: Mapping, y: Mapping, memory: int, told: str) -> None:
        super().__init__(source.name, source.names)
        self.copied = told
        self.source, self.x, self.y = source, x, y
        self.sizes, self.table = source.sizes, source.table
        self.starts = [0, *np.cumsum(source.sizes).tolist()]
        self.at_once = max(1, min(LARGEST, memory // 16) // x.array[0].nbytes)

    def check(self, block: int) -> None:
        """What it is a copy of is to be there still, and the same."""
        self.source.check(block)

    def pieces(self, block: int) -> Iterator[Piece]:
        """Some rows after others; the same numbers."""
        self.check(block)
        first, stop = self.starts[block : block + 2]
        for start in range(first, stop, self.at_once):
            rows = slice(start, min(start + self.at_once, stop))
            yield self.x.array[rows], self.y.array[rows]
            self.x.release()
            self.y.release()

    def most(self) -> int:
        """That of its source: windows are as large as without a copy, so that no bit differs."""
        return self.source.most()

    def kept(self) -> int:
        """That of its source."""
        return self.source.kept()

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the copy, which other processes do not have."""
        return _itself, (self.source,)


def _itself(source: Source) -> Source:
    return source


class Copying:
    """The making of a copy, to which samples are added in order.

    Parameters
    ----------
    source : Source
        Whose samples they are.
    where : Path or bool
        As ``as_place`` returns it. In a folder that was asked for a copy that cannot be made is an
        error; in a temporary one it is a warning, and the source stays what is read.
    memory : int
        Bytes that reading may take; of each piece a part of them.

    Attributes
    ----------
    failed : bool
        Whether one was to be made, and was not.
    """

    def __init__(self, source: Source, where: Path | bool, memory: int) -> None:
        self.original, self.memory, self.asked = source, memory, not isinstance(where, bool)
        self.folder = where if isinstance(where, Path) else None
        self.failed, self.size, self.room = False, 0, np.inf
        self.columns: list[_Column] = []
        if source.decodes and where is False:
            source.copied = "no copy, as copy=False says"
        elif source.decodes:
            with self._failing():
                self._open()

    def __enter__(self) -> Copying:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files, whatever happened: what was mapped stays as long as it is in use."""
        self._close()

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Samples more, with their targets, each as the first ones were."""
        if not self.columns:
            return
        self.size += x.nbytes + y.nbytes
        with self._failing():
            if self.size > self.room:
                raise OSError(f"it takes more than {in_words(self.room)}, half of what was free")
            for column, rows in zip(self.columns, (x, y), strict=True):
                column.add(rows)

    def source(self) -> Source:
        """The copy, now that all are added; or what it was to be a copy of."""
        with self._failing():
            if self.columns:
                x, y = (column.mapped() for column in self.columns)
                told = f"{in_words(self.size)} in {self.folder}"
                return Copied(self.original, x, y, self.memory, told)
        return self.original

    def _open(self) -> None:
        if self.folder is None:
            self.folder = temporary()
            self.room = shutil.disk_usage(self.folder).free // PART_OF_FREE
        for _ in "xy":
            self.columns.append(_Column(self.folder))

    def _close(self) -> None:
        for column in self.columns:
            column.close()
        self.columns = []

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What a full disk, or a folder that cannot be written to, means."""
        try:
            yield
        except OSError as problem:
            self._close()
            why = f"{self.folder or 'a temporary folder'}: {problem.strerror or problem}"
            if self.asked:
                told = "give a folder with room, or copy=False, which decodes in every epoch"
                raise type(problem)(f"copy: {why}; {told}") from problem
            self.original.copied, self.failed = f"no copy in {why}", True


class _Column:
    """Samples, or targets, that are written row after row."""

    def __init__(self, folder: Path) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile(prefix="fastbp-", dir=folder)  # noqa: SIM115
        self.like = np.zeros(0)

    def add(self, rows: np.ndarray) -> None:
        self.like = rows[:0].copy()
        self.file.write(np.ascontiguousarray(rows).data)

    def mapped(self) -> Mapping:
        self.file.flush()
        os.fsync(self.file.fileno())  # over a network a full disk is told no earlier
        return Mapping(self.file, self.like.dtype, (-1, *self.like.shape[1:]), 0)

    def close(self) -> None:
        with suppress(OSError):  # of a full disk, where more was to be written
            self.file.close()
