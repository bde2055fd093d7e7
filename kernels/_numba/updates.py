"""Optimiser steps over n parameters in a row, and which one a run takes.

Real numbers come in the parameters' own dtype.
"""

import math

from fastbp.kernels.numbers import OptimizerKind, Setting

from .jit import core, jit
from .pointers import pointer


@core
def update(kind, s, step, rule, g, p, m, v, n):
    """One of the calls that make a step, which count_step describes; s are a run's settings.

    rule has factors of their rate and their decay, for these parameters.
    m is the only vector that momentum, Adagrad and GRADIENT remember.
    """
    real, (number, step_lr, lr_g, lr_m, fixes), (rate, decays) = type(p[0]), step, rule
    lr, mu = real(step_lr * rate), real(s[Setting.MU])
    decay = real(s[Setting.DECAY] * decays)
    if kind == OptimizerKind.PLAIN:
        _sgd(g, lr, p, n)
    elif kind == OptimizerKind.MOMENTUM:
        _momentum(g, lr, mu, decay, p, m, n)
    elif kind == OptimizerKind.NESTEROV:
        _nesterov(g, lr, mu, decay, p, m, n)
    elif kind == OptimizerKind.RMSPROP:
        alpha, rest = real(s[Setting.BETA2]), real(1 - s[Setting.BETA2])
        _rmsprop(g, lr, alpha, rest, real(s[Setting.EPSILON]), mu, decay, p, m, v, n)
    elif kind == OptimizerKind.ADAGRAD:
        lr = real(_decayed(step_lr * rate, s[Setting.LR_DECAY], number))
        _adagrad(g, lr, real(s[Setting.EPSILON]), decay, p, m, n)
    elif kind == OptimizerKind.GRADIENT:
        _total(g, real(step_lr), m, n)
    else:
        betas = _betas(lr, s[Setting.BETA1], s[Setting.BETA2], fixes)
        epsilon = real(_epsilon_of(s, fixes))
        if kind == OptimizerKind.ADAM:
            _adam(g, lr, betas, epsilon, decay, p, m, v, n)
        elif kind == OptimizerKind.NADAM:
            _nadam(g, real(lr_g * rate), real(lr_m * rate), betas, epsilon, decay, p, m, v, n)
        else:
            _adamw(g, lr, betas, epsilon, decay, p, m, v, n)


@core
def count_step(kind, s, number, lr):
    """What all calls of update in a step share: its number, from 1, its rate, and Adam's kin's."""
    beta1, beta2 = s[Setting.BETA1], s[Setting.BETA2]
    if kind == OptimizerKind.NADAM:
        rates = _nadam_rates(lr, beta1, s[Setting.MU_DECAY], number)
        return number, lr, *rates, _corrections(beta1, beta2, number)
    if kind == OptimizerKind.ADAM or kind == OptimizerKind.ADAMW:
        return number, lr, 0.0, 0.0, _corrections(beta1, beta2, number)
    return number, lr, 0.0, 0.0, (1.0, 1.0)


@core
def _sgd(g, lr, p, n):
    for i in range(n):
        p[i] -= lr * g[i]


@core
def _total(g, share, sums, n):
    """No step: the sum of gradients, of which each batch has its share."""
    for i in range(n):
        sums[i] += share * g[i]


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
def _betas(lr, beta1, beta2, fixes):
    """Adam's of a step, as numbers like lr: both, 1 - each, and what corrects either mean.

    1 - beta comes as a number of its own, for floats would lose its digits.
    """
    real, (fix1, fix2) = type(lr), fixes
    return real(beta1), real(beta2), real(1 - beta1), real(1 - beta2), real(fix1), real(fix2)


@core
def _adam(g, lr, betas, epsilon, decay, p, m, v, n):
    beta1, beta2, rest1, rest2, fix1, fix2 = betas
    for i in range(n):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + rest1 * gradient
        v[i] = beta2 * v[i] + rest2 * gradient * gradient
        p[i] -= lr * (m[i] * fix1) / _divisor(v[i] * fix2, epsilon)


@core
def _adamw(g, lr, betas, epsilon, decay, p, m, v, n):
    shrink = lr * decay
    for i in range(n):
        p[i] -= shrink * p[i]
    _adam(g, lr, betas, epsilon, type(lr)(0), p, m, v, n)


@core
def _rmsprop(g, lr, alpha, rest, epsilon, mu, decay, p, m, v, n):
    """rest is 1 - alpha."""
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] = alpha * v[i] + rest * gradient * gradient
        m[i] = mu * m[i] + gradient / _divisor(v[i], epsilon)
        p[i] -= lr * m[i]


@core
def _nadam(g, lr_g, lr_m, betas, epsilon, decay, p, m, v, n):
    """lr_g and lr_m are _nadam_rates."""
    beta1, beta2, rest1, rest2, _, fix2 = betas
    for i in range(n):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + rest1 * gradient
        v[i] = beta2 * v[i] + rest2 * gradient * gradient
        p[i] -= (lr_g * gradient + lr_m * m[i]) / _divisor(v[i] * fix2, epsilon)


@core
def _mu(beta1, mu_decay, step):
    """NAdam's momentum in a step."""
    return beta1 * (1 - 0.96 ** (step * mu_decay) / 2)


