"""The reference: each kernel in one to four lines of NumPy. This file is the specification.

The two compiled modules are tested against it, so it is written to be read and to be right in
every corner (overflow, NaN, empty batches), not to be fast. The contract stands in __init__.py.
"""

import math

import numpy as np

from fastbp.kernels._numpy_images import avg_pool2d_backward as avg_pool2d_backward
from fastbp.kernels._numpy_images import avg_pool2d_forward as avg_pool2d_forward
from fastbp.kernels._numpy_images import conv2d_backward as conv2d_backward
from fastbp.kernels._numpy_images import conv2d_backward_input as conv2d_backward_input
from fastbp.kernels._numpy_images import conv2d_forward as conv2d_forward
from fastbp.kernels._numpy_images import dropout as dropout
from fastbp.kernels._numpy_images import max_pool2d_backward as max_pool2d_backward
from fastbp.kernels._numpy_images import max_pool2d_forward as max_pool2d_forward
from fastbp.kernels._numpy_images import pad2d_backward as pad2d_backward
from fastbp.kernels._numpy_images import pad2d_forward as pad2d_forward
from fastbp.kernels._numpy_norms import batch_norm_backward as batch_norm_backward
from fastbp.kernels._numpy_norms import batch_norm_backward_input as batch_norm_backward_input
from fastbp.kernels._numpy_norms import (
    batch_norm_backward_input_in_use as batch_norm_backward_input_in_use,
)
from fastbp.kernels._numpy_norms import batch_norm_forward as batch_norm_forward
from fastbp.kernels._numpy_norms import batch_statistics as batch_statistics
from fastbp.kernels._numpy_norms import layer_norm_backward as layer_norm_backward
from fastbp.kernels._numpy_norms import layer_norm_backward_input as layer_norm_backward_input
from fastbp.kernels._numpy_norms import layer_norm_forward as layer_norm_forward
from fastbp.kernels._numpy_norms import running_average as running_average
from fastbp.kernels._numpy_norms import scale_backward as scale_backward
from fastbp.kernels._numpy_norms import scale_forward as scale_forward
from fastbp.kernels._numpy_norms import standardize_backward as standardize_backward
from fastbp.kernels._numpy_norms import standardize_forward as standardize_forward
from fastbp.kernels._numpy_rows import accuracy as accuracy
from fastbp.kernels._numpy_rows import argmax as argmax
from fastbp.kernels._numpy_rows import dense_backward as dense_backward
from fastbp.kernels._numpy_rows import dense_backward_input as dense_backward_input
from fastbp.kernels._numpy_rows import dense_forward as dense_forward
from fastbp.kernels._numpy_rows import gather as gather
from fastbp.kernels._numpy_rows import log_softmax_backward as log_softmax_backward
from fastbp.kernels._numpy_rows import log_softmax_forward as log_softmax_forward
from fastbp.kernels._numpy_rows import softmax_forward as softmax_forward
from fastbp.kernels._numpy_rows import sum_errors as sum_errors

# Beyond ±FAR, SiLU and the like are 0 or x to the last digit: so is what infinity becomes.
FAR = 1000
# SELU's, with which it keeps mean 0 and variance 1 (Klambauer et al. 2017)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
CAPABILITIES: frozenset[str] = frozenset()


def add(x, z, y):
    """y = x + z"""
    np.add(x, z, out=y)


def relu_forward(x, y):
    """y = max(x, 0)"""
    np.maximum(x, 0, out=y)


def relu_backward(x, y, dy, dx):
    """dx = dy where y > 0, else 0"""
    dx[...] = np.where(y > 0, dy, 0)


