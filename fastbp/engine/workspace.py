"""What an engine works with: its memory, and the arrays of numbers that tell it what to do."""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .program import LINEAR, Program

# Share of the data's blocks (of BLOCK inputs in a row; see kernels/batch.pxd) that are not all
# zero, up to which leaving out the others pays.
BLOCK, CHUNK, MOST_USED = 4, 64, 0.6

SPLIT, WIDTH, W, M, PLAN_COLUMNS = 0, 1, 4, 5, 16  # of a plan's row, as in kernels/program.pxd


class Choices(NamedTuple):
    """The integer settings of a run, in the order of the enum in kernels/program.pxd."""

    loss: int
    threads: int
    batch: int
    source: int
    features: int
    sparse: int
    x: int
    x_stride: int
    optimizer: int
    steps_before: int  # of earlier epochs
    segments: int  # that exchanged sums are made of
    states: int  # vectors that the optimiser remembers
    skip: int  # whether samples without a gradient are left out of backward

    @staticmethod
    def source_of(x: np.ndarray) -> int:
        """The number of the data's dtype, as in kernels/batch.pxd."""
        return ("uint8", "float32", "float64").index(str(x.dtype))


class Workspace:
    """An engine's memory, for so many threads and samples at a time.

    Attributes
    ----------
    plan : (threads, layers, PLAN_COLUMNS) int64
        Where each thread finds everything in `work`.
    work : (elements,) ndarray of the parameters' dtype
    x, x_stride : int
        Where the buffers for batches start in `work`, and how far apart they are.
    reach : int
        How far a batch's output of the first layer extends.
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
        rows, dtype, features = program.rows, params.dtype, int(program.rows[0, 1])
        self.plan = np.zeros((threads, len(rows), PLAN_COLUMNS), np.int64)
        self.plan[:, :, SPLIT] = splits
        size = kernels.engine_plan(rows, batch_size, states, segments, params, self.plan)
        self.reach = batch_size * int(self.plan[0, 0, WIDTH])
        # A buffer has room for the batch's values, padded to whole blocks, and for the numbers that
        # say where they belong: in either engine's way, and if not a single one is zero.
        values = batch_size * (features // BLOCK + features % BLOCK) * BLOCK
        words = batch_size * (features + features // 96 + 7)
        words += features * (3 * -(-batch_size // CHUNK) + 2) + 2600
        self.x_stride = _whole_pages(values + -(-4 * words // dtype.itemsize))
        self.x = _whole_pages(size)
        self.work = _aligned(self.x + self.x_stride * buffers, dtype)


def is_sparse(program: Program, x: np.ndarray, params: np.ndarray, reach: int) -> bool:
    """Whether it pays to leave out the data's zeros, by what some samples hold of them.

    Not where a parameter is infinite or NaN, whose product with zero must be seen; nor where the
    first layer's output reaches further than the 32 bits in which its rows' starts are kept.
    """
    if reach >= 2**31:
        return False
    whole = x.shape[1] // BLOCK * BLOCK
    if program.rows[0, 0] != LINEAR or not whole or not np.isfinite(params).all():
        return False
    some = x[np.linspace(0, len(x) - 1, min(len(x), 500)).astype(int), :whole]
    return bool((some != 0).reshape(-1, BLOCK).any(axis=1).mean() < MOST_USED)


def _whole_pages(elements: int) -> int:
    """Rounded up so that what follows starts on a page of its own."""
    return -(-elements // 1024) * 1024


def _aligned(elements: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that start at a page."""
    raw = np.zeros(elements + 4096, dtype)
    start = -raw.ctypes.data % 4096 // raw.itemsize
    return raw[start : start + elements]
