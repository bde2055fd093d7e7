"""Means and deviations of columns, in one pass."""

import numpy as np

ROWS = 4096  # that are turned into doubles at a time


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
        for start in range(0, len(rows), ROWS):
            self._add(rows[start : start + ROWS].astype(np.float64))

    def _add(self, part: np.ndarray) -> None:
        mean = part.mean(axis=0)
        squares = np.square(part - mean).sum(axis=0)
        together, apart = self.count + len(part), mean - self.mean
        self.squares = (
            self.squares + squares + np.square(apart) * (self.count * len(part) / together)
        )
        self.mean = self.mean + apart * (len(part) / together)
        self.count = together

    @property
    def std(self) -> np.ndarray:
        """Of each column, over all rows."""
        return np.sqrt(self.squares / self.count)
