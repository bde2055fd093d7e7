"""What ``evaluate`` finds, as it is told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp._hints import refuse
from fastbp.pages import notebook

from .answers import Answers, Counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _Pair(NamedTuple):
    accuracy: float  # the share of answers that are right
    loss: float  # NaN without a loss


class Evaluation(_Pair):
    """What ``evaluate`` found: the pair of accuracy and loss, and of values R² and MAE.

    What the data or the scores' meaning do not give is NaN.
    """

    r2: float  # 1 where every value is right, 0 for the mean of the targets
    mae: float  # the mean distance of a value from its target
    answers: Answers | Counted | None = None  # what it is of, where ``evaluate`` found it

    def __new__(
        cls,
        accuracy: float = math.nan,
        loss: float = math.nan,
        r2: float = math.nan,
        mae: float = math.nan,
    ) -> Evaluation:
        """A pair still: ``accuracy, loss = evaluate(...)``."""
        self = super().__new__(cls, accuracy, loss)
        self.r2, self.mae = r2, mae
        return self

    def __getitem__(self, key: Any) -> Any:
        """By number, as of any pair, or by name: ``found["accuracy"]``."""
        return getattr(self, key) if isinstance(key, str) else super().__getitem__(key)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            refuse(self, name)

    @property
    def confusion_matrix(self) -> np.ndarray:
        """Counts (classes, classes): rows are the true classes, columns the predicted ones.

        Samples whose scores are NaN are not counted.
        """
        return self._answers().matrix()

    def plot(self) -> Figure:
        """Draw which classes are taken for which, or values beside what was predicted.

        In a notebook the figure shows itself; ``fb.plots.save`` writes it.
        """
        return self._answers().plot()

    def _answers(self) -> Answers | Counted:
        if self.answers is None:
            raise ValueError(
                "Evaluation: fb.evaluate keeps answers, of data that say what is right"
            )
        return self.answers

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        figures = {"accuracy": self.accuracy, "loss": self.loss, "R²": self.r2, "MAE": self.mae}
        known = {name: f"{value:.6g}" for name, value in figures.items() if not math.isnan(value)}
        return notebook.shown("Evaluation", notebook.listed(known) if known else "")

    def __repr__(self) -> str:
        return f"Evaluation({self.accuracy}, {self.loss}, r2={self.r2}, mae={self.mae})"
