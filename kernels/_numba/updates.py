"""Optimiser steps over n parameters in a row; real numbers come in the parameters' own dtype.

Which one a run takes, is decided here alone.
"""

import math

from .jit import core, jit
from .pointers import pointer, shift
from .program import ADAM, BETA1, BETA2, DECAY, EPSILON, LR, MOMENTUM, NESTEROV, OPTIMIZER


@core
def sgd(g, lr, p, n):
    for i in range(n):
        p[i] -= lr * g[i]


@core
def _momentum(g, lr, mu, decay, p, v, n):
    for i in range(n):
        v[i] = mu * v[i] + (g[i] + decay * p[i])
        p[i] -= lr * v[i]


@core
def _nesterov(g, lr, mu, decay, p, v, n):
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] = mu * v[i] + gradient
        p[i] -= lr * (gradient + mu * v[i])


@core
def _adam(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, p, m, v, n):
    one = type(lr)(1)
    for i in range(n):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + (one - beta1) * gradient
        v[i] = beta2 * v[i] + (one - beta2) * gradient * gradient
        p[i] -= lr * (m[i] * fix1) / (math.sqrt(v[i] * fix2) + epsilon)


@core
def _adamw(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, p, m, v, n):
    shrink = lr * decay
    for i in range(n):
        p[i] -= shrink * p[i]
    _adam(g, lr, beta1, beta2, epsilon, type(lr)(0), fix1, fix2, p, m, v, n)


@core
def _correction(beta, step):
    """What makes up for a mean that started at 0."""
    return 1 / (1 - beta**step)


@jit
def sgd_step(grads, lr, params):
    """params = params - lr * grads"""
    sgd(pointer(grads), params.dtype.type(lr), pointer(params), params.size)


@jit
def momentum_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    real = params.dtype.type
    _momentum(
        pointer(grads),
        real(lr),
        real(momentum),
        real(decay),
        pointer(params),
        pointer(v),
        params.size,
    )


@jit
def nesterov_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    real = params.dtype.type
    _nesterov(
        pointer(grads),
        real(lr),
        real(momentum),
        real(decay),
        pointer(params),
        pointer(v),
        params.size,
    )


@jit
def adam_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    real = params.dtype.type
    _adam(
        pointer(grads),
        real(lr),
        real(beta1),
        real(beta2),
        real(epsilon),
        real(decay),
        real(_correction(beta1, step)),
        real(_correction(beta2, step)),
        pointer(params),
        pointer(m),
        pointer(v),
        params.size,
    )


@jit
def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    real = params.dtype.type
    _adamw(
        pointer(grads),
        real(lr),
        real(beta1),
        real(beta2),
        real(epsilon),
        real(decay),
        real(_correction(beta1, step)),
        real(_correction(beta2, step)),
        pointer(params),
        pointer(m),
        pointer(v),
        params.size,
    )


@core
def optimize(run, step, g, w, to_m, to_v, n):
    """One optimiser step of n parameters in a row, whose memory lies to_m and to_v further on."""
    s, kind, real = run.settings, run.choices[OPTIMIZER], type(w[0])
    lr, beta1, decay = real(s[LR]), real(s[BETA1]), real(s[DECAY])
    m, v = shift(w, to_m), shift(w, to_v)
    if kind == MOMENTUM:
        _momentum(g, lr, beta1, decay, w, m, n)
    elif kind == NESTEROV:
        _nesterov(g, lr, beta1, decay, w, m, n)
    else:
        beta2, epsilon = real(s[BETA2]), real(s[EPSILON])
        fix1, fix2 = real(_correction(s[BETA1], step)), real(_correction(s[BETA2], step))
        if kind == ADAM:
            _adam(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, w, m, v, n)
        else:
            _adamw(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, w, m, v, n)
