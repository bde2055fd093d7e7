"""Activations over n elements in a row, and which one a row of a program is.

Each derivative uses what it needs of x and y; the engine keeps x where reads_input says so.
"""

from libc.stdint cimport int64_t

from elementary cimport bell_, exp_, expm1_, log1p_, sigmoid_, tail_, tanh_
from numbers cimport (
    ALPHA, APPROXIMATE, BETA, ELU, GELU, LEAKY_RELU, MISH, NEGATIVE_SLOPE, RELU, SELU, SILU,
    SOFTPLUS, TANH, THRESHOLD, USER,
)
from tile cimport real


cdef inline bint is_elementwise(int64_t kind) noexcept nogil:
    return RELU <= kind <= USER


cdef inline bint reads_input(int64_t kind) noexcept nogil:
    """Whether an elementwise kind's derivative reads x; else y's place may be x's."""
    return SILU <= kind <= USER


cdef inline void forward(
    int64_t kind, const double* values, const real* x, real* y, Py_ssize_t n,
) noexcept nogil:
    """values are a row's own, by their Value."""
    if kind == RELU:
        relu_forward[real](x, y, n)
    elif kind == ELU:
        elu_forward[real](x, <real> values[ALPHA], y, n)
    elif kind == TANH:
        tanh_forward[real](x, y, n)
    elif kind == LEAKY_RELU:
        leaky_relu_forward[real](x, <real> values[NEGATIVE_SLOPE], y, n)
    elif kind == SELU:
        selu_forward[real](x, y, n)
    elif kind == SILU:
        silu_forward[real](x, y, n)
    elif kind == MISH:
        mish_forward[real](x, y, n)
    elif kind == SOFTPLUS:
        softplus_forward[real](x, <real> values[BETA], <real> values[THRESHOLD], y, n)
    elif kind == GELU:
        gelu_forward[real](x, <real> values[APPROXIMATE], y, n)
    else:
        sigmoid_forward[real](x, y, n)


cdef inline void backward(
    int64_t kind, const double* values, const real* x, const real* y, const real* dy, real* dx,
    Py_ssize_t n,
) noexcept nogil:
    if kind == RELU:
        relu_backward[real](x, y, dy, dx, n)
    elif kind == ELU:
        elu_backward[real](x, y, dy, <real> values[ALPHA], dx, n)
    elif kind == TANH:
        tanh_backward[real](x, y, dy, dx, n)
    elif kind == LEAKY_RELU:
        leaky_relu_backward[real](x, y, dy, <real> values[NEGATIVE_SLOPE], dx, n)
    elif kind == SELU:
        selu_backward[real](x, y, dy, dx, n)
    elif kind == SILU:
        silu_backward[real](x, y, dy, dx, n)
    elif kind == MISH:
        mish_backward[real](x, y, dy, dx, n)
    elif kind == SOFTPLUS:
        softplus_backward[real](x, y, dy, <real> values[BETA], <real> values[THRESHOLD], dx, n)
    elif kind == GELU:
        gelu_backward[real](x, y, dy, <real> values[APPROXIMATE], dx, n)
    else:
        sigmoid_backward[real](x, y, dy, dx, n)


cdef inline void relu_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = <real> 0 if x[i] <= 0 else x[i]  # this way round, NaN stays NaN


cdef inline void relu_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef real v
    for i in range(n):
        v = dy[i]  # read in any case: else the compiler makes a branch of it, or a mask
        dx[i] = v if y[i] > 0 else <real> 0


cdef inline void elu_forward(const real* x, real alpha, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else alpha * expm1_[real](x[i])


cdef inline void elu_backward(
    const real* x, const real* y, const real* dy, real alpha, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * (y[i] + alpha)


cdef inline void tanh_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = tanh_[real](x[i])


cdef inline void tanh_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] * (<real> 1 - y[i] * y[i])


cdef inline void sigmoid_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = sigmoid_[real](x[i])


cdef inline void sigmoid_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] * y[i] * (<real> 1 - y[i])


