"""Samples as they are trained on, and their targets: checked and converted in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastbp import threads as thread_counts
from fastbp._arrays import all_finite

LARGE = 1 << 20  # numbers, from which threads share the pass
AT_ONCE = 1 << 16  # numbers that are looked at while they are near


def as_finite(x: Any, dtype: Any, threads: int | None) -> np.ndarray | None:
    """Samples in a dtype, row by row, themselves if they are; None where scikit-learn must do.

    scikit-learn converts all, then looks at all again, in one thread, and asks first what all that
    may be. Here threads share the blocks of rows. Other things than arrays of floats, and those
    with a number that is not finite, which it has an error for, are its own.

    Parameters
    ----------
    x : (n, features) array, or whatever a user gave
    dtype : dtype or None
        x's, if left out.
    """
    if type(x) is not np.ndarray or x.ndim != 2 or x.dtype not in (np.float32, np.float64):
        return None
    if not x.size:
        return None
    dtype = np.dtype(dtype or x.dtype)
    found = x if x.dtype == dtype and x.flags.c_contiguous else np.empty(x.shape, dtype)
    rows, together = max(1, AT_ONCE // x.shape[1]), 1
    if x.size >= LARGE:
        together = thread_counts.count(threads)

    def convert(start: int) -> bool:
        part = found[start : start + rows]
        if found is not x:
            with np.errstate(over="ignore"):
                part[...] = x[start : start + rows]
        return all_finite(part)

    finite = thread_counts.holds_for_all(convert, range(0, len(x), rows), together)
    return found if finite else None


def are_plain(y: Any, samples: int) -> bool:
    """Whether these are a finite number for each sample, in an array, as scikit-learn takes it."""
    if type(y) is not np.ndarray or y.shape != (samples,):
        return False
    return y.dtype.kind in "biu" or (y.dtype.kind == "f" and all_finite(y))