def elu_forward(x, alpha, y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    y[...] = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_backward(x, y, dy, alpha, dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    dx[...] = np.where(y > 0, dy, dy * (y + alpha))


def tanh_forward(x, y):
    """y = tanh(x)"""
    np.tanh(x, out=y)


def tanh_backward(x, y, dy, dx):
    """dx = dy * (1 - y**2)"""
    dx[...] = dy * (1 - y * y)


def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x))"""
    y[...] = _sigmoid(x)


def sigmoid_backward(x, y, dy, dx):
    """dx = dy * y * (1 - y)"""
    dx[...] = dy * y * (1 - y)


def _sigmoid(x):
    e = np.exp(-np.abs(x))  # at most 1, so that nothing overflows
    return np.where(x >= 0, 1, e) / (1 + e)


def leaky_relu_forward(x, negative_slope, y):
    """y = x where x > 0, else negative_slope * x"""
    y[...] = np.where(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_backward(x, y, dy, negative_slope, dx):
    """dx = dy where y > 0, else dy * negative_slope"""
    dx[...] = np.where(y > 0, dy, dy * dy.dtype.type(negative_slope))


def selu_forward(x, y):
    """y = scale * (x where x > 0, else alpha * (exp(x) - 1))"""
    y[...] = SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def selu_backward(x, y, dy, dx):
    """dx = dy * scale where y > 0, else dy * (y + scale * alpha)"""
    dx[...] = dy * np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


def silu_forward(x, y):
    """y = x / (1 + exp(-x))"""
    y[...] = np.maximum(x, -FAR) * _sigmoid(x)


def silu_backward(x, y, dy, dx):
    """dx = dy * s * (1 + x * (1 - s)), s = 1 / (1 + exp(-x))"""
    dx[...] = dy * (_sigmoid(x) * (1 + np.clip(x, -FAR, FAR) * _sigmoid(-x)))


def mish_forward(x, y):
    """y = x * tanh(log(1 + exp(x)))"""
    y[...] = np.maximum(x, -FAR) * np.tanh(_log_of_one_and_exp(x))


def mish_backward(x, y, dy, dx):
    """dx = dy * (t + x * (1 - t**2) / (1 + exp(-x))), t = tanh(log(1 + exp(x)))"""
    a = _log_of_one_and_exp(x)
    slope = 4 * _sigmoid(2 * a) * _sigmoid(-2 * a) * _sigmoid(x)  # 1 - t**2 keeps its digits
    dx[...] = dy * (np.tanh(a) + np.clip(x, -FAR, FAR) * slope)


def _log_of_one_and_exp(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_forward(x, beta, threshold, y):
    """y = log(1 + exp(beta * x)) / beta, but x where beta * x > threshold"""
    z = x * x.dtype.type(beta)
    y[...] = np.where(z > threshold, x, _log_of_one_and_exp(z) / x.dtype.type(beta))


def softplus_backward(x, y, dy, beta, threshold, dx):
    """dx = dy / (1 + exp(-beta * x)), but dy where beta * x > threshold"""
    z = x * x.dtype.type(beta)
    dx[...] = np.where(z > threshold, dy, dy * _sigmoid(z))


def gelu_forward(x, approximate, y):
    """y = x * (1 + erf(x / sqrt(2))) / 2; by tanh, if approximate"""
    y[...] = np.maximum(x, -FAR) * _normal(x, approximate)[0]


def gelu_backward(x, y, dy, approximate, dx):
    """dx = dy * (p + x * density); p = y / x, density its slope"""
    p, density = _normal(x, approximate)
    dx[...] = dy * (p + np.clip(x, -FAR, FAR) * density)


def _normal(x, approximate):
    """How often a normal number is below x, and its density there; or what comes close by tanh."""
    x = np.clip(x, -FAR, FAR).astype(np.float64)
    if not approximate:
        return _erfc(-x / math.sqrt(2)) / 2, np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    scale, cubic = math.sqrt(8 / math.pi), 0.044715  # (1 + tanh(a)) / 2 is the sigmoid of 2 * a
    z = scale * (x + cubic * x**3)
    return _sigmoid(z), scale * (1 + 3 * cubic * x * x) * _sigmoid(z) * _sigmoid(-z)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _weighed(rows, weights):
    """Rows times their weights / the mean weight; a row without weight is 0, whatever it holds."""
    if not len(weights):
        return rows
    result, counts = np.zeros(rows.shape), weights > 0
    result[counts] = (rows[counts].T * (weights[counts] / weights.mean())).T
    return result


def _mean(losses, count, weights):
    """The mean of so many losses, one a row, or of its elements, as the rows' weights have it."""
    return float(_weighed(losses, weights).sum(dtype=np.float64) / count)


