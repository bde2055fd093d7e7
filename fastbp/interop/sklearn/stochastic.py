"""fit and partial_fit by sgd and adam: epochs, stopping, and what is noted of them."""

from __future__ import annotations

import math
import warnings
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from .callbacks import Told
from .drawn import Draws
from .kept import Kept
from .network import read, read_norms, scores_of
from .rates import Rates, tell
from .steps import Steps, as_dense

MOST_AUTO = 200  # samples of a batch that "auto" makes


class Part(NamedTuple):
    """Samples, to train on or to judge by."""

    x: Any
    y: np.ndarray  # (n, outputs)
    weights: np.ndarray | None

    @property
    def samples(self) -> int:
        """How many there are."""
        return int(self.x.shape[0])


def fit_stochastic(
    estimator: Any,
    kept: Kept,
    draws: Draws,
    data: Part,
    incremental: bool,
    held_out: Part | None,
    told: Told | None,
) -> None:
    """Train the network that is kept for an estimator, and leave there what came of it.

    Early stopping judges by what is held out, or else by a part of the data. Callbacks are told.
    """
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    form, net = estimator._form(), kept.net
    if not incremental or not hasattr(estimator, "_optimizer"):
        estimator._optimizer = Rates(estimator, form.factor(estimator.n_outputs_))
    train = data
    if estimator.early_stopping and held_out is None:
        train, held_out = _split(estimator, draws, data)
    batch_size = _batch_size(estimator.batch_size, train.samples)
    if estimator.batch_norm and 1 in (batch_size, train.samples % batch_size):
        raise ValueError(
            f"batch_norm=True: expected at least 2 samples in each batch, but of {train.samples} "
            f"samples in batches of {batch_size} one is alone"
        )
    # What is held cannot be changed: rates and what they follow from, and the counts of Dropout.
    holds = estimator._optimizer.schedule == "constant" and not estimator.dropout
    steps = Steps(
        *(kept, train.x, form.target(train.y, net.dtype), train.weights, form),
        estimator._optimizer.for_new_network(),
        *(batch_size, estimator.alpha, estimator.n_threads),
        together=not (incremental or held_out or told) and holds,
    )
    judge = None if held_out is None else _Judge(estimator, steps, held_out)
    try:
        with steps.hold() if holds else nullcontext():
            _epochs(estimator, draws, steps, judge, told, incremental)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    if judge is None:
        estimator.coefs_, estimator.intercepts_ = read(net)
    else:
        estimator.coefs_, estimator.intercepts_ = estimator._best_coefs, estimator._best_intercepts
    steps.end()
    if estimator.batch_norm:
        estimator.norms_ = read_norms(net) if judge is None else estimator._best_norms


def _split(estimator: Any, draws: Draws, data: Part) -> tuple[Part, Part]:
    """Samples to train on and others to judge by, drawn as scikit-learn draws them."""
    stratified = is_classifier(estimator) and estimator.n_outputs_ == 1
    arrays = [array for array in data if array is not None]
    parts = train_test_split(
        *arrays,
        random_state=draws.generator(),
        test_size=estimator.validation_fraction,
        stratify=data.y if stratified else None,
    )
    weights = parts[4:] or [None, None]
    train, held_out = (Part(parts[i], parts[2 + i], weights[i]) for i in (0, 1))
    if held_out.samples < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return train, held_out


def _batch_size(asked: Any, samples: int) -> int:
    if asked == "auto":
        return min(MOST_AUTO, samples)
    if asked > samples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=5,
        )
    return int(min(asked, samples))


def _epochs(
    estimator: Any,
    draws: Draws,
    steps: Steps,
    judge: _Judge | None,
    told: Told | None,
    incremental: bool,
) -> None:
    """Train until an estimator's patience or its epochs are at an end, or a callback stops it."""
    rates, done, most = estimator._optimizer, 0, 1 if incremental else estimator.max_iter
    order = np.arange(steps.samples)
    estimator.n_iter_ = 0
    while done < most:
        # So many cannot be too many: patience is not at an end before the last of them.
        patience = estimator.n_iter_no_change - estimator._no_improvement_count
        count = max(1, min(steps.together, most - done, math.floor(min(patience, most)) + 1))
        done += count
        if told is not None:
            told.epoch_begins()
        orders = draws.orders(count, order) if estimator.shuffle else np.tile(order, (count, 1))
        order = orders[-1]
        for loss in steps.epochs(orders):
            _note(estimator, loss, steps.samples, judge)
            rates.epoch_ended(estimator.t_)
        if told is not None and told.epoch_ends(steps):
            return
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            if rates.stops(_reason(estimator), estimator.verbose):
                return
            estimator._no_improvement_count = 0
        if not incremental and estimator.n_iter_ == estimator.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )


def _note(estimator: Any, loss: float, samples: int, judge: _Judge | None) -> None:
    """What there is to remember of an epoch."""
    estimator.loss_ = loss
    estimator.n_iter_ += 1
    estimator.t_ += samples
    estimator.loss_curve_.append(loss)
    if estimator.verbose:
        tell(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}", True)
    _count_no_improvement(estimator, judge)


def _reason(estimator: Any) -> str:
    what = "Validation score" if estimator.early_stopping else "Training loss"
    return (
        f"{what} did not improve more than tol={estimator.tol:f} for "
        f"{estimator.n_iter_no_change:g} consecutive epochs."
    )


def _count_no_improvement(estimator: Any, judge: _Judge | None) -> None:
    """Compare the epoch with the best so far."""
    if judge is None:
        loss = estimator.loss_curve_[-1]
        worse = loss > estimator.best_loss_ - estimator.tol
        estimator.best_loss_ = min(estimator.best_loss_, loss)
    else:
        score = judge.score()
        estimator.validation_scores_.append(score)
        tell(f"Validation score: {score:f}", estimator.verbose)
        worse = score < estimator.best_validation_score_ + estimator.tol
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            estimator._best_coefs, estimator._best_intercepts = read(judge.net)
            estimator._best_norms = read_norms(judge.net)
    estimator._no_improvement_count = estimator._no_improvement_count + 1 if worse else 0


class _Judge:
    """The score of a network on samples that are held out, as the estimator's ``score``."""

    def __init__(self, estimator: Any, steps: Steps, data: Part) -> None:
        self.steps, self.net, self.form, self.weights = steps, steps.net, steps.form, data.weights
        self.threads, self.values = estimator.n_threads, not is_classifier(estimator)
        self.one_of_many = estimator.out_activation_ == "softmax" or estimator.loss == "hinge"
        self.x, self.right = as_dense(data.x, self.net.dtype), self._decided(data.y)

    def score(self) -> float:
        """Accuracy, or R²; NaN where values are not finite."""
        self.steps.show()
        with np.errstate(all="ignore"):
            scores = scores_of(self.net, self.x, self.threads)
            found = self._decided(self.form.activate(scores))
        if not self.values:
            hits = (found == self.right).reshape(len(found), -1).all(axis=1)
            return float(np.average(hits, weights=self.weights))
        if not np.isfinite(found).all():
            return math.nan
        return float(r2_score(self.right, found, sample_weight=self.weights))

    def _decided(self, y: np.ndarray) -> np.ndarray:
        """The class of each row of probabilities, or yes and no of each; values as they are."""
        if self.values:
            return y
        return y.argmax(axis=1) if self.one_of_many else y > 0.5
