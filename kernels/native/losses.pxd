"""The losses, each of one row of o scores, and which one a run has.

A loss returns the row's own loss, which the caller sums and divides, and writes the row of the
gradient, weighted by `share`: 1 / n for a batch of n whose rows have no weights.
"""

from libc.math cimport log, log1p
from libc.stdint cimport int64_t

from elementary cimport exp_
from numbers cimport (
    ABSOLUTE_ERROR, BCE_WITH_LOGITS, CROSS_ENTROPY, HINGE, HUBER, NLL, POISSON_NLL,
    SOFT_CROSS_ENTROPY, SQUARED_ERROR, SQUARED_HINGE, USER_LOSS,
)
from rowwise cimport exp_shifted, row_max
from tile cimport real

cdef enum:
    TOGETHER = 16  # rows of few columns that go side by side: one row's would not fill a vector
    FEW_COLUMNS = 32


cdef inline Py_ssize_t next_losses(
    int64_t kind, const double* numbers, const real* x, Py_ssize_t row, Py_ssize_t r, Py_ssize_t n,
    const int64_t* samples, const int64_t* labels, const real* values, const double* weights,
    double sum_of_weights, real* dx, Py_ssize_t o, double* each,
) noexcept nogil:
    """The losses of row r of n and, where that is sooner, a few more: returns of how many.

    Rows lie `row` numbers apart in x and dx, and are these samples, or where that is NULL 0, 1, ….
    Each loss is a part of the mean's sum: it is times its row's weight.
    """
    cdef Py_ssize_t terms = terms_of(kind, o), sample = sample_of(samples, r)
    if (kind == CROSS_ENTROPY and numbers[0] == 0 and r + TOGETHER <= n and o <= FEW_COLUMNS
            and all_count(weights, samples, r)):
        cross_entropy_rows[real](
            x + r * row, row, r, samples, labels, weights, sum_of_weights, dx + r * row, o, each)
        return TOGETHER
    each[0] = _weighed_row[real](
        kind, numbers, x + r * row, sample, labels, values, weight_of(weights, sample),
        sum_of_weights * terms, dx + r * row, o) / terms
    return 1


cdef inline double _sum_of_rows(
    int64_t kind, const double* numbers, const real* x, Py_ssize_t row, const int64_t* samples,
    Py_ssize_t n, const int64_t* labels, const real* values, const double* weights,
    double sum_of_weights, real* dx, Py_ssize_t o, double* each,
) noexcept nogil:
    cdef Py_ssize_t r = 0, i, count
    cdef double total = 0
    cdef double few[TOGETHER]
    while r < n:
        count = next_losses[real](kind, numbers, x, row, r, n, samples, labels, values, weights,
                                  sum_of_weights, dx, o, &few[0])
        for i in range(count):
            total += few[i]
            if each != NULL:
                each[r + i] = few[i]
        r += count
    return total


cdef inline double sum_of_rows(
    int64_t kind, const double* numbers, const real* x, Py_ssize_t row, const int64_t* samples,
    Py_ssize_t n, const int64_t* labels, const real* values, const double* weights,
    double sum_of_weights, real* dx, Py_ssize_t o, double* each,
) noexcept nogil:
    """The sum of n rows' losses, see next_losses; each of them too, if it is not NULL.

    What is the same for all rows is a constant where that takes as long as the rest: in the loss of
    a few numbers without weights. Not in double, where squares are rounded: loops of another length
    may round them before they are added, or after.
    """
    if kind != SQUARED_ERROR or weights != NULL:
        return _sum_of_rows[real](kind, numbers, x, row, samples, n, labels, values, weights,
                                  sum_of_weights, dx, o, each)
    if real is float and o == 1:
        return _sum_of_rows[real](SQUARED_ERROR, numbers, x, row, samples, n, labels, values, NULL,
                                  sum_of_weights, dx, 1, each)
    if real is float and o == 2:
        return _sum_of_rows[real](SQUARED_ERROR, numbers, x, row, samples, n, labels, values, NULL,
                                  sum_of_weights, dx, 2, each)
    if real is float and o == 4:
        return _sum_of_rows[real](SQUARED_ERROR, numbers, x, row, samples, n, labels, values, NULL,
                                  sum_of_weights, dx, 4, each)
    return _sum_of_rows[real](SQUARED_ERROR, numbers, x, row, samples, n, labels, values, NULL,
                              sum_of_weights, dx, o, each)


cdef inline double mean_loss(
    int64_t kind, const double* numbers, const real* x, const int64_t* labels,
    const real* values, const double* weights, Py_ssize_t n, real* dx, Py_ssize_t o,
) noexcept nogil:
    """The loss of n rows, whose targets are labels or values; kind is a constant at every call.

    numbers are the loss's own: none, one, or one for each of o columns.
    """
    cdef double all_weights = sum_of_weights(weights, NULL, n)
    return mean_of(
        _sum_of_rows[real](kind, numbers, x, o, NULL, n, labels, values, weights, all_weights, dx,
                           o, NULL), all_weights)


