"""Whole epochs on a compiled backend's engine, without going back to Python for each batch.

The engine runs a chunk of steps at a time, in one thread or several. Its results are bitwise the
same for every number of threads, so the number may change from chunk to chunk: unless told,
``Threads`` measures what is faster at the moment, which also answers a busy machine.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import numpy as np

from fastbp import threads as thread_counts
from fastbp.backends import active
from fastbp.kernels.numbers import Choice, Setting, Sync
from fastbp.losses import LOSSES, Loss
from fastbp.losses.base import given
from fastbp.network import Sequential
from fastbp.optimizers import BUILT_IN, Optimizer
from fastbp.optimizers.limits import Limits

from .bytewise import Bytes, as_bytes
from .carried import Carried
from .pace import Threads
from .program import NotExpressible, Program, compile_network, kind_of, user_code
from .settings import Settings, Task

NO_LIMITS = Limits()
TURNS = 2000  # turns of waiting before a thread yields its processor


class _Epoch(NamedTuple):
    """What one call of ``Engine.epoch`` is about."""

    order: np.ndarray
    starts: np.ndarray
    rates: np.ndarray
    losses: np.ndarray
    kept: np.ndarray


def _expressed(
    net: Sequential, inputs: int, loss: Loss, optimizer: Optimizer, training: bool
) -> Program:
    """The network's program, if the backend has an engine for it, and for what trains it."""
    if not active().can("engine"):
        raise NotExpressible(f"the {active().name} backend has no engine")
    kind_of(optimizer, BUILT_IN, "optimiser")
    program = compile_network(net, inputs, training)
    kind_of(loss, LOSSES, "loss")
    return program


