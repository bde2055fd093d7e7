"""Scale, Standardize, BatchNorm and LayerNorm over rows of columns.

What belongs to columns (weights, means, variances) is a row itself, so that loops over columns are
loops over vectors; sums over samples run in their order, AT_ONCE columns side by side.

Means and variances take two passes, and what the second finds left of the mean corrects both (Chan,
Golub and LeVeque 1983): so they are right to the last digits whatever the mean.
"""

import math

import numba.extending
from numba import types
from numba.core import cgutils

from .jit import core, jit, regrouped
from .pointers import fill, pointer, shift
from .vectors import SAMPLES

AT_ONCE = 64  # columns, whose sums stay in the nearest cache


@numba.extending.intrinsic
def few(typing, like):
    """A place on the stack for AT_ONCE numbers like those that a pointer points to."""

    def generate(context, builder, signature, arguments):
        real = context.get_value_type(signature.return_type.dtype)
        return cgutils.alloca_once(builder, real, size=AT_ONCE)

    return types.CPointer(like.dtype)(like), generate


@core
def _positive(x):
    """x, but 0 where rounding has made it less; NaN stays NaN."""
    return type(x)(0) if x < 0 else x


@core
def scale(n, columns, x, x_row, w, y, y_row):
    """y = x * w; and with dy for x, dx."""
    for r in range(n):
        x_r, y_r = shift(x, r * x_row), shift(y, r * y_row)
        for j in range(columns):
            y_r[j] = x_r[j] * w[j]


@core
def scale_gradient(n, columns, x, x_row, dy, dy_row, dw):
    fill(dw, columns, 0)
    for r in range(n):
        x_r, dy_r = shift(x, r * x_row), shift(dy, r * dy_row)
        for j in range(columns):
            dw[j] += x_r[j] * dy_r[j]


@core
def standardize(n, columns, x, x_row, mean, std, y, y_row):
    for r in range(n):
        x_r, y_r = shift(x, r * x_row), shift(y, r * y_row)
        for j in range(columns):
            y_r[j] = (x_r[j] - mean[j]) / std[j]


@core
def unstandardize(n, columns, dy, dy_row, std, dx, dx_row):
    """dx = dy / std"""
    for r in range(n):
        dy_r, dx_r = shift(dy, r * dy_row), shift(dx, r * dx_row)
        for j in range(columns):
            dx_r[j] = dy_r[j] / std[j]


@core
def standardize_block(columns, x, mean, std, y):
    """SAMPLES samples, which lie column by column."""
    for j in range(columns):
        x_j, y_j = shift(x, j * SAMPLES), shift(y, j * SAMPLES)
        for r in range(SAMPLES):
            y_j[r] = (x_j[r] - mean[j]) / std[j]


@core
def unstandardize_block(columns, dy, std, dx):
    for j in range(columns):
        dy_j, dx_j = shift(dy, j * SAMPLES), shift(dx, j * SAMPLES)
        for r in range(SAMPLES):
            dx_j[r] = dy_j[r] / std[j]


@core
def statistics(n, columns, x, x_row, mean, var):
    """Each column's mean and variance (biased: over n)."""
    count, sums, squares = type(x[0])(max(n, 1)), few(x), few(x)
    for start in range(0, columns, AT_ONCE):
        width, mean_s = min(AT_ONCE, columns - start), shift(mean, start)
        fill(sums, width, 0)
        for r in range(n):
            x_r = shift(x, r * x_row + start)
            for j in range(width):
                sums[j] += x_r[j]
        for j in range(width):
            mean_s[j] = sums[j] / count
            sums[j], squares[j] = 0, 0
        for r in range(n):
            x_r = shift(x, r * x_row + start)
            for j in range(width):
                d = x_r[j] - mean_s[j]
                sums[j] += d
                squares[j] += d * d
        for j in range(width):
            d = sums[j] / count
            mean_s[j] += d
            var[start + j] = _positive(squares[j] / count - d * d)


@core
def batch_norm(n, columns, x, x_row, mean, var, w, b, eps, y, y_row):
    """y = (x - mean) / sqrt(var + eps) * w + b"""
    factor = few(x)
    for start in range(0, columns, AT_ONCE):
        width = min(AT_ONCE, columns - start)
        mean_s, b_s = shift(mean, start), shift(b, start)
        for j in range(width):
            factor[j] = w[start + j] / math.sqrt(var[start + j] + eps)
        for r in range(n):
            x_r, y_r = shift(x, r * x_row + start), shift(y, r * y_row + start)
            for j in range(width):
                y_r[j] = (x_r[j] - mean_s[j]) * factor[j] + b_s[j]