def hinge_loss(x, labels, weights, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    n, rows = max(len(x), 1), np.arange(len(x))
    violation = x - x[rows, labels, None] + x.dtype.type(margin)
    violation[rows, labels] = 0
    dx[...] = (violation > 0) / x.dtype.type(n)
    dx[rows, labels] = -np.count_nonzero(violation > 0, axis=1) / n
    dx[...] = _weighed(dx, weights)
    return _mean(np.maximum(violation, 0), n, weights)


def squared_hinge_loss(x, labels, weights, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)**2"""
    n, rows = max(len(x), 1), np.arange(len(x))
    violation = np.maximum(x - x[rows, labels, None] + x.dtype.type(margin), 0)
    violation[rows, labels] = 0
    np.multiply(violation, 2 / n, out=dx)
    dx[rows, labels] = -dx.sum(axis=1, dtype=np.float64)
    dx[...] = _weighed(dx, weights)
    return _mean(np.square(violation, dtype=np.float64), n, weights)


def cross_entropy_loss(x, labels, weights, smoothing, dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * onehot + smoothing / o"""
    n, rows = max(len(x), 1), np.arange(len(x))
    log_softmax_forward(x, dx)
    loss = -_mean(dx[rows, labels], n, weights)
    if smoothing:
        loss -= smoothing * (loss + _mean(dx.mean(axis=1, dtype=np.float64), n, weights))
    np.exp(dx, out=dx)
    dx[rows, labels] -= 1 - smoothing
    dx -= smoothing / x.shape[1]
    dx[...] = _weighed(dx / n, weights)
    return loss


def soft_cross_entropy_loss(x, target, weights, smoothing, dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * target + smoothing / o"""
    n, q = max(len(x), 1), (1 - smoothing) * target + smoothing / x.shape[1]
    log_softmax_forward(x, dx)
    loss = -_mean(q.astype(np.float64) * dx, n, weights)
    dx[...] = _weighed((q.sum(axis=1, keepdims=True) * np.exp(dx) - q) / n, weights)
    return loss


def nll_loss(x, labels, weights, dx):
    """mean over rows of -x[label]"""
    n, rows = max(len(x), 1), np.arange(len(x))
    dx[...] = 0
    dx[rows, labels] = _weighed(np.full(len(x), -1 / n), weights)
    return -_mean(x[rows, labels], n, weights)


def squared_error_loss(x, target, weights, dx):
    """mean over all elements of (x - target)**2"""
    difference, size = x - target, max(x.size, 1)
    dx[...] = _weighed(difference * (2 / size), weights)
    return _mean(np.square(difference, dtype=np.float64), size, weights)


def absolute_error_loss(x, target, weights, dx):
    """mean over all elements of |x - target|"""
    difference, size = x - target, max(x.size, 1)
    dx[...] = _weighed(np.sign(difference) * (1 / size), weights)
    return _mean(np.abs(difference), size, weights)


def huber_loss(x, target, weights, delta, dx):
    """mean over all elements of c * (|d| - c / 2), d = x - target, c = min(|d|, delta)"""
    difference, size = x - target, max(x.size, 1)
    dx[...] = _weighed(np.clip(difference, -delta, delta) * (1 / size), weights)
    distance = np.abs(difference, dtype=np.float64)
    near = np.minimum(distance, delta)
    return _mean(near * (distance - near / 2), size, weights)


def poisson_nll_loss(x, target, weights, dx):
    """mean over all elements of exp(x) - target * x"""
    rates, size = np.exp(x), max(x.size, 1)
    dx[...] = _weighed((rates - target) * (1 / size), weights)
    return _mean(rates - target.astype(np.float64) * x, size, weights)


def bce_with_logits_loss(x, target, weights, pos_weight, dx):
    """mean over all elements of -pos_weight * t * log(p) - (1 - t) * log(1 - p), p = sigmoid(x)"""
    e, size = np.exp(-np.abs(x)), max(x.size, 1)
    yes = np.where(x > 0, x.dtype.type(1), e) / (1 + e)
    no = np.where(x > 0, e, x.dtype.type(1)) / (1 + e)
    gradient = (1 - target) * yes - pos_weight.astype(x.dtype) * target * no
    dx[...] = _weighed(gradient / size, weights)
    t, rest = target.astype(np.float64), np.log1p(e, dtype=np.float64)
    against, for_it = (1 - t) * (rest + np.maximum(x, 0)), t * (rest + np.maximum(-x, 0))
    return _mean(against + pos_weight * for_it, size, weights)


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
    params -= lr * (m / (1 - beta1**step)) / _divisor(v / (1 - beta2**step), epsilon)


def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    params *= 1 - lr * decay
    adam_step(grads, lr, beta1, beta2, epsilon, 0, step, params, m, v)


def rmsprop_step(grads, lr, alpha, epsilon, momentum, decay, params, m, v):
    """RMSprop: params = params - lr * m, m = momentum * m + g / (sqrt(v) + epsilon), v by alpha"""
    g = grads + decay * params
    v[...] = alpha * v + (1 - alpha) * g * g
    m[...] = momentum * m + g / _divisor(v, epsilon)
    params -= lr * m


def adagrad_step(grads, lr, lr_decay, epsilon, decay, step, params, v):
    """v += g**2; params = params - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + epsilon)"""
    g = grads + decay * params
    v += g * g
    params -= lr / (1 + (step - 1) * lr_decay) * g / _divisor(v, epsilon)


def nadam_step(grads, lr, beta1, beta2, epsilon, decay, mu_decay, step, params, m, v):
    """NAdam: adam_step with Nesterov's momentum, beta1 * (1 - 0.96**(step * mu_decay) / 2)"""
    g = grads + decay * params
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    mu, product = _mu(beta1, mu_decay, step), _mu_product(beta1, mu_decay, step)
    coming = _mu(beta1, mu_decay, step + 1)
    move = lr * (1 - mu) / (1 - product) * g + lr * coming / (1 - product * coming) * m
    params -= move / _divisor(v / (1 - beta2**step), epsilon)


def _mu(beta1, mu_decay, step):
    """NAdam's momentum in a step."""
    return beta1 * (1 - 0.96 ** (step * mu_decay) / 2)


def _mu_product(beta1, mu_decay, step):
    """The product of NAdam's momentum in all steps so far, from the step's number alone.

    log(1 - q**i / 2) is the sum over k of -q**(i * k) / (k * 2**k), and the sum of q**(i * k) over
    the steps i is a geometric one. So nothing is to be remembered between steps.
    """
    k = np.arange(1, 55)
    a = k * mu_decay * np.log(0.96)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = np.where(a == 0, step, np.exp(a) * np.expm1(step * a) / np.expm1(a))
    return float(beta1**step * np.exp(-(sums / (k * 2.0**k)).sum()))


def _divisor(v, epsilon):
    """√v + ε, or infinity where both are 0 in this dtype: such a parameter stays."""
    total = np.sqrt(v) + v.dtype.type(epsilon)
    total[total == 0] = np.inf
    return total