@core
def _mu_product(beta1, mu_decay, step):
    """The product of NAdam's momentum in all steps so far, from the step's number alone.

    log(1 - q**i / 2) is the sum over k of -q**(i * k) / (k * 2**k), and the sum of q**(i * k) over
    the steps i is a geometric one. So nothing is to be remembered between steps.
    """
    total, share = 0.0, 1.0
    for k in range(1, 55):
        a = k * mu_decay * math.log(0.96)
        share /= 2
        sums = math.exp(a) * math.expm1(step * a) / math.expm1(a) if a != 0 else float(step)
        total += share / k * sums
    return beta1**step * math.exp(-total)


@core
def _nadam_rates(lr, beta1, mu_decay, step):
    """NAdam's rates of the gradient and of the mean, whose momentum is the coming step's."""
    mu, coming = _mu(beta1, mu_decay, step), _mu(beta1, mu_decay, step + 1)
    product = _mu_product(beta1, mu_decay, step)
    return lr * (1 - mu) / (1 - product), lr * coming / (1 - product * coming)


@core
def _adagrad(g, lr, epsilon, decay, p, v, n):
    """lr is this step's; v is a sum."""
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] += gradient * gradient
        p[i] -= lr * gradient / _divisor(v[i], epsilon)


@core
def _decayed(lr, lr_decay, step):
    """A step's learning rate."""
    return lr / (1 + (step - 1) * lr_decay)


@core
def _divisor(v, epsilon):
    """√v + ε, or infinity where both are 0 in this dtype: such a parameter stays."""
    total = math.sqrt(v) + epsilon
    return total if total != 0 else type(total)(math.inf)


@core
def _correction(beta, step):
    """What makes up for a mean that started at 0."""
    return 1 / (1 - beta**step)


@core
def _corrections(beta1, beta2, step):
    """That of Adam's two means."""
    return _correction(beta1, step), _correction(beta2, step)


@core
def _epsilon_of(s, fixes):
    """A step's epsilon beside the root of v'; outside of the correction, as beside that of v."""
    outside = s[Setting.EPSILON_OUTSIDE] != 0
    return s[Setting.EPSILON] * (math.sqrt(fixes[1]) if outside else 1)


@jit
def sgd_step(grads, lr, params):
    """params = params - lr * grads"""
    _sgd(pointer(grads), params.dtype.type(lr), pointer(params), params.size)


@jit
def momentum_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    real, n = params.dtype.type, params.size
    p, memory = pointer(params), pointer(v)
    _momentum(pointer(grads), real(lr), real(momentum), real(decay), p, memory, n)


@jit
def nesterov_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    real, n = params.dtype.type, params.size
    p, memory = pointer(params), pointer(v)
    _nesterov(pointer(grads), real(lr), real(momentum), real(decay), p, memory, n)


@core
def _numbers_of(lr, beta1, beta2, epsilon, decay, step):
    """What the kernels of Adam's kin share: its betas of a step, ε and the decay, like lr."""
    real = type(lr)
    betas = _betas(lr, beta1, beta2, _corrections(beta1, beta2, step))
    return betas, real(epsilon), real(decay)


@jit
def adam_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    real, g, p = params.dtype.type, pointer(grads), pointer(params)
    numbers = _numbers_of(real(lr), beta1, beta2, epsilon, decay, step)
    _adam(g, real(lr), *numbers, p, pointer(m), pointer(v), params.size)


@jit
def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    real, g, p = params.dtype.type, pointer(grads), pointer(params)
    numbers = _numbers_of(real(lr), beta1, beta2, epsilon, decay, step)
    _adamw(g, real(lr), *numbers, p, pointer(m), pointer(v), params.size)


@jit
def rmsprop_step(grads, lr, alpha, epsilon, momentum, decay, params, m, v):
    """RMSprop: params = params - lr * m, m = momentum * m + g / (sqrt(v) + epsilon), v by alpha"""
    real, n = params.dtype.type, params.size
    rates = real(lr), real(alpha), real(1 - alpha), real(epsilon), real(momentum), real(decay)
    _rmsprop(pointer(grads), *rates, pointer(params), pointer(m), pointer(v), n)


@jit
def adagrad_step(grads, lr, lr_decay, epsilon, decay, step, params, v):
    """v += g**2; params = params - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + epsilon)"""
    real, p, memory = params.dtype.type, pointer(params), pointer(v)
    rate = real(_decayed(lr, lr_decay, step))
    _adagrad(pointer(grads), rate, real(epsilon), real(decay), p, memory, params.size)


@jit
def nadam_step(grads, lr, beta1, beta2, epsilon, decay, mu_decay, step, params, m, v):
    """NAdam: adam_step with Nesterov's momentum, beta1 * (1 - 0.96**(step * mu_decay) / 2)"""
    real, (lr_g, lr_m) = params.dtype.type, _nadam_rates(lr, beta1, mu_decay, step)
    numbers = _numbers_of(real(lr), beta1, beta2, epsilon, decay, step)
    g, p, n = pointer(grads), pointer(params), params.size
    _nadam(g, real(lr_g), real(lr_m), *numbers, p, pointer(m), pointer(v), n)
