"""Gradients of the segments of a batch that threads share by samples; and the step they make.

Each segment's gradient of a row's parameters lies where the plan's SUMS says, laid out as they are.
See samples.pxd.
"""

from libc.stdint cimport int64_t

cimport narrow
cimport panels
from batch cimport blocks_of
from layout cimport weights_size
from narrow cimport SUMS_AT_ONCE
from norms cimport norm_gradient
from numbers cimport (
    BIAS, COLUMNS, DENSE, INPUTS, KIND, LOWEST, OUTPUTS, PARAM_VECTORS, PLAN_COLUMNS, SEGMENTS,
    SPARSE, STEP, SUMS, W, WIDTH, Y_ROW,
)
from program cimport Input, Run, dy_of, takes_steps
from sparse cimport add_blocks
from steps cimport optimize, optimize_columns
from tile cimport MOST_LANES, PANEL, ROWS, SUMS_TOO, dvec, fvec, pinned, real
from widths cimport panel_width, panels_in, vectors_of, weights_row


cdef inline Py_ssize_t size_of(
    const Run* run, Py_ssize_t layer, const real* work,
) noexcept nogil:
    """What a row's parameters, and so its gradient, take."""
    return weights_size[real](
        run.program + layer * COLUMNS, run.plan[layer * PLAN_COLUMNS + WIDTH], work)


cdef inline real* segment_sums(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t segment,
) noexcept nogil:
    """A segment's gradient of a row's parameters, laid out as they are."""
    return (work + run.plan[layer * PLAN_COLUMNS + SUMS]
            + segment * size_of[real](run, layer, work))


cdef inline void add_dense(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, bint begins, real* g,
) noexcept nogil:
    """g += the gradient of W and b, laid out as they are, but for a narrow layer's W, which is
    turned over; of sparse samples, that of b. If it begins, g is taken for zero."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), p = 0, j, vectors
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t y_row = plan[Y_ROW], w_row = weights_row[real](plan, work)
    cdef const real* x = <const real*> input.x
    cdef const real* dy = dy_of[real](run, layer, work)
    cdef real sums[MOST_LANES * PANEL]
    cdef bint by_panels = input.bounds == NULL
    if narrow.is_narrow[real](layer, row[INPUTS], row[OUTPUTS], work):
        narrow.add_products[real](
            row[OUTPUTS], input.n, row[INPUTS], x, input.row, dy, y_row, g,
            narrow.gradient_row[real](row[INPUTS], row[OUTPUTS], work))
        by_panels = False
    while p < row[OUTPUTS]:
        vectors = min(PANEL, vectors_of(row[OUTPUTS] - p, panel))
        if real is float:
            if by_panels:
                panels.add_panel[float, fvec](
                    input.n, vectors, row[INPUTS], x, input.row, dy + p, y_row, begins,
                    <fvec*> (g + p * row[INPUTS]), w_row,
                    <fvec*> &sums[0] if SUMS_TOO else NULL)
            if not by_panels or not SUMS_TOO:
                panels.sum_rows[float, fvec](vectors, input.n, dy + p, y_row, <fvec*> &sums[0])
        else:
            if by_panels:
                panels.add_panel[double, dvec](
                    input.n, vectors, row[INPUTS], x, input.row, dy + p, y_row, begins,
                    <dvec*> (g + p * row[INPUTS]), w_row,
                    <dvec*> &sums[0] if SUMS_TOO else NULL)
            if not by_panels or not SUMS_TOO:
                panels.sum_rows[double, dvec](vectors, input.n, dy + p, y_row, <dvec*> &sums[0])
        for j in range(vectors * (panel // PANEL)):
            g[plan[WIDTH] * row[INPUTS] + p + j] = sums[j] + (
                <real> 0 if begins else g[plan[WIDTH] * row[INPUTS] + p + j])
        p += panel


cdef inline void add_entries(
    const Run* run, real* work, const Input* input, real* g, const real* codes,
) noexcept nogil:
    """add_dense for the first layer's W on sparse samples. Whether codes are NULL is a constant."""
    cdef Py_ssize_t panel = panel_width[real](work), p = 0, vectors
    cdef Py_ssize_t inputs = run.program[INPUTS], outputs = run.program[OUTPUTS]
    while p < outputs:
        vectors = min(PANEL, vectors_of(outputs - p, panel))
        add_blocks[real](
            run, work, input, p, vectors, codes, 0, blocks_of(inputs), g + p * inputs)
        p += panel


