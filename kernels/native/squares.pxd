"""Sums of squares: of all weights, for the penalty, and of a step's gradients, for their norm.

Rows on rows are shared by threads, so each leaves the sums of its parts: of a panel, or where W is
shared by inputs of a segment of rows. Then they meet, and each adds all parts in their order. So
the bits are the same for every number of threads. On images each thread has all parts itself.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

cimport limits
from followed cimport follows
from lazy cimport take_up_scale
from norms cimport norm_gradient
from numbers cimport (
    BIAS, BY_INPUTS, COLUMNS, DENSE, FROZEN, INPUTS, KIND, LOWEST, OUTPUTS, PARAM_VECTORS,
    PLAN_COLUMNS, SPLIT, STEP, W, WHOLE, WIDTH, Y_ROW,
)
from pairs cimport leave_parts_apart, takes_pairs
from program cimport (
    Input, Run, adds_at_once, dy_of, first_segment, hidden_input, is_norm, kept_scale, kept_sums,
    meet, output_columns, parts_in, parts_of, penalty_of, row_of, segment_start,
)
from steps cimport rows_at
from tile cimport MOST_LANES, PANEL, ROWS, pinned, real
from widths cimport panel_width, vectors_of, weights_row


cdef inline double weight_squares(
    const Run* run, Py_ssize_t layer, const real* work, Py_ssize_t first_row, Py_ssize_t last_row,
    Py_ssize_t p,
) noexcept nogil:
    """Of these rows of the panel that starts at column p."""
    cdef Py_ssize_t row = weights_row[real](run.plan + layer * PLAN_COLUMNS, work)
    cdef const real* w = work + run.plan[layer * PLAN_COLUMNS + W]
    cdef double scale = 1 if layer else run.scale
    w += p * run.program[layer * COLUMNS + INPUTS]
    return scale * scale * limits.squares[real](
        w + first_row * row, (last_row - first_row) * row)


cdef inline double squares_of_gradient(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first_row,
    Py_ssize_t last_row, Py_ssize_t p,
) noexcept nogil:
    """Of their gradient, with the penalty's."""
    cdef real g[ROWS * MOST_LANES * PANEL]
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), k = first_row, count, i
    cdef Py_ssize_t row = weights_row[real](plan, work)
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef Py_ssize_t vectors = min(PANEL, vectors_of(outputs - p, panel))
    cdef const real* dy = dy_of[real](run, layer, work) + p
    cdef const real* w = work + plan[W] + p * run.program[layer * COLUMNS + INPUTS]
    cdef real l2 = <real> penalty_of(run, layer, False)
    cdef double total = 0
    memset(&g, 0, sizeof(g))
    while k < last_row:
        count = rows_at[real](input, k, last_row, vectors, dy, plan[Y_ROW], &g[0], row)
        if l2 > 0:
            limits.add_penalty[real](l2, w + k * row, &g[0], count * row)
        if count == ROWS:
            total += limits.squares[real](&g[0], ROWS * row)
        for i in range(count if count < ROWS else 0):
            total += limits.squares[real](&g[i * row], row)
        k += count
    return total


# Called in several places, through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef double (*squares_function)(
    const Run*, Py_ssize_t, real*, const Input*, Py_ssize_t, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef inline double gradient_squares(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t first_row,
    Py_ssize_t last_row, Py_ssize_t p,
) noexcept nogil:
    """squares_of_gradient, as a function of its own."""
    cdef squares_function function = squares_of_gradient[real]
    return (<squares_function> pinned(<const void*> function))(
        run, layer, work, input, first_row, last_row, p)


cdef inline double bias_squares(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t p,
) noexcept nogil:
    """Of the gradient of a panel's columns of b."""
    cdef real g[MOST_LANES * PANEL]
    cdef Py_ssize_t panel = panel_width[real](work), row = row_of(run, layer)
    cdef Py_ssize_t count = min(panel, run.program[layer * COLUMNS + OUTPUTS] - p), r, j
    cdef const real* dy = dy_of[real](run, layer, work) + p
    if not run.program[layer * COLUMNS + BIAS]:
        return 0
    for j in range(panel):
        g[j] = 0
    for r in range(n):
        for j in range(count):
            g[j] += dy[r * row + j]
    return limits.squares[real](&g[0], panel)


