"""A shortcut: what goes into layers, from its FORK on, and what they put out meet in its ADD."""

from libc.stdint cimport int64_t

from numbers cimport ADD, FORK
from tile cimport real


cdef inline bint is_shortcut(int64_t kind) noexcept nogil:
    """Whether a row is an end of one."""
    return kind == FORK or kind == ADD


cdef inline void sum_of(const real* x, const real* z, real* y, Py_ssize_t n) noexcept nogil:
    """y = x + z; y may be either."""
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i] + z[i]
