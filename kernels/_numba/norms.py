"""What a thread does for a row of normalization: forward, backward, and the step of its vectors.

There is no mathematics here, only calls. w, b and the buffers of such a row lie as rows of columns
do, vector_width apart, so that a thread's part of them is at its columns. LayerNorm reads all
columns, and each thread finds the sums over them for itself.
"""

from fastbp.kernels.numbers import Choice, Column, Kind, PlanColumn, Value

from . import normalization
from .barrier import meet
from .jit import core
from .pointers import shift
from .program import (
    dy_of,
    input_of,
    kind_of,
    outputs_of,
    owned,
    place_of,
    program_of,
    row_of,
    row_width,
    takes_steps,
    values_of,
    w_of,
    whole,
    y_of,
)
from .steps import optimize
from .vectors import SAMPLES


@core
def vector_width(run, layer):
    """From one of its vectors to the next."""
    return whole(outputs_of(run, layer), SAMPLES)


@core
def statistics_of(run, layer):
    """A norm's means and what it keeps beside them: of columns, or of the samples at hand.

    BatchNorm's in use are the running ones.
    """
    batch, start = run.choices[Choice.BATCH], place_of(run, layer, PlanColumn.STATISTICS)
    if kind_of(run, layer) == Kind.LAYER_NORM:
        start = shift(start, run.step % 2 * 2 * batch + run.row)  # some still read the last step's
        return start, shift(start, batch)
    if not run.choices[Choice.TRAINING]:
        start = place_of(run, layer, PlanColumn.BUFFER)
        return start, shift(start, vector_width(run, layer))
    return start, shift(start, row_width(run, layer))


@core
def eps_of(run, layer):
    return type(run.work[0])(values_of(run, layer)[Value.NORM_EPSILON])


@core
def forward_norm(run, layer, n):
    """This thread's columns of its output."""
    kind, (first, last), width = kind_of(run, layer), owned(run, layer), row_width(run, layer)
    x, x_row = input_of(run, layer)
    y, w, kept = y_of(run, layer), w_of(run, layer), place_of(run, layer, PlanColumn.BUFFER)
    apart = vector_width(run, layer)
    b, beside, count = shift(w, apart), shift(kept, apart), last - first
    if count == 0:
        return
    if kind == Kind.LAYER_NORM:
        (mean, rstd), o = statistics_of(run, layer), outputs_of(run, layer)
        eps = eps_of(run, layer)
        normalization.layer_norm(n, o, first, last, x, x_row, w, b, eps, mean, rstd, y, width)
        return
    x, y, w, b = shift(x, first), shift(y, first), shift(w, first), shift(b, first)
    kept, beside = shift(kept, first), shift(beside, first)
    if kind == Kind.COLUMN_SCALE:
        normalization.scale(n, count, x, x_row, w, y, width)
    elif kind == Kind.STANDARDIZE:
        normalization.standardize(n, count, x, x_row, kept, beside, y, width)
    else:
        (mean, var), eps = statistics_of(run, layer), eps_of(run, layer)
        mean, var = shift(mean, first), shift(var, first)
        if run.choices[Choice.TRAINING]:
            normalization.statistics(n, count, x, x_row, mean, var)
        normalization.batch_norm(n, count, x, x_row, mean, var, w, b, eps, y, width)


@core
def norm_gradient(run, layer, n):
    """The gradients of this thread's columns of w and b, in the layer's scratch."""
    kind, (first, last), width = kind_of(run, layer), owned(run, layer), row_width(run, layer)
    x, x_row = input_of(run, layer)
    x, dy, count = shift(x, first), shift(dy_of(run, layer), first), last - first
    g, (mean, beside) = (
        shift(place_of(run, layer, PlanColumn.STEP), first),
        statistics_of(run, layer),
    )
    db = shift(g, vector_width(run, layer))
    if count == 0:
        return
    if kind == Kind.COLUMN_SCALE:
        normalization.scale_gradient(n, count, x, x_row, dy, width, g)
    elif kind == Kind.BATCH_NORM:
        mean, var, eps = shift(mean, first), shift(beside, first), eps_of(run, layer)
        normalization.batch_norm_gradient(n, count, x, x_row, dy, width, mean, var, eps, g, db)
    elif kind == Kind.LAYER_NORM:
        normalization.layer_norm_gradient(n, count, x, x_row, dy, width, mean, beside, g, db)


