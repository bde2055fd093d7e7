"""What an engine works with: its memory, and the arrays of numbers that tell it what to do."""

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np

from fastbp._memory import in_words, machine, zeros
from fastbp.kernels.numbers import Choice, Column, Kind, PlanColumn, Setting, Size, Source

from .program import Program

# Share of the data's blocks (of BLOCK inputs in a row; see kernels/native/batch.pxd) that are not
# all zero, up to which leaving out the others pays.
MOST_USED = 0.6
MOST_SEEN = 500  # samples, that are looked at for it

WIDEST_GAP = 64  # behind a row of an output, in elements

SOURCES = {"uint8": Source.BYTES, "float32": Source.FLOATS, "float64": Source.DOUBLES}


class Workspace:
    """An engine's memory, for so many threads and samples at a time.

    Parameters
    ----------
    splits : list of int
        How threads share each layer, one of Split.
    buffers : int
        For batches of samples, in each thread.
    segments : int
        That exchanged sums are made of.
    states : int
        Vectors that the optimiser remembers.

    Attributes
    ----------
    plan : (threads, layers, PLAN_COLUMNS) int64
        Where each thread finds everything in `work`.
    work : (elements,) ndarray of the parameters' dtype

    Raises
    ------
    MemoryError
        If it would take more than the machine has.
    """

    def __init__(
        self,
        kernels: ModuleType,
        program: Program,
        params: np.ndarray,
        batch_size: int,
        *,
        splits: list[int],
        threads: int,
        buffers: int,
        segments: int = 1,
        states: int = 0,
    ) -> None:
        most = machine()
        # Beyond this the sizes might not even fit 64 bits.
        _refuse_above(most, _least_bytes(program, batch_size))
        self.plan = np.zeros((threads, len(program.rows), PlanColumn.PLAN_COLUMNS), np.int64)
        self.plan[:, :, PlanColumn.SPLIT] = splits
        size = kernels.engine_plan(
            program.rows, batch_size, states, segments, buffers, params, self.plan
        )
        _refuse_above(most, size * params.itemsize)
        self.work = zeros(size, params.dtype)


def _refuse_above(most: float, size: int) -> None:
    if size > most:
        raise MemoryError(
            f"an engine's workspace of {in_words(size)}, but this machine has {in_words(most)}"
        )


def _least_bytes(program: Program, batch_size: int) -> int:
    """What the inputs and outputs of a batch take at least."""
    numbers = sum(map(int, program.rows[:, Column.OUTPUTS])) + int(program.rows[0, Column.INPUTS])
    return batch_size * numbers * program.dtype.itemsize


def run_choices(slots: Mapping[Choice, int], addresses: list[int]) -> np.ndarray:
    """A run's integer settings: every slot of Choice, and the addresses of what users wrote."""
    choices = np.zeros(Choice.CODE + len(addresses), np.int64)
    choices[: Choice.CODE] = [slot for _, slot in sorted(slots.items())]
    choices[Choice.CODE :] = addresses
    return choices


def run_settings(
    program: Program, slots: Mapping[Setting, float], of_loss: Sequence[float] | np.ndarray = ()
) -> np.ndarray:
    """A run's real settings: these, 0 in other slots, each layer's own numbers, and the loss's."""
    settings = np.zeros(Setting.VALUES)
    for slot, number in slots.items():
        settings[slot] = number
    own = np.asarray([*of_loss, 0.0])  # which is read where a loss has none
    return np.concatenate([settings, program.values.ravel(), own])


def source_of(x: np.ndarray) -> Source:
    """What the data's elements are."""
    return SOURCES[x.dtype.name]


def is_sparse(program: Program, x: np.ndarray, params: np.ndarray, samples: int) -> bool:
    """Whether it pays to leave out the data's zeros, by what some samples hold of them.

    Not where a parameter is infinite or NaN, whose product with zero must be seen; nor where the
    first layer's output for so many samples at a time might reach further than the 32 bits in which
    its rows' starts are kept.
    """
    if samples * (int(program.rows[0, Column.OUTPUTS]) + WIDEST_GAP) >= 2**31:
        return False
    whole = x.shape[1] // Size.BLOCK * Size.BLOCK
    dense = program.rows[0, Column.KIND] == Kind.DENSE
    if not dense or not whole or not np.isfinite(params).all():
        return False
    some = x[:, :whole]
    if len(x) > MOST_SEEN:
        some = some[np.linspace(0, len(x) - 1, MOST_SEEN).astype(int)]
    blocks = (some != 0).view(f"u{Size.BLOCK:d}")  # one number each, 0 where nothing is used
    return bool(np.count_nonzero(blocks) / blocks.size < MOST_USED)
