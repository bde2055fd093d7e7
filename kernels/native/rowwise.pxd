"""What is computed row by row over the o columns of the scores: softmax, losses, argmax.

Each function takes one row. A loss returns the row's own loss, which the caller sums and divides,
and writes the row of the gradient, weighted by `share`: 1 / n for a batch of n.
"""

from libc.math cimport log

from elementary cimport exp_
from tile cimport real


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


cdef inline double cross_entropy_row(
    const real* x, Py_ssize_t label, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """log(sum(exp(x))) - x[label]; dx = (softmax(x) - onehot(label)) / n."""
    cdef real top = row_max[real](x, o), score = x[label], total
    cdef Py_ssize_t j
    total = exp_shifted[real](x, top, dx, o)
    for j in range(o):
        dx[j] = dx[j] / total * share
    dx[label] -= share
    return log(total) - (score - top)


cdef inline double nll_row(
    const real* x, Py_ssize_t label, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(o):
        dx[j] = 0
    dx[label] = -share
    return -x[label]


cdef inline double hinge_row(
    const real* x, Py_ssize_t label, real margin, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """dx = 1/n where the margin is violated, minus their number / n at the label, 0 elsewhere."""
    cdef real score = x[label], violation
    cdef double loss = 0
    cdef Py_ssize_t j, violated = 0
    for j in range(o):
        violation = x[j] - score + margin
        if j != label and not violation <= 0:  # a NaN must reach the loss
            loss += violation
        violated += j != label and violation > 0
        dx[j] = share if violation > 0 else <real> 0
    dx[label] = -share * violated
    return loss


cdef inline double squared_error_row(
    const real* x, const real* target, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """share is 1 / (n·o), because the mean runs over all elements."""
    cdef double loss = 0
    cdef real difference
    cdef Py_ssize_t j
    for j in range(o):
        difference = x[j] - target[j]
        dx[j] = <real> 2 * share * difference
        loss += <double> difference * difference
    return loss


cdef inline Py_ssize_t argmax_row(const real* x, Py_ssize_t o) noexcept nogil:
    """The first of the largest; the first NaN, if there is one, counts as largest, as in NumPy."""
    cdef Py_ssize_t j, best = 0
    for j in range(o):
        if x[j] != x[j]:
            return j
        if x[j] > x[best]:
            best = j
    return best
