"""The reference of Scale, Standardize, BatchNorm and LayerNorm; see _numpy.py."""

import numpy as np


def scale_forward(x, w, y):
    """y = x * w"""
    np.multiply(x, w, out=y)


def scale_backward(x, dy, dw):
    """dw = the sum of x * dy over the batch"""
    np.sum(x * dy, axis=0, out=dw)


def standardize_forward(x, mean, std, y):
    """y = (x - mean) / std"""
    np.divide(x - mean, std, out=y)


def standardize_backward(dy, std, dx):
    """dx = dy / std"""
    np.divide(dy, std, out=dx)


def batch_statistics(x, mean, var):
    """each column's mean and variance (over n) in the batch"""
    means, n = x.sum(axis=0, dtype=np.float64) / max(len(x), 1), max(len(x), 1)
    mean[...], var[...] = means, np.square(x - means).sum(axis=0) / n


def batch_norm_forward(x, mean, var, w, b, eps, y):
    """y = xhat * w + b, xhat = (x - mean) / sqrt(var + eps)"""
    y[...] = (x - mean) / np.sqrt(var + x.dtype.type(eps)) * w + b


def batch_norm_backward(x, dy, mean, var, eps, dw, db):
    """dw = the sum of dy * xhat over the batch; db = the sum of dy"""
    xhat = (x - mean) / np.sqrt(var + x.dtype.type(eps))
    np.sum(dy * xhat, axis=0, out=dw)
    np.sum(dy, axis=0, out=db)


def batch_norm_backward_input(x, dy, mean, var, w, dw, db, eps, dx):
    """dx = w / sqrt(var + eps) * (dy - (db + dw * xhat) / n)"""
    s = np.sqrt(var + x.dtype.type(eps))
    dx[...] = w / s * (dy - (db + dw * (x - mean) / s) / max(len(x), 1))


def batch_norm_backward_input_in_use(dy, var, w, eps, dx):
    """dx = w / sqrt(var + eps) * dy, where mean and var are no batch's"""
    dx[...] = dy / np.sqrt(var + dy.dtype.type(eps)) * w


def running_average(x, share, factor, y):
    """y = y + share * (factor * x - y)"""
    y += share * (factor * x - y)


def layer_norm_forward(x, w, b, eps, mean, rstd, y):
    """y = (x - mean) * rstd * w + b; mean and rstd = 1 / sqrt(variance + eps) of each row"""
    wide = x.astype(np.float64)
    mean[...], rstd[...] = wide.mean(axis=1), 1 / np.sqrt(wide.var(axis=1) + eps)
    y[...] = (x - mean[:, None]) * rstd[:, None] * w + b


def layer_norm_backward(x, dy, mean, rstd, dw, db):
    """dw = the sum of dy * xhat over the batch, xhat = (x - mean) * rstd; db = the sum of dy"""
    np.sum(dy * ((x - mean[:, None]) * rstd[:, None]), axis=0, out=dw)
    np.sum(dy, axis=0, out=db)


def layer_norm_backward_input(x, dy, mean, rstd, w, dx):
    """dx = rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w, row by row"""
    g, xhat = dy * w, (x - mean[:, None]) * rstd[:, None]
    plain, slope = g.mean(axis=1, keepdims=True), (g * xhat).mean(axis=1, keepdims=True)
    dx[...] = rstd[:, None] * (g - plain - xhat * slope)
