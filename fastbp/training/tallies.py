"""What adds up over samples whose scores are known, part by part and window by window."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import numpy as np

from fastbp import datasets
from fastbp.backends import kernels
from fastbp.meaning import Meaning, expected

from .evaluated import Evaluation
from .samples import Samples


class Tally:
    """How often, or how nearly, scores are right. This one: of what nobody says what is right."""

    def __init__(self, samples: Samples) -> None:
        self.count, self.total = len(samples.x), math.nan  # the sum of all losses

    def add(self, scores: np.ndarray, rows: slice) -> None:
        """Compare these samples' scores with their targets."""

    def merged(self, other: Any) -> Tally:
        """This one, with what another of its kind found of other samples."""
        self.count += other.count
        self.total += other.total
        return self

    def result(self) -> Evaluation:
        """What came of it."""
        return Evaluation(loss=self.loss)

    @property
    def loss(self) -> float:
        """The mean of all samples, where there is one."""
        return self.total / self.count


def tally_of(samples: Samples) -> Tally:
    """An empty one, by what the targets are."""
    if samples.labels is not None:
        return _Classes(samples, samples.labels)
    if samples.meaning.is_values:
        return _Values(samples)
    if samples.meaning is Meaning.CLASSES:  # of a single column, or a user's own loss
        return Tally(samples)
    return _Answers(samples)


class _Classes(Tally):
    """How many samples' largest score is the right class's; NaN is no score."""

    def __init__(self, samples: Samples, labels: np.ndarray) -> None:
        super().__init__(samples)
        self.labels, self.right = labels, 0

    def add(self, scores: np.ndarray, rows: slice) -> None:
        labels = self.labels[rows]
        with np.errstate(invalid="ignore", over="ignore"):
            some_unknown = np.isnan(scores.sum())  # or infinite ones of both signs
        if some_unknown:
            known = ~np.isnan(scores).any(axis=1)
            scores, labels = scores[known], labels[known]
        if len(scores):
            self.right += round(kernels().accuracy(scores, labels) * len(scores))

    def merged(self, other: Any) -> Tally:
        self.right += other.right
        return super().merged(other)

    def result(self) -> Evaluation:
        return Evaluation(self.right / self.count, self.loss)


class _Answers(Tally):
    """How many answers of yes and no are right."""

    def __init__(self, samples: Samples) -> None:
        super().__init__(samples)
        self.yes, self.right = samples.target > 0.5, 0

    def add(self, scores: np.ndarray, rows: slice) -> None:
        right = ((scores > 0) == self.yes[rows]) & ~np.isnan(scores)
        self.right += int(np.count_nonzero(right))

    def merged(self, other: Any) -> Tally:
        self.right += other.right
        return super().merged(other)

    def result(self) -> Evaluation:
        return Evaluation(self.right / (self.count * self.yes.shape[1]), self.loss)


def _learned_range(table: datasets.Table) -> tuple[float, float] | None:
    """Of values that a table's label has, those that there were; None of classes."""
    return table.label.learned_range if isinstance(table.label, datasets.Values) else None


class _Values(Tally):
    """How far values are from their targets, summed in double."""

    def __init__(self, samples: Samples) -> None:
        super().__init__(samples)
        self.target, self.meaning = samples.target, samples.meaning
        self.range = None if samples.table is None else _learned_range(samples.table)
        self.errors = np.zeros((2, samples.outputs))  # squared, and absolute
        self.moments = copy(samples.moments)

    def add(self, scores: np.ndarray, rows: slice) -> None:
        target, values, errors = self.target[rows], scores, np.empty_like(self.errors)
        if self.meaning is not Meaning.VALUES or self.range is not None:
            values = expected(scores.astype(np.float64), self.meaning)
        if self.range is not None:
            values = np.clip(values, *self.range)
        both = (np.ascontiguousarray(a, np.result_type(values, target)) for a in (values, target))
        kernels().sum_errors(*both, errors)
        self.errors += errors

    def merged(self, other: Any) -> Tally:
        self.moments.merge(other.moments)
        self.errors += other.errors
        return super().merged(other)

    def result(self) -> Evaluation:
        spread, (squares, distances) = self.moments.squares, self.errors
        share = np.divide(squares, spread, out=np.ones_like(spread), where=spread > 0)
        share[(spread == 0) & (squares == 0)] = 0
        share[np.isnan(squares)] = math.nan
        mae = float(distances.sum()) / (self.count * len(spread))
        return Evaluation(loss=self.loss, r2=float(1 - share.mean()), mae=mae)
