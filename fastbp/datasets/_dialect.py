"""How a file of text sets out its table: its encoding, separator, decimal sign and header."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from itertools import islice
from math import isqrt
from pathlib import Path
from typing import NamedTuple

from ._files import CHUNK, bad_file, open_binary
from ._written import number_of

SAMPLE = 1 << 18  # bytes from which separator, decimal sign and header are told
ROWS = 200  # of them
LEAST_PIXELS = 64
SEPARATORS = "\t;|,"  # that come first are told from a comma, which text and decimals have too
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What stands for a missing value, beside what pandas takes for one ("", NA, NaN, null, None, …).
MISSING = ("?", ".", "-")
SAID = re.compile("sep=([\t;|,])", re.IGNORECASE)  # a spreadsheet's first line
MOST_ABOVE = 20  # lines of title and comments, below which
NEARLY = 0.9  # of the rows have as many cells as the first
NO_NUMBERS = frozenset({"", "na", "nan", "null", "none", "n/a", *MISSING})


class Dialect(NamedTuple):
    """What pandas must know to read a file."""

    encoding: str
    separator: str
    decimal: str
    names: tuple[str, ...]  # of the columns; their numbers from 0 where there is no header
    has_header: bool
    above: int  # lines that come before the table: a title, comments, sep=;
    title: str  # how those begin, but for sep=;


def dialect_of(path: Path) -> Dialect:
    """Look into a file.

    Raises
    ------
    DataError
        If it is no text, or empty, or no table.
    """
    encoding, separator, above, title, rows = _first_rows(path)
    header = _is_header(rows)
    names = rows[0] if header else [str(number) for number in range(len(rows[0]))]
    decimal = "," if _has_decimal_commas(rows[header:], separator) else "."
    return Dialect(encoding, separator, decimal, tuple(names), header, above, title)


def holds_pictures(path: Path) -> bool:
    """Whether a file has a label and the pixels of a square picture of 8 × 8 or more in each row.

    Such rows are no table, whose columns mean something each.
    """
    *_, rows = _first_rows(path)
    pixels, below = len(rows[0]) - 1, rows[1:]
    if pixels < LEAST_PIXELS or isqrt(pixels) ** 2 != pixels or not below:
        return False
    return all(cell.isdecimal() and int(cell[:4]) < 256 for row in below for cell in row)


def _first_rows(path: Path) -> tuple[str, str, int, str, list[list[str]]]:
    """Encoding, separator, lines above the table and the title in them; and its first rows."""
    encoding, start = _encoding(path)
    text = start.decode(encoding, errors="replace")
    lines = text.splitlines(keepends=True)
    if len(start) == SAMPLE and len(lines) > 1:
        lines.pop()  # which is cut
    separator, above = _layout(lines)
    rows = _rows(path, lines[above:], separator)
    if not rows:
        raise bad_file(path, "empty file")
    title = "" if _said(lines) else " ".join(map(str.strip, lines[:above]))[:80]
    return encoding, separator, above, title, rows


def _encoding(path: Path) -> tuple[str, bytes]:
    """The encoding of the whole file, and how it starts: UTF-8 where it is, else Windows' own."""
    with open_binary(path) as stream:
        start = stream.read(SAMPLE)
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if start.startswith(mark):
                return encoding, start
        for place, encoding in enumerate(("utf-16-be", "utf-16-le")):  # without its mark
            high, low = start[place::2], start[1 - place :: 2]
            if 2 * high.count(0) > len(high) and b"\0" not in low:
                return encoding, start
        decoder, chunk = codecs.getincrementaldecoder("utf-8")(), start
        try:
            while chunk:
                if b"\0" in chunk:
                    raise bad_file(path, "no file of text; expected a table as CSV")
                decoder.decode(chunk)
                chunk = stream.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252", start
    return "utf-8", start


def _layout(lines: Sequence[str]) -> tuple[str, int]:
    """What stands between cells, and how many lines are above the table.

    A spreadsheet's own sep=; says the first. A title and comments are lines that what parts the
    rows below leaves whole.
    """
    if said := _said(lines):
        return said[1], 1
    separator, share = _separator(lines)
    if share > NEARLY:
        return separator, 0
    for above in range(1, min(MOST_ABOVE, len(lines) - 1) + 1):
        below, of_these = _separator(lines[above:])
        if of_these > NEARLY and not any(below in line for line in lines[:above]):
            return below, above
    return separator, 0


def _said(lines: Sequence[str]) -> re.Match[str] | None:
    return SAID.fullmatch(lines[0].strip("\ufeff\r\n")) if lines else None


def _separator(lines: Sequence[str]) -> tuple[str, float]:
    """What parts most rows into as many cells as the first, two or more; and their share."""
    import csv

    best, most = ",", 0.0
    for separator in SEPARATORS:
        rows = [row for row in islice(csv.reader(lines, delimiter=separator), ROWS) if row]
        if not rows or len(rows[0]) < 2:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if alike > most:
            best, most = separator, alike
    return best, most


def _rows(path: Path, lines: Sequence[str], separator: str) -> list[list[str]]:
    import csv

    try:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        return [[cell.strip() for cell in row] for row in islice(reader, ROWS) if row]
    except csv.Error as problem:
        raise bad_file(path, problem) from problem


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or a comma."""
    return number_of(cell, ".") is not None or number_of(cell, ",") is not None


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell names from data: no numbers, or a word above numbers, or the columns' numbers."""
    first, others = rows[0], rows[1:]
    if list(first) == [str(number) for number in range(len(first))]:
        return any(not cell.isdecimal() for row in others for cell in row)
    if not any(map(is_number, first)):
        return True
    for place, cell in enumerate(first):
        below = [row[place] for row in others if len(row) == len(first)]
        known = [each for each in below if each.lower() not in NO_NUMBERS]
        named = not is_number(cell) and cell.lower() not in NO_NUMBERS
        if named and known and all(map(is_number, known)):
            return True
    return False


def _has_decimal_commas(rows: Sequence[Sequence[str]], separator: str) -> bool:
    """Whether numbers have commas, as in 3,14, and none has a point, as in 2.5, alone.

    1,234 and 1.234 may have either: a point between thousands, or three decimals.
    """
    if separator == ",":
        return False
    cells = {cell for row in rows for cell in row if "," in cell or "." in cell}
    commas = {cell for cell in cells if number_of(cell, ",")}
    points = {cell for cell in cells if number_of(cell, ".")}
    if commas - points and not points - commas:
        return True
    return any("," in cell for cell in commas) and not any("." in cell for cell in points)


def text_of(names: Sequence[str]) -> str:
    """Columns' names in a message."""
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f", … ({len(names)} in all)" if len(names) > 12 else "")