@core
def batch_norm_gradient(n, columns, x, x_row, dy, dy_row, mean, var, eps, dw, db):
    for start in range(0, columns, AT_ONCE):
        width, mean_s = min(AT_ONCE, columns - start), shift(mean, start)
        dw_s, db_s = shift(dw, start), shift(db, start)
        fill(dw_s, width, 0)
        fill(db_s, width, 0)
        for r in range(n):
            x_r, dy_r = shift(x, r * x_row + start), shift(dy, r * dy_row + start)
            for j in range(width):
                db_s[j] += dy_r[j]
                dw_s[j] += dy_r[j] * (x_r[j] - mean_s[j])
        for j in range(width):
            dw_s[j] /= math.sqrt(var[start + j] + eps)


@core
def batch_norm_input(
    n, columns, x, x_row, dy, dy_row, mean, var, w, dw, db, eps, count, dx, dx_row
):
    """dx = w / s * (dy - (db + dw * (x - mean) / s) / count) with s = sqrt(var + eps)

    Of n rows of a batch of so many.
    """
    all_, factor, lift, slope = type(x[0])(count), few(x), few(x), few(x)
    for start in range(0, columns, AT_ONCE):
        width, mean_s = min(AT_ONCE, columns - start), shift(mean, start)
        for j in range(width):
            s = math.sqrt(var[start + j] + eps)
            factor[j] = w[start + j] / s
            lift[j] = db[start + j] / all_
            slope[j] = dw[start + j] / (s * all_)
        for r in range(n):
            x_r, dy_r = shift(x, r * x_row + start), shift(dy, r * dy_row + start)
            dx_r = shift(dx, r * dx_row + start)
            for j in range(width):
                dx_r[j] = factor[j] * (dy_r[j] - lift[j] - (x_r[j] - mean_s[j]) * slope[j])


@core
def batch_norm_input_in_use(n, columns, dy, dy_row, var, w, eps, dx, dx_row):
    """dx = w / sqrt(var + eps) * dy"""
    factor = few(dy)
    for start in range(0, columns, AT_ONCE):
        width = min(AT_ONCE, columns - start)
        for j in range(width):
            factor[j] = w[start + j] / math.sqrt(var[start + j] + eps)
        for r in range(n):
            dy_r, dx_r = shift(dy, r * dy_row + start), shift(dx, r * dx_row + start)
            for j in range(width):
                dx_r[j] = dy_r[j] * factor[j]


@core
def average(x, share, factor, y, n):
    """y += share * (factor * x - y)"""
    share, factor = type(x[0])(share), type(x[0])(factor)
    for j in range(n):
        y[j] += share * (factor * x[j] - y[j])


@core
def unbiased(n):
    """What makes the variance of n samples one over n - 1."""
    return n / (n - 1.0)


@regrouped
def _row_statistics(x, o, eps):
    """The mean of a row, and 1 / sqrt(variance + eps)."""
    count, total, square = type(x[0])(o), type(x[0])(0), type(x[0])(0)
    for j in range(o):
        total += x[j]
    mean, total = total / count, type(total)(0)
    for j in range(o):
        d = x[j] - mean
        total += d
        square += d * d
    d = total / count
    return mean + d, type(d)(1) / math.sqrt(_positive(square / count - d * d) + eps)


@regrouped
def _row_sums(x, dy, w, mean, rstd, o):
    """The sums of g = dy * w over a row, and of g * (x - mean) * rstd."""
    plain, slope = type(x[0])(0), type(x[0])(0)
    for j in range(o):
        g = dy[j] * w[j]
        plain += g
        slope += g * (x[j] - mean)
    return plain, slope * rstd


@core
def layer_norm(n, o, first, last, x, x_row, w, b, eps, mean, rstd, y, y_row):
    """The columns first..last of y = (x - mean) * rstd * w + b, row by row."""
    for r in range(n):
        x_r, y_r = shift(x, r * x_row), shift(y, r * y_row)
        mean_r, rstd_r = _row_statistics(x_r, o, eps)
        mean[r], rstd[r] = mean_r, rstd_r
        for j in range(first, last):
            y_r[j] = (x_r[j] - mean_r) * rstd_r * w[j] + b[j]


@core
def layer_norm_gradient(n, columns, x, x_row, dy, dy_row, mean, rstd, dw, db):
    fill(dw, columns, 0)
    fill(db, columns, 0)
    for r in range(n):
        x_r, dy_r, mean_r, rstd_r = shift(x, r * x_row), shift(dy, r * dy_row), mean[r], rstd[r]
        for j in range(columns):
            db[j] += dy_r[j]
            dw[j] += dy_r[j] * ((x_r[j] - mean_r) * rstd_r)


