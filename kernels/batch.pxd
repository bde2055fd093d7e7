"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from tile cimport real

ctypedef fused source:
    uint8_t
    float
    double

cdef enum Source:
    BYTES
    FLOATS
    DOUBLES


cdef inline void gather_rows(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale, real* x,
) noexcept nogil:
    """x (n, columns) = data[samples] * scale."""
    cdef const source* row
    cdef Py_ssize_t r, j
    for r in range(n):
        row = data + samples[r] * columns
        for j in range(columns):
            x[r * columns + j] = <real> row[j] * scale


cdef inline Py_ssize_t gather_nonzero(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale,
    int32_t* rows, uint8_t* used, real* x,
) noexcept nogil:
    """Only the columns that are non-zero somewhere in the batch: their numbers in `rows`, their
    values in x (columns, n), one column after another. Returns how many there are."""
    cdef const source* row
    cdef Py_ssize_t r, j, count = 0
    memset(used, 0, columns)
    for r in range(n):
        row = data + samples[r] * columns
        for j in range(columns):
            used[j] |= row[j] != 0
    for j in range(columns):
        rows[count] = <int32_t> j
        count += used[j]
    for r in range(n):
        row = data + samples[r] * columns
        for j in range(count):
            x[j * n + r] = <real> row[rows[j]] * scale
    return count
