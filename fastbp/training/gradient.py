"""The mean loss of all samples, and its gradient by all parameters."""

from __future__ import annotations

import math

import numpy as np

from fastbp._checks import check_kind
from fastbp.engine.epochs import Engine
from fastbp.engine.program import NotExpressible
from fastbp.layers.sizes import MOST_BYTES
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Gradients
from fastbp.threads import limit_threads

from .samples import Data, Samples, as_samples, batch_of, checked_scores
from .weighting import sums

AT_ONCE = 512  # samples at a time, whatever the number of threads


def loss_and_gradient(
    net: Sequential, data: Data, loss: Loss, *, threads: int | None = None
) -> tuple[float, np.ndarray]:
    """The mean loss of all samples, and its gradient by the network's parameters.

    They are those of the network as in use, whatever mode it is in: Dropout drops nothing, and
    BatchNorm takes its running averages. The network is left as it is. Where a Dataset's samples
    have weights, the mean is weighted by them.

    Parameters
    ----------
    net : Sequential
    data : Dataset or (x, y)
        Samples and labels, or values, as ``fit`` takes them.
    loss : Loss
    threads : int, optional
        How many threads compute, where the backend has an engine; the results are the same, bit
        for bit, for any number. Left out, it is FASTBP_NUM_THREADS or what is measured to be
        fastest.

    Returns
    -------
    loss : float
    gradient : (parameters,) ndarray of the network's dtype
        A new array, in the order of ``net.params``. That of layers that are not trainable is 0.
        Where the loss is NaN or infinite, all of it is NaN.

    Raises
    ------
    ValueError, TypeError
        When network, data and loss do not fit together.

    Examples
    --------
    >>> loss, gradient = fb.loss_and_gradient(net, (x, y), fb.CrossEntropyLoss())
    >>> net.params -= 0.1 * gradient
    """
    for part, kind in ((net, Sequential), (loss, Loss)):
        check_kind(part, kind, "loss_and_gradient")
    return Objective(net, as_samples(net, data, loss, "data"), loss, threads)()


class Objective:
    """Both as a function of the parameters: of those that its own copy of the network has.

    Attributes
    ----------
    net : Sequential
        The copy, whose parameters may be changed between calls.
    samples : Samples
    kept : (n, outputs) ndarray of the network's dtype, or None
        Where given, each sample's scores are written there.
    """

    def __init__(
        self,
        net: Sequential,
        samples: Samples,
        loss: Loss,
        threads: int | None,
        kept: np.ndarray | None = None,
    ) -> None:
        self.net, self.loss, self.threads = net.copy().eval(), loss, threads
        self.samples, self.kept = samples, kept
        self.total = Gradients(lr=1.0)
        fitting = max(1, MOST_BYTES // max(self.net.sample_bytes, 1))
        self.batch = min(AT_ONCE, fitting, len(self.samples.x))
        self.engine: Engine | None = None
        try:
            x, target, scale = self.samples.x, self.samples.target, self.samples.scale
            self.engine = Engine(
                *(self.net, x, target, scale, loss, self.total, self.batch, threads),
                weights=self.samples.weights,
                training=False,
            )
        except NotExpressible:
            pass

    def __call__(self) -> tuple[float, np.ndarray]:
        """The loss, and a new array with the gradient."""
        self.total.reset()
        self.total.remember(self.net)
        samples, value = np.arange(len(self.samples.x)), 0.0
        whole = len(samples) - len(samples) % self.batch
        for part in (samples[:whole], samples[whole:]):  # what is left is a smaller batch
            if not len(part):
                continue
            self.total.lr = min(self.batch, len(part)) / len(samples)
            factors = self._factors(part)
            losses = (self._layered if self.engine is None else self._fused)(part, factors)
            value += self.total.lr * float((factors[: len(losses)] * losses).sum())
            if not math.isfinite(value):
                return value, np.full_like(self.net.params, math.nan)
        return value, self.total.memory[0]

    def _factors(self, samples: np.ndarray) -> np.ndarray:
        """What each batch counts, by the number of its samples: their mean weight."""
        counts, weights = sums(None, samples, self.batch), self.samples.weights
        if weights is None:
            return np.ones(len(counts))
        return sums(weights, samples, self.batch) / counts / weights.mean()

    def _fused(self, samples: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Each batch's loss, whose gradients are added to the total."""
        assert self.engine is not None
        return self.engine.epoch(samples, lambda steps, loss: False, factors, self.kept)

    def _layered(self, samples: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """The same, layer by layer."""
        net, losses, weights = self.net, [], self.samples.weights
        with limit_threads(self.threads), np.errstate(over="ignore", invalid="ignore"):
            for start, factor in zip(range(0, len(samples), self.batch), factors, strict=True):
                rows = samples[start : start + self.batch]
                x, target = batch_of(net, self.samples, rows)
                scores = checked_scores(net, net.forward(x), len(x), self.samples.outputs)
                if self.kept is not None:
                    self.kept[rows] = scores
                of_rows = () if weights is None else (weights[rows],)
                value, gradient = self.loss.compute(scores, target, *of_rows)
                losses.append(value)
                if not math.isfinite(value):
                    break
                net.backward(gradient)
                self.total.step(net, factor)
        return np.array(losses)
