"""Numbers that are bytes times or by something, as those of images are: kept as bytes, exactly."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from tile cimport real

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* Whether LOOKED_AT numbers are bytes * scale, or / scale, which are left in found. */
    enum { LOOKED_AT = 64 };
    #if defined(__GNUC__)
    #define FIND_BYTES(name, real, whole, FORM) \\
        static inline int name(const real *x, real factor, real scale, uint8_t *found) { \\
            enum { LANES = VECTOR_BYTES / sizeof(real) }; \\
            typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), \\
                                            may_alias)); \\
            typedef int32_t words __attribute__((vector_size(4 * LANES))); \\
            typedef uint8_t bytes __attribute__((vector_size(LANES))); \\
            typedef whole mask __attribute__((vector_size(VECTOR_BYTES))); \\
            mask wrong = {0}; \\
            for (int i = 0; i < LOOKED_AT; i += LANES) { \\
                vec v = *(const vec *) (x + i); \\
                words near = __builtin_convertvector(v * factor + (real) 0.5, words) & 255; \\
                bytes some = __builtin_convertvector(near, bytes); \\
                wrong |= __builtin_convertvector(near, vec) FORM scale != v; \\
                memcpy(found + i, &some, LANES); \\
            } \\
            int64_t any = 0, part; \\
            for (int i = 0; i < VECTOR_BYTES; i += 8) { \\
                memcpy(&part, (char *) &wrong + i, 8); \\
                any |= part; \\
            } \\
            return any == 0; \\
        }
    #else
    #define FIND_BYTES(name, real, whole, FORM) \\
        static int name(const real *x, real factor, real scale, uint8_t *found) { \\
            for (int i = 0; i < LOOKED_AT; i++) { \\
                real near = x[i] * factor + (real) 0.5; \\
                found[i] = (uint8_t) (near > 0 && near < 256 ? near : 0); \\
                if (found[i] FORM scale != x[i]) return 0; \\
            } \\
            return 1; \\
        }
    #endif
    FIND_BYTES(fmultiplied, float, int32_t, *)
    FIND_BYTES(dmultiplied, double, int64_t, *)
    FIND_BYTES(fdivided, float, int32_t, /)
    FIND_BYTES(ddivided, double, int64_t, /)
    """
    enum:
        LOOKED_AT
    bint fmultiplied(const float* x, float factor, float scale, uint8_t* found) noexcept nogil
    bint dmultiplied(const double* x, double factor, double scale, uint8_t* found) noexcept nogil
    bint fdivided(const float* x, float factor, float scale, uint8_t* found) noexcept nogil
    bint ddivided(const double* x, double factor, double scale, uint8_t* found) noexcept nogil


cdef inline bint find_some(
    const real* x, real scale, real divisor, uint8_t* found,
) noexcept nogil:
    """find, of LOOKED_AT numbers."""
    if real is float:
        if divisor != 0:
            return fdivided(x, divisor, divisor, found)
        return fmultiplied(x, 1 / scale, scale, found)
    else:
        if divisor != 0:
            return ddivided(x, divisor, divisor, found)
        return dmultiplied(x, 1 / scale, scale, found)


cdef inline bint find(
    const real* x, Py_ssize_t n, real scale, real divisor, uint8_t* found,
) noexcept nogil:
    """Whether found (n,) are bytes of which batch.take makes x."""
    cdef Py_ssize_t start = 0, i
    cdef real last[LOOKED_AT]
    cdef uint8_t last_found[LOOKED_AT]
    cdef int used
    while start + LOOKED_AT <= n:
        used = 0
        for i in range(LOOKED_AT):
            used |= x[start + i] != 0
        if not used:  # as most are together, in images
            memset(found + start, 0, LOOKED_AT)
        elif not find_some[real](x + start, scale, divisor, found + start):
            return False
        start += LOOKED_AT
    memset(&last, 0, sizeof(last))
    memcpy(&last, x + start, (n - start) * sizeof(real))
    if not find_some[real](&last[0], scale, divisor, &last_found[0]):
        return False
    memcpy(found + start, &last_found, n - start)
    return True
