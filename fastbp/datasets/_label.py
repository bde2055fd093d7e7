"""What a table predicts: classes by their own names, or values in their own unit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._words import as_numbers, as_words, bad_rows, is_numeric, is_truth, parsed
from ._written import DECIMALS, Written, shown

if TYPE_CHECKING:
    import pandas as pd

FEW = 20  # whole numbers, at most, that are guessed to be classes
EACH = 2  # rows that each of them has on average, at least
NEARLY = 0.95  # of all rows have a name of their own: they are none of classes
MANY = 1000  # names, from which they are none of classes unless each has rows enough
Name = str | int | bool


@dataclass(frozen=True)
class Classes:
    """Classes by their names, in order; whole numbers and truths stay what they are.

    Attributes
    ----------
    name : str
        Of the column.
    names : tuple of str, int or bool
    """

    kind: ClassVar[str] = "classes"
    name: str
    names: tuple[Name, ...]

    @classmethod
    def fit(cls, column: pd.Series) -> Classes:
        """The names that there are."""
        name = str(column.name)
        words = as_words(column).dropna()
        names: list[Any] = sorted(words.unique())
        if column.dropna().map(lambda cell: isinstance(cell, bool | np.bool_)).all():
            names = [word == "True" for word in names]
        elif is_numeric(column) and all(word.lstrip("-").isdecimal() for word in names):
            names = sorted(map(int, names))
        if len(names) < 2:
            raise ValueError(f"label {name!r}: one class alone, {names[0]!r}: nothing to learn")
        lonely = len(names) > FEW and len(names) > NEARLY * len(words)
        if lonely or (len(names) > MANY and len(names) * EACH > len(words)):
            raise ValueError(
                f"label {name!r}: {len(names):,} different classes in {len(words):,} rows; if it "
                "is a number to predict, say values=True (--regression)"
            )
        return cls(name, tuple(names))

    def encode(self, column: pd.Series) -> np.ndarray:
        """(n,) int64, the classes' numbers."""
        import pandas as pd

        words = as_words(column)
        found = pd.Index([str(name) for name in self.names], dtype=object).get_indexer(words)
        if (found < 0).any():
            wrong = bad_rows(column, np.flatnonzero(found < 0))
            names = ", ".join(map(str, self.names[:8])) + (", …" if len(self.names) > 8 else "")
            raise ValueError(f"label {self.name!r}: expected {names}; got {wrong}")
        return found.astype(np.int64)

    def decode(self, predicted: np.ndarray) -> np.ndarray:
        """The names of classes' numbers."""
        return np.array(self.names)[predicted]

    def told(self, predicted: np.ndarray) -> np.ndarray:
        """What a network predicts, as it is told."""
        return self.decode(predicted)

    def as_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, "name": self.name, "names": list(self.names)}

    def said(self) -> str:
        """In words."""
        shown = ", ".join(map(str, self.names[:8])) + (", …" if len(self.names) > 8 else "")
        return f"{len(self.names)} classes: {shown}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        right = all(isinstance(name, str | int) for name in self.names)
        if not (right and 2 <= len({*map(str, self.names)}) == len(self.names)):
            raise ValueError("a table's label: wrong names of classes")


@dataclass(frozen=True)
class Values:
    """Values, of which a network learns (y - mean) / std.

    What it predicts is told from ``low`` to ``high``, the values that it was trained on; files of
    before that was so have none. Truths are read as those were written; another unit is refused.
    """

    kind: ClassVar[str] = "values"
    name: str
    mean: float
    std: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    decimal: str = "."

    @classmethod
    def fit(cls, column: pd.Series, written: Written | None = None) -> Values:
        """Mean, deviation and range."""
        name, written = str(column.name), written or parsed(column).written
        try:
            numbers = as_numbers(column, name, written)
        except ValueError as problem:
            raise ValueError(f"label: {problem}; without values=True it has classes") from None
        std = float(numbers.std())
        if not std:
            raise ValueError(f"label {name!r}: {numbers[0]:.6g} in all rows: nothing to learn")
        low, high = float(numbers.min()), float(numbers.max())
        return cls(name, float(numbers.mean()), std, low, high, *written)

    def encode(self, column: pd.Series) -> np.ndarray:
        """(n,) float64, standardised."""
        numbers = as_numbers(column, self.name, Written(self.unit, self.decimal))
        return (numbers - self.mean) / self.std

    def decode(self, predicted: np.ndarray) -> np.ndarray:
        """Values in their own unit, as float64."""
        return predicted.astype(np.float64) * self.std + self.mean

    def told(self, predicted: np.ndarray) -> np.ndarray:
        """What a network predicts, in its own unit, within the range of what it was trained on."""
        values = self.decode(predicted)
        return values if self.low is None else np.clip(values, self.low, self.high)

    @property
    def learned_range(self) -> tuple[float, float] | None:
        """From ``low`` to ``high``, as a network learns them."""
        if self.low is None or self.high is None:
            return None
        return (self.low - self.mean) / self.std, (self.high - self.mean) / self.std

    def as_data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, **asdict(self)}

    def said(self) -> str:
        """In words."""
        unit = shown(self.unit)
        return f"values: mean {self.mean:.6g}{unit}, standard deviation {self.std:.6g}{unit}"

    def __post_init__(self) -> None:
        both = None not in (self.low, self.high)
        numbers = (self.mean, self.std, *((self.low, self.high) if both else ()))
        right = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        if not right or self.std <= 0 or (self.low is None) != (self.high is None):
            raise ValueError("a table's label: wrong mean, deviation or range")
        if both and not self.low <= self.high:  # type: ignore[operator]
            raise ValueError("a table's label: its range ends before it begins")
        if not isinstance(self.unit, str) or self.decimal not in DECIMALS:
            raise ValueError("a table's label: wrong unit or decimal sign")


Label = Classes | Values


def label_from(data: dict[str, Any]) -> Label:
    """What ``as_data`` made of a label."""
    known = dict(data)
    kinds: dict[str, type[Label]] = {Classes.kind: Classes, Values.kind: Values}
    label = kinds[known.pop("kind")](**known)
    if not isinstance(label.name, str):
        raise ValueError("a table's label: wrong name")
    return label


def fit_label(
    column: pd.Series, values: bool | None, rows: np.ndarray | slice = slice(None)
) -> Label:
    """The label of rows that all have one: of values or of classes, or as its cells look.

    Classes are those of all rows; the mean of values, their deviation and range those of ``rows``.
    """
    if values is None:
        values = looks_like_values(column)
    return Values.fit(column.iloc[rows], parsed(column).written) if values else Classes.fit(column)


def looks_like_values(column: pd.Series) -> bool:
    """Whether cells are numbers that are fractions, or more different ones than classes."""
    numbers, wrong, _ = parsed(column)
    if wrong.any() or is_truth(column):
        return False
    if not bool((numbers == np.floor(numbers)).all()):
        return True
    different = len(np.unique(numbers))
    return different > FEW or (different > 2 and different * EACH > len(numbers))