cdef inline void add_sparse(
    const Run* run, real* work, const Input* input, real* g,
) noexcept nogil:
    cdef const real* codes = <const real*> run.codes
    if codes != NULL:
        add_entries[real](run, work, input, g, codes)
    else:
        add_entries[real](run, work, input, g, NULL)


# Through a pointer that the compiler cannot see through: see sparse.pxd.
ctypedef void (*add_function)(const Run*, real*, const Input*, real*) noexcept nogil


cdef inline void add_sparse_apart(
    const Run* run, real* work, const Input* input, real* g,
) noexcept nogil:
    """add_sparse, as a function of its own."""
    cdef add_function function = add_sparse[real]
    (<add_function> pinned(<const void*> function))(run, work, input, g)


cdef inline bint begins_by_tiles(
    const Run* run, Py_ssize_t layer, const real* work,
) noexcept nogil:
    """Whether add_gradient needs no zeros to begin with: tiles do that, of all that is read."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    return (row[KIND] == DENSE and (layer or not run.choices[SPARSE])
            and not narrow.is_narrow[real](layer, row[INPUTS], row[OUTPUTS], work))


cdef inline void add_gradient(
    const Run* run, Py_ssize_t layer, real* work, const Input* input, Py_ssize_t segment,
    bint begins,
) noexcept nogil:
    """A segment's gradient of a row's parameters += that of these samples, with which it begins
    or which are not its first."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef real* g = segment_sums[real](run, layer, work, segment)
    cdef Py_ssize_t j
    if row[KIND] == DENSE:
        add_dense[real](
            run, layer, work, input, begins and begins_by_tiles[real](run, layer, work), g)
        if input.bounds != NULL:
            add_sparse_apart[real](run, work, input, g)
        return
    norm_gradient[real](run, layer, work, input, 0, row[OUTPUTS])
    for j in range(row[PARAM_VECTORS] * plan[WIDTH]):
        g[j] += work[plan[STEP] + j]


cdef inline bint has_gradient(const Run* run, Py_ssize_t layer) noexcept nogil:
    cdef const int64_t* row = run.program + layer * COLUMNS
    return (row[KIND] == DENSE or row[PARAM_VECTORS]) and takes_steps(run, layer)


cdef inline Py_ssize_t added_by_each(const Run* run) noexcept nogil:
    """How many segments each thread adds by itself: its own, where those are whole pairs.

    But where there is one pair for one thread, the step adds it.
    """
    cdef Py_ssize_t segments = run.choices[SEGMENTS]
    if segments == 2:
        return 1
    return segments // run.threads if segments % run.threads == 0 else 1


cdef inline void add_pairs(
    const Run* run, real* work, Py_ssize_t segment, Py_ssize_t done,
) noexcept nogil:
    """Once a thread has done so many segments, up to this one: the pairs that are whole now."""
    cdef Py_ssize_t layer, j, size, apart = 1
    cdef real* sums
    cdef const real* other
    while done % (2 * apart) == 0:
        for layer in range(run.layers):
            size = size_of[real](run, layer, work) if has_gradient(run, layer) else 0
            sums = segment_sums[real](run, layer, work, segment + 1 - 2 * apart)
            other = sums + apart * size
            for j in range(size):
                sums[j] += other[j]
        apart *= 2


cdef inline void add_segments(
    const real* a, Py_ssize_t apart, Py_ssize_t segments, Py_ssize_t n, real* g,
) noexcept nogil:
    """g (n,) = the sum of so many segments' numbers, 1, 2, 4 or 8, in pairs and pairs of pairs."""
    cdef const real* b = a + apart
    cdef const real* c = b + apart
    cdef const real* d = c + apart
    cdef Py_ssize_t j
    for j in range(n if segments == 1 else 0):
        g[j] = a[j]
    for j in range(n if segments == 2 else 0):
        g[j] = a[j] + b[j]
    for j in range(n if segments >= 4 else 0):
        g[j] = (a[j] + b[j]) + (c[j] + d[j])
    a, b, c, d = a + 4 * apart, b + 4 * apart, c + 4 * apart, d + 4 * apart
    for j in range(n if segments == 8 else 0):
        g[j] += (a[j] + b[j]) + (c[j] + d[j])


