"""Dense layers of the engine: weights in panels, the optimiser's step fused into the gradient.

A panel is PANEL vectors wide and holds those columns of W for all inputs, row after row, padded
with zeros at the right edge of W. Each thread works on panels of its own, so no two threads write
to neighbouring lines; and a thread's part does not depend on how many threads there are, so
neither do the sums.

`rows` lists the inputs that count, and x then holds only those: an input that is zero in the whole
batch adds nothing forward and has no gradient. NULL stands for all inputs.
"""

from libc.stdint cimport int32_t

from tile cimport (
    DOT_COLUMNS, DOT_ROWS, PANEL, ROWS, VECTORS, real, tile_dot, tile_multiply, times, vec,
)


cdef inline void pack(
    const real* w, Py_ssize_t inputs, Py_ssize_t outputs, real* panels, Py_ssize_t width,
) noexcept nogil:
    """w (inputs, outputs) and b, which follows it, as panels of w and then b; gaps become 0."""
    cdef Py_ssize_t k, j, whole = (outputs + width - 1) // width * width
    for k in range(inputs):
        for j in range(whole):
            panels[(j - j % width) * inputs + k * width + j % width] = (
                w[k * outputs + j] if j < outputs else <real> 0)
    for j in range(whole):
        panels[whole * inputs + j] = w[inputs * outputs + j] if j < outputs else <real> 0


cdef inline void unpack(
    const real* panels, Py_ssize_t width, Py_ssize_t inputs, Py_ssize_t outputs, real* w,
) noexcept nogil:
    """What pack did, undone."""
    cdef Py_ssize_t k, j, whole = (outputs + width - 1) // width * width
    for k in range(inputs):
        for j in range(outputs):
            w[k * outputs + j] = panels[(j - j % width) * inputs + k * width + j % width]
    for j in range(outputs):
        w[inputs * outputs + j] = panels[whole * inputs + j]


