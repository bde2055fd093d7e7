"""The training loop. ``_layered_epoch`` is the specification of what one epoch does."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from fastbp._checks import as_count, check_kind
from fastbp.backends import active
from fastbp.engine.epochs import Engine
from fastbp.engine.program import NotExpressible
from fastbp.layers.nesting import every_layer, places
from fastbp.layers.sizes import check_batch
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.threads import limit_threads

from .callbacks import Callback
from .evaluation import Evaluation, evaluate_samples
from .exclusive import check_trainable, exclusively
from .history import DivergenceError, Epoch, History
from .samples import Data, Samples, as_samples, batch_of, checked_scores

REPORT_EVERY = 0.1  # seconds between two calls of on_progress


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
        Samples and targets, as the loss takes them: labels, probabilities or values.
    loss, optimizer
        What is minimised, e.g. ``fb.HingeLoss()``, and how, e.g. ``fb.SGD(lr=0.01)``.
    epochs, batch_size : int
        The last batch of an epoch is smaller where the batch size does not divide the data.
    seed : int
        Of the order of the samples, which is drawn anew for each epoch from (seed, epoch).
    callbacks : sequence of Callback
        They may change rates, momenta, α, p and all other numbers, which count from the next step
        on; and in ``on_epoch_end`` the parameters. They cannot train this network: that is
        refused, and so is every other fit that would train it, or use this optimiser, meanwhile.
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

    Notes
    -----
    What the loss makes of scores is written on the network, ``net.meaning``; see ``predict``.

    Targets are copied. Other threads may predict with the network meanwhile: with the parameters
    of the last finished epoch where an engine trains it, else of some step.

    Raises
    ------
    DivergenceError
        When the loss or a parameter becomes NaN or infinite.
    ValueError, TypeError
        When network, data and loss do not fit together.
    RuntimeError
        When network or optimiser are being trained already.
    """
    epochs, batch_size = as_count(epochs, "epochs"), as_count(batch_size, "batch_size")
    history = History() if history is None else history
    for part, kind in ((net, Sequential), (loss, Loss), (optimizer, Optimizer), (history, History)):
        check_kind(part, kind, "fit")
    callbacks = _as_callbacks(callbacks)
    with exclusively(net, optimizer):
        run = _prepare(
            net, train, validation, loss, optimizer, batch_size, seed, callbacks, threads
        )
        engine = _engine(run, fused, history)
        net.meaning = run.samples.meaning
        _train(run, engine, epochs, history)
    return history


