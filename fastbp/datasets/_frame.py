"""A table as pandas' DataFrame, from a file of any kind or from what other libraries have."""

from __future__ import annotations

import operator
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._dialect import MISSING, Dialect, dialect_of, text_of
from ._files import Bound, bad_file, packed_size
from ._text import MOST_COLUMNS, Scan, scan
from ._words import as_words, is_numeric, is_truth
from ._written import Written, fill

if TYPE_CHECKING:
    import pandas as pd

TEXTS = (".csv", ".tsv", ".txt", ".tab")
PARQUET = (".parquet", ".pq")
CELL = 8  # bytes that a cell takes at least
LONGER = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)\s*")  # in pandas' words
UNCLOSED = re.compile(r"EOF inside string starting at row (\d+)\s*")


def is_table_file(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is a table, which ``read_frame`` reads."""
    name = os.fspath(path).lower()
    return name.removesuffix(".gz").endswith(TEXTS) or name.endswith(PARQUET)


def as_frame(data: Any, bound: Bound | None = None) -> pd.DataFrame:
    """A DataFrame, whose columns are called by text, and its rows by numbers from 0.

    Parameters
    ----------
    data : path, DataFrame, Series, mapping of columns, or what has ``to_pandas``
    bound : Bound, optional
        How large a file may become.

    Raises
    ------
    DataError
        If a file is no table.
    TypeError, ValueError
        If it is something else, or two columns have one name, or there is none.
    """
    import pandas as pd

    if isinstance(data, str | os.PathLike):
        return read_frame(Path(data), bound or Bound())
    if isinstance(data, pd.Series):
        frame = data.to_frame()
    elif isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, Mapping):
        alone = all(map(pd.api.types.is_scalar, data.values()))
        frame = pd.DataFrame([dict(data)] if alone else data)  # a row, or columns
    elif hasattr(data, "to_pandas"):  # polars, pyarrow
        frame = data.to_pandas()
    elif hasattr(data, "__dataframe__"):
        frame = pd.api.interchange.from_dataframe(data)
    else:
        raise TypeError(
            f"table: expected a file's path or a DataFrame, got {type(data).__name__}; arrays make "
            "a Dataset, fb.datasets.Dataset(x, y)"
        )
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    check_names([*frame.columns])
    frame = frame.reset_index(drop=True)  # whose rows messages count
    return frame.assign(**{name: _as_known(frame[name]) for name in _spans(frame)})


def _spans(frame: pd.DataFrame) -> list[str]:
    """Columns of lengths of time, and of months and the like."""
    import pandas as pd

    kinds = zip(frame.columns, frame.dtypes, strict=True)
    return [name for name, kind in kinds if kind.kind == "m" or isinstance(kind, pd.PeriodDtype)]


def _as_known(column: pd.Series) -> pd.Series:
    """Lengths of time as days, and the starts of months."""
    return (
        column.dt.total_seconds() / 86_400 if column.dtype.kind == "m" else column.dt.to_timestamp()
    )


def read_frame(path: Path, bound: Bound) -> pd.DataFrame:
    """Read a file of text (.csv, .tsv, .txt, with or without .gz) or a .parquet file.

    Raises
    ------
    OSError
        If it cannot be opened.
    DataError
        If it is no table, or becomes too large.
    """
    path.stat()  # raises the OSError that fits
    if not (is_table_file(path) and path.is_file()):  # a pipe is none, and would be waited for
        kinds = "a .csv, .tsv or .txt file, with or without .gz, or a .parquet file"
        advice = "; fb.datasets.load reads .npz files and folders of IDX files"
        raise bad_file(path, f"expected {kinds}{advice}")
    frame = _read_parquet(path, bound) if path.suffix.lower() in PARQUET else _read(path, bound)
    frame = _without_blank_columns(frame)
    try:
        check_names([*frame.columns])
    except ValueError as problem:
        raise bad_file(path, problem) from None
    if not len(frame):
        raise bad_file(path, "no rows of data")
    return frame


def _without_blank_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Spreadsheets write several columns beside a table, without name and cells."""
    unnamed = [place for place, name in enumerate(frame.columns) if name == ""]
    if len(unnamed) < 2:
        return frame
    blank = [place for place in unnamed if frame.iloc[:, place].isna().all()]
    return frame.iloc[:, [place for place in range(frame.shape[1]) if place not in {*blank}]]


def check_names(names: Sequence[str]) -> None:
    """Refuse two columns of one name."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            raise ValueError(
                f"columns {seen[name] + 1} and {place + 1} are both called {name!r}; rename one"
            )
        seen[name] = place
    if not names:
        raise ValueError("a table without columns")


def _read_parquet(path: Path, bound: Bound) -> pd.DataFrame:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise bad_file(path, "Parquet needs pyarrow: pip install pyarrow") from None
    try:
        with parquet.ParquetFile(path) as file:
            about = file.metadata
            groups = range(about.num_row_groups)
            size = sum(about.row_group(group).total_byte_size for group in groups)
            size = max(size, about.num_rows * about.num_columns * CELL)
            bound.check(path, size, path.stat().st_size)
            frame = file.read().to_pandas()
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise bad_file(path, f"broken Parquet file: {problem}") from problem
    except (ValueError, TypeError, KeyError, NotImplementedError, OverflowError) as problem:
        if str(problem).startswith(str(path)):
            raise
        raise bad_file(path, f"broken Parquet file: {problem}") from problem
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _read(path: Path, bound: Bound) -> pd.DataFrame:
    """A file of text; what pandas finds wrong with it is said with its path."""
    import pandas as pd

    found = scan(path, bound)
    dialect = dialect_of(path)
    _check_size(path, found, dialect, bound)
    if dialect.title:
        told = f"{path}: the first lines are no rows of its table, and left out: {dialect.title}"
        warnings.warn(told, UserWarning, stacklevel=5)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # that it leaves cells out
            frame = pd.read_csv(
                path,
                sep=dialect.separator,
                decimal=dialect.decimal,
                encoding=dialect.encoding,
                encoding_errors="replace",
                names=list(range(len(dialect.names))),  # that may be two of one name
                header=0 if dialect.has_header else None,
                skiprows=dialect.above,
                index_col=False,
                skipinitialspace=True,
                na_values=list(MISSING),
                low_memory=False,
                compression="gzip" if packed_size(path) is not None else None,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning, EOFError) as problem:
        raise bad_file(path, _parser_said(problem)) from None
    if dialect.decimal == ",":
        frame = frame.apply(_with_points)
    return frame.set_axis(list(dialect.names), axis=1)


def _with_points(column: pd.Series) -> pd.Series:
    """Cells as 1.234,50 as numbers, and as 1.234,50 € with a point; others stay as they are.

    pandas would take each point for one between thousands, that of a date too.
    """
    import pandas as pd

    if is_numeric(column) or is_truth(column):
        return column
    words = as_words(column).fillna("").to_numpy(object)
    numbers, wrong = np.full(len(words), np.nan), words != ""
    unit = fill(words, numbers, wrong, Written(decimal=","))
    found = pd.Series(numbers, column.index)
    if unit:
        found = found.map(lambda number: f"{number!r} {unit}", na_action="ignore")
    return column.astype(object).where(wrong, found) if wrong.any() else found


def _parser_said(problem: Exception) -> str:
    text = str(problem).removeprefix("Error tokenizing data. C error: ")
    if "Length of header" in text:
        return "rows have more cells than there are columns"
    if longer := LONGER.fullmatch(text):
        expected, line, seen = longer.groups()
        return f"line {line} has {seen} cells, expected {expected} as in the rows above"
    if opened := UNCLOSED.fullmatch(text):
        return f"a quote is opened in row {opened[1]}, and not closed"
    return text


def _check_size(path: Path, found: Scan, dialect: Dialect, bound: Bound) -> None:
    """Refuse what would not fit: short rows are filled with gaps, and so take as much as others."""
    width = len(dialect.names)
    if width > MOST_COLUMNS:
        raise bad_file(path, f"{width:,} columns, expected at most {MOST_COLUMNS:,}")
    bound.check(path, found.lines * width * CELL, packed_size(path))


def column_of(names: Sequence[str], wanted: str | int, what: str) -> str:
    """The name of a column that is named, or numbered from 0.

    Raises
    ------
    ValueError
        If there is no such column; the message has those whose names are near.
    """
    if isinstance(wanted, str):
        if wanted in names:
            return wanted
        if not wanted.removeprefix("-").isdecimal():
            import difflib

            near = difflib.get_close_matches(wanted, names, 3, 0.6)
            lower = [name for name in names if name.lower() == wanted.lower()]
            advice = " or ".join(map(repr, dict.fromkeys([*lower, *near])))
            hint = f"did you mean {advice}?" if advice else f"the columns are {text_of(names)}"
            raise ValueError(f"{what}: there is no column {wanted!r}; {hint}")
    try:
        place = int(wanted) if isinstance(wanted, str) else operator.index(wanted)
    except TypeError:
        raise TypeError(f"{what}: expected a column's name or number, got {wanted!r:.60}") from None
    if not -len(names) <= place < len(names):
        raise ValueError(f"{what}: there is no column {place}; the columns are {text_of(names)}")
    return names[place]


def columns_of(names: Sequence[str], wanted: str | int | Iterable[Any], what: str) -> set[str]:
    """Several of them."""
    several = [wanted] if isinstance(wanted, str | int) else wanted
    return {column_of(names, each, what) for each in several}
