"""exp, expm1, log1p, tanh, the sigmoid and the normal distribution's tail, free of branches, so
that LLVM vectorises their loops.

With n = round(x / ln 2) and r = x - n·ln 2, |r| <= ln 2 / 2:  exp(x) = 2**n · (1 + q), where q =
expm1(r) is its Taylor series to the last term that still counts (7 in float, 13 in double). The
error is a few units in the last place; NaN stays NaN; an exp below 2.5e-38 (float) is 0.
"""

import math

import llvmlite.ir
import numba.extending
import numpy as np
from numba import types

from .jit import OPTIONS, core

_F = np.float32


def _exp_range(x):
    """Return the lowest x whose exp is not taken for 0, and an x whose exp is infinite."""


@numba.extending.overload(_exp_range)
def _overload_exp_range(x):
    if x == types.float32:
        return lambda x: (_F(-86.6), _F(88.8))
    return lambda x: (-707.7, 709.8)


def _exp_parts(x):
    """Return q and 2**(n-1), so that exp(x) = 2 * half * (1 + q), for x within exp's range."""


@numba.extending.overload(_exp_parts, jit_options=OPTIONS)
def _overload_exp_parts(x):
    def single(x):
        n = (x * _F(1.44269504088896341) + _F(12582912.0)) - _F(12582912.0)
        r = (x - n * _F(0.693359375)) - n * _F(-2.12194440e-4)
        q = r * (_F(1 / 120) + r * (_F(1 / 720) + r * _F(1 / 5040)))
        q = r * (_F(1 / 2) + r * (_F(1 / 6) + r * (_F(1 / 24) + q)))
        return r * (_F(1) + q), _half_power(n)

    def double(x):
        n = (x * 1.44269504088896341 + 6755399441055744.0) - 6755399441055744.0
        r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
        q = r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800)))
        q = r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + q)))
        q = r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + q)))
        q = r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + q)))
        return r * (1 + q), _half_power(n)

    return single if x == types.float32 else double


@numba.extending.intrinsic
def _half_power(typing, n):
    """2**(n-1) from the bits of a whole number n: an add and a shift.

    Adding 1.5 * 2**(bits of the mantissa) leaves n in the lowest bits.
    """
    single = n == types.float32
    bits, shift = (32, 23) if single else (64, 52)
    magic, exponent = (12582912.0, 126) if single else (6755399441055744.0, 1022)

    def generate(context, builder, signature, arguments):
        real, word = context.get_value_type(n), llvmlite.ir.IntType(bits)
        shifted = builder.fadd(arguments[0], llvmlite.ir.Constant(real, magic))
        power = builder.add(builder.bitcast(shifted, word), llvmlite.ir.Constant(word, exponent))
        return builder.bitcast(builder.shl(power, llvmlite.ir.Constant(word, shift)), real)

    return n(n), generate


@core
def _exp_within(x):
    lowest, highest = _exp_range(x)
    x = lowest if x < lowest else x
    return _exp_parts(highest if x > highest else x)


@core
def exp_(x):
    q, half = _exp_within(x)
    return type(x)(0) if x < _exp_range(x)[0] else type(x)(2) * (half + half * q)


@core
def expm1_(x):
    q, half = _exp_within(x)
    return type(x)(2) * ((half - type(x)(0.5)) + half * q)


@numba.extending.intrinsic
def _power(typing, shifted):
    """2**(n+1) from the sum of n and what makes its lowest bits n + 128: a shift."""

    def generate(context, builder, signature, arguments):
        word = llvmlite.ir.IntType(32)
        bits = builder.shl(builder.bitcast(arguments[0], word), llvmlite.ir.Constant(word, 23))
        return builder.bitcast(bits, context.get_value_type(shifted))

    return shifted(shifted), generate


def _expm1_down(half):
    """Return expm1(2 * half) for half <= 0."""


@numba.extending.overload(_expm1_down, jit_options=OPTIONS)
def _overload_expm1_down(half):
    def single(half):
        """-1 is all that is left at -10: no clamp above, and in place of the Taylor series a
        polynomial whose error is the same all over |r|. r and q are half of exp's, and power is
        twice its own: other digits have none of the sums and products, and some are not needed.
        """
        half = _F(-10) if half < _F(-10) else half
        shifted = half * _F(2.88539008177792681) + _F(12583040.0)
        n = shifted - _F(12583040.0)
        r = (half - n * _F(0.693359375 / 2)) - n * _F(-2.12194440e-4 / 2)
        q = r * (_F(8 * 0.041667204) + r * (_F(16 * 0.0083667133) + r * _F(32 * 0.0013882491)))
        q = r * (_F(1) + r * (_F(2 * 0.49999997) + r * (_F(4 * 0.16666542) + q)))
        power = _power(shifted)
        return (power * _F(0.5) - _F(1)) + power * q

    return single if half == types.float32 else lambda half: expm1_(2 * half)


