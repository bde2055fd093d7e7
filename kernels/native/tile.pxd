"""The register tiles: with those of sparse_tiles.pxd the only places where matrix products are
computed.

A plain C array of floats stays in memory; with the vector extension of GCC and Clang an array of
vectors stays in registers, in pure Cython, with no intrinsics. fvec and dvec are VECTOR_BYTES of
floats or doubles: Cython takes them for scalars, C computes all their lanes. Where the extension
is missing they are scalars indeed, and everything here still holds.

Every sum runs in one fixed order (depth ascending), so no result depends on who computes it.
"""

from libc.string cimport memset

from numbers cimport BLOCK

cdef extern from *:
    """
    #ifndef VECTOR_BYTES
    #define VECTOR_BYTES 16  /* setup.py sets it for each CPU level */
    #endif
    #if defined(__GNUC__)
    typedef float fvec __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    typedef double dvec __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
    #define times(a, v) ((__typeof__((v)[0])) (a) * (v))
    #define less(v, a) ((v) - (__typeof__((v)[0])) (a))
    /* p, whose history the compiler shall not know: else it spreads one address over registers */
    #define pinned(p) ({ const void *pinned_ = (p); __asm__("" : "+r"(pinned_)); pinned_; })

    /* Sums of lanes: each function adds two halves of every group of lanes, of two vectors at once,
       until a group is one lane. The order is the same for 4 vectors and for 16. */
    typedef float quarter __attribute__((vector_size(16), aligned(4), may_alias));
    #if VECTOR_BYTES == 64
    static inline fvec fold16(fvec a, fvec b) {
        return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
             + __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15,
                                       24, 25, 26, 27, 28, 29, 30, 31);
    }
    static inline fvec fold8(fvec a, fvec b) {
        return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11,
                                       16, 17, 18, 19, 24, 25, 26, 27)
             + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15,
                                       20, 21, 22, 23, 28, 29, 30, 31);
    }
    static inline fvec fold4(fvec a, fvec b) {
        return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13,
                                       16, 17, 20, 21, 24, 25, 28, 29)
             + __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15,
                                       18, 19, 22, 23, 26, 27, 30, 31);
    }
    static inline fvec fold2(fvec a, fvec b) {
        return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14,
                                       16, 18, 20, 22, 24, 26, 28, 30)
             + __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15,
                                       17, 19, 21, 23, 25, 27, 29, 31);
    }
    static inline fvec fold_row(fvec a, fvec b, fvec c, fvec d) {
        return fold8(fold16(a, b), fold16(c, d));
    }
    static inline void fsum4(const fvec *v, float *out) {
        fvec s = fold_row(v[0], v[1], v[2], v[3]);  /* the same pairs as fold4 and fold2 add */
        s += __builtin_shufflevector(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
        s += __builtin_shufflevector(s, s, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
        *(quarter *) out = __builtin_shufflevector(s, s, 0, 4, 8, 12);
    }
    /* Four rows of four sums each, `row` elements apart, from their folded rows. */
    static inline void fsum16(fvec a, fvec b, fvec c, fvec d, float *out, Py_ssize_t row) {
        fvec s = fold2(fold4(a, b), fold4(c, d));
        for (int i = 0; i < 4; i++) *(quarter *) (out + i * row) = ((const quarter *) &s)[i];
    }
    #else
    #define fold_row(a, b, c, d) (a)
    #define fsum16(a, b, c, d, out, row) ((void) 0)
    static inline void fsum4(const fvec *v, float *out) {
        quarter s[4];
        for (int i = 0; i < 4; i++) {
            s[i] = ((const quarter *) &v[i])[0];
            for (int j = 1; j < VECTOR_BYTES / 16; j++) s[i] += ((const quarter *) &v[i])[j];
        }
        quarter a = __builtin_shufflevector(s[0], s[1], 0, 4, 1, 5)
                  + __builtin_shufflevector(s[0], s[1], 2, 6, 3, 7);
        quarter b = __builtin_shufflevector(s[2], s[3], 0, 4, 1, 5)
                  + __builtin_shufflevector(s[2], s[3], 2, 6, 3, 7);
        *(quarter *) out = __builtin_shufflevector(a, b, 0, 1, 4, 5)
                         + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    }
    #endif
    /* out[i] = the sum of v[i]'s lanes, for four vectors */
    static inline void dsum4(const dvec *v, double *out) {
        typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));
        pair s[4];
        for (int i = 0; i < 4; i++) {
            s[i] = ((const pair *) &v[i])[0];
            for (int j = 1; j < VECTOR_BYTES / 16; j++) s[i] += ((const pair *) &v[i])[j];
        }
        for (int i = 0; i < 4; i += 2)
            *(pair *) (out + i) = __builtin_shufflevector(s[i], s[i + 1], 0, 2)
                                + __builtin_shufflevector(s[i], s[i + 1], 1, 3);
    }
    /* v into -most..most; NaN stays NaN */
    #define WITHIN(name, vec, real) \
        static inline vec name(vec v, real most) { \
            vec top = most + (vec) {0}, bottom = -top; \
            __typeof__(v > top) out = v > top; \
            v = (vec) ((out & (__typeof__(out)) top) | (~out & (__typeof__(out)) v)); \
            out = v < bottom; \
            return (vec) ((out & (__typeof__(out)) bottom) | (~out & (__typeof__(out)) v)); \
        }
    WITHIN(fwithin, fvec, float)
    WITHIN(dwithin, dvec, double)
    #else
    typedef float fvec;
    typedef double dvec;
    #define fwithin(v, most) ((v) > (most) ? (most) : (v) < -(most) ? -(most) : (v))
    #define dwithin(v, most) fwithin(v, most)
    #define times(a, v) ((a) * (v))
    #define less(v, a) ((v) - (a))
    #define pinned(p) (p)
    #define fsum4(v, out) memcpy(out, v, 4 * sizeof(float))
    #define fold_row(a, b, c, d) (a)
    #define fsum16(a, b, c, d, out, row) ((void) 0)
    #define dsum4(v, out) memcpy(out, v, 4 * sizeof(double))
    #endif
    /* 32 vector registers hold 8 x 2 sums and 4 x 4 dot products; 16 hold 4 x 3 and 2 x 4 */
    enum { ROWS = VECTOR_BYTES == 64 ? 8 : 4, VECTORS = VECTOR_BYTES == 64 ? 2 : 3,
           DOT_ROWS = VECTOR_BYTES == 64 ? 4 : 2, FOLDED_ROWS = VECTOR_BYTES == 64 ? 4 : 0,
           SUMS_TOO = VECTOR_BYTES == 64 };
    enum { DOT_COLUMNS = 4, PANEL = 2 * VECTORS, MOST_LANES = VECTOR_BYTES / 4 };
    enum { FEW = 4 };
    enum { SPARSE_VECTORS = VECTOR_BYTES == 64 ? 4 : 3 };
    """
    ctypedef float fvec
    ctypedef double dvec
    double times(double a, double v) noexcept nogil  # a scalar times a vector, lane by lane
    double less(double v, double a) noexcept nogil  # a vector less a scalar
    const void* pinned(const void* p) noexcept nogil
    void fsum4(const fvec* v, float* out) noexcept nogil
    fvec fold_row(fvec a, fvec b, fvec c, fvec d) noexcept nogil
    void fsum16(fvec a, fvec b, fvec c, fvec d, float* out, Py_ssize_t row) noexcept nogil
    void dsum4(const dvec* v, double* out) noexcept nogil
    fvec fwithin(fvec v, float most) noexcept nogil
    dvec dwithin(dvec v, double most) noexcept nogil
    enum:
        MOST_LANES  # of the vector with the most: floats
        PANEL  # vectors in a row of the engine's panels
        ROWS
        VECTORS
        DOT_ROWS
        DOT_COLUMNS
        FOLDED_ROWS  # of dot products that are summed together: 0 for none
        SUMS_TOO  # whether registers hold the sums of tile_add beside a tile
        FEW  # samples whose dx and update together take one pass over W
        SPARSE_VECTORS  # PANEL or half of it

