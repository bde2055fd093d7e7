"""Numbers as people write them: $1,234.50, 1.234,50 €, (300), 12 %."""

from __future__ import annotations

import re

import numpy as np

PERCENT = "%"
MARKS = "'’\u00a0\u2009\u202f"  # between thousands, whatever the decimal sign
_UNIT = "[$€£¥₹]|AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|INR|JPY|NOK|PLN|SEK|USD"
_CELL = re.compile(
    rf"(?P<sign>[-+−]?)\s?(?P<a>{_UNIT})?\s?(?P<open>\()?(?P<b>{_UNIT})?\s?(?P<inner>[-−]?)"
    rf"(?P<digits>[\d.,{MARKS}]*\d[.,]?)(?P<power>[eE][-+]?\d+)?"
    rf"\s?(?P<c>{_UNIT}|{PERCENT})?(?P<close>\))?\s?(?P<d>{_UNIT}|{PERCENT})?"
)


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


def fill(words: np.ndarray, numbers: np.ndarray, wrong: np.ndarray, decimal: str = ".") -> None:
    """Replace in ``numbers`` what is ``wrong`` and can be read, if all of it has one unit.

    Numbers without a unit go with a currency; with per cent only 0 does.

    Parameters
    ----------
    words : (n,) array of str
    numbers : (n,) float64 array
        Overwritten.
    wrong : (n,) bool array
        Overwritten: what is no number still.
    """
    places = np.flatnonzero(wrong)
    read = {word: number_of(word, decimal) for word in set(words[places])}
    known = {word: found for word, found in read.items() if found is not None}
    units = {unit for _, unit in known.values()} - {""}
    bare = [value for value, unit in known.values() if not unit]
    if len(units) > 1 or (PERCENT in units and (np.any(bare) or np.nansum(np.abs(numbers)))):
        return
    for place in places:
        if words[place] in known:
            numbers[place], wrong[place] = known[words[place]][0], False
