"""Scale, Standardize, BatchNorm and LayerNorm over rows of columns.

What belongs to columns (weights, means, variances) is a row itself, so that loops over columns are
loops over vectors; sums over samples run in their order, AT_ONCE columns side by side. LayerNorm's
sums over columns are those of ROWS_AT_ONCE rows at a time, a vector each.

Means and variances take two passes, and what the second finds left of the mean corrects both (Chan,
Golub and LeVeque 1983): so they are right to the last digits whatever the mean.
"""

from libc.string cimport memset

from numbers cimport SAMPLES
from tile cimport dvec, fvec, less, real, sum_lanes, vec
from updates cimport root

cdef enum:
    AT_ONCE = 64  # columns, whose sums stay in the nearest cache or in registers
    ROWS_AT_ONCE = 4


cdef inline real positive(real x) noexcept nogil:
    """x, but 0 where rounding has made it less; NaN stays NaN."""
    return <real> 0 if x < 0 else x


cdef inline void scale(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* w, real* y,
    Py_ssize_t y_row,
) noexcept nogil:
    """y = x * w; and with dy for x, dx."""
    cdef Py_ssize_t r, j
    for r in range(n):
        for j in range(columns):
            y[r * y_row + j] = x[r * x_row + j] * w[j]


cdef inline void scale_gradient(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, real* dw,
) noexcept nogil:
    cdef Py_ssize_t r, j
    for j in range(columns):
        dw[j] = 0
    for r in range(n):
        for j in range(columns):
            dw[j] += x[r * x_row + j] * dy[r * dy_row + j]


cdef inline void standardize(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* mean,
    const real* std, real* y, Py_ssize_t y_row,
) noexcept nogil:
    cdef Py_ssize_t r, j
    for r in range(n):
        for j in range(columns):
            y[r * y_row + j] = (x[r * x_row + j] - mean[j]) / std[j]


cdef inline void unstandardize(
    Py_ssize_t n, Py_ssize_t columns, const real* dy, Py_ssize_t dy_row, const real* std, real* dx,
    Py_ssize_t dx_row,
) noexcept nogil:
    """dx = dy / std"""
    cdef Py_ssize_t r, j
    for r in range(n):
        for j in range(columns):
            dx[r * dx_row + j] = dy[r * dy_row + j] / std[j]


cdef inline void standardize_block(
    Py_ssize_t columns, const real* x, const real* mean, const real* std, real* y,
) noexcept nogil:
    """SAMPLES samples, which lie column by column."""
    cdef Py_ssize_t j, r
    for j in range(columns):
        for r in range(SAMPLES):
            y[j * SAMPLES + r] = (x[j * SAMPLES + r] - mean[j]) / std[j]


cdef inline void unstandardize_block(
    Py_ssize_t columns, const real* dy, const real* std, real* dx,
) noexcept nogil:
    cdef Py_ssize_t j, r
    for j in range(columns):
        for r in range(SAMPLES):
            dx[j * SAMPLES + r] = dy[j * SAMPLES + r] / std[j]


cdef inline void statistics_of_few(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, real* mean, real* var,
) noexcept nogil:
    """Of at most AT_ONCE columns."""
    cdef real sums[AT_ONCE]
    cdef real squares[AT_ONCE]
    cdef real d, count = <real> max(n, <Py_ssize_t> 1)
    cdef Py_ssize_t r, j
    memset(&sums, 0, sizeof(sums))
    memset(&squares, 0, sizeof(squares))
    for r in range(n):
        for j in range(columns):
            sums[j] += x[r * x_row + j]
    for j in range(columns):
        mean[j] = sums[j] / count
        sums[j] = 0
    for r in range(n):
        for j in range(columns):
            d = x[r * x_row + j] - mean[j]
            sums[j] += d
            squares[j] += d * d
    for j in range(columns):
        d = sums[j] / count
        mean[j] += d
        var[j] = positive[real](squares[j] / count - d * d)


cdef inline void statistics(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, real* mean, real* var,
) noexcept nogil:
    """Each column's mean and variance (biased: over n)."""
    cdef Py_ssize_t j = 0
    while j + AT_ONCE <= columns:
        statistics_of_few[real](n, AT_ONCE, x + j, x_row, mean + j, var + j)
        j += AT_ONCE
    if j < columns:
        statistics_of_few[real](n, columns - j, x + j, x_row, mean + j, var + j)