@core
def layer_norm_input(n, o, first, last, x, x_row, dy, dy_row, mean, rstd, w, dx, dx_row):
    """The columns first..last of rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w and
    xhat = (x - mean) * rstd
    """
    count = type(x[0])(o)
    for r in range(n):
        x_r, dy_r, dx_r = shift(x, r * x_row), shift(dy, r * dy_row), shift(dx, r * dx_row)
        mean_r, rstd_r = mean[r], rstd[r]
        plain, slope = _row_sums(x_r, dy_r, w, mean_r, rstd_r, o)
        plain, slope = plain / count, slope / count * rstd_r
        for j in range(first, last):
            dx_r[j] = rstd_r * (dy_r[j] * w[j] - plain - (x_r[j] - mean_r) * slope)


@jit
def scale_forward(x, w, y):
    """y = x * w"""
    n, o = x.shape
    scale(n, o, pointer(x), o, pointer(w), pointer(y), o)


@jit
def scale_backward(x, dy, dw):
    """dw = the sum of x * dy over the batch"""
    n, o = x.shape
    scale_gradient(n, o, pointer(x), o, pointer(dy), o, pointer(dw))


@jit
def standardize_forward(x, mean, std, y):
    """y = (x - mean) / std"""
    n, o = x.shape
    standardize(n, o, pointer(x), o, pointer(mean), pointer(std), pointer(y), o)


@jit
def standardize_backward(dy, std, dx):
    """dx = dy / std"""
    n, o = dy.shape
    unstandardize(n, o, pointer(dy), o, pointer(std), pointer(dx), o)


@jit
def batch_statistics(x, mean, var):
    """each column's mean and variance (over n) in the batch"""
    n, o = x.shape
    statistics(n, o, pointer(x), o, pointer(mean), pointer(var))


@jit
def batch_norm_forward(x, mean, var, w, b, eps, y):
    """y = xhat * w + b, xhat = (x - mean) / sqrt(var + eps)"""
    (n, o), eps_ = x.shape, y.dtype.type(eps)
    moments = pointer(mean), pointer(var)
    batch_norm(n, o, pointer(x), o, *moments, pointer(w), pointer(b), eps_, pointer(y), o)


@jit
def batch_norm_backward(x, dy, mean, var, eps, dw, db):
    """dw = the sum of dy * xhat over the batch; db = the sum of dy"""
    (n, o), eps_ = x.shape, dw.dtype.type(eps)
    moments = pointer(mean), pointer(var)
    batch_norm_gradient(
        n, o, pointer(x), o, pointer(dy), o, *moments, eps_, pointer(dw), pointer(db)
    )


@jit
def batch_norm_backward_input(x, dy, mean, var, w, dw, db, eps, dx):
    """dx = w / sqrt(var + eps) * (dy - (db + dw * xhat) / n)"""
    (n, o), eps_ = x.shape, dx.dtype.type(eps)
    given = pointer(mean), pointer(var), pointer(w), pointer(dw), pointer(db)
    batch_norm_input(n, o, pointer(x), o, pointer(dy), o, *given, eps_, n, pointer(dx), o)


@jit
def batch_norm_backward_input_in_use(dy, var, w, eps, dx):
    """dx = w / sqrt(var + eps) * dy, where mean and var are no batch's"""
    (n, o), eps_ = dy.shape, dx.dtype.type(eps)
    batch_norm_input_in_use(n, o, pointer(dy), o, pointer(var), pointer(w), eps_, pointer(dx), o)


@jit
def running_average(x, share, factor, y):
    """y = y + share * (factor * x - y)"""
    average(pointer(x), share, factor, pointer(y), x.size)


@jit
def layer_norm_forward(x, w, b, eps, mean, rstd, y):
    """y = (x - mean) * rstd * w + b; mean and rstd = 1 / sqrt(variance + eps) of each row"""
    (n, o), eps_ = x.shape, y.dtype.type(eps)
    moments = pointer(mean), pointer(rstd)
    layer_norm(n, o, 0, o, pointer(x), o, pointer(w), pointer(b), eps_, *moments, pointer(y), o)


@jit
def layer_norm_backward(x, dy, mean, rstd, dw, db):
    """dw = the sum of dy * xhat over the batch, xhat = (x - mean) * rstd; db = the sum of dy"""
    (n, o), moments = x.shape, (pointer(mean), pointer(rstd))
    layer_norm_gradient(n, o, pointer(x), o, pointer(dy), o, *moments, pointer(dw), pointer(db))


@jit
def layer_norm_backward_input(x, dy, mean, rstd, w, dx):
    """dx = rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w, row by row"""
    (n, o), moments = x.shape, (pointer(mean), pointer(rstd))
    layer_norm_input(
        n, o, 0, o, pointer(x), o, pointer(dy), o, *moments, pointer(w), pointer(dx), o
    )
