"""The lines and rows of a CSV file, of which none may be long enough to fill the memory."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from ._files import CHUNK, Bound, bad_file, open_binary, packed_size

MOST_COLUMNS = 100_000
MOST_ROW = 40 * MOST_COLUMNS  # characters; a float64 needs 25 at most with its comma
MOST_JOINED = 1 << 17  # characters in lines that a cell's quotes join; names of columns may
MANY_LINES = 1_000_000  # that take time, even if there is nothing on them


@dataclass(frozen=True)
class Scan:
    """What is known of a file before it is parsed."""

    size: int  # bytes of text
    lines: int  # or more: a row may be split, lines may be blank
    quotes: bool

    def cells(self, columns: int) -> int:
        """Cells that there are at most: each takes a row's share, and a digit and a comma."""
        return min(self.lines * columns, (self.size + 1) // 2)


def scan(path: Path, bound: Bound) -> Scan:
    """Read a file once by the chunk, which costs little beside parsing it.

    Raises
    ------
    DataError
        If it is a broken gzip file, unpacks to more than the bound, has a line longer than
        MOST_ROW, or nothing or little but blank lines.
    """
    packed = packed_size(path)
    size, lines, open_line, quotes, blank = 0, 1, 0, False, True
    with open_binary(path) as stream:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if packed is not None:
                bound.check(path, size, packed)
            first, last = _line_ends(chunk)
            if open_line + (len(chunk) if first < 0 else first) > MOST_ROW:
                raise bad_file(
                    path,
                    f"line {lines}: a row of more than {MOST_ROW:,} characters; expected numbers "
                    f"in at most {MOST_COLUMNS:,} columns; save wider data as .npz",
                )
            open_line = open_line + len(chunk) if first < 0 else len(chunk) - last - 1
            end = b"\n" if b"\n" in chunk else b"\r"
            # three times as fast as bytes.count
            lines += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == end[0]))
            quotes = quotes or b'"' in chunk
            blank = blank and not chunk.strip(b"\r\n")
            if blank and lines > MANY_LINES:
                raise bad_file(path, f"its first {lines - 1:,} lines are blank; remove them")
    if blank:
        raise bad_file(path, "empty file")
    if lines > MANY_LINES and size <= 2 * lines:  # a row takes four bytes or more
        raise bad_file(path, f"most of its {lines:,} lines are blank; remove them")
    return Scan(size, lines, quotes)


def _line_ends(chunk: bytes) -> tuple[int, int]:
    """Where a chunk's first and last lines end, -1 if none does."""
    starts = [at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0]
    return min(starts, default=-1), max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a file, through gzip if its name ends in .gz, as text whose line ends are kept."""
    # A byte that is no UTF-8 becomes a cell that is no number, which is then reported.
    with open_binary(path) as stream:
        yield io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")


def lines_of(path: Path, text: Iterable[str], before: int = 0) -> Iterator[str]:
    """Yield lines, unless a cell's quotes join too many of them.

    `before` counts the lines above them.

    Raises
    ------
    DataError
        If they do.
    """
    quoted, size = False, 0
    for number, line in enumerate(text, start=before + 1):
        quoted ^= line.count('"') % 2 == 1
        size = size + len(line) if quoted else 0
        if size > MOST_JOINED:
            raise bad_file(path, f"line {number}: quotes join more than {MOST_JOINED:,} characters")
        yield line


def rows_of(path: Path, text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the (last) line and the cells of each row that is not blank.

    Raises
    ------
    DataError
        If a row is too long, or has a cell that is.
    """
    import csv

    reader = csv.reader(lines_of(path, text))
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise bad_file(path, f"line {reader.line_num}: {error}") from error
