"""What an epoch's network is judged by: the built-in figures, and metrics of your own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from fastbp._hints import meant
from fastbp.losses import Loss
from fastbp.meaning import predictions
from fastbp.network import Sequential

from .evaluated import Evaluation
from .evaluation import all_scores, evaluate_parts, judged
from .feeding import Feed
from .history import ALIASES, COLUMNS
from .tallies import Tally

Metric = Callable[[np.ndarray, np.ndarray], float]


class Metrics(NamedTuple):
    """What fit's argument asks for."""

    of_epoch: bool  # whether the training data are evaluated after each epoch
    running: bool  # or judged by the scores that its steps found
    own: dict[str, Metric]  # of validation data

    def validated(
        self, net: Sequential, data: Feed, loss: Loss, threads: int | None
    ) -> dict[str, Any]:
        """The columns of validation data."""
        own: dict[str, float] = {}
        if self.own:
            found, answers, predicted = _answered(net, data, loss, threads)
            own = {name: _figure(name, f, answers, predicted) for name, f in self.own.items()}
        else:
            found = evaluate_parts(net, data.parts(), loss, threads)
        return _columns("val", found) | {"val_loss": found.loss, "metrics": own}


def _answered(
    net: Sequential, data: Feed, loss: Loss, threads: int | None
) -> tuple[Evaluation, np.ndarray, np.ndarray]:
    """What was found, and all right answers beside all predictions."""
    total: Tally | None = None
    answers, predicted = [], []
    with closing(data.parts()) as parts:
        for samples in parts:
            scores = all_scores(net, samples, threads)
            tally = judged(samples, [(slice(0, len(scores)), scores)], loss)
            total = tally if total is None else total.merged(tally)
            answers.append(samples.answers().copy())  # the next part takes its place
            predicted.append(predictions(scores, samples.meaning))
    assert total is not None  # data have a sample at least
    return total.result(), np.concatenate(answers), np.concatenate(predicted)


def as_metrics(metrics: Any) -> Metrics:
    """What fit's argument stands for."""
    if metrics is None:
        return Metrics(False, False, {})
    if isinstance(metrics, str) and metrics in ("epoch", "running"):
        return Metrics(metrics == "epoch", metrics == "running", {})
    if not isinstance(metrics, Mapping):
        raise TypeError(
            "fit metrics: expected 'epoch', 'running', None or a dict of functions, such as "
            f"{{'f1': f1_score}}; got {metrics!r:.60}{meant(metrics, ('epoch', 'running'))}"
        )
    for name, function in metrics.items():
        if not isinstance(name, str) or not name or name in COLUMNS or name in ALIASES:
            raise ValueError(
                f"fit metrics: expected a name that the history has not yet, got {name!r}"
            )
        if not callable(function) or isinstance(function, type):
            raise TypeError(
                f"fit metrics[{name!r}]: expected a function metric(y, predictions) -> float, "
                f"got {function!r:.60}"
            )
    return Metrics(True, False, dict(metrics))


def assessed(
    net: Sequential, metrics: Metrics, data: Feed, tally: Tally | None, threads: int | None
) -> dict[str, Any]:
    """The columns of training data; the tally is of scores that the steps found."""
    found = Evaluation()
    if metrics.of_epoch:
        found = evaluate_parts(net, data.parts(), threads=threads)
    elif tally is not None:
        found = tally.result()
    return _columns("train", found) | {"val_accuracy": math.nan}


def _columns(part: str, found: Evaluation) -> dict[str, Any]:
    figures = {"accuracy": found.accuracy, "r2": found.r2, "mae": found.mae}
    return {f"{part}_{name}": value for name, value in figures.items()}


def _figure(name: str, metric: Metric, answers: np.ndarray, predicted: np.ndarray) -> float:
    value = metric(answers, predicted)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"metric {name!r}: expected a number, got {value!r:.60}") from None
