"""The steps of a training, on an engine or layer by layer, with scikit-learn's penalty and loss."""

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


class Steps:
    """One training of a network.

    Parameters
    ----------
    x : (n, inputs) array or sparse matrix of rows, of the network's dtype
    target : (n,) labels or (n, outputs) values
    weights : (n,) float64 or None
    alpha : float
        Of scikit-learn's penalty α/2·Σw² / (the sum of the batch's weights).
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
    ) -> None:
        self.net, self.target, self.weights, self.form = net.train(), target, weights, form
        self.x, self.optimizer, self.batch_size = as_dense(x, net.dtype), optimizer, batch_size
        outputs = int(dense_layers(net)[-1].outputs)
        self.factor = form.factor(outputs)
        self.alpha = alpha / self.factor
        self.kept = np.empty((x.shape[0], outputs), net.dtype)
        starts = np.arange(0, x.shape[0], batch_size)
        self.starts, self.counts = starts, np.diff(starts, append=x.shape[0])
        self.sums = self.counts  # of the weights of each batch
        self.held = ExitStack()
        self.engine: Engine | None = None
        if not issparse(self.x):
            with suppress(NotExpressible):
                self.engine = Engine(
                    *(net, self.x, target, 1.0, form.loss, optimizer, batch_size, threads),
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

    def epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order; returns the loss, as scikit-learn counts it."""
        if self.weights is not None:
            self.sums = np.add.reduceat(self.weights[order], self.starts)
        losses = self._run(order, self.alpha / np.where(self.sums > 0, self.sums, np.inf))
        total = float(losses @ self.counts) / len(order) * self.factor
        if not self.form.differs(self.kept):
            return total
        more = self.form.difference(self.kept[order], self.target[order])
        if self.weights is not None:
            more *= self.weights[order] * np.repeat(self.counts / self.sums, self.counts)
        return total + float(more.sum()) / len(order)

    def _run(self, order: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """The steps of an epoch, each with a penalty's factor of its own; returns their losses."""
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