ctypedef fused real:
    float
    double

# real and vec always go together: float with fvec, double with dvec.
ctypedef fused vec:
    fvec
    dvec


cdef inline void tile_multiply(
    Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t depth,
    const real* a, Py_ssize_t a_row, Py_ssize_t a_depth,
    const vec* b, Py_ssize_t b_depth, const vec* start, Py_ssize_t start_row,
    vec* c, Py_ssize_t c_row,
) noexcept nogil:
    """c[i, :] = start[i, :] + sum over k of a[i, k] * b[k, :], `rows` by `vectors` of it.

    All strides count elements. start may be NULL (zero), or c itself (accumulate). rows <= ROWS
    and vectors <= VECTORS are constants at every call, so that the C compiler unrolls their loops
    and keeps acc in registers.
    """
    cdef vec acc[ROWS][VECTORS]
    cdef const vec* b_row
    cdef Py_ssize_t i, j, k
    memset(&acc, 0, sizeof(acc))
    if start != NULL:
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = (<const vec*> (<const real*> start + i * start_row))[j]
    for k in range(depth):
        b_row = <const vec*> (<const real*> b + k * b_depth)
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = acc[i][j] + times(a[i * a_row + k * a_depth], b_row[j])
    for i in range(rows):
        for j in range(vectors):
            (<vec*> (<real*> c + i * c_row))[j] = acc[i][j]


