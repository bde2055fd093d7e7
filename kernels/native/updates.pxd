"""Optimiser steps over n parameters in a row, and which one a run takes.

Parameters and what the optimiser remembers move in place.
"""

from libc.math cimport INFINITY, exp, expm1, log, pow, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from numbers cimport (
    ADAGRAD, ADAM, ADAMW, BETA1, BETA2, DECAY, EPSILON, EPSILON_OUTSIDE, GRADIENT, LR_DECAY, MOMENTUM,
    MU, MU_DECAY, NADAM, NESTEROV, PLAIN, RMSPROP,
)
from roots cimport take_quotients
from tile cimport real

cdef extern from "math.h":
    float sqrtf(float) noexcept nogil


cdef enum:
    NEAR = 128  # steps that are computed at a time


cdef struct Rates:  # of a step
    double lr
    double gradient  # NAdam's
    double mean  # the same's, whose momentum is the coming step's
    double fix1  # what makes up for Adam's means that started at 0
    double fix2
    double epsilon  # Adam's


cdef struct Rule:  # of some parameters: factors of what a run's settings say
    double rate
    double decay


cdef inline void update(
    int64_t kind, const double* s, double step, const Rates* rates, const Rule* rule,
    const real* g, real* p, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    """The optimiser's step with this number, from 1; s are a run's settings.

    rates are those of this step, which all of its calls share: see rates_of.
    m is the only vector that momentum, Adagrad and GRADIENT remember.
    """
    cdef real lr = <real> (rates.lr * rule.rate), decay = <real> (s[DECAY] * rule.decay)
    cdef real mu = <real> s[MU], epsilon = <real> s[EPSILON]
    cdef real beta1 = <real> s[BETA1], beta2 = <real> s[BETA2]
    cdef real rest1 = <real> (1 - s[BETA1]), rest2 = <real> (1 - s[BETA2]), fix1, fix2
    if kind == PLAIN:
        sgd[real](g, lr, p, n)
    elif kind == MOMENTUM:
        momentum[real](g, lr, mu, decay, p, m, n)
    elif kind == NESTEROV:
        nesterov[real](g, lr, mu, decay, p, m, n)
    elif kind == RMSPROP:
        rmsprop[real](g, lr, beta2, rest2, epsilon, mu, decay, p, m, v, n)
    elif kind == ADAGRAD:
        lr = <real> decayed(rates.lr * rule.rate, s[LR_DECAY], step)
        adagrad[real](g, lr, epsilon, decay, p, m, n)
    elif kind == GRADIENT:
        total[real](g, <real> rates.lr, m, n)
    else:
        fix1, fix2, epsilon = <real> rates.fix1, <real> rates.fix2, <real> rates.epsilon
        if kind == NADAM:
            nadam[real](
                g, <real> (rates.gradient * rule.rate), <real> (rates.mean * rule.rate), beta1,
                beta2, rest1, rest2, epsilon, decay, fix2, p, m, v, n)
        elif kind == ADAM:
            adam[real](
                g, lr, beta1, beta2, rest1, rest2, epsilon, decay, fix1, fix2, p, m, v, n)
        else:
            adamw[real](
                g, lr, beta1, beta2, rest1, rest2, epsilon, decay, fix1, fix2, p, m, v, n)


cdef inline Rates rates_of(int64_t kind, const double* s, double lr, double step) noexcept nogil:
    """What all calls of update in a step share; lr is the step's, and s are a run's settings."""
    cdef Rates rates
    memset(&rates, 0, sizeof(rates))
    if kind == NADAM:
        rates = nadam_rates(lr, s[BETA1], s[MU_DECAY], step)
    rates.lr = lr
    if kind == ADAM or kind == ADAMW or kind == NADAM:
        rates.fix1, rates.fix2 = correction(s[BETA1], step), correction(s[BETA2], step)
        rates.epsilon = epsilon_of(s, step)
    return rates


cdef inline real root(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef inline real divisor(real v, real epsilon) noexcept nogil:
    """√v + ε, or infinity where both are 0 in this dtype: such a parameter stays."""
    cdef real sum = root[real](v) + epsilon
    return sum if sum != 0 else <real> INFINITY


cdef inline void sgd(const real* g, real lr, real* p, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] -= lr * g[i]


cdef inline void total(const real* g, real share, real* sums, Py_ssize_t n) noexcept nogil:
    """No step: the sum of gradients, of which each batch has its share."""
    cdef Py_ssize_t i
    for i in range(n):
        sums[i] += share * g[i]


cdef inline void momentum(
    const real* g, real lr, real mu, real decay, real* p, real* v, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        v[i] = mu * v[i] + (g[i] + decay * p[i])
        p[i] -= lr * v[i]


cdef inline void nesterov(
    const real* g, real lr, real mu, real decay, real* p, real* v, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef real gradient
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] = mu * v[i] + gradient
        p[i] -= lr * (gradient + mu * v[i])


cdef inline void remember(
    real gradient, real beta1, real beta2, real rest1, real rest2, real* m, real* v,
) noexcept nogil:
    """Adam's means of a gradient and of its square."""
    m[0] = beta1 * m[0] + rest1 * gradient
    v[0] = beta2 * v[0] + rest2 * gradient * gradient


cdef inline void adam(
    const real* g, real lr, real beta1, real beta2, real rest1, real rest2, real epsilon,
    real decay, real correction1, real correction2, real* p, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    """rest1 and 2 are 1 - beta, of which a float would lose digits; correction1 and 2 are
    1 / (1 - beta**step)."""
    cdef Py_ssize_t i, start = 0, count
    cdef double steps[NEAR]
    cdef double squares[NEAR]
    if real is float:
        for i in range(n):
            remember[real](g[i] + decay * p[i], beta1, beta2, rest1, rest2, m + i, v + i)
            p[i] -= lr * (m[i] * correction1) / divisor[real](v[i] * correction2, epsilon)
    else:
        while start < n:
            count = min(<Py_ssize_t> NEAR, n - start)
            for i in range(start, start + count):
                remember[real](g[i] + decay * p[i], beta1, beta2, rest1, rest2, m + i, v + i)
                steps[i - start] = lr * (m[i] * correction1)
                squares[i - start] = v[i] * correction2
            take_quotients(&steps[0], &squares[0], epsilon, count)
            for i in range(start, start + count):
                p[i] -= steps[i - start]
            start += count


cdef inline void adamw(
    const real* g, real lr, real beta1, real beta2, real rest1, real rest2, real epsilon,
    real decay, real correction1, real correction2, real* p, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] -= lr * decay * p[i]
    adam[real](
        g, lr, beta1, beta2, rest1, rest2, epsilon, <real> 0, correction1, correction2, p, m, v, n)


cdef inline void rmsprop(
    const real* g, real lr, real alpha, real rest, real epsilon, real mu, real decay,
    real* p, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    """rest is 1 - alpha."""
    cdef Py_ssize_t i
    cdef real gradient
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] = alpha * v[i] + rest * gradient * gradient
        m[i] = mu * m[i] + gradient / divisor[real](v[i], epsilon)
        p[i] -= lr * m[i]


cdef inline void nadam(
    const real* g, real lr_g, real lr_m, real beta1, real beta2, real rest1, real rest2,
    real epsilon, real decay, real correction2, real* p, real* m, real* v, Py_ssize_t n,
) noexcept nogil:
    """The numbers are adam's, but for the rates of gradient and mean."""
    cdef Py_ssize_t i
    cdef real gradient
    for i in range(n):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + rest1 * gradient
        v[i] = beta2 * v[i] + rest2 * gradient * gradient
        p[i] -= (lr_g * gradient + lr_m * m[i]) / divisor[real](v[i] * correction2, epsilon)


cdef inline double mu_of(double beta1, double mu_decay, double step) noexcept nogil:
    """NAdam's momentum in a step."""
    return beta1 * (1 - pow(0.96, step * mu_decay) / 2)


cdef inline double mu_product(double beta1, double mu_decay, double step) noexcept nogil:
    """The product of NAdam's momentum in all steps so far, from the step's number alone.

    log(1 - q**i / 2) is the sum over k of -q**(i * k) / (k * 2**k), and the sum of q**(i * k) over
    the steps i is a geometric one. So nothing is to be remembered between steps.
    """
    cdef double total = 0, share = 1, a
    cdef int k
    for k in range(1, 55):
        a = k * mu_decay * log(0.96)
        share /= 2
        total += share / k * (exp(a) * expm1(step * a) / expm1(a) if a != 0 else step)
    return pow(beta1, step) * exp(-total)


cdef inline Rates nadam_rates(
    double lr, double beta1, double mu_decay, double step,
) noexcept nogil:
    cdef double mu = mu_of(beta1, mu_decay, step), coming = mu_of(beta1, mu_decay, step + 1)
    cdef double product = mu_product(beta1, mu_decay, step)
    cdef Rates rates
    rates.lr = lr
    rates.gradient = lr * (1 - mu) / (1 - product)
    rates.mean = lr * coming / (1 - product * coming)
    return rates


cdef inline void adagrad(
    const real* g, real lr, real epsilon, real decay, real* p, real* v, Py_ssize_t n,
) noexcept nogil:
    """lr is this step's; v is a sum."""
    cdef Py_ssize_t i
    cdef real gradient
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] += gradient * gradient
        p[i] -= lr * gradient / divisor[real](v[i], epsilon)


cdef inline double decayed(double lr, double lr_decay, double step) noexcept nogil:
    """A step's learning rate."""
    return lr / (1 + (step - 1) * lr_decay)


cdef inline double correction(double beta, double step) noexcept nogil:
    """What makes up for a mean that started at 0: 1 / (1 - beta**step)."""
    return 1 / (1 - pow(beta, step))


cdef inline double epsilon_of(const double* s, double step) noexcept nogil:
    """A step's epsilon beside the root of v'; outside of the correction, as beside that of v."""
    return s[EPSILON] * (sqrt(correction(s[BETA2], step)) if s[EPSILON_OUTSIDE] else 1)
