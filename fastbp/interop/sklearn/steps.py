"""The steps of a training, on an engine or layer by layer, with scikit-learn's penalty and loss."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastbp import threads as thread_counts
from fastbp._memory import machine
from fastbp.backends import active
from fastbp.engine.epochs import Engine
from fastbp.engine.program import NotExpressible
from fastbp.optimizers import Optimizer
from fastbp.optimizers.limits import Limits
from fastbp.training.weighting import sums

from .kept import Kept
from .losses import Form
from .network import dense_layers

DENSE_SHARE = 0.25  # of the machine's memory, that sparse samples may take as dense ones
# Epochs that run before anything is looked at: so many at most, and so many times that a sample
# meets a weight, which takes a processor some hundredths of a second.
MOST_TOGETHER, WORK_TOGETHER = 64, 250_000_000


class Steps:
    """One training of a network.

    Parameters
    ----------
    kept : Kept
        The network, and what trained it last.
    x : (n, inputs) array or sparse matrix of rows
    target : (n,) labels or (n, outputs) values
    weights : (n,) float64 or None
    alpha : float
        Of scikit-learn's penalty α/2·Σw² / (the sum of the batch's weights).
    together : bool
        Whether several epochs may be asked for at once.

    Attributes
    ----------
    together : int
        How many pay.
    """

    def __init__(
        self,
        kept: Kept,
        x: Any,
        target: np.ndarray,
        weights: np.ndarray | None,
        form: Form,
        optimizer: Optimizer,
        batch_size: int,
        alpha: float,
        threads: int | None,
        together: bool = False,
    ) -> None:
        self.last, self.net, self.form, self.samples = kept, kept.net.train(), form, x.shape[0]
        net = self.net
        self.optimizer, self.batch_size = optimizer, batch_size
        self.x = x = as_dense(x, net.dtype)
        self.target, self.weights = target, weights
        self.outputs = int(dense_layers(net)[-1].outputs)
        self.factor = form.factor(self.outputs)
        self.alpha = alpha / self.factor
        self.counts = sums(None, np.arange(self.samples), batch_size)
        self.held = ExitStack()
        self.engine: Engine | None = None
        if not issparse(x):
            with suppress(NotExpressible):
                self.engine = self._engine(threads)
        # Under a penalty plain SGD sums up W anew in each call: its last digits would tell how many
        # epochs that was for.
        many = together and self.engine is not None and optimizer.states > 0
        work = self.samples * net.params.size
        self.together = max(1, min(MOST_TOGETHER, WORK_TOGETHER // work)) if many else 1
        self.kept = np.empty((0, self.samples, self.outputs), net.dtype)

    def _engine(self, threads: int | None) -> Engine:
        """That of the network's last training, if it was alike, or a new one."""
        number = thread_counts.requested(threads)
        trains = (
            *(active().name, type(self.form.loss), type(self.optimizer)),
            *(min(self.batch_size, self.samples), number, number or thread_counts.count()),
            *(self.x.shape[1], self.x.dtype.char, self.weights is None),
        )
        limits, engine = Limits(l2=self.alpha), self.last.engine
        self.last.engine = None  # until it is known to have come to a good end
        if engine is not None and self.last.trains == trains:
            engine.again(self.x, self.target, self.optimizer, self.weights, limits)
            return engine
        self.last.trains = trains
        return Engine(
            *(self.net, self.x, self.target, 1.0, self.form.loss, self.optimizer),
            *(self.batch_size, threads),
            weights=self.weights,
            limits=limits,
        )

    def end(self) -> None:
        """Leave the engine for another training of the network."""
        if self.engine is not None:
            self.engine.rest()
            self.last.engine = self.engine

    def hold(self) -> ExitStack:
        """Until its end, epochs go on from what the engine holds; ``show`` gives it to the network.

        The optimiser's numbers must stay as they are.
        """
        if self.engine is not None:
            self.held.enter_context(self.engine.hold())
        return self.held

    def show(self) -> None:
        """See to it that the network has what was trained so far."""
        if self.engine is not None and self.engine.held:
            self.engine.show()

    def epochs(self, orders: np.ndarray) -> list[float]:
        """Train on all samples in these orders (epochs, samples).

        Returns the loss of each epoch, as scikit-learn counts it.
        """
        epochs, n = orders.shape
        if len(self.kept) != epochs:
            self.kept = np.empty((epochs, n, self.outputs), self.net.dtype)
        counts = weights = np.tile(self.counts, epochs)
        if self.weights is not None:
            weights = np.concatenate([sums(self.weights, o, self.batch_size) for o in orders])
        penalties = self.alpha / np.where(weights > 0, weights, np.inf)
        of_steps = self._run(orders, penalties) * counts
        totals = of_steps.reshape(epochs, -1).sum(axis=1) / n
        found = totals * self.factor
        rows = self.form.different(self.kept, self.target, totals)
        if len(rows):
            more = self.form.difference(self._rows_kept().take(rows, axis=0), self.target[rows % n])
            if self.weights is not None:
                share = np.empty(orders.size)
                places = (orders + np.arange(0, orders.size, n)[:, np.newaxis]).reshape(-1)
                share[places] = np.repeat(counts / weights, counts.astype(np.int64))
                more = more * share[rows] * self.weights[rows % n]
            found += np.bincount(rows // n, more, epochs) / n
        return list(map(float, found))

    def _rows_kept(self) -> np.ndarray:
        """The scores of all epochs' samples, (epochs * n, outputs)."""
        return self.kept.reshape(-1, self.outputs)

    def _run(self, orders: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """The steps of epochs, each with a penalty's factor of its own; returns their losses."""
        done = np.empty(0)
        if self.engine is not None:
            given, kept = penalties if self.alpha else None, self._rows_kept()
            losses = self.engine.epoch(orders, lambda *_: False, kept=kept, penalties=given)
            if np.isfinite(losses[-1]):
                return losses
            self.held.close()
            self.engine = None  # which ends where scikit-learn goes on
            done = losses[:-1]
        rest = self._layered(orders, penalties, len(done))
        return np.concatenate([done, rest])

    def _batches(self, orders: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Each step's samples, and how many those of the epochs before are."""
        for epoch, order in enumerate(orders):
            for start in range(0, len(order), self.batch_size):
                yield epoch * len(order), order[start : start + self.batch_size]

    def _layered(self, orders: np.ndarray, penalties: np.ndarray, first: int) -> np.ndarray:
        """The same from one step on, layer by layer, whatever becomes of the loss."""
        net, losses, kept = self.net, [], self._rows_kept()
        with np.errstate(all="ignore"):
            for penalty, (before, rows) in zip(
                penalties[first:], islice(self._batches(orders), first, None), strict=True
            ):
                of_rows = () if self.weights is None else (self.weights[rows],)
                x, limits = self.x[rows], Limits(l2=float(penalty))
                scores = net.forward(x.toarray() if issparse(x) else x)
                kept[before + rows] = scores
                loss, gradient = self.form.loss.compute(scores, self.target[rows], *of_rows)
                losses.append(loss + limits.penalty(net))
                net.backward(gradient)
                limits.apply(net)
                self.optimizer.step(net)
        return np.array(losses)


def as_dense(x: Any, dtype: np.dtype) -> Any:
    """Samples as an engine takes them; sparse ones stay so where that would take much memory."""
    if not issparse(x):
        return np.ascontiguousarray(x, dtype)
    if x.shape[0] * x.shape[1] * dtype.itemsize > DENSE_SHARE * machine():
        return x.tocsr().astype(dtype)
    return np.ascontiguousarray(x.toarray(), dtype)
