"""How good a network is on data whose targets are known: accuracy, or R² and MAE; and its loss."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

import numpy as np

from fastbp._checks import check_kind
from fastbp.datasets import as_data, is_shards
from fastbp.engine.scores import fused_scores
from fastbp.ensemble import Ensemble
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.prediction import CHUNK, layered_scores

from .answers import Answers, Counted
from .evaluated import Evaluation
from .parts import named_loss
from .samples import Data, Samples, as_samples, batch_of, checked_scores
from .tallies import Tally, tally_of
from .validation import judging


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
        Or a Dataset or DataLoader of PyTorch's, Shards or Dask's, as ``fit`` takes them. Of the
        last two classes are counted in one pass, and answers are not kept.
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

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=3)
    >>> found = fb.evaluate(net, (x, y))
    >>> found.accuracy == net.score(x, y)
    True
    >>> found.confusion_matrix.shape
    (3, 3)
    """
    if isinstance(loss, np.ndarray | list):
        raise TypeError("evaluate: expected a loss after the data; write fb.evaluate(net, (x, y))")
    loss = None if loss is None else named_loss(loss, "evaluate loss")
    if is_shards(data := as_data(data, "data")):
        if isinstance(net, Ensemble):
            raise TypeError("evaluate: an Ensemble takes data in memory, data.dataset()")
        check_kind(net, Sequential, "evaluate")
        feed = judging(net, data, loss)
        assert feed is not None
        counted = Counted(net.table)
        found = evaluate_parts(net, feed.parts(), loss, threads, counted)
        found.answers = counted
        return found
    if isinstance(net, Ensemble):
        samples = as_samples(net.nets[0], data, loss, "data")
        parts = [*_together(net, samples, threads)]
    else:
        check_kind(net, Sequential, "evaluate")
        samples = as_samples(net, data, loss, "data")
        parts = [*scores_by_part(net, samples, threads)]
    found = judged(samples, parts, loss).result()
    scores = [part for _, part in parts]
    whole = scores[0] if len(scores) == 1 else np.concatenate(scores)
    found.answers = Answers.of(samples, whole, net.table)
    return found


def evaluate_parts(
    net: Sequential,
    parts: Generator[Samples, None, None],
    loss: Loss | None = None,
    threads: int | None = None,
    counted: Counted | None = None,
) -> Evaluation:
    """``evaluate`` for data that were checked before, part by part."""
    found: Tally | None = None
    with closing(parts):
        for samples in parts:
            scores = scores_by_part(net, samples, threads)
            scores = scores if counted is None else counted.of(samples, scores)
            tally = judged(samples, scores, loss)
            found = tally if found is None else found.merged(tally)
    assert found is not None  # data have a sample at least
    return found.result()


def judged(
    samples: Samples, parts: Iterable[tuple[slice, np.ndarray]], loss: Loss | None = None
) -> Tally:
    """What scores are worth that are known: those of some rows after those of others."""
    tally, total = tally_of(samples), 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged is told elsewhere
        for rows, scores in parts:
            tally.add(scores, rows)
            if loss is not None:
                total += loss.compute(scores, samples.target[rows])[0] * len(scores)
    tally.total = math.nan if loss is None else total
    return tally


def all_scores(net: Sequential, samples: Samples, threads: int | None) -> np.ndarray:
    """The scores of all samples, (n, outputs)."""
    return np.concatenate([scores for _, scores in scores_by_part(net, samples, threads)])


def _together(
    ensemble: Ensemble, samples: Samples, threads: int | None
) -> Iterator[tuple[slice, np.ndarray]]:
    """The scores of all networks together: each computes them by the same parts, or all at once."""
    for parts in zip(*(scores_by_part(net, samples, threads) for net in ensemble), strict=True):
        yield parts[0][0], ensemble.together([scores for _, scores in parts])


def scores_by_part(
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