cdef inline void _forward_rows(
    Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row, Py_ssize_t x_depth,
    const vec* w, Py_ssize_t width, const int32_t* rows, const vec* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """n rows (a constant) of one panel's output."""
    cdef Py_ssize_t j, half
    for half in range(2):
        j = half * VECTORS
        if rows != NULL:
            tile_multiply[real, vec](n, VECTORS, depth, x, x_row, x_depth, w + j, width, rows,
                                     b + j, 0, (<vec*> y) + j, y_row, NULL)
        else:
            tile_multiply[real, vec](n, VECTORS, depth, x, x_row, x_depth, w + j, width, NULL,
                                     b + j, 0, (<vec*> y) + j, y_row, NULL)


cdef inline void forward_panel(
    Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row, Py_ssize_t x_depth,
    const vec* w, Py_ssize_t width, const int32_t* rows, const vec* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = x @ w + b for the columns of one panel."""
    cdef Py_ssize_t r = 0
    while r + ROWS <= n:
        _forward_rows[real, vec](ROWS, depth, x + r * x_row, x_row, x_depth, w, width, rows, b,
                                 y + r * y_row, y_row)
        r += ROWS
    while r + 2 <= n:
        _forward_rows[real, vec](2, depth, x + r * x_row, x_row, x_depth, w, width, rows, b,
                                 y + r * y_row, y_row)
        r += 2
    if r < n:
        _forward_rows[real, vec](1, depth, x + r * x_row, x_row, x_depth, w, width, rows, b,
                                 y + r * y_row, y_row)


cdef inline void forward_entries(
    Py_ssize_t n, Py_ssize_t blocks, const real* values, const int32_t* index,
    const int32_t* bounds, const vec* w, Py_ssize_t width, const vec* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """forward_panel for samples that are lists of their non-zeros, a block of W's rows at a time.

    The block stays in the nearest cache for the whole batch.
    """
    cdef vec acc[PANEL]
    cdef const vec* w_row
    cdef vec* y_vec
    cdef Py_ssize_t block, r, e, j
    for block in range(blocks):
        for r in range(n):
            y_vec = <vec*> (y + r * y_row)
            for j in range(PANEL):
                acc[j] = y_vec[j] if block else b[j]
            for e in range(bounds[r * (blocks + 1) + block], bounds[r * (blocks + 1) + block + 1]):
                w_row = <const vec*> (<const real*> w + index[e] * width)
                for j in range(PANEL):
                    acc[j] = acc[j] + times(values[e], w_row[j])
            for j in range(PANEL):
                y_vec[j] = acc[j]


cdef inline void add_entries(
    Py_ssize_t n, Py_ssize_t blocks, const real* values, const int32_t* index,
    const int32_t* bounds, const real* step, Py_ssize_t step_row, vec* w, Py_ssize_t width,
) noexcept nogil:
    """add_panel for samples that are lists of their non-zeros, a block of W's rows at a time."""
    cdef vec dy[PANEL]
    cdef const vec* step_vec
    cdef vec* w_row
    cdef Py_ssize_t block, r, e, j
    for block in range(blocks):
        for r in range(n):
            step_vec = <const vec*> (step + r * step_row)
            for j in range(PANEL):
                dy[j] = step_vec[j]
            for e in range(bounds[r * (blocks + 1) + block], bounds[r * (blocks + 1) + block + 1]):
                w_row = <vec*> (<real*> w + index[e] * width)
                for j in range(PANEL):
                    w_row[j] = w_row[j] + times(values[e], dy[j])


cdef inline void _add_rows(
    Py_ssize_t count, Py_ssize_t n, const real* x, Py_ssize_t x_row, Py_ssize_t x_depth,
    const real* step, Py_ssize_t step_row, vec* w, Py_ssize_t width, const int32_t* rows,
) noexcept nogil:
    """`count` rows (a constant) of one panel's W, plus their part of xᵀ @ step."""
    cdef Py_ssize_t j, half
    for half in range(2):
        j = half * VECTORS
        if rows != NULL:
            tile_multiply[real, vec](count, VECTORS, n, x, x_depth, x_row,
                                     (<const vec*> step) + j, step_row, NULL,
                                     w + j, width, w + j, width, rows)
        else:
            tile_multiply[real, vec](count, VECTORS, n, x, x_depth, x_row,
                                     (<const vec*> step) + j, step_row, NULL,
                                     w + j, width, w + j, width, NULL)


cdef inline void add_panel(
    Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row, Py_ssize_t x_depth,
    const real* step, Py_ssize_t step_row, vec* w, Py_ssize_t width, const int32_t* rows,
) noexcept nogil:
    """w += xᵀ @ step for the columns of one panel: with step = -lr * dy, a step of plain SGD.

    The gradient is never stored: it is added to W's tile in registers.
    """
    cdef Py_ssize_t k = 0
    while k + ROWS <= depth:
        _add_rows[real, vec](ROWS, n, x + k * x_depth, x_row, x_depth, step, step_row,
                             w if rows != NULL else <vec*> (<real*> w + k * width), width,
                             rows + k if rows != NULL else NULL)
        k += ROWS
    while k < depth:
        _add_rows[real, vec](1, n, x + k * x_depth, x_row, x_depth, step, step_row,
                             w if rows != NULL else <vec*> (<real*> w + k * width), width,
                             rows + k if rows != NULL else NULL)
        k += 1


cdef inline void gradient_rows(
    Py_ssize_t count, Py_ssize_t n, const real* x, Py_ssize_t x_row, Py_ssize_t x_depth,
    const vec* dy, Py_ssize_t dy_row, vec* dw, Py_ssize_t width,
) noexcept nogil:
    """`count` rows (ROWS or 1) of one panel's xᵀ @ dy, for optimisers that need the gradient."""
    cdef Py_ssize_t half
    for half in range(2):
        if count == ROWS:
            tile_multiply[real, vec](ROWS, VECTORS, n, x, x_depth, x_row, dy + half * VECTORS,
                                     dy_row, NULL, NULL, 0, dw + half * VECTORS, width, NULL)
        else:
            tile_multiply[real, vec](1, VECTORS, n, x, x_depth, x_row, dy + half * VECTORS, dy_row,
                                     NULL, NULL, 0, dw + half * VECTORS, width, NULL)


cdef inline void _input_rows(
    Py_ssize_t rows, Py_ssize_t first, Py_ssize_t last, Py_ssize_t panels,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    real* dx, Py_ssize_t dx_row, const vec* _vec,
) noexcept nogil:
    cdef Py_ssize_t k = first
    while k + DOT_COLUMNS <= last:
        tile_dot[vec, real](rows, DOT_COLUMNS, PANEL, <const vec*> dy, dy_row, width,
                            <const vec*> (w + k * width), width, panel_size, panels, dx + k, dx_row)
        k += DOT_COLUMNS
    while k < last:
        tile_dot[vec, real](rows, 1, PANEL, <const vec*> dy, dy_row, width,
                            <const vec*> (w + k * width), width, panel_size, panels, dx + k, dx_row)
        k += 1


cdef inline void backward_input(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t last, Py_ssize_t panels,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    real* dx, Py_ssize_t dx_row, const vec* v,
) noexcept nogil:
    """dx = dy @ wᵀ for the inputs `first` to `last`, over all panels of w."""
    cdef Py_ssize_t r = 0
    while r + DOT_ROWS <= n:
        _input_rows[real, vec](DOT_ROWS, first, last, panels, dy + r * dy_row, dy_row, w, width,
                               panel_size, dx + r * dx_row, dx_row, v)
        r += DOT_ROWS
    while r < n:
        _input_rows[real, vec](1, first, last, panels, dy + r * dy_row, dy_row, w, width,
                               panel_size, dx + r * dx_row, dx_row, v)
        r += 1
