"""The reference: each kernel in one to four lines of NumPy. This file is the specification.

The two compiled modules are tested against it, so it is written to be read and to be right in
every corner (overflow, NaN, empty batches), not to be fast. The contract stands in __init__.py.
"""

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


def relu_forward(x, y):
    """y = max(x, 0)"""
    np.maximum(x, 0, out=y)


def relu_backward(y, dy, dx):
    """dx = dy where y > 0, else 0"""
    dx[...] = np.where(y > 0, dy, 0)


def elu_forward(x, alpha, y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    y[...] = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_backward(y, dy, alpha, dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    dx[...] = np.where(y > 0, dy, dy * (y + alpha))


def tanh_forward(x, y):
    """y = tanh(x)"""
    np.tanh(x, out=y)


def tanh_backward(y, dy, dx):
    """dx = dy * (1 - y**2)"""
    dx[...] = dy * (1 - y * y)


def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x))"""
    e = np.exp(-np.abs(x))  # at most 1, so that nothing overflows
    y[...] = np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(y, dy, dx):
    """dx = dy * y * (1 - y)"""
    dx[...] = dy * y * (1 - y)


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


def hinge_loss(x, labels, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    n, rows = max(len(x), 1), np.arange(len(x))
    violation = x - x[rows, labels, None] + x.dtype.type(margin)
    violation[rows, labels] = 0
    dx[...] = (violation > 0) / x.dtype.type(n)
    dx[rows, labels] = -np.count_nonzero(violation > 0, axis=1) / n
    return float(np.maximum(violation, 0).sum(dtype=np.float64) / n)


def cross_entropy_loss(x, labels, dx):
    """mean over rows of -log(softmax(x)[label])"""
    n, rows = max(len(x), 1), np.arange(len(x))
    log_softmax_forward(x, dx)
    loss = -dx[rows, labels].sum(dtype=np.float64) / n
    np.exp(dx, out=dx)
    dx[rows, labels] -= 1
    dx /= n
    return float(loss)


def nll_loss(x, labels, dx):
    """mean over rows of -x[label]"""
    n, rows = max(len(x), 1), np.arange(len(x))
    dx[...] = 0
    dx[rows, labels] = -1 / n
    return float(-x[rows, labels].sum(dtype=np.float64) / n)


def squared_error_loss(x, target, dx):
    """mean over all elements of (x - target)**2"""
    difference, size = x - target, max(x.size, 1)
    np.multiply(difference, 2 / size, out=dx)
    return float(np.square(difference, dtype=np.float64).sum() / size)


def sgd_step(grads, lr, params):
    """params = params - lr * grads"""
    params -= params.dtype.type(lr) * grads


def momentum_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    v[...] = momentum * v + (grads + decay * params)
    params -= lr * v


def nesterov_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    g = grads + decay * params
    v[...] = momentum * v + g
    params -= lr * (g + momentum * v)


def adam_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    g = grads + decay * params
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    params -= lr * (m / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + epsilon)


def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    params *= 1 - lr * decay
    adam_step(grads, lr, beta1, beta2, epsilon, 0, step, params, m, v)


def argmax(x, labels):
    """labels = the first column of each row's largest value"""
    np.argmax(x, axis=1, out=labels)


def accuracy(x, labels):
    """the share of rows whose largest value is in column label"""
    return float(np.count_nonzero(x.argmax(axis=1) == labels) / max(len(x), 1))
