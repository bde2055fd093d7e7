"""What is computed row by row over the o columns of the scores: softmax, argmax."""

import math

from .elementary import exp_
from .jit import core, jit
from .pointers import fill, pointer


@core
def row_max(x, o):
    top = x[0]
    for j in range(1, o):
        top = top if x[j] <= top else x[j]  # a NaN in x wins
    return top


@core
def _argmax_row(x, o):
    best = 0
    for j in range(o):
        if x[j] != x[j]:  # the first NaN counts as largest, as in NumPy
            return j
        if x[j] > x[best]:
            best = j
    return best


@core
def exp_shifted(x, y, o):
    """y = exp(x - max(x)), of which at least one is 1 and none overflows; returns their sum."""
    top = row_max(x, o)
    total = type(top)(0)
    for j in range(o):
        y[j] = exp_(x[j] - top)
    for j in range(o):
        total += y[j]
    return total


@core
def _softmax_row(x, y, o):
    total = exp_shifted(x, y, o)
    for j in range(o):
        y[j] /= total


@core
def log_softmax_row(x, y, o):
    top = row_max(x, o)
    logarithm = type(top)(math.log(exp_shifted(x, y, o)))
    for j in range(o):
        y[j] = (x[j] - top) - logarithm


@core
def log_softmax_backward_row(y, dy, dx, o):
    total = type(dy[0])(0)
    for j in range(o):
        total += dy[j]
    for j in range(o):
        dx[j] = dy[j] - exp_(y[j]) * total


@jit
def softmax_forward(x, y):
    """y = exp(x) / sum(exp(x)), row by row"""
    for r in range(x.shape[0]):
        _softmax_row(pointer(x[r]), pointer(y[r]), x.shape[1])


@jit
def log_softmax_forward(x, y):
    """y = x - log(sum(exp(x))), row by row"""
    for r in range(x.shape[0]):
        log_softmax_row(pointer(x[r]), pointer(y[r]), x.shape[1])


@jit
def log_softmax_backward(y, dy, dx):
    """dx = dy - exp(y) * sum(dy), row by row"""
    for r in range(y.shape[0]):
        log_softmax_backward_row(pointer(y[r]), pointer(dy[r]), pointer(dx[r]), y.shape[1])


@jit
def argmax(x, labels):
    """labels = the first column of each row's largest value"""
    for r in range(x.shape[0]):
        labels[r] = _argmax_row(pointer(x[r]), x.shape[1])


@jit
def accuracy(x, labels):
    """the share of rows whose largest value is in column label"""
    right = 0
    for r in range(x.shape[0]):
        right += _argmax_row(pointer(x[r]), x.shape[1]) == labels[r]
    return right / max(x.shape[0], 1)


@jit
def sum_errors(x, target, errors):
    """errors = in double, the sums over rows of (x - target)**2 and of |x - target|"""
    fill(pointer(errors), errors.size, 0)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            difference = float(x[r, j]) - float(target[r, j])
            errors[0, j] += difference * difference
            errors[1, j] += abs(difference)
