"""A dense layer on rows that are mostly zeros, and lie as they are: without the blocks that are.

Of up to MARKED samples, a bit for each says whether it has anything in a block of BLOCK inputs in a
row; inputs at the end that fill no block are blocks of one. 64 blocks in a row have MARKED words:
those of the first 64 samples, a word a block, and then those of the others.

Sums run in the order in which sparse_tiles.sparse_panel adds entries, and have the same bits.
"""

from libc.stdint cimport uint8_t, uint64_t

from batch cimport blocks_of, fetch_ahead, lowest_bit, source, used_blocks
from numbers cimport BLOCK
from tile cimport SPARSE_VECTORS, VECTORS, dvec, fvec, pinned, real, times, vec

cdef enum:
    MARKED = 128
    LINE = 64  # bytes of the data that are fetched at a time


cdef inline void turn_bits(uint64_t* words) noexcept nogil:
    """Bit c of word r, of 64, becomes bit r of word c: halves change places, then their halves."""
    cdef uint64_t low = 0xFFFFFFFF, moved
    cdef Py_ssize_t half = 32, first, r
    while half:
        first = 0
        while first < 64:
            for r in range(first, first + half):
                moved = ((words[r] >> half) ^ words[r + half]) & low
                words[r] ^= moved << half
                words[r + half] ^= moved
            first += 2 * half
        half //= 2
        low ^= low << half


cdef inline void mark_rows(
    const source* data, Py_ssize_t columns, Py_ssize_t n, uint64_t* marks,
) noexcept nogil:
    """The marks of n samples: found sample by sample, and turned over."""
    cdef Py_ssize_t whole = columns // BLOCK, blocks = blocks_of(columns), r, b
    cdef const source* row = data
    for r in range(MARKED):
        b = 0
        while b < blocks:
            marks[b // 64 * MARKED + r] = used_blocks(
                <const uint8_t*> (row + b * BLOCK), min(whole - b, <Py_ssize_t> 64),
                BLOCK * sizeof(source)) if r < n and b < whole else 0
            b += 64
        for b in range(whole, blocks if r < n else whole):
            if row[whole * (BLOCK - 1) + b] != 0:
                marks[b // 64 * MARKED + r] |= <uint64_t> 1 << b % 64
        row += columns
    b = 0
    while b < blocks:
        turn_bits(marks + b // 64 * MARKED)
        turn_bits(marks + b // 64 * MARKED + 64)
        b += 64


cdef inline void _add_tile(
    Py_ssize_t rows, Py_ssize_t vectors, const vec* w, Py_ssize_t w_row, const uint64_t* marks,
    const real* x, Py_ssize_t x_row, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y += x @ w for the samples that are marked, by `rows` (1 or BLOCK) by `vectors` of w.

    Both are constants at every call: w stays in registers.
    """
    cdef vec tile[BLOCK][SPARSE_VECTORS]
    cdef vec sums[SPARSE_VECTORS]
    cdef const vec* w_vec = <const vec*> pinned(w)
    cdef vec* y_vec
    cdef const real* x_at
    cdef uint64_t left
    cdef Py_ssize_t i, j, half, r
    for i in range(rows):
        for j in range(vectors):
            tile[i][j] = (<const vec*> (<const real*> w_vec + i * w_row))[j]
    for half in range(2):
        left = marks[half * 64]
        while left:
            r = half * 64 + lowest_bit(left)
            left &= left - 1
            y_vec = <vec*> pinned(y + r * y_row)
            x_at = <const real*> pinned(x + r * x_row)
            for j in range(vectors):
                sums[j] = y_vec[j]
            for i in range(rows):
                for j in range(vectors):
                    sums[j] = sums[j] + times(x_at[i], tile[i][j])
            for j in range(vectors):
                y_vec[j] = sums[j]


cdef inline void _add_panel(
    Py_ssize_t inputs, Py_ssize_t vectors, const uint64_t* marks, const real* x, const vec* w,
    Py_ssize_t width, real* y, Py_ssize_t y_row, const uint8_t* coming, Py_ssize_t lines,
) noexcept nogil:
    cdef Py_ssize_t whole = inputs // BLOCK, blocks = blocks_of(inputs), block, row, j, line
    cdef Py_ssize_t fetched = 0
    cdef const uint64_t* place
    cdef const vec* tile
    for block in range(blocks):
        for line in range(fetched, lines * (block + 1) // blocks):
            fetch_ahead(coming + line * LINE)
        fetched = lines * (block + 1) // blocks
        place = marks + block // 64 * MARKED + block % 64
        if not place[0] | place[64]:
            continue
        row = block * BLOCK if block < whole else whole * (BLOCK - 1) + block
        tile = <const vec*> (<const real*> w + row * width)
        j = 0
        while j < vectors:  # as in sparse_tiles.sparse_panel
            if block >= whole and vectors <= VECTORS:
                _add_tile[vec, real](1, VECTORS, tile + j, width, place, x + row, inputs,
                                     <real*> (<vec*> y + j), y_row)
            elif block >= whole:
                _add_tile[vec, real](1, SPARSE_VECTORS, tile + j, width, place, x + row, inputs,
                                     <real*> (<vec*> y + j), y_row)
            elif vectors <= VECTORS:
                _add_tile[vec, real](BLOCK, VECTORS, tile + j, width, place, x + row, inputs,
                                     <real*> (<vec*> y + j), y_row)
            else:
                _add_tile[vec, real](BLOCK, SPARSE_VECTORS, tile + j, width, place, x + row,
                                     inputs, <real*> (<vec*> y + j), y_row)
            j += SPARSE_VECTORS


cdef inline void _add(
    Py_ssize_t inputs, Py_ssize_t vectors, const uint64_t* marks, const real* x, const real* w,
    Py_ssize_t width, real* y, Py_ssize_t y_row, const uint8_t* coming, Py_ssize_t lines,
) noexcept nogil:
    if real is float:
        _add_panel[fvec, float](inputs, vectors, marks, x, <const fvec*> w, width, y, y_row,
                                coming, lines)
    else:
        _add_panel[dvec, double](inputs, vectors, marks, x, <const dvec*> w, width, y, y_row,
                                 coming, lines)


# A function of its own, through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*add_function)(
    Py_ssize_t, Py_ssize_t, const uint64_t*, const real*, const real*, Py_ssize_t, real*,
    Py_ssize_t, const uint8_t*, Py_ssize_t) noexcept nogil


cdef inline void add_panel(
    Py_ssize_t inputs, Py_ssize_t vectors, const uint64_t* marks, const real* x, const real* w,
    Py_ssize_t width, real* y, Py_ssize_t y_row, const uint8_t* coming, Py_ssize_t lines,
) noexcept nogil:
    """y += x @ w for the columns of one panel, whose rows are `width` apart, by marks of x.

    Meanwhile so many lines of data that are needed next are fetched.
    """
    cdef add_function function = _add[real]
    (<add_function> pinned(<const void*> function))(
        inputs, vectors, marks, x, w, width, y, y_row, coming, lines)