cdef inline void tile_add(
    Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t depth, const real* a, Py_ssize_t a_depth,
    const vec* b, Py_ssize_t b_depth, const vec* start, vec* c, Py_ssize_t c_row, vec* sums,
) noexcept nogil:
    """c[i, :] = start[i, :] + sum over k of a[k, i] * b[k, :], as by tile_multiply, with c_row for
    start too; and sums = that of b[k, :].
    """
    cdef vec acc[ROWS][VECTORS]
    cdef vec total[VECTORS]
    cdef const vec* b_row
    cdef Py_ssize_t i, j, k
    memset(&total, 0, sizeof(total))
    memset(&acc, 0, sizeof(acc))
    if start != NULL:
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = (<const vec*> (<const real*> start + i * c_row))[j]
    for k in range(depth):
        b_row = <const vec*> (<const real*> b + k * b_depth)
        for j in range(vectors):
            total[j] = total[j] + b_row[j]
            for i in range(rows):
                acc[i][j] = acc[i][j] + times(a[k * a_depth + i], b_row[j])
    for j in range(vectors):
        sums[j] = total[j]
        for i in range(rows):
            (<vec*> (<real*> c + i * c_row))[j] = acc[i][j]


cdef inline vec within(vec v, double most) noexcept nogil:
    """v into -most..most; NaN stays NaN."""
    if vec is fvec:
        return fwithin(v, <float> most)
    else:
        return dwithin(v, most)


cdef inline void tile_multiply_edge(
    Py_ssize_t rows, Py_ssize_t depth,
    const real* a, Py_ssize_t a_row, Py_ssize_t a_depth,
    const real* b, Py_ssize_t b_depth, const real* start,
    real* c, Py_ssize_t c_row,
) noexcept nogil:
    """tile_multiply for one column: the columns at the right edge that fill no vector."""
    cdef real acc[ROWS]
    cdef Py_ssize_t i, k
    for i in range(rows):
        acc[i] = start[0] if start != NULL else 0
    for k in range(depth):
        for i in range(rows):
            acc[i] += a[i * a_row + k * a_depth] * b[k * b_depth]
    for i in range(rows):
        c[i * c_row] = acc[i]


