"""Samples as bytes, where they are made of such: images by 255, or small whole numbers.

A batch's samples come from anywhere in the data: of bytes, a quarter of what float32 takes has to
come from memory, and an eighth of float64. They stand for the very same numbers.
"""

from typing import NamedTuple

import numpy as np

from fastbp import threads as thread_counts
from fastbp.backends import active

LEAST = 1 << 24  # bytes of samples that are no longer near a processor
AT_ONCE = 1 << 16  # numbers, until a thread looks whether all were bytes so far
# What bytes may have been multiplied by, and divided by where that is not 0.
FORMS = (1.0, 0.0), (1.0, 255.0), (1 / 255, 0.0)


class Bytes(NamedTuple):
    """What stands for samples."""

    x: np.ndarray  # (n, inputs) uint8, or the samples themselves
    scale: float  # that makes them of it
    divisor: float  # what it is divided by instead, if that is not 0


def as_bytes(x: np.ndarray, threads: int | None) -> Bytes:
    """Samples as bytes, if they are many, and such.

    Parameters
    ----------
    x : (n, inputs) C-contiguous array
    threads : int, optional
        As many as there are processors, if left out.
    """
    if x.dtype.kind == "f" and x.nbytes >= LEAST and active().can("bytes"):
        for form in FORMS:
            found = _found(x, form, thread_counts.count(threads))
            if found is not None:
                return Bytes(found, *form)
    return Bytes(x, 1.0, 0.0)


def _found(x: np.ndarray, form: tuple[float, float], threads: int) -> np.ndarray | None:
    """The bytes that x was made of in that form; None if there are none."""
    numbers, kernels = x.reshape(-1), active().kernels
    found = np.empty(x.shape, np.uint8)
    bytes_ = found.reshape(-1)

    def are_bytes(start: int) -> bool:
        some = slice(start, start + AT_ONCE)
        return bool(kernels.as_bytes(numbers[some], *form, bytes_[some]))

    starts = range(0, len(numbers), AT_ONCE)
    return found if thread_counts.holds_for_all(are_bytes, starts, threads) else None
