"""The register tiles: the only places where matrix products are computed.

A plain C array of floats stays in memory; with the vector extension of GCC and Clang an array of
vectors stays in registers, in pure Cython, with no intrinsics. fvec and dvec are VECTOR_BYTES of
floats or doubles: Cython takes them for scalars, C computes all their lanes. Where the extension
is missing they are scalars indeed, and everything here still holds.

Every sum runs in one fixed order (depth ascending), so no result depends on who computes it.
"""

from libc.string cimport memset

cdef extern from *:
    """
    #ifndef VECTOR_BYTES
    #define VECTOR_BYTES 16  /* setup.py sets it for each CPU level */
    #endif
    #if defined(__GNUC__)
    typedef float fvec __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    typedef double dvec __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
    #define times(a, v) ((__typeof__((v)[0])) (a) * (v))
    #else
    typedef float fvec;
    typedef double dvec;
    #define times(a, v) ((a) * (v))
    #endif
    /* 32 vector registers hold 8 x 2 sums and 4 x 4 dot products; 16 hold 4 x 3 and 4 x 2 */
    enum { ROWS = VECTOR_BYTES == 64 ? 8 : 4, VECTORS = VECTOR_BYTES == 64 ? 2 : 3,
           DOT_ROWS = 4, DOT_COLUMNS = VECTOR_BYTES == 64 ? 4 : 2 };
    """
    ctypedef float fvec
    ctypedef double dvec
    double times(double a, double v) noexcept nogil  # a scalar times a vector, lane by lane
    enum:
        ROWS
        VECTORS
        DOT_ROWS
        DOT_COLUMNS

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
    const vec* b, Py_ssize_t b_depth, const vec* start,
    vec* c, Py_ssize_t c_row,
) noexcept nogil:
    """c[i, :] = start[:] + sum over k of a[i, k] * b[k, :], `rows` by `vectors` of it.

    All strides count elements. start may be NULL (zero). rows <= ROWS and vectors <= VECTORS are
    constants at every call, so that the C compiler unrolls their loops and keeps acc in registers.
    """
    cdef vec acc[ROWS][VECTORS]
    cdef const vec* b_row
    cdef vec* c_vec
    cdef Py_ssize_t i, j, k
    memset(&acc, 0, sizeof(acc))
    if start != NULL:
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = start[j]
    for k in range(depth):
        b_row = <const vec*> (<const real*> b + k * b_depth)
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = acc[i][j] + times(a[i * a_row + k * a_depth], b_row[j])
    for i in range(rows):
        c_vec = <vec*> (<real*> c + i * c_row)
        for j in range(vectors):
            c_vec[j] = acc[i][j]


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
    const real* a, const real* b, real* c, Py_ssize_t c_row, const vec* _vec,
) noexcept nogil:
    """c[i, j] = sum over k of a[i, k] * b[j, k], for `rows` rows of a and `columns` rows of b.

    Rows of a and b are `depth` elements apart. rows <= DOT_ROWS and columns <= DOT_COLUMNS are
    constants at every call. _vec is never read: it tells Cython which vector type is meant.
    """
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real)
    cdef vec acc[DOT_ROWS][DOT_COLUMNS]
    cdef real total
    cdef Py_ssize_t i, j, k, whole = depth // lanes
    memset(&acc, 0, sizeof(acc))
    for k in range(whole):
        for i in range(rows):
            for j in range(columns):
                acc[i][j] = acc[i][j] + (
                    (<const vec*> (a + i * depth))[k] * (<const vec*> (b + j * depth))[k])
    for i in range(rows):
        for j in range(columns):
            total = 0
            for k in range(lanes):
                total += (<real*> &acc[i][j])[k]
            for k in range(whole * lanes, depth):
                total += a[i * depth + k] * b[j * depth + k]
            c[i * c_row + j] = total
