"""exp, expm1, tanh and the sigmoid, free of branches, so that LLVM vectorises their loops.

With n = round(x / ln 2) and r = x - n·ln 2, |r| <= ln 2 / 2:  exp(x) = 2**n · (1 + q), where q =
expm1(r) is its Taylor series to the last term that still counts (7 in float, 13 in double). The
error is a few units in the last place; NaN stays NaN; an exp below 2.5e-38 (float) is 0.
"""

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


@core
def tanh_(x):
    """(1 - t) / (1 + t) with t = exp(-2|x|), by expm1 so that small x keep all their digits."""
    t = expm1_(type(x)(-2) * x if x > 0 else type(x)(2) * x)
    t = -t / (t + type(x)(2))
    return t if x > 0 else -t


@core
def sigmoid_(x):
    """1 / (1 + exp(-x)), by the exp of a number that is never positive, so nothing overflows."""
    e = exp_(-x if x > 0 else x)
    return (type(x)(1) if x > 0 else e) / (type(x)(1) + e)
