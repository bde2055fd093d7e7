"""Dense layers on the register tiles: whole matrices, any size, row by row in memory."""

from libc.string cimport memcpy, memset

from tile cimport (
    DOT_COLUMNS, DOT_ROWS, MOST_LANES, ROWS, VECTORS, dvec, fvec, real, tile_dot, tile_multiply,
    tile_multiply_edge, vec,
)


cdef inline void _narrow(
    Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t columns,
    const real* a, Py_ssize_t a_row, Py_ssize_t a_depth,
    const real* b, const real* start, real* c, const vec* _vec,
) noexcept nogil:
    """`rows` rows of c that are narrower than a vector, whose lanes hold what is behind as well.

    Of b the last rows are copied, so that nothing is read behind its end.
    """
    cdef real sums[ROWS][MOST_LANES]
    cdef real rest[MOST_LANES][MOST_LANES]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), i
    cdef Py_ssize_t last = min(depth, (lanes + columns - 1) // columns), whole = depth - last
    memset(&sums, 0, sizeof(sums))
    memset(&rest, 0, sizeof(rest))
    for i in range(last):
        memcpy(&rest[0][0] + i * lanes, b + (whole + i) * columns, columns * sizeof(real))
    if start != NULL:
        for i in range(rows):
            memcpy(&sums[i][0], start, columns * sizeof(real))
    tile_multiply[real, vec](rows, 1, whole, a, a_row, a_depth, <const vec*> b, columns,
                             <const vec*> &sums, MOST_LANES, <vec*> &sums, MOST_LANES)
    tile_multiply[real, vec](rows, 1, last, a + whole * a_depth, a_row, a_depth,
                             <const vec*> &rest, lanes,
                             <const vec*> &sums, MOST_LANES, <vec*> &sums, MOST_LANES)
    for i in range(rows):
        memcpy(c + i * columns, &sums[i][0], columns * sizeof(real))


cdef inline void _strip(
    Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t columns,
    const real* a, Py_ssize_t a_row, Py_ssize_t a_depth,
    const real* b, const real* start, real* c, const vec* _vec,
) noexcept nogil:
    """`rows` rows of c, columns wide: wide tiles, then narrow ones, whose last may compute again
    what the one before has computed."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j = 0
    while j + VECTORS * lanes <= columns:
        tile_multiply[real, vec](
            rows, VECTORS, depth, a, a_row, a_depth, <const vec*> (b + j), columns,
            <const vec*> (start + j) if start != NULL else NULL, 0, <vec*> (c + j), columns)
        j += VECTORS * lanes
    while j + lanes <= columns:
        tile_multiply[real, vec](
            rows, 1, depth, a, a_row, a_depth, <const vec*> (b + j), columns,
            <const vec*> (start + j) if start != NULL else NULL, 0, <vec*> (c + j), columns)
        j += lanes
    if j == columns:
        return
    if columns == 1:
        tile_multiply_edge[real](rows, depth, a, a_row, a_depth, b, columns, start, c, columns)
    elif columns < lanes:
        _narrow[real, vec](rows, depth, columns, a, a_row, a_depth, b, start, c, NULL)
    else:
        j = columns - lanes
        tile_multiply[real, vec](
            rows, 1, depth, a, a_row, a_depth, <const vec*> (b + j), columns,
            <const vec*> (start + j) if start != NULL else NULL, 0, <vec*> (c + j), columns)


cdef inline void _multiply(
    Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t columns,
    const real* a, Py_ssize_t a_row, Py_ssize_t a_depth,
    const real* b, const real* start, real* c, const vec* v,
) noexcept nogil:
    """c (rows, columns) = a (rows, depth) @ b (depth, columns) + start; a has strides."""
    cdef Py_ssize_t i = 0
    while i + ROWS <= rows:
        _strip[real, vec](ROWS, depth, columns, a + i * a_row, a_row, a_depth, b, start,
                           c + i * columns, v)
        i += ROWS
    while i + 2 <= rows:
        _strip[real, vec](2, depth, columns, a + i * a_row, a_row, a_depth, b, start,
                           c + i * columns, v)
        i += 2
    if i < rows:
        _strip[real, vec](1, depth, columns, a + i * a_row, a_row, a_depth, b, start,
                           c + i * columns, v)


cdef inline void _dot_strip(
    Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t columns,
    const real* a, const real* b, real* c, const vec* _vec,
) noexcept nogil:
    """`rows` rows of a times all rows of b: whole vectors, then what is left of the depth."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j = 0, i, k
    while j + DOT_COLUMNS <= columns:
        tile_dot[vec, real](rows, DOT_COLUMNS, depth // lanes, <const vec*> a, depth, 0,
                            <const vec*> (b + j * depth), depth, 0, 1, 0, c + j, columns)
        j += DOT_COLUMNS
    while j < columns:
        tile_dot[vec, real](rows, 1, depth // lanes, <const vec*> a, depth, 0,
                            <const vec*> (b + j * depth), depth, 0, 1, 0, c + j, columns)
        j += 1
    if depth % lanes:
        for i in range(rows):
            for j in range(columns):
                for k in range(depth - depth % lanes, depth):
                    c[i * columns + j] += a[i * depth + k] * b[j * depth + k]


cdef inline void _multiply_transposed(
    Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t columns,
    const real* a, const real* b, real* c, const vec* v,
) noexcept nogil:
    """c (rows, columns) = a (rows, depth) @ b.T, where b is (columns, depth)."""
    cdef Py_ssize_t i = 0
    while i + DOT_ROWS <= rows:
        _dot_strip[real, vec](DOT_ROWS, depth, columns, a + i * depth, b, c + i * columns, v)
        i += DOT_ROWS
    while i < rows:
        _dot_strip[real, vec](1, depth, columns, a + i * depth, b, c + i * columns, v)
        i += 1


cdef inline void forward(
    const real* x, const real* w, const real* b, real* y,
    Py_ssize_t n, Py_ssize_t inputs, Py_ssize_t outputs,
) noexcept nogil:
    """Y = X·W + b."""
    if real is float:
        _multiply[float, fvec](n, inputs, outputs, x, inputs, 1, w, b, y, NULL)
    else:
        _multiply[double, dvec](n, inputs, outputs, x, inputs, 1, w, b, y, NULL)


cdef inline void backward(
    const real* x, const real* dy, real* dw, real* db,
    Py_ssize_t n, Py_ssize_t inputs, Py_ssize_t outputs,
) noexcept nogil:
    """dW = Xᵀ·dY and db = 1ᵀ·dY: X read by columns."""
    cdef Py_ssize_t r, j
    if real is float:
        _multiply[float, fvec](inputs, n, outputs, x, 1, inputs, dy, NULL, dw, NULL)
    else:
        _multiply[double, dvec](inputs, n, outputs, x, 1, inputs, dy, NULL, dw, NULL)
    for j in range(outputs):
        db[j] = 0
    for r in range(n):
        for j in range(outputs):
            db[j] += dy[r * outputs + j]


cdef inline void backward_input(
    const real* dy, const real* w, real* dx,
    Py_ssize_t n, Py_ssize_t inputs, Py_ssize_t outputs,
) noexcept nogil:
    """dX = dY·Wᵀ: rows of dY against rows of W."""
    if real is float:
        _multiply_transposed[float, fvec](n, outputs, inputs, dy, w, dx, NULL)
    else:
        _multiply_transposed[double, dvec](n, outputs, inputs, dy, w, dx, NULL)
