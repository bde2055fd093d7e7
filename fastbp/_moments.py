"""Means and deviations of columns, in one pass."""

from __future__ import annotations

import numpy as np

NEAR = 1 << 16  # numbers that are turned into doubles at a time, and so stay near the processor


class Moments:
    """Of all rows that were added: how many, their mean, and their squares about it.

    Parts are put together as Chan, Golub and LeVeque 1983 do: nothing is lost to rounding where a
    mean is far from 0.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = np.zeros(1)

    def add(self, rows: np.ndarray) -> None:
        """Rows (n, columns) more."""
        at_once = max(1, NEAR // max(1, rows.shape[1]))
        for start in range(0, len(rows), at_once):
            # Turned over: sums along rows are the fastest, and lose the least.
            part = np.array(rows[start : start + at_once].T, np.float64, order="C")
            mean = part.mean(axis=1)
            part -= mean[:, np.newaxis]
            self._take(part.shape[1], mean, np.square(part, out=part).sum(axis=1))

    def merge(self, other: Moments) -> None:
        """Those of another."""
        self._take(other.count, other.mean, other.squares)

    def _take(self, count: int, mean: np.ndarray, squares: np.ndarray) -> None:
        together, apart = self.count + count, mean - self.mean
        self.squares = self.squares + squares + np.square(apart) * (self.count * count / together)
        self.mean = self.mean + apart * (count / together)
        self.count = together

    @property
    def std(self) -> np.ndarray:
        """Of each column, over all rows."""
        return np.sqrt(self.squares / self.count)
