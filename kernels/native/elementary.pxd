"""exp, expm1, tanh and the sigmoid, branch-free, so that the C compiler vectorises their loops.

With n = round(x / ln 2) and r = x - n·ln 2, |r| <= ln 2 / 2:  exp(x) = 2**n · (1 + q), where
q = expm1(r) is its Taylor series to the last term that still counts (7 in float, 13 in double).
The error is a few units in the last place over the whole range; NaN stays NaN, and an exp below
2.5e-38 (float) or 5e-308 (double) becomes 0.

No compiler flag may let the terms of a sum be regrouped: the rounding and the two-step
subtraction of n·ln 2 depend on their order.
"""

from tile cimport real

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* 2**(n-1) from the bits of a whole number n, |n| <= 1021: an add, a shift, no branch.
       Adding 1.5 * 2**(mantissa bits) leaves n in the lowest bits. */
    static inline float half_power_f(float n) {
        float f = n + 12582912.0f; int32_t bits;
        memcpy(&bits, &f, 4);
        bits = (int32_t) ((uint32_t) (bits + 126) << 23);
        memcpy(&f, &bits, 4);
        return f;
    }
    static inline double half_power_d(double n) {
        double f = n + 6755399441055744.0; int64_t bits;
        memcpy(&bits, &f, 8);
        bits = (int64_t) ((uint64_t) (bits + 1022) << 52);
        memcpy(&f, &bits, 8);
        return f;
    }
    """
    float half_power_f(float n) noexcept nogil
    double half_power_d(double n) noexcept nogil


cdef inline real _reduce(real x, real* half_power) noexcept nogil:
    """q and 2**(n-1), so that exp(x) = 2 * half_power * (1 + q), for x within exp's range."""
    cdef real n, r, one = 1  # a bare 1 would be a double, and the sum with it
    if real is float:
        n = (x * <float> 1.44269504088896341 + <float> 12582912.0) - <float> 12582912.0
        r = (x - n * <float> 0.693359375) - n * <float> -2.12194440e-4
        half_power[0] = half_power_f(n)
        return r * (one + r * (<float> (1 / 2.) + r * (<float> (1 / 6.) + r * (
            <float> (1 / 24.) + r * (<float> (1 / 120.) + r * (
                <float> (1 / 720.) + r * <float> (1 / 5040.)))))))
    else:
        n = (x * 1.44269504088896341 + 6755399441055744.0) - 6755399441055744.0
        r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
        half_power[0] = half_power_d(n)
        return r * (one + r * (1 / 2. + r * (1 / 6. + r * (1 / 24. + r * (1 / 120. + r * (
            1 / 720. + r * (1 / 5040. + r * (1 / 40320. + r * (1 / 362880. + r * (
                1 / 3628800. + r * (1 / 39916800. + r * (
                    1 / 479001600. + r * (1 / 6227020800.)))))))))))))


cdef inline real _lowest(real _x=0) noexcept nogil:
    """The lowest x whose 2**(n-1) is a normal number; exp of anything lower is taken for 0."""
    if real is float:
        return <float> -86.6
    else:
        return -707.7


cdef inline real _clamp(real x) noexcept nogil:
    """x within the range where exp is a normal number or just overflows; NaN stays."""
    x = <real> _lowest[real]() if x < _lowest[real]() else x
    if real is float:
        return <float> 88.8 if x > <float> 88.8 else x
    else:
        return 709.8 if x > 709.8 else x


cdef inline real exp_(real x) noexcept nogil:
    cdef real half, q = _reduce[real](_clamp[real](x), &half)
    q = <real> 2 * (half + half * q)
    return <real> 0 if x < _lowest[real]() else q


cdef inline real expm1_(real x) noexcept nogil:
    cdef real half, q = _reduce[real](_clamp[real](x), &half)
    return <real> 2 * ((half - <real> 0.5) + half * q)


cdef inline real tanh_(real x) noexcept nogil:
    """(1 - t) / (1 + t) with t = exp(-2|x|), by expm1 so that small x keep all their digits."""
    cdef real t = expm1_[real](<real> -2 * x if x > 0 else <real> 2 * x)
    t = -t / (t + <real> 2)
    return t if x > 0 else -t


cdef inline real sigmoid_(real x) noexcept nogil:
    """1 / (1 + exp(-x)), by the exp of a number that is never positive, so nothing overflows."""
    cdef real one = 1, e = exp_[real](-x if x > 0 else x)
    return (one if x > 0 else e) / (one + e)
