"""The training loop. ``_layered`` is the specification of what the steps of an epoch do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import numpy as np

from fastbp.engine.epochs import Engine
from fastbp.layers.nesting import every_layer
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.optimizers.limits import Limits
from fastbp.schedules import Schedule, Span, checked_factors
from fastbp.threads import limit_threads

from .assessment import Metrics, assessed
from .callbacks import Hooks
from .checkpoint import Writer
from .evaluation import judged
from .feeding import Feed, Window
from .history import DivergenceError, Epoch, History
from .samples import Samples, batch_of, checked_scores
from .stopping import Best
from .tallies import Tally
from .weighting import sums

REPORT_EVERY = 0.1  # seconds between two calls of on_progress
PART = 0.1  # seconds between two looks at the time, where there is a limit
ASKED = "asked by a callback"  # why training ended


@dataclass(eq=False, repr=False)
class Run:
    """What the epochs of one call of fit share."""

    net: Sequential
    data: Feed
    validation: Feed | None
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    epochs: int  # when all are done, those of the history before included
    seed: int
    history: History
    hooks: Hooks
    metrics: Metrics
    limits: Limits
    threads: int | None = None
    shuffle: bool = True
    validate_every: int = 1
    schedule: Schedule | None = None
    best: Best | None = None  # of early stopping
    max_seconds: float | None = None
    writer: Writer | None = None  # of checkpoints
    engine: Engine | None = None  # None for the layered loop
    started: float = field(default_factory=lambda: time.perf_counter())

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-len(self.data) // self.batch_size)

    @property
    def is_out_of_time(self) -> bool:
        """Whether max_seconds are over."""
        return (
            self.max_seconds is not None and time.perf_counter() - self.started >= self.max_seconds
        )

    def divergence(self, what: str, value: float, now: Pass) -> str:
        """The message that says where a run diverged: in the pass's last step, from 1."""
        became = (
            "NaN or infinite" if what != "the loss" else "NaN" if value != value else "infinite"
        )
        return (
            f"{what} became {became} in epoch {now.number}, step {now.steps}, with learning rate "
            f"{self.optimizer.lr * now.factors[now.steps - 1]:g}; try a smaller rate, or check the "
            "scale of the data"
        )


def train(run: Run) -> None:
    """Train until all epochs are done, or something ends it before."""
    history = run.history
    if len(history.epochs) < run.epochs:
        history.stopped = ""
    with limit_threads(run.threads), _training(run.net):
        try:
            for hook in run.hooks["on_train_begin"]:
                hook(run.net)
            for number in range(len(history.epochs) + 1, run.epochs + 1):
                asked = _epoch(run, number)
                history.stopped = _reason(run, asked) if number < run.epochs else ""
                if run.writer is not None:
                    run.writer.epoch_ended(number == run.epochs or bool(history.stopped))
                if history.stopped:
                    break
        finally:
            if run.best is not None:
                run.best.restore(run.net)
            for hook in run.hooks["on_train_end"]:
                hook(run.net)
            if run.writer is not None:
                run.writer.write()


def _reason(run: Run, asked: bool) -> str:
    """Why training ends before its last epoch; "" if it goes on."""
    if asked:
        return ASKED
    if run.best is not None and run.best.reason:
        return run.best.reason
    return f"max_seconds={run.max_seconds:g} are over" if run.is_out_of_time else ""


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


@dataclass(eq=False, repr=False)
class Pass:
    """An epoch on its way."""

    number: int  # from 1
    factors: np.ndarray  # of the rate, for each step
    losses: list[np.ndarray] = field(default_factory=list)  # of the steps, part by part
    rates: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)  # of the steps, window by window
    tally: Tally | None = None  # of the scores that the steps found
    kept: np.ndarray | None = None  # those of a window's samples
    judging: float = 0.0  # seconds that adding them up took
    count: int = 1  # steps between two looks at the time
    reported: float = field(default_factory=lambda: time.perf_counter())

    @property
    def steps(self) -> int:
        """Those that are done."""
        return sum(map(len, self.losses))


def _epoch(run: Run, number: int) -> bool:
    """Train for one epoch, measure what came of it, and tell; whether a callback says stop."""
    for hook in run.hooks["on_epoch_begin"]:
        hook(number, run.net)
    start = time.perf_counter()
    now = _new_pass(run, number)
    _run_steps(run, now)
    losses = np.concatenate(now.losses)
    for what, numbers in (("a parameter", run.net.params), ("a buffer", run.net.buffers)):
        if not np.isfinite(numbers).all():  # the last update is seen by no loss
            message = run.divergence(what, math.nan, now)
            raise DivergenceError(message, losses)
    seconds = time.perf_counter() - start - now.judging
    record = _record(run, now, losses, seconds)
    history = run.history
    history.losses.append(losses)
    history.rates.append(np.concatenate(now.rates))
    history.epochs.append(record)
    if run.schedule is not None and run.schedule.monitor:
        figure = record[run.schedule.monitor]
        if not math.isnan(figure):  # as in epochs that are not validated
            state = run.schedule.watched(history.state["schedule"], figure)
            history.state["schedule"] = state
    if run.best is not None:
        run.best.seen(record, run.net)
    asked = [hook(record, run.net) is True for hook in run.hooks["on_epoch_end"]]
    return any(asked)


def _new_pass(run: Run, number: int) -> Pass:
    """An epoch before its first step, with the rates of all."""
    factors = np.ones(run.steps)
    if run.schedule is not None:
        steps = np.arange(run.steps) + (number - 1) * run.steps
        span = Span(run.steps, run.epochs * run.steps)
        factors = checked_factors(run.schedule, steps, span, run.history.state["schedule"])
    return Pass(number, factors, count=run.steps if run.max_seconds is None else 1)


