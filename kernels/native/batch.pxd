"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero.

Sparse data are cut into blocks of BLOCK inputs in a row. An entry is one sample's block that is
not all zero: where the sample's row starts in y, and BLOCK values, or bytes, as which the data's stay,
and what they stand for is looked up. Entries lie in chunks of up to BUNCH
samples and there block by block, so that a tile of W meets all of its samples at once;
bounds[2 * block] and the next say where a block's entries begin and end. Inputs at the end that
fill no block are blocks of one.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from numbers cimport BLOCK, BUNCH, BYTES, FLOATS
from sixteen cimport TAKES_SIXTEEN, take_sixteen
from tile cimport real

cdef extern from *:
    """
    #if defined(__GNUC__)
    /* into the second cache: the nearest one has what is computed with until then */
    #define fetch_ahead(p) __builtin_prefetch(p, 0, 2)
    #define fetch(p) __builtin_prefetch(p, 0, 3)
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
    #define fetch(p) ((void) (p))
    #endif
    """
    void fetch_ahead(const void* p) noexcept nogil
    void fetch(const void* p) noexcept nogil  # into the nearest cache
    void copy_row(char* to, const char* source, Py_ssize_t n) noexcept nogil  # n bytes

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
    SIXTEEN = 16  # samples at a time; see sixteen.pxd
    FEWEST_TOGETHER = 6  # samples, of which that is sooner than one after another
    ROWS_AHEAD = 3  # that come into the nearest cache while one is looked at
    BLOCKS_AT_ONCE = 64  # of a sample, of which those that are not zero are found: a bit for each

ctypedef fused source:
    uint8_t
    float
    double


cdef inline void fetch_nearest(const uint8_t* row, Py_ssize_t n) noexcept nogil:
    """n bytes, which were fetched from memory before."""
    cdef Py_ssize_t byte = 0
    while byte < n:
        fetch(row + byte)
        byte += 64


cdef inline Py_ssize_t bytes_of(int64_t kind) noexcept nogil:
    return 1 if kind == BYTES else 4 if kind == FLOATS else 8


cdef inline Py_ssize_t blocks_of(Py_ssize_t inputs) noexcept nogil:
    return inputs // BLOCK + inputs % BLOCK


cdef inline Py_ssize_t chunks_in(Py_ssize_t n) noexcept nogil:
    """How many chunks n samples make."""
    return (n + BUNCH - 1) // BUNCH


cdef inline Py_ssize_t chunk_start(Py_ssize_t n, Py_ssize_t chunk) noexcept nogil:
    """The first of n samples that is a chunk's."""
    return n * chunk // max(chunks_in(n), <Py_ssize_t> 1)


cdef inline const void* entries_from(
    const void* x, Py_ssize_t entry, const real* codes,
) noexcept nogil:
    """Where the values of entries from a number on are; see tile_sparse."""
    if codes != NULL:
        return <const uint8_t*> x + entry * BLOCK
    return <const real*> x + entry * BLOCK


cdef inline void take(
    const source* v, Py_ssize_t n, real scale, real divisor, real* x,
) noexcept nogil:
    """x (n,) = v * scale; or v / divisor, if those are bytes and that is not 0: see bytewise.pxd."""
    cdef Py_ssize_t j
    if source is uint8_t and divisor != 0:
        for j in range(n):
            x[j] = <real> v[j] / divisor
        return
    for j in range(n):
        x[j] = <real> v[j] * scale


cdef inline void all_codes(real scale, real divisor, real* codes) noexcept nogil:
    """What each byte stands for: codes (256,)."""
    cdef uint8_t byte
    cdef Py_ssize_t v
    for v in range(256):
        byte = <uint8_t> v
        take[uint8_t, real](&byte, 1, scale, divisor, codes + v)


cdef inline void gather_rows(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t n, real scale,
    real divisor, real* x,
) noexcept nogil:
    """x (n, columns) = data[samples] * scale, or / divisor: see take."""
    cdef Py_ssize_t r
    if (source is float and real is float or source is double and real is double) and scale == 1:
        for r in range(n):  # sooner than by a loop, of which few columns leave only ends
            copy_row(<char*> (x + r * columns), <const char*> (data + samples[r] * columns),
                     columns * sizeof(real))
        return
    for r in range(n):
        take[source, real](data + samples[r] * columns, columns, scale, divisor, x + r * columns)


