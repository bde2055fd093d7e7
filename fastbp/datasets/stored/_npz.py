"""NPZ shards: a file is a block, which is read as a whole, with no trust in its headers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fastbp.datasets._checked import kept_dtype
from fastbp.datasets._files import Bound, bad_file
from fastbp.datasets._npz import read_npz, uncompressed

from ._arrays import Arrays, Mapped
from ._source import File, Piece, Source


class Archives(Source):
    """NPZ files, each with x and y: what is not compressed is mapped, once it was read."""

    def __init__(self, name: str, paths: Sequence[Path], memory: int) -> None:
        super().__init__(name, [str(path) for path in paths])
        self.files = [File(path) for path in paths]
        # What a broken or enormous file may take is bounded too; what fits is seen in ``most``.
        self.bound, self.memory = Bound(memory), memory
        self.places: dict[int, list[tuple[int, int]]] = {}  # of x and y, in files that are mapped
        found = [_members(path) for path in paths]
        self.largest = max(size for size, _ in found)
        self.decodes = any(packed for _, packed in found)

    def pieces(self, block: int) -> Iterator[Piece]:
        """The whole file, or some rows of it after others."""
        path = self.files[block].check()
        if places := self.places.get(block):
            of_x, of_y = (Mapped(path, place) for place in places)
            mapped = Arrays(self.name, [(str(path), of_x, of_y)], self.memory)
            for each in range(len(mapped.blocks)):
                yield from mapped.pieces(each)
            return
        found = read_npz(path, self.bound)
        if len(found) > 1:
            raise bad_file(path, "expected x and y, got a training and a test set in one file")
        x, y = found[0]
        if x.ndim < 2 or y.ndim not in (1, 2) or len(x) != len(y):
            raise bad_file(path, f"x of shape {x.shape} does not go with y of shape {y.shape}")
        if x.flags.c_contiguous and y.flags.c_contiguous:
            self.places[block] = uncompressed(path)
        with np.errstate(over="ignore"):  # an infinity is found later
            x = np.ascontiguousarray(x, kept_dtype(x.dtype)).reshape(len(x), -1)
        yield x, y

    def check(self, block: int) -> None:
        """Its file."""
        self.files[block].check()

    def most(self) -> int:
        """The largest file, while it is copied."""
        return 3 * self.largest

    def kept(self) -> int:
        """As much again where files are compressed: what one grew in is given back late."""
        return 3 * self.largest if self.decodes else 0


def _members(path: Path) -> tuple[int, bool]:
    """Bytes that an archive says its arrays take, and whether they are compressed."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = any(each.compress_type != zipfile.ZIP_STORED for each in members)
            return sum(each.file_size for each in members), packed
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        raise bad_file(path, f"broken npz file: {problem}") from problem
