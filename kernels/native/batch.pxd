"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero.

Sparse data are cut into blocks of BLOCK inputs in a row. An entry is one sample's block that is
not all zero: where the sample's row starts in y, and BLOCK values. Entries lie in chunks of BUNCH
samples and there block by block, so that a tile of W meets all of its samples at once;
bounds[2 * block] and the next say where a block's entries begin and end. Inputs at the end that
fill no block are blocks of one.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from numbers cimport BLOCK, BUNCH, BYTES, FLOATS
from tile cimport real

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define fetch_ahead(p) __builtin_prefetch(p)
    typedef uint32_t four_bytes __attribute__((aligned(1), may_alias));  /* of any numbers */
    typedef uint64_t eight_bytes __attribute__((aligned(1), may_alias));
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
    #else
    #define fetch_ahead(p) ((void) (p))
    typedef uint32_t four_bytes;
    typedef uint64_t eight_bytes;
    static void scale_bytes(const uint8_t *v, float scale, float *x) {
        for (int i = 0; i < 4; i++) x[i] = v[i] * scale;
    }
    #endif
    """
    ctypedef uint32_t four_bytes
    ctypedef uint64_t eight_bytes
    void fetch_ahead(const void* p) noexcept nogil
    void scale_bytes(const uint8_t* v, float scale, float* x) noexcept nogil

cdef enum:
    BLOCKS_AT_ONCE = 256  # of a sample, of which those that are not zero are listed

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
    for r in range(n):
        row = data + samples[r] * columns
        for j in range(columns):
            x[r * columns + j] = <real> row[j] * scale


cdef inline Py_ssize_t used_blocks(
    const source* row, Py_ssize_t first, Py_ssize_t last, int32_t* used,
) noexcept nogil:
    """The blocks first..last that are not all zero; returns how many."""
    cdef const four_bytes* byte_words = <const four_bytes*> row
    cdef const eight_bytes* words = <const eight_bytes*> row
    cdef Py_ssize_t b, count = 0
    for b in range(first, last):  # without a branch, which nobody could foresee
        used[count] = <int32_t> b
        if source is uint8_t:
            count += byte_words[b] != 0
        elif source is float:
            count += (words[2 * b] | words[2 * b + 1]) != 0
        else:
            count += (words[4 * b] | words[4 * b + 1] | words[4 * b + 2] | words[4 * b + 3]) != 0
    return count


cdef inline void gather_blocks(
    const source* data, Py_ssize_t columns, const int64_t* samples, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t y_row, real scale, int32_t* bounds, int32_t* starts, real* x,
) noexcept nogil:
    """The entries of one chunk: of n samples from number `start` on."""
    cdef int32_t used[BLOCKS_AT_ONCE]
    cdef const source* row
    cdef Py_ssize_t first, b, r, i, k, e, whole = columns // BLOCK, blocks = blocks_of(columns)
    for b in range(blocks):
        bounds[2 * b] = bounds[2 * b + 1] = <int32_t> (b * n)
    for r in range(n):
        row = data + samples[start + r] * columns
        first = 0
        while first < whole:
            for k in range(used_blocks[source](row, first, min(whole, first + BLOCKS_AT_ONCE),
                                               &used[0])):
                b = used[k]
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