@core
def tanh_(x):
    """(1 - t) / (1 + t) with t = exp(-2|x|), by expm1 so that small x keep all their digits."""
    t = _expm1_down(-abs(x))
    return math.copysign(t / (t + type(x)(2)), x)


@core
def sigmoid_(x):
    """1 / (1 + exp(-x)), by the exp of a number that is never positive, so nothing overflows."""
    e = exp_(-x if x > 0 else x)
    return (type(x)(1) if x > 0 else e) / (type(x)(1) + e)


def _log_series(square):
    """Return 1/3 + square/5 + square**2/7 + ..., for square <= 1/9."""


@numba.extending.overload(_log_series, jit_options=OPTIONS)
def _overload_log_series(square):
    def single(square):
        q = _F(1 / 11) + square * (_F(1 / 13) + square * (_F(1 / 15)))
        q = _F(1 / 5) + square * (_F(1 / 7) + square * (_F(1 / 9) + square * q))
        return _F(1 / 3) + square * q

    def double(square):
        q = 1 / 27 + square * (1 / 29 + square * (1 / 31 + square * (1 / 33)))
        q = 1 / 19 + square * (1 / 21 + square * (1 / 23 + square * (1 / 25 + square * q)))
        q = 1 / 11 + square * (1 / 13 + square * (1 / 15 + square * (1 / 17 + square * q)))
        return 1 / 3 + square * (1 / 5 + square * (1 / 7 + square * (1 / 9 + square * q)))

    return single if square == types.float32 else double


@core
def log1p_(t):
    """log(1 + t) for 0 <= t <= 1, by the series of 2 artanh(s), s = t / (2 + t) <= 1/3."""
    s = t / (t + type(t)(2))
    return type(t)(2) * (s + s * (s * s) * _log_series(s * s))


def _nearby(u):
    """Return u to the next 1/32 (1/1024 in double), whose square is exact."""


@numba.extending.overload(_nearby, jit_options=OPTIONS)
def _overload_nearby(u):
    if u == types.float32:
        return lambda u: (u + _F(393216.0)) - _F(393216.0)
    return lambda u: (u + 6597069766656.0) - 6597069766656.0


@core
def bell_(u):
    """exp(-u*u / 2) for 0 <= u <= 1000, to the last digits although u*u is rounded."""
    v, half = _nearby(u), type(u)(-0.5)
    large, rest = half * v * v, half * (u - v) * (u + v)
    x = large + rest
    e = exp_(x)
    return e + e * ((large - x) + rest)


def tail_(u):
    """Return how often a normal number is above u >= 0, over bell_(u).

    A polynomial over 1 + u/a, in t = (u - a) / (u + a); it meets the truth at Chebyshev's points
    of u from 0 to 14 in float, with a = 4, and from 0 to 39 in double, with a = 6.
    """


@numba.extending.overload(tail_, jit_options=OPTIONS)
def _overload_tail(u):
    def single(u):
        q = _F(1) / (u + _F(4))
        t = (u - _F(4)) * q
        p = _F(0.00157231788) + t * (_F(0.00020126173) + t * (_F(-0.000120184401)))
        p = _F(0.0604066887) + t * (_F(-0.0075292507) + t * (_F(-0.0035261837) + t * p))
        p = _F(-0.607896618) + t * (_F(0.387136684) + t * (_F(-0.186522685) + t * p))
        p = _F(0.755285138) + t * p
        return p * q

    def double(u):
        q = 1 / (u + 6)
        t = (u - 6) * q
        p = -3.78110397408e-08 + t * (9.21926726e-11 + t * (2.7054496638e-09))
        p = -4.357761350493e-07 + t * (3.048240041914e-07 + t * (1.27558433565e-08 + t * p))
        p = 1.0745924733201e-06 + t * (6.8005431594269e-06 + t * (-1.7965827563569e-06 + t * p))
        p = 3.28704530087376e-05 + t * (0.0001813605931587292 + t * (-6.47537057008488e-05 + t * p))
        p = -0.03098531550819179 + t * (0.010029820572770708 + t * (-0.0021316052225278694 + t * p))
        p = 0.26797424584136903 + t * (-0.15268023206435666 + t * (0.07517191567509253 + t * p))
        p = -0.7010090295908655 + t * (0.5689688918147889 + t * (-0.41390358577559627 + t * p))
        p = 0.7773517718933621 + t * p
        return p * q

    return single if u == types.float32 else double
