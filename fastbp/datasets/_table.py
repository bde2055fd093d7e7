"""A table with a column to predict, as samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checked import check_most_bytes
from ._columns import Category, Number
from ._dataset import Dataset
from ._doubts import warn_of_doubts
from ._files import Bound
from ._fitted import Table
from ._frame import as_frame, columns_of
from ._kinds import Guess, fit, guess
from ._label import fit_label
from ._labelled import labelled, name_of, placed, source_of

if TYPE_CHECKING:
    import pandas as pd

Columns = str | int | Iterable[str | int]


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
        bound.check(source_of(data) or "table", size)
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