cdef inline void put_entry(
    const source* v, Py_ssize_t count, real scale, real* x, Py_ssize_t entry,
) noexcept nogil:
    """The values of an entry, of which `count` (a constant) are there: bytes as they are."""
    if source is uint8_t:
        memcpy(<uint8_t*> x + entry * BLOCK, v, count)
    else:
        take[source, real](v, count, scale, 0, x + entry * BLOCK)


cdef inline void add_sample(
    const source* row, Py_ssize_t blocks, Py_ssize_t place, real scale, int32_t* bounds,
    int32_t* starts, real* x,
) noexcept nogil:
    """The entries of one sample, whose y is at that place."""
    cdef uint64_t used
    cdef Py_ssize_t first = 0, b, e
    while first < blocks:
        used = used_blocks(<const uint8_t*> (row + first * BLOCK),
                           min(blocks - first, BLOCKS_AT_ONCE), BLOCK * sizeof(source))
        while used:
            b = first + lowest_bit(used)
            used &= used - 1
            e = bounds[2 * b + 1]
            bounds[2 * b + 1] = <int32_t> (e + 1)
            starts[e] = <int32_t> place
            put_entry[source, real](row + b * BLOCK, BLOCK, scale, x, e)
        first += BLOCKS_AT_ONCE


cdef inline void add_last(
    const source* last, Py_ssize_t n, Py_ssize_t place, real scale, int32_t* bounds,
    int32_t* starts, real* x,
) noexcept nogil:
    """The same of the n inputs at the end, which are blocks of one."""
    cdef Py_ssize_t b, e
    for b in range(n):
        e = bounds[2 * b + 1]
        starts[e] = <int32_t> place
        put_entry[source, real](last + b, 1, scale, x, e)
        bounds[2 * b + 1] += last[b] != 0


cdef inline void add_by_sixteen(
    const uint8_t* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t start,
    Py_ssize_t n, Py_ssize_t y_row, int32_t* bounds, int32_t* starts, uint8_t* codes,
) noexcept nogil:
    """The entries of n samples' whole blocks."""
    cdef const uint8_t* rows[SIXTEEN]
    cdef Py_ssize_t done = 0, count, i
    while done < n:
        count = min(n - done, <Py_ssize_t> SIXTEEN)
        for i in range(count):
            rows[i] = data + samples[start + done + i] * columns
        for i in range(done + count, min(done + count + SIXTEEN, n)):
            fetch_nearest(data + samples[start + i] * columns, columns)
        take_sixteen(rows, <int> count, columns // BLOCK, <int32_t> ((start + done) * y_row),
                     <int32_t> y_row, bounds, starts, codes)
        done += count


cdef inline void gather_blocks(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t y_row, real scale, int32_t* bounds, int32_t* starts, real* x,
) noexcept nogil:
    """The entries of one chunk: of n samples from number `start` on."""
    cdef const source* row
    cdef Py_ssize_t b, r, whole = columns // BLOCK, blocks = blocks_of(columns)
    cdef bint together = source is uint8_t and TAKES_SIXTEEN and n >= FEWEST_TOGETHER
    for b in range(blocks):
        bounds[2 * b] = bounds[2 * b + 1] = <int32_t> (b * n)
    if source is uint8_t and together:
        add_by_sixteen(data, columns, samples, start, n, y_row, bounds, starts, <uint8_t*> x)
    for r in range(0 if together and whole == blocks else n):
        row = data + samples[start + r] * columns
        if not together:
            if r + ROWS_AHEAD < n:
                fetch_nearest(<const uint8_t*> (data + samples[start + r + ROWS_AHEAD] * columns),
                              columns * sizeof(source))
            add_sample[source, real](row, whole, (start + r) * y_row, scale, bounds, starts, x)
        add_last[source, real](row + whole * BLOCK, blocks - whole, (start + r) * y_row, scale,
                               bounds + 2 * whole, starts, x)


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
