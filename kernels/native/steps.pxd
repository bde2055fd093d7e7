"""The optimiser's step of this thread's part of a dense layer's W and b.

There is no mathematics here, only calls of the cores that the single kernels wrap too.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

cimport limits
cimport narrow
cimport panels
cimport updates
from clipping cimport panel_within
from losses cimport sum_of_weights
from narrow cimport SUMS_AT_ONCE
from numbers cimport (
    BIAS, BIAS_LR_FACTOR, BY_OUTPUTS, COLUMNS, INPUTS, LR, M, OPTIMIZER, OUTPUTS, PLAIN,
    PLAN_COLUMNS, SAMPLES_KEPT, SPLIT, STATES, STEP, STEPS_BEFORE, V, W, WHOLE, WIDTH, Y_ROW,
)
from program cimport Input, Run, adds_at_once, dy_of, penalty_of, rule_of, values_of
from tile cimport MOST_LANES, PANEL, ROWS, dvec, fvec, pinned, real
from widths cimport lanes_of, padded_columns, panel_width, vectors_of, weights_row


cdef inline void begin_step(
    Run* run, Py_ssize_t step, const int64_t* samples, Py_ssize_t n,
) noexcept nogil:
    """Let this step of the epoch, for these n samples, be at hand."""
    cdef Py_ssize_t there = run.choices[SAMPLES_KEPT]
    run.epoch = run.starts[step] // there * there
    run.l2 = run.rates_of_steps[2 * step + 1]
    run.step = run.choices[STEPS_BEFORE] + step + 1
    run.mask = step
    run.batch_weight = sum_of_weights(run.weights, samples, n)
    run.rates = updates.rates_of(run.choices[OPTIMIZER], run.settings,
                                 run.settings[LR] * run.rates_of_steps[2 * step], <double> run.step)


cdef inline void optimize_with(
    const Run* run, Py_ssize_t layer, bint bias, real* g, real* w, real* m, real* v,
    Py_ssize_t rows, Py_ssize_t row, Py_ssize_t n,
) noexcept nogil:
    """optimize, of weights that need not lie where the plan says, nor what is remembered of them.
    """
    cdef updates.Rule rule = rule_of(run, layer, bias)
    if n == row:
        n, rows = n * rows, 1
    for _ in range(rows):
        limits.limit_apart[real](run.settings, penalty_of(run, layer, bias), run.clip, w, g, n)
        updates.update[real](
            run.choices[OPTIMIZER], run.settings, <double> run.step, &run.rates, &rule, g, w, m,
            v, n)
        g += row
        w += row
        m += row
        v += row


cdef inline void optimize(
    const Run* run, Py_ssize_t layer, bint bias, real* g, real* w, Py_ssize_t rows, Py_ssize_t row,
    Py_ssize_t n,
) noexcept nogil:
    """One optimiser step of a layer's weights, or of its bias; g gets its limits.

    Of each of some rows, `row` apart, the first n: what is behind them is a panel's gap.
    """
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    optimize_with[real](run, layer, bias, g, w, w + plan[M] - plan[W], w + plan[V] - plan[W],
                        rows, row, n)


# Functions of their own, through pointers that the compiler cannot see through (stages.pxd), are
# what is called in several places, and tiles, which so keep their registers.
ctypedef void (*optimize_function)(
    const Run*, Py_ssize_t, bint, real*, real*, real*, real*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
) noexcept nogil


cdef inline void optimize_with_apart(
    const Run* run, Py_ssize_t layer, bint bias, real* g, real* w, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    """optimize_with of n weights in a row, as a function of its own."""
    cdef optimize_function function = optimize_with[real]
    (<optimize_function> pinned(<const void*> function))(
        run, layer, bias, g, w, m, v, 1, n, n)


cdef inline void optimize_apart(
    const Run* run, Py_ssize_t layer, bint bias, real* g, real* w, Py_ssize_t n,
) noexcept nogil:
    """optimize of n weights in a row, as a function of its own."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    optimize_with_apart[real](
        run, layer, bias, g, w, w + plan[M] - plan[W], w + plan[V] - plan[W], n)


