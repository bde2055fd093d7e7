"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from tile cimport real

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef uint64_t eight_bytes __attribute__((aligned(1), may_alias));
    #else
    typedef uint64_t eight_bytes;
    #endif
    """
    ctypedef uint64_t eight_bytes

ctypedef fused source:
    uint8_t
    float
    double

cdef enum Source:
    BYTES
    FLOATS
    DOUBLES


cdef inline void gather_rows(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale,
    real* x,
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


cdef inline void gather_entries(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale,
    Py_ssize_t block, int32_t* bounds, int32_t* index, real* values,
) noexcept nogil:
    """Every non-zero of the batch, sample by sample: its column in `index`, its value in `values`.

    A sample's columns come in blocks of `block`; bounds (n, blocks + 1) says where each begins.
    """
    cdef const source* row
    cdef Py_ssize_t r, b, k, end, count = 0
    for r in range(n):
        row = data + samples[r] * columns
        k = 0
        for b in range((columns + block - 1) // block):
            bounds[0] = <int32_t> count
            bounds += 1
            end = min(k + block, columns)
            while k < end:
                if source is uint8_t:
                    if k + 8 <= end and (<const eight_bytes*> (row + k))[0] == 0:
                        k += 8  # most pixels are 0, and lie together
                        continue
                index[count] = <int32_t> k
                values[count] = <real> row[k] * scale
                count += row[k] != 0
                k += 1
        bounds[0] = <int32_t> count
        bounds += 1
