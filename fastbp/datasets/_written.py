"""Numbers as people write them: $1,234.50, 1.234,50 €, (300), 12 %, 70 kg, 12:30."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

PERCENT = "%"
DECIMALS = (".", ",")
MARKS = " '’\u00a0\u2009\u202f"  # between thousands, whatever the decimal sign
_UNIT = "[$€£¥₹]|AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|INR|JPY|NOK|PLN|SEK|USD"
_CELL = re.compile(
    rf"(?P<sign>[-+−]?)\s?(?P<a>{_UNIT})?\s?(?P<open>\()?(?P<b>{_UNIT})?\s?(?P<inner>[-−]?)"
    rf"(?P<digits>[\d.,{MARKS}]*\d[.,]?)(?P<power>[eE][-+]?\d+)?"
    rf"\s?(?P<c>{_UNIT}|{PERCENT})?(?P<close>\))?\s?(?P<d>{_UNIT}|{PERCENT})?"
)

_MEASURED = re.compile(
    r"(?P<number>.*\d[.,]?)\s?(?P<unit>[°′″'\"]|°?[^\W\d_]{1,12}(?:[/:][^\W\d_]{1,12}){0,2}[²³]?)"
)
_STARTS = frozenset("0123456789.,+-−(")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,3}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:\.\d+)?))?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?",
    re.IGNORECASE,
)


class Written(NamedTuple):
    """How a column's numbers are written.

    Attributes
    ----------
    unit : str
        A currency, %, or what stands behind them; nothing where there was none.
    decimal : str
        The sign before decimals.
    """

    unit: str = ""
    decimal: str = "."

    def said(self) -> str:
        """In words, beside what numbers are."""
        unit = f" in {self.unit}" if self.unit else ""
        return unit + (" with decimal commas" if self.decimal == "," else "")


PLAIN = Written()


def shown(unit: str) -> str:
    """A unit behind a number; what is written as 12:30 is 12.5 hours."""
    return f" {unit.split(':')[0]}" if unit else ""


def _numbers(decimal: str, thousands: str) -> re.Pattern[str]:
    """What digits are a number, where the signs are these."""
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>[{thousands}{MARKS}])\d{{3}}(?:(?P=mark)\d{{3}})*"
    point = re.escape(decimal)
    return re.compile(rf"(?:{grouped}|\d+)(?:{point}\d*)?|{point}\d+")


_NUMBERS = {".": _numbers(".", ","), ",": _numbers(",", ".")}


def number_of(cell: str, decimal: str = ".") -> tuple[float, str] | None:
    """A cell's number and its unit, a currency, % or nothing; None if it is no number.

    Examples
    --------
    >>> number_of("$1,234.50")
    (1234.5, '$')
    >>> number_of("(1.234,50) €", ",")
    (-1234.5, '€')
    """
    found = _CELL.fullmatch(cell)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    units = [found[place] for place in "abcd" if found[place]]
    signs = [sign for sign in (found["open"], found["sign"], found["inner"]) if sign]
    digits = found["digits"]
    if len(units) > 1 or len(signs) > 1 or not _NUMBERS[decimal].fullmatch(digits):
        return None
    for mark in {".", ",", *MARKS} - {decimal}:
        digits = digits.replace(mark, "")
    value = float(digits.replace(decimal, ".") + (found["power"] or ""))
    return (value if signs in ([], ["+"]) else -value), "".join(units)


def measured(cell: str, decimal: str = ".") -> tuple[float, str] | None:
    """As ``number_of``, of any unit that stands behind the number, and of hours.

    Examples
    --------
    >>> measured("70.5 kg"), measured("12:30"), measured("1:05 pm")
    ((70.5, 'kg'), (12.5, 'h:mm'), (13.083333333333334, 'h:mm'))
    """
    if found := number_of(cell, decimal):
        return found
    if cell[:1] not in _STARTS:  # most words end here
        return None
    if clock := _CLOCK.fullmatch(cell):
        return _hours(clock)
    if parts := _MEASURED.fullmatch(cell):
        found = number_of(parts["number"], decimal)
        return (found[0], parts["unit"]) if found and not found[1] else None
    return None


def _hours(clock: re.Match[str]) -> tuple[float, str] | None:
    """Times of a day, or lengths of time; two parts and three may differ in what they count."""
    hour, half = int(clock["hour"]), (clock["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    seconds = float(clock["second"] or 0)
    unit = "h:mm:ss" if clock["second"] else "h:mm"
    return hour + int(clock["minute"]) / 60 + seconds / 3600, unit


def fill(
    words: np.ndarray, numbers: np.ndarray, wrong: np.ndarray, written: Written = PLAIN
) -> str:
    """Replace in ``numbers`` what is ``wrong`` and can be read, if all of it has one unit.

    Numbers without a unit go with any; with per cent only 0 does.

    Parameters
    ----------
    words : (n,) array of str
    numbers : (n,) float64 array
        Overwritten.
    wrong : (n,) bool array
        Overwritten: what is no number still.
    written : Written
        Where it has a unit, no other is read.

    Returns
    -------
    str
        The unit.
    """
    places = np.flatnonzero(wrong)
    read = {word: measured(word, written.decimal) for word in set(words[places])}
    expected = ("", written.unit)
    known = {
        word: found
        for word, found in read.items()
        if found is not None and (not written.unit or found[1] in expected)
    }
    units = {unit for _, unit in known.values()} - {""}
    bare = [value for value, unit in known.values() if not unit]
    if len(units) > 1 or (PERCENT in units and (np.any(bare) or np.nansum(np.abs(numbers)))):
        return ""
    for place in places:
        if words[place] in known:
            numbers[place], wrong[place] = known[words[place]][0], False
    return units.pop() if units else ""
