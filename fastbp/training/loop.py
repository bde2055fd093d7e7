"""The training loop. ``_layered_epoch`` is the specification of what one epoch does."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from ._checks import as_count
from ._files import StrPath, write_atomically
from .backends import active
from .engine.epochs import Engine
from .engine.program import NotExpressible
from .evaluation import Data, Samples, as_samples, batch_of, evaluate_samples
from .losses import Loss
from .network import Sequential
from .optimizers import Optimizer
from .threads import limit_threads

REPORT_EVERY = 0.1  # seconds between two calls of on_progress


class DivergenceError(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the message says where.

    ``losses`` are those of the epoch that was not finished, up to where it ended.
    """

    def __init__(self, message: str, losses: npt.ArrayLike = ()) -> None:
        super().__init__(message)
        self.losses = np.asarray(losses, np.float64)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: a row of history.csv."""

    epoch: int  # from 1
    train_loss: float  # mean over the epoch's samples, while the parameters moved
    train_accuracy: float  # after the epoch; NaN where the targets are no classes
    test_accuracy: float  # after the epoch; NaN without validation data
    seconds: float  # of training alone, without evaluation


@dataclass
class History:
    """How a training run went.

    Attributes
    ----------
    epochs : list of Epoch
        One for each finished epoch.
    losses : list of (steps,) float64 ndarray
        The loss of every batch, epoch by epoch.
    path : str
        How it was computed: backend and loop.
    """

    epochs: list[Epoch] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    path: str = ""

    @property
    def loss_by_iteration(self) -> np.ndarray:
        """The loss of every batch of every finished epoch, (iterations,) float64."""
        return np.concatenate(self.losses) if self.losses else np.empty(0)

    @property
    def seconds(self) -> float:
        """Time spent training, without evaluation."""
        return sum(epoch.seconds for epoch in self.epochs)

    def __getitem__(self, column: str) -> list[float]:
        """One column over the epochs, e.g. ``history["test_accuracy"]``."""
        return [getattr(epoch, column) for epoch in self.epochs]

    def to_csv(self, path: StrPath) -> None:
        """Write one row an epoch: epoch, train_loss, train_accuracy, test_accuracy, seconds."""
        import csv

        def write(file: TextIO) -> None:
            writer = csv.writer(file)
            writer.writerow([column.name for column in fields(Epoch)])
            writer.writerows(astuple(epoch) for epoch in self.epochs)

        write_atomically(path, write, "w")


class Callback:
    """Watches a training run. Override what you need; an exception raised here ends the run."""

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Ten times a second at most: `samples` of `total` are done, the latest batch's loss."""

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """After each epoch and its evaluation."""


