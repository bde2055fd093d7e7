"""The steps of a training, on an engine or layer by layer, with scikit-learn's penalty and loss."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastbp._memory import machine
from fastbp.engine.epochs import Engine
from fastbp.engine.program import NotExpressible
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.optimizers.limits import Limits

from .losses import Form
from .network import dense_layers

DENSE_SHARE = 0.25  # of the machine's memory, that sparse samples may take as dense ones
MOST_REPEATED = 1 << 16  # bytes of samples that are small enough to be there several times


class Steps:
    """One training of a network.

    Parameters
    ----------
    x : (n, inputs) array or sparse matrix of rows, of the network's dtype
    target : (n,) labels or (n, outputs) values
    weights : (n,) float64 or None
    alpha : float
        Of scikit-learn's penalty α/2·Σw² / (the sum of the batch's weights).
    together : int
        Epochs that may be asked for at once.

    Attributes
    ----------
    together : int
        Epochs that run at once: several if each is a single step, whose samples are then there as
        often, each epoch's for itself.
    """

    def __init__(
        self,
        net: Sequential,
        x: Any,
        target: np.ndarray,
        weights: np.ndarray | None,
        form: Form,
        optimizer: Optimizer,
        batch_size: int,
        alpha: float,
        threads: int | None,
        together: int = 1,
    ) -> None:
        self.net, self.form, self.samples = net.train(), form, x.shape[0]
        self.optimizer, self.batch_size = optimizer, batch_size
        x = as_dense(x, net.dtype)
        fits = batch_size == len(target) and not issparse(x) and x.nbytes <= MOST_REPEATED
        self.together = together if fits else 1
        if self.together > 1:
            x, target = (np.concatenate([part] * self.together) for part in (x, target))
            weights = None if weights is None else np.concatenate([weights] * self.together)
        self.x, self.target, self.weights = x, target, weights
        outputs = int(dense_layers(net)[-1].outputs)
        self.factor = form.factor(outputs)
        self.alpha = alpha / self.factor
        self.kept = np.empty((self.x.shape[0], outputs), net.dtype)
        self.held = ExitStack()
        self.engine: Engine | None = None
        if not issparse(x):
            with suppress(NotExpressible):
                self.engine = Engine(
                    *(net, x, target, 1.0, form.loss, optimizer, batch_size, threads),
                    weights=weights,
                    limits=Limits(l2=self.alpha),
                )

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

    def epochs(self, orders: Sequence[np.ndarray]) -> list[float]:
        """Train on the samples in these orders, one an epoch, at most as many as run at once.

        Returns the loss of each, as scikit-learn counts it.
        """
        n = self.samples
        order = np.concatenate([each + epoch * n for epoch, each in enumerate(orders)])
        starts = np.arange(0, len(order), self.batch_size)
        counts = np.diff(starts, append=len(order))
        sums = counts  # of the weights of each batch
        if self.weights is not None:
            sums = np.add.reduceat(self.weights[order], starts)
        of_steps = self._run(order, self.alpha / np.where(sums > 0, sums, np.inf)) * counts
        totals = of_steps.reshape(len(orders), -1).sum(axis=1) / n
        most = np.inf if self.weights is not None else float(of_steps.max()) * self.kept.shape[1]
        found = totals * self.factor
        scores, target = self.kept[: len(order)], self.target[: len(order)]
        if self.form.differs(scores, target, float(totals.min()), most):
            more = self.form.difference(scores[order], target[order])
            if self.weights is not None:
                more *= self.weights[order] * np.repeat(counts / sums, counts)
            found += more.reshape(len(orders), -1).sum(axis=1) / n
        return list(map(float, found))

    def _run(self, order: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """The steps of epochs, each with a penalty's factor of its own; returns their losses."""
        done = np.empty(0)
        if self.engine is not None:
            given = penalties if self.alpha else None
            losses = self.engine.epoch(order, lambda *_: False, kept=self.kept, penalties=given)
            if np.isfinite(losses[-1]):
                return losses
            self.held.close()
            self.engine = None  # which ends where scikit-learn goes on
            done = losses[:-1]
        rest = order[len(done) * self.batch_size :]
        return np.concatenate([done, self._layered(rest, penalties[len(done) :])])

    def _layered(self, order: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """The same, layer by layer, whatever becomes of the loss."""
        net, losses = self.net, []
        with np.errstate(all="ignore"):
            for step, penalty in enumerate(penalties):
                rows = order[step * self.batch_size :][: self.batch_size]
                of_rows = () if self.weights is None else (self.weights[rows],)
                x, limits = self.x[rows], Limits(l2=float(penalty))
                self.kept[rows] = scores = net.forward(x.toarray() if issparse(x) else x)
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
