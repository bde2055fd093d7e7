"""How good a network is on data whose targets are known: accuracy, or R² and MAE; and its loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from fastbp import datasets
from fastbp._checks import check_kind
from fastbp._hints import refuse
from fastbp.backends import kernels
from fastbp.engine.scores import fused_scores
from fastbp.ensemble import Ensemble
from fastbp.losses import Loss
from fastbp.meaning import Meaning, expected
from fastbp.network import Sequential
from fastbp.pages import notebook
from fastbp.prediction import CHUNK, layered_scores

from .answers import Answers
from .parts import named_loss
from .samples import Data, Samples, as_samples, batch_of, checked_scores

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
    answers: Answers | None = None  # what it is of, where ``evaluate`` found it

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

    def _answers(self) -> Answers:
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


def evaluate(
    net: Sequential | Ensemble,
    data: Data,
    loss: Loss | str | None = None,
    threads: int | None = None,
) -> Evaluation:
    """How good a network is on data whose targets are known.

    Parameters
    ----------
    net : Sequential or Ensemble
    data : Dataset or (x, y)
        Or a Dataset or DataLoader of PyTorch's, as ``fit`` takes them.
    loss : Loss or str, optional
        As ``fit`` takes it. Its mean over all samples is computed too, and it says what scores
        mean, and targets are. Without it ``net.meaning`` does.
    threads : int, optional
        See ``Sequential.scores``.

    Returns
    -------
    Evaluation
        ``accuracy`` of classes: the share of samples whose class is predicted. Where targets are
        probabilities of classes, the most probable one is right. Of "labels": the share of all
        n·outputs answers that are right, yes for targets above ½. Scores that are NaN are wrong.

        ``r2`` and ``mae`` of values: R² = 1 - Σ(y - p)² / Σ(y - mean y)² of each output, averaged
        over the outputs, and the mean of all |y - p|. As in scikit-learn R² of targets that are
        all the same is 1 for a perfect prediction, else 0. Of a table's Dataset, values are what
        ``predict`` tells, within the range of those that were trained on.

        ``loss``, if one is given. What does not apply is NaN.

    Raises
    ------
    ValueError, TypeError
        When network, data and loss do not fit together.
    """
    if isinstance(loss, np.ndarray | list):
        raise TypeError("evaluate: expected a loss after the data; write fb.evaluate(net, (x, y))")
    loss = None if loss is None else named_loss(loss, "evaluate loss")
    if isinstance(net, Ensemble):
        samples = as_samples(net.nets[0], data, loss, "data")
        parts = [*_together(net, samples, threads)]
    else:
        check_kind(net, Sequential, "evaluate")
        samples = as_samples(net, data, loss, "data")
        parts = [*_scores_by_part(net, samples, threads)]
    found = evaluate_scores(samples, parts, loss)
    scores = [part for _, part in parts]
    whole = scores[0] if len(scores) == 1 else np.concatenate(scores)
    found.answers = Answers.of(samples, whole, net.table)
    return found


def evaluate_samples(
    net: Sequential, samples: Samples, loss: Loss | None = None, threads: int | None = None
) -> Evaluation:
    """``evaluate`` for data that were checked before."""
    return evaluate_scores(samples, _scores_by_part(net, samples, threads), loss)


def evaluate_scores(
    samples: Samples, parts: Iterable[tuple[slice, np.ndarray]], loss: Loss | None = None
) -> Evaluation:
    """The same of scores that are known: those of some rows after those of others."""
    tally, total, n = _tally(samples), 0.0, len(samples.x)
    with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged is told elsewhere
        for rows, scores in parts:
            tally.add(scores, rows)
            if loss is not None:
                total += loss.compute(scores, samples.target[rows])[0] * len(scores)
        return tally.result(math.nan if loss is None else total / n)


def all_scores(net: Sequential, samples: Samples, threads: int | None) -> np.ndarray:
    """The scores of all samples, (n, outputs)."""
    return np.concatenate([scores for _, scores in _scores_by_part(net, samples, threads)])


class _Tally(Protocol):
    """What adds up over parts of the data."""

    def add(self, scores: np.ndarray, rows: slice) -> None:
        """Compare these samples' scores with their targets."""

    def result(self, loss: float) -> Evaluation:
        """What came of it, with the loss."""