cdef inline Py_ssize_t sample_of(const int64_t* samples, Py_ssize_t r) noexcept nogil:
    return r if samples == NULL else samples[r]


cdef inline double weight_of(const double* weights, Py_ssize_t sample) noexcept nogil:
    return 1 if weights == NULL else weights[sample]


cdef inline double sum_of_weights(
    const double* weights, const int64_t* samples, Py_ssize_t n,
) noexcept nogil:
    """Of n samples, or of the first n."""
    cdef double total = 0
    cdef Py_ssize_t r
    if weights == NULL:
        return n
    for r in range(n):
        total += weights[sample_of(samples, r)]
    return total


cdef inline bint all_count(
    const double* weights, const int64_t* samples, Py_ssize_t first,
) noexcept nogil:
    """Whether each of TOGETHER rows has a weight."""
    cdef Py_ssize_t r
    for r in range(TOGETHER if weights != NULL else 0):
        if weights[sample_of(samples, first + r)] == 0:
            return False
    return True


cdef inline double mean_of(double total, double weights) noexcept nogil:
    """The mean of what comes to this total; 0 where nothing has weight."""
    return total / weights if weights != 0 else 0


cdef inline Py_ssize_t terms_of(int64_t kind, Py_ssize_t o) noexcept nogil:
    """How many terms of the mean a row has."""
    return o if SQUARED_ERROR <= kind < USER_LOSS else 1


cdef inline double _weighed_row(
    int64_t kind, const double* numbers, const real* x, Py_ssize_t sample, const int64_t* labels,
    const real* values, double weight, double parts, real* dx, Py_ssize_t o,
) noexcept nogil:
    """A row's loss times its weight, of so many parts of a mean's sum.

    A row without weight counts for nothing, whatever it holds.
    """
    cdef Py_ssize_t j
    if weight == 0:
        for j in range(o):
            dx[j] = 0
        return 0
    return weight * _row[real](
        kind, numbers, x, sample, labels, values, <real> (weight / parts), dx, o)


