"""Backward is for active samples: those whose gradient by the scores is not all zero.

See native/active.pxd.
"""

from fastbp.kernels.numbers import Choice, Kind

from .batch import gather_samples, sort_columns
from .jit import core
from .norms import statistics_of
from .program import dy_of, kind_of, outputs_of, owned, row_width, y_of


@core
def find_active(run, n):
    """List the rows whose gradient by the scores is not all zero, in run.rows; how many they are.

    Backward is for them alone: see kernels/active.pxd.
    """
    layer, count = run.layers - 1, 0
    o, width = outputs_of(run, layer), row_width(run, layer)
    dy = dy_of(run, layer)
    if not run.choices[Choice.SKIP]:
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
        width, y, dy = row_width(run, layer), y_of(run, layer), dy_of(run, layer)
        for k in range(count):
            for j in range(first, last):
                y[k * width + j] = y[run.rows[k] * width + j]
                if layer == run.layers - 1:
                    dy[k * width + j] = dy[run.rows[k] * width + j]
        if kind_of(run, layer) == Kind.LAYER_NORM:
            mean, rstd = statistics_of(run, layer)
            for k in range(count):
                mean[k], rstd[k] = mean[run.rows[k]], rstd[run.rows[k]]
    for k in range(count):
        run.samples[k] = chosen[run.rows[k]]
    gather_samples(run, data, run.samples, count, 0, zeros)  # near from forward
    if run.listed:
        sort_columns(run, count, zeros)