cdef inline Py_ssize_t rows_at(
    const Input* input, Py_ssize_t k, Py_ssize_t last, Py_ssize_t vectors, const real* dy,
    Py_ssize_t dy_row, real* g, Py_ssize_t panel,
) noexcept nogil:
    """g = the gradient of a few rows of a panel, from row k on; returns how many.

    Of each row only so many vectors are written.
    """
    cdef const real* x = <const real*> input.x + k
    if real is float:
        return panels.gradient_rows[float, fvec](
            last - k, vectors, input.n, x, input.row, <const fvec*> dy, dy_row, <fvec*> g, panel)
    else:
        return panels.gradient_rows[double, dvec](
            last - k, vectors, input.n, x, input.row, <const dvec*> dy, dy_row, <dvec*> g, panel)


cdef inline void optimize_panel(
    const Run* run, Py_ssize_t layer, const Input* input, Py_ssize_t first, Py_ssize_t last,
    Py_ssize_t vectors, const real* dy, Py_ssize_t dy_row, real* w, Py_ssize_t row,
) noexcept nogil:
    """The gradient of a few rows of a panel at a time, used while it is in the nearest cache."""
    cdef real g[ROWS * MOST_LANES * PANEL]
    cdef Py_ssize_t k = first, count, n = vectors * (panel_width[real](w) // PANEL)
    memset(&g, 0, sizeof(g))
    while k < last:
        count = rows_at[real](input, k, last, vectors, dy, dy_row, &g[0], row)
        optimize[real](run, layer, False, &g[0], w + k * row, count, row, n)
        k += count


cdef inline void shrink(
    const Run* run, Py_ssize_t layer, real* w, Py_ssize_t n,
) noexcept nogil:
    """The penalty's part of a step of plain SGD, of n weights in a row."""
    cdef double l2 = penalty_of(run, layer, False) * run.clip
    if l2 != 0:
        limits.shrink[real](<real> (run.rates.lr * rule_of(run, layer, False).rate * l2), w, n)


cdef inline void optimize_columns(
    const Run* run, Py_ssize_t layer, real* g, Py_ssize_t g_row, Py_ssize_t n, real* w,
    Py_ssize_t row,
) noexcept nogil:
    """A step of n rows of a narrow layer's W, of whose gradient g each output has a row.

    Vectors are filled with weights of one output: a row of W would fill few of their lanes.
    """
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef real parts[3][SUMS_AT_ONCE]
    cdef Py_ssize_t lanes = lanes_of[real](w), states = run.choices[STATES], j, part
    memset(&parts, 0, sizeof(parts))
    for j in range(run.program[layer * COLUMNS + OUTPUTS]):
        for part in range(1 + states):
            narrow.take_column[real](w + plan[W + part] - plan[W] + j, row, n, &parts[part][0])
        optimize_with_apart[real](run, layer, False, g + j * g_row, &parts[0][0], &parts[1][0],
                                  &parts[2][0], (n + lanes - 1) // lanes * lanes)
        for part in range(1 + states):
            narrow.put_column[real](&parts[part][0], n, w + plan[W + part] - plan[W] + j, row)


cdef inline void update_narrow(
    const Run* run, Py_ssize_t layer, const Input* input, Py_ssize_t first, Py_ssize_t last,
    const real* step, Py_ssize_t step_row, real* w, Py_ssize_t row,
) noexcept nogil:
    """update_part of a narrow layer, whose W starts at w."""
    cdef real g[SUMS_AT_ONCE]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS], k = first, j, n
    cdef Py_ssize_t most = narrow.inputs_at_once[real](outputs, w)
    cdef bint plain = adds_at_once(run)
    if plain:
        shrink[real](run, layer, w + first * row, (last - first) * row)
    while k < last:
        n = min(most, last - k)
        memset(&g, 0, sizeof(g))
        for j in range(outputs if plain else 0):
            narrow.take_column[real](w + k * row + j, row, n, &g[j * most])
        narrow.add_products[real](outputs, input.n, n, <const real*> input.x + k, input.row, step,
                                  step_row, &g[0], most)
        for j in range(outputs if plain else 0):
            narrow.put_column[real](&g[j * most], n, w + k * row + j, row)
        if not plain:
            optimize_columns[real](run, layer, &g[0], most, n, w + k * row, row)
        k += n


cdef inline bint steps_bias(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether this thread takes b's steps; one that several read only in sums is the first's."""
    cdef int64_t split = run.plan[layer * PLAN_COLUMNS + SPLIT]
    return run.program[layer * COLUMNS + BIAS] and (
        split == BY_OUTPUTS or split == WHOLE or run.thread == 0)


cdef inline void optimize_bias(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """A step of the columns first..last of b, by an optimiser that needs the gradient."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), p = first, vectors
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef real* b = work + plan[W] + plan[WIDTH] * run.program[layer * COLUMNS + INPUTS]
    cdef real g[MOST_LANES * PANEL]
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        if real is float:
            panels.sum_rows[float, fvec](vectors, n, dy + p, plan[Y_ROW], <fvec*> &g[0])
        else:
            panels.sum_rows[double, dvec](vectors, n, dy + p, plan[Y_ROW], <dvec*> &g[0])
        optimize_apart[real](run, layer, True, &g[0], b + p, vectors * (panel // PANEL))
        p += panel


cdef inline const real* plain_step(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """step_of for plain SGD: in the plan's scratch, where sparse_layer looks for it."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), p = first, r, j, count, row = plan[Y_ROW]
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef real* step = work + plan[STEP]
    cdef real* b = work + plan[W] + plan[WIDTH] * run.program[layer * COLUMNS + INPUTS]
    cdef real g[MOST_LANES * PANEL]
    cdef bint plain, has_bias = steps_bias(run, layer)
    cdef real rate = <real> -(run.rates.lr * rule_of(run, layer, False).rate * run.clip), factor
    cdef real of_bias = <real> values_of(run, layer)[BIAS_LR_FACTOR]
    while p < last:
        plain = adds_at_once(run) or panel_within[real](run, layer, work, n, p)
        factor = rate if plain else <real> 1
        count = min(panel, padded_columns(layer, last - p, panel))
        for j in range(count):
            g[j] = 0
        for r in range(n):
            for j in range(count):
                step[r * row + p + j] = dy[r * row + p + j] * factor
                g[j] += step[r * row + p + j]
        if plain and has_bias:
            for j in range(count):
                b[p + j] += g[j] * of_bias
        elif has_bias:
            optimize_apart[real](run, layer, True, &g[0], b + p, count)
        p += panel
    return step


cdef inline const real* step_of(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """Update b, and return what update_weights takes, for the columns first..last.

    For plain SGD that is -lr * dy, with the layer's rate, else dy itself.
    """
    if run.choices[OPTIMIZER] == PLAIN:
        return plain_step[real](run, layer, work, n, first, last)
    if steps_bias(run, layer):
        optimize_bias[real](run, layer, work, n, first, last)
    return dy_of[real](run, layer, work)


cdef inline void update_part(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """A step of the rows first_row..last_row and columns first..last of W.

    Plain SGD never stores a gradient: it is added to W's tile in registers.
    """
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS], y_row = plan[Y_ROW]
    cdef Py_ssize_t panel = panel_width[real](work), p = first, count = last_row - first_row
    cdef Py_ssize_t row = weights_row[real](plan, work), vectors
    cdef const real* x = <const real*> input.x + first_row
    cdef real* w
    if first < last and narrow.is_narrow[real](
            layer, inputs, run.program[layer * COLUMNS + OUTPUTS], work):
        update_narrow[real](
            run, layer, input, first_row, last_row, step, y_row, work + plan[W], row)
        return
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        w = work + plan[W] + p * inputs + first_row * row
        if not adds_at_once(run):
            optimize_panel[real](run, layer, input, first_row, last_row, vectors, step + p, y_row,
                                 w - first_row * row, row)
        else:
            shrink[real](run, layer, w, count * row)
            if real is float:
                panels.add_panel[float, fvec](
                    input.n, vectors, count, x, input.row, step + p, y_row, False, <fvec*> w, row,
                    NULL)
            else:
                panels.add_panel[double, dvec](
                    input.n, vectors, count, x, input.row, step + p, y_row, False, <dvec*> w, row,
                    NULL)
        p += panel


ctypedef void (*part_function)(
    const Run*, Py_ssize_t, real*, const Input*, const real*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
    Py_ssize_t) noexcept nogil


cdef inline void update_weights(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, const real* step,
    Py_ssize_t first_row, Py_ssize_t last_row, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    cdef part_function function = update_part[real]
    (<part_function> pinned(<const void*> function))(
        run, layer, work, input, step, first_row, last_row, first, last)