def fit(
    net: Sequential,
    train: Data,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int = 10,
    batch_size: int = 32,
    validation: Data | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    history: History | None = None,
    threads: int | None = None,
    fused: bool = True,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    net : Sequential
        Trained from where its parameters stand.
    train, validation : Dataset or (x, y)
        Samples and labels; for MSELoss y may also be (n, outputs) values.
    loss, optimizer
        What is minimised, e.g. ``fb.HingeLoss()``, and how, e.g. ``fb.SGD(lr=0.01)``.
    epochs, batch_size : int
        The last batch of an epoch is smaller where the batch size does not divide the data.
    seed : int
        Of the order of the samples, which is drawn anew for each epoch from (seed, epoch).
    callbacks : sequence of Callback
    history : History
        One to continue: its epochs count as done, and ``epochs`` more are added. It is filled
        while training goes on, so it holds the finished epochs after an exception too.
    threads : int, optional
        How many threads train; the results are the same, bit for bit, for any number. Left out,
        it is FASTBP_NUM_THREADS or what is measured to be fastest. In the layered loop it counts
        for the NumPy backend's matrix products only.
    fused : bool
        Run whole epochs on the backend's engine where it has one that can; False for the layered
        loop, which calls the layers one by one. ``history.path`` says which ran, and why.

    Returns
    -------
    History

    Raises
    ------
    DivergenceError
        When the loss or a parameter becomes NaN or infinite.
    ValueError, TypeError
        When network, data and loss do not fit together.
    """
    epochs, batch_size = as_count(epochs, "epochs"), as_count(batch_size, "batch_size")
    seed = as_count(seed, "seed", least=0)
    if not net.params.flags.writeable:
        raise ValueError("fit: the network is frozen; train a copy of it, net.copy()")
    samples = as_samples(net, train, loss, "train")
    tests = None if validation is None else as_samples(net, validation, loss, "validation")
    history = History() if history is None else history
    run = _Run(net, samples, loss, optimizer, batch_size, callbacks)
    engine = _engine(run, threads, fused, history)
    with limit_threads(threads), _training(net):
        for number in range(len(history.epochs) + 1, len(history.epochs) + epochs + 1):
            order = np.random.default_rng([seed, number]).permutation(len(samples.x))
            start = time.perf_counter()
            if engine is None:
                losses = _layered_epoch(run, order, number)
            else:
                losses = _fused_epoch(run, engine, order, number)
            if not np.isfinite(net.params).all():  # the last update is seen by no loss
                message = run.divergence("a parameter", math.nan, number, len(losses))
                raise DivergenceError(message, losses)
            seconds = time.perf_counter() - start
            counts = np.diff(np.append(np.arange(0, len(order), batch_size), len(order)))
            record = Epoch(
                number,
                float(np.average(losses, weights=counts)),
                evaluate_samples(net, samples, threads=threads).accuracy,
                math.nan
                if tests is None
                else evaluate_samples(net, tests, threads=threads).accuracy,
                seconds,
            )
            history.losses.append(losses)
            history.epochs.append(record)
            for callback in callbacks:
                callback.on_epoch_end(record, net)
    return history


@contextmanager
def _training(net: Sequential) -> Iterator[None]:
    """Every layer in training mode, and afterwards in the one it was in."""
    modes = [layer.training for layer in net.layers]
    net.train()
    try:
        yield
    finally:
        for layer, mode in zip(net.layers, modes, strict=True):
            layer.training = mode


class _Run(NamedTuple):
    """What the epochs of one call of fit share."""

    net: Sequential
    samples: Samples
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    callbacks: Sequence[Callback]

    def divergence(self, what: str, value: float, epoch: int, step: int) -> str:
        """The message that says where a run diverged; steps count from 1."""
        became = (
            "NaN or infinite" if what != "the loss" else "NaN" if value != value else "infinite"
        )
        return (
            f"{what} became {became} in epoch {epoch}, step {step}, with learning rate "
            f"{self.optimizer.lr:g}; try a smaller rate, or check the scale of the data"
        )


def _layered_epoch(run: _Run, order: np.ndarray, epoch: int) -> np.ndarray:
    """One epoch, layer by layer: forward, loss, backward, step. Returns each batch's loss."""
    starts = range(0, len(order), run.batch_size)
    losses = np.empty(len(starts))
    reported = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported once, below
        for step, start in enumerate(starts):
            x, target = batch_of(run.net, run.samples, order[start : start + run.batch_size])
            scores = run.net.forward(x)
            losses[step], gradient = run.loss.compute(scores, target)
            if not math.isfinite(losses[step]):
                message = run.divergence("the loss", losses[step], epoch, step + 1)
                raise DivergenceError(message, losses[: step + 1])
            run.net.backward(gradient)
            run.optimizer.step(run.net)
            if run.callbacks and time.perf_counter() - reported > REPORT_EVERY:
                reported = time.perf_counter()
                for callback in run.callbacks:
                    callback.on_progress(epoch, start + len(x), len(order), losses[step])
    return losses


def _engine(run: _Run, threads: int | None, fused: bool, history: History) -> "Engine | None":
    """The engine that runs whole epochs, or None for the layered loop; history.path says why."""
    backend = f"{active().name} {active().detail}"
    try:
        if not fused:
            raise NotExpressible("asked for")
        engine = Engine(
            run.net, run.samples.x, run.samples.target, run.samples.scale, run.loss,
            run.optimizer, run.batch_size, threads,
        )  # fmt: skip
    except NotExpressible as reason:
        history.path = f"{backend}, layered ({reason})"
        return None
    history.path = f"{backend}, fused"
    return engine


def _fused_epoch(run: _Run, engine: Engine, order: np.ndarray, epoch: int) -> np.ndarray:
    """One epoch on the engine; the same results but for rounding."""
    reported = time.perf_counter()

    def report(steps: int, loss: float) -> None:
        nonlocal reported
        if time.perf_counter() - reported > REPORT_EVERY:
            reported = time.perf_counter()
            for callback in run.callbacks:
                done = min(steps * run.batch_size, len(order))
                callback.on_progress(epoch, done, len(order), loss)

    losses = engine.epoch(order, report)
    if not math.isfinite(losses[-1]):
        message = run.divergence("the loss", losses[-1], epoch, len(losses))
        raise DivergenceError(message, losses)
    return losses