cdef inline void step_rows(
    const Run* run, Py_ssize_t layer, real* work, bint bias, Py_ssize_t start, Py_ssize_t rows,
    Py_ssize_t row, Py_ssize_t n,
) noexcept nogil:
    """A step of a row's parameters, from number `start` on of where they lie; see optimize."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef real g[ROWS * MOST_LANES * PANEL]
    cdef Py_ssize_t size = size_of[real](run, layer, work), each = added_by_each(run), m, r
    while rows > 0:
        m = min(rows, <Py_ssize_t> ROWS)
        for r in range(m if n < row else 1):
            add_segments[real](work + plan[SUMS] + start + r * row, each * size,
                               run.choices[SEGMENTS] // each, n if n < row else m * n, &g[r * row])
        optimize[real](run, layer, bias, &g[0], work + plan[W] + start, m, row, n)
        start += m * row
        rows -= m


cdef inline Py_ssize_t tiles_of(const Run* run, Py_ssize_t layer) noexcept nogil:
    """How many tiles of rows a panel of a dense layer has."""
    return (run.program[layer * COLUMNS + INPUTS] + ROWS - 1) // ROWS


cdef inline Py_ssize_t pieces_of(
    const Run* run, Py_ssize_t layer, const real* work,
) noexcept nogil:
    """How many pieces threads can share the step of a row's parameters in: tiles, or all at once."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    if not has_gradient(run, layer):
        return 0
    if row[KIND] == DENSE and not narrow.is_narrow[real](
            layer, row[INPUTS], row[OUTPUTS], work):
        return tiles_of(run, layer) * panels_in[real](run.plan + layer * PLAN_COLUMNS, work)
    return 1


cdef inline void step_narrow(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """A step of a narrow layer's W and b."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t inputs = run.program[layer * COLUMNS + INPUTS], k = 0, j, n
    cdef Py_ssize_t outputs = run.program[layer * COLUMNS + OUTPUTS]
    cdef Py_ssize_t most = narrow.inputs_at_once[real](outputs, work)
    cdef Py_ssize_t g_row = narrow.gradient_row[real](inputs, outputs, work)
    cdef Py_ssize_t row = weights_row[real](plan, work), each = added_by_each(run)
    cdef real g[SUMS_AT_ONCE]
    while k < inputs:
        n = min(most, inputs - k)
        for j in range(outputs):
            add_segments[real](
                work + plan[SUMS] + j * g_row + k, each * size_of[real](run, layer, work),
                run.choices[SEGMENTS] // each, most, &g[j * most])
        optimize_columns[real](run, layer, &g[0], most, n, work + plan[W] + k * row, row)
        k += n
    if run.program[layer * COLUMNS + BIAS]:
        step_rows[real](run, layer, work, True, plan[WIDTH] * inputs, 1, row, row)


cdef inline void step_pieces(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """A step of the pieces first..last of a row's parameters; b goes with its panel's last one."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t width = run.plan[layer * PLAN_COLUMNS + WIDTH], inputs = row[INPUTS]
    cdef Py_ssize_t panel = panel_width[real](work), tiles = tiles_of(run, layer), p = 0, k, end, n
    cdef Py_ssize_t w_row = weights_row[real](run.plan + layer * PLAN_COLUMNS, work)
    if row[KIND] != DENSE:
        while p < row[PARAM_VECTORS] * row[OUTPUTS]:
            n = min(panel, row[OUTPUTS] - p % row[OUTPUTS])
            k = p // row[OUTPUTS] * width + p % row[OUTPUTS]
            step_rows[real](run, layer, work, p >= row[OUTPUTS], k, 1, n, n)
            p += n
        return
    if narrow.is_narrow[real](layer, inputs, row[OUTPUTS], work):
        step_narrow[real](run, layer, work)
        return
    while p < width:
        k, end = max(first * ROWS, <Py_ssize_t> 0), min(last * ROWS, inputs)
        n = min(PANEL, vectors_of(row[OUTPUTS] - p, panel)) * (panel // PANEL)
        if k < end:
            step_rows[real](run, layer, work, False, p * inputs + k * w_row, end - k, w_row, n)
        if k < end == inputs and row[BIAS]:
            step_rows[real](run, layer, work, True, width * inputs + p, 1, n, n)
        first -= tiles
        last -= tiles
        p += panel


cdef inline void step_share(const Run* run, real* work) noexcept nogil:
    """A step of this thread's share of all parameters."""
    cdef Py_ssize_t layer, pieces = 0, first, last, count
    for layer in range(run.choices[LOWEST], run.layers):
        pieces += pieces_of[real](run, layer, work)
    first = pieces * run.thread // run.threads
    last = pieces * (run.thread + 1) // run.threads
    for layer in range(run.choices[LOWEST], run.layers):
        count = pieces_of[real](run, layer, work)
        if first < count and last > 0:
            step_pieces[real](run, layer, work, max(first, <Py_ssize_t> 0), min(last, count))
        first -= count
        last -= count
