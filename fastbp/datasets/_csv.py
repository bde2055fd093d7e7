"""CSV: one sample a row, one column of labels. NumPy's parser reads, Python's finds mistakes."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from fastbp._arrays import all_finite

from ._checked import DataError
from ._files import Bound, bad_file, packed_size
from ._text import MOST_COLUMNS, Scan, lines_of, open_text, rows_of, scan

LABEL_NAMES = ("label", "labels", "class", "target", "y", "outcome")
MANY_ROWS = 200  # in which a fraction is looked for
FLOAT32_MAX = float(np.finfo(np.float32).max)


def read_csv(path: Path, label: str | int | None, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """Read a .csv or .csv.gz file of numbers, with or without a header row.

    Parameters
    ----------
    path : Path
    label : str or int, optional
        Name or position (from 0) of the column of labels. None: the column called label, labels,
        class, target, y or outcome in the header, or, without a header, the first.
    bound : Bound
        How large a compressed file's text, and what is parsed, may become.

    Returns
    -------
    x : (n, columns - 1) array
        uint8 if every value of the file, label or not, is written as an integer from 0 to 255,
        else float32.
    y : (n,) array

    Raises
    ------
    DataError
        If there are no rows, a row is longer or shorter than the first, a cell is not a finite
        number, there is no such label column or there are two, or the data becomes too large.
    """
    found = scan(path, bound)  # if the gzip file is broken, a bad cell were but a symptom
    first_row, line = _first_row(path)
    width = len(first_row)
    has_header = _is_header(path, line, first_row, label)
    column = _label_column(path, first_row if has_header else None, width, label)
    skip = line if has_header else 0
    table = _parse(path, skip, width, found, bound)
    x, y = _split_columns(table, column)
    if not (all_finite(x) and all_finite(y)):
        raise _find_mistake(path, skip, width, "expected finite numbers")
    return x, y


def _first_row(path: Path) -> tuple[list[str], int]:
    """Return the first row and the number of its line."""
    with open_text(path) as text:
        for line, row in rows_of(path, text):
            if len(row) < 2:
                raise bad_file(
                    path, f"line {line}: expected a label and features, separated by commas"
                )
            if len(row) > MOST_COLUMNS:
                raise bad_file(
                    path,
                    f"line {line}: {len(row):,} columns, expected at most {MOST_COLUMNS:,}; "
                    "save wider data as .npz",
                )
            return [cell.strip() for cell in row], line
    raise bad_file(path, "empty file")


def _is_number(cell: str) -> bool:
    """Tell whether a cell is a number that float32 can hold."""
    try:
        return abs(float(cell)) <= FLOAT32_MAX and "_" not in cell
    except ValueError:
        return False


def _is_header(path: Path, line: int, row: list[str], label: str | int | None) -> bool:
    """Tell names from numbers.

    A row with both is a header if a column of labels is among the names, as in "label,0,1,2";
    else it is taken for data with a bad cell, so that no sample is lost by mistake.
    """
    numbers = [_is_number(cell) for cell in row]
    if all(numbers):
        return row == [str(place) for place in range(len(row))] and not _all_whole(path, line)
    named = label in row or any(cell.lower() in LABEL_NAMES for cell in row)
    if any(numbers) and not named:
        column = numbers.index(False)
        raise bad_file(
            path, f"line {line}, column {column + 1}: {row[column]!r:.60} is not a finite number"
        )
    return True


def _all_whole(path: Path, skip: int) -> bool:
    """Whether all cells are written as whole numbers, for some rows: as 0, 1, 2 above them are."""
    with open_text(path) as text:
        rows = islice(rows_of(path, text), MANY_ROWS)
        return all(cell.strip().isdecimal() for line, row in rows if line > skip for cell in row)


def _label_column(path: Path, header: list[str] | None, width: int, label: str | int | None) -> int:
    """Return the position of the labels."""
    if label is None:
        names = [name.lower() for name in header or []]
        name = next((name for name in LABEL_NAMES if name in names), None)
        if header and name is None and not all(map(str.isdecimal, header)):
            told = f"the columns are {_listed(header)}"
            raise bad_file(path, f"which column is the label? Pass label= (--label); {told}")
        return 0 if name is None else _only(path, names, name)
    if isinstance(label, str) and label in (header or ()):
        return _only(path, header or [], label)
    if isinstance(label, str) and not label.removeprefix("-").isdecimal():
        if header is None:
            raise bad_file(path, f"no header row, so no column {label!r}; pass its number, from 0")
        raise bad_file(path, f"no column {label!r}; the columns are {_listed(header)}")
    try:
        column = int(label) if isinstance(label, str) else operator.index(label)
    except TypeError:
        raise TypeError(f"label: expected a column's name or number, got {label!r}") from None
    if not -width <= column < width:
        raise bad_file(path, f"no column {column}; the columns are 0 to {width - 1}")
    return column % width


def _listed(header: list[str]) -> str:
    return ", ".join(header[:8]) + (", …" if len(header) > 8 else "")


def _only(path: Path, names: list[str], name: str) -> int:
    """Return the position of a name, which only one column may have."""
    found = [position for position, other in enumerate(names) if other == name]
    if len(found) > 1:
        shown = " and ".join(map(str, found[:2]))
        raise bad_file(
            path, f"columns {shown} are both called {name!r}; pass label={found[0]}, its number"
        )
    return found[0]


def _parse(path: Path, skip: int, width: int, found: Scan, bound: Bound) -> np.ndarray:
    """Return the numbers as uint8 if they are written that way, else as float64."""
    reason: object = "rows of unequal length"
    for dtype in (np.uint8, np.float64):
        bound.check(path, found.cells(width) * np.dtype(dtype).itemsize, packed_size(path))
        try:
            table = _loadtxt(path, skip, dtype, found.quotes)
        except DataError:
            raise
        except (ValueError, Warning) as error:
            reason = error
        else:
            if table.shape[1] == width:
                return table
            break
    raise _find_mistake(path, skip, width, reason)


def _loadtxt(path: Path, skip: int, dtype: DTypeLike, quotes: bool) -> np.ndarray:
    with open_text(path) as text, warnings.catch_warnings():
        # NumPy warns of a file without rows and, up to 2.3, of floats read as integers.
        warnings.simplefilter("error")
        lines: Iterable[str] = islice(text, skip, None)
        if quotes:  # which can join lines; looking for that would cost other files time
            lines = lines_of(path, lines, skip)
        return np.loadtxt(lines, dtype, comments=None, delimiter=",", quotechar='"', ndmin=2)


def _split_columns(table: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = table.shape
    x = np.empty((rows, columns - 1), dtype=np.uint8 if table.dtype == np.uint8 else np.float32)
    with np.errstate(over="ignore"):  # an overflow shows up as an infinity
        x[:, :label] = table[:, :label]
        x[:, label:] = table[:, label + 1 :]
    return x, table[:, label].copy()


def _find_mistake(path: Path, skip: int, width: int, reason: object) -> DataError:
    """Name the first bad line, or else give NumPy's reason. Slow: for when NumPy has failed."""
    empty = True
    with open_text(path) as text:
        for line, row in rows_of(path, text):
            if line <= skip:
                continue
            empty = False
            if len(row) != width:
                return bad_file(
                    path, f"line {line}: {len(row)} columns, expected {width} as in the first line"
                )
            for column, cell in enumerate(row, start=1):
                if not _is_number(cell):
                    return bad_file(
                        path, f"line {line}, column {column}: {cell!r:.60} is not a finite number"
                    )
    return bad_file(path, "no rows of data" if empty else reason)
