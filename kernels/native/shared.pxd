"""What a thread does for a dense layer of the engine: its part of y, of dx, and of the update.

There is no mathematics here, only calls of the cores that the single kernels wrap too. What
returns bint returns 0 if the run was given up while it waited for others.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

cimport narrow
cimport panels
cimport turned
from clipping cimport look_at_limit
from followed cimport follow
from lazy cimport divide_step, is_lazy, shrink_lazily
from numbers cimport (
    BLOCK, BY_OUTPUTS, CLIP_VALUE, COLUMNS, DY, INPUTS, LOWEST, OPTIMIZER, OUTPUTS, PLAIN,
    PLAN_COLUMNS, PRIVATE, SEGMENTS, SPLIT, W, WIDTH, Y, Y_ROW,
)
from program cimport (
    Input, Run, adds_at_once, dy_of, exchanged_at_once, first_segment, meet, output_columns,
    own_weights, partial_sums, row_of, rule_of, segment_start, share_of, takes_steps, y_of,
)
from sparse cimport sparse_layer
from steps cimport step_of, update_weights
from tile cimport FEW, PANEL, dvec, fvec, pinned, real
from widths cimport panel_width, vectors_of, weights_row

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
    cdef Py_ssize_t row = weights_row[real](run.plan + layer * PLAN_COLUMNS, work)
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS], done
    cdef const real* w = work + run.plan[layer * PLAN_COLUMNS + W] + first_row * row
    if first < last and narrow.is_narrow[real](layer, inputs, outputs, work):
        done = narrow.forward[real](outputs, n, depth, x + first_row, x_row, w, row, start, y, y_row)
        x, y, n = x + done * x_row, y + done * y_row, n - done
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        w = work + run.plan[layer * PLAN_COLUMNS + W] + p * inputs + first_row * row
        if real is float:
            panels.forward_panel[float, fvec](
                n, vectors, depth, x + first_row, x_row, <const fvec*> w, row,
                <const fvec*> (start + p if start != NULL else NULL), y + p, y_row)
        else:
            panels.forward_panel[double, dvec](
                n, vectors, depth, x + first_row, x_row, <const dvec*> w, row,
                <const dvec*> (start + p if start != NULL else NULL), y + p, y_row)
        p += panel


cdef inline void transposed_part(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx = dy @ w.T for n samples from `start` on and these rows and columns of w."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t vectors = vectors_of(last - first, panel)
    cdef Py_ssize_t row = weights_row[real](plan, work)
    cdef const real* dy = dy_of[real](run, layer, work) + start * plan[Y_ROW] + first
    cdef const real* w = work + plan[W] + first * inputs
    cdef bint turns = turned.pays(n, last - first)
    if real is float and turns:
        turned.backward_input[float, fvec](n, first_row, last_row, last - first, dy, plan[Y_ROW],
                                           w, row, inputs * panel, dx, dx_row, NULL)
    elif real is float:
        panels.backward_input[float, fvec](n, first_row, last_row, vectors, dy, plan[Y_ROW], w,
                                           row, inputs * panel, dx, dx_row, NULL)
    elif turns:
        turned.backward_input[double, dvec](n, first_row, last_row, last - first, dy, plan[Y_ROW],
                                            w, row, inputs * panel, dx, dx_row, NULL)
    else:
        panels.backward_input[double, dvec](n, first_row, last_row, vectors, dy, plan[Y_ROW], w,
                                            row, inputs * panel, dx, dx_row, NULL)


# A function of its own, through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*transposed_function)(
    const Run*, Py_ssize_t, real*, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
    Py_ssize_t, real*, Py_ssize_t) noexcept nogil


cdef inline void multiply_transposed(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    cdef transposed_function function = transposed_part[real]
    (<transposed_function> pinned(<const void*> function))(
        run, layer, work, start, n, first_row, last_row, first, last, dx, dx_row)


cdef inline bint has_part(
    const Run* run, Py_ssize_t summed, Py_ssize_t panel, Py_ssize_t segment,
) noexcept nogil:
    """Whether a segment adds to sums over so many columns; the first does, if only by being 0."""
    return segment == 0 or (segment_start(run, summed, panel, segment)
                            < segment_start(run, summed, panel, segment + 1))


cdef inline bint exchange(
    Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
    Py_ssize_t width, Py_ssize_t summed, real* sums,
) noexcept nogil:
    """The columns first..last of sums (n, width) = the partial sums of all segments, each of which
    some thread computed, over so many columns."""
    cdef Py_ssize_t panel = panel_width[real](work), segment, r, j
    cdef const real* part = partial_sums[real](run, layer, work, width, 0)
    if not meet(run):
        return False
    for r in range(n):
        for j in range(first, last):
            sums[r * width + j] = part[r * width + j]
    for segment in range(1, run.choices[SEGMENTS]):
        part = partial_sums[real](run, layer, work, width, segment)
        for r in range(n if has_part(run, summed, panel, segment) else 0):
            for j in range(first, last):
                sums[r * width + j] += part[r * width + j]
    run.exchanges += 1
    return True


cdef inline bint gather_columns(
    Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """The columns of a layer's output that other threads have."""
    cdef Py_ssize_t width = row_of(run, layer), thread, first, last, r
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef Py_ssize_t panel = panel_width[real](work)
    cdef real* y = y_of[real](run, layer, work)
    cdef const real* other
    if not meet(run):
        return False
    for thread in range(run.threads):
        share_of(run, thread, outputs, panel, &first, &last)
        other = y + (thread - run.thread) * run.plan[layer * PLAN_COLUMNS + PRIVATE]
        for r in range(n if thread != run.thread and first < last else 0):
            memcpy(y + r * width + first, other + r * width + first,
                   (last - first) * sizeof(real))
    return True


