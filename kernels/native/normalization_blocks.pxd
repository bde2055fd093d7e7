"""BatchNorm of blocks: SAMPLES images side by side, (channels, pixels, SAMPLES), the first n there.

A batch has several blocks, each of which leaves sums of its own; all of them together make the
batch's. See normalization.pxd, whose BatchNorm is over rows.
"""

from libc.string cimport memset

from normalization cimport AT_ONCE, statistics_of_few
from numbers cimport SAMPLES
from tile cimport real
from updates cimport root


cdef inline void combine(
    Py_ssize_t parts, const real* means, const real* squares, Py_ssize_t apart, double each,
    double last, real* mean, real* square,
) noexcept nogil:
    """The mean of parts, and the sum of squared deviations from it (Chan et al. 1983).

    Each part has `each` numbers, but the last one `last`; theirs lie so far apart.
    """
    cdef double count, d, m = 0, s = 0
    cdef Py_ssize_t i
    for i in range(parts):
        m += (last if i == parts - 1 else each) * means[i * apart]
    m /= each * (parts - 1) + last
    for i in range(parts):
        count, d = last if i == parts - 1 else each, means[i * apart] - m
        s += squares[i * apart] + count * d * d
    mean[0], square[0] = <real> m, <real> s


cdef inline void block_statistics(
    Py_ssize_t n, Py_ssize_t channels, Py_ssize_t pixels, const real* x, real* mean, real* square,
) noexcept nogil:
    """Each channel's mean, and the sum of squared deviations from it.

    First of each sample's pixels, or of every fourth of them, if that leaves none over.
    """
    cdef real means[AT_ONCE]
    cdef real squares[AT_ONCE]
    cdef Py_ssize_t fourths = AT_ONCE // SAMPLES, c, j, rows, columns, parts
    for c in range(channels):
        if pixels % fourths == 0:
            rows, columns = pixels // fourths, AT_ONCE
            statistics_of_few[real](rows, AT_ONCE, x, AT_ONCE, &means[0], &squares[0])
        else:
            rows, columns = pixels, SAMPLES
            statistics_of_few[real](rows, SAMPLES, x, SAMPLES, &means[0], &squares[0])
        parts = 0
        for j in range(columns):
            if j % SAMPLES < n:
                means[parts], squares[parts] = means[j], squares[j] * <real> rows
                parts += 1
        combine[real](parts, &means[0], &squares[0], 1, rows, rows, mean + c, square + c)
        x += pixels * SAMPLES


cdef inline void block_norm(
    Py_ssize_t channels, Py_ssize_t pixels, const real* x, const real* mean, const real* var,
    const real* w, const real* b, real eps, real* y,
) noexcept nogil:
    """y = (x - mean) / sqrt(var + eps) * w + b"""
    cdef real factor
    cdef Py_ssize_t c, i
    for c in range(channels):
        factor = w[c] / root[real](var[c] + eps)
        for i in range(pixels * SAMPLES):
            y[i] = (x[i] - mean[c]) * factor + b[c]
        x += pixels * SAMPLES
        y += pixels * SAMPLES


cdef inline void _add_products(
    Py_ssize_t columns, const real* x, const real* dy, real mean, real* plain, real* product,
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(columns):
        plain[j] += dy[j]
        product[j] += dy[j] * (x[j] - mean)


cdef inline void block_norm_gradient(
    Py_ssize_t n, Py_ssize_t channels, Py_ssize_t pixels, const real* x, const real* dy,
    const real* mean, const real* var, real eps, real* dw, real* db,
) noexcept nogil:
    cdef real plain[AT_ONCE]
    cdef real product[AT_ONCE]
    cdef double sums, products
    cdef Py_ssize_t size = pixels * SAMPLES, c, i, j
    for c in range(channels):
        memset(&plain, 0, sizeof(plain))
        memset(&product, 0, sizeof(product))
        i = 0
        while i + AT_ONCE <= size:
            _add_products[real](AT_ONCE, x + i, dy + i, mean[c], &plain[0], &product[0])
            i += AT_ONCE
        _add_products[real](size - i, x + i, dy + i, mean[c], &plain[0], &product[0])
        sums = products = 0
        for j in range(AT_ONCE):
            if j % SAMPLES < n:
                sums += plain[j]
                products += product[j]
        dw[c], db[c] = <real> products / root[real](var[c] + eps), <real> sums
        x += size
        dy += size


cdef inline void block_norm_input_in_use(
    Py_ssize_t channels, Py_ssize_t pixels, const real* dy, const real* var, const real* w,
    real eps, real* dx,
) noexcept nogil:
    """dx = w / sqrt(var + eps) * dy"""
    cdef real factor
    cdef Py_ssize_t size = pixels * SAMPLES, c, i
    for c in range(channels):
        factor = w[c] / root[real](var[c] + eps)
        for i in range(size):
            dx[i] = dy[i] * factor
        dy += size
        dx += size


cdef inline void block_norm_input(
    Py_ssize_t n, Py_ssize_t channels, Py_ssize_t pixels, const real* x, const real* dy,
    const real* mean, const real* var, const real* w, const real* dw, const real* db, real eps,
    Py_ssize_t count, real* dx,
) noexcept nogil:
    """As batch_norm_input, over so many numbers of a channel; of samples that are not there, 0."""
    cdef real s, factor, shift, slope
    cdef Py_ssize_t size = pixels * SAMPLES, c, i, r
    for c in range(channels):
        s = root[real](var[c] + eps)
        factor, shift, slope = w[c] / s, db[c] / <real> count, dw[c] / (s * <real> count)
        for i in range(size):
            dx[i] = factor * (dy[i] - shift - (x[i] - mean[c]) * slope)
        for i in range(pixels if n < SAMPLES else 0):
            for r in range(n, SAMPLES):
                dx[i * SAMPLES + r] = 0
        x += size
        dy += size
        dx += size