cdef inline void tile_dot(
    Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t depth,
    const vec* a, Py_ssize_t a_row, Py_ssize_t a_panel,
    const vec* b, Py_ssize_t b_row, Py_ssize_t b_panel,
    Py_ssize_t panels, Py_ssize_t rest, real* c, Py_ssize_t c_row,
) noexcept nogil:
    """c[i, j] = sum over p, k of a[p, i, k] * b[p, j, k], `rows` rows of a by `columns` of b.

    k runs over `depth` whole vectors of each panel p, and over `rest` of one more panel; strides
    count elements. rows <= DOT_ROWS and columns <= DOT_COLUMNS are constants at every call.
    """
    cdef vec acc[DOT_ROWS][DOT_COLUMNS]
    cdef vec row[DOT_COLUMNS]
    cdef real sums[DOT_COLUMNS]
    cdef const real* a_start = <const real*> a
    cdef const real* b_start = <const real*> b
    cdef Py_ssize_t i, j, k, p
    memset(&acc, 0, sizeof(acc))
    for p in range(panels):
        for k in range(depth):
            for i in range(rows):
                for j in range(columns):
                    acc[i][j] = acc[i][j] + (
                        (<const vec*> (a_start + i * a_row))[k]
                        * (<const vec*> (b_start + j * b_row))[k])
        a_start += a_panel
        b_start += b_panel
    for k in range(rest):
        for i in range(rows):
            for j in range(columns):
                acc[i][j] = acc[i][j] + (
                    (<const vec*> (a_start + i * a_row))[k]
                    * (<const vec*> (b_start + j * b_row))[k])
    if vec is fvec and rows == FOLDED_ROWS and columns == DOT_COLUMNS:
        fsum16(fold_row(acc[0][0], acc[0][1], acc[0][2], acc[0][3]),
               fold_row(acc[1][0], acc[1][1], acc[1][2], acc[1][3]),
               fold_row(acc[2][0], acc[2][1], acc[2][2], acc[2][3]),
               fold_row(acc[3][0], acc[3][1], acc[3][2], acc[3][3]), <float*> c, c_row)
        return
    for i in range(rows):
        for j in range(DOT_COLUMNS):
            row[j] = acc[i][j]  # a copy: an array whose address is taken leaves the registers
        if vec is fvec:
            fsum4(&row[0], <float*> &sums[0])
        else:
            dsum4(&row[0], <double*> &sums[0])
        for j in range(columns):
            c[i * c_row + j] = sums[j]


cdef inline void tile_backward(
    Py_ssize_t vectors, bint clips, double most, double lr, Py_ssize_t n, const real* x,
    Py_ssize_t x_row, const real* dy,
    const real* step, Py_ssize_t dy_row, vec* w, Py_ssize_t w_row, vec* dots, Py_ssize_t dots_row,
) noexcept nogil:
    """BLOCK rows of w by `vectors` (up to SPARSE_VECTORS, a constant), which stay in registers
    while

    dots[s, i] += dy[s] * w[i], summed over the vectors but not over lanes, and then
    w[i] += x[s, i] * step[s], for all n samples s. If it clips, a constant too, that is as in
    tile_sparse.
    """
    cdef vec acc[BLOCK][SPARSE_VECTORS]
    cdef vec sums[BLOCK]
    cdef vec* w_vec = <vec*> pinned(w)
    cdef const vec* dy_vec
    cdef Py_ssize_t i, j, s
    for i in range(BLOCK):
        for j in range(vectors):
            acc[i][j] = (<vec*> (<real*> w_vec + i * w_row))[j]
    for s in range(n):
        dy_vec = <const vec*> (dy + s * dy_row)
        for i in range(BLOCK):
            sums[i] = dots[s * dots_row + i]
        for j in range(vectors):
            for i in range(BLOCK):
                sums[i] = sums[i] + dy_vec[j] * acc[i][j]
        for i in range(BLOCK):
            dots[s * dots_row + i] = sums[i]
    if clips:
        memset(&acc, 0, sizeof(acc))
    for s in range(n):
        dy_vec = <const vec*> (step + s * dy_row)
        for i in range(BLOCK):
            for j in range(vectors):
                acc[i][j] = acc[i][j] + times(x[s * x_row + i], dy_vec[j])
    for i in range(BLOCK):
        for j in range(vectors):
            if clips:
                acc[i][j] = (<vec*> (<real*> w_vec + i * w_row))[j] + times(
                    -lr, within[vec](acc[i][j], most))
            (<vec*> (<real*> w_vec + i * w_row))[j] = acc[i][j]


cdef inline void sum_lanes(const vec* v, real* sums) noexcept nogil:
    """sums[i] = the sum of v[i]'s lanes, for four vectors."""
    if vec is fvec:
        fsum4(v, <float*> sums)
    else:
        dsum4(v, <double*> sums)
