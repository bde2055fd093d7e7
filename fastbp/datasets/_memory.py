"""How much memory data on disk may take, and how that is shared out."""

from __future__ import annotations

import re
from typing import Any

from fastbp._checks import shown
from fastbp._memory import in_words

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def as_bytes(memory: Any) -> int:
    """A number of bytes, as it is or as text: "500MB", "1.5 GB", "1GiB".

    Raises
    ------
    TypeError, ValueError
        If it is none, or not above 0.
    """
    if isinstance(memory, bool) or not isinstance(memory, int | str):
        raise TypeError(f"memory: expected bytes, or text like '1GB', got {memory!r:.60}")
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", memory.lower())
        if found is None or (found[3] and not found[2]):
            raise ValueError(f"memory: expected a size like '500MB' or '1GB', got {memory!r:.60}")
        base = UNITS[found[2]]
        if found[3]:
            base = 1024 ** [*UNITS].index(found[2])
        memory = int(float(found[1]) * base)
    if memory < 1:
        raise ValueError(f"memory: expected at least 1 byte, got {shown(memory)}")
    return int(memory)


def too_small(memory: int, needed: int, why: str) -> ValueError:
    """The error of a bound within which nothing can be done."""
    return ValueError(
        f"memory: {in_words(memory)} are too few: {why}; give at least {in_words(needed)}"
    )