class Engine:
    """One training run: its program, its workspace, its threads.

    Parameters
    ----------
    net : Sequential
        Read when an epoch begins, and written when it ends.
    x : (n, inputs) uint8, float32 or float64
        The samples; the network sees x * scale.
    target : (n,) int64 labels or (n, outputs) values of the network's dtype
    weights : (n,) float64, optional
        How much each sample counts, >= 0; 1, if left out.
    training : bool
        Whether layers behave as in training, or as in use.
    limits : Limits
        Of weights and gradients.
    samples : int, optional
        How many there are where x has some of them alone, and ``feed`` brings the others.

    Raises
    ------
    NotExpressible
        If the backend has no engine, or the program cannot express network, loss or optimiser.
    """

    def __init__(
        self,
        net: Sequential,
        x: np.ndarray,
        target: np.ndarray,
        scale: float,
        loss: Loss,
        optimizer: Optimizer,
        batch_size: int,
        threads: int | None,
        weights: np.ndarray | None = None,
        training: bool = True,
        limits: Limits = NO_LIMITS,
        samples: int | None = None,
    ) -> None:
        backend, program = active(), _expressed(net, x.shape[1], loss, optimizer, training)
        self.task = Task(
            kernels=backend.kernels,
            net=net,
            program=program,
            loss=loss,
            loss_kind=loss.kind_for(target),
            scale=scale,
            divisor=0.0,
            optimizer=optimizer,
            limits=limits,
            batch_size=min(batch_size, samples or len(x)),
            training=training,
        )
        self.scale, self.asked = scale, threads
        self.lasts = samples in (None, len(x))  # what is fed is seen once or twice
        self._take(x, target, weights)
        self._nothing = np.zeros((0, 0), net.dtype)  # where no scores are kept
        self.threads = Threads(threads, self.task.most_threads())
        self.sync = np.zeros(Sync.SYNC_WORDS, np.int64)
        # The machine code must stay as long as its addresses are in use.
        self.code, addresses = user_code(program, loss)
        self.settings = Settings(self.task, self.x, self.threads.most, addresses)
        self.carried = Carried(self.settings)
        self.starts, self.starts_of = np.zeros(1, np.int64), (0, 0)  # of so many epochs' batches
        self.held = False  # whether what is trained stays here between epochs
        if backend.can("user_code"):
            self._compile()

    def feed(self, x: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Other samples for the epochs that come, of the same columns and dtypes."""
        if x is not self.source:
            self.lasts = False
            self._take(x, target, weights)
            self.settings.take(self.task, self.x)

    def again(
        self,
        x: np.ndarray,
        target: np.ndarray,
        optimizer: Optimizer,
        weights: np.ndarray | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """Be for another training of the network, with the memory and the threads of the last.

        It must be alike: as many columns, dtypes and what a target is, the loss and, if there are
        fewer samples than ``batch_size``, their number; neither limits may clip.
        """
        self._take(x, target, weights)
        self.task = self.task._replace(optimizer=optimizer, limits=limits)
        self.settings.again(self.task, self.x)
        self.carried = Carried(self.settings)

    def rest(self) -> None:
        """Hold nobody's samples, until ``again`` brings others."""
        self._take(self.x[:0].copy(), self.labels[:0].copy(), None)
        self.settings.some = self.x

    def _take(self, x: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> None:
        self.source, is_labels = x, target.ndim == 1
        whole = np.ascontiguousarray(x).view()  # whose shape is nobody else's
        found = Bytes(whole, self.scale, 0.0)
        if self.lasts and self.scale == 1 and not self.task.program.on_images:
            found = as_bytes(whole, self.asked)
        self.x, scale, divisor = found
        self.task = self.task._replace(scale=scale, divisor=divisor)
        # One for each sample in any case: a user's loss of values gets a label too, and ignores it.
        self.labels = target if is_labels else np.zeros(len(x), np.int64)
        self.values = np.zeros((1, 1), self.task.net.dtype) if is_labels else target
        self.weights = given(weights)

    def _compile(self) -> None:
        """Numba compiles what is called first: here, not in an epoch that is timed."""
        self.settings.read()
        self.carried.pack(0, self.task.net.vectors.own)
        self._run(self._about(np.zeros(1, np.int64), None, None, None), 0, 0, 1)

    def epoch(
        self,
        order: np.ndarray,
        report: Callable[[int, float], bool],
        factors: np.ndarray | None = None,
        kept: np.ndarray | None = None,
        penalties: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train on all samples in this order; returns each batch's loss.

        The losses end with the first that is NaN or infinite; its batch moved nothing. After
        every chunk `report` is called with the steps done and the latest loss, and says whether
        anybody heard it, who may have changed rates and other numbers: they count from the next
        step on. What it raises ends the epoch there. The network has the new parameters in any
        case; until then everybody sees the old ones, read-only.

        `order` (epochs, n) are several epochs, one after another, each of all samples.
        `factors` (steps,) float64 are what the rate of each step is multiplied by: 1, if left out.
        `kept` (samples, outputs) of the network's dtype gets each sample's scores, as its step
        finds them; of several epochs (epochs * samples, outputs). `penalties` (steps,) float64, all
        above 0, are λ of the limits' penalty in each step, where the limits have one.
        """
        run = self._about(order, factors, kept, penalties)
        losses, done, steps = run.losses, 0, len(run.losses)
        with nullcontext() if self.held else self.carried.inside():
            self.settings.choices[Choice.STEPS_BEFORE] = self.task.optimizer.steps
            try:
                while done < steps:
                    count, threads = self.threads.next_chunk(steps - done)
                    if penalties is None:
                        run.rates[done:, 1] = self.settings.numbers[Setting.L2]
                    stopped, seconds = self._run(run, done, done + count, threads)
                    self.threads.took(threads, count, seconds)
                    if stopped < done + count:
                        return losses[: stopped + 1]
                    done += count
                    if report(done, losses[done - 1]):
                        self.carried.look_again()
            finally:
                self.task.optimizer.steps += done
                for layer in self.task.net.layers if self.task.training else ():
                    layer.stepped(done)
                    layer.seen(done)
        return losses

    def _about(
        self,
        order: np.ndarray,
        factors: np.ndarray | None,
        kept: np.ndarray | None,
        penalties: np.ndarray | None,
    ) -> _Epoch:
        """What epoch is given, as the kernels take it."""
        epochs, n = order.shape if order.ndim > 1 else (1, len(order))
        if (epochs, n) != self.starts_of:
            starts = np.arange(0, n, self.task.batch_size) + n * np.arange(epochs)[:, np.newaxis]
            self.starts, self.starts_of = np.append(starts, epochs * n), (epochs, n)
        starts = self.starts
        rates = np.zeros((len(starts) - 1, 2))
        rates[:, 0] = 1 if factors is None else factors
        rates[:, 1] = 0 if penalties is None else penalties
        kept = self._nothing if kept is None else kept
        return _Epoch(order.reshape(-1), starts, rates, np.empty(len(rates)), kept)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep parameters, the optimiser's memory and buffers here from one epoch to the next.

        Nothing is looked at again between epochs: nobody may change network, layers, optimiser or
        limits, or set what counts steps. For layers that count steps, as Dropout, it is of no use.
        The network has what was trained when it ends, and whenever ``show`` is called.
        """
        with self.carried.inside():
            self.held = True
            try:
                yield
            finally:
                self.held = False

    def show(self) -> None:
        """Give the network the parameters and buffers that are held here."""
        self.carried.show()

    def _run(self, epoch: _Epoch, first: int, last: int, threads: int) -> tuple[int, float]:
        """Run the steps first..last with so many threads; returns the first step not done.

        And the seconds that they took, from when the last thread was there: an idle processor
        takes a millisecond to wake up, which would make a few steps of two threads look slow.
        """
        kernels, settings, space = self.task.kernels, self.settings, self.settings.space
        settings.choices[Choice.THREADS] = threads
        self.sync[:] = 0
        # With fewer processors than threads, waiting keeps the one waited for from running.
        alone = threads == 1 or threads <= thread_counts.available()
        self.sync[Sync.SPINS] = TURNS if alone else 0
        rows, numbers = self.task.program.rows, (settings.numbers, settings.choices)
        samples = self.x.reshape(-1).view(np.uint8), self.labels, self.values, self.weights
        *steps_given, losses, kept = epoch
        read, written = (*numbers, *samples, *steps_given), (space.work, losses, kept, self.sync)
        arrivals: list[float] = []

        def steps(thread: int) -> int:
            arrivals.append(time.perf_counter())
            done: int = kernels.train_steps(
                rows, space.plan[thread], *read, thread, first, last, *written
            )
            return done

        def give_up() -> None:
            self.sync[Sync.GIVE_UP] = 1

        stopped = thread_counts.run_together(steps, threads, give_up)
        return stopped, time.perf_counter() - max(arrivals)
