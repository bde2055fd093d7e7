"""The entries of bytes, for sixteen samples at a time: see batch.pxd.

A block of BLOCK bytes is a word. Sixteen samples by sixteen blocks are turned over, so that each
block has its samples side by side, of which those that are not zero are pressed together.
"""

from libc.stdint cimport int32_t, uint8_t

cdef extern from *:
    """
    #if defined(__AVX512BW__)
    #include <immintrin.h>
    enum { TAKES_SIXTEEN = 1 };
    static inline void turn_words(__m512i *v) {  /* word j of v[i] becomes word i of v[j] */
        __m512i t[16];
        for (int i = 0; i < 16; i += 2) {
            t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
            t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
        }
        for (int i = 0; i < 16; i += 4) {
            v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
            v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
            v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
            v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
        }
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 16; j += 8) {
                t[i + j] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0x88);
                t[i + j + 4] = _mm512_shuffle_i32x4(v[i + j], v[i + j + 4], 0xdd);
            }
        }
        for (int i = 0; i < 8; i++) {
            v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
            v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        }
    }
    static void take_sixteen(
        const uint8_t *const *rows, int n, ptrdiff_t blocks, int32_t first, int32_t y_row,
        int32_t *bounds, int32_t *starts, uint8_t *x
    ) {
        __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        __m512i places = _mm512_add_epi32(
            _mm512_set1_epi32(first), _mm512_mullo_epi32(lanes, _mm512_set1_epi32(y_row)));
        for (ptrdiff_t b = 0; b < blocks; b += 16) {
            __mmask16 there = blocks - b >= 16 ? 0xffff : (1 << (blocks - b)) - 1;
            __m512i v[16], any = _mm512_setzero_si512();
            for (int i = 0; i < 16; i++) {
                v[i] = i < n ? _mm512_maskz_loadu_epi32(there, rows[i] + 4 * b)
                             : _mm512_setzero_si512();
                any = _mm512_or_si512(any, v[i]);
            }
            unsigned used = _mm512_test_epi32_mask(any, any);
            if (!used) continue;
            turn_words(v);
            for (; used; used &= used - 1) {
                int j = __builtin_ctz(used);
                __mmask16 some = _mm512_test_epi32_mask(v[j], v[j]);
                int count = __builtin_popcount(some);
                ptrdiff_t e = bounds[2 * (b + j) + 1];
                __mmask16 kept = (1 << count) - 1;  /* what is behind them is other blocks' */
                _mm512_mask_storeu_epi32(starts + e, kept,
                                         _mm512_maskz_compress_epi32(some, places));
                _mm512_mask_storeu_epi32(x + 4 * e, kept,
                                         _mm512_maskz_compress_epi32(some, v[j]));
                bounds[2 * (b + j) + 1] = (int32_t) e + count;
            }
        }
    }
    #else
    enum { TAKES_SIXTEEN = 0 };
    #define take_sixteen(rows, n, blocks, first, y_row, bounds, starts, x) ((void) 0)
    #endif
    """
    enum:
        TAKES_SIXTEEN
    # Add the entries of n samples: the first one's y is at `first`, and the others y_row apart.
    void take_sixteen(
        const uint8_t** rows, int n, Py_ssize_t blocks, int32_t first, int32_t y_row,
        int32_t* bounds, int32_t* starts, uint8_t* x) noexcept nogil