cdef inline void batch_norm(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* mean,
    const real* var, const real* w, const real* b, real eps, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = (x - mean) / sqrt(var + eps) * w + b"""
    cdef real factor[AT_ONCE]
    cdef Py_ssize_t start = 0, count, r, j
    while start < columns:
        count = min(<Py_ssize_t> AT_ONCE, columns - start)
        for j in range(count):
            factor[j] = w[start + j] / root[real](var[start + j] + eps)
        for r in range(n):
            for j in range(start, start + count):
                y[r * y_row + j] = (x[r * x_row + j] - mean[j]) * factor[j - start] + b[j]
        start += count


cdef inline void batch_norm_gradient(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, const real* mean, const real* var, real eps, real* dw, real* db,
) noexcept nogil:
    cdef real d
    cdef Py_ssize_t start = 0, end, r, j
    while start < columns:
        end = min(start + AT_ONCE, columns)
        for j in range(start, end):
            dw[j] = 0
            db[j] = 0
        for r in range(n):
            for j in range(start, end):
                d = dy[r * dy_row + j]
                db[j] += d
                dw[j] += d * (x[r * x_row + j] - mean[j])
        for j in range(start, end):
            dw[j] /= root[real](var[j] + eps)
        start = end


cdef inline void batch_norm_input(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, const real* mean, const real* var, const real* w, const real* dw,
    const real* db, real eps, Py_ssize_t count, real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx = w / s * (dy - (db + dw * (x - mean) / s) / count) with s = sqrt(var + eps)

    Of n rows of a batch of so many.
    """
    cdef real factor[AT_ONCE]
    cdef real shift[AT_ONCE]
    cdef real slope[AT_ONCE]
    cdef real s
    cdef Py_ssize_t start = 0, width, r, j, k
    while start < columns:
        width = min(<Py_ssize_t> AT_ONCE, columns - start)
        for k in range(width):
            s = root[real](var[start + k] + eps)
            factor[k] = w[start + k] / s
            shift[k] = db[start + k] / <real> count
            slope[k] = dw[start + k] / (s * <real> count)
        for r in range(n):
            for j in range(start, start + width):
                k = j - start
                dx[r * dx_row + j] = factor[k] * (
                    dy[r * dy_row + j] - shift[k] - (x[r * x_row + j] - mean[j]) * slope[k])
        start += width


cdef inline void batch_norm_input_in_use(
    Py_ssize_t n, Py_ssize_t columns, const real* dy, Py_ssize_t dy_row, const real* var,
    const real* w, real eps, real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx = w / sqrt(var + eps) * dy"""
    cdef real factor[AT_ONCE]
    cdef Py_ssize_t start = 0, width, r, k
    while start < columns:
        width = min(<Py_ssize_t> AT_ONCE, columns - start)
        for k in range(width):
            factor[k] = w[start + k] / root[real](var[start + k] + eps)
        for r in range(n):
            for k in range(width):
                dx[r * dx_row + start + k] = dy[r * dy_row + start + k] * factor[k]
        start += width


cdef inline void running_average(
    const real* x, double share, double factor, real* y, Py_ssize_t n,
) noexcept nogil:
    """y += share * (factor * x - y)"""
    cdef Py_ssize_t j
    for j in range(n):
        y[j] += <real> share * (<real> factor * x[j] - y[j])


cdef inline double unbiased(Py_ssize_t n) noexcept nogil:
    """What makes the variance of n samples one over n - 1."""
    return n / (n - 1.0)


cdef inline Py_ssize_t _rows_from(
    const real* x, Py_ssize_t row, Py_ssize_t r, Py_ssize_t n, const real** rows,
) noexcept nogil:
    """ROWS_AT_ONCE rows from number r on, in place of those beyond n the last; how many there are.
    """
    cdef Py_ssize_t i
    for i in range(ROWS_AT_ONCE):
        rows[i] = x + min(r + i, n - 1) * row
    return min(<Py_ssize_t> ROWS_AT_ONCE, n - r)


cdef inline void _row_statistics(
    Py_ssize_t columns, const real** rows, real eps, real* mean, real* rstd, const vec* _vec,
) noexcept nogil:
    """The mean, and 1 / sqrt(variance + eps), of ROWS_AT_ONCE rows."""
    cdef vec sums[ROWS_AT_ONCE]
    cdef vec squares[ROWS_AT_ONCE]
    cdef vec d
    cdef real total[ROWS_AT_ONCE]
    cdef real square[ROWS_AT_ONCE]
    cdef real rest
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), whole = columns // lanes, i, j
    memset(&sums, 0, sizeof(sums))
    for j in range(whole):
        for i in range(ROWS_AT_ONCE):
            sums[i] = sums[i] + (<const vec*> rows[i])[j]
    sum_lanes[vec, real](&sums[0], &total[0])
    for i in range(ROWS_AT_ONCE):
        for j in range(whole * lanes, columns):
            total[i] += rows[i][j]
        mean[i] = total[i] / <real> columns
    memset(&sums, 0, sizeof(sums))
    memset(&squares, 0, sizeof(squares))
    for j in range(whole):
        for i in range(ROWS_AT_ONCE):
            d = less((<const vec*> rows[i])[j], mean[i])
            sums[i] = sums[i] + d
            squares[i] = squares[i] + d * d
    sum_lanes[vec, real](&sums[0], &total[0])
    sum_lanes[vec, real](&squares[0], &square[0])
    for i in range(ROWS_AT_ONCE):
        for j in range(whole * lanes, columns):
            rest = rows[i][j] - mean[i]
            total[i] += rest
            square[i] += rest * rest
        rest = total[i] / <real> columns
        mean[i] += rest
        rstd[i] = <real> 1 / root[real](
            positive[real](square[i] / <real> columns - rest * rest) + eps)


cdef inline void layer_norm(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* w,
    const real* b, real eps, real* mean, real* rstd, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = (x - mean) * rstd * w + b, row by row."""
    cdef const real* rows[ROWS_AT_ONCE]
    cdef real means[ROWS_AT_ONCE]
    cdef real rstds[ROWS_AT_ONCE]
    cdef Py_ssize_t r = 0, count, i, j
    while r < n:
        count = _rows_from[real](x, x_row, r, n, rows)
        if real is float:
            _row_statistics[float, fvec](columns, rows, eps, &means[0], &rstds[0], NULL)
        else:
            _row_statistics[double, dvec](columns, rows, eps, &means[0], &rstds[0], NULL)
        for i in range(count):
            mean[r + i], rstd[r + i] = means[i], rstds[i]
            for j in range(columns):
                y[(r + i) * y_row + j] = (rows[i][j] - means[i]) * rstds[i] * w[j] + b[j]
        r += count


cdef inline void layer_norm_gradient(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, const real* mean, const real* rstd, real* dw, real* db,
) noexcept nogil:
    cdef real d
    cdef Py_ssize_t r, j
    for j in range(columns):
        dw[j] = 0
        db[j] = 0
    for r in range(n):
        for j in range(columns):
            d = dy[r * dy_row + j]
            db[j] += d
            dw[j] += d * ((x[r * x_row + j] - mean[r]) * rstd[r])


cdef inline void _row_sums(
    Py_ssize_t columns, const real** x, const real** dy, const real* mean, const real* rstd,
    const real* w, real* plain, real* slope, const vec* _vec,
) noexcept nogil:
    """Of ROWS_AT_ONCE rows the sums of g = dy * w, and of g * (x - mean) * rstd."""
    cdef vec sums[ROWS_AT_ONCE]
    cdef vec products[ROWS_AT_ONCE]
    cdef vec g
    cdef real rest
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), whole = columns // lanes, i, j
    memset(&sums, 0, sizeof(sums))
    memset(&products, 0, sizeof(products))
    for j in range(whole):
        for i in range(ROWS_AT_ONCE):
            g = (<const vec*> dy[i])[j] * (<const vec*> w)[j]
            sums[i] = sums[i] + g
            products[i] = products[i] + g * less((<const vec*> x[i])[j], mean[i])
    sum_lanes[vec, real](&sums[0], plain)
    sum_lanes[vec, real](&products[0], slope)
    for i in range(ROWS_AT_ONCE):
        for j in range(whole * lanes, columns):
            rest = dy[i][j] * w[j]
            plain[i] += rest
            slope[i] += rest * (x[i][j] - mean[i])
        slope[i] *= rstd[i]


cdef inline void layer_norm_input(
    Py_ssize_t n, Py_ssize_t columns, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, const real* mean, const real* rstd, const real* w, real* dx,
    Py_ssize_t dx_row,
) noexcept nogil:
    """dx = rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w, xhat = (x - mean) * rstd
    """
    cdef const real* x_rows[ROWS_AT_ONCE]
    cdef const real* dy_rows[ROWS_AT_ONCE]
    cdef real means[ROWS_AT_ONCE]
    cdef real rstds[ROWS_AT_ONCE]
    cdef real plain[ROWS_AT_ONCE]
    cdef real slope[ROWS_AT_ONCE]
    cdef real a, c
    cdef Py_ssize_t r = 0, count, i, j
    while r < n:
        count = _rows_from[real](x, x_row, r, n, x_rows)
        _rows_from[real](dy, dy_row, r, n, dy_rows)
        for i in range(ROWS_AT_ONCE):
            means[i], rstds[i] = mean[min(r + i, n - 1)], rstd[min(r + i, n - 1)]
        if real is float:
            _row_sums[float, fvec](columns, x_rows, dy_rows, &means[0], &rstds[0], w, &plain[0],
                                   &slope[0], NULL)
        else:
            _row_sums[double, dvec](columns, x_rows, dy_rows, &means[0], &rstds[0], w, &plain[0],
                                    &slope[0], NULL)
        for i in range(count):
            a, c = plain[i] / <real> columns, slope[i] / <real> columns * rstds[i]
            for j in range(columns):
                dx[(r + i) * dx_row + j] = rstds[i] * (
                    dy_rows[i][j] * w[j] - a - (x_rows[i][j] - means[i]) * c)
        r += count
