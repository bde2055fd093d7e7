"""The sum that a shortcut ends in: what layers put out, and what went into them."""

from tile cimport real


cdef inline void sum_of(const real* x, const real* z, real* y, Py_ssize_t n) noexcept nogil:
    """y = x + z; y may be either."""
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i] + z[i]
