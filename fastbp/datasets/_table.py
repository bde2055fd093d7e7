"""A table with a column to predict, as samples; and how any other such table becomes samples."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._checks import check_kind
from fastbp.pages import notebook

from ._checked import DataError, check_most_bytes
from ._columns import NEITHER, Category, Column, Number, YesNo, column_from
from ._csv import LABEL_NAMES
from ._dataset import Dataset
from ._dialect import text_of
from ._doubts import warn_of_doubts
from ._files import Bound, bad_file
from ._frame import as_frame, column_of, columns_of
from ._kinds import Guess, fit, guess
from ._label import Classes, Label, fit_label, label_from

if TYPE_CHECKING:
    import pandas as pd

# Of what a model's file says of its table: those that are read. The last is written; from 2 on a
# label of values has its range in it, from 3 on numbers have their unit.
VERSIONS = 1, 2, 3
Columns = str | int | Iterable[str | int]


@dataclass(frozen=True, repr=False)
class Table:
    """What was fitted to a table: how each column becomes numbers, and what its label says.

    A model that was trained on its samples keeps it, ``net.table``, and saves it in its file.

    Attributes
    ----------
    columns : tuple of Column
        Those that are learned from, in the order of their numbers.
    label : Classes or Values
        ``label.name`` is its column, ``label.names`` the classes.
    left_out : dict
        The other columns, and why.

    Examples
    --------
    >>> data = fb.datasets.table("people.csv", label="income")
    >>> print(data.table)  # what was guessed
    >>> new = data.table.dataset(frame)  # in the same way
    """

    columns: tuple[Column, ...]
    label: Label
    left_out: dict[str, str]

    def __post_init__(self) -> None:
        parts = isinstance(self.columns, tuple) and isinstance(self.left_out, dict)
        if not (parts and isinstance(self.label, Label)):
            raise TypeError("Table: fb.datasets.table(data, label=...).table makes one")
        for column in self.columns:
            check_kind(column, Column, "Table columns")

    @property
    def features(self) -> list[str]:
        """What each number of a sample is called."""
        return [place for column in self.columns for place in column.places()]

    def encode(self, data: Any) -> np.ndarray:
        """Rows as (n, features) float32, by the columns' names, in whatever order they are.

        Columns that are not known are left out, with a warning; another says where no word of a
        column's is one of the two that it had.

        Raises
        ------
        ValueError, TypeError, OSError
            If a column is missing, or a cell is not what its column has, or a file cannot be read.
        """
        frame = as_frame(data)
        missing = [column.name for column in self.columns if column.name not in frame.columns]
        if missing:
            raise ValueError(f"the table lacks {text_of(missing)}; it has {text_of([*frame])}")
        known = {column.name for column in self.columns} | {self.label.name, *self.left_out}
        if extra := [name for name in frame.columns if name not in known]:
            told = f"the model does not know {text_of(extra)}, which it leaves out"
            warnings.warn(told, UserWarning, stacklevel=2)
        x = self.encoded(frame)
        for name, words in self._strangers(x):
            told = f"column {name!r} was {' or '.join(words)}, and is neither in any row"
            warnings.warn(told, UserWarning, stacklevel=2)
        return x

    def _strangers(self, x: np.ndarray) -> Iterator[tuple[str, tuple[str, str]]]:
        """Columns of yes and no whose samples are neither."""
        start = 0
        for column in self.columns:
            if isinstance(column, YesNo) and len(x) and bool((x[:, start] == NEITHER).all()):
                yield column.name, column.words
            start += len(column.places())

    def encoded(self, frame: pd.DataFrame) -> np.ndarray:
        """``encode`` of a DataFrame that has all columns."""
        x = np.empty((len(frame), len(self.features)), np.float32)
        start = 0
        for column in self.columns:
            part = column.encode(frame[column.name])
            x[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        return x

    def dataset(self, data: Any, name: str = "") -> Dataset:
        """Rows with their label, as samples; rows without one are left out, with a warning.

        Raises
        ------
        ValueError, TypeError, OSError
            As ``encode``, and if there is no label column.
        """
        frame = as_frame(data)
        try:
            if self.label.name not in frame.columns:
                raise ValueError(
                    f"the table lacks its label, {self.label.name!r}; it has {text_of([*frame])}"
                )
            frame = _with_label(frame, self.label.name)
            x, y = self.encode(frame), self.label.encode(frame[self.label.name])
            return self._samples(x, y, name or (name_of(data)))
        except ValueError as problem:
            raise placed(problem, data) from None

    def _samples(self, x: np.ndarray, y: np.ndarray, name: str) -> Dataset:
        """Encoded rows and labels as a Dataset."""
        if isinstance(self.label, Classes):
            return Dataset(x, y, len(self.label.names), name=name, table=self)
        return Dataset(x, y, name=name, values=True, table=self)

    def frame_of(self, probabilities: np.ndarray, data: Any) -> pd.DataFrame:
        """Probabilities as a DataFrame: a column a class, and the rows of what they are of."""
        import pandas as pd

        names = list(self.label.names) if isinstance(self.label, Classes) else None
        index = data.index if isinstance(data, pd.DataFrame) else None
        return pd.DataFrame(probabilities, index, names)

    def as_data(self) -> dict[str, Any]:
        """As a model's file has it, in JSON."""
        return {
            "version": VERSIONS[-1],
            "label": self.label.as_data(),
            "columns": [column.as_data() for column in self.columns],
            "left_out": self.left_out,
        }

    @classmethod
    def from_data(cls, data: Any) -> Table:
        """What ``as_data`` made of one.

        Raises
        ------
        ValueError
            If it is none, or of another version.
        """
        try:
            if data["version"] not in VERSIONS:
                raise ValueError(f"its version is {data['version']!r}, not one of {VERSIONS}")
            left_out = {str(name): str(why) for name, why in data["left_out"].items()}
            columns = tuple(map(column_from, data["columns"]))
            table = cls(columns, label_from(data["label"]), left_out)
            names = [column.name for column in columns]
            if len({*names, table.label.name}) != len(names) + 1:
                raise ValueError("two of its columns have one name")
        except (TypeError, LookupError, AttributeError, ValueError) as problem:
            raise ValueError(f"no table that fastbp wrote: {problem!r:.80}") from None
        return table

    def __str__(self) -> str:
        """Every column, what it was taken for, and what becomes of it."""
        rows = [("column", "taken as", ""), *([*map(_on_a_line, row)] for row in self._rows())]
        widths = [max(len(row[k]) for row in rows) for k in (0, 1)]
        return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows)

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for column in self.columns:
            gaps = "; some missing" if column.gaps else ""
            rows.append((column.name, column.kind, column.said() + gaps))
        rows += [(name, "left out", why) for name, why in self.left_out.items()]
        rows.append((self.label.name, "label", self.label.said()))
        return rows

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        columns, numbers = len(self.columns), len(self.features)
        title = f"Table: {columns} columns become {numbers} numbers"
        return notebook.shown(title, notebook.tabled(("column", "taken as", ""), self._rows()))

    def __repr__(self) -> str:
        return (
            f"Table({len(self.columns)} columns, {len(self.features)} numbers a row, "
            f"label {self.label.name!r}: {self.label.said()})"
        )


