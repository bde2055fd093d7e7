"""The norm of a dense layer's gradient without the gradient, for a few samples.

The gradient is the sum over samples of x[r]ᵀ @ dy[r], and so the sum of its squares is that over
pairs of samples of (x[r] · x[s]) (dy[r] · dy[s]). For a few samples these products are far fewer
than the gradient's numbers, and sparse data have them as entries. They are in double precision, for
gradients of samples may cancel each other.
"""

from libc.stdint cimport int32_t
from libc.string cimport memset

cimport limits
from batch cimport blocks_of
from numbers cimport BLOCK, BUNCH, BY_INPUTS, COLUMNS, INPUTS, OUTPUTS, PLAN_COLUMNS, SPLIT
from program cimport (
    Input, Run, dy_of, first_segment, output_columns, penalty_of, row_of, segment_start,
)
from sparse_tiles cimport value_of
from tile cimport pinned, real
from widths cimport panel_width


cdef inline bint takes_pairs(
    const Run* run, Py_ssize_t layer, const Input* input,
) noexcept nogil:
    """Whether that is less than computing the gradient; sparse data leave no choice."""
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS]
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    if input.bounds != NULL:
        return True
    return (input.n <= BUNCH and penalty_of(run, layer, False) == 0
            and input.n * (inputs + outputs) < 2 * inputs * outputs)


cdef inline void pairs_of(
    Py_ssize_t n, const real* x, Py_ssize_t x_row, Py_ssize_t first, Py_ssize_t last,
    double* pairs,
) noexcept nogil:
    """pairs[r, s] = x[r] · x[s] over these columns, for s up to r."""
    cdef Py_ssize_t r, s
    for r in range(n):
        for s in range(r + 1):
            pairs[r * n + s] = limits.products[real](
                x + r * x_row + first, x + s * x_row + first, last - first)


cdef inline void pairs_of_entries(
    const Input* input, Py_ssize_t inputs, Py_ssize_t y_row, const real* codes, double* pairs,
) noexcept nogil:
    """The same of all columns of a sparse batch, which is one chunk."""
    cdef int32_t rows[BUNCH]
    cdef Py_ssize_t n = input.n, whole = inputs // BLOCK, block, first, last, e, d, i, count
    cdef double total
    memset(pairs, 0, n * n * sizeof(double))
    for block in range(blocks_of(inputs) if n else 0):
        count = BLOCK if block < whole else 1
        first, last = input.bounds[2 * block], input.bounds[2 * block + 1]
        for e in range(first, last):
            rows[e - first] = <int32_t> (input.starts[e] // y_row)
            for d in range(first, e + 1):
                total = 0
                for i in range(count):
                    total += <double> value_of[real](input.x, e * BLOCK + i, codes) * (
                        value_of[real](input.x, d * BLOCK + i, codes))
                pairs[rows[e - first] * n + rows[d - first]] += total


cdef inline double sum_of_pairs(Py_ssize_t n, const double* a, const double* b) noexcept nogil:
    """Over all pairs, of which each has half; rounding may not make it less than 0."""
    cdef double total = 0
    cdef Py_ssize_t r, s
    for r in range(n):
        for s in range(r):
            total += 2 * a[r * n + s] * b[r * n + s]
        total += a[r * n + r] * b[r * n + r]
    return <double> 0 if total < 0 else total  # NaN stays NaN


cdef inline void leave_parts(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, double* parts,
) noexcept nogil:
    """The sums of squares of this thread's parts of W's gradient: see squares.pxd."""
    cdef double of_x[BUNCH * BUNCH]
    cdef double of_dy[BUNCH * BUNCH]
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS], panel = panel_width[real](work)
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS], first, last, p
    cdef Py_ssize_t width = row_of(run, layer)
    cdef const real* x = <const real*> input.x
    cdef const real* dy = dy_of[real](run, layer, work)
    if run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_INPUTS:
        pairs_of[real](input.n, dy, width, 0, outputs, &of_dy[0])
        for p in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
            first = min(inputs, segment_start(run, inputs, panel, p))
            last = min(inputs, segment_start(run, inputs, panel, p + 1))
            pairs_of[real](input.n, x, input.row, first, last, &of_x[0])
            parts[p] = sum_of_pairs(input.n, &of_x[0], &of_dy[0])
        return
    if input.bounds != NULL:
        pairs_of_entries[real](input, inputs, width, <const real*> run.codes, &of_x[0])
    else:
        pairs_of[real](input.n, x, input.row, 0, inputs, &of_x[0])
    output_columns(run, layer, panel, &first, &last)
    p = first
    while p < last:
        pairs_of[real](input.n, dy, width, p, min(p + panel, last), &of_dy[0])
        parts[p // panel] = sum_of_pairs(input.n, &of_x[0], &of_dy[0])
        p += panel


# Through a pointer that the compiler cannot see through (stages.pxd), for what is on its stack.
ctypedef void (*parts_function)(
    const Run*, Py_ssize_t, real*, const Input*, double*) noexcept nogil


cdef inline void leave_parts_apart(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, double* parts,
) noexcept nogil:
    """leave_parts, as a function of its own."""
    cdef parts_function function = leave_parts[real]
    (<parts_function> pinned(<const void*> function))(run, layer, work, input, parts)
