"""exp, expm1, log1p, tanh, the sigmoid and the normal distribution's tail, without branches, so
that the C compiler vectorises their loops.

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
    /* 2**(n+1) from the sum of n, that number and 128, which is even, as it is */
    static inline float power_f(float sum) {
        uint32_t bits;
        memcpy(&bits, &sum, 4);
        bits <<= 23;
        memcpy(&sum, &bits, 4);
        return sum;
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
    float power_f(float sum) noexcept nogil

cdef extern from "math.h":
    float fabsf(float) noexcept nogil
    float copysignf(float, float) noexcept nogil


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


cdef inline float _expm1_down(float half) noexcept nogil:
    """expm1(2 * half) for half <= 0, of which -1 is all that is left at -10: no clamp above, and in
    place of the Taylor series a polynomial whose error is the same all over |r|.

    r and q are half of exp's, and power is twice its own: no sum and no product takes longer for
    that, nor has other digits, and some are not needed.
    """
    cdef float shifted, n, r, q, power
    half = <float> -10 if half < <float> -10 else half
    shifted = half * <float> 2.88539008177792681 + <float> 12583040.0
    n = shifted - <float> 12583040.0
    r = (half - n * <float> (0.693359375 / 2)) - n * <float> (-2.12194440e-4 / 2)
    power = power_f(shifted)
    q = r * (<float> 1 + r * (<float> (2 * 0.49999997) + r * (<float> (4 * 0.16666542) + r * (
        <float> (8 * 0.041667204) + r * (<float> (16 * 0.0083667133)
                                         + r * <float> (32 * 0.0013882491))))))
    return (power * <float> 0.5 - <float> 1) + power * q


cdef inline real tanh_(real x) noexcept nogil:
    """(1 - t) / (1 + t) with t = exp(-2|x|), by expm1 so that small x keep all their digits."""
    cdef real t
    if real is float:
        t = _expm1_down(-fabsf(x))
        return copysignf(t / (t + <float> 2), x + <float> 0)  # +0 for -0, too
    else:
        t = expm1_[real](<real> -2 * x if x > 0 else <real> 2 * x)
        t = -t / (t + <real> 2)
        return t if x > 0 else -t


cdef inline real sigmoid_(real x) noexcept nogil:
    """1 / (1 + exp(-x)), by the exp of a number that is never positive, so nothing overflows."""
    cdef real one = 1, e = exp_[real](-x if x > 0 else x)
    return (one if x > 0 else e) / (one + e)


cdef inline real log1p_(real t) noexcept nogil:
    """log(1 + t) for 0 <= t <= 1, by the series of 2 artanh(s), s = t / (2 + t) <= 1/3."""
    cdef real s = t / (t + <real> 2), square = s * s, q
    if real is float:
        q = <float> (1 / 13.) + square * (<float> (1 / 15.))
        q = <float> (1 / 9.) + square * (<float> (1 / 11.) + square * q)
        q = <float> (1 / 5.) + square * (<float> (1 / 7.) + square * q)
        q = <float> (1 / 3.) + square * q
    else:
        q = 1 / 27. + square * (1 / 29. + square * (1 / 31. + square * (1 / 33.)))
        q = 1 / 19. + square * (1 / 21. + square * (1 / 23. + square * (1 / 25. + square * q)))
        q = 1 / 11. + square * (1 / 13. + square * (1 / 15. + square * (1 / 17. + square * q)))
        q = 1 / 3. + square * (1 / 5. + square * (1 / 7. + square * (1 / 9. + square * q)))
    return <real> 2 * (s + s * square * q)


cdef inline real bell_(real u) noexcept nogil:
    """exp(-u*u / 2) for 0 <= u <= 1000, to the last digits although u*u is rounded.

    With v, which is u to the next 1/32 (1/1024 in double), v*v is exact, and the rest is small.
    """
    cdef real v, rest, x, e
    if real is float:
        v = (u + <float> 393216.0) - <float> 393216.0
    else:
        v = (u + 6597069766656.0) - 6597069766656.0
    v, rest = <real> -0.5 * v * v, <real> -0.5 * (u - v) * (u + v)
    x = v + rest
    e = exp_[real](x)
    return e + e * ((v - x) + rest)


cdef inline real tail_(real u) noexcept nogil:
    """How often a normal number is above u >= 0, over bell_(u): erfc(u / sqrt(2)) / 2 / bell_(u).

    A polynomial over 1 + u/a, in t = (u - a) / (u + a); it meets the truth at Chebyshev's points
    of u from 0 to 14 in float, with a = 4, and from 0 to 39 in double, with a = 6.
    """
    cdef real a = <real> (4 if real is float else 6), q = <real> 1 / (u + a), t = (u - a) * q, p
    if real is float:
        p = <float> 0.00020126173 + t * (<float> -0.000120184401)
        p = <float> -0.0035261837 + t * (<float> 0.00157231788 + t * p)
        p = <float> 0.0604066887 + t * (<float> -0.0075292507 + t * p)
        p = <float> 0.387136684 + t * (<float> -0.186522685 + t * p)
        p = <float> 0.755285138 + t * (<float> -0.607896618 + t * p)
    else:
        p = -3.78110397408e-08 + t * (9.21926726e-11 + t * (2.7054496638e-09))
        p = -4.357761350493e-07 + t * (3.048240041914e-07 + t * (1.27558433565e-08 + t * p))
        p = 1.0745924733201e-06 + t * (6.8005431594269e-06 + t * (-1.7965827563569e-06 + t * p))
        p = 3.28704530087376e-05 + t * (0.0001813605931587292 + t * (-6.47537057008488e-05 + t * p))
        p = -0.03098531550819179 + t * (0.010029820572770708 + t * (-0.0021316052225278694 + t * p))
        p = 0.26797424584136903 + t * (-0.15268023206435666 + t * (0.07517191567509253 + t * p))
        p = -0.7010090295908655 + t * (0.5689688918147889 + t * (-0.41390358577559627 + t * p))
        p = 0.7773517718933621 + t * p
    return p * q
