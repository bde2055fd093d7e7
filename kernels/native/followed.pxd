"""The sum of W's squares, which the loss under a penalty wants in each step, follows W.

With a batch x before a step of plain SGD, and d = -lr * dy, it is that of (keep * W + xᵀ @ d):

    keep² * sum(W²) + 2 * keep * sum(d * (y - b)) + sum((xᵀ @ d)²)

for y = x @ W + b; and the last is a sum over pairs of samples (pairs.pxd). In a small batch that is
far less than all of W. W itself is summed up when an epoch starts; then its parts are kept in the
plan's SQUARES, behind those that threads exchange, between two calls for steps of one epoch too.
"""

from libc.stdint cimport int64_t

from active cimport is_read_backward
from numbers cimport (
    BATCH, BUNCH, BY_INPUTS, COLUMNS, DENSE, FROZEN, INPUTS, KIND, OUTPUTS, PLAN_COLUMNS, SPLIT, W,
    WHOLE, WIDTH, Y_ROW,
)
from pairs cimport leave_parts
from program cimport (
    Input, Run, dy_of, first_segment, kept_sums, output_columns, parts_in, penalty_of, rule_of,
    y_of,
)
from tile cimport pinned, real
from widths cimport panel_width


cdef inline bint follows(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether a layer's sum does: where pairs of samples are fewer than W's numbers."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t batch = run.choices[BATCH]
    cdef Py_ssize_t pairs = batch * (batch + 1) // 2
    return (run.follows and row[KIND] == DENSE and not row[FROZEN] and batch <= BUNCH
            and pairs * (row[INPUTS] + row[OUTPUTS]) <= row[INPUTS] * row[OUTPUTS])


cdef inline double moved(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """The sum of dy * (y - b) over the samples left in backward, for these columns."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t y_row = plan[Y_ROW], r, row, j
    cdef const real* b = work + plan[W] + plan[WIDTH] * run.program[layer * COLUMNS + INPUTS]
    cdef const real* y = y_of[real](run, layer, work)
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef bint together = run.active == NULL or is_read_backward(run, layer)
    cdef double total = 0
    for r in range(n):
        row = r if together else run.active[r]
        for j in range(first, last):
            total += <double> dy[r * y_row + j] * (y[row * y_row + j] - b[j])
    return total


cdef inline void follow_parts(
    const Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """This thread's parts as the step that comes will leave them, before b and W move."""
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p
    cdef double lr = run.rates.lr * rule_of(run, layer, False).rate * run.clip
    cdef double keep = 1 - lr * penalty_of(run, layer, False)
    cdef double* sums = kept_sums[real](run, layer, work)
    cdef double* pairs = sums + parts_in[real](run, layer, work)
    leave_parts[real](run, layer, work, input, pairs)
    if run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_INPUTS:
        for p in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            sums[p] = keep * keep * sums[p] + lr * lr * pairs[p]
            if p == 0:  # for all of them
                sums[p] -= 2 * keep * lr * moved[real](
                    run, layer, work, input.n, 0, run.program[layer * COLUMNS + OUTPUTS])
        return
    output_columns(run, layer, panel, &first, &last)
    p = first
    while p < last:
        sums[p // panel] = (
            keep * keep * sums[p // panel] + lr * lr * pairs[p // panel]
            - 2 * keep * lr * moved[real](run, layer, work, input.n, p, min(p + panel, last)))
        p += panel


# Called in several places, through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*follow_function)(const Run*, Py_ssize_t, real*, const Input*) noexcept nogil


cdef inline void follow(
    const Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """follow_parts, as a function of its own, where there is anything to follow."""
    cdef follow_function function = follow_parts[real]
    if not follows(run, layer) or (
            run.plan[layer * PLAN_COLUMNS + SPLIT] == WHOLE and run.thread):
        return
    (<follow_function> pinned(<const void*> function))(run, layer, work, input)
