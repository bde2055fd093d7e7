"""What a thread does for one layer of one batch: forward; backward and update; and the loss.

There is no mathematics here, only calls of the cores that the single kernels wrap too. What
returns bint returns 0 if the run was given up while it waited for others.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

cimport activations
cimport dropout
cimport losses
cimport rowwise
cimport shortcut
from activations cimport is_elementwise
from norms cimport backward_norm, forward_norm, norm_gradient, step_norm
from numbers cimport (
    BY_INPUTS, COLUMNS, DENSE, DROPOUT, FORK, INPUTS, KIND, LOSS, LOSSES, LOWEST, OUTPUTS,
    PARAM_VECTORS, PLAN_COLUMNS, SPLIT, W, WIDTH, Y_ROW,
)
from program cimport (
    Input, Run, dy_of, gathers_input, hidden_input, is_norm, masks_of, meet, output_columns,
    partner_of, row_of, takes_steps, values_of, y_of,
)
from shared cimport backward_dense, forward_by_inputs, gather_columns, multiply, step_dense
from shortcut cimport is_shortcut
from sparse cimport sparse_layer
from tile cimport pinned, real
from widths cimport lanes_of, panel_width


cdef inline void forward_shortcut(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The columns first..last of what a FORK puts out, which is a copy, or an ADD."""
    cdef Py_ssize_t partner = partner_of(run, layer), y_row = row_of(run, layer), r
    cdef const real* x = <const real*> input.x + first
    cdef const real* other = y_of[real](run, partner, work) + first
    cdef real* y = y_of[real](run, layer, work) + first
    for r in range(input.n if last > first else 0):
        if run.program[layer * COLUMNS + KIND] == FORK:
            memcpy(y + r * y_row, x + r * input.row, (last - first) * sizeof(real))
        else:
            shortcut.sum_of[real](x + r * input.row, other + r * row_of(run, partner),
                                  y + r * y_row, last - first)


