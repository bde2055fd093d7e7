"""The one pass in which data on disk are looked at before anything is learned from them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fastbp._arrays import all_finite
from fastbp._moments import Moments
from fastbp.datasets._checked import check_labels, check_values

from ._source import Source, in_block

Each = Callable[[np.ndarray, np.ndarray], None]
FIRST = 1000  # samples that stay in memory, to tell what the others are like


@dataclass
class Survey:
    """What was found.

    Attributes
    ----------
    x, y : ndarray
        The first samples.
    classes : int
        0 of values.
    counts : (classes,) ndarray
        Of the samples of each class; of values there are none.
    moments, of_targets : Moments
        Of each column of the samples; and of values.
    crc : int
        That of all numbers, in order.
    """

    x: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    y: np.ndarray = field(default_factory=lambda: np.zeros(0))
    classes: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    moments: Moments = field(default_factory=Moments)
    of_targets: Moments = field(default_factory=Moments)
    crc: int = 0


def surveyed(source: Source, classes: int | None, values: bool, each: Each) -> Survey:
    """Look at all samples, and at how many each block holds; ``each`` gets all of them in order.

    Raises
    ------
    DataError
        If blocks differ in columns or dtype, or a number is NaN or infinite, or a target is none;
        the message has the file and the row.
    """
    found, seen = Survey(), _Seen(values, classes)
    for block, name in enumerate(source.names):
        size = 0
        if block and name != source.names[block - 1]:
            seen.rows = 0
        for x, y in source.pieces(block):
            if not len(x):
                continue
            seen.check(name, x, y)
            _add(found, x, seen.y)
            each(x, seen.y)
            size, seen.rows = size + len(x), seen.rows + len(x)
        source.sizes.append(size)
    if not sum(source.sizes):
        raise in_block(source.name, ValueError("no samples"))
    found.classes = seen.classes
    found.counts = np.pad(found.counts, (0, found.classes - len(found.counts)))
    return found


def _add(found: Survey, x: np.ndarray, y: np.ndarray) -> None:
    if not len(found.x):
        found.x, found.y = x[:FIRST].copy(), y[:FIRST].copy()
    elif len(found.x) < FIRST:
        more = FIRST - len(found.x)
        found.x = np.concatenate([found.x, x[:more]])
        found.y = np.concatenate([found.y, y[:more]])
    found.moments.add(x)
    if y.dtype.kind == "f":
        found.of_targets.add(y.reshape(len(y), -1))
    else:
        counts = np.bincount(y, minlength=len(found.counts))
        counts[: len(found.counts)] += found.counts
        found.counts = counts
    for part in (x, y):
        found.crc = zlib.crc32(np.ascontiguousarray(part).view(np.uint8).data, found.crc)


class _Seen:
    """What the first block was, which all others must be."""

    def __init__(self, values: bool, classes: int | None) -> None:
        self.values, self.asked, self.classes = values, classes, 0
        self.first: tuple[str, object] | None = None
        self.rows = 0  # of this file, before this piece
        self.y = np.zeros(0)

    def check(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        """Refuse what is wrong in some samples, which a file has after ``rows`` others."""
        kind = f"{x.shape[1]} columns of {x.dtype}"
        if y.ndim > 1:
            kind += f" and {y.shape[1]} values"
        if self.first is None:
            self.first = name, kind
        elif kind != self.first[1]:
            told = f"it has samples of {kind}, but {self.first[0]} has {self.first[1]}"
            raise in_block(name, ValueError(told))
        if x.dtype.kind == "f" and not all_finite(x):
            row, column = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
            number = "NaN" if np.isnan(x[row, column]) else "an infinite number"
            told = f"{number} in row {self.rows + row}, column {column}; drop or fill in such rows"
            raise in_block(name, ValueError(told))
        try:
            if self.values:
                self.y = check_values(y, len(x), self.asked, self.rows)
            else:
                self.y, classes = check_labels(y, len(x), self.asked, self.rows)
                self.classes = max(self.classes, classes)
        except (TypeError, ValueError) as problem:
            raise in_block(name, problem) from None
