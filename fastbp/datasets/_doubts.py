"""What of a table looks like a mistake, and is taken as it stands: its owner is asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._columns import Category, Column, Number, YesNo
from ._label import Classes
from ._words import as_words
from ._written import measured

if TYPE_CHECKING:
    import pandas as pd

    from ._fitted import Table

LEAST_ROWS = 50  # in fewer, a column may say the label by chance
FEW = 20  # different cells, at most, that may each have a class of their own
MANY = 20  # different numbers with units, from which they are no names
SAME = 1 - 1e-9  # the correlation from which a number is the label in another unit


def warn_of_doubts(frame: pd.DataFrame, table: Table, stacklevel: int) -> None:
    """Warn of each doubt."""
    for told in doubts(frame, table):
        warnings.warn(told, UserWarning, stacklevel=stacklevel + 1)


def doubts(frame: pd.DataFrame, table: Table) -> Iterator[str]:
    """Words spelled in two ways, numbers of several units, and columns that say the label.

    Parameters
    ----------
    frame : DataFrame
        Rows that have a label.
    table : Table
        What was fitted to them.
    """
    for column in table.columns:
        if isinstance(column, Category | YesNo):
            yield from _spelled(f"column {column.name!r}", column.words)
    if isinstance(table.label, Classes):
        yield from _spelled(f"label {table.label.name!r}", [*map(str, table.label.names)])
    words = [column.name for column in table.columns if isinstance(column, Category | YesNo)]
    for name in (*words, *table.left_out):
        yield from _of_units(frame[name])
    if len(frame) >= LEAST_ROWS and len(table.columns) > 1:
        for column in table.columns:
            yield from _telling(frame, table, column)


def _spelled(what: str, words: Sequence[str]) -> Iterator[str]:
    """Words that differ in capitals or spaces alone; single letters may be codes."""
    alike: dict[str, list[str]] = {}
    for word in words:
        alike.setdefault(" ".join(word.casefold().split()), []).append(word)
    for key, several in alike.items():
        if len(several) > 1 and len(key) > 1:
            shown = " and ".join(map(repr, several[:4]))
            yield f"{what}: {shown} are different words here; if they are one, spell them alike"


def _of_units(column: pd.Series) -> Iterator[str]:
    """Numbers that are words, because they have several units."""
    words = as_words(column).dropna().unique()
    read = [measured(word) or measured(word, ",") for word in words[:1000]]
    if len(read) < MANY or None in read:
        return
    units = sorted({found[1] for found in read if found and found[1]})
    if len(units) > 1:
        yield (
            f"column {str(column.name)!r}: its numbers are in {' and '.join(units[:4])}, and no "
            "numbers for that; write all in one unit"
        )


def _telling(frame: pd.DataFrame, table: Table, column: Column) -> Iterator[str]:
    """That a column, or whether it is missing, alone says the label of each row."""
    cells, label = frame[column.name], frame[table.label.name]
    if not isinstance(table.label, Classes):
        if isinstance(column, Number) and _is_label(column, cells, table.label.encode(label)):
            yield _asked(column.name, f"column {column.name!r} is the label in another unit")
        return
    if cells.nunique(dropna=False) <= FEW and _says(cells, label):
        yield _asked(column.name, f"column {column.name!r} alone says the label of each row")
    elif column.gaps and _says(cells.isna(), label):
        yield _asked(
            column.name, f"whether column {column.name!r} is missing says the label of each row"
        )


def _says(cells: pd.Series, label: pd.Series) -> bool:
    """Whether rows of the same cell have the same class."""
    of_each = label.groupby(cells, dropna=False).nunique()
    return len(of_each) > 1 and bool((of_each == 1).all())


def _is_label(column: Number, cells: pd.Series, learned: np.ndarray) -> bool:
    """Whether numbers grow, or shrink, as the label's do."""
    numbers = column.numbers(cells)
    there = ~np.isnan(numbers)
    x, y = numbers[there], learned[there]
    if len(x) < LEAST_ROWS or not x.std() or not y.std():
        return False
    return bool(abs(np.corrcoef(x, y)[0, 1]) > SAME)


def _asked(name: str, told: str) -> str:
    return f"{told}: is it known when you predict? --drop {name}, or drop={name!r}, leaves it out"
