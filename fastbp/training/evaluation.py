"""Accuracy and loss of a network on labelled data."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastbp._checks import check_kind
from fastbp.backends import kernels
from fastbp.engine.scores import fused_scores
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.prediction import CHUNK

from .samples import Data, Samples, as_samples, batch_of, checked_scores


class Evaluation(NamedTuple):
    """What ``evaluate`` found."""

    accuracy: float  # share of samples whose largest score is the right class's
    loss: float  # NaN without a loss


def evaluate(
    net: Sequential, data: Data, loss: Loss | None = None, threads: int | None = None
) -> Evaluation:
    """Accuracy and loss of a network on labelled data.

    Parameters
    ----------
    net : Sequential
    data : Dataset or (x, y)
    loss : Loss, optional
        Its mean over all samples is computed too.
    threads : int, optional
        See ``Sequential.scores``.

    Returns
    -------
    Evaluation
        ``accuracy`` (NaN where the targets are values, not classes) and ``loss``.
    """
    for part, kind in ((net, Sequential), (Loss() if loss is None else loss, Loss)):
        check_kind(part, kind, "evaluate")
    return evaluate_samples(net, as_samples(net, data, loss, "data"), loss, threads)


def evaluate_samples(
    net: Sequential, samples: Samples, loss: Loss | None = None, threads: int | None = None
) -> Evaluation:
    """``evaluate`` for data that were checked before."""
    right, total = 0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged is told elsewhere
        for rows, scores in _scores_by_part(net, samples, threads):
            if samples.labels is not None:
                right += _right(scores, samples.labels[rows])
            if loss is not None:
                total += loss.compute(scores, samples.target[rows])[0] * len(scores)
    n = len(samples.x)
    return Evaluation(
        math.nan if samples.labels is None else right / n, math.nan if loss is None else total / n
    )


def _right(scores: np.ndarray, labels: np.ndarray) -> int:
    """How many samples' largest score is the right class's; NaN is no score."""
    known = ~np.isnan(scores).any(axis=1)
    if not known.all():
        scores, labels = scores[known], labels[known]
    return round(kernels().accuracy(scores, labels) * len(scores)) if len(scores) else 0


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
        scores = net._layered_scores(batch_of(net, samples, rows)[0])
        checked_scores(net, scores, len(rows), samples.outputs)
        yield slice(start, start + CHUNK), scores
