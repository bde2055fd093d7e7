"""Dropout's masks: Philox4x32-10 (Salmon et al. 2011), random words as a function of a counter.

A word belongs to a seed (the key), a step, a row and a column, so that who computes it, and when,
does not matter. Four columns share a counter; AT_ONCE counters are computed side by side.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from numbers cimport SAMPLES
from tile cimport real

cdef enum:
    AT_ONCE = SAMPLES  # of a block of images, say
    MULTIPLIER_A = 0xD2511F53
    MULTIPLIER_B = 0xCD9E8D57
    WEYL_A = 0x9E3779B9
    WEYL_B = 0xBB67AE85


cdef struct Masks:  # of one step
    uint64_t seed
    uint64_t step
    uint64_t threshold  # words below it drop
    double scale  # of what stays: 1 / (1 - p)


cdef inline Masks masks_from(double p, int64_t seed, int64_t step) noexcept nogil:
    cdef Masks masks
    masks.seed, masks.step = <uint64_t> seed, <uint64_t> step
    masks.threshold = <uint64_t> (p * 4294967296.0)
    masks.scale = 1.0 / (1.0 - p)
    return masks


cdef inline void random_words(
    const Masks* masks, uint32_t[AT_ONCE]* words,
) noexcept nogil:
    """words[0..3]: four words for each of AT_ONCE counters, from their groups of columns words[0]
    and rows words[1]."""
    cdef uint32_t key_a = <uint32_t> masks.seed, key_b = <uint32_t> (masks.seed >> 32)
    cdef uint64_t a, b
    cdef uint32_t second, fourth
    cdef Py_ssize_t r, n
    for n in range(AT_ONCE):
        words[2][n], words[3][n] = <uint32_t> masks.step, <uint32_t> (masks.step >> 32)
    for r in range(10):
        for n in range(AT_ONCE):
            a = <uint64_t> words[0][n] * <uint64_t> MULTIPLIER_A
            b = <uint64_t> words[2][n] * <uint64_t> MULTIPLIER_B
            second, fourth = words[1][n], words[3][n]
            words[0][n] = <uint32_t> (b >> 32) ^ second ^ key_a
            words[1][n] = <uint32_t> b
            words[2][n] = <uint32_t> (a >> 32) ^ fourth ^ key_b
            words[3][n] = <uint32_t> a
        key_a += <uint32_t> WEYL_A
        key_b += <uint32_t> WEYL_B


cdef inline void drop_row(
    const Masks* masks, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, const real* x, real* y,
) noexcept nogil:
    """The columns first..last of one row of y."""
    cdef uint32_t words[4][AT_ONCE]
    cdef Py_ssize_t group = first // 4, n, k, j
    cdef real scale = <real> masks.scale
    while 4 * group < last:
        for n in range(AT_ONCE):
            words[0][n], words[1][n] = <uint32_t> (group + n), <uint32_t> row
        random_words(masks, &words[0])
        for n in range(AT_ONCE):
            for k in range(4):
                j = 4 * (group + n) + k
                if first <= j < last:
                    y[j] = <real> 0 if words[k][n] < masks.threshold else x[j] * scale
        group += AT_ONCE


cdef inline void drop_block(
    const Masks* masks, Py_ssize_t row, Py_ssize_t columns, const real* x, real* y,
) noexcept nogil:
    """AT_ONCE rows from `row` on, which lie column by column: (columns, AT_ONCE)."""
    cdef uint32_t words[4][AT_ONCE]
    cdef Py_ssize_t j, n
    cdef real scale = <real> masks.scale
    for j in range(columns):
        if j % 4 == 0:
            for n in range(AT_ONCE):
                words[0][n], words[1][n] = <uint32_t> (j // 4), <uint32_t> (row + n)
            random_words(masks, &words[0])
        for n in range(AT_ONCE):
            y[n] = <real> 0 if words[j % 4][n] < masks.threshold else x[n] * scale
        x += AT_ONCE
        y += AT_ONCE