cdef inline bint forward_by_inputs(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """The output of a layer whose W the threads share by rows."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), width = plan[Y_ROW], segment, start = 0, n
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef const real* b = work + plan[W] + plan[WIDTH] * inputs
    while start < input.n:
        n = min(exchanged_at_once(run), input.n - start)
        for segment in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            if not has_part(run, inputs, panel, segment):
                continue
            multiply[real](
                run, layer, work, n, <const real*> input.x + start * input.row, input.row,
                min(inputs, segment_start(run, inputs, panel, segment)),
                min(inputs, segment_start(run, inputs, panel, segment + 1)),
                NULL if segment else b, 0, outputs,
                partial_sums[real](run, layer, work, width, segment), width)
        if not exchange[real](run, layer, work, n, 0, outputs, width, inputs,
                              work + plan[Y] + start * width):
            return False
        start += n
    return True


cdef inline Py_ssize_t step_few(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row, bint clips,
) noexcept nogil:
    """dx_and_step for a few samples: W is read once. Returns the first row that is left.

    clips, a constant, says whether numbers of the gradient are clipped.
    """
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t vectors = vectors_of(last - first, panel)
    cdef Py_ssize_t row = weights_row[real](plan, work)
    cdef const real* dy = dy_of[real](run, layer, work) + first
    cdef const real* x = <const real*> input.x
    cdef real* w = work + plan[W] + first * inputs
    cdef double lr = run.rates.lr * rule_of(run, layer, False).rate
    cdef double most = run.settings[CLIP_VALUE]
    last_row -= (last_row - first_row) % BLOCK
    if real is float:
        panels.backward_few[float, fvec](
            clips, most, lr, input.n, first_row, last_row, vectors, x, input.row, <const fvec*> dy,
            <const fvec*> (step + first), plan[Y_ROW], w, row, inputs * panel, dx, dx_row)
    else:
        panels.backward_few[double, dvec](
            clips, most, lr, input.n, first_row, last_row, vectors, x, input.row, <const dvec*> dy,
            <const dvec*> (step + first), plan[Y_ROW], w, row, inputs * panel, dx, dx_row)
    return last_row


cdef inline Py_ssize_t plain_few(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    return step_few[real](run, layer, work, input, step, first_row, last_row, first, last,
                          dx, dx_row, False)


cdef inline Py_ssize_t clip_few(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """step_few that clips."""
    return step_few[real](run, layer, work, input, step, first_row, last_row, first, last,
                          dx, dx_row, True)


# Functions of their own for their registers, as in sparse.pxd.
ctypedef Py_ssize_t (*few_function)(
    const Run*, Py_ssize_t, real*, const Input*, const real*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
    Py_ssize_t, real*, Py_ssize_t) noexcept nogil


cdef inline Py_ssize_t any_few(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """The one or the other."""
    cdef few_function function = plain_few[real] if adds_at_once(run) else clip_few[real]
    return (<few_function> pinned(<const void*> function))(
        run, layer, work, input, step, first_row, last_row, first, last, dx, dx_row)


cdef inline void dx_and_step(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
    real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx = dy @ w.T of these rows and columns of w, and then their update, while they are near."""
    cdef Py_ssize_t k = first_row, end
    cdef bint moves = takes_steps(run, layer)
    cdef bint plain = run.choices[OPTIMIZER] == PLAIN and run.l2 == 0
    if plain and moves and 0 < input.n <= FEW:
        k = any_few[real](run, layer, work, input, step, first_row, last_row, first, last,
                          dx, dx_row)
    while k < last_row:
        end = min(last_row, k + ROWS_AT_ONCE)
        multiply_transposed[real](run, layer, work, 0, input.n, k, end, first, last, dx, dx_row)
        if moves:
            update_weights[real](run, layer, work, input, step, k, end, first, last)
        k = end


cdef inline bint backward_by_outputs(
    Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
) noexcept nogil:
    """dx of a layer whose W the threads share by columns, and the update of this thread's.

    A large batch's dx is exchanged in parts, and the update must wait for the last.
    """
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef const int64_t* before = run.plan + (layer - 1) * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), width = before[Y_ROW], segment, start = 0, n
    cdef Py_ssize_t first, last
    cdef bint at_once = 0 < input.n <= exchanged_at_once(run)
    cdef real* dx
    while start < input.n:
        n = min(exchanged_at_once(run), input.n - start)
        for segment in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            if not has_part(run, outputs, panel, segment):
                continue
            first = min(outputs, segment_start(run, outputs, panel, segment))
            last = min(outputs, segment_start(run, outputs, panel, segment + 1))
            dx = partial_sums[real](run, layer, work, width, segment)
            if at_once:
                dx_and_step[real](run, layer, work, input, step, 0, inputs, first, last, dx, width)
            else:
                multiply_transposed[real](run, layer, work, start, n, 0, inputs, first, last,
                                          dx, width)
        output_columns(run, layer - 1, panel, &first, &last)
        if not exchange[real](run, layer, work, n, first, last, width, outputs,
                              work + before[DY] + start * width):
            return False
        start += n
    if not at_once and takes_steps(run, layer):
        output_columns(run, layer, panel, &first, &last)
        update_weights[real](run, layer, work, input, step, 0, inputs, first, last)
    return True