def _record(run: Run, now: Pass, losses: np.ndarray, seconds: float) -> Epoch:
    """What the epoch came to."""
    counts = np.concatenate(now.counts)
    judged = now.number % run.validate_every == 0 or now.number == run.epochs
    figures = assessed(run.net, run.metrics, run.data, now.tally, run.threads)
    if run.validation is not None and judged:
        figures |= run.metrics.validated(run.net, run.validation, run.loss, run.threads)
    return Epoch(
        epoch=now.number,
        # No product of vectors: BLAS would wake its threads, and the sum depend on their number.
        train_loss=float((losses * counts).sum() / counts.sum()) if counts.any() else 0.0,
        seconds=seconds,
        lr=float(now.rates[-1][-1]),
        **figures,
    )


def _run_steps(run: Run, now: Pass) -> None:
    """All steps of an epoch, window by window, or those that there is time for."""
    seed = run.seed if run.shuffle else None
    with closing(run.data.windows(now.number, seed, run.batch_size)) as windows:
        for window in windows:
            _feed(run, window.samples)
            done = _run_window(run, now, window)
            now.counts.append(sums(window.samples.weights, done, run.batch_size))
            if now.kept is not None:
                started = time.perf_counter()
                _judge(now, window, done)
                now.judging += time.perf_counter() - started
            if run.is_out_of_time:
                break
    _feed(run, run.data.head)  # so that nobody keeps a window in memory
    now.kept = None


def _feed(run: Run, samples: Samples) -> None:
    """Give the engine, if there is one, what is trained on next."""
    if run.engine is not None:
        run.engine.feed(samples.x, samples.target, samples.weights)


def _run_window(run: Run, now: Pass, window: Window) -> np.ndarray:
    """The steps of a window, or where time is limited some; the rows that were trained on."""
    samples, order = window
    if run.metrics.running:
        now.kept = np.empty((len(samples.x), samples.outputs), run.net.dtype)
    start, first, steps = now.steps, 0, -(-len(order) // run.batch_size)
    while first < steps and not (now.steps and run.is_out_of_time):
        last, started = min(steps, first + now.count), time.perf_counter()
        rows = order[first * run.batch_size : last * run.batch_size]
        factors, lr = now.factors[start + first : start + last], run.optimizer.lr
        steps_of = _layered if run.engine is None else _fused
        losses = steps_of(run, now, window._replace(order=rows), factors)
        now.losses.append(losses)
        now.rates.append(lr * factors)
        if not math.isfinite(losses[-1]):
            message = run.divergence("the loss", losses[-1], now)
            raise DivergenceError(message, np.concatenate(now.losses))
        took, count, first = time.perf_counter() - started, last - first, last
        if run.max_seconds is not None:
            now.count = max(1, min(8 * count, int(count * PART / max(took, 1e-9))))
    return order[: first * run.batch_size]


def _judge(now: Pass, window: Window, done: np.ndarray) -> None:
    """Add up what the scores say that the steps of these rows found."""
    samples, kept = window.samples, now.kept
    assert kept is not None
    if len(done) < len(kept):  # the epoch was cut short
        samples, kept = samples.rows(done), kept[done]
    tally = judged(samples, [(slice(0, len(kept)), kept)])
    now.tally = tally if now.tally is None else now.tally.merged(tally)


def _layered(run: Run, now: Pass, window: Window, factors: np.ndarray) -> np.ndarray:
    """Some steps, layer by layer. Returns each batch's loss, up to one that is not finite."""
    samples, order = window
    starts = range(0, len(order), run.batch_size)
    losses, weights, before = np.empty(len(starts)), samples.weights, now.steps
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported once, above
        for step, start in enumerate(starts):
            rows = order[start : start + run.batch_size]
            x, target = batch_of(run.net, samples, rows)
            buffers = run.net.buffers.copy()
            scores = checked_scores(run.net, run.net.forward(x), len(x), samples.outputs)
            if now.kept is not None:
                now.kept[rows] = scores
            of_rows = () if weights is None else (weights[rows],)
            loss, gradient = run.loss.compute(scores, target, *of_rows)
            losses[step] = loss + run.limits.penalty(run.net)
            if not math.isfinite(losses[step]):
                run.net.buffers = buffers  # a batch that diverges moves nothing
                return losses[: step + 1]
            run.net.backward(gradient)
            run.limits.apply(run.net)
            _step(run.optimizer, run.net, factors[step])
            _report(run, now, before + step + 1, losses[step])
    return losses


def _step(optimizer: Optimizer, net: Sequential, factor: float) -> None:
    """One step, whose rate is the optimiser's times the factor."""
    if factor == 1:
        optimizer.step(net)  # your own optimisers may know no factor
    else:
        optimizer.step(net, float(factor))


def _fused(run: Run, now: Pass, window: Window, factors: np.ndarray) -> np.ndarray:
    """The same on the engine; the same results but for rounding."""
    assert run.engine is not None
    before = now.steps
    return run.engine.epoch(
        window.order, lambda done, loss: _report(run, now, before + done, loss), factors, now.kept
    )


def _report(run: Run, now: Pass, steps: int, loss: float) -> bool:
    """Tell how far the epoch is, unless somebody was told just now; whether anybody was."""
    if not run.hooks["on_progress"] or time.perf_counter() - now.reported <= REPORT_EVERY:
        return False
    now.reported = time.perf_counter()
    total = len(run.data)
    for hook in run.hooks["on_progress"]:
        hook(now.number, min(steps * run.batch_size, total), total, float(loss))
    return True
