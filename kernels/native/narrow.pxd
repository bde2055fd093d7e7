"""dx of a dense layer of few outputs, where summing lanes would be most of the work.

W is turned over, so that a lane is an input instead of an output. What were lanes are added in the
order of tile.pxd's dot products and sums, which gives the same bits.
"""

from libc.string cimport memcpy, memset

from tile cimport MOST_LANES, fvec, real, times, vec


cdef enum:
    MOST_COLUMN_VECTORS = 2  # of outputs that are few
    NARROW_VECTORS = 2  # of inputs at a time
    NEAR_INPUTS = 32  # of W turned over, which stays in the nearest cache


cdef inline void tile_narrow(
    Py_ssize_t lanes, Py_ssize_t rest, const real* dy, const real* w, Py_ssize_t w_row, vec* dx,
) noexcept nogil:
    """dx = dy @ w for NARROW_VECTORS of it, adding in the order of tile_dot and its sums of lanes.

    dy are one vector, of which only the first `lanes` hold anything, and `rest` of another; each
    of its numbers has a row of w. Both are constants at every call.
    """
    cdef vec acc[MOST_LANES][NARROW_VECTORS]
    cdef vec zero[1]
    cdef Py_ssize_t size = sizeof(vec) // sizeof(real), i, j
    memset(&acc, 0, sizeof(acc))
    memset(&zero, 0, sizeof(zero))
    for i in range(NARROW_VECTORS):
        for j in range(lanes):
            acc[j][i] = acc[j][i] + times(dy[j], (<const vec*> (w + j * w_row))[i])
        for j in range(rest):
            acc[j][i] = acc[j][i] + times(
                dy[size + j], (<const vec*> (w + (size + j) * w_row))[i])
        if vec is fvec:
            for j in range(lanes - 8):
                acc[j][i] = acc[j][i] + acc[j + 8][i]
            for j in range(min(lanes, 8) - 4):
                acc[j][i] = acc[j][i] + acc[j + 4][i]
            for j in range(min(lanes, 4) - 2):
                acc[j][i] = acc[j][i] + acc[j + 2][i]
        else:
            for j in range(2, lanes):
                acc[j % 2][i] = acc[j % 2][i] + acc[j][i]
        if lanes > 1:
            acc[0][i] = acc[0][i] + acc[1][i]
        dx[i] = zero[0] + acc[0][i]  # lanes that hold nothing add 0, which may take a sign away


cdef inline void _narrow_rows(
    Py_ssize_t lanes, Py_ssize_t rest, Py_ssize_t n, Py_ssize_t count,
    const real* dy, Py_ssize_t dy_row, const real* w, real* dx, Py_ssize_t dx_row, const vec* _vec,
) noexcept nogil:
    """dx of n samples for `count` inputs; w is turned over, and the rest is tile_narrow's."""
    cdef Py_ssize_t size = NARROW_VECTORS * <Py_ssize_t> (sizeof(vec) // sizeof(real)), r, k
    cdef vec last[NARROW_VECTORS]
    for r in range(n):
        k = 0
        while k < count:
            if k + size <= count:
                tile_narrow[real, vec](lanes, rest, dy + r * dy_row, w + k, NEAR_INPUTS,
                                       <vec*> (dx + r * dx_row + k))
            else:
                tile_narrow[real, vec](lanes, rest, dy + r * dy_row, w + k, NEAR_INPUTS, &last[0])
                memcpy(dx + r * dx_row + k, &last, (count - k) * sizeof(real))
            k += size


cdef inline void _narrow_columns(
    Py_ssize_t columns, Py_ssize_t n, Py_ssize_t count,
    const real* dy, Py_ssize_t dy_row, const real* w, real* dx, Py_ssize_t dx_row, const vec* v,
) noexcept nogil:
    """_narrow_rows, with constants that fit so many columns."""
    cdef Py_ssize_t size = sizeof(vec) // sizeof(real)
    if columns == 1:
        _narrow_rows[real, vec](1, 0, n, count, dy, dy_row, w, dx, dx_row, v)
    elif columns <= size // 4:
        _narrow_rows[real, vec](size // 4, 0, n, count, dy, dy_row, w, dx, dx_row, v)
    elif columns <= size // 2:
        _narrow_rows[real, vec](size // 2, 0, n, count, dy, dy_row, w, dx, dx_row, v)
    elif columns <= size:
        _narrow_rows[real, vec](size, 0, n, count, dy, dy_row, w, dx, dx_row, v)
    elif columns <= size + size // 4:
        _narrow_rows[real, vec](size, size // 4, n, count, dy, dy_row, w, dx, dx_row, v)
    else:
        _narrow_rows[real, vec](size, size, n, count, dy, dy_row, w, dx, dx_row, v)


cdef inline void backward_narrow(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t last, Py_ssize_t columns,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width,
    real* dx, Py_ssize_t dx_row, const vec* v,
) noexcept nogil:
    """dx = dy @ wᵀ for the inputs `first` to `last`, by the columns of w's first panel."""
    cdef real turned[MOST_COLUMN_VECTORS * MOST_LANES * NEAR_INPUTS]
    cdef Py_ssize_t size = sizeof(vec) // sizeof(real), k = first, count, i, j
    memset(&turned, 0, sizeof(turned))
    while k < last:
        count = min(NEAR_INPUTS, last - k)
        for i in range(count):
            for j in range(columns):
                turned[j * NEAR_INPUTS + i] = w[(k + i) * width + j]
        _narrow_columns[real, vec](
            columns, n, count, dy, dy_row, &turned[0], dx + k, dx_row, v)
        k += count