def _as_callbacks(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
    """A sequence of objects with a Callback's methods, whether or not of its class."""
    if isinstance(callbacks, Iterable):
        found = tuple(callbacks)
        if all(map(_is_callback, found)):
            return found
    raise TypeError(f"fit callbacks: expected Callback objects, got {callbacks!r}")


def _is_callback(each: object) -> bool:
    methods = (getattr(each, name, None) for name in ("on_progress", "on_epoch_end"))
    return not isinstance(each, type) and all(map(callable, methods))


@contextmanager
def _training(net: Sequential) -> Iterator[None]:
    """Every layer in training mode, and afterwards in the one it was in."""
    layers = every_layer(net.layers)
    modes = [layer.training for layer in layers]
    net.train()
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode


class _Run(NamedTuple):
    """What the epochs of one call of fit share."""

    net: Sequential
    samples: Samples
    tests: Samples | None
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    seed: int
    callbacks: Sequence[Callback]
    threads: int | None

    def evaluation(self, samples: Samples | None) -> Evaluation:
        """How good the network is on these samples, but for the loss."""
        if samples is None:
            return Evaluation()
        return evaluate_samples(self.net, samples, threads=self.threads)

    def divergence(self, what: str, value: float, epoch: int, step: int) -> str:
        """The message that says where a run diverged; steps count from 1."""
        became = (
            "NaN or infinite" if what != "the loss" else "NaN" if value != value else "infinite"
        )
        return (
            f"{what} became {became} in epoch {epoch}, step {step}, with learning rate "
            f"{self.optimizer.lr:g}; try a smaller rate, or check the scale of the data"
        )


def _prepare(
    net: Sequential,
    train: Data,
    validation: Data | None,
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    seed: int,
    callbacks: Sequence[Callback],
    threads: int | None,
) -> _Run:
    """Check what fit is given, once."""
    seed = as_count(seed, "seed", least=0)
    check_trainable(net, "fit")
    samples = as_samples(net, train, loss, "train")
    tests = None if validation is None else as_samples(net, validation, loss, "validation")
    check_batch(min(batch_size, len(samples.x)), net.sample_bytes)
    _check_smallest_batch(net, len(samples.x), batch_size)
    return _Run(net, samples, tests, loss, optimizer, batch_size, seed, callbacks, threads)


def _check_smallest_batch(net: Sequential, samples: int, batch_size: int) -> None:
    """Refuse to begin where an epoch's last batch, or every one, is too small for a layer."""
    smallest = samples % batch_size or batch_size
    for name, layer, before, _ in places(net.layers, net.input_shape):
        least = layer.least_batch(before)
        if smallest < least:
            raise ValueError(
                f"fit: layer {name}, {layer!r}, needs at least {least} samples in "
                f"each batch, but with batch_size {batch_size} the last of {samples} samples come "
                f"in a batch of {smallest}; choose another batch_size"
            )


def _train(run: _Run, engine: Engine | None, epochs: int, history: History) -> None:
    """Train for so many epochs more than the history has."""
    with limit_threads(run.threads), _training(run.net):
        for number in range(len(history.epochs) + 1, len(history.epochs) + epochs + 1):
            _epoch(run, engine, number, history)


def _epoch(run: _Run, engine: Engine | None, number: int, history: History) -> None:
    """Train for one epoch, measure what came of it, and tell."""
    order = np.random.default_rng([run.seed, number]).permutation(len(run.samples.x))
    start = time.perf_counter()
    if engine is None:
        losses = _layered_epoch(run, order, number)
    else:
        losses = _fused_epoch(run, engine, order, number)
    for what, numbers in (("a parameter", run.net.params), ("a buffer", run.net.buffers)):
        if not np.isfinite(numbers).all():  # the last update is seen by no loss
            message = run.divergence(what, math.nan, number, len(losses))
            raise DivergenceError(message, losses)
    seconds = time.perf_counter() - start
    counts = np.diff(np.append(np.arange(0, len(order), run.batch_size), len(order)))
    train, test = run.evaluation(run.samples), run.evaluation(run.tests)
    record = Epoch(
        number,
        float(np.average(losses, weights=counts)),
        train.accuracy,
        test.accuracy,
        seconds,
        train.r2,
        test.r2,
        train.mae,
        test.mae,
    )
    history.losses.append(losses)
    history.epochs.append(record)
    for callback in run.callbacks:
        callback.on_epoch_end(record, run.net)


def _layered_epoch(run: _Run, order: np.ndarray, epoch: int) -> np.ndarray:
    """One epoch, layer by layer: forward, loss, backward, step. Returns each batch's loss."""
    starts = range(0, len(order), run.batch_size)
    losses = np.empty(len(starts))
    reported = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported once, below
        for step, start in enumerate(starts):
            x, target = batch_of(run.net, run.samples, order[start : start + run.batch_size])
            buffers = run.net.buffers.copy()
            scores = checked_scores(run.net, run.net.forward(x), len(x), run.samples.outputs)
            losses[step], gradient = run.loss.compute(scores, target)
            if not math.isfinite(losses[step]):
                run.net.buffers = buffers  # a batch that diverges moves nothing
                message = run.divergence("the loss", losses[step], epoch, step + 1)
                raise DivergenceError(message, losses[: step + 1])
            run.net.backward(gradient)
            run.optimizer.step(run.net)
            if run.callbacks and time.perf_counter() - reported > REPORT_EVERY:
                reported = time.perf_counter()
                for callback in run.callbacks:
                    callback.on_progress(epoch, start + len(x), len(order), losses[step])
    return losses


def _engine(run: _Run, fused: bool, history: History) -> Engine | None:
    """The engine that runs whole epochs, or None for the layered loop; history.path says why."""
    backend = f"{active().name} {active().detail}"
    try:
        if not fused:
            raise NotExpressible("asked for")
        engine = Engine(
            run.net,
            run.samples.x,
            run.samples.target,
            run.samples.scale,
            run.loss,
            run.optimizer,
            run.batch_size,
            run.threads,
        )
    except MemoryError as problem:
        raise MemoryError(
            f"fit: batch_size {run.batch_size} needs {problem}; take a smaller one"
        ) from None
    except NotExpressible as reason:
        history.path = f"{backend}, layered ({reason})"
        return None
    history.path = f"{backend}, fused"
    return engine


def _fused_epoch(run: _Run, engine: Engine, order: np.ndarray, epoch: int) -> np.ndarray:
    """One epoch on the engine; the same results but for rounding."""
    reported = time.perf_counter()

    def report(steps: int, loss: float) -> bool:
        nonlocal reported
        if not run.callbacks or time.perf_counter() - reported <= REPORT_EVERY:
            return False
        reported = time.perf_counter()
        for callback in run.callbacks:
            done = min(steps * run.batch_size, len(order))
            callback.on_progress(epoch, done, len(order), loss)
        return True

    losses = engine.epoch(order, report)
    if not math.isfinite(losses[-1]):
        message = run.divergence("the loss", losses[-1], epoch, len(losses))
        raise DivergenceError(message, losses)
    return losses
