"""The mathematics of every layer, in NumPy alone: what a network's file is put together from.

Functions are copied, as they stand here, into the files that ``save`` writes, with those that they
call. x is a batch: (n, columns), or images (n, channels, height, width).
"""

import math

import numpy as np


def linear(x, w, b):
    """Y = X·W + b."""
    return x @ w + b


def relu(x):
    """Y = max(X, 0)."""
    return np.maximum(x, 0)


def leaky_relu(x, slope):
    """Y = X where X > 0, else slope·X."""
    return np.where(x > 0, x, slope * x)


def elu(x, alpha):
    """Y = X where X > 0, else α·(exp(X) - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x):
    """Y = s·X where X > 0, else s·α·(exp(X) - 1)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def tanh(x):
    """Y = tanh(X)."""
    return np.tanh(x)


def sigmoid(x):
    """Y = 1 / (1 + exp(-X)), by an exp that is at most 1, so that nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def silu(x):
    """Y = X / (1 + exp(-X))."""
    return np.maximum(x, -1000) * sigmoid(x)


def softplus(x, beta=1, threshold=20):
    """Y = log(1 + exp(β·X)) / β, but X where β·X is above a threshold."""
    z = beta * x
    y = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return np.where(z > threshold, x, y / beta)


def mish(x):
    """Y = X·tanh(log(1 + exp(X)))."""
    return np.maximum(x, -1000) * np.tanh(softplus(x))


def gelu(x):
    """Y = X·P, P being how often a standard normal number is below X."""
    p = [math.erfc(-value / math.sqrt(2)) / 2 for value in x.reshape(-1).tolist()]
    return np.maximum(x, -1000) * np.array(p, x.dtype).reshape(x.shape)


def gelu_tanh(x):
    """Y = X·(1 + tanh(√(2/π)·(X + 0.044715·X³))) / 2; (1 + tanh(a)) / 2 is the sigmoid of 2a."""
    inside = np.clip(x, -1000, 1000)
    p = sigmoid(math.sqrt(8 / math.pi) * (inside + 0.044715 * inside**3))
    return np.maximum(x, -1000) * p


def log_softmax(x):
    """Y = X - log Σ exp(X), over each row; less the maximum, so that nothing overflows."""
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def softmax(x):
    """Y = exp(X) / Σ exp(X), over each row."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def standardize(x, mean, std):
    """Y = (X - mean) / std."""
    return (x - mean) / std


def scale(x, w):
    """Y = X·w, column by column."""
    return x * w


def batch_norm(x, mean, var, w, b, eps):
    """Y = (X - mean) / √(variance + eps)·w + b, by running averages of each column or channel."""
    return (x - mean) / np.sqrt(var + eps) * w + b


def layer_norm(x, w, b, eps):
    """Y = (X - mean) / √(variance + eps)·w + b, by those of each sample."""
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + eps) * w + b


def bordered(x, border, value):
    """X with rows and columns around it: ((above, below), (left, right))."""
    return np.pad(x, ((0, 0), (0, 0), *border), constant_values=value)


def windows(x, kernel, stride):
    """The windows of each image, (n, channels, rows, columns, kernel's rows, its columns)."""
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return seen[:, :, :: stride[0], :: stride[1]]


def conv2d(x, w, b, stride, border, groups):
    """Y[o] = b[o] + Σ over c, k, l of X[c, i·stride + k, j·stride + l]·W[o, c, k, l]."""
    seen = windows(bordered(x, border, 0), w.shape[2:], stride)
    parts = zip(np.split(seen, groups, axis=1), np.split(w, groups), strict=True)
    y = [np.einsum("ncijkl,ockl->noij", part, filters, optimize=True) for part, filters in parts]
    return np.concatenate(y, axis=1) + b[:, None, None]


def max_pool2d(x, kernel, stride, border):
    """Y = the maximum of each window."""
    return windows(bordered(x, border, -np.inf), kernel, stride).max(axis=(4, 5))


def avg_pool2d(x, kernel, stride, border):
    """Y = the mean of each window, the zeros around the image among it."""
    return windows(bordered(x, border, 0), kernel, stride).mean(axis=(4, 5))


def flatten(x):
    """Images as rows."""
    return x.reshape(len(x), -1)


def log_mean(x):
    """log of the mean of exp(X), over the first axis: that of several networks."""
    return np.logaddexp.reduce(x, axis=0) - np.log(len(x))


def mean_of_values(scores):
    """The scores of networks together, whose scores are values: their mean."""
    return scores.mean(axis=0)


def mean_of_classes(scores):
    """The scores of networks together: logarithms of the means of their probabilities."""
    return log_mean(scores - np.logaddexp.reduce(scores, axis=2)[..., None])


def mean_of_yes(scores):
    """The scores of networks together: log(p / (1 - p)), p being the mean of their sigmoids."""
    return log_mean(-np.logaddexp(0, -scores)) - log_mean(-np.logaddexp(0, scores))


def encode(x, columns):
    """A table's numbers as the network takes them, NaN where there is none, which becomes 0.

    Each is less its median and by its spread, and smoothly clipped at 3; where numbers were missing
    while it was trained, another number, 1 or 0, says whether this one is.
    """
    found = []
    for value, (_, median, spread, gaps) in zip(np.asarray(x, float).T, columns, strict=True):
        z = np.clip((value - median) / spread, -1e6, 1e6) if spread else 0 * value
        found.append(np.nan_to_num(z / np.sqrt(1 + (z / 3) ** 2)))
        found += [np.isnan(value)] if gaps else []
    return np.stack(found, axis=1)
