"""Reading files that may be broken, or made to fill the memory: what every format shares."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ._checked import DataError

CHUNK = 1 << 20
MOST_BYTES = 4 << 30  # of numbers, or of text from a compressed file, that `load` takes
MOST_RATIO = 200  # how many times its size a compressed file may become without being asked for,
ALWAYS_BYTES = 100 << 20  # unless that is no more than this
DEFLATE_RATIO = 1032  # deflate cannot do better: 258 bytes for two bits
VARIABLE = "FASTBP_MOST_BYTES"


class Bound:
    """How large a file's data may become.

    Parameters
    ----------
    most_bytes : int, optional
        Default: FASTBP_MOST_BYTES of the environment; else MOST_BYTES, and for compressed files no
        more than MOST_RATIO times their size or ALWAYS_BYTES, whichever is more.

    Raises
    ------
    ValueError
        If the variable is no whole number.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        text = os.environ.get(VARIABLE)
        if most_bytes is None and text:
            if not text.isdecimal() or len(text) > 19:
                raise ValueError(f"{VARIABLE}: expected a whole number of bytes, got {text!r:.60}")
            most_bytes = int(text)
        self._asked = most_bytes

    def of(self, packed: int | None = None) -> int:
        """Bytes that a file may become, `packed` being its size if it is compressed."""
        if self._asked is not None:
            return self._asked
        if packed is None:
            return MOST_BYTES
        return min(MOST_BYTES, max(ALWAYS_BYTES, MOST_RATIO * packed))

    def check(self, path: str | Path, size: int, packed: int | None = None) -> None:
        """Raise DataError if `size` bytes are too many."""
        most = self.of(packed)
        if size > most:
            compressed = "" if packed is None else f" (from {packed:,} compressed ones)"
            raise bad_file(
                path,
                f"{size:,} bytes of data{compressed} are more than the {most:,} allowed; "
                f"if they are meant, set most_bytes= of fb.datasets.load or {VARIABLE}",
            )


def bad_file(path: str | Path, reason: object) -> DataError:
    """Make the one-line error for the file at `path`."""
    return DataError(f"{path}: {' '.join(str(reason).split())}")


def is_gzip(path: Path) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.suffix.lower() == ".gz"


def packed_size(path: Path) -> int | None:
    """Size of a compressed file, None if it is not compressed."""
    return path.stat().st_size if is_gzip(path) else None


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, through gzip if its name ends in .gz.

    Raises
    ------
    DataError
        If the compressed stream turns out to be broken while it is read.
    """
    if not is_gzip(path):
        with path.open("rb") as stream:
            yield stream
        return

    import gzip
    import zlib

    try:
        with gzip.open(path, "rb") as unzipped:
            yield unzipped  # type: ignore[misc]  # typeshed's GzipFile is no IO[bytes]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise bad_file(path, f"broken gzip file: {error}") from error


def check_size(
    path: str | Path, size: int, available: int | None = None, packed: int | None = None
) -> None:
    """Compare what a header promises with what the file can hold, before anything is read.

    Parameters
    ----------
    path : str or Path
    size : int
        Bytes that the header promises.
    available : int, optional
        Bytes there are, if that is known.
    packed : int, optional
        Bytes of the compressed data, if it is compressed.

    Raises
    ------
    DataError
        If there are fewer or more bytes.
    """
    if available is not None and available < size:
        raise bad_file(path, f"truncated: the header promises {size} bytes, found {available}")
    if available is not None and available > size:
        raise bad_file(path, f"too long: data after the {size} bytes that the header promises")
    if packed is not None and size > packed * DEFLATE_RATIO:
        raise bad_file(
            path,
            f"truncated: the header promises {size} bytes, but {packed} compressed ones "
            f"cannot hold more than {packed * DEFLATE_RATIO}",
        )


def read_exactly(stream: IO[bytes], size: int, path: str | Path) -> bytearray:
    """Read the rest of a stream, which a header says is `size` bytes long.

    Reads by the chunk, and one byte past the end at most, so that memory follows what is there
    and not what a lying header promises.

    Raises
    ------
    DataError
        If there are fewer or more bytes.
    """
    data = bytearray()
    # The byte too many also makes gzip and zip compare their checksums.
    while chunk := stream.read(min(CHUNK, size + 1 - len(data))):
        data += chunk
    check_size(path, size, available=len(data))
    return data
