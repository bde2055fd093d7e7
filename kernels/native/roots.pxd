"""Adam's steps are quotients by roots, which processors compute one after another, and slowly.

With AVX-512, eight doubles take a table's 14 bits of 1 / √v and of 1 / d, and then products that
double these bits, and at last correct the rounding: the same bits as the processor's own root and
quotient (Markstein, IA-64 and Elementary Functions, 2000, chapters 8 and 9), in half the time. With
floats it would gain nothing.
"""

cdef extern from *:
    """
    #include <math.h>
    static inline void take_quotients_exactly(
        double *a, const double *v, double epsilon, ptrdiff_t n
    ) {
        for (ptrdiff_t i = 0; i < n; i++) {
            double sum = sqrt(v[i]) + epsilon;
            a[i] /= sum != 0 ? sum : INFINITY;
        }
    }
    #if defined(__AVX512F__)
    #include <immintrin.h>
    static inline __m512d root_of(__m512d v, __mmask8 used) {  /* 0 of the others */
        __m512d half = _mm512_set1_pd(0.5), y = _mm512_maskz_rsqrt14_pd(used, v);
        __m512d g = _mm512_mul_pd(v, y), h = _mm512_mul_pd(half, y);  /* √v and 1 / 2√v */
        for (int i = 0; i < 2; i++) {
            __m512d wrong = _mm512_fnmadd_pd(g, h, half);
            g = _mm512_fmadd_pd(g, wrong, g);
            h = _mm512_fmadd_pd(h, wrong, h);
        }
        return _mm512_fmadd_pd(_mm512_fnmadd_pd(g, g, v), h, g);
    }
    static inline __m512d quotient_of(__m512d a, __m512d d) {
        __m512d one = _mm512_set1_pd(1), y = _mm512_rcp14_pd(d);
        for (int i = 0; i < 3; i++) y = _mm512_fmadd_pd(_mm512_fnmadd_pd(d, y, one), y, y);
        __m512d q = _mm512_mul_pd(a, y);
        return _mm512_fmadd_pd(_mm512_fnmadd_pd(d, q, a), y, q);
    }
    /* Eight at a time, where nothing on the way is too small or too large to be exact. */
    static inline void take_quotients(double *a, const double *v, double epsilon, ptrdiff_t n) {
        __m512d least = _mm512_set1_pd(1e-200), most = _mm512_set1_pd(1e200);
        __m512d zero = _mm512_setzero_pd(), added = _mm512_set1_pd(epsilon);
        ptrdiff_t i = 0;
        for (; i + 8 <= n && epsilon > 1e-100 && epsilon < 1e100; i += 8) {
            __m512d u = _mm512_loadu_pd(v + i), b = _mm512_loadu_pd(a + i);
            __mmask8 used = _mm512_cmp_pd_mask(u, least, _CMP_GE_OQ);
            __mmask8 fine = used | _mm512_cmp_pd_mask(u, zero, _CMP_EQ_OQ);
            fine &= _mm512_cmp_pd_mask(_mm512_max_pd(u, _mm512_abs_pd(b)), most, _CMP_LE_OQ);
            if (fine != 0xff) break;
            _mm512_storeu_pd(a + i, quotient_of(b, _mm512_add_pd(root_of(u, used), added)));
        }
        take_quotients_exactly(a + i, v + i, epsilon, n - i);
    }
    #else
    #define take_quotients take_quotients_exactly
    #endif
    """
    # a /= √v + ε; where both are 0, a becomes 0: such a parameter stays.
    void take_quotients(double* a, const double* v, double epsilon, Py_ssize_t n) noexcept nogil
