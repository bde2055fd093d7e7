"""Scores: of many samples, on a compiled backend's engine in several threads; and of one."""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import threads as thread_counts
from fastbp.backends import active

from .program import NotExpressible, compile_network, user_code
from .workspace import Choices, M, W, Workspace, is_sparse

if TYPE_CHECKING:
    from fastbp.network import Sequential

BATCH = 256  # samples at a time; no more than MOST_PREDICTED in kernels/program.pxd
LEAST = 512  # samples from which bringing W into the engine's order pays
PART = 2048  # samples between two looks at signals


def fused_scores(
    net: "Sequential", x: np.ndarray, scale: float = 1.0, threads: int | None = None
) -> np.ndarray | None:
    """The scores of x * scale, (n, outputs), or None where the layered way must do.

    Every sample is computed by one thread, alone: the scores do not depend on the number.

    Parameters
    ----------
    x : (n, inputs) uint8, float32 or float64
    """
    kernels = active().kernels
    if len(x) < LEAST or not hasattr(kernels, "forward_samples"):
        return None
    try:
        program = compile_network(net, x.shape[1])
        code, addresses = user_code(kernels, program)  # the code must stay while it may be called
    except NotExpressible:
        return None
    number = max(1, min(thread_counts.count(threads), len(x) // LEAST))
    space = Workspace(
        kernels, program, net.params, BATCH,
        splits=[0] * len(program.rows), threads=number, buffers=number,
    )  # fmt: skip
    space.plan[1:, :, W:M] = space.plan[0, :, W:M]  # all read the same weights
    kernels.engine_pack(program.rows, space.plan[0], 0, net.params, space.work)
    choices = Choices(
        loss=0, threads=1, batch=BATCH, source=Choices.source_of(x), features=x.shape[1],
        sparse=is_sparse(program, x, net.params, space.reach), x=space.x, x_stride=space.x_stride,
        optimizer=0, steps_before=0, segments=1, states=0, skip=0,
    )  # fmt: skip
    numbers = np.array([*choices, *addresses], np.int64)
    settings = np.array([scale, *[0.0] * 6, *program.values])
    data = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    scores = np.empty((len(x), int(program.rows[-1, 2])), net.dtype)
    stop = threading.Event()

    def work(thread: int) -> None:
        last = len(x) * (thread + 1) // number
        for start in range(len(x) * thread // number, last, PART):
            if stop.is_set():
                return
            kernels.forward_samples(
                program.rows, space.plan[thread], settings, numbers, data, thread,
                start, min(start + PART, last), space.work, scores,
            )  # fmt: skip

    thread_counts.run_together(work, number, stop.set)
    del code
    return scores


def one_sample(kernels: Any, net: "Sequential") -> Any:
    """The kernels' way for a single sample through this network, or None if there is none."""
    inputs = net.inputs
    if not hasattr(kernels, "OneSample") or inputs is None:
        return None
    try:
        program = compile_network(net, inputs)
        user_code(kernels, program)
    except NotExpressible:
        return None
    if program.on_images:  # which it knows nothing of
        return None
    # Nobody can make the parameters of a frozen network infinite, and hide it behind a zero.
    skip_zeros = not net.params.flags.writeable and bool(np.isfinite(net.params).all())
    single = kernels.OneSample(program.rows, program.values, net.params, skip_zeros)
    return single if single.fits() else None
