"""What a thread does for one layer of one batch: forward; backward and update; and the loss.

There is no mathematics here, only calls of the cores that the single kernels wrap too. What
returns bint returns 0 if the run was given up while it waited for others.
"""

from libc.stdint cimport int64_t

cimport dropout
cimport elementwise
cimport panels
cimport rowwise
from elementwise cimport is_elementwise
from program cimport (
    BY_INPUTS, BY_OUTPUTS, COLUMNS, CROSS_ENTROPY, DENSE, DROPOUT, DY, HINGE, INPUTS, Input,
    KIND, LOSS, MARGIN, NLL, OUTPUTS, PLAN_COLUMNS, Run, SEGMENTS, SPLIT,
    VALUES, W, WIDTH, Y, dy_of, exchanged_at_once, first_segment, hidden_input,
    masks_of, meet, output_columns, own_weights, panel_width, partial_sums, segment_start,
    vectors_of, y_of,
)
from sparse cimport sparse_layer
from steps cimport step_of, update_weights
from tile cimport PANEL, dvec, fvec, pinned, real

cdef enum:
    ROWS_AT_ONCE = 32  # of W, which stay in the nearest cache from dx to their update


cdef inline void multiply(
    const Run* run, Py_ssize_t layer, const real* work, Py_ssize_t n, const real* x,
    Py_ssize_t x_row, Py_ssize_t first_row, Py_ssize_t last_row, const real* start,
    Py_ssize_t first, Py_ssize_t last, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = start + x @ w for the columns first..last, over the rows first_row..last_row of w.

    start is a row of y or NULL.
    """
    cdef Py_ssize_t panel = panel_width[real](work), inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t p = first, depth = last_row - first_row, vectors
    cdef const real* w
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        w = work + run.plan[layer * PLAN_COLUMNS + W] + p * inputs + first_row * panel
        if real is float:
            panels.forward_panel[float, fvec](
                n, vectors, depth, x + first_row, x_row, <const fvec*> w, panel,
                <const fvec*> (start + p if start != NULL else NULL), y + p, y_row)
        else:
            panels.forward_panel[double, dvec](
                n, vectors, depth, x + first_row, x_row, <const dvec*> w, panel,
                <const dvec*> (start + p if start != NULL else NULL), y + p, y_row)
        p += panel


cdef inline void multiply_transposed(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx = dy @ w.T for n samples from `start` on and these rows and columns of w."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t vectors = vectors_of(last - first, panel)
    cdef const real* dy = dy_of[real](run, layer, work) + start * plan[WIDTH] + first
    cdef const real* w = work + plan[W] + first * inputs
    if real is float:
        panels.backward_input[float, fvec](n, first_row, last_row, vectors, dy, plan[WIDTH], w,
                                           panel, inputs * panel, dx, dx_row, NULL)
    else:
        panels.backward_input[double, dvec](n, first_row, last_row, vectors, dy, plan[WIDTH], w,
                                            panel, inputs * panel, dx, dx_row, NULL)


cdef inline bint exchange(
    Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t width,
    real* sums,
) noexcept nogil:
    """sums (n, columns) = the partial sums of all segments, each of which some thread computed.

    width is from a row to the next.
    """
    cdef Py_ssize_t segment, r, j
    cdef const real* part = partial_sums[real](run, layer, work, width, 0)
    if not meet(run):
        return False
    for r in range(n):
        for j in range(columns):
            sums[r * width + j] = part[r * width + j]
    for segment in range(1, run.choices[SEGMENTS]):
        part = partial_sums[real](run, layer, work, width, segment)
        for r in range(n):
            for j in range(columns):
                sums[r * width + j] += part[r * width + j]
    run.exchanges += 1
    return True


cdef inline bint forward_by_inputs(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """The output of a layer whose W the threads share by rows."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), width = plan[WIDTH], segment, start = 0, n
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef const real* b = work + plan[W] + width * inputs
    while start < input.n:
        n = min(exchanged_at_once(run), input.n - start)
        for segment in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            multiply[real](
                run, layer, work, n, <const real*> input.x + start * input.row, input.row,
                min(inputs, segment_start(run, inputs, panel, segment)),
                min(inputs, segment_start(run, inputs, panel, segment + 1)),
                NULL if segment else b, 0, outputs,
                partial_sums[real](run, layer, work, width, segment), width)
        if not exchange[real](run, layer, work, n, outputs, width, work + plan[Y] + start * width):
            return False
        start += n
    return True


cdef inline void forward_rows(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """The columns first..last of what a layer without weights puts out."""
    cdef Py_ssize_t x_row = input.row, y_row = run.plan[layer * PLAN_COLUMNS + WIDTH], r
    cdef const real* x = <const real*> input.x
    cdef real* y = y_of[real](run, layer, work)
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef dropout.Masks masks
    if kind == DROPOUT:
        masks = masks_of(run, layer)
    for r in range(input.n if last > first else 0):
        if is_elementwise(kind):
            elementwise.forward[real](kind, <real> run.settings[VALUES + layer],
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
    output_columns(run, layer, panel_width[real](work), &first, &last)
    if row[KIND] == DENSE:
        multiply[real](run, layer, work, input.n, <const real*> input.x, input.row, 0, row[INPUTS],
                       work + plan[W] + plan[WIDTH] * row[INPUTS], first, last,
                       y_of[real](run, layer, work), plan[WIDTH])
    else:
        forward_rows[real](run, layer, work, input, first, last)
    return True


# What is called in several places is called through a pointer that the compiler cannot see through.
# It would put a copy of it into each, and take minutes over one large function.
ctypedef bint (*float_forward)(Run*, Py_ssize_t, float*, const Input*) noexcept nogil
ctypedef bint (*double_forward)(Run*, Py_ssize_t, double*, const Input*) noexcept nogil


cdef inline bint forward_apart(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """forward_layer, as a function of its own."""
    cdef float_forward of_floats = forward_layer[float]
    cdef double_forward of_doubles = forward_layer[double]
    if real is float:
        return (<float_forward> pinned(<const void*> of_floats))(run, layer, work, input)
    else:
        return (<double_forward> pinned(<const void*> of_doubles))(run, layer, work, input)


cdef inline bint backward_by_outputs(
    Run* run, Py_ssize_t layer, real* work, Py_ssize_t samples,
) noexcept nogil:
    """dx of a layer whose W the threads share by columns."""
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef const int64_t* before = run.plan + (layer - 1) * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), width = before[WIDTH], segment, start = 0, n
    while start < samples:
        n = min(exchanged_at_once(run), samples - start)
        for segment in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            multiply_transposed[real](
                run, layer, work, start, n, 0, inputs,
                min(outputs, segment_start(run, outputs, panel, segment)),
                min(outputs, segment_start(run, outputs, panel, segment + 1)),
                partial_sums[real](run, layer, work, width, segment), width)
        if not exchange[real](run, layer, work, n, inputs, width,
                              work + before[DY] + start * width):
            return False
        start += n
    return True


cdef inline bint backward_dense(
    Run* run, Py_ssize_t layer, real* work, const Input* input, const Input* coming,
) noexcept nogil:
    """dx, unless it is the first layer, and then the update of this thread's part of W and b.

    If `coming` is not NULL, then also the first layer's output for that batch.
    """
    cdef Py_ssize_t panel = panel_width[real](work), k, end, first_row, last_row, first, last
    cdef const int64_t* before = run.plan + (layer - 1) * PLAN_COLUMNS
    cdef const real* step
    cdef bint by_outputs = run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_OUTPUTS
    if layer and by_outputs and not backward_by_outputs[real](run, layer, work, input.n):
        return False
    own_weights(run, layer, panel, &first_row, &last_row, &first, &last)
    step = step_of[real](run, layer, work, input.n, first, last)
    if input.bounds != NULL:
        sparse_layer[real](run, work, input, coming)
        return True
    k = first_row
    while k < last_row:
        end = min(last_row, k + ROWS_AT_ONCE) if layer else last_row
        if layer and not by_outputs:
            multiply_transposed[real](run, layer, work, 0, input.n, k, end, first, last,
                                      work + before[DY], before[WIDTH])
        update_weights[real](run, layer, work, input, step, k, end, first, last)
        k = end
    return coming == NULL or forward_apart[real](run, layer, work, coming)


cdef inline void backward_rows(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """From the columns first..last of dy of a layer without weights, dy of the layer before it."""
    cdef Py_ssize_t y_row = run.plan[layer * PLAN_COLUMNS + WIDTH], r, count = last - first
    cdef Py_ssize_t dx_row = run.plan[(layer - 1) * PLAN_COLUMNS + WIDTH]
    cdef const real* y = y_of[real](run, layer, work)
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef real* dx = dy_of[real](run, layer - 1, work)
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef dropout.Masks masks
    if kind == DROPOUT:
        masks = masks_of(run, layer)
    for r in range(n if count > 0 else 0):
        if is_elementwise(kind):
            elementwise.backward[real](
                kind, <real> run.settings[VALUES + layer], y + r * y_row + first,
                dy + r * y_row + first, dx + r * dx_row + first, count)
        elif kind == DROPOUT:
            dropout.drop_row[real](
                &masks, run.sample + r, first, last, dy + r * y_row, dx + r * dx_row)
        else:
            rowwise.log_softmax_backward_row[real](
                y + r * y_row, dy + r * y_row, dx + r * dx_row, last)


cdef inline bint backward_layer(
    Run* run, Py_ssize_t layer, real* work, const Input* first, const Input* coming,
) noexcept nogil:
    """From dy of one layer, dy of the layer before it; and a dense layer's update.

    `first` is what the first layer read, and `coming` what it will read next, or NULL.
    """
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    cdef Py_ssize_t begin, end
    cdef Input input = first[0]
    if kind == DENSE:
        if layer:
            input = hidden_input[real](run, layer, work, first.n)
        return backward_dense[real](run, layer, work, &input, NULL if layer else coming)
    if layer == 0:
        return True
    output_columns(run, layer, panel_width[real](work), &begin, &end)
    backward_rows[real](run, layer, work, first.n, begin, end)
    return True


cdef inline double loss_row(
    const Run* run, real* work, Py_ssize_t r, Py_ssize_t n, Py_ssize_t sample,
    const int64_t* labels, const real* values,
) noexcept nogil:
    """The loss of row r of the batch's n, which is that sample, and the gradient by its output."""
    cdef Py_ssize_t last = run.layers - 1
    cdef Py_ssize_t o = run.program[last * COLUMNS + OUTPUTS]
    cdef Py_ssize_t width = run.plan[last * PLAN_COLUMNS + WIDTH]
    cdef const real* y = y_of[real](run, last, work) + r * width
    cdef real* dy = dy_of[real](run, last, work) + r * width
    cdef real share = <real> (1.0 / n)
    if run.choices[LOSS] == HINGE:
        return rowwise.hinge_row[real](
            y, labels[sample], <real> run.settings[MARGIN], share, dy, o)
    if run.choices[LOSS] == CROSS_ENTROPY:
        return rowwise.cross_entropy_row[real](y, labels[sample], share, dy, o)
    if run.choices[LOSS] == NLL:
        return rowwise.nll_row[real](y, labels[sample], share, dy, o)
    return rowwise.squared_error_row[real](
        y, values + sample * o, <real> (1.0 / (n * o)), dy, o) / o


cdef inline double loss_of(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples,
    const int64_t* labels, const real* values,
) noexcept nogil:
    """The batch's loss, and the gradient by the last layer's output."""
    cdef Py_ssize_t r
    cdef double total = 0
    for r in range(n):
        total += loss_row[real](run, work, r, n, samples[r], labels, values)
    return total / n
