"""How each column of a table becomes numbers: what was fitted to it once, and is kept with a model.

A column's kind is a class here. ``fit`` looks at the cells that are trained on, ``encode`` makes
numbers of any others, and ``as_data`` is what JSON keeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ._words import as_numbers, as_times, as_words, parsed
from ._written import DECIMALS, Written, shown

if TYPE_CHECKING:
    import pandas as pd

MOST_PLACES = 100  # categories with a place of their own; the rarer ones of more share one
UNKNOWN = "other"  # what that is called
CLIP = 3.0  # where a smooth clip bends: numbers far out come near it, and never there
FURTHEST = 1e6  # from the center, in ranges, that a number is taken for at most
NEITHER = 0.5  # a word that is neither of two
TRUTHS = {"0": "False", "1": "True"}
MOST_WIDTH = 1_000_000  # numbers of one column, in a model's file


@dataclass(frozen=True)
class Column:
    """What is known of a column.

    Attributes
    ----------
    name : str
    gaps : bool
        Whether cells were missing where it was fitted: then a last number, 1 or 0, says so.
    """

    kind: ClassVar[str]
    name: str
    gaps: bool

    def encode(self, column: pd.Series) -> np.ndarray:
        """Cells as (n, width) float64; what is missing is filled in."""
        values, missing = self._encoded(column)
        return np.column_stack([values, missing]) if self.gaps else values

    def places(self) -> list[str]:
        """What each of its numbers is called."""
        return [*self._places(), *([f"{self.name} missing"] if self.gaps else [])]

    def as_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind} | {
            field.name: _plain(getattr(self, field.name)) for field in fields(self)
        }

    def said(self) -> str:
        """What becomes of it, in words."""
        raise NotImplementedError

    def _encoded(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _places(self) -> list[str]:
        raise NotImplementedError

    def __post_init__(self) -> None:
        _check(isinstance(self.name, str) and isinstance(self.gaps, bool), "name or gaps")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _check(true: bool, what: str) -> None:
    """Refuse what a file says and nothing fitted says."""
    if not true:
        raise ValueError(f"a table's column: wrong {what}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def center_and_scale(numbers: np.ndarray) -> tuple[float, float]:
    """Median and interquartile range; half the full range where that is 0, 0 where that is too."""
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return 0.0, 0.0
    low, center, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    scale = high - low or (numbers.max() - numbers.min()) / 2
    return float(center), float(scale)


def robust(numbers: np.ndarray, center: float, scale: float) -> np.ndarray:
    """z = (x - center) / scale, smoothly clipped: z / sqrt(1 + (z/3)²), which outliers don't leave.

    Gaps become 0, as the center does (Holzmüller, Grinsztajn and Steinwart 2024, Better by
    Default).
    """
    if not scale:
        return np.zeros(len(numbers))
    with np.errstate(over="ignore"):
        z = np.clip((numbers - center) / scale, -FURTHEST, FURTHEST)
    return np.nan_to_num(z / np.sqrt(1 + (z / CLIP) ** 2))


@dataclass(frozen=True)
class Number(Column):
    """A number: minus its median, by its interquartile range, smoothly clipped.

    Text is read as it was written where it was fitted; another unit is refused.
    """

    kind: ClassVar[str] = "number"
    center: float
    scale: float
    unit: str = ""
    decimal: str = "."

    @classmethod
    def fit(cls, column: pd.Series, written: Written | None = None) -> Self:
        """The column's own median and range."""
        written = written or parsed(column).written
        numbers = as_numbers(column, str(column.name), written)
        gaps = bool(np.isnan(numbers).any())
        return cls(str(column.name), gaps, *center_and_scale(numbers), *written)

    def numbers(self, column: pd.Series) -> np.ndarray:
        """Cells as they are, (n,) float64, gaps as NaN."""
        return as_numbers(column, self.name, Written(self.unit, self.decimal))

    def _encoded(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        numbers = self.numbers(column)
        return robust(numbers, self.center, self.scale)[:, None], np.isnan(numbers)

    def _places(self) -> list[str]:
        return [self.name]

    def said(self) -> str:
        """In words."""
        unit = shown(self.unit)
        return f"median {self.center:.6g}{unit}, spread {self.scale:.6g}{unit}"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(_is_number(self.center) and _is_number(self.scale) and self.scale >= 0, "numbers")
        _check(isinstance(self.unit, str) and self.decimal in DECIMALS, "unit or decimal sign")


@dataclass(frozen=True)
class Category(Column):
    """One of several words: a number for each, 1 where it is, and one for all others.

    Gaps are filled with the most frequent word.
    """

    kind: ClassVar[str] = "category"
    words: tuple[str, ...]
    frequent: str

    @classmethod
    def fit(cls, column: pd.Series) -> Self:
        """The words that there are; of more than MOST_PLACES the most frequent."""
        words = as_words(column)
        counts = words.value_counts()
        counts = counts.sort_index().sort_values(ascending=False, kind="stable")
        kept = [str(word) for word in counts.index[:MOST_PLACES]]
        gaps = bool(words.isna().any())
        return cls(str(column.name), gaps, tuple(sorted(kept)), kept[0] if kept else "")

    def _encoded(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        import pandas as pd

        words = as_words(column)
        missing = words.isna().to_numpy()
        places = pd.Index(self.words, dtype=object).get_indexer(words.fillna(self.frequent))
        found = np.zeros((len(words), len(self.words) + 1))
        found[np.arange(len(words)), places] = 1  # -1, the last, is for words that are not known
        return found, missing

    def _places(self) -> list[str]:
        return [f"{self.name} = {word}" for word in (*self.words, UNKNOWN)]

    def said(self) -> str:
        """In words."""
        shown = ", ".join(self.words[:6]) + (", …" if len(self.words) > 6 else "")
        return f"{len(self.words)} words: {shown}"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "words", tuple(self.words))
        texts = all(isinstance(word, str) for word in (*self.words, self.frequent))
        _check(texts and len({*self.words}) == len(self.words) < MOST_WIDTH, "words")


@dataclass(frozen=True)
class YesNo(Column):
    """One of two words: 0 for the first, 1 for the second, ½ for any other.

    Gaps are filled with the more frequent one. Truths are also 0 and 1, and in any letters.
    """

    kind: ClassVar[str] = "yes/no"
    words: tuple[str, str]
    frequent: int

    @classmethod
    def fit(cls, column: pd.Series, words: Sequence[str]) -> Self:
        """The two words, in order."""
        found = as_words(column)
        no, yes = words
        frequent = int((found == yes).sum() > (found == no).sum())
        return cls(str(column.name), bool(found.isna().any()), (no, yes), frequent)

    def _encoded(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        words = as_words(column)
        missing = words.isna().to_numpy()
        if self.words == ("False", "True"):
            words = words.replace(TRUTHS).str.capitalize()
        found = np.full(len(words), NEITHER)
        for value, word in enumerate(self.words):
            found[(words == word).to_numpy(bool)] = value
        found[missing] = self.frequent
        return found[:, None], missing

    def _places(self) -> list[str]:
        return [f"{self.name} = {self.words[1]}"]

    def said(self) -> str:
        """In words."""
        return f"{self.words[0]} is 0, {self.words[1]} is 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "words", tuple(self.words))
        texts = all(isinstance(word, str) for word in self.words)
        _check(texts and len(self.words) == 2 and self.frequent in (0, 1), "words")


@dataclass(frozen=True)
class Date(Column):
    """A date, as numbers: of days since 1970, month, day, weekday and, where there are any, hour.

    Each is as a Number is; of gaps it is the median.
    """

    kind: ClassVar[str] = "date"
    parts: tuple[str, ...]
    centers: tuple[float, ...]
    scales: tuple[float, ...]

    PARTS: ClassVar[tuple[str, ...]] = ("days", "month", "day", "weekday", "hour")

    @classmethod
    def fit(cls, column: pd.Series) -> Self:
        """The parts that are not all the same."""
        dates = as_times(column, str(column.name))
        parts, numbers = [], []
        for part in cls.PARTS:
            values = _part(dates, part)
            center, scale = center_and_scale(values)
            if scale:
                parts.append(part)
                numbers.append((center, scale))
        centers, scales = (tuple(pair[k] for pair in numbers) for k in (0, 1))
        return cls(str(column.name), bool(dates.isna().any()), tuple(parts), centers, scales)

    def _encoded(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        dates = as_times(column, self.name)
        each = zip(self.parts, self.centers, self.scales, strict=True)
        found = [robust(_part(dates, part), center, scale) for part, center, scale in each]
        values = np.column_stack(found) if found else np.zeros((len(dates), 0))
        return values, dates.isna().to_numpy()

    def _places(self) -> list[str]:
        return [f"{self.name} {part}" for part in self.parts]

    def said(self) -> str:
        """In words."""
        return ", ".join(self.parts)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("parts", "centers", "scales"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _check(set(self.parts) <= {*self.PARTS}, "parts")
        _check(len(self.parts) == len(self.centers) == len(self.scales), "number of parts")
        numbers = all(map(_is_number, (*self.centers, *self.scales)))
        _check(numbers and all(scale > 0 for scale in self.scales), "numbers")


def _part(dates: pd.Series, part: str) -> np.ndarray:
    """Part of dates, NaN of gaps."""
    import pandas as pd

    found = (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)
    if part != "days":
        found = getattr(dates.dt, "day_of_week" if part == "weekday" else part)
    return found.to_numpy(np.float64, na_value=np.nan)


KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Number, Category, YesNo, Date)}


def column_from(data: dict[str, Any]) -> Column:
    """What ``as_data`` made of a column."""
    known = dict(data)
    return KINDS[known.pop("kind")](**known)
