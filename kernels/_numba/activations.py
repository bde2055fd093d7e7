"""Activations over n elements in a row, and which one a row of a program is.

Each derivative uses what it needs of x and y; engines keep x where reads_input says so.
"""

import numba.extending
from numba import types

from fastbp.kernels.numbers import Kind, Value

from .elementary import bell_, exp_, expm1_, log1p_, sigmoid_, tail_, tanh_
from .jit import core, jit
from .pointers import call_at, pointer

FAR = 1000  # beyond it p is 0 or 1 to the last digit: so infinity times 0 becomes 0
# SELU's, with which it keeps mean 0 and variance 1 (Klambauer et al. 2017)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


@core
def forward(kind, values, code, x, y, n):
    """values are a row's own numbers, code where what a user wrote starts, forward and backward."""
    if kind == Kind.RELU:
        _relu_forward(x, y, n)
    elif kind == Kind.ELU:
        _elu_forward(x, type(y[0])(values[Value.ALPHA]), y, n)
    elif kind == Kind.TANH:
        _tanh_forward(x, y, n)
    elif kind == Kind.SIGMOID:
        _sigmoid_forward(x, y, n)
    elif kind == Kind.LEAKY_RELU:
        _leaky_relu_forward(x, type(y[0])(values[Value.NEGATIVE_SLOPE]), y, n)
    elif kind == Kind.SELU:
        _selu_forward(x, y, n)
    elif kind == Kind.SILU:
        _silu_forward(x, y, n)
    elif kind == Kind.MISH:
        _mish_forward(x, y, n)
    elif kind == Kind.SOFTPLUS:
        beta = type(y[0])(values[Value.BETA])
        threshold = type(y[0])(values[Value.THRESHOLD])
        _softplus_forward(x, beta, threshold, y, n)
    elif kind == Kind.GELU:
        approximate = type(y[0])(values[Value.APPROXIMATE])
        _gelu_forward(x, approximate, y, n)
    else:
        _call_activation(code[0], x, y, y, y, n)


@core
def backward(kind, values, code, x, y, dy, dx, n):
    if kind == Kind.RELU:
        _relu_backward(x, y, dy, dx, n)
    elif kind == Kind.ELU:
        _elu_backward(x, y, dy, type(y[0])(values[Value.ALPHA]), dx, n)
    elif kind == Kind.TANH:
        _tanh_backward(x, y, dy, dx, n)
    elif kind == Kind.SIGMOID:
        _sigmoid_backward(x, y, dy, dx, n)
    elif kind == Kind.LEAKY_RELU:
        _leaky_relu_backward(x, y, dy, type(y[0])(values[Value.NEGATIVE_SLOPE]), dx, n)
    elif kind == Kind.SELU:
        _selu_backward(x, y, dy, dx, n)
    elif kind == Kind.SILU:
        _silu_backward(x, y, dy, dx, n)
    elif kind == Kind.MISH:
        _mish_backward(x, y, dy, dx, n)
    elif kind == Kind.SOFTPLUS:
        beta = type(y[0])(values[Value.BETA])
        threshold = type(y[0])(values[Value.THRESHOLD])
        _softplus_backward(x, y, dy, beta, threshold, dx, n)
    elif kind == Kind.GELU:
        approximate = type(y[0])(values[Value.APPROXIMATE])
        _gelu_backward(x, y, dy, approximate, dx, n)
    else:
        _call_activation(code[1], x, y, dy, dx, n)


@numba.extending.intrinsic
def _call_activation(typing, code, x, y, dy, dx, n):
    """Call a loop that compile_activation made, at its address."""
    return call_at(types.void(x, x, x, x, types.intp))


@core
def _relu_forward(x, y, n):
    for i in range(n):
        y[i] = type(x[i])(0) if x[i] <= 0 else x[i]  # this way round, NaN stays NaN