cdef inline void leaky_relu_forward(
    const real* x, real negative_slope, real* y, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else x[i] * negative_slope


cdef inline void leaky_relu_backward(
    const real* x, const real* y, const real* dy, real negative_slope, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * negative_slope


# SELU's numbers, with which it keeps mean 0 and variance 1 (Klambauer et al. 2017)
cdef inline real selu_scale(real _x=0) noexcept nogil:
    return <real> 1.0507009873554804934


cdef inline real selu_alpha(real _x=0) noexcept nogil:
    return <real> 1.6732632423543772848


cdef inline void selu_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef real scale = selu_scale[real](), alpha = selu_alpha[real]()
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = scale * (x[i] if x[i] > 0 else alpha * expm1_[real](x[i]))


cdef inline void selu_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef real scale = selu_scale[real](), alpha = selu_alpha[real]()
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] * (scale if y[i] > 0 else y[i] + scale * alpha)


# SiLU and the like are x·p(x), with p from 0 to 1 and p(-x) = 1 - p(x). So their slopes at x and
# at -x sum to 1, and are computed at u = |x|, where no digits are lost.

cdef enum:
    FAR = 1000  # beyond it p is 0 or 1 to the last digit: so infinity times 0 becomes 0


cdef inline real not_far_below(real x) noexcept nogil:
    return <real> -FAR if x < -FAR else x


cdef inline real size_of(real x) noexcept nogil:
    """|x|, but at most FAR; NaN stays NaN."""
    x = -x if x < 0 else x
    return <real> FAR if x > FAR else x


cdef inline real slope_at(real x, real slope_below) noexcept nogil:
    """The slope at x, from the one at -|x|."""
    return <real> 1 - slope_below if x > 0 else slope_below


cdef inline void silu_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = not_far_below[real](x[i]) * sigmoid_[real](x[i])


cdef inline void silu_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef real u, e, q
    cdef Py_ssize_t i
    for i in range(n):
        u = size_of[real](x[i])
        e = exp_[real](-u)
        q = <real> 1 / (<real> 1 + e)
        dx[i] = dy[i] * slope_at[real](x[i], e * q * (<real> 1 - u * q))


# tanh(log(1 + exp(x))) = a / (a + 2·s²), where with e = exp(-|x|) a = w² + 2·e and (w, s) = (1, e)
# if x > 0, else (e, 1): no logarithm, no overflow. In its slope 1 - tanh² is 4·s²·(1 + e)² over
# (a + 2·s²)², and the slope of log(1 + exp(x)) is w / (1 + e); w·s² is e·s.
# What is chosen by x's sign are factors, never a product that is then added: the compiler may fuse
# such a product with the sum in one column and not in another, whose last bit would differ.

cdef inline void mish_forward(const real* x, real* y, Py_ssize_t n) noexcept nogil:
    cdef real e, a, w, s, one = 1, two = 2
    cdef Py_ssize_t i
    for i in range(n):
        e = exp_[real](-size_of[real](x[i]))
        w = one if x[i] > 0 else e
        s = e if x[i] > 0 else one
        a = w * w + two * e
        y[i] = not_far_below[real](x[i]) * (a / (a + two * (s * s)))


cdef inline void mish_backward(
    const real* x, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef real u, e, a, w, s, q, one = 1, two = 2, four = 4
    cdef Py_ssize_t i
    for i in range(n):
        u = size_of[real](x[i])
        e = exp_[real](-u)
        w = one if x[i] > 0 else e
        s = e if x[i] > 0 else one
        a = w * w + two * e
        q = one / (a + two * (s * s))
        u = u if x[i] > 0 else -u
        dx[i] = dy[i] * (q * (a + four * u * (e * s) * (one + e) * q))


cdef inline void softplus_forward(
    const real* x, real beta, real threshold, real* y, Py_ssize_t n,
) noexcept nogil:
    cdef real z, e
    cdef Py_ssize_t i
    for i in range(n):
        z = x[i] * beta
        e = exp_[real](-z if z > 0 else z)
        e = (z if z > 0 else <real> 0) + log1p_[real](e)
        y[i] = x[i] if z > threshold else e / beta


cdef inline void softplus_backward(
    const real* x, const real* y, const real* dy, real beta, real threshold, real* dx,
    Py_ssize_t n,
) noexcept nogil:
    cdef real z, s
    cdef Py_ssize_t i
    for i in range(n):
        z = x[i] * beta
        s = sigmoid_[real](z)
        dx[i] = dy[i] if z > threshold else dy[i] * s


cdef inline void gelu_forward(
    const real* x, real approximate, real* y, Py_ssize_t n,
) noexcept nogil:
    cdef real u, e, q, one = 1, cubic = <real> 0.044715
    cdef real scale = <real> 1.5957691216057308  # sqrt(8 / pi)
    cdef Py_ssize_t i
    if approximate != 0:  # (1 + tanh(a)) / 2 is the sigmoid of 2·a
        for i in range(n):
            u = size_of[real](x[i])
            u = scale * (u + cubic * (u * u * u))
            y[i] = not_far_below[real](x[i]) * sigmoid_[real](u if x[i] > 0 else -u)
    else:
        for i in range(n):
            u = size_of[real](x[i])
            e, q = bell_[real](u), tail_[real](u)
            y[i] = x[i] * (one - e * q) if x[i] > 0 else not_far_below[real](x[i]) * e * q


cdef inline void gelu_backward(
    const real* x, const real* y, const real* dy, real approximate, real* dx, Py_ssize_t n,
) noexcept nogil:
    cdef real u, e, q, slope, one = 1, cubic = <real> 0.044715
    cdef real scale = <real> 1.5957691216057308  # sqrt(8 / pi)
    cdef real peak = <real> 0.3989422804014327  # 1 / sqrt(2 * pi)
    cdef Py_ssize_t i
    if approximate != 0:
        for i in range(n):
            u = size_of[real](x[i])
            slope = u * scale * (one + <real> 3 * cubic * (u * u))
            e = exp_[real](-scale * (u + cubic * (u * u * u)))
            q = one / (one + e)
            dx[i] = dy[i] * slope_at[real](x[i], e * q * (one - slope * q))
    else:
        for i in range(n):
            u = size_of[real](x[i])
            slope = bell_[real](u) * (tail_[real](u) - peak * u)
            dx[i] = dy[i] * slope_at[real](x[i], slope)
