"""Reading files that may be broken: what every format shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ._dataset import DataError

CHUNK = 1 << 20


def bad_file(path: str | Path, reason: object) -> DataError:
    """Make the one-line error for the file at `path`."""
    return DataError(f"{path}: {' '.join(str(reason).split())}")


def is_gzip(path: Path) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.suffix.lower() == ".gz"


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


def check_gzip(path: Path) -> None:
    """Read a file to its end, which raises DataError if it is a broken gzip file."""
    with open_binary(path) as stream:
        while stream.read(CHUNK):
            pass


def read_exactly(
    stream: IO[bytes], size: int, path: str | Path, available: int | None = None
) -> bytearray:
    """Read the rest of a stream, which a header says is `size` bytes long.

    Reads by the chunk, and one byte past the end at most, so that memory follows what is there
    and not what a lying header promises. `available` is the length if it is known beforehand.

    Raises
    ------
    DataError
        If there are fewer or more bytes.
    """
    data = bytearray()
    if available is None or available == size:
        # The byte too many also makes gzip and zip compare their checksums.
        while chunk := stream.read(min(CHUNK, size + 1 - len(data))):
            data += chunk
        available = len(data)
    if available < size:
        raise bad_file(path, f"truncated: the header promises {size} bytes, found {available}")
    if available > size:
        raise bad_file(path, f"too long: data after the {size} bytes that the header promises")
    return data
