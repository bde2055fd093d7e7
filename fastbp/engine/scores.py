"""Scores: of many samples, on a compiled backend's engine in several threads; and of one."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import threads as thread_counts
from fastbp.backends import active
from fastbp.kernels.numbers import Choice, Column, PlanColumn, Setting, Size, Split

from .folding import folded
from .program import NotExpressible, Program, compile_network, user_code
from .workspace import Workspace, is_sparse, run_choices, run_settings, source_of

if TYPE_CHECKING:
    from fastbp.network import Sequential

LEAST = 512  # samples from which bringing W into the engine's order pays, and another thread
PART = 2048  # samples that a thread takes at a time at most, and then looks at signals
KEPT, MOST_KEPT = 2**22, 4  # bytes of a workspace that waits for the next samples, and how many do

_waiting: dict[tuple[Any, ...], Workspace] = {}  # by what they were laid out for


def fused_scores(
    net: "Sequential",
    x: np.ndarray,
    scale: float = 1.0,
    threads: int | None = None,
    finish: Callable[[np.ndarray], object] | None = None,
) -> np.ndarray | None:
    """The scores of x * scale, (n, outputs), or None where the layered way must do.

    Every sample is computed by one thread, alone: the scores do not depend on the number.

    Parameters
    ----------
    x : (n, inputs) uint8, float32 or float64
    finish : callable, optional
        What a thread does to the scores of some samples once they are there, in place.
    """
    if len(x) < LEAST or not active().can("engine"):
        return None
    try:
        program, params = folded(compile_network(net, x.shape[1]), net.vectors.own)
        code, addresses = user_code(program)  # the code must stay while it may be called
    except NotExpressible:
        return None
    kernels, number = active().kernels, max(1, min(thread_counts.count(threads), len(x) // LEAST))
    laid_out = kernels, number, program.dtype, program.rows.tobytes()
    try:
        space = _waiting.pop(laid_out, None) or _space(kernels, program, params, number)
    except MemoryError:  # the layers take fewer samples at a time
        return None
    _pack(kernels, program, space, params, net.vectors.own_buffers)
    sparse = is_sparse(program, x, params, Size.MOST_PREDICTED)
    choices = run_choices(_slots(x, sparse), addresses)
    settings = run_settings(program, {Setting.SCALE: scale})
    data = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    scores = np.empty((len(x), int(program.rows[-1, Column.OUTPUTS])), net.dtype)
    part = min(PART, max(LEAST, -(-len(x) // (4 * number * LEAST)) * LEAST))
    stop, left = threading.Event(), [*range(0, len(x), part)][::-1]

    def work(thread: int) -> None:  # one that is held up takes fewer parts
        numbers = program.rows, space.plan[thread], settings, choices
        while not stop.is_set():
            try:
                start = left.pop()
            except IndexError:
                return
            end = min(start + part, len(x))
            kernels.forward_samples(*numbers, data, thread, start, end, space.work, scores)
            if finish is not None:
                finish(scores[start:end])

    thread_counts.run_together(work, number, stop.set)
    del code
    _keep(laid_out, space)
    return scores


def _keep(laid_out: tuple[Any, ...], space: Workspace) -> None:
    """Let a small workspace wait for the next samples."""
    if space.work.nbytes <= KEPT:
        if len(_waiting) >= MOST_KEPT:
            _waiting.clear()
        _waiting[laid_out] = space


def _space(kernels: Any, program: Program, params: np.ndarray, threads: int) -> Workspace:
    """A workspace whose threads all read the same weights and buffers."""
    space = Workspace(
        kernels,
        program,
        params,
        Size.MOST_PREDICTED,
        splits=[Split.WHOLE] * len(program.rows),
        threads=threads,
        buffers=1,
    )
    for column in (PlanColumn.W, PlanColumn.BUFFER):
        space.plan[1:, :, column] = space.plan[0, :, column]
    return space


def _pack(
    kernels: Any, program: Program, space: Workspace, params: np.ndarray, buffers: np.ndarray
) -> None:
    """Bring a network's parameters and buffers into its workspace."""
    for column, vector in ((PlanColumn.W, params), (PlanColumn.BUFFER, buffers)):
        part = column - PlanColumn.W
        kernels.engine_pack(program.rows, space.plan[0], part, vector, space.work)


def _slots(x: np.ndarray, sparse: bool) -> dict[Choice, int]:
    """The integer settings of a run that only looks forward."""
    return {
        Choice.LOSS: 0,
        Choice.THREADS: 1,
        Choice.BATCH: Size.MOST_PREDICTED,
        Choice.SOURCE: source_of(x),
        Choice.FEATURES: x.shape[1],
        Choice.SAMPLES_KEPT: len(x),
        Choice.SPARSE: sparse,
        Choice.OPTIMIZER: 0,
        Choice.STEPS_BEFORE: 0,
        Choice.SEGMENTS: 1,
        Choice.STATES: 0,
        Choice.SKIP: False,
        Choice.LOWEST: 0,
        Choice.TRAINING: False,
        Choice.IN_COMMON: False,
    }


def one_sample(net: "Sequential") -> Any:
    """The active kernels' way for a single sample through this network, or None if it has none."""
    inputs = net.inputs
    if not active().can("one_sample") or inputs is None:
        return None
    try:
        program = compile_network(net, inputs)
        user_code(program)
    except NotExpressible:
        return None
    if program.on_images:  # which it knows nothing of
        return None
    params = net.vectors.own
    if net.vectors.frozen:  # else what is folded might change
        program, params = folded(program, params)
    # Nobody can make the parameters of a frozen network infinite, and hide it behind a zero.
    skip_zeros = net.vectors.frozen and bool(np.isfinite(params).all())
    buffers = net.vectors.own_buffers
    single = active().kernels.OneSample(program.rows, program.values, params, buffers, skip_zeros)
    return single if single.fits() else None
