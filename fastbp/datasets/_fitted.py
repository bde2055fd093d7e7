"""What was fitted to a table: how any other such table becomes samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._checks import check_kind
from fastbp.pages import notebook

from ._columns import NEITHER, Column, YesNo, column_from
from ._dataset import Dataset
from ._dialect import text_of
from ._frame import as_frame
from ._label import Classes, Label, label_from
from ._labelled import name_of, placed, with_label

if TYPE_CHECKING:
    import pandas as pd

# Of what a model's file says of its table: those that are read. The last is written; from 2 on a
# label of values has its range in it, from 3 on numbers have their unit.
VERSIONS = 1, 2, 3


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
            frame = with_label(frame, self.label.name)
            x, y = self.encode(frame), self.label.encode(frame[self.label.name])
            return self._samples(x, y, name or name_of(data))
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
