"""What a column is, guessed from its cells: a number, words, a date, or nothing to learn from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._columns import Category, Column, Date, Number, YesNo
from ._words import as_words, bad_rows, is_numeric, is_time, is_truth, parsed, times
from ._written import Written

if TYPE_CHECKING:
    import pandas as pd

ID_NAMES = re.compile(
    r"(unnamed: ?\d+|index|rownames?|row|rowid|uuid|guid|)|(.*[\W_])?id|.*[a-z]I[dD]|.*[a-z]ID",
)
MOSTLY = 0.5  # the share of numbers from which a word among them is a mistake
MOSTLY_TIMES = 0.9  # of dates, from which a column has dates
FEW_ROWS = 20  # in which counted rows and words that are all different may be meant
TEXT_WORDS = 4  # that cells of free text have on average, or more
TEXT_LETTERS = 60  # or so many letters


class Guess(NamedTuple):
    """A kind, or None where the column is left out, and why."""

    kind: type[Column] | None
    why: str
    words: tuple[str, ...] = ()  # the two of yes and no
    written: Written | None = None  # how all its numbers are


def guess(column: pd.Series, first: bool = False) -> Guess:
    """What a column is; `first` says that it is the table's first of several.

    Raises
    ------
    ValueError
        If it is free text, or has numbers and words; the message says what to do.
    """
    name = str(column.name)
    if is_time(column):
        return _constant(column) or Guess(Date, "times")
    if is_numeric(column):
        return _of_numbers(column, first)
    words = as_words(column)
    present = words.dropna()
    if constant := _constant(words):
        return constant
    numbers, wrong, _ = parsed(column)
    if not wrong.any() and not is_truth(column) and np.isfinite(numbers).any():
        return _of_numbers(column, first)
    share = np.isfinite(numbers).sum() / len(present)
    if share > MOSTLY and not is_truth(column):
        raise ValueError(
            f"column {name!r}: numbers, but {bad_rows(column, np.flatnonzero(wrong))}; correct "
            f"those, take it as words (category={name!r}, --category {name}) or leave it out "
            f"(drop={name!r}, --drop {name})"
        )
    if times(column).notna().sum() >= MOSTLY_TIMES * len(present):
        return Guess(Date, "dates")
    return _of_words(name, present)


def _constant(column: pd.Series) -> Guess | None:
    different = column.nunique(dropna=True)
    if different == 0:
        return Guess(None, "empty")
    if different == 1 and not column.isna().any():
        return Guess(None, f"the same in all rows: {str(column.iloc[0])[:40]}")
    return None


def _of_numbers(column: pd.Series, first: bool) -> Guess:
    numbers, _, written = parsed(column)
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return Guess(None, "empty")
    if len(known) == len(numbers) and bool((known == known[0]).all()):
        return Guess(None, f"the same in all rows: {known[0]:.6g}")
    if len(known) == len(numbers) and _counts_rows(numbers, str(column.name), first):
        return Guess(None, "an index or id: a different whole number in each row")
    return Guess(Number, "numbers", written=written)


def _counts_rows(numbers: np.ndarray, name: str, first: bool) -> bool:
    """Whether numbers only tell rows apart: by their name, or as they count from 0 or 1."""
    if not bool((numbers == np.floor(numbers)).all()):
        return False
    if ID_NAMES.fullmatch(name) or ID_NAMES.fullmatch(name.lower()):
        return len(np.unique(numbers)) == len(numbers)
    counted = bool((np.diff(numbers) == 1).all()) and numbers[0] in (0, 1)
    return first and counted and len(numbers) >= FEW_ROWS


def _of_words(name: str, present: pd.Series) -> Guess:
    different, rows = present.nunique(), len(present)
    if different == 2:
        no, yes = sorted(present.unique())
        return Guess(YesNo, "two words", (str(no), str(yes)))
    spoken = present.str.split().str.len().mean() >= TEXT_WORDS
    if (spoken or present.str.len().mean() > TEXT_LETTERS) and different > rows / 2:
        raise ValueError(
            f"column {name!r}: free text, as {str(present.iloc[0])[:40]!r}, which this does not "
            f"learn from; leave it out (drop={name!r}, --drop {name}), or take each text as a "
            f"category (category={name!r}, --category {name})"
        )
    alone = different > 0.95 * rows and rows >= FEW_ROWS
    if alone or (different == rows > 2 and ID_NAMES.fullmatch(name.lower())):
        return Guess(None, "an id: nearly every row has a word of its own")
    return Guess(Category, "words")


def fit(column: pd.Series, found: Guess, rows: np.ndarray | slice) -> Column | None:
    """The column's numbers, from the rows that are trained on; None where it is left out."""
    kind = found.kind
    if kind is None:
        return None
    part = column.iloc[rows]
    if kind is YesNo:
        return YesNo.fit(part, found.words)
    if kind is Number:
        return Number.fit(part, found.written or parsed(column).written)
    fitted: Column = kind.fit(part)  # type: ignore[attr-defined]
    return fitted
