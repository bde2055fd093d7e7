"""Backward is for active samples: those whose gradient by the scores is not all zero.

See native/active.pxd.
"""

from .batch import gather_samples, sort_columns
from .jit import core
from .program import DY, OUTPUTS, SKIP_INACTIVE, WIDTH, Y, owned, place_of, plan_of, program_of


@core
def find_active(run, n):
    """List the rows whose gradient by the scores is not all zero, in run.rows; how many they are.

    Backward is for them alone: see kernels/active.pxd.
    """
    layer, count = run.layers - 1, 0
    o, width = program_of(run, layer, OUTPUTS), plan_of(run, layer, WIDTH)
    dy = place_of(run, layer, DY)
    if not run.choices[SKIP_INACTIVE]:
        return n
    for r in range(n):
        run.rows[count] = r
        for j in range(o):
            if dy[r * width + j] != 0:  # or NaN
                count += 1
                break
    return count


@core
def keep_active(run, data, chosen, count, zeros):
    """Move this thread's columns of the active rows to the front; gather their samples anew."""
    for layer in range(run.layers):
        first, last = owned(run, layer)
        width, y, dy = plan_of(run, layer, WIDTH), place_of(run, layer, Y), place_of(run, layer, DY)
        for k in range(count):
            for j in range(first, last):
                y[k * width + j] = y[run.rows[k] * width + j]
                if layer == run.layers - 1:
                    dy[k * width + j] = dy[run.rows[k] * width + j]
    for k in range(count):
        run.samples[k] = chosen[run.rows[k]]
    gather_samples(run, data, run.samples, count, zeros)
    if run.listed:
        sort_columns(run, count, zeros)
