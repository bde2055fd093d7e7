"""Dense layers of the engine: weights in panels, the optimiser's step fused into the gradient.

A panel is PANEL vectors wide and holds those columns of W for all inputs, row after row, padded
with zeros at the right edge of W; `vectors` is how many of a panel's hold anything else.
A thread has panels, or rows, of its own (program.pxd); none writes to what another one reads.
"""

from libc.string cimport memcpy, memset

from numbers cimport BLOCK
from tile cimport (
    DOT_COLUMNS, DOT_ROWS, PANEL, ROWS, SPARSE_VECTORS, VECTORS, real, sum_lanes, tile_add,
    tile_backward, tile_dot, tile_multiply, vec,
)


cdef enum:
    DOTS_NEAR = 256  # vectors of dot products, which stay in the nearest cache


cdef inline void pack_row(
    const real* row, Py_ssize_t outputs, real* panels, Py_ssize_t width, Py_ssize_t panel_size,
) noexcept nogil:
    """A row of w, to where it lies in each panel; the gap after it becomes 0."""
    cdef Py_ssize_t p = 0
    while p < outputs:
        if outputs - p < width:
            memset(panels, 0, width * sizeof(real))
        memcpy(panels, row + p, min(width, outputs - p) * sizeof(real))
        panels += panel_size
        p += width


cdef inline void pack(
    const real* w, Py_ssize_t inputs, Py_ssize_t outputs, bint bias, real* panels, Py_ssize_t width,
) noexcept nogil:
    """w (inputs, outputs) and b, which follows it, as panels of w and then b; gaps become 0.

    Without a bias there is none, and that in the workspace, which starts as zeros, stays so.
    """
    cdef Py_ssize_t k, whole = (outputs + width - 1) // width * width
    for k in range(inputs):
        pack_row[real](w + k * outputs, outputs, panels + k * width, width, inputs * width)
    if bias:
        pack_row[real](w + inputs * outputs, outputs, panels + whole * inputs, width, width)


cdef inline void unpack(
    const real* panels, Py_ssize_t width, Py_ssize_t inputs, Py_ssize_t outputs, bint bias, real* w,
) noexcept nogil:
    """What pack did, undone."""
    cdef Py_ssize_t k, p
    for k in range(inputs):
        p = 0
        while p < outputs:
            memcpy(w + k * outputs + p, panels + p * inputs + k * width,
                   min(width, outputs - p) * sizeof(real))
            p += width
    if bias:
        memcpy(w + inputs * outputs, panels + (outputs + width - 1) // width * width * inputs,
               outputs * sizeof(real))