cdef inline double _row(
    int64_t kind, const double* numbers, const real* x, Py_ssize_t sample, const int64_t* labels,
    const real* values, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    if kind == HINGE:
        return hinge_row[real](x, labels[sample], <real> numbers[0], share, dx, o)
    if kind == SQUARED_HINGE:
        return squared_hinge_row[real](x, labels[sample], <real> numbers[0], share, dx, o)
    if kind == CROSS_ENTROPY:
        return cross_entropy_row[real](x, labels[sample], numbers[0], share, dx, o)
    if kind == SOFT_CROSS_ENTROPY:
        return soft_cross_entropy_row[real](x, values + sample * o, numbers[0], share, dx, o)
    if kind == NLL:
        return nll_row[real](x, labels[sample], share, dx, o)
    if kind == ABSOLUTE_ERROR:
        return absolute_error_row[real](x, values + sample * o, share, dx, o)
    if kind == HUBER:
        return huber_row[real](x, values + sample * o, <real> numbers[0], share, dx, o)
    if kind == POISSON_NLL:
        return poisson_nll_row[real](x, values + sample * o, share, dx, o)
    if kind == BCE_WITH_LOGITS:
        return bce_with_logits_row[real](x, values + sample * o, numbers, share, dx, o)
    return squared_error_row[real](x, values + sample * o, share, dx, o)


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


cdef inline double squared_hinge_row(
    const real* x, Py_ssize_t label, real margin, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """dx = 2/n of the violation, minus their sum at the label."""
    cdef real score = x[label], violation
    cdef double loss = 0, total = 0
    cdef Py_ssize_t j
    for j in range(o):
        violation = x[j] - score + margin
        violation = <real> 0 if j == label or violation <= 0 else violation  # NaN stays
        loss += <double> violation * violation
        dx[j] = <real> 2 * share * violation
        total += dx[j]
    dx[label] = <real> -total
    return loss


cdef inline double cross_entropy_row(
    const real* x, Py_ssize_t label, double smoothing, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """log(sum(exp(x))) - x[label]; dx = (softmax(x) - onehot(label)) / n; then what smoothing adds.

    It takes that share of the label's one, and gives every class an equal part.
    """
    cdef real top = row_max[real](x, o), score = x[label], total
    cdef real part = <real> (smoothing / o) * share
    cdef double below = 0
    cdef Py_ssize_t j
    total = exp_shifted[real](x, top, dx, o)
    for j in range(o):
        dx[j] = dx[j] / total * share
    dx[label] -= share
    if smoothing == 0:
        return log(total) - (score - top)
    for j in range(o):
        below += score - x[j]
        dx[j] -= part
    dx[label] += <real> smoothing * share
    return log(total) - (score - top) + smoothing * below / o


cdef inline void cross_entropy_rows(
    const real* x, Py_ssize_t row, Py_ssize_t first, const int64_t* samples, const int64_t* labels,
    const double* weights, double parts, real* dx, Py_ssize_t o, double* each,
) noexcept nogil:
    """cross_entropy_row, without smoothing, of TOGETHER rows from number `first` on, each of which
    has a weight: the same sums in the same order, side by side."""
    cdef real columns[FEW_COLUMNS][TOGETHER]
    cdef real top[TOGETHER]
    cdef real total[TOGETHER]
    cdef real share[TOGETHER]
    cdef Py_ssize_t r, j, label
    cdef double weight
    for j in range(o):
        for r in range(TOGETHER):
            columns[j][r] = x[r * row + j]
    for r in range(TOGETHER):
        share[r] = <real> (weight_of(weights, sample_of(samples, first + r)) / parts)
        top[r], total[r] = columns[0][r], 0
    for j in range(1, o):
        for r in range(TOGETHER):
            top[r] = top[r] if columns[j][r] <= top[r] else columns[j][r]  # a NaN wins
    for j in range(o):
        for r in range(TOGETHER):
            columns[j][r] = exp_[real](columns[j][r] - top[r])
            total[r] += columns[j][r]
    for j in range(o):
        for r in range(TOGETHER):
            columns[j][r] = columns[j][r] / total[r] * share[r]
    for r in range(TOGETHER):
        label = labels[sample_of(samples, first + r)]
        weight = weight_of(weights, sample_of(samples, first + r))
        each[r] = weight * (log(total[r]) - (x[r * row + label] - top[r]))
        for j in range(o):
            dx[r * row + j] = columns[j][r]
        dx[r * row + label] -= share[r]


cdef inline double soft_cross_entropy_row(
    const real* x, const real* target, double smoothing, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """-sum(q * log(softmax(x))); dx = (sum(q) * softmax(x) - q) / n; q is the target, smoothed."""
    cdef real top = row_max[real](x, o), total = exp_shifted[real](x, top, dx, o)
    cdef real kept = <real> (1 - smoothing), part = <real> (smoothing / o), q
    cdef double loss = 0, whole = 0, rest = log(total)
    cdef Py_ssize_t j
    for j in range(o):
        q = kept * target[j] + part
        loss += q * (rest - (x[j] - top))
        whole += q
    for j in range(o):
        dx[j] = (<real> whole * (dx[j] / total) - (kept * target[j] + part)) * share
    return loss


cdef inline double nll_row(
    const real* x, Py_ssize_t label, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(o):
        dx[j] = 0
    dx[label] = -share
    return -x[label]


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


cdef inline double absolute_error_row(
    const real* x, const real* target, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """share as in squared_error_row; the derivative at 0 is 0."""
    cdef double loss = 0
    cdef real difference
    cdef Py_ssize_t j
    for j in range(o):
        difference = x[j] - target[j]
        loss += difference if difference > 0 else -difference
        if difference > 0:
            dx[j] = share
        else:
            dx[j] = -share if difference < 0 else difference  # 0, or NaN
    return loss


cdef inline double huber_row(
    const real* x, const real* target, real delta, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """share as in squared_error_row; half a square up to delta, and from there a line."""
    cdef double loss = 0
    cdef real difference, distance, near
    cdef Py_ssize_t j
    for j in range(o):
        difference = x[j] - target[j]
        distance = difference if difference > 0 else -difference
        near = delta if distance > delta else distance
        loss += near * (distance - <double> 0.5 * near)
        dx[j] = share * (near if difference > 0 else -near)
    return loss


cdef inline double poisson_nll_row(
    const real* x, const real* target, real share, real* dx, Py_ssize_t o,
) noexcept nogil:
    """share as in squared_error_row; x are logarithms of rates."""
    cdef double loss = 0
    cdef real rate
    cdef Py_ssize_t j
    for j in range(o):
        rate = exp_[real](x[j])
        loss += rate - <double> target[j] * x[j]
        dx[j] = share * (rate - target[j])
    return loss


cdef inline double bce_with_logits_row(
    const real* x, const real* target, const double* pos_weight, real share, real* dx,
    Py_ssize_t o,
) noexcept nogil:
    """share as in squared_error_row; -log(sigmoid(x)) = log1p(exp(-|x|)) + max(-x, 0)."""
    cdef double loss = 0, rest
    cdef real one = 1, e, yes, no, against, in_favour
    cdef Py_ssize_t j
    for j in range(o):
        e = exp_[real](-x[j] if x[j] > 0 else x[j])
        yes = (one if x[j] > 0 else e) / (one + e)
        no = (e if x[j] > 0 else one) / (one + e)
        against, in_favour = one - target[j], <real> pos_weight[j] * target[j]
        rest = log1p(e)
        loss += against * (rest + (x[j] if x[j] > 0 else <real> 0))
        loss += in_favour * (rest + (-x[j] if x[j] < 0 else <real> 0))
        dx[j] = share * (against * yes - in_favour * no)
    return loss
