"""The reference of dense layers, softmax and what is made of scores; see _numpy.py."""

import numpy as np


def gather(data, rows, scale, x):
    """x = data[rows] * scale"""
    np.multiply(data[rows], x.dtype.type(scale), out=x, casting="same_kind")


def dense_forward(x, w, b, y):
    """y = x @ w + b"""
    np.matmul(x, w, out=y)
    y += b


def dense_backward(x, dy, dw, db):
    """dw = x.T @ dy; db = the sum of dy over the batch"""
    np.matmul(x.T, dy, out=dw)
    np.sum(dy, axis=0, out=db)


def dense_backward_input(dy, w, dx):
    """dx = dy @ w.T"""
    np.matmul(dy, w.T, out=dx)


def softmax_forward(x, y):
    """y = exp(x) / sum(exp(x)), row by row"""
    e = np.exp(x - x.max(axis=1, keepdims=True))  # the largest becomes 1: no overflow
    np.divide(e, e.sum(axis=1, keepdims=True), out=y)


def log_softmax_forward(x, y):
    """y = x - log(sum(exp(x))), row by row"""
    shifted = x - x.max(axis=1, keepdims=True)
    y[...] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_backward(y, dy, dx):
    """dx = dy - exp(y) * sum(dy), row by row"""
    dx[...] = dy - np.exp(y) * dy.sum(axis=1, keepdims=True)


def argmax(x, labels):
    """labels = the first column of each row's largest value"""
    np.argmax(x, axis=1, out=labels)


def accuracy(x, labels):
    """the share of rows whose largest value is in column label"""
    return float(np.count_nonzero(x.argmax(axis=1) == labels) / max(len(x), 1))


def sum_errors(x, target, errors):
    """errors = in double, the sums over rows of (x - target)**2 and of |x - target|"""
    difference = x.astype(np.float64) - target
    np.sum(difference**2, axis=0, out=errors[0])
    np.sum(np.abs(difference), axis=0, out=errors[1])
