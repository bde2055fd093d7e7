"""A column's cells as numbers, as words or as times; gaps stay gaps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._dialect import NO_NUMBERS
from ._written import DECIMALS, Written, fill

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 1e150  # whose square is a number still
ISO = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[-+]\d\d:?\d\d)?)?"
)
CLOCK = r"( \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?)?"
DAYS = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})" + CLOCK)
MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
NAMED = re.compile(rf"(\d{{1,2}}[- ]{MONTH}[- ]|{MONTH} \d{{1,2}},? |{MONTH}[- ])\d{{4}}{CLOCK}")


def is_numeric(column: pd.Series) -> bool:
    """Whether cells are numbers already; truths are none."""
    from pandas.api import types

    return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column))


def is_truth(column: pd.Series) -> bool:
    """Whether cells are truths already, with gaps or without."""
    from pandas.api import types

    return bool(types.is_bool_dtype(column))


def is_time(column: pd.Series) -> bool:
    """Whether cells are times already."""
    from pandas.api import types

    return bool(types.is_datetime64_any_dtype(column))


def as_words(column: pd.Series) -> pd.Series:
    """Cells as text, without spaces around; what is blank is a gap. Whole numbers have no point."""
    if is_numeric(column):
        numbers = column.astype("float64")
        whole = numbers.dropna()
        if bool((whole == np.floor(whole)).all()) and bool((whole.abs() < 2**53).all()):
            column = numbers.astype("Int64")
    import pandas as pd

    gaps = column.isna().to_numpy()
    if pd.api.types.is_string_dtype(column):  # each different word is looked at once
        places, different = pd.factorize(column)
        stripped = np.array([str(word).strip() for word in different] + [""], object)
        words = pd.Series(stripped[places], column.index, object, column.name)
    else:
        words = column.astype(object).map(str).astype(object).str.strip()
    return words.where(~gaps & (words != ""), None)


def as_numbers(column: pd.Series, name: str, written: Written | None = None) -> np.ndarray:
    """Cells as float64, gaps as NaN; written as was found before, or as they look.

    Raises
    ------
    ValueError
        If a cell is no number, or has another unit, or is infinite; the message has the first rows
        of those, from 1.
    """
    numbers, wrong, found = parsed(column, written)
    _refuse(column, wrong, name, "numbers" + (written or found).said())
    _refuse(column, np.isinf(numbers), name, "finite numbers")
    _refuse(column, np.abs(numbers) > LARGEST, name, f"numbers up to {LARGEST:g}")
    return numbers


class Parsed(NamedTuple):
    """Cells as float64, NaN where they are none; where they are neither numbers nor gaps; and how
    numbers are written.
    """

    numbers: np.ndarray
    wrong: np.ndarray
    written: Written


def parsed(column: pd.Series, written: Written | None = None) -> Parsed:
    """Cells as numbers: a unit, and what stands between thousands, are read over.

    They are written with the decimal sign that reads most of them; where both do, as was found
    before, or with a point.
    """
    import pandas as pd

    if is_numeric(column) or is_truth(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        return Parsed(numbers, np.zeros(len(column), bool), written or Written())
    words = as_words(column)
    words = words.where(~words.str.lower().isin(NO_NUMBERS), None)
    cells, present = words.to_numpy(object), words.notna().to_numpy()
    plain = pd.to_numeric(words, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    best = None
    unit, first = written or Written()
    for decimal in sorted(DECIMALS, key=first.__ne__):
        # pandas' own may be read-only, and knows points alone
        numbers = plain.copy() if decimal == "." else np.full(len(cells), np.nan)
        wrong = present & np.isnan(numbers)
        known = fill(cells, numbers, wrong, Written(unit, decimal))
        found = Parsed(numbers, wrong, Written(known, decimal))
        if best is None or wrong.sum() < best.wrong.sum():
            best = found
        if not any("," in cell or "." in cell for cell in cells[wrong]):
            break  # the other sign would read as much
    assert best is not None
    return best


def as_times(column: pd.Series, name: str) -> pd.Series:
    """Cells as times, gaps as NaT.

    Raises
    ------
    ValueError
        If a cell is no date.
    """
    found = times(column)
    _refuse(column, (found.isna() & as_words(column).notna()).to_numpy(), name, "dates")
    return found


def times(column: pd.Series) -> pd.Series:
    """Cells as times without a zone, NaT where they are none.

    As 2024-05-31, 31.5.2024, 5/31/24 1:05 PM or 31 May 2024.
    """
    import pandas as pd

    if is_time(column):
        return column if column.dt.tz is None else column.dt.tz_convert(None)
    words = as_words(column).drop_duplicates()
    dated = words[words.str.fullmatch(ISO.pattern, na=False).to_numpy(bool)]
    if len(dated):
        iso = dated.str.replace(r"^(\d+)[/.](\d+)[/.]", r"\1-\2-", regex=True)
        kept = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    elif bool((named := words.str.fullmatch(NAMED.pattern, na=False).to_numpy(bool)).any()):
        dated = words[named]
        kept = pd.to_datetime(dated, format="mixed", errors="coerce", utc=True)
    else:
        dated = words[words.str.fullmatch(DAYS.pattern, na=False).to_numpy(bool)]
        # 31.5. is a day first; 5/31 a month; where neither shows, points are days first
        parts = dated.str.extract(DAYS.pattern)
        first, second = (parts[k].astype(int) for k in (0, 1))
        points = bool(dated.str.contains(".", regex=False).any())
        day_first = bool((first > 12).any()) or (points and not (second > 12).any())
        kept = pd.to_datetime(dated, format="mixed", dayfirst=day_first, errors="coerce", utc=True)
    known = dict(zip(dated, kept.dt.tz_convert(None), strict=True))
    return as_words(column).map(known).astype("datetime64[us]")


def _refuse(column: pd.Series, wrong: np.ndarray, name: str, expected: str) -> None:
    places = np.flatnonzero(wrong)
    if len(places):
        raise ValueError(f"column {name!r}: expected {expected}, got {bad_rows(column, places)}")


def bad_rows(column: pd.Series, places: np.ndarray) -> str:
    """The first cells at some places, with their rows in the whole table, from 1."""
    cells, rows = column.iloc[places[:3]], column.index[places[:3]]
    shown = ", ".join(
        f"{str(cell)[:40]!r} in row {row + 1}" for cell, row in zip(cells, rows, strict=True)
    )
    more = len(places) - 3
    return shown + (f" and {more:,} more" if more > 0 else "")
