"""The reference's kernels on images, and dropout: a part of _numpy.py, the specification."""

import numpy as np


def dropout(x, p, seed, step, y):
    """y = x / (1 - p), but 0 with probability p; by Philox of seed, step, row and column"""
    dropped = _random_words(seed, step, *x.shape) < int(p * 2**32)
    y[...] = np.where(dropped, 0, x * x.dtype.type(1 / (1 - p)))


def _random_words(seed, step, rows, columns):
    """A random uint32 for each row and column: Philox4x32-10 (Salmon et al. 2011), a function."""
    low, bits = np.uint64(2**32 - 1), np.uint64(32)
    row, group = np.indices((rows, -(-columns // 4)), np.uint64)
    counter = [group, row, np.full_like(row, step & 2**32 - 1), np.full_like(row, step >> 32)]
    keys = [seed & 2**32 - 1, seed >> 32]
    for _ in range(10):
        a, b = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        high_a, high_b = (a >> bits) ^ np.uint64(keys[1]), (b >> bits) ^ np.uint64(keys[0])
        counter = [high_b ^ counter[1], b & low, high_a ^ counter[3], a & low]
        keys = [(keys[0] + 0x9E3779B9) & 2**32 - 1, (keys[1] + 0xBB67AE85) & 2**32 - 1]
    return np.stack(counter, axis=-1).reshape(rows, 4 * row.shape[1])[:, :columns]


def conv2d_forward(x, w, b, stride, y):
    """y[i, j] = b + the sum of x[i * stride + k, j * stride + l] * w[k, l]"""
    groups = x.shape[1] // w.shape[1]
    windows = _grouped(_windows(x, w.shape[2:], stride), 1, groups)
    sums = np.einsum("ngcijkl,gockl->ngoij", windows, _grouped(w, 0, groups), optimize=True)
    y[...] = sums.reshape(y.shape) + b[:, None, None]


def conv2d_backward(x, dy, stride, dw, db):
    """dw[k, l] = the sum of x[i * stride + k, ...] * dy[i, j]; db of dy"""
    groups = x.shape[1] // dw.shape[1]
    windows = _grouped(_windows(x, dw.shape[2:], stride), 1, groups)
    sums = np.einsum("ngcijkl,ngoij->gockl", windows, _grouped(dy, 1, groups), optimize=True)
    dw[...] = sums.reshape(dw.shape)
    np.sum(dy, axis=(0, 2, 3), out=db)


def conv2d_backward_input(dy, w, stride, dx):
    """dx[i * stride + k, ...] = the sum of dy[i, j] * w[k, l]"""
    groups = dx.shape[1] // w.shape[1]
    dy, w = _grouped(dy, 1, groups), _grouped(w, 0, groups)
    dx[...] = 0
    for i, j in np.ndindex(w.shape[3:]):
        met = _met_by(dx, i, j, stride, dy)
        met += np.einsum("ngoij,goc->ngcij", dy, w[..., i, j]).reshape(met.shape)


def max_pool2d_forward(x, kernel, stride, y):
    """y = the maximum of each window of x"""
    np.max(_windows(x, kernel, stride), axis=(4, 5), out=y)


def max_pool2d_backward(x, dy, kernel, stride, dx):
    """dx = the sum of dy of windows whose first maximum is there"""
    windows = _windows(x, kernel, stride).reshape(*dy.shape, np.prod(kernel))
    first = windows.argmax(axis=4).reshape(dy.shape)
    dx[...] = 0
    for number, (i, j) in enumerate(np.ndindex(*kernel)):
        _met_by(dx, i, j, stride, dy)[...] += np.where(first == number, dy, 0)


def avg_pool2d_forward(x, kernel, stride, y):
    """y = the mean of each window of x"""
    np.mean(_windows(x, kernel, stride), axis=(4, 5), out=y)


def avg_pool2d_backward(dy, kernel, stride, dx):
    """dx = the sum of dy / the window's size over its windows"""
    dx[...] = 0
    for i, j in np.ndindex(*kernel):
        _met_by(dx, i, j, stride, dy)[...] += dy / dy.dtype.type(np.prod(kernel))


def _grouped(a, axis, groups):
    """The channels of this axis as groups of channels."""
    return a.reshape(*a.shape[:axis], groups, a.shape[axis] // groups, *a.shape[axis + 1 :])


def _windows(x, kernel, stride):
    """The windows of each image, (n, c, i, j, k, l): a view."""
    windows = np.lib.stride_tricks.sliding_window_view(x, tuple(kernel), axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1]]


def _met_by(x, i, j, stride, dy):
    """What the element (i, j) of each window is in x, in the shape of dy: a view."""
    (down, right), (h, w) = stride, dy.shape[-2:]
    return x[:, :, i : i + h * down : down, j : j + w * right : right]


def pad2d_forward(x, padding, value, y):
    """y = x with a border of value"""
    y[...] = value
    _inside(y, padding, x)[...] = x


def pad2d_backward(dy, padding, dx):
    """dx = dy without its border"""
    dx[...] = _inside(dy, padding, dx)


def _inside(y, padding, x):
    """What lies within the border, in the shape of x: a view."""
    (top, left), (h, w) = padding, x.shape[2:]
    return y[:, :, top : top + h, left : left + w]