def _tally(samples: Samples) -> _Tally:
    if samples.labels is not None:
        return _Classes(samples.labels)
    if samples.meaning.is_values:
        return _Values(samples)
    if samples.meaning is Meaning.CLASSES:  # of a single column, or a user's own loss
        return _Unknown()
    return _Answers(samples.target)


class _Unknown:
    """Targets of which nobody says what is right."""

    def add(self, scores: np.ndarray, rows: slice) -> None:
        pass

    def result(self, loss: float) -> Evaluation:
        return Evaluation(loss=loss)


class _Classes:
    """How many samples' largest score is the right class's; NaN is no score."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels, self.right = labels, 0

    def add(self, scores: np.ndarray, rows: slice) -> None:
        labels, known = self.labels[rows], ~np.isnan(scores).any(axis=1)
        if not known.all():
            scores, labels = scores[known], labels[known]
        if len(scores):
            self.right += round(kernels().accuracy(scores, labels) * len(scores))

    def result(self, loss: float) -> Evaluation:
        return Evaluation(self.right / len(self.labels), loss)


class _Answers:
    """How many answers of yes and no are right."""

    def __init__(self, target: np.ndarray) -> None:
        self.yes, self.right = target > 0.5, 0

    def add(self, scores: np.ndarray, rows: slice) -> None:
        right = ((scores > 0) == self.yes[rows]) & ~np.isnan(scores)
        self.right += int(np.count_nonzero(right))

    def result(self, loss: float) -> Evaluation:
        return Evaluation(self.right / self.yes.size, loss)


class _Values:
    """How far values are from their targets, summed in double."""

    def __init__(self, samples: Samples) -> None:
        self.target, self.meaning = samples.target.astype(np.float64), samples.meaning
        label = None if samples.table is None else samples.table.label
        self.range = label.learned_range if isinstance(label, datasets.Values) else None
        self.squares = np.zeros(self.target.shape[1])
        self.distance = 0.0

    def add(self, scores: np.ndarray, rows: slice) -> None:
        values = expected(scores.astype(np.float64), self.meaning)
        if self.range is not None:
            values = np.clip(values, *self.range)
        difference = values - self.target[rows]
        self.squares += np.square(difference).sum(axis=0)
        self.distance += float(np.abs(difference).sum())

    def result(self, loss: float) -> Evaluation:
        spread = np.square(self.target - self.target.mean(axis=0)).sum(axis=0)
        share = np.divide(self.squares, spread, out=np.ones_like(spread), where=spread > 0)
        share[(spread == 0) & (self.squares == 0)] = 0
        share[np.isnan(self.squares)] = math.nan
        mae = self.distance / self.target.size
        return Evaluation(loss=loss, r2=float(1 - share.mean()), mae=mae)


def _together(
    ensemble: Ensemble, samples: Samples, threads: int | None
) -> Iterator[tuple[slice, np.ndarray]]:
    """The scores of all networks together: each computes them by the same parts, or all at once."""
    for parts in zip(*(_scores_by_part(net, samples, threads) for net in ensemble), strict=True):
        yield parts[0][0], ensemble.together([scores for _, scores in parts])


def _scores_by_part(
    net: Sequential, samples: Samples, threads: int | None
) -> Iterator[tuple[slice, np.ndarray]]:
    """The scores of all samples: at once on an engine, else CHUNK by CHUNK."""
    n = len(samples.x)
    scores = fused_scores(net, samples.x, samples.scale, threads)
    if scores is not None:
        yield slice(0, n), scores
        return
    for start in range(0, n, CHUNK):
        rows = np.arange(start, min(start + CHUNK, n))
        scores = layered_scores(net, batch_of(net, samples, rows)[0])
        checked_scores(net, scores, len(rows), samples.outputs)
        yield slice(start, start + CHUNK), scores