cdef inline void step_dense(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const Input* coming,
) noexcept nogil:
    """The update of this thread's part of W and b, by the dy that is there.

    `coming` is as in backward_dense.
    """
    cdef Py_ssize_t first_row, last_row, first, last
    cdef const real* step
    own_weights(run, layer, panel_width[real](work), &first_row, &last_row, &first, &last)
    follow[real](run, layer, work, input)
    step = step_of[real](run, layer, work, input.n, first, last)
    if input.bounds != NULL:
        sparse_layer[real](run, work, input, coming)
    else:
        update_weights[real](run, layer, work, input, step, first_row, last_row, first, last)


cdef inline bint backward_dense(
    Run* run, Py_ssize_t layer, real* work, const Input* input, const Input* coming,
) noexcept nogil:
    """dx, where a layer before it needs that, and the update of this thread's part of W and b.

    If `coming` is not NULL, then sparse data's first layer has its output for that batch too.
    """
    cdef Py_ssize_t first_row, last_row, first, last
    cdef const int64_t* before = run.plan + (layer - 1) * PLAN_COLUMNS
    cdef const real* step = NULL
    cdef bint moves = input.n or run.choices[OPTIMIZER] != PLAIN or run.l2 > 0
    if run.still and layer == run.choices[LOWEST]:
        return True
    own_weights(run, layer, panel_width[real](work), &first_row, &last_row, &first, &last)
    if takes_steps(run, layer):
        look_at_limit[real](run, layer, work, input)
        follow[real](run, layer, work, input)
        step = step_of[real](run, layer, work, input.n, first, last)
    if input.bounds != NULL:
        if is_lazy(run):
            shrink_lazily[real](run, work)
            divide_step[real](run, work, input.n, first, last)
        sparse_layer[real](run, work, input, coming)
        return True
    if moves and layer == run.choices[LOWEST]:
        update_weights[real](run, layer, work, input, step, first_row, last_row, first, last)
    elif moves and run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_OUTPUTS:
        if not backward_by_outputs[real](run, layer, work, input, step):
            return False
    elif moves:
        dx_and_step[real](run, layer, work, input, step, first_row, last_row, first, last,
                          work + before[DY], before[Y_ROW])
    return True
