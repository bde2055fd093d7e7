"""dx of a dense layer for many samples, where summing lanes would take as long as the products.

W is turned over, so that a lane is an input instead of an output: dx = dy @ wᵀ is the product that
forward computes, by the same tiles.
"""

from libc.string cimport memcpy, memset

cimport panels
from tile cimport MOST_LANES, ROWS, VECTORS, dvec, fvec, real, vec

cdef extern from *:
    """
    #if defined(__GNUC__)
    /* A square is turned over when two of its quarters change places, and two quarters of each
       quarter, and so on: of two rows that are d apart, d lanes in a row go from one to the other.
       TAKEn lists from which lanes of both the first row is made, or if `far` the second. */
    #define TAKEN(l, d, n, far) \
        (((l) & (d) ? (n) + (l) - ((far) ? 0 : (d)) : (l) + ((far) ? (d) : 0)) & (2 * (n) - 1))
    #define TAKE2(l, d, n, far) TAKEN(l, d, n, far), TAKEN((l) + 1, d, n, far)
    #define TAKE4(l, d, n, far) TAKE2(l, d, n, far), TAKE2((l) + 2, d, n, far)
    #define TAKE8(l, d, n, far) TAKE4(l, d, n, far), TAKE4((l) + 4, d, n, far)
    #define TAKE16(l, d, n, far) TAKE8(l, d, n, far), TAKE8((l) + 8, d, n, far)
    #define EXCHANGE(vec, v, d, n) \
        for (int i = 0; i < n; i++) if (!(i & d)) { \
            vec a = v[i], b = v[(i | d) % n]; \
            v[i] = __builtin_shufflevector(a, b, TAKE##n(0, d, n, 0)); \
            v[(i | d) % n] = __builtin_shufflevector(a, b, TAKE##n(0, d, n, 1)); \
        }
    #define TURN(name, vec, n) \
        static inline void name(vec *v) { \
            if (n > 8) EXCHANGE(vec, v, 8, n) \
            if (n > 4) EXCHANGE(vec, v, 4, n) \
            if (n > 2) EXCHANGE(vec, v, 2, n) \
            EXCHANGE(vec, v, 1, n) \
        }
    #if VECTOR_BYTES == 64
    TURN(fturn, fvec, 16)
    TURN(dturn, dvec, 8)
    #elif VECTOR_BYTES == 32
    TURN(fturn, fvec, 8)
    TURN(dturn, dvec, 4)
    #else
    TURN(fturn, fvec, 4)
    TURN(dturn, dvec, 2)
    #endif
    #else
    #define fturn(v) ((void) 0)
    #define dturn(v) ((void) 0)
    #endif
    """
    void fturn(fvec* v) noexcept nogil  # as many vectors as one has lanes
    void dturn(dvec* v) noexcept nogil

cdef enum:
    MOST_TURNED = 512  # columns of W, of which the rows of a tile are turned over at a time
    FEWEST = 8  # samples for which that pays
    COLUMNS_A_SAMPLE = 8  # and there must be one for every so many columns


cdef inline bint pays(Py_ssize_t n, Py_ssize_t columns) noexcept nogil:
    """Whether n samples are enough to turn W over for them."""
    return 0 < columns <= MOST_TURNED and n >= FEWEST and n * COLUMNS_A_SAMPLE >= columns


cdef inline void turn_square(
    Py_ssize_t rows, Py_ssize_t columns, const real* w, Py_ssize_t width, real* turned,
    Py_ssize_t turned_row, const vec* _vec,
) noexcept nogil:
    """turned (columns, rows) = wᵀ, of as many rows and columns as a vector has lanes, or fewer.

    Behind fewer rows are zeros; behind fewer columns w is read, to the end of a vector.
    """
    cdef vec square[MOST_LANES]
    cdef Py_ssize_t i
    if rows < <Py_ssize_t> (sizeof(vec) // sizeof(real)):
        memset(&square, 0, sizeof(square))  # not in general: it would keep it out of the registers
    for i in range(rows):
        square[i] = (<const vec*> (w + i * width))[0]
    if vec is fvec:
        fturn(&square[0])
    else:
        dturn(&square[0])
    for i in range(columns):
        (<vec*> (turned + i * turned_row))[0] = square[i]


cdef inline void turn_corner(
    Py_ssize_t rows, Py_ssize_t columns, const real* w, Py_ssize_t width, real* turned,
    Py_ssize_t turned_row, const vec* _vec,
) noexcept nogil:
    """turn_square of what there is from here on, with constants where that is a whole square."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real)
    if rows >= lanes and columns >= lanes:
        turn_square[real, vec](lanes, lanes, w, width, turned, turned_row, _vec)
    else:
        turn_square[real, vec](
            min(lanes, rows), min(lanes, columns), w, width, turned, turned_row, _vec)


cdef inline void turn_over(
    Py_ssize_t columns, Py_ssize_t count, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    vec* turned,
) noexcept nogil:
    """turned (columns, VECTORS vectors) = wᵀ, of `count` rows; gaps are 0."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), i = 0, j
    cdef const real* corner
    while i < count:
        j = 0
        while j < columns:
            corner = w + j // width * panel_size + i * width + j % width
            turn_corner[real, vec](
                count - i, columns - j, corner, width, <real*> (turned + j * VECTORS),
                VECTORS * lanes, NULL)
            j += lanes
        i += lanes
        turned += 1


cdef inline void last_inputs(
    Py_ssize_t n, Py_ssize_t count, Py_ssize_t columns, const real* dy, Py_ssize_t dy_row,
    const vec* turned, real* dx, Py_ssize_t dx_row,
) noexcept nogil:
    """dx for `count` inputs that fill no vector, behind which is what belongs to others."""
    cdef vec whole[ROWS]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), start = 0, rows, r
    while start < n:
        rows = min(<Py_ssize_t> ROWS, n - start)
        panels.forward_panel[real, vec](rows, 1, columns, dy + start * dy_row, dy_row,
                                        turned, VECTORS * lanes, NULL, <real*> &whole[0], lanes)
        for r in range(rows):
            memcpy(dx + (start + r) * dx_row, &whole[r], count * sizeof(real))
        start += rows


cdef inline void backward_input(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t last, Py_ssize_t columns,
    const real* dy, Py_ssize_t dy_row, const real* w, Py_ssize_t width, Py_ssize_t panel_size,
    real* dx, Py_ssize_t dx_row, const vec* _vec,
) noexcept nogil:
    """dx = dy @ wᵀ for the inputs `first` to `last`, by so many columns of w."""
    cdef vec turned[MOST_TURNED * VECTORS]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), k = first, count, vectors, j
    while k < last:
        count = min(lanes * VECTORS, last - k)
        vectors = count // lanes
        turn_over[real, vec](columns, count, w + k * width, width, panel_size, &turned[0])
        if vectors == VECTORS:
            panels.forward_panel[real, vec](n, VECTORS, columns, dy, dy_row, &turned[0],
                                            lanes * VECTORS, NULL, dx + k, dx_row)
        else:  # one by one: VECTORS of them would reach into what belongs to others
            for j in range(vectors):
                panels.forward_panel[real, vec](n, 1, columns, dy, dy_row, &turned[j],
                                                lanes * VECTORS, NULL, dx + k + j * lanes, dx_row)
        if vectors * lanes < count:
            last_inputs[real, vec](
                n, count - vectors * lanes, columns, dy, dy_row, &turned[vectors],
                dx + k + vectors * lanes, dx_row)
        k += count
