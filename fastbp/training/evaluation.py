"""Accuracy and loss of a network on labelled data, and how data are made fit for the loops."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .backends import kernels
from .datasets import Dataset
from .engine.scores import fused_scores
from .layers import as_rows
from .losses import Loss
from .network import CHUNK, Sequential

Data = Dataset | tuple[npt.ArrayLike, npt.ArrayLike]


class Evaluation(NamedTuple):
    """What ``evaluate`` found."""

    accuracy: float  # share of samples whose largest score is the right class's
    loss: float  # NaN without a loss


class Samples(NamedTuple):
    """Training data as the loop wants it."""

    x: np.ndarray  # (n, inputs) uint8, float32 or float64; a network sees x * scale
    target: np.ndarray  # (n,) int64 labels or (n, outputs) values
    labels: np.ndarray | None  # (n,) int64, where the targets are classes
    scale: float


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
    return evaluate_samples(net, as_samples(net, data, loss, "data"), loss, threads)


def evaluate_samples(
    net: Sequential, samples: Samples, loss: Loss | None = None, threads: int | None = None
) -> Evaluation:
    """``evaluate`` for data that were checked before."""
    right, total = 0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged is told elsewhere
        for rows, scores in _scores_by_part(net, samples, threads):
            if samples.labels is not None:
                right += round(kernels().accuracy(scores, samples.labels[rows]) * len(scores))
            if loss is not None:
                total += loss.compute(scores, samples.target[rows])[0] * len(scores)
    n = len(samples.x)
    return Evaluation(
        math.nan if samples.labels is None else right / n, math.nan if loss is None else total / n
    )


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
        yield slice(start, start + CHUNK), net._layered_scores(batch_of(net, samples, rows)[0])


def batch_of(net: Sequential, samples: Samples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples of these rows, scaled, in the network's dtype, and their targets."""
    x = np.empty((len(rows), samples.x.shape[1]), net.dtype)
    kernels().gather(samples.x, rows, samples.scale, x)
    return x, samples.target[rows]


def as_samples(net: Sequential, data: Data, loss: Loss | None, name: str) -> Samples:
    """Check that data, network and loss fit together, once, before the loop."""
    if isinstance(data, Dataset):
        x, y, scale = data.x, data.y, data.scale
        if net.inputs not in (None, x.shape[1]):
            raise ValueError(f"{name}: the network takes {net.inputs} columns; got {data!r}")
    else:
        try:
            x_raw, y_raw = data
        except (TypeError, ValueError):
            raise TypeError(
                f"{name}: expected a Dataset or (x, y), got {type(data).__name__}"
            ) from None
        x, y, scale = as_rows(net.as_input(x_raw, f"{name} x")), np.asarray(y_raw), 1.0
    if not len(x):
        raise ValueError(f"{name}: expected at least one sample, got none")
    shape = net.shapes[-1] or (x.shape[1],)
    if len(shape) > 1:
        raise ValueError(f"{name}: images {shape} come out of the network; end it in Flatten()")
    outputs = shape[0]
    check = loss or Loss()
    try:
        target = check.check_target(y, len(x), outputs, net.dtype)
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"{name}: {problem}") from None
    labels = y.astype(np.int64) if y.ndim == 1 and y.dtype.kind in "iu" else None
    return Samples(x, target, labels, scale)
