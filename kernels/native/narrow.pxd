"""dx of a dense layer of few outputs, where summing lanes would be most of the work.

W is turned over, so that a lane is an input instead of an output: dx = dy @ wᵀ is the product that
forward computes, by the same tiles.
"""

from libc.string cimport memcpy, memset

cimport panels
from tile cimport MOST_LANES, ROWS, VECTORS, real, vec


cdef enum:
    MOST_COLUMN_VECTORS = 2  # of outputs that are few
    NEAR_INPUTS = MOST_LANES * VECTORS  # of W turned over, in a row of it


cdef inline void turn_over(
    Py_ssize_t columns, Py_ssize_t count, const real* w, Py_ssize_t width, real* turned,
) noexcept nogil:
    """turned (columns, NEAR_INPUTS) = wᵀ, of `count` rows; gaps are 0."""
    cdef Py_ssize_t i, j
    memset(turned, 0, columns * NEAR_INPUTS * sizeof(real))
    for i in range(count):
        for j in range(columns):
            turned[j * NEAR_INPUTS + i] = w[i * width + j]


cdef inline void last_inputs(
    Py_ssize_t n, Py_ssize_t count, Py_ssize_t columns, const real* dy, Py_ssize_t dy_row,
    const real* turned, real* dx, Py_ssize_t dx_row, const vec* _vec,
) noexcept nogil:
    """dx for `count` inputs that fill no vector, behind which is what belongs to others."""
    cdef vec whole[ROWS]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), start = 0, rows, r
    while start < n:
        rows = min(<Py_ssize_t> ROWS, n - start)
        panels.forward_panel[real, vec](rows, 1, columns, dy + start * dy_row, dy_row,
                                        <const vec*> turned, NEAR_INPUTS, NULL, <real*> &whole[0],
                                        lanes)
        for r in range(rows):
            memcpy(dx + (start + r) * dx_row, &whole[r], count * sizeof(real))
        start += rows


cdef inline void backward_narrow(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t last, Py_ssize_t columns,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width,
    real* dx, Py_ssize_t dx_row, const vec* v,
) noexcept nogil:
    """dx = dy @ wᵀ for the inputs `first` to `last`, by the columns of w's first panel."""
    cdef real turned[MOST_COLUMN_VECTORS * MOST_LANES * NEAR_INPUTS]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), k = first, count, vectors
    while k < last:
        count = min(lanes * VECTORS, last - k)
        vectors = count // lanes
        turn_over[real](columns, count, w + k * width, width, &turned[0])
        panels.forward_panel[real, vec](n, vectors, columns, dy, dy_row,
                                        <const vec*> &turned[0], NEAR_INPUTS, NULL, dx + k, dx_row)
        if vectors * lanes < count:
            last_inputs[real, vec](
                n, count - vectors * lanes, columns, dy, dy_row, &turned[vectors * lanes],
                dx + k + vectors * lanes, dx_row, v)
        k += count