def _on_a_line(text: str) -> str:
    """Text whose ends of lines, and what else moves a terminal's cursor, are written as signs."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def table(
    data: Any,
    label: str | int | None = None,
    *,
    values: bool | None = None,
    drop: Columns = (),
    category: Columns = (),
    number: Columns = (),
    most_bytes: int | None = None,
) -> Dataset:
    """Samples from a table of numbers, words and dates, with gaps; and how they were made of it.

    Parameters
    ----------
    data : path, DataFrame, or mapping of columns
        A CSV or TSV file with any separator, quotes and encoding, with or without .gz; a Parquet
        file; pandas' DataFrame, polars' or another library's.
    label : str or int, optional
        The column to predict, by its name or its number from 0. Default: the one called label,
        labels, class, target, y or outcome.
    values : bool, optional
        Whether the label are values, or, if False, classes. Default: numbers with fractions, and
        whole ones of more than 20 different kinds, are values.
    drop, category, number : column or list of columns, optional
        Those that are left out, taken as words, or taken as numbers, whatever they look like.
    most_bytes : int, optional
        As in ``fb.datasets.load``.

    Returns
    -------
    Dataset
        float32 samples, one number or several for each column; labels from 0 or, of values,
        standardised. Its ``table`` has what was fitted; ``print(data.table)`` shows it.

    Raises
    ------
    DataError, OSError
        If a file cannot be read as a table.
    TypeError, ValueError
        If there is no such label, or a column cannot be learned from; the message says what to do.

    Examples
    --------
    >>> data = fb.datasets.table("people.csv", label="income")
    >>> net = fb.Sequential(fb.Linear(data.features, 32), fb.ReLU(), fb.Linear(32, 2))
    >>> fb.fit(net, data, epochs=20, validation=0.2)
    >>> net.predict(frame)
    """
    bound = Bound(check_most_bytes(most_bytes))
    frame = as_frame(data, bound)
    try:
        frame, fitted = fit_table(
            frame, label, values=values, drop=drop, category=category, number=number
        )
        size = len(frame) * len(fitted.features) * np.dtype(np.float32).itemsize
        bound.check(_source(data) or "table", size)
        warn_of_doubts(frame, fitted, stacklevel=2)
        x, y = fitted.encoded(frame), fitted.label.encode(frame[fitted.label.name])
        return fitted._samples(x, y, name_of(data))
    except ValueError as problem:
        raise placed(problem, data) from None


def fit_table(
    frame: pd.DataFrame,
    label: str | int | None = None,
    *,
    rows: np.ndarray | slice = slice(None),
    values: bool | None = None,
    drop: Columns = (),
    category: Columns = (),
    number: Columns = (),
) -> tuple[pd.DataFrame, Table]:
    """The rows that have a label, and the Table that is fitted to some of them.

    Kinds of columns and the label's classes are those of all rows, medians and words of ``rows``,
    which are to be trained on.
    """
    frame, name = labelled(frame, label)
    guesses = _guesses(frame, name, drop, category, number)
    fitted = {column: fit(frame[column], found, rows) for column, found in guesses.items()}
    columns = tuple(column for column in fitted.values() if column is not None)
    left_out = {name: found.why for name, found in guesses.items() if found.kind is None}
    if not columns:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ValueError(f"no column is left to learn from ({told or 'there is the label alone'})")
    target = fit_label(frame[name], values, rows)
    return frame, Table(columns, target, left_out)


def labelled(frame: pd.DataFrame, label: str | int | None) -> tuple[pd.DataFrame, str]:
    """The rows that have a label, and its column."""
    name = label_of([*frame.columns], label)
    frame = _with_label(frame, name)
    if len(frame) < 2:
        raise ValueError("expected at least 2 rows, got 1")
    return frame, name


def _guesses(
    frame: pd.DataFrame, label: str, drop: Columns, category: Columns, number: Columns
) -> dict[str, Guess]:
    """What each column is: what was said of it, else as its cells look."""
    names = [*frame.columns]
    said: dict[str, Guess] = {}
    for what, columns, found in (
        ("drop", drop, Guess(None, "as it was asked for")),
        ("category", category, Guess(Category, "as it was asked for")),
        ("number", number, Guess(Number, "as it was asked for")),
    ):
        for name in columns_of(names, columns, what):
            if name in said or name == label:
                reason = "named twice" if name in said else "the label"
                raise ValueError(f"{what}: {name!r} is {reason}")
            said[name] = found
    others = [name for name in names if name != label]
    several = len(others) > 1
    return {
        name: said.get(name) or guess(frame[name], several and name == names[0]) for name in others
    }


def label_of(names: Sequence[str], label: str | int | None) -> str:
    """The label's name: that which was asked for, or the only one that is clearly it."""
    if label is not None:
        return column_of(names, label, "label")
    lower = [name.strip().lower() for name in names]
    found = [lower.index(each) for each in LABEL_NAMES if each in lower]
    if not found:
        raise ValueError(
            "which column is the label? Pass label= (--label); the columns are " + text_of(names)
        )
    return names[found[0]]


def without_label(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Which rows have no label."""
    cells = frame[name]
    missing = cells.isna()
    if cells.dtype.kind not in "biuf":  # words may be blank
        missing |= cells.astype(object).map(str).str.strip() == ""
    found: np.ndarray = missing.to_numpy(bool)
    return found


def _with_label(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows that have a label."""
    missing = without_label(frame, name)
    if missing.all():
        raise ValueError(f"label {name!r}: missing in all rows")
    if missing.any():
        told = f"{missing.sum():,} of {len(frame):,} rows have no {name!r}: they are left out"
        warnings.warn(told, UserWarning, stacklevel=5)
        frame = frame[~missing]
    return frame


def _source(data: Any) -> str:
    """A file's path."""
    return os.fspath(data) if isinstance(data, str | os.PathLike) else ""


def name_of(data: Any) -> str:
    """What samples of a table are called: by its file."""
    source = _source(data)
    return Path(source).name if source else "table"


def placed(problem: ValueError, data: Any) -> ValueError:
    """What is wrong with a file's table names the file."""
    source = _source(data)
    if not source or isinstance(problem, DataError):
        return problem
    return bad_file(source, problem)
