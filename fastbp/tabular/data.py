"""A table with its label, split into rows to train on and rows to test with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import datasets
from fastbp._checks import as_number
from fastbp._files import StrPath
from fastbp.datasets import Classes, Dataset, Table, Values

from .split import every_nth

if TYPE_CHECKING:
    import pandas as pd

TEST_SHARE = 1 / 7  # as fastbp.datasets.load has it
LEAST = 2  # rows on either side


class Asked(NamedTuple):
    """What is said of a table's columns and rows; what is not said is left to the table."""

    label: str | int | None = None
    test: Any = None  # another table
    test_share: float | None = None
    values: bool | None = None
    classes: int | None = None
    drop: Any = ()
    category: Any = ()
    number: Any = ()


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table that is ready to be learned from."""

    frame: pd.DataFrame  # the rows that have a label
    rows: np.ndarray  # those that are trained on
    train: Dataset
    test: Dataset | None  # None where all rows are trained on

    @property
    def table(self) -> Table:
        """What was fitted to the rows that are trained on."""
        assert self.train.table is not None
        return self.train.table


def is_table(path: StrPath, scale: float | None = None) -> bool:
    """Whether a file is a table, and no rows of pixels; a scale says that it is numbers alone."""
    if scale is not None or not datasets.is_table_file(path):
        return False
    path = Path(path)
    of_text = not path.suffix.lower().startswith(".p")  # Parquet
    return not (of_text and path.is_file() and datasets.holds_pictures(path))


def prepare(
    data: Any,
    asked: Asked,
    *,
    made: Table | None = None,
    counts: bool = False,
    all_rows: bool = False,
    tell: Callable[[Table], None] | None = None,
) -> Prepared:
    """Read a table, split its rows, and fit a Table to those that are trained on.

    Parameters
    ----------
    data : path, DataFrame, or mapping of columns
    asked : Asked
    made : Table, optional
        One that was fitted before, in place of one that is fitted now.
    counts : bool
        Whether the loss takes logarithms of the label's values, which then are not standardised.
    all_rows : bool
        Whether no rows are tested with, unless that is asked for.
    tell : function, optional
        Is given a Table that was fitted now.

    Raises
    ------
    ValueError, TypeError, OSError
        As ``fastbp.datasets.table``; the message has a file's path.
    """
    frame = datasets.as_frame(data)
    try:
        frame, label = datasets.labelled(frame, asked.label if made is None else made.label.name)
        target = datasets.fit_label(frame[label], asked.values) if made is None else made.label
        rows, others = _parts(asked, _codes(target, frame[label]), all_rows)
        if made is None:
            made = fit_to(frame, rows, asked._replace(label=label), target, counts)
            if tell is not None:
                tell(made)
            datasets.warn_of_doubts(frame, made, stacklevel=3)
        if len(others) and min(len(rows), len(others)) < LEAST:
            raise _too_few(rows, others)
        name = datasets.name_of(data)
        train, test = made.dataset(frame.iloc[rows], f"{name} train"), None
        if asked.test is not None:
            test = made.dataset(asked.test)
        elif len(others):
            test = made.dataset(frame.iloc[others], f"{name} test")
    except ValueError as problem:
        raise datasets.placed(problem, data) from None
    return Prepared(frame, rows, train, test)


def fit_to(
    frame: pd.DataFrame,
    rows: np.ndarray,
    asked: Asked,
    target: Classes | Values,
    counts: bool = False,
) -> Table:
    """The Table of some of the rows, whose label is known."""
    said = {"drop": asked.drop, "category": asked.category, "number": asked.number}
    values = isinstance(target, Values)
    _, made = datasets.fit_table(frame, asked.label, rows=rows, values=values, **said)
    if isinstance(target, Classes) and asked.classes not in (None, len(target.names)):
        raise ValueError(f"classes {asked.classes}: {target.name!r} has {target.said()}")
    if counts and values:  # whose exp(score) has a unit
        made = replace(made, label=Values(target.name, 0.0, 1.0))
    return made


def _codes(target: Classes | Values, column: Any) -> np.ndarray:
    """The class of each row; of values all are alike."""
    return target.encode(column) if isinstance(target, Classes) else np.zeros(len(column), int)


def _parts(asked: Asked, classes: np.ndarray, all_rows: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, in a random order, and those of each class alike to test with.

    The only row of a class is never one of those.
    """
    if asked.test is not None and asked.test_share is not None:
        raise ValueError("test and test_share: give one of them")
    share, count = asked.test_share, len(classes)
    if share is not None:
        share = as_number(share, "test_share", above=0, below=1)
    elif asked.test is None and not all_rows:
        share = TEST_SHARE
    size = 0 if share is None else max(1, round(count * share))
    order, test = every_nth(classes, size, np.random.default_rng(0))
    if share is None:
        return order, test
    train = order[~np.isin(order, test)]
    if not len(train) or not len(test):
        raise _too_few(train, test)
    return train, test


def _too_few(train: np.ndarray, test: np.ndarray) -> ValueError:
    return ValueError(
        f"{len(train) + len(test)} rows are too few to train and to test, {len(train)} and "
        f"{len(test)}: name a --test FILE, or take another --test-share"
    )


def unit(table: Table | None) -> float:
    """How much of the label's unit 1 is, in what a network learns."""
    return table.label.std if table is not None and isinstance(table.label, Values) else 1.0
