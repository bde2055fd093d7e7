"""What is computed row by row over the o columns of the scores: softmax, its logarithm, argmax;
and how far they are from targets."""

from libc.math cimport fabs, log
from libc.string cimport memset

from elementary cimport exp_
from tile cimport real

cdef enum:
    WIDE_ROW = 64  # columns that rows are taken together to


cdef inline real row_max(const real* x, Py_ssize_t o) noexcept nogil:
    cdef real top = x[0]
    cdef Py_ssize_t j
    for j in range(1, o):
        top = top if x[j] <= top else x[j]  # a NaN in x wins
    return top


cdef inline real exp_shifted(const real* x, real top, real* y, Py_ssize_t o) noexcept nogil:
    """y = exp(x - top); with top = max(x) at least one is 1 and none overflows. Their sum."""
    cdef real total = 0
    cdef Py_ssize_t j
    for j in range(o):
        y[j] = exp_[real](x[j] - top)
    for j in range(o):
        total += y[j]
    return total


cdef inline void softmax_row(const real* x, real* y, Py_ssize_t o) noexcept nogil:
    cdef real total = exp_shifted[real](x, row_max[real](x, o), y, o)
    cdef Py_ssize_t j
    for j in range(o):
        y[j] = y[j] / total


cdef inline void log_softmax_row(const real* x, real* y, Py_ssize_t o) noexcept nogil:
    cdef real top = row_max[real](x, o), total = 0, logarithm
    cdef Py_ssize_t j
    for j in range(o):
        total += exp_[real](x[j] - top)
    logarithm = <real> log(total)
    for j in range(o):
        y[j] = (x[j] - top) - logarithm


cdef inline void log_softmax_backward_row(
    const real* y, const real* dy, real* dx, Py_ssize_t o,
) noexcept nogil:
    cdef real total = 0
    cdef Py_ssize_t j
    for j in range(o):
        total += dy[j]
    for j in range(o):
        dx[j] = dy[j] - exp_[real](y[j]) * total


cdef inline Py_ssize_t argmax_row(const real* x, Py_ssize_t o) noexcept nogil:
    """The first of the largest; the first NaN, if there is one, counts as largest, as in NumPy."""
    cdef Py_ssize_t j, best = 0
    for j in range(o):
        if x[j] != x[j]:
            return j
        if x[j] > x[best]:
            best = j
    return best


cdef inline bint is_argmax(const real* x, Py_ssize_t label, Py_ssize_t o) noexcept nogil:
    """Whether argmax_row finds that column: without a branch a column, which nothing foresees."""
    cdef real largest = x[label]
    cdef int beaten = 0
    cdef Py_ssize_t j
    if largest != largest:
        return argmax_row[real](x, o) == label
    for j in range(o):
        beaten |= (not x[j] <= largest) | ((x[j] == largest) & (j < label))
    return not beaten


cdef inline void sum_errors(
    const real* x, const real* target, Py_ssize_t n, Py_ssize_t o, double* squares,
    double* distances,
) noexcept nogil:
    """Rows of few columns are taken together, as one that vectors fill."""
    cdef double wide_squares[WIDE_ROW]
    cdef double wide_distances[WIDE_ROW]
    cdef Py_ssize_t together = WIDE_ROW // o, r = 0, j
    memset(&wide_squares, 0, sizeof(wide_squares))
    memset(&wide_distances, 0, sizeof(wide_distances))
    memset(squares, 0, o * sizeof(double))
    memset(distances, 0, o * sizeof(double))
    while together > 1 and r + together <= n:
        add_errors[real](
            x + r * o, target + r * o, &wide_squares[0], &wide_distances[0], together * o)
        r += together
    for j in range(together * o):
        squares[j % o] += wide_squares[j]
        distances[j % o] += wide_distances[j]
    while r < n:
        add_errors[real](x + r * o, target + r * o, squares, distances, o)
        r += 1


cdef inline void add_errors(
    const real* x, const real* target, double* squares, double* distances, Py_ssize_t count,
) noexcept nogil:
    cdef double difference
    cdef Py_ssize_t j
    for j in range(count):
        difference = <double> x[j] - <double> target[j]
        squares[j] += difference * difference
        distances[j] += fabs(difference)
