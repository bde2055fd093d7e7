"""How much memory there is, and sizes in words."""

import math
import os
from pathlib import Path

LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def machine() -> float:
    """The bytes of memory that this process can have at most; infinite where nobody says."""
    try:
        found: float = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # on Windows
        found = math.inf
    try:
        return min(found, int(LIMIT.read_text()))
    except (OSError, ValueError):  # no such file, or "max"
        return found


def in_words(size: float) -> str:
    """Bytes for people: 3.1 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1e3:,.1f} kB"
