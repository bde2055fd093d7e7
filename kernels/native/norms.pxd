"""What a thread does for a row of normalization: forward, backward, and the step of its vectors.

There is no mathematics here, only calls of the cores that the single kernels wrap too. w, b and the
buffers of such a row lie in the workspace as rows of columns do, WIDTH apart, so that a thread's
part of them is at its columns.
"""

from libc.stdint cimport int64_t

cimport normalization
from numbers cimport (
    BATCH, BATCHES, BATCH_NORM, BUFFER, COLUMNS, COLUMN_SCALE, KIND, LAYER_NORM, LOWEST,
    NORM_EPSILON, PARAM_VECTORS, PLAN_COLUMNS, SHARE, STANDARDIZE, STATISTICS, STEP, TRAINING, W,
    WIDTH, Y_ROW,
)
from program cimport Input, Run, dy_of, output_columns, row_of, takes_steps, values_of, y_of
from steps cimport optimize_apart
from tile cimport pinned, real
from widths cimport panel_width


cdef inline real* statistics_of(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t which,
) noexcept nogil:
    """A norm's means (0), or what it keeps beside them (1): of columns, or of samples at hand.

    BatchNorm's in use are the running ones.
    """
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef real* start = work + plan[STATISTICS] + run.shift
    if run.program[layer * COLUMNS + KIND] == LAYER_NORM:
        return start + which * run.choices[BATCH] + run.row
    if not run.choices[TRAINING]:
        start = work + plan[BUFFER]
    return start + which * plan[WIDTH]


cdef inline real eps_of(const Run* run, Py_ssize_t layer, const real* _real) noexcept nogil:
    return <real> values_of(run, layer)[NORM_EPSILON]


cdef inline void forward_norm(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The columns first..last of its output; LayerNorm's are all."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef Py_ssize_t width = plan[WIDTH], y_row = plan[Y_ROW], n = input.n, count = last - first
    cdef const real* x = <const real*> input.x + first
    cdef const real* w = work + plan[W] + first
    cdef real* mean = work + plan[BUFFER] + first
    cdef real* var = mean + width
    cdef real* y = y_of[real](run, layer, work) + first
    if count <= 0:
        return
    if kind == COLUMN_SCALE:
        normalization.scale[real](n, count, x, input.row, w, y, y_row)
    elif kind == STANDARDIZE:
        normalization.standardize[real](n, count, x, input.row, mean, var, y, y_row)
    elif kind == BATCH_NORM:
        mean = statistics_of[real](run, layer, work, 0) + first
        var = statistics_of[real](run, layer, work, 1) + first
        if run.choices[TRAINING]:
            normalization.statistics[real](n, count, x, input.row, mean, var)
        normalization.batch_norm[real](n, count, x, input.row, mean, var, w, w + width,
                                       eps_of[real](run, layer, work), y, y_row)
    else:
        normalization.layer_norm[real](
            n, count, x, input.row, w, w + width, eps_of[real](run, layer, work),
            statistics_of[real](run, layer, work, 0), statistics_of[real](run, layer, work, 1),
            y, y_row)


cdef inline void gradient_of_norm(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The gradients of w and b, in the layer's scratch."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef Py_ssize_t width = plan[WIDTH], y_row = plan[Y_ROW], n = input.n, count = last - first
    cdef const real* x = <const real*> input.x + first
    cdef const real* dy = dy_of[real](run, layer, work) + first
    cdef const real* mean = statistics_of[real](run, layer, work, 0)
    cdef const real* other = statistics_of[real](run, layer, work, 1)
    cdef real* g = work + plan[STEP] + first
    if kind == COLUMN_SCALE:
        normalization.scale_gradient[real](n, count, x, input.row, dy, y_row, g)
    elif kind == BATCH_NORM:
        normalization.batch_norm_gradient[real](
            n, count, x, input.row, dy, y_row, mean + first, other + first,
            eps_of[real](run, layer, work), g, g + width)
    elif kind == LAYER_NORM:
        normalization.layer_norm_gradient[real](
            n, count, x, input.row, dy, y_row, mean, other, g, g + width)


# Through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*norm_function)(
    const Run*, Py_ssize_t, real*, const Input*, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef inline void norm_gradient(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """gradient_of_norm, as a function of its own."""
    cdef norm_function function = gradient_of_norm[real]
    (<norm_function> pinned(<const void*> function))(run, layer, work, input, first, last)


cdef inline void norm_input(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """dy of the layer before (layer > 0). BatchNorm's needs norm_gradient before."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef Py_ssize_t width = plan[WIDTH], y_row = plan[Y_ROW], n = input.n, count = last - first
    cdef Py_ssize_t dx_row = row_of(run, layer - 1)
    cdef const real* x = <const real*> input.x + first
    cdef const real* dy = dy_of[real](run, layer, work) + first
    cdef const real* mean = statistics_of[real](run, layer, work, 0)
    cdef const real* other = statistics_of[real](run, layer, work, 1)
    cdef const real* w = work + plan[W] + first
    cdef const real* g = work + plan[STEP] + first
    cdef real* dx = dy_of[real](run, layer - 1, work) + first
    if kind == COLUMN_SCALE:
        normalization.scale[real](n, count, dy, y_row, w, dx, dx_row)
    elif kind == STANDARDIZE:
        normalization.unstandardize[real](
            n, count, dy, y_row, work + plan[BUFFER] + width + first, dx, dx_row)
    elif kind == BATCH_NORM and not run.choices[TRAINING]:
        normalization.batch_norm_input_in_use[real](
            n, count, dy, y_row, other + first, w, eps_of[real](run, layer, work), dx, dx_row)
    elif kind == BATCH_NORM:
        normalization.batch_norm_input[real](
            n, count, x, input.row, dy, y_row, mean + first, other + first, w, g, g + width,
            eps_of[real](run, layer, work), n, dx, dx_row)
    else:
        normalization.layer_norm_input[real](
            n, count, x, input.row, dy, y_row, mean, other, w, dx, dx_row)


cdef inline void step_norm(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """The optimiser's step of each of its vectors, by the gradients that norm_gradient left."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t vector, start
    for vector in range(run.program[layer * COLUMNS + PARAM_VECTORS]
                        if takes_steps(run, layer) else 0):
        start = vector * plan[WIDTH] + first
        optimize_apart[real](run, layer, vector > 0, work + plan[STEP] + start,
                             work + plan[W] + start, last - first)


cdef inline void move_running(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """Let this thread's columns of BatchNorm's running mean and variance take in the batch's."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef double share = values_of(run, layer)[SHARE]
    cdef Py_ssize_t first, last
    cdef real* running
    output_columns(run, layer, panel_width[real](work), &first, &last)
    running = work + plan[BUFFER] + first
    if share < 0:
        share = 1.0 / (run.program[layer * COLUMNS + BATCHES] + run.mask + 1)
    if first < last:
        normalization.running_average[real](
            statistics_of[real](run, layer, work, 0) + first, share, 1, running, last - first)
        normalization.running_average[real](
            statistics_of[real](run, layer, work, 1) + first, share, normalization.unbiased(n),
            running + plan[WIDTH], last - first)


cdef inline void backward_norm(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """From dy of these columns dy of the layer before, if that is needed, and the step of w and b.
    """
    if last <= first:
        return
    norm_gradient[real](run, layer, work, input, first, last)
    if layer > run.choices[LOWEST]:
        norm_input[real](run, layer, work, input, first, last)
    step_norm[real](run, layer, work, first, last)