cdef inline void _forward_rows(
    Py_ssize_t n, Py_ssize_t vectors, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const vec* w, Py_ssize_t width, const vec* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """n rows (a constant) of one panel's output."""
    cdef Py_ssize_t j = 0
    while j < vectors:
        if vectors - j == 1:
            tile_multiply[real, vec](n, 1, depth, x, x_row, 1, w + j, width,
                                     b + j if b != NULL else NULL, 0, (<vec*> y) + j, y_row)
        else:
            tile_multiply[real, vec](n, VECTORS, depth, x, x_row, 1, w + j, width,
                                     b + j if b != NULL else NULL, 0, (<vec*> y) + j, y_row)
        j += VECTORS


cdef inline void forward_panel(
    Py_ssize_t n, Py_ssize_t vectors, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const vec* w, Py_ssize_t width, const vec* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = x @ w + b for the columns of one panel; b may be NULL, for zero."""
    cdef Py_ssize_t r = 0
    while r + ROWS <= n:
        _forward_rows[real, vec](ROWS, vectors, depth, x + r * x_row, x_row, w, width, b,
                                 y + r * y_row, y_row)
        r += ROWS
    while r + 2 <= n:
        _forward_rows[real, vec](2, vectors, depth, x + r * x_row, x_row, w, width, b,
                                 y + r * y_row, y_row)
        r += 2
    if r < n:
        _forward_rows[real, vec](1, vectors, depth, x + r * x_row, x_row, w, width, b,
                                 y + r * y_row, y_row)


cdef inline void _add_rows(
    Py_ssize_t count, Py_ssize_t vectors, Py_ssize_t n, const real* x, Py_ssize_t x_row,
    const real* step, Py_ssize_t step_row, bint begins, vec* w, Py_ssize_t width, vec* sums,
) noexcept nogil:
    """`count` rows (a constant) of one panel's W, plus their part of xᵀ @ step."""
    cdef Py_ssize_t j = 0
    cdef const vec* step_vec
    cdef vec* start
    while j < vectors:
        step_vec = (<const vec*> step) + j
        start = NULL if begins else w + j
        if sums != NULL and vectors - j == 1:
            tile_add[real, vec](
                count, 1, n, x, x_row, step_vec, step_row, start, w + j, width, sums + j)
        elif sums != NULL:
            tile_add[real, vec](
                count, VECTORS, n, x, x_row, step_vec, step_row, start, w + j, width, sums + j)
        elif vectors - j == 1:
            tile_multiply[real, vec](
                count, 1, n, x, 1, x_row, step_vec, step_row, start, width, w + j, width)
        else:
            tile_multiply[real, vec](
                count, VECTORS, n, x, 1, x_row, step_vec, step_row, start, width, w + j, width)
        j += VECTORS


cdef inline void add_panel(
    Py_ssize_t n, Py_ssize_t vectors, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* step, Py_ssize_t step_row, bint begins, vec* w, Py_ssize_t width, vec* sums,
) noexcept nogil:
    """w += xᵀ @ step for the columns of one panel: with step = -lr * dy, a step of plain SGD.

    The gradient is never stored: it is added to W's tile in registers. If it begins, w is taken for
    zero. sums may be NULL, and else become the sum of step's rows.
    """
    cdef Py_ssize_t k = 0, count
    cdef vec* tile
    while k < depth:
        tile = <vec*> (<real*> w + k * width)
        if depth - k >= ROWS:
            count = ROWS
            _add_rows[real, vec](
                ROWS, vectors, n, x + k, x_row, step, step_row, begins, tile, width, sums)
        elif depth - k >= 4:  # where there are as many, each tile keeps the processor busy
            count = 4
            _add_rows[real, vec](
                4, vectors, n, x + k, x_row, step, step_row, begins, tile, width, sums)
        elif depth - k >= 2:
            count = 2
            _add_rows[real, vec](
                2, vectors, n, x + k, x_row, step, step_row, begins, tile, width, sums)
        else:
            count = 1
            _add_rows[real, vec](
                1, vectors, n, x + k, x_row, step, step_row, begins, tile, width, sums)
        k += count
        sums = NULL


cdef inline void _gradient_rows(
    Py_ssize_t count, Py_ssize_t vectors, Py_ssize_t n, const real* x, Py_ssize_t x_row,
    const vec* dy, Py_ssize_t dy_row, vec* dw, Py_ssize_t width,
) noexcept nogil:
    """`count` rows (a constant) of one panel's xᵀ @ dy."""
    cdef Py_ssize_t j = 0
    while j < vectors:
        if vectors - j == 1:
            tile_multiply[real, vec](count, 1, n, x, 1, x_row, dy + j, dy_row, NULL, 0,
                                     dw + j, width)
        else:
            tile_multiply[real, vec](count, VECTORS, n, x, 1, x_row, dy + j, dy_row, NULL, 0,
                                     dw + j, width)
        j += VECTORS


cdef inline Py_ssize_t gradient_rows(
    Py_ssize_t most, Py_ssize_t vectors, Py_ssize_t n, const real* x, Py_ssize_t x_row,
    const vec* dy, Py_ssize_t dy_row, vec* dw, Py_ssize_t width,
) noexcept nogil:
    """A few rows, at most so many, of one panel's xᵀ @ dy; returns how many.

    For optimisers that need the gradient.
    """
    if most >= ROWS:
        _gradient_rows[real, vec](ROWS, vectors, n, x, x_row, dy, dy_row, dw, width)
        return ROWS
    if most >= 4:  # where there are as many, each tile keeps the processor busy
        _gradient_rows[real, vec](4, vectors, n, x, x_row, dy, dy_row, dw, width)
        return 4
    if most >= 2:
        _gradient_rows[real, vec](2, vectors, n, x, x_row, dy, dy_row, dw, width)
        return 2
    _gradient_rows[real, vec](1, vectors, n, x, x_row, dy, dy_row, dw, width)
    return 1


cdef inline void _sum_rows(
    Py_ssize_t vectors, Py_ssize_t n, const real* x, Py_ssize_t x_row, vec* sums,
) noexcept nogil:
    """sum_rows, of vectors whose number is a constant."""
    cdef vec acc[PANEL]
    cdef const vec* row
    cdef Py_ssize_t r, j
    memset(&acc, 0, sizeof(acc))
    for r in range(n):
        row = <const vec*> (x + r * x_row)
        for j in range(vectors):
            acc[j] = acc[j] + row[j]
    for j in range(vectors):
        sums[j] = acc[j]


cdef inline void sum_rows(
    Py_ssize_t vectors, Py_ssize_t n, const real* x, Py_ssize_t x_row, vec* sums,
) noexcept nogil:
    """The sum of n rows of so many vectors of a panel, row after row."""
    cdef Py_ssize_t j
    if vectors == PANEL:
        _sum_rows[real, vec](PANEL, n, x, x_row, sums)
        return
    for j in range(0, vectors - 1, 2):
        _sum_rows[real, vec](2, n, <const real*> (<const vec*> x + j), x_row, sums + j)
    if vectors % 2:
        j = vectors - 1
        _sum_rows[real, vec](1, n, <const real*> (<const vec*> x + j), x_row, sums + j)


cdef inline void _input_rows(
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t last, Py_ssize_t vectors,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    real* dx, Py_ssize_t dx_row, const vec* _vec,
) noexcept nogil:
    cdef Py_ssize_t k = first
    while k + DOT_COLUMNS <= last:
        tile_dot[vec, real](rows, DOT_COLUMNS, PANEL, <const vec*> dy, dy_row, width,
                            <const vec*> (w + k * width), width, panel_size, vectors // PANEL,
                            vectors % PANEL, dx + k, dx_row)
        k += DOT_COLUMNS
    while k < last:
        tile_dot[vec, real](rows, 1, PANEL, <const vec*> dy, dy_row, width,
                            <const vec*> (w + k * width), width, panel_size, vectors // PANEL,
                            vectors % PANEL, dx + k, dx_row)
        k += 1


cdef inline void backward_input(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t last, Py_ssize_t vectors,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    real* dx, Py_ssize_t dx_row, const vec* v,
) noexcept nogil:
    """dx = dy @ wᵀ for the inputs `first` to `last`, over so many vectors of a row of w."""
    cdef Py_ssize_t r = 0
    while r + DOT_ROWS <= n:
        _input_rows[real, vec](DOT_ROWS, first, last, vectors, dy + r * dy_row, dy_row, w, width,
                               panel_size, dx + r * dx_row, dx_row, v)
        r += DOT_ROWS
    while r + 2 <= n:
        _input_rows[real, vec](2, first, last, vectors, dy + r * dy_row, dy_row, w, width,
                               panel_size, dx + r * dx_row, dx_row, v)
        r += 2
    if r < n:
        _input_rows[real, vec](1, first, last, vectors, dy + r * dy_row, dy_row, w, width,
                               panel_size, dx + r * dx_row, dx_row, v)


cdef inline void _backward_tile(
    Py_ssize_t vectors, bint clips, double most, double lr, Py_ssize_t n, const real* x,
    Py_ssize_t x_row,
    const vec* dy, const vec* step, Py_ssize_t dy_row, vec* w, Py_ssize_t width,
    vec* dots, Py_ssize_t dots_row,
) noexcept nogil:
    """BLOCK rows of one panel."""
    cdef Py_ssize_t j = 0
    while j < vectors:  # SPARSE_VECTORS are a panel or half of it
        if vectors == 1:
            tile_backward[real, vec](
                1, clips, most, lr, n, x, x_row, <const real*> dy, <const real*> step, dy_row, w,
                width, dots, dots_row)
        elif vectors <= VECTORS:
            tile_backward[real, vec](
                VECTORS, clips, most, lr, n, x, x_row, <const real*> (dy + j),
                <const real*> (step + j), dy_row, w + j, width, dots, dots_row)
        else:
            tile_backward[real, vec](
                SPARSE_VECTORS, clips, most, lr, n, x, x_row, <const real*> (dy + j),
                <const real*> (step + j), dy_row, w + j, width, dots, dots_row)
        j += SPARSE_VECTORS


cdef inline void backward_few(
    bint clips, double most, double lr, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
    Py_ssize_t vectors,
    const real* x, Py_ssize_t x_row, const vec* dy, const vec* step, Py_ssize_t dy_row,
    real* w, Py_ssize_t width, Py_ssize_t panel_size, real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """backward_input and add_panel for up to FEW samples, which reads each tile of w just once.

    Whether it clips is a constant: see tile_backward.
    first..last are a multiple of BLOCK rows. As many rows of a panel at a time as there is room
    for: with each step from panel to panel the processor may fetch ahead along that stride, into
    what another thread is writing.
    """
    cdef vec dots[DOTS_NEAR]
    cdef Py_ssize_t rows = DOTS_NEAR // n // BLOCK * BLOCK, k = first, end, i, j, s
    while k < last:
        end = min(k + rows, last)
        memset(&dots, 0, n * rows * sizeof(vec))
        j = 0
        while j < vectors:
            i = k
            while i < end:
                _backward_tile[real, vec](
                    min(PANEL, vectors - j), clips, most, lr, n, x + i, x_row, dy + j, step + j,
                    dy_row, <vec*> (w + j // PANEL * panel_size + i * width), width, &dots[i - k],
                    rows)
                i += BLOCK
            j += PANEL
        for s in range(n):
            i = k
            while i < end:
                sum_lanes[vec, real](&dots[s * rows + i - k], dx + s * dx_row + i)
                i += BLOCK
        k = end
