"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero.

Sparse data are cut into blocks of BLOCK inputs in a row. An entry is one sample's block that is
not all zero: where the sample's row starts in y, and BLOCK values. Entries lie in chunks of BUNCH
samples and there block by block, so that a tile of W meets all of its samples at once;
bounds[2 * block] and the next say where a block's entries begin and end. Inputs at the end that
fill no block are blocks of one.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from numbers cimport BLOCK, BUNCH, BYTES, FLOATS
from tile cimport real

cdef extern from *:
    """
    #if defined(__GNUC__)
    /* into the second cache: the nearest one has what is computed with until then */
    #define fetch_ahead(p) __builtin_prefetch(p, 0, 2)
    /* x[i] = v[i] * scale for four bytes; what the compiler makes of that loop takes three times
       as long */
    static inline void scale_bytes(const uint8_t *v, float scale, float *x) {
        typedef float floats __attribute__((vector_size(16), aligned(4), may_alias));
        typedef uint32_t words __attribute__((vector_size(16)));
        typedef int32_t ints __attribute__((vector_size(16)));
        uint32_t all;
        memcpy(&all, v, 4);
        words each = {all, all, all, all};
        words order = {0, 8, 16, 24};
        *(floats *) x = __builtin_convertvector((ints) ((each >> order) & 255), floats) * scale;
    }
    /* A copy without a call, where that takes longer: by two parts that may overlap. */
    #define COPY_ENDS(to, from, bytes, part) \
        if (bytes >= part && bytes <= 2 * part) { \
            memcpy(to, from, part); \
            memcpy(to + (bytes - part), from + (bytes - part), part); \
            return; \
        }
    static inline void copy_row(char *to, const char *from, ptrdiff_t bytes) {
        COPY_ENDS(to, from, bytes, 16)
        COPY_ENDS(to, from, bytes, 32)
        COPY_ENDS(to, from, bytes, 64)
        memcpy(to, from, bytes);
    }
    #else
    #define copy_row(to, from, bytes) memcpy(to, from, bytes)
    #define fetch_ahead(p) ((void) (p))
    static void scale_bytes(const uint8_t *v, float scale, float *x) {
        for (int i = 0; i < 4; i++) x[i] = v[i] * scale;
    }
    #endif
    """
    void fetch_ahead(const void* p) noexcept nogil
    void copy_row(char* to, const char* source, Py_ssize_t n) noexcept nogil  # n bytes
    void scale_bytes(const uint8_t* v, float scale, float* x) noexcept nogil

cdef extern from *:
    """
    /* A bit for each of up to 64 blocks in a row, each so many bytes (4, 16 or 32), that is not
       all zero. */
    #if defined(__AVX512BW__) && defined(__BMI2__)
    #include <immintrin.h>
    static inline uint64_t used_words(const uint8_t *v, ptrdiff_t count) {
        uint64_t used = 0;  /* a bit for each of up to 64 words of 4 bytes */
        for (int part = 0; part < 4 && count > 16 * part; part++) {
            ptrdiff_t left = count - 16 * part;
            __mmask16 there = left >= 16 ? 0xffff : (1 << left) - 1;
            __m512i words = _mm512_maskz_loadu_epi32(there, v + 64 * part);
            used |= (uint64_t) _mm512_test_epi32_mask(words, words) << 16 * part;
        }
        return used;
    }
    static inline uint64_t used_blocks(const uint8_t *v, ptrdiff_t blocks, ptrdiff_t bytes) {
        if (bytes == 4) return used_words(v, blocks);
        ptrdiff_t words = bytes / 4, most = 64 / words;  /* of a block; blocks of 64 words */
        uint64_t used = 0;
        for (ptrdiff_t b = 0; b < blocks; b += most) {
            ptrdiff_t count = blocks - b < most ? blocks - b : most;
            uint64_t each = used_words(v + b * bytes, count * words);
            each |= each >> 1;
            each |= each >> 2;
            if (words == 8) each |= each >> 4;
            used |= _pext_u64(each, words == 8 ? 0x0101010101010101 : 0x1111111111111111) << b;
        }
        return used;
    }
    #else
    static inline uint64_t used_blocks(const uint8_t *v, ptrdiff_t blocks, ptrdiff_t bytes) {
        uint64_t used = 0;
        for (ptrdiff_t b = 0; b < blocks; b++) {
            uint32_t word, any = 0;
            for (ptrdiff_t byte = 0; byte < bytes; byte += 4) {
                memcpy(&word, v + b * bytes + byte, 4);
                any |= word;
            }
            used |= (uint64_t) (any != 0) << b;
        }
        return used;
    }
    #endif
    #if defined(__GNUC__)
    #define lowest_bit(bits) __builtin_ctzll(bits)
    #else
    static inline int lowest_bit(uint64_t bits) {
        int bit = 0;
        while (!(bits >> bit & 1)) bit++;
        return bit;
    }
    #endif
    """
    uint64_t used_blocks(const uint8_t* v, Py_ssize_t blocks, Py_ssize_t bytes) noexcept nogil
    int lowest_bit(uint64_t bits) noexcept nogil