cdef inline void add_biases(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, double* parts,
) noexcept nogil:
    """Add those of b to this thread's parts; where W is shared by inputs, to the first one's."""
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p
    cdef bint by_inputs = run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_INPUTS
    output_columns(run, layer, panel, &first, &last)
    p = first
    while p < last and not (by_inputs and run.thread):
        parts[0 if by_inputs else p // panel] += bias_squares[real](run, layer, work, n, p)
        p += panel


cdef inline double norm_squares(
    const Run* run, Py_ssize_t layer, const real* work, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """Of these columns of the gradients that norm_gradient left."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t vector
    cdef double total = 0
    for vector in range(run.program[layer * COLUMNS + PARAM_VECTORS]):
        total += limits.squares[real](
            work + plan[STEP] + vector * plan[WIDTH] + first, last - first)
    return total


cdef inline double panel_squares(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t p,
) noexcept nogil:
    """Of a panel's columns of a row's weights (input NULL) or of the gradient of all of theirs."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    if input == NULL:
        return weight_squares[real](run, layer, work, 0, row[INPUTS], p)
    if row[KIND] == DENSE:
        return (gradient_squares[real](run, layer, work, input, 0, row[INPUTS], p)
                + bias_squares[real](run, layer, work, input.n, p))
    return norm_squares[real](run, layer, work, p, min(p + panel_width[real](work), row[OUTPUTS]))


cdef inline double segment_squares(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t segment,
) noexcept nogil:
    """The same of the rows of W that are a segment's, the first of which has b too."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), p = 0
    cdef Py_ssize_t first = min(row[INPUTS], segment_start(run, row[INPUTS], panel, segment))
    cdef Py_ssize_t last = min(row[INPUTS], segment_start(run, row[INPUTS], panel, segment + 1))
    cdef double total = 0
    while p < row[OUTPUTS]:
        if input == NULL:
            total += weight_squares[real](run, layer, work, first, last, p)
        else:
            total += gradient_squares[real](run, layer, work, input, first, last, p)
        if input != NULL and segment == 0:
            total += bias_squares[real](run, layer, work, input.n, p)
        p += panel
    return total


cdef inline bint has_squares(const Run* run, Py_ssize_t layer, bint of_weights) noexcept nogil:
    """Whether a row has weights that are penalized, or a gradient that is used."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    if of_weights or row[KIND] == DENSE:
        return row[KIND] == DENSE and (of_weights or not row[FROZEN])
    return is_norm(row[KIND]) and row[PARAM_VECTORS] and not row[FROZEN]


cdef inline void copy_kept(
    const Run* run, Py_ssize_t layer, real* work, double* parts,
) noexcept nogil:
    """What this thread has followed of the parts of a row's weights."""
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p
    cdef const double* kept = kept_sums[real](run, layer, work)
    if run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_INPUTS:
        first, last = first_segment(run, run.thread), first_segment(run, run.thread + 1)
    else:
        output_columns(run, layer, panel, &first, &last)
        first, last = first // panel, (last + panel - 1) // panel
    for p in range(first, last):
        parts[p] = kept[p]


cdef inline void leave_squares(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, double* parts,
) noexcept nogil:
    """This thread's parts of a row: of its weights (input NULL), or of its gradient."""
    cdef Py_ssize_t split = run.plan[layer * PLAN_COLUMNS + SPLIT], first, last, p
    cdef Py_ssize_t panel = panel_width[real](work)
    if split == WHOLE and run.thread:  # all have the same
        return
    if input == NULL and follows(run, layer):
        copy_kept[real](run, layer, work, parts)
        return
    if (input != NULL and run.program[layer * COLUMNS + KIND] == DENSE
            and takes_pairs(run, layer, input)):
        leave_parts_apart[real](run, layer, work, input, parts)
        add_biases[real](run, layer, work, input.n, parts)
        return
    if split == BY_INPUTS:
        for p in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            parts[p] = segment_squares[real](run, layer, work, input, p)
        return
    output_columns(run, layer, panel, &first, &last)
    if first < last and is_norm(run.program[layer * COLUMNS + KIND]):
        norm_gradient[real](run, layer, work, input, first, last)
    p = first
    while p < last:
        parts[p // panel] = panel_squares[real](run, layer, work, input, p)
        p += panel


cdef inline double sum_of_parts(
    Run* run, real* work, Py_ssize_t lowest, bint of_weights,
) noexcept nogil:
    """What all threads have left of the rows from `lowest` on, added in its order."""
    cdef Py_ssize_t layer, i
    cdef double total = 0
    for layer in range(lowest, run.layers):
        for i in range(parts_in[real](run, layer, work)
                       if has_squares(run, layer, of_weights) else 0):
            total += parts_of[real](run, layer, work)[i]
    run.summed += 1
    return total


cdef inline bint sum_squares(
    Run* run, real* work, const Input* first, double* total,
) noexcept nogil:
    """total = of all weights (first NULL), or of their gradients; 0 if the run was given up.

    first is what the first layer read.
    """
    cdef Py_ssize_t layer, lowest = run.choices[LOWEST] if first != NULL else 0
    cdef Input input
    for layer in range(lowest, run.layers):
        if first != NULL:
            input = hidden_input[real](run, layer, work, first.n) if layer else first[0]
        if has_squares(run, layer, first == NULL):
            leave_squares[real](run, layer, work, &input if first != NULL else NULL,
                                parts_of[real](run, layer, work))
    if not meet(run):
        return False
    total[0] = sum_of_parts[real](run, work, lowest, first == NULL)
    return True


cdef inline bint add_penalty(Run* run, real* work, double* loss) noexcept nogil:
    """loss += the penalty on all weights as they are; 0 if the run was given up."""
    cdef double total
    if run.l2 == 0:
        return True
    if not sum_squares[real](run, work, NULL, &total):
        return False
    loss[0] += run.l2 / 2 * total
    return True


cdef inline bint find_clip(Run* run, real* work, const Input* first) noexcept nogil:
    """Set what gradients are multiplied by, and let parameters move; 0 if the run was given up."""
    cdef double total
    run.still = False
    if not sum_squares[real](run, work, first, &total):
        return False
    run.clip = limits.clip_factor(run.settings, total)
    return True


cdef inline void begin_squares(Run* run, real* work) noexcept nogil:
    """Sum up all weights, or take over what is kept of an epoch that goes on."""
    cdef double scale = kept_scale[real](run.plan, work)[0]
    cdef Py_ssize_t layer
    run.scale = 1 if scale == 0 else scale
    run.follows = False
    if run.l2 == 0 or not adds_at_once(run):
        return
    for layer in range(run.layers if scale == 0 else 0):
        if has_squares(run, layer, True):
            leave_squares[real](run, layer, work, NULL, kept_sums[real](run, layer, work))
    run.follows = True


cdef inline void end_squares(Run* run, real* work, bint whole) noexcept nogil:
    """Keep them; at the end of a whole epoch nothing is, and the first layer's W is as it is."""
    if not run.follows:
        return
    if whole:
        take_up_scale[real](run, work)
    if run.thread == 0:
        kept_scale[real](run.plan, work)[0] = 0 if whole else run.scale