cdef inline void backward_shortcut(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """From their dy, dy of the layer before: an ADD's as it is, which its FORK adds."""
    cdef Py_ssize_t partner = partner_of(run, layer), y_row = row_of(run, layer), r
    cdef Py_ssize_t dx_row = row_of(run, layer - 1)
    cdef const real* dy = dy_of[real](run, layer, work) + first
    cdef const real* other = dy_of[real](run, partner, work) + first
    cdef real* dx = dy_of[real](run, layer - 1, work) + first
    for r in range(n if last > first else 0):
        if run.program[layer * COLUMNS + KIND] == FORK:
            shortcut.sum_of[real](dy + r * y_row, other + r * row_of(run, partner),
                                  dx + r * dx_row, last - first)
        else:
            memcpy(dx + r * dx_row, dy + r * y_row, (last - first) * sizeof(real))


cdef inline void forward_rows(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The columns first..last of what a layer without weights puts out."""
    cdef Py_ssize_t x_row = input.row, y_row = row_of(run, layer), r
    cdef Py_ssize_t lanes = lanes_of[real](work)
    cdef const real* x = <const real*> input.x
    cdef real* y = y_of[real](run, layer, work)
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef dropout.Masks masks
    if is_shortcut(kind):
        forward_shortcut[real](run, layer, work, input, first, last)
        return
    if kind == DROPOUT:
        masks = masks_of(run, layer)
    if is_elementwise(kind) and first < last == run.program[layer * COLUMNS + OUTPUTS]:
        # the gap behind a row fills its last vector; one number after another would take longer
        last += (lanes - last % lanes) % lanes
        last = min(last, min(x_row, y_row))
    if is_elementwise(kind) and first == 0 and last == x_row and last == y_row:  # no gaps
        activations.forward[real](kind, values_of(run, layer), x, y, input.n * last)
        return
    for r in range(input.n if last > first else 0):
        if is_elementwise(kind):
            activations.forward[real](kind, values_of(run, layer),
                                      x + r * x_row + first, y + r * y_row + first, last - first)
        elif kind == DROPOUT:
            dropout.drop_row[real](
                &masks, run.sample + r, first, last, x + r * x_row, y + r * y_row)
        else:
            rowwise.log_softmax_row[real](x + r * x_row, y + r * y_row, last)


cdef inline bint forward_layer(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """One layer's output, or this thread's columns of it."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t first, last
    if input.bounds != NULL:
        sparse_layer[real](run, work, NULL, input)
        return True
    if row[KIND] == DENSE and plan[SPLIT] == BY_INPUTS:
        return forward_by_inputs[real](run, layer, work, input)
    if gathers_input(run, layer):
        if not gather_columns[real](run, layer - 1, work, input.n):
            return False
        if row[KIND] != DENSE and not meet(run):  # a dense layer meets the others in backward
            return False
    output_columns(run, layer, panel_width[real](work), &first, &last)
    if row[KIND] == DENSE:
        multiply[real](run, layer, work, input.n, <const real*> input.x, input.row, 0, row[INPUTS],
                       work + plan[W] + plan[WIDTH] * row[INPUTS], first, last,
                       y_of[real](run, layer, work), plan[Y_ROW])
    elif is_norm(row[KIND]):
        forward_norm[real](run, layer, work, input, first, last)
    else:
        forward_rows[real](run, layer, work, input, first, last)
    return True


# What is called in several places is called through a pointer that the compiler cannot see through.
# It would put a copy of it into each, and take minutes over one large function.
ctypedef bint (*forward_function)(Run*, Py_ssize_t, real*, const Input*) noexcept nogil


cdef inline bint forward_apart(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """forward_layer, as a function of its own."""
    cdef forward_function function = forward_layer[real]
    return (<forward_function> pinned(<const void*> function))(run, layer, work, input)


cdef inline void backward_rows(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """From the columns first..last of dy of a layer without weights, dy of the layer before it."""
    cdef Py_ssize_t y_row = row_of(run, layer), r, count = last - first
    cdef Py_ssize_t dx_row = row_of(run, layer - 1)
    cdef const real* x = y_of[real](run, layer - 1, work)
    cdef const real* y = y_of[real](run, layer, work)
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef real* dx = dy_of[real](run, layer - 1, work)
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef dropout.Masks masks
    if is_shortcut(kind):
        backward_shortcut[real](run, layer, work, n, first, last)
        return
    if kind == DROPOUT:
        masks = masks_of(run, layer)
    if is_elementwise(kind) and count == y_row and count == dx_row:  # no gaps
        activations.backward[real](kind, values_of(run, layer), x, y, dy, dx, n * count)
        return
    for r in range(n if count > 0 else 0):
        if is_elementwise(kind):
            activations.backward[real](
                kind, values_of(run, layer), x + r * dx_row + first, y + r * y_row + first,
                dy + r * y_row + first, dx + r * dx_row + first, count)
        elif kind == DROPOUT:
            dropout.drop_row[real](
                &masks, run.active[r] if run.active != NULL else run.sample + r, first, last,
                dy + r * y_row, dx + r * dx_row)
        else:
            rowwise.log_softmax_backward_row[real](
                y + r * y_row, dy + r * y_row, dx + r * dx_row, last)


ctypedef void (*rows_function)(
    const Run*, Py_ssize_t, real*, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef inline void backward_rows_apart(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """backward_rows, as a function of its own."""
    cdef rows_function function = backward_rows[real]
    (<rows_function> pinned(<const void*> function))(run, layer, work, n, first, last)


cdef inline bint backward_layer(
    Run* run, Py_ssize_t layer, real* work, const Input* first, const Input* coming,
) noexcept nogil:
    """From dy of one layer, dy of the layer before it; and a dense layer's update.

    `first` is what the first layer read, and `coming` what it will read next, or NULL.
    """
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef Py_ssize_t begin, end
    cdef Input input = first[0]
    if layer:
        input = hidden_input[real](run, layer, work, first.n)
    if kind == DENSE:
        if not backward_dense[real](run, layer, work, &input, NULL if layer else coming):
            return False
        return (layer or coming == NULL or coming.bounds != NULL
                or forward_apart[real](run, layer, work, coming))
    output_columns(run, layer, panel_width[real](work), &begin, &end)
    if is_norm(kind):
        backward_norm[real](run, layer, work, &input, begin, end)
    elif layer > run.choices[LOWEST]:
        backward_rows_apart[real](run, layer, work, first.n, begin, end)
    return True


cdef inline void step_layer(
    const Run* run, Py_ssize_t layer, real* work, const Input* first, const Input* coming,
) noexcept nogil:
    """The update of this thread's part of a layer's parameters, by the dy that is there.

    Both inputs are as in backward_layer.
    """
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t begin, end
    cdef Input input = first[0]
    if not takes_steps(run, layer):
        return
    if layer:
        input = hidden_input[real](run, layer, work, first.n)
    if row[KIND] == DENSE:
        step_dense[real](run, layer, work, &input, coming)
    elif row[PARAM_VECTORS]:
        output_columns(run, layer, panel_width[real](work), &begin, &end)
        if begin < end:
            norm_gradient[real](run, layer, work, &input, begin, end)
            step_norm[real](run, layer, work, begin, end)


ctypedef void (*step_function)(
    const Run*, Py_ssize_t, real*, const Input*, const Input*) noexcept nogil


cdef inline void step_apart(
    const Run* run, Py_ssize_t layer, real* work, const Input* first, const Input* coming,
) noexcept nogil:
    """step_layer, as a function of its own."""
    cdef step_function function = step_layer[real]
    (<step_function> pinned(<const void*> function))(run, layer, work, first, coming)


cdef inline double sum_of_losses(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples, const int64_t* labels,
    const real* values, double* each,
) noexcept nogil:
    """The weighted losses of n rows, which are those samples, and the gradient by their output.

    Returns their sum; each of them too, if it is not NULL.
    """
    cdef Py_ssize_t last = run.layers - 1, o = run.program[last * COLUMNS + OUTPUTS], r
    cdef Py_ssize_t width = row_of(run, last)
    cdef const real* y = y_of[real](run, last, work)
    for r in range(n if run.scores != NULL else 0):
        memcpy(<real*> run.scores + (run.epoch + samples[r]) * o, y + r * width, o * sizeof(real))
    return losses.sum_of_rows[real](
        run.choices[LOSS], values_of(run, run.layers), y, width, samples, n, labels, values,
        run.weights, run.batch_weight, dy_of[real](run, last, work), o, each)


ctypedef double (*loss_function)(
    const Run*, real*, Py_ssize_t, const int64_t*, const int64_t*, const real*, double*,
) noexcept nogil


cdef inline double losses_apart(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples, const int64_t* labels,
    const real* values, double* each,
) noexcept nogil:
    """sum_of_losses, as a function of its own."""
    cdef loss_function function = sum_of_losses[real]
    return (<loss_function> pinned(<const void*> function))(
        run, work, n, samples, labels, values, each)


cdef inline double kept_loss(const Run* run, real* work, Py_ssize_t n) noexcept nogil:
    """The batch's loss, where threads that share its samples have left those of each."""
    cdef const double* losses_ = <const double*> (work + run.plan[LOSSES] + run.shift)
    cdef Py_ssize_t r
    cdef double sums[4]  # which the processor adds to side by side
    memset(&sums, 0, sizeof(sums))
    for r in range(n):
        sums[r % 4] += losses_[r]
    return losses.mean_of((sums[0] + sums[1]) + (sums[2] + sums[3]), run.batch_weight)


cdef inline double loss_of(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples,
    const int64_t* labels, const real* values,
) noexcept nogil:
    """The batch's loss, and the gradient by the last layer's output."""
    cdef double total = losses_apart[real](run, work, n, samples, labels, values, NULL)
    return losses.mean_of(total, run.batch_weight)
