"""How much memory there is, sizes in words, and memory to work in."""

import contextlib
import math
import mmap
import os

import numpy as np

LIMIT = "/sys/fs/cgroup/memory.max"  # of a container
HUGE_PAGE, LINE = 2**21, 64  # bytes
LARGE = 2**19  # bytes, from which memory in huge pages pays


def machine() -> float:
    """The bytes of memory that this process can have at most; infinite where nobody says."""
    try:
        found: float = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # on Windows
        found = math.inf
    try:
        with open(LIMIT) as file:
            return min(found, int(file.read()))
    except (OSError, ValueError):  # no such file, or "max"
        return found


def in_words(size: float) -> str:
    """Bytes for people: 3.1 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1e3:,.1f} kB"


def zeros(elements: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that start at a page: a huge one if they are many, where the system has such pages.

    A step of training reads every weight. In pages of 4 kB, where they happen to lie in the
    machine's memory decides how well its caches hold them; in huge pages they lie side by side.
    """
    size = elements * dtype.itemsize
    if size < LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return _from(np.zeros(size + mmap.PAGESIZE, np.uint8), size, mmap.PAGESIZE).view(dtype)
    whole = -(-size // HUGE_PAGE) * HUGE_PAGE
    memory = mmap.mmap(-1, whole + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # of a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return _from(np.frombuffer(memory, np.uint8), size, HUGE_PAGE).view(dtype)


def zeros_in_lines(elements: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that start at a line of the cache: else every vector would lie in two of them.

    A single sample is predicted up to half again as fast then. Their ``base`` is an array.
    """
    size = elements * dtype.itemsize
    return _from(np.zeros(size + LINE, np.uint8), size, LINE).view(dtype)


def in_lines(array: np.ndarray) -> np.ndarray:
    """An array (n,) itself, if it is one of those, or a copy that is."""
    if isinstance(array.base, np.ndarray) and array.ctypes.data % LINE == 0:
        return array
    copy = zeros_in_lines(array.size, array.dtype)
    copy[...] = array
    return copy


def _from(raw: np.ndarray, size: int, at: int) -> np.ndarray:
    """So many of these bytes, from the first whose address is a multiple."""
    start = -raw.ctypes.data % at
    return raw[start : start + size]