@core
def _relu_backward(x, y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else type(dy[i])(0)


@core
def _elu_forward(x, alpha, y, n):
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else alpha * expm1_(x[i])


@core
def _elu_backward(x, y, dy, alpha, dx, n):
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * (y[i] + alpha)


@core
def _tanh_forward(x, y, n):
    for i in range(n):
        y[i] = tanh_(x[i])


@core
def _tanh_backward(x, y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] * (type(y[i])(1) - y[i] * y[i])


@core
def _sigmoid_forward(x, y, n):
    for i in range(n):
        y[i] = sigmoid_(x[i])


@core
def _sigmoid_backward(x, y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] * y[i] * (type(y[i])(1) - y[i])


@core
def _leaky_relu_forward(x, negative_slope, y, n):
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else x[i] * negative_slope


@core
def _leaky_relu_backward(x, y, dy, negative_slope, dx, n):
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * negative_slope


@core
def _selu_forward(x, y, n):
    scale, alpha = type(x[0])(SELU_SCALE), type(x[0])(SELU_ALPHA)
    for i in range(n):
        y[i] = scale * (x[i] if x[i] > 0 else alpha * expm1_(x[i]))


@core
def _selu_backward(x, y, dy, dx, n):
    scale, alpha = type(y[0])(SELU_SCALE), type(y[0])(SELU_ALPHA)
    for i in range(n):
        dx[i] = dy[i] * (scale if y[i] > 0 else y[i] + scale * alpha)


# SiLU and the like are x·p(x), with p from 0 to 1 and p(-x) = 1 - p(x). So their slopes at x and
# at -x sum to 1, and are computed at u = |x|, where no digits are lost.


@core
def _not_far_below(x):
    return type(x)(-FAR) if x < -FAR else x


@core
def _size_of(x):
    """|x|, but at most FAR; NaN stays NaN."""
    x = -x if x < 0 else x
    return type(x)(FAR) if x > FAR else x


@core
def _slope_at(x, slope_below):
    """The slope at x, from the one at -|x|."""
    return type(x)(1) - slope_below if x > 0 else slope_below


@core
def _silu_forward(x, y, n):
    for i in range(n):
        y[i] = _not_far_below(x[i]) * sigmoid_(x[i])


@core
def _silu_backward(x, y, dy, dx, n):
    one = type(x[0])(1)
    for i in range(n):
        u = _size_of(x[i])
        e = exp_(-u)
        q = one / (one + e)
        dx[i] = dy[i] * _slope_at(x[i], e * q * (one - u * q))


# By the formulas at their place in native/activations.pxd.


@core
def _mish_forward(x, y, n):
    one, two = type(x[0])(1), type(x[0])(2)
    for i in range(n):
        e = exp_(-_size_of(x[i]))
        w = one if x[i] > 0 else e
        s = e if x[i] > 0 else one
        a = w * w + two * e
        y[i] = _not_far_below(x[i]) * (a / (a + two * (s * s)))


@core
def _mish_backward(x, y, dy, dx, n):
    one, two, four = type(x[0])(1), type(x[0])(2), type(x[0])(4)
    for i in range(n):
        u = _size_of(x[i])
        e = exp_(-u)
        w = one if x[i] > 0 else e
        s = e if x[i] > 0 else one
        a = w * w + two * e
        q = one / (a + two * (s * s))
        u = u if x[i] > 0 else -u
        dx[i] = dy[i] * (q * (a + four * u * (e * s) * (one + e) * q))


@core
def _softplus_forward(x, beta, threshold, y, n):
    for i in range(n):
        z = x[i] * beta
        e = (z if z > 0 else type(z)(0)) + log1p_(exp_(-z if z > 0 else z))
        y[i] = x[i] if z > threshold else e / beta


@core
def _softplus_backward(x, y, dy, beta, threshold, dx, n):
    for i in range(n):
        z = x[i] * beta
        s = sigmoid_(z)
        dx[i] = dy[i] if z > threshold else dy[i] * s


@core
def _gelu_forward(x, approximate, y, n):
    real = type(x[0])
    scale, cubic = real(1.5957691216057308), real(0.044715)  # sqrt(8 / pi)
    if approximate != 0:  # (1 + tanh(a)) / 2 is the sigmoid of 2·a
        for i in range(n):
            u = _size_of(x[i])
            u = scale * (u + cubic * (u * u * u))
            y[i] = _not_far_below(x[i]) * sigmoid_(u if x[i] > 0 else -u)
    else:
        for i in range(n):
            u = _size_of(x[i])
            e, q = bell_(u), tail_(u)
            y[i] = x[i] * (real(1) - e * q) if x[i] > 0 else _not_far_below(x[i]) * e * q


@core
def _gelu_backward(x, y, dy, approximate, dx, n):
    real = type(x[0])
    scale, cubic = real(1.5957691216057308), real(0.044715)  # sqrt(8 / pi)
    one, peak = real(1), real(0.3989422804014327)  # 1 / sqrt(2 * pi)
    if approximate != 0:
        for i in range(n):
            u = _size_of(x[i])
            slope = u * scale * (one + real(3) * cubic * (u * u))
            e = exp_(-scale * (u + cubic * (u * u * u)))
            q = one / (one + e)
            dx[i] = dy[i] * _slope_at(x[i], e * q * (one - slope * q))
    else:
        for i in range(n):
            u = _size_of(x[i])
            slope = bell_(u) * (tail_(u) - peak * u)
            dx[i] = dy[i] * _slope_at(x[i], slope)


@jit
def relu_forward(x, y):
    """y = max(x, 0)"""
    _relu_forward(pointer(x), pointer(y), x.size)


@jit
def relu_backward(x, y, dy, dx):
    """dx = dy where y > 0, else 0"""
    _relu_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def elu_forward(x, alpha, y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    _elu_forward(pointer(x), y.dtype.type(alpha), pointer(y), x.size)


@jit
def elu_backward(x, y, dy, alpha, dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    _elu_backward(pointer(x), pointer(y), pointer(dy), y.dtype.type(alpha), pointer(dx), y.size)


@jit
def tanh_forward(x, y):
    """y = tanh(x)"""
    _tanh_forward(pointer(x), pointer(y), x.size)


@jit
def tanh_backward(x, y, dy, dx):
    """dx = dy * (1 - y**2)"""
    _tanh_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x))"""
    _sigmoid_forward(pointer(x), pointer(y), x.size)


@jit
def sigmoid_backward(x, y, dy, dx):
    """dx = dy * y * (1 - y)"""
    _sigmoid_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def leaky_relu_forward(x, negative_slope, y):
    """y = x where x > 0, else negative_slope * x"""
    _leaky_relu_forward(pointer(x), y.dtype.type(negative_slope), pointer(y), x.size)


@jit
def leaky_relu_backward(x, y, dy, negative_slope, dx):
    """dx = dy where y > 0, else dy * negative_slope"""
    slope = y.dtype.type(negative_slope)
    _leaky_relu_backward(pointer(x), pointer(y), pointer(dy), slope, pointer(dx), y.size)


@jit
def selu_forward(x, y):
    """y = scale * (x where x > 0, else alpha * (exp(x) - 1))"""
    _selu_forward(pointer(x), pointer(y), x.size)


@jit
def selu_backward(x, y, dy, dx):
    """dx = dy * scale where y > 0, else dy * (y + scale * alpha)"""
    _selu_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def silu_forward(x, y):
    """y = x / (1 + exp(-x))"""
    _silu_forward(pointer(x), pointer(y), x.size)


@jit
def silu_backward(x, y, dy, dx):
    """dx = dy * s * (1 + x * (1 - s)), s = 1 / (1 + exp(-x))"""
    _silu_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def mish_forward(x, y):
    """y = x * tanh(log(1 + exp(x)))"""
    _mish_forward(pointer(x), pointer(y), x.size)


@jit
def mish_backward(x, y, dy, dx):
    """dx = dy * (t + x * (1 - t**2) / (1 + exp(-x))), t = tanh(log(1 + exp(x)))"""
    _mish_backward(pointer(x), pointer(y), pointer(dy), pointer(dx), y.size)


@jit
def softplus_forward(x, beta, threshold, y):
    """y = log(1 + exp(beta * x)) / beta, but x where beta * x > threshold"""
    beta_ = y.dtype.type(beta)
    threshold_ = y.dtype.type(threshold)
    _softplus_forward(pointer(x), beta_, threshold_, pointer(y), x.size)


@jit
def softplus_backward(x, y, dy, beta, threshold, dx):
    """dx = dy / (1 + exp(-beta * x)), but dy where beta * x > threshold"""
    beta_ = y.dtype.type(beta)
    threshold_ = y.dtype.type(threshold)
    _softplus_backward(pointer(x), pointer(y), pointer(dy), beta_, threshold_, pointer(dx), y.size)


@jit
def gelu_forward(x, approximate, y):
    """y = x * (1 + erf(x / sqrt(2))) / 2; by tanh, if approximate"""
    approximate_ = y.dtype.type(approximate)
    _gelu_forward(pointer(x), approximate_, pointer(y), x.size)


@jit
def gelu_backward(x, y, dy, approximate, dx):
    """dx = dy * (p + x * density); p = y / x, density its slope"""
    approximate_ = y.dtype.type(approximate)
    _gelu_backward(pointer(x), pointer(y), pointer(dy), approximate_, pointer(dx), y.size)
