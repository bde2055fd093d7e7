"""What keeps gradients and weights small, as fastbp.optimizers.limits specifies it."""

from libc.math cimport sqrt

from numbers cimport CLIP_EPSILON, CLIP_NORM, CLIP_VALUE
from tile cimport pinned, real

cdef extern from *:
    """
    /* The sum of n products, in double precision and in one order whatever the vectors. */
    #if defined(__GNUC__)
    #define PRODUCTS(real) \\
        typedef real part __attribute__((vector_size(8 * sizeof(real)), aligned(sizeof(real)), \\
                                         may_alias)); \\
        typedef double sums __attribute__((vector_size(64))); \\
        sums a = {0}, b = {0}; \\
        for (; i + 16 <= n; i += 16) { \\
            a += __builtin_convertvector(*(const part *) (v + i), sums) \\
                 * __builtin_convertvector(*(const part *) (w + i), sums); \\
            b += __builtin_convertvector(*(const part *) (v + i + 8), sums) \\
                 * __builtin_convertvector(*(const part *) (w + i + 8), sums); \\
        } \\
        a += b; \\
        for (int j = 0; j < 8; j++) total += a[j];
    #else
    #define PRODUCTS(real)
    #endif
    static inline double fproducts(const float *v, const float *w, Py_ssize_t n) {
        double total = 0;
        Py_ssize_t i = 0;
        PRODUCTS(float)
        for (; i < n; i++) total += (double) v[i] * w[i];
        return total;
    }
    static inline double dproducts(const double *v, const double *w, Py_ssize_t n) {
        double total = 0;
        Py_ssize_t i = 0;
        PRODUCTS(double)
        for (; i < n; i++) total += v[i] * w[i];
        return total;
    }
    """
    double fproducts(const float* v, const float* w, Py_ssize_t n) noexcept nogil
    double dproducts(const double* v, const double* w, Py_ssize_t n) noexcept nogil


cdef inline double products(const real* v, const real* w, Py_ssize_t n) noexcept nogil:
    """The sum of n numbers' products."""
    if real is float:
        return fproducts(v, w, n)
    else:
        return dproducts(v, w, n)


cdef inline double squares(const real* v, Py_ssize_t n) noexcept nogil:
    return products[real](v, v, n)


cdef inline void add_penalty(real l2, const real* w, real* g, Py_ssize_t n) noexcept nogil:
    """g += l2 * w, the penalty's gradient."""
    cdef Py_ssize_t i
    for i in range(n):
        g[i] += l2 * w[i]


cdef inline void shrink(real share, real* w, Py_ssize_t n) noexcept nogil:
    """w -= share * w"""
    cdef Py_ssize_t i
    for i in range(n):
        w[i] -= share * w[i]


cdef inline void clip_values(real most, real* g, Py_ssize_t n) noexcept nogil:
    """g into -most..most; NaN stays NaN."""
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = most if g[i] > most else g[i]
        g[i] = -most if g[i] < -most else g[i]


cdef inline void limit(
    const double* s, double l2, double clip, const real* w, real* g, Py_ssize_t n,
) noexcept nogil:
    """The gradient of n parameters as limits leave it; s are a run's settings.

    l2 is what of the penalty these parameters have, and clip the factor of this step's gradients.
    """
    cdef Py_ssize_t i
    if l2 > 0:
        add_penalty[real](<real> l2, w, g, n)
    if s[CLIP_VALUE] > 0:
        clip_values[real](<real> s[CLIP_VALUE], g, n)
    if clip != 1:  # or NaN
        for i in range(n):
            g[i] *= <real> clip


# Called in many places, through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*limit_function)(
    const double*, double, double, const real*, real*, Py_ssize_t) noexcept nogil


cdef inline void limit_apart(
    const double* s, double l2, double clip, const real* w, real* g, Py_ssize_t n,
) noexcept nogil:
    """limit, as a function of its own, where there is any."""
    cdef limit_function function = limit[real]
    if l2 == 0 and s[CLIP_VALUE] == 0 and clip == 1:
        return
    (<limit_function> pinned(<const void*> function))(s, l2, clip, w, g, n)


cdef inline double clip_factor(const double* s, double total) noexcept nogil:
    """What all gradients are multiplied by, whose squares sum up to total; NaN stays NaN."""
    cdef double factor = s[CLIP_NORM] / (sqrt(total) + s[CLIP_EPSILON])
    return 1 if factor > 1 else factor
