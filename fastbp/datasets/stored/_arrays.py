"""NPY files, mapped into memory, and arrays: any of their samples are read as cheaply as others."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import IO, ClassVar

import numpy as np

from fastbp.datasets._checked import kept_dtype
from fastbp.datasets._files import bad_file, check_size

from ._source import File, Piece, Source

LARGEST = 4 << 20  # bytes of samples in a block, or a part of little memory
RESIDENT = 16 << 20  # bytes of a mapped file, at most, that stay in memory; or a part of it


class Mapping:
    """An array in a file, of which memory holds what is being read alone."""

    def __init__(
        self, file: IO[bytes], dtype: np.dtype, shape: tuple[int, ...], start: int, count: int = -1
    ) -> None:
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.array = np.frombuffer(self._map, dtype, count, start).reshape(shape)

    def release(self) -> None:
        """Let memory have what was read."""
        with suppress(AttributeError, OSError):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)


class Mapped(Mapping):
    """An array in an NPY file, or in one that lies from some byte to another in a file."""

    def __init__(self, path: Path, place: tuple[int, int] | None = None) -> None:
        self.file = File(path)
        begin, end = place or (0, self.file.state[0])
        with path.open("rb") as stream:
            stream.seek(begin)
            try:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, by_columns, dtype = read(stream)
            except Exception as error:  # whatever Python's parser makes of a damaged header
                raise bad_file(path, f"broken npy file: {error!r}") from error
            if dtype.hasobject or dtype.kind not in "biuf":
                raise bad_file(path, f"expected numbers, got dtype {dtype}")
            if by_columns and len(shape) > 1:
                raise bad_file(path, "its columns lie one after another; save its rows so")
            if 0 in shape or not shape:
                raise bad_file(path, f"is empty, its shape is {shape}")
            start, count = stream.tell(), int(np.prod(shape))
            check_size(path, count * dtype.itemsize, end - start)
            rows = shape if len(shape) < 2 else (shape[0], -1)
            super().__init__(stream, dtype, rows, start, count)

    def __reduce__(self) -> tuple[type[Elsewhere], tuple[File]]:
        """Its path: no memory is shared with other processes."""
        return Elsewhere, (self.file,)

    def check(self) -> None:
        """Refuse a file that was changed: what is gone from it would end the process."""
        self.file.check()


class Elsewhere:
    """An NPY file that another process opened, in which it is mapped where it is read first."""

    def __init__(self, file: File) -> None:
        self.file = file

    @cached_property
    def mapped(self) -> Mapped:
        """The file, if it is as it was."""
        return Mapped(self.file.check())

    @property
    def array(self) -> np.ndarray:
        """What is in it."""
        return self.mapped.array

    def check(self) -> None:
        """As of one that is mapped."""
        self.file.check()

    def release(self) -> None:
        """As of one that is mapped."""
        self.mapped.release()


class Plain:
    """An array as it was given."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array if array.ndim < 2 else array.reshape(len(array), -1)

    def check(self) -> None:
        """It is there."""

    def release(self) -> None:
        """It stays."""


Part = Mapped | Elsewhere | Plain


class Arrays(Source):
    """Pairs of arrays, in blocks of some rows."""

    random: ClassVar[bool] = True

    def __init__(self, name: str, pairs: Sequence[tuple[str, Part, Part]], memory: int) -> None:
        self.block, self.resident = min(LARGEST, memory // 16), min(RESIDENT, memory // 8)
        for where, x, y in pairs:
            if x.array.ndim < 2:
                raise bad_file(where, f"expected samples in rows, got shape {x.array.shape}")
            if len(x.array) != len(y.array):
                raise bad_file(where, f"{len(x.array)} samples, but {len(y.array)} targets")
        self.pairs, self.blocks, names = pairs, [], []
        for number, (where, x, _) in enumerate(pairs):
            step = max(1, self.block // (x.array.shape[1] * x.array.itemsize))
            for start in range(0, len(x.array), step):
                self.blocks.append((number, start, min(start + step, len(x.array))))
                names.append(where)
        super().__init__(name, names)
        self.ends = np.cumsum([len(x.array) for _, x, _ in pairs])

    def pieces(self, block: int) -> Iterator[Piece]:
        """Some rows, where they are if they need not be converted."""
        number, start, stop = self.blocks[block]
        _, x, y = self.pairs[number]
        for part in (x, y):
            part.check()
        some, targets = x.array[start:stop], y.array[start:stop]
        with np.errstate(over="ignore"):  # an infinity is found later
            some = some.astype(kept_dtype(some.dtype), copy=False)
        yield some, targets.astype(targets.dtype.newbyteorder("="), copy=False)
        for part in (x, y):
            part.release()

    def most(self) -> int:
        """Two blocks, and what is mapped of the file."""
        return 2 * self.block + self.resident

    def rows(self, rows: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        """Gathered, some of a file at a time."""
        first = begin = 0
        for (_, *parts), after in zip(self.pairs, self.ends, strict=True):
            end = int(np.searchsorted(rows, after))
            for part, into in zip(parts, (x, y), strict=True):
                _gather(part, rows[begin:end] - first, into[begin:end], self.resident)
            first, begin = int(after), end


def _gather(part: Part, rows: np.ndarray, into: np.ndarray, resident: int) -> None:
    """Rows in order, of which so many bytes of the file are there at a time."""
    if not len(rows):
        return
    part.check()
    array = part.array
    alike = array.dtype == into.dtype and array.flags.c_contiguous
    size = array.itemsize * (1 if array.ndim < 2 else array.shape[1])
    step = max(1, resident // size)  # rows of the file that stay in memory together
    cuts = np.searchsorted(rows, np.arange(rows[0] // step, rows[-1] // step + 2) * step)
    for begin, end in pairwise(cuts):
        if alike:  # no copy beside; "clip" since "raise" makes one, and all are there
            np.take(array, rows[begin:end], 0, into[begin:end], "clip")
        else:
            with np.errstate(over="ignore"):
                into[begin:end] = array[rows[begin:end]]
        part.release()