@core
def norm_input(run, layer, n):
    """This thread's columns of dy of the layer before. BatchNorm's needs norm_gradient before."""
    kind, (first, last), width = kind_of(run, layer), owned(run, layer), row_width(run, layer)
    (x, x_row), dy, dx = input_of(run, layer), dy_of(run, layer), dy_of(run, layer - 1)
    w, (mean, beside), count = w_of(run, layer), statistics_of(run, layer), last - first
    if count == 0:
        return
    if kind == Kind.LAYER_NORM:
        o = outputs_of(run, layer)
        normalization.layer_norm_input(
            n, o, first, last, x, x_row, dy, width, mean, beside, w, dx, x_row
        )
        return
    x, dy, dx, w = shift(x, first), shift(dy, first), shift(dx, first), shift(w, first)
    if kind == Kind.COLUMN_SCALE:
        normalization.scale(n, count, dy, width, w, dx, x_row)
    elif kind == Kind.STANDARDIZE:
        std = shift(place_of(run, layer, PlanColumn.BUFFER), vector_width(run, layer) + first)
        normalization.unstandardize(n, count, dy, width, std, dx, x_row)
    else:
        g, eps = shift(place_of(run, layer, PlanColumn.STEP), first), eps_of(run, layer)
        mean, var = shift(mean, first), shift(beside, first)
        db = shift(g, vector_width(run, layer))
        if run.choices[Choice.TRAINING]:
            normalization.batch_norm_input(
                n, count, x, x_row, dy, width, mean, var, w, g, db, eps, n, dx, x_row
            )
        else:
            normalization.batch_norm_input_in_use(n, count, dy, width, var, w, eps, dx, x_row)


@core
def step_norm(run, step, layer):
    """The optimiser's step of each of its vectors, by the gradients that norm_gradient left."""
    (first, last), w, g = owned(run, layer), w_of(run, layer), place_of(run, layer, PlanColumn.STEP)
    count = program_of(run, layer, Column.PARAM_VECTORS) if takes_steps(run, layer) else 0
    for vector in range(count):
        start = vector * vector_width(run, layer) + first
        optimize(run, step, layer, vector > 0, shift(g, start), shift(w, start), last - first)


@core
def _move_running(run, layer, n):
    """This thread's columns of BatchNorm's running mean and variance take in those of the batch."""
    (first, last), apart = owned(run, layer), vector_width(run, layer)
    share, (mean, var) = values_of(run, layer)[Value.SHARE], statistics_of(run, layer)
    running = shift(place_of(run, layer, PlanColumn.BUFFER), first)
    if share < 0:
        share = 1.0 / (row_of(run, layer)[Column.BATCHES] + run.step + 1)
    count, factor = last - first, normalization.unbiased(n)
    normalization.average(shift(mean, first), share, 1.0, running, count)
    normalization.average(shift(var, first), share, factor, shift(running, apart), count)


@core
def move_running(run, n):
    """The same of all rows, in training."""
    for layer in range(run.layers if run.choices[Choice.TRAINING] else 0):
        if kind_of(run, layer) == Kind.BATCH_NORM:
            _move_running(run, layer, n)


@core
def backward_norm(run, step, layer, n, still):
    """From dy dy of the layer before (layer > 0), and the step of w and b; False if given up.

    LayerNorm's w must stay until every thread has read it, whole. With still it is not the time of
    steps.
    """
    norm_gradient(run, layer, n)
    norm_input(run, layer, n)
    if kind_of(run, layer) == Kind.LAYER_NORM and not meet(run):
        return False
    if not still:
        step_norm(run, step, layer)
    return True
