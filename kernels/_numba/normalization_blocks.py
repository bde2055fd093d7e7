"""BatchNorm of blocks: SAMPLES images side by side, (channels, pixels, SAMPLES), the first n there.

A batch has several blocks, each of which leaves sums of its own; all of them together make the
batch's. See normalization.py, whose BatchNorm is over rows.
"""

import math

from .jit import core
from .normalization import AT_ONCE, few, statistics
from .pointers import fill, shift
from .vectors import SAMPLES


@core
def combine(parts, means, squares, apart, each, last):
    """The mean of parts, and the sum of squared deviations from it (Chan et al. 1983).

    Each part has `each` numbers, but the last one `last`; theirs lie so far apart.
    """
    total, m, s = float(each * (parts - 1) + last), 0.0, 0.0
    for i in range(parts):
        m += (last if i == parts - 1 else each) * float(means[i * apart])
    m /= total
    for i in range(parts):
        d = float(means[i * apart]) - m
        s += float(squares[i * apart]) + (last if i == parts - 1 else each) * d * d
    return m, s


@core
def block_statistics(n, channels, pixels, x, mean, square):
    """Each channel's mean, and the sum of squared deviations from it.

    First of each sample's pixels, or of every fourth of them, if that leaves none over.
    """
    means, squares, real = few(x), few(x), type(x[0])
    columns = AT_ONCE if pixels % (AT_ONCE // SAMPLES) == 0 else SAMPLES
    rows = pixels * SAMPLES // columns
    for c in range(channels):
        statistics(rows, columns, shift(x, c * pixels * SAMPLES), columns, means, squares)
        parts = 0
        for j in range(columns):
            if j % SAMPLES < n:
                means[parts], squares[parts] = means[j], squares[j] * real(rows)
                parts += 1
        m, s = combine(parts, means, squares, 1, rows, rows)
        mean[c], square[c] = real(m), real(s)


@core
def block_norm(channels, pixels, x, mean, var, w, b, eps, y):
    """y = (x - mean) / sqrt(var + eps) * w + b"""
    size = pixels * SAMPLES
    for c in range(channels):
        x_c, y_c, m, b_c = shift(x, c * size), shift(y, c * size), mean[c], b[c]
        factor = w[c] / math.sqrt(var[c] + eps)
        for i in range(size):
            y_c[i] = (x_c[i] - m) * factor + b_c


@core
def block_norm_gradient(n, channels, pixels, x, dy, mean, var, eps, dw, db):
    plain, product, real, size = few(x), few(x), type(x[0]), pixels * SAMPLES
    for c in range(channels):
        m, (sums, products) = mean[c], (0.0, 0.0)
        fill(plain, SAMPLES, 0)
        fill(product, SAMPLES, 0)
        for i in range(0, size, SAMPLES):
            x_i, dy_i = shift(x, c * size + i), shift(dy, c * size + i)
            for r in range(SAMPLES):
                plain[r] += dy_i[r]
                product[r] += dy_i[r] * (x_i[r] - m)
        for r in range(n):
            sums += float(plain[r])
            products += float(product[r])
        dw[c], db[c] = real(products) / math.sqrt(var[c] + eps), real(sums)


@core
def block_norm_input_in_use(channels, pixels, dy, var, w, eps, dx):
    """dx = w / sqrt(var + eps) * dy"""
    size = pixels * SAMPLES
    for c in range(channels):
        dy_c, dx_c, factor = (
            shift(dy, c * size),
            shift(dx, c * size),
            w[c] / math.sqrt(var[c] + eps),
        )
        for i in range(size):
            dx_c[i] = dy_c[i] * factor


@core
def block_norm_input(n, channels, pixels, x, dy, mean, var, w, dw, db, eps, count, dx):
    """As batch_norm_input, over so many numbers of a channel; of samples that are not there, 0."""
    all_, size = type(x[0])(count), pixels * SAMPLES
    for c in range(channels):
        x_c, dy_c, dx_c, m = shift(x, c * size), shift(dy, c * size), shift(dx, c * size), mean[c]
        s = math.sqrt(var[c] + eps)
        factor, lift, slope = w[c] / s, db[c] / all_, dw[c] / (s * all_)
        for i in range(size):
            dx_c[i] = factor * (dy_c[i] - lift - (x_c[i] - m) * slope)
        if n < SAMPLES:
            for i in range(0, size, SAMPLES):
                fill(shift(dx_c, i + n), SAMPLES - n, 0)