cdef enum:
    BLOCKS_AT_ONCE = 64  # of a sample, of which those that are not zero are found: a bit for each

ctypedef fused source:
    uint8_t
    float
    double


cdef inline Py_ssize_t bytes_of(int64_t kind) noexcept nogil:
    return 1 if kind == BYTES else 4 if kind == FLOATS else 8


cdef inline Py_ssize_t blocks_of(Py_ssize_t inputs) noexcept nogil:
    return inputs // BLOCK + inputs % BLOCK


cdef inline void gather_rows(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale,
    real* x,
) noexcept nogil:
    """x (n, columns) = data[samples] * scale."""
    cdef const source* row
    cdef Py_ssize_t r, j
    if (source is float and real is float or source is double and real is double) and scale == 1:
        for r in range(n):  # sooner than by a loop, of which few columns leave only ends
            copy_row(<char*> (x + r * columns), <const char*> (data + samples[r] * columns),
                     columns * sizeof(real))
        return
    for r in range(n):
        row = data + samples[r] * columns
        for j in range(columns):
            x[r * columns + j] = <real> row[j] * scale


cdef inline void gather_blocks(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t y_row, real scale, int32_t* bounds, int32_t* starts, real* x,
) noexcept nogil:
    """The entries of one chunk: of n samples from number `start` on."""
    cdef uint64_t used
    cdef const source* row
    cdef Py_ssize_t first, b, r, i, e, whole = columns // BLOCK, blocks = blocks_of(columns)
    for b in range(blocks):
        bounds[2 * b] = bounds[2 * b + 1] = <int32_t> (b * n)
    for r in range(n):
        row = data + samples[start + r] * columns
        first = 0
        while first < whole:
            used = used_blocks(<const uint8_t*> (row + first * BLOCK),
                               min(whole - first, BLOCKS_AT_ONCE), BLOCK * sizeof(source))
            while used:
                b = first + lowest_bit(used)
                used &= used - 1
                e = bounds[2 * b + 1]
                bounds[2 * b + 1] = <int32_t> (e + 1)
                starts[e] = <int32_t> ((start + r) * y_row)
                if source is uint8_t and real is float:
                    scale_bytes(row + b * BLOCK, scale, x + e * BLOCK)
                else:
                    for i in range(BLOCK):
                        x[e * BLOCK + i] = <real> row[b * BLOCK + i] * scale
            first += BLOCKS_AT_ONCE
        for b in range(whole, blocks):
            e = bounds[2 * b + 1]
            starts[e] = <int32_t> ((start + r) * y_row)
            x[e * BLOCK] = <real> row[whole * (BLOCK - 1) + b] * scale
            bounds[2 * b + 1] += row[whole * (BLOCK - 1) + b] != 0


cdef inline void fetch_rows(
    const uint8_t* data, Py_ssize_t bytes_a_row, const int64_t* samples, Py_ssize_t n,
) noexcept nogil:
    """Let the processor bring n samples of a later batch, which no pattern would tell it to."""
    cdef Py_ssize_t r, byte
    for r in range(n):
        byte = 0
        while byte < bytes_a_row:
            fetch_ahead(data + samples[r] * bytes_a_row + byte)
            byte += 64
