"""Products with sparse data, in registers; and one panel of the first layer's W by them.

An input that is zero adds nothing forward and has no gradient: so data that are mostly zeros come
as entries (see batch.pxd), and forward and update go over W block by block.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memset

from numbers cimport BLOCK
from tile cimport SPARSE_VECTORS, VECTORS, pinned, real, times, vec, within


cdef inline real value_of(
    const void* x, Py_ssize_t place, const real* codes,
) noexcept nogil:
    """Of an entry of sparse data."""
    if codes != NULL:
        return codes[(<const uint8_t*> x)[place]]
    return (<const real*> x)[place]


cdef inline void tile_sparse(
    Py_ssize_t rows, Py_ssize_t vectors, bint clips, double most, double lr, vec* w,
    Py_ssize_t w_row, const real* codes,
    Py_ssize_t u, Py_ssize_t u_end, const int32_t* u_starts, const void* u_x, const real* step,
    Py_ssize_t f, Py_ssize_t f_end, const int32_t* f_starts, const void* f_x, real* y,
) noexcept nogil:
    """`rows` rows of w (1 or BLOCK) by `vectors` (up to SPARSE_VECTORS), both constants at every
    call, as is clips, which stay in registers while

    w += x[e]ᵀ * step[starts[e]:] for every entry e from u to u_end, and with the w that results
    y[starts[e]:] += x[e] * w for every entry from f to f_end. x has BLOCK values an entry, or bytes
    that stand for those in codes, unless that is NULL: a constant too, as far as that goes. If it
    clips, step is dy, and w gets -lr times their sum, each number of which is cut to ±most.
    """
    cdef vec acc[BLOCK][SPARSE_VECTORS]
    cdef vec sums[SPARSE_VECTORS]
    cdef const vec* step_vec
    cdef vec* w_vec = <vec*> pinned(w)
    cdef vec* y_vec
    cdef Py_ssize_t i, j, e
    if clips and u < u_end:
        memset(&acc, 0, sizeof(acc))  # not in general: it would keep acc out of the registers
    else:
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = (<vec*> (<real*> w_vec + i * w_row))[j]
    for e in range(u, u_end):
        step_vec = <const vec*> pinned(step + u_starts[e])
        for i in range(rows):
            for j in range(vectors):
                acc[i][j] = acc[i][j] + times(
                    value_of[real](u_x, e * BLOCK + i, codes), step_vec[j])
    if u < u_end:
        for i in range(rows):
            for j in range(vectors):
                if clips:
                    acc[i][j] = (<vec*> (<real*> w_vec + i * w_row))[j] + times(
                        -lr, within[vec](acc[i][j], most))
                (<vec*> (<real*> w_vec + i * w_row))[j] = acc[i][j]
    for e in range(f, f_end):
        y_vec = <vec*> pinned(y + f_starts[e])
        for j in range(vectors):
            sums[j] = y_vec[j]
        for i in range(rows):
            for j in range(vectors):
                sums[j] = sums[j] + times(value_of[real](f_x, e * BLOCK + i, codes), acc[i][j])
        for j in range(vectors):
            y_vec[j] = sums[j]


cdef inline void sparse_block(
    Py_ssize_t rows, Py_ssize_t vectors, bint clips, double most, double lr, vec* w,
    Py_ssize_t width, const real* codes,
    Py_ssize_t u, Py_ssize_t u_end, const int32_t* u_starts, const void* u_x, const real* step,
    Py_ssize_t f, Py_ssize_t f_end, const int32_t* f_starts, const void* f_x, real* y,
) noexcept nogil:
    """tile_sparse for `rows` (1 or BLOCK, a constant) of one panel."""
    cdef Py_ssize_t j = 0
    while j < vectors:  # SPARSE_VECTORS are a panel or half of it
        if vectors <= VECTORS:
            tile_sparse[vec, real](rows, VECTORS, clips, most, lr, w + j, width, codes,
                                   u, u_end, u_starts, u_x, <const real*> (<vec*> step + j),
                                   f, f_end, f_starts, f_x, <real*> (<vec*> y + j))
        else:
            tile_sparse[vec, real](rows, SPARSE_VECTORS, clips, most, lr, w + j, width, codes,
                                   u, u_end, u_starts, u_x, <const real*> (<vec*> step + j),
                                   f, f_end, f_starts, f_x, <real*> (<vec*> y + j))
        j += SPARSE_VECTORS


cdef inline Py_ssize_t row_of_block(Py_ssize_t block, Py_ssize_t whole) noexcept nogil:
    """The first row of W that is a block's, of which those from `whole` on are blocks of one."""
    return block * BLOCK if block < whole else whole * (BLOCK - 1) + block


cdef inline void sparse_panel(
    Py_ssize_t first, Py_ssize_t last, Py_ssize_t whole, Py_ssize_t vectors, Py_ssize_t width, bint clips,
    double most, double lr, vec* w, const real* codes,
    const int32_t* u_bounds, const int32_t* u_starts, const void* u_x, const real* step,
    const int32_t* f_bounds, const int32_t* f_starts, const void* f_x, real* y,
) noexcept nogil:
    """w += uᵀ @ step, and then y += f @ w, for the columns of one panel, and the blocks first..last,
    of which those from `whole` on are blocks of one. w is their rows alone. See tile_sparse.

    u and f are chunks of sparse batches; bounds NULL stands for none. Both at once let W pass
    through the nearest cache once a step: the update of a batch, and the forward of the next.

    The blocks of one panel after another, not the panels of one block: that would spare the
    processor wrong guesses of where a block's entries end, but it would fetch ahead along that
    stride, into panels that another thread is writing. Two threads were half as fast.
    """
    cdef Py_ssize_t block, row
    cdef Py_ssize_t u = 0, u_end = 0, f = 0, f_end = 0
    cdef vec* tile
    for block in range(first, last):
        if u_bounds != NULL:
            u, u_end = u_bounds[2 * block], u_bounds[2 * block + 1]
        if f_bounds != NULL:
            f, f_end = f_bounds[2 * block], f_bounds[2 * block + 1]
        if u == u_end and f == f_end:
            continue
        row = row_of_block(block, whole) - row_of_block(first, whole)
        tile = <vec*> (<real*> w + row * width)
        if block < whole:
            sparse_block[vec, real](BLOCK, vectors, clips, most, lr, tile, width, codes,
                                    u, u_end, u_starts, u_x, step, f, f_end, f_starts, f_x, y)
        else:  # the last inputs, if they fill no block, are blocks of one
            sparse_block[vec, real](1, vectors, clips, most, lr, tile, width, codes,
                                    u, u_end, u_starts, u_x, step, f, f_end, f_starts, f_x, y)
