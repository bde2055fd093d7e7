"""What a network answered beside what is true: of classes counts, and a picture of either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastbp import datasets
from fastbp._above import Above
from fastbp.meaning import Meaning, predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastbp.datasets import Table

    from .samples import Samples


class Answers(NamedTuple):
    """True and predicted, of the same samples."""

    true: np.ndarray  # (n,) classes, or values (n,) or (n, outputs); yes and no likewise
    predicted: np.ndarray  # of the same shape; -1 is no class
    classes: int  # 0 where they are none
    table: Table | None  # which x was made of

    @classmethod
    def of(cls, samples: Samples, scores: np.ndarray, known: Table | None) -> Answers | None:
        """Those of scores; None where nobody says what the targets mean."""
        meaning, classes = samples.meaning, samples.classes()
        table = samples.table if known is None else known
        if classes is not None:
            count = 2 if meaning is Meaning.TWO_CLASSES else samples.outputs
            return cls(classes, predicted_classes(scores, meaning), count, table)
        if meaning is Meaning.CLASSES:
            return None
        return cls(samples.answers(), predictions(scores, meaning), 0, table)

    def matrix(self) -> np.ndarray:
        """Counts (classes, classes), see ``confusion``."""
        if not self.classes:
            raise ValueError("confusion_matrix: there are no classes, of which it counts mistakes")
        return confusion(self.true, self.predicted, self.classes)

    def plot(self) -> Figure:
        """Classes as a confusion matrix, values as dots beside the diagonal."""
        if self.classes:
            return _drawn(self.matrix(), self.table)
        if self.true.ndim > 1:
            raise ValueError(f"Evaluation.plot: draws one column, got {self.true.shape[1]}")
        plots, label = Above.plots(), None if self.table is None else self.table.label
        figure: Figure
        if label is None:
            figure = plots.true_by_predicted(self.true, self.predicted)
            return figure
        true, told = label.decode(self.true), label.told(self.predicted)
        figure = plots.true_by_predicted(true, told, name=label.name)
        return figure


class Counted:
    """Which classes were taken for which, of samples that are seen part by part and not kept."""

    def __init__(self, known: Table | None) -> None:
        self.table = known
        self.counts: np.ndarray | None = None  # (classes, classes), where there are any

    def of(
        self, samples: Samples, parts: Iterable[tuple[slice, np.ndarray]]
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """The scores of some samples, part by part, as they are; they are counted on the way."""
        true, self.table = samples.classes(), self.table or samples.table
        classes = 2 if samples.meaning is Meaning.TWO_CLASSES else samples.outputs
        for rows, scores in parts:
            if true is not None:
                predicted = predicted_classes(scores, samples.meaning)
                counts = confusion(true[rows], predicted, classes)
                self.counts = counts if self.counts is None else self.counts + counts
            yield rows, scores

    def matrix(self) -> np.ndarray:
        """Counts (classes, classes), see ``confusion``."""
        if self.counts is None:
            raise ValueError("confusion_matrix: there are no classes, of which it counts mistakes")
        return self.counts

    def plot(self) -> Figure:
        """The confusion matrix."""
        if self.counts is None:
            raise ValueError(
                "Evaluation.plot: values of data on disk are not kept; evaluate some in memory"
            )
        return _drawn(self.counts, self.table)


def _drawn(matrix: np.ndarray, table: Table | None) -> Figure:
    """A confusion matrix, with the classes' names where a table has them."""
    label = None if table is None else table.label
    names = [*map(str, label.names)] if isinstance(label, datasets.Classes) else None
    figure: Figure = Above.plots().confusion_matrix(matrix, names)
    return figure


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): rows are the true classes, columns the predicted ones.

    A prediction of -1 is none, and not counted.
    """
    pairs = (true * classes + predicted)[predicted >= 0]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def predicted_classes(scores: np.ndarray, meaning: Meaning) -> np.ndarray:
    """The classes that (n, outputs) scores predict; -1 for scores that are no numbers."""
    lost = np.isnan(scores).any(axis=1)
    return np.where(lost, -1, predictions(scores, meaning))
