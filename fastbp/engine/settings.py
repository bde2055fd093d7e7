"""What an engine's steps are told: their workspace, integers and numbers, as a run is just then."""

from types import ModuleType
from typing import NamedTuple

import numpy as np

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
)
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import BUILT_IN, Optimizer
from fastbp.optimizers.limits import Limits

from .program import Program, kind_of
from .sharing import MOST_SEGMENTS, by_samples, has_columns, has_parts, splits
from .workspace import Workspace, is_sparse, run_choices, run_settings, source_of

# Parts that an exchanged sum is made of: the most threads there can be. It may depend on anything
# but the number of threads.
SMALL_BATCH_SEGMENTS, SMALL_BATCH = 4, 64


class Task(NamedTuple):
    """What is trained, and how: objects whose numbers a user may change between steps."""

    kernels: ModuleType
    net: Sequential
    program: Program
    loss: Loss
    loss_kind: LossKind
    scale: float
    divisor: float  # of samples that are kept as bytes; 0 of others
    optimizer: Optimizer
    limits: Limits
    batch_size: int
    training: bool

    def optimizer_kind(self) -> tuple[int, int]:
        """Which optimiser it is at the moment, and how many vectors it remembers."""
        return kind_of(self.optimizer, BUILT_IN, "optimiser"), self.optimizer.states

    @property
    def leaves_out(self) -> bool:
        """Whether backward leaves out samples: the hinge loss has no gradient for most."""
        return self.loss_kind in (LossKind.HINGE, LossKind.SQUARED_HINGE)

    def shares(self, sparse: bool) -> tuple[list[int], int]:
        """How threads share each layer, and how many parts an exchanged sum is made of.

        The first layer of sparse data is shared by columns, where it has enough of them or steps
        that are plain, and so is a batch of which backward leaves out samples.
        """
        by_columns = splits(self.program, self.batch_size)
        if self.program.on_images:
            return by_columns, min(MOST_SEGMENTS, -(-self.batch_size // Size.SAMPLES))
        plain = self.optimizer_kind()[0] == OptimizerKind.PLAIN
        enough = by_columns[0] == Split.BY_OUTPUTS and has_columns(self.program)
        parts = None if sparse and (plain or enough) else self._parts()
        if parts:
            return [Split.BY_SAMPLES] * len(self.program.rows), parts
        segments = SMALL_BATCH_SEGMENTS if self.batch_size < SMALL_BATCH else MOST_SEGMENTS
        return by_columns, segments

    def _parts(self) -> int | None:
        """How many segments a batch has that may be shared by its samples; None if it may not."""
        if self.leaves_out or self.limits.clips or not active().can("samples"):
            return None
        return by_samples(self.program, self.batch_size)

    def most_threads(self) -> int:
        """How many threads can share a step of it, whatever its data are."""
        ways = [self.shares(sparse=True)]
        if not self.program.on_images and self._parts():
            ways.append(self.shares(sparse=False))
        shared = [n for layers, n in ways if has_parts(self.program, layers)]
        return max(shared, default=1)


class Settings:
    """A run's workspace, and the numbers that its steps get.

    Parameters
    ----------
    task : Task
    some : (samples, inputs) array
        Samples, that tell whether the data are sparse.
    threads : int
        That there can be.
    addresses : list of int
        Of what users wrote.

    Attributes
    ----------
    space : Workspace
        Laid out for the optimiser as it was when the numbers were last read.
    choices : (slots,) int64
        By Choice.
    numbers : (slots,) float64
        By Setting, then each layer's own, and the loss's, from the first ``read`` on.
    """

    def __init__(self, task: Task, some: np.ndarray, threads: int, addresses: list[int]) -> None:
        self.task, self.some, self.samples = task, some, len(some)
        self.threads, self.addresses = threads, addresses
        self._space_of: tuple[object, ...] = ()
        self.numbers = np.zeros(Setting.VALUES)
        self._shares: dict[tuple[bool, bool], tuple[list[int], int]] = {}  # by: sparse, plain
        self._lay_out()

    def again(self, task: Task, some: np.ndarray) -> None:
        """Be for another task of the same program, with its samples."""
        self.task, self.some, self.samples = task, some, len(some)
        self._lay_out()

    def take(self, task: Task, samples: np.ndarray) -> None:
        """These samples are there from here on."""
        self.task, self.samples = task, len(samples)
        self.choices[Choice.SAMPLES_KEPT] = len(samples)
        self.choices[Choice.SOURCE] = source_of(samples)
        self.numbers[[Setting.SCALE, Setting.DIVISOR]] = task.scale, task.divisor

    def fits(self) -> bool:
        """Whether the workspace is for the optimiser as it is at the moment."""
        return self.task.optimizer_kind() == self._laid_out_for

    def read(self) -> None:
        """Take over what a user may have changed since the last step."""
        if not self.fits():
            self._lay_out()
        task, program, optimizer = self.task, self.task.program, self.task.optimizer
        program.read_layers(optimizer.decay_biases)
        slots = {Setting.SCALE: task.scale, Setting.DIVISOR: task.divisor}
        slots |= optimizer.numbers() | task.limits.numbers()
        own = task.loss.numbers(int(program.rows[-1, Column.OUTPUTS]))
        self.numbers = run_settings(program, slots, own)
        self.choices[Choice.STEPS_BEFORE] = optimizer.steps
        self.choices[Choice.LOWEST] = program.lowest
        # What is infinite times zero must be seen.
        finite = np.isfinite(task.net.vectors.own).all()
        self.choices[Choice.SPARSE] = self._sparse and finite and self._sparse_within_limits()
        self.choices[Choice.SKIP] = self._skip and finite
        self.choices[Choice.IN_COMMON] = together = self._together and self.choices[Choice.SPARSE]
        buffers = self._own_buffers
        self.space.plan[:, 0, PlanColumn.X] = buffers[0] if together else buffers

    def _lay_out(self) -> None:
        """Make the workspace, if that which is there is no such, and the run's integers."""
        task, program, params = self.task, self.task.program, self.task.net.vectors.own
        self._laid_out_for = kind, states = task.optimizer_kind()
        sparse = is_sparse(program, self.some, params, task.batch_size)
        plain = kind == OptimizerKind.PLAIN
        if (sparse, plain) not in self._shares:
            self._shares[sparse, plain] = task.shares(sparse)
        layers, segments = self._shares[sparse, plain]
        self._plain, self._sparse = plain, sparse and (plain or active().can("samples"))
        # A user's derivative may be infinite, and that times zero is not zero; and in a batch that
        # is normalized every sample has a gradient by the others' losses.
        self._skip = not program.on_images and not {Kind.USER, Kind.BATCH_NORM} & {*program.kinds}
        # Of a large batch it does not pay where hardly any loss is flat: its chunks are shared.
        large = task.batch_size > Size.BUNCH and active().can("samples")
        self._skip &= task.leaves_out or not large
        self._together = sparse and large and not self._skip and layers[0] != Split.BY_SAMPLES
        buffers = 3 if self._together else 2
        if self._space_of != (layers, segments, states, buffers):
            self.space = Workspace(
                task.kernels,
                program,
                params,
                task.batch_size,
                splits=layers,
                threads=self.threads,
                buffers=buffers,
                segments=segments,
                states=states,
            )
            self._space_of = layers, segments, states, buffers
            self._own_buffers = self.space.plan[:, 0, PlanColumn.X].copy()
        self.choices = run_choices(self._slots(segments), self.addresses)

    def _slots(self, segments: int) -> dict[Choice, int]:
        """The run's integers, of which ``read`` writes some anew."""
        task, (kind, states) = self.task, self._laid_out_for
        return {
            Choice.LOSS: task.loss_kind,
            Choice.THREADS: 1,
            Choice.BATCH: task.batch_size,
            Choice.SOURCE: source_of(self.some),
            Choice.FEATURES: self.some.shape[1],
            Choice.SAMPLES_KEPT: self.samples,
            Choice.SPARSE: self._sparse,
            Choice.OPTIMIZER: kind,
            Choice.STEPS_BEFORE: 0,
            Choice.SEGMENTS: segments,
            Choice.STATES: states,
            Choice.SKIP: self._skip,
            Choice.LOWEST: task.program.lowest,
            Choice.TRAINING: task.training,
            Choice.IN_COMMON: False,
        }

    def _sparse_within_limits(self) -> bool:
        """Whether zeros may be left out for all that limits want to know of the gradient.

        Where steps are plain, a penalty moves all weights, and what is clipped must be a whole
        batch's.
        """
        limits = self.task.limits
        if not active().can("sparse_limits"):
            return not limits
        if not self._plain:
            return not limits.clips
        return not limits.clips or (not limits.l2 and self.task.batch_size <= Size.BUNCH)
