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
from fastbp._loss import given
from fastbp.backends import active
from fastbp.kernels.numbers import (
    Choice,
    Column,
    Kind,
    LossKind,
    OptimizerKind,
    PlanColumn,
    Setting,
    Size,
    Split,
    Sync,
)
from fastbp.layers.nesting import every_layer
from fastbp.losses import LOSSES, Loss
from fastbp.network import Sequential
from fastbp.optimizers import BUILT_IN, Optimizer
from fastbp.optimizers.limits import Limits

from .pace import Threads
from .program import NotExpressible, compile_network, kind_of, user_code
from .sharing import MOST_SEGMENTS, by_samples, splits
from .workspace import Workspace, is_sparse, run_choices, run_settings, source_of

# Parts that an exchanged sum is made of: the most threads there can be. It may depend on anything
# but the number of threads.
SMALL_BATCH_SEGMENTS, SMALL_BATCH = 4, 64
NO_LIMITS = Limits()
TURNS = 2000  # turns of waiting before a thread yields its processor


class _Epoch(NamedTuple):
    """What one call of ``Engine.epoch`` is about."""

    order: np.ndarray
    starts: np.ndarray
    rates: np.ndarray
    losses: np.ndarray
    kept: np.ndarray


class Engine:
    """One training run: its program, its workspace, its threads.

    Parameters
    ----------
    net : Sequential
        Read by ``load`` and written by ``store``.
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
        if not active().can("engine"):
            raise NotExpressible(f"the {active().name} backend has no engine")
        self.kernels, self.net, self.optimizer = active().kernels, net, optimizer
        self.limits, self.training = limits, training
        self.loss, self.scale, self.batch_size = loss, scale, min(batch_size, samples or len(x))
        self._optimizer_kind()  # refuses what is not built in
        self.program = compile_network(net, x.shape[1], training)
        kind_of(loss, LOSSES, "loss")  # refuses what is not built in
        self.loss_kind = loss.kind_for(target)
        self._take(x, target, weights)
        self.some = self.x  # that tell whether the data are sparse
        self._nothing = np.zeros((0, 0), net.dtype)  # where no scores are kept
        ways = [self._splits(plain_sparse) for plain_sparse in (False, True)]
        shared = [n for layers, n in ways if self.program.on_images or any(layers)]
        self.threads = Threads(threads, max(shared, default=1))
        self.sync = np.zeros(Sync.SYNC_WORDS, np.int64)
        # The machine code must stay as long as its addresses are in use.
        self.code, self.addresses = user_code(self.program, loss)
        self.laid_out_for: tuple[int, int] | None = None
        self.starts, self.starts_of = np.zeros(1, np.int64), (0, 0)  # of so many epochs' batches
        self.held = False  # whether what is trained stays here between epochs
        self._read_settings()
        if active().can("user_code"):
            self._compile()

    def feed(self, x: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Other samples for the epochs that come, of the same columns and dtypes."""
        if x is not self.source:
            self._take(x, target, weights)
            self.choices[Choice.SAMPLES_KEPT] = len(x)

    def _take(self, x: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> None:
        self.source, is_labels = x, target.ndim == 1
        self.x = np.ascontiguousarray(x).view()  # whose shape is nobody else's
        # One for each sample in any case: a user's loss of values gets a label too, and ignores it.
        self.labels = target if is_labels else np.zeros(len(x), np.int64)
        self.values = np.zeros((1, 1), self.net.dtype) if is_labels else target
        self.weights = given(weights)

    def _splits(self, plain_sparse: bool) -> tuple[list[int], int]:
        """How threads share each layer, and how many parts an exchanged sum is made of.

        The first layer of sparse data whose steps are plain is shared by columns, and so is a batch
        of which backward leaves out samples: the hinge loss has no gradient for most.
        """
        if self.program.on_images:
            segments = min(MOST_SEGMENTS, -(-self.batch_size // Size.SAMPLES))
            return splits(self.program, self.batch_size), segments
        parts = by_samples(self.program, self.batch_size)
        leaves_out = self.loss_kind in (LossKind.HINGE, LossKind.SQUARED_HINGE)
        if (
            parts
            and active().can("samples")
            and not (plain_sparse or leaves_out or self.limits.clips)
        ):
            return [Split.BY_SAMPLES] * len(self.program.rows), parts
        segments = SMALL_BATCH_SEGMENTS if self.batch_size < SMALL_BATCH else MOST_SEGMENTS
        return splits(self.program, self.batch_size), segments

    def _optimizer_kind(self) -> tuple[int, int]:
        """Which optimiser it is at the moment, and how many vectors it remembers."""
        kind = kind_of(self.optimizer, BUILT_IN, "optimiser")
        return kind, self.optimizer.states

    def _lay_out(self) -> None:
        """Make the workspace and the run's integers, for the optimiser as it is."""
        self.laid_out_for = kind, states = self._optimizer_kind()
        sparse = is_sparse(self.program, self.some, self.net.vectors.own, self.batch_size)
        plain = kind == OptimizerKind.PLAIN
        layers, segments = self._splits(sparse and plain)
        self.sparse = sparse and (plain or layers[0] == Split.BY_SAMPLES)
        self.space = Workspace(
            self.kernels,
            self.program,
            self.net.vectors.own,
            self.batch_size,
            splits=layers,
            threads=self.threads.most,
            buffers=2,
            segments=segments,
            states=states,
        )
        # A user's derivative may be infinite, and that times zero is not zero; and in a batch that
        # is normalized every sample has a gradient by the others' losses.
        kinds = {*self.program.kinds}
        self.skip = not self.program.on_images and not {Kind.USER, Kind.BATCH_NORM} & kinds
        slots = {
            Choice.LOSS: self.loss_kind,
            Choice.THREADS: 1,
            Choice.BATCH: self.batch_size,
            Choice.SOURCE: source_of(self.x),
            Choice.FEATURES: self.x.shape[1],
            Choice.SAMPLES_KEPT: len(self.x),
            Choice.SPARSE: self.sparse,
            Choice.OPTIMIZER: kind,
            Choice.STEPS_BEFORE: 0,
            Choice.SEGMENTS: segments,
            Choice.STATES: states,
            Choice.SKIP: self.skip,
            Choice.LOWEST: self.program.lowest,
            Choice.TRAINING: self.training,
        }
        self.choices = run_choices(slots, self.addresses)

    def _read_settings(self) -> None:
        """Take over what a user may have changed since the last step."""
        if self._optimizer_kind() != self.laid_out_for:
            self._lay_out()
        self.program.read_layers(self.optimizer.decay_biases)
        slots = {Setting.SCALE: self.scale} | self.optimizer.numbers() | self.limits.numbers()
        own = self.loss.numbers(int(self.program.rows[-1, Column.OUTPUTS]))
        self.settings = run_settings(self.program, slots, own)
        self.choices[Choice.STEPS_BEFORE] = self.optimizer.steps
        self.choices[Choice.LOWEST] = self.program.lowest
        # What is infinite times zero must be seen.
        finite = np.isfinite(self.net.vectors.own).all()
        self.choices[Choice.SPARSE] = self.sparse and finite and self._sparse_within_limits()
        self.choices[Choice.SKIP] = self.skip and finite

    def _sparse_within_limits(self) -> bool:
        """Whether zeros may be left out for all that limits want to know of the gradient.

        A penalty moves all weights, and what is clipped must be a whole batch's.
        """
        if not active().can("sparse_limits"):
            return not self.limits
        return not self.limits.clips or (not self.limits.l2 and self.batch_size <= Size.BUNCH)

    def _compile(self) -> None:
        """Numba compiles what is called first: here, not in an epoch that is timed."""
        rows, plan = self.program.rows, self.space.plan[0]
        self.kernels.engine_pack(rows, plan, 0, self.net.vectors.own, self.space.work)
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
        with nullcontext() if self.held else self._loaded():
            self.choices[Choice.STEPS_BEFORE] = self.optimizer.steps
            try:
                while done < steps:
                    count, threads = self.threads.next_chunk(steps - done)
                    if penalties is None:
                        run.rates[done:, 1] = self.settings[Setting.L2]
                    stopped, seconds = self._run(run, done, done + count, threads)
                    self.threads.took(threads, count, seconds)
                    if stopped < done + count:
                        return losses[: stopped + 1]
                    done += count
                    if report(done, losses[done - 1]):
                        self._look_again()
            finally:
                self.optimizer.steps += done
                for layer in self.net.layers if self.training else ():
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
            starts = np.arange(0, n, self.batch_size) + n * np.arange(epochs)[:, np.newaxis]
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
        with self._loaded():
            self.held = True
            try:
                yield
            finally:
                self.held = False

    def show(self) -> None:
        """Give the network the parameters and buffers that are held here."""
        for part in (0, PlanColumn.BUFFER - PlanColumn.W):
            self._unpack(part, self.vectors[part])

    @contextmanager
    def _loaded(self) -> Iterator[None]:
        """All that is trained is here for a while, and everybody else sees what it was before."""
        with self.net.vectors.locked():
            self._load()
            try:
                yield
            finally:
                self._store()

    def _load(self) -> None:
        """Bring parameters, the optimiser's memory and buffers into the workspace."""
        self.optimizer.remember(self.net)
        self._read_settings()
        self.memory = self.optimizer.memory
        self.states = self.memory[: self.optimizer.states]
        self.vectors = dict(enumerate((self.net.vectors.own, *self.states)))
        self.vectors[PlanColumn.BUFFER - PlanColumn.W] = self.net.vectors.own_buffers
        for part, vector in self.vectors.items():
            self.kernels.engine_pack(
                self.program.rows, self.space.plan[0], part, vector, self.space.work
            )
        self.counts = self._counts()
        for vector in self.states:
            vector.flags.writeable = False  # what is written there now would be lost

    def _store(self) -> None:
        """Bring them back."""
        for vector in self.states:
            vector.flags.writeable = True
        for part, vector in self.vectors.items():
            self._unpack(part, vector)

    def _unpack(self, part: int, vector: np.ndarray) -> None:
        rows, plan = self.program.rows, self.space.plan[0]
        self.kernels.engine_unpack(rows, plan, part, self.space.work, vector)

    def _look_again(self) -> None:
        """Take over what was changed in the middle of an epoch; refuse what cannot be."""
        if self.optimizer.memory is not self.memory or self._counts() != self.counts:
            raise RuntimeError(
                "fit: the optimiser's memory or steps, or a layer's state, were changed inside "
                "on_progress, in the middle of an engine's epoch; change them in on_epoch_end, or "
                "train with fused=False"
            )
        if self._optimizer_kind() == self.laid_out_for:
            self._read_settings()
        else:  # which takes another workspace
            self._store()
            self._load()

    def _counts(self) -> list[object]:
        """What counts steps, and must not be set in the middle of an epoch."""
        return [self.optimizer.steps, *(layer.state() for layer in every_layer(self.net.layers))]

    def _run(self, epoch: _Epoch, first: int, last: int, threads: int) -> tuple[int, float]:
        """Run the steps first..last with so many threads; returns the first step not done.

        And the seconds that they took, from when the last thread was there: an idle processor
        takes a millisecond to wake up, which would make a few steps of two threads look slow.
        """
        self.choices[Choice.THREADS] = threads
        self.sync[:] = 0
        # With fewer processors than threads, waiting keeps the one waited for from running.
        alone = threads == 1 or threads <= thread_counts.available()
        self.sync[Sync.SPINS] = TURNS if alone else 0
        rows, plan, work = self.program.rows, self.space.plan, self.space.work
        numbers = self.settings, self.choices
        samples = self.x.reshape(-1).view(np.uint8), self.labels, self.values, self.weights
        *steps_given, losses, kept = epoch
        given, written = (*numbers, *samples, *steps_given), (work, losses, kept, self.sync)
        arrivals: list[float] = []

        def steps(thread: int) -> int:
            arrivals.append(time.perf_counter())
            done: int = self.kernels.train_steps(
                rows, plan[thread], *given, thread, first, last, *written
            )
            return done

        def give_up() -> None:
            self.sync[Sync.GIVE_UP] = 1

        stopped = thread_counts.run_together(steps, threads, give_up)
        return stopped, time.perf_counter() - max(arrivals)
