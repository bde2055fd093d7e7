"""Dense layers of few outputs, of which a row of W leaves most lanes of its vector without work.

Here lanes are inputs where gradients are summed, and samples where outputs are. Every sum runs in
the order in which panels' tiles run it, and has the same bits.
"""

from tile cimport MOST_LANES, dvec, fvec, pinned, real, times, vec
from turned cimport turn_square
from widths cimport lanes_of

cdef enum:
    NARROW = 4  # outputs at most
    DEEP = 16  # inputs for each output at least: fewer rows of W are soon done as they lie
    SUMS_NEAR = 8  # vectors of a gradient, in registers
    SUMS_AT_ONCE = SUMS_NEAR * MOST_LANES  # numbers


cdef inline bint is_narrow(
    Py_ssize_t layer, Py_ssize_t inputs, Py_ssize_t outputs, const real* _real,
) noexcept nogil:
    """Whether a dense layer, behind the first, has so few outputs that this pays."""
    return layer > 0 and inputs >= DEEP * outputs and outputs <= min(
        <Py_ssize_t> NARROW, lanes_of[real](_real) // 4)


cdef inline Py_ssize_t inputs_at_once(Py_ssize_t outputs, const real* _real) noexcept nogil:
    """How many inputs' sums are in registers together."""
    return SUMS_NEAR // outputs * lanes_of[real](_real)


cdef inline Py_ssize_t gradient_row(
    Py_ssize_t inputs, Py_ssize_t outputs, const real* _real,
) noexcept nogil:
    """From one output to the next of a gradient that is turned over: whole parts of add_products.

    All of it takes no more room than W, whose rows are vectors.
    """
    cdef Py_ssize_t part = inputs_at_once[real](outputs, _real)
    return (inputs + part - 1) // part * part


cdef inline void _forward_block(
    Py_ssize_t outputs, Py_ssize_t depth, const real* x, Py_ssize_t x_row, const real* w,
    Py_ssize_t w_row, const real* b, real* y, Py_ssize_t y_row, const vec* _vec,
) noexcept nogil:
    """As many samples as a vector has lanes, of so many outputs (a constant)."""
    cdef vec acc[NARROW]
    cdef vec square[MOST_LANES]
    cdef real column[MOST_LANES]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), k = 0, i, j
    for j in range(outputs):
        for i in range(lanes):
            column[i] = b[j] if b != NULL else 0
        acc[j] = (<const vec*> &column[0])[0]
    while k < depth:
        turn_square[real, vec](lanes, lanes, x + k, x_row, <real*> &square[0], lanes, _vec)
        for i in range(min(lanes, depth - k)):
            for j in range(outputs):
                acc[j] = acc[j] + times(w[(k + i) * w_row + j], square[i])
        k += lanes
    for j in range(outputs):
        (<vec*> &column[0])[0] = acc[j]
        for i in range(lanes):
            y[i * y_row + j] = column[i]


cdef inline void _forward_blocks(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* w, Py_ssize_t w_row, const real* b, real* y, Py_ssize_t y_row, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), r = 0
    while r < n:
        if outputs == 1:
            _forward_block[real, vec](1, depth, x, x_row, w, w_row, b, y, y_row, v)
        elif outputs == 2:
            _forward_block[real, vec](2, depth, x, x_row, w, w_row, b, y, y_row, v)
        elif outputs == 3:
            _forward_block[real, vec](3, depth, x, x_row, w, w_row, b, y, y_row, v)
        else:
            _forward_block[real, vec](4, depth, x, x_row, w, w_row, b, y, y_row, v)
        x += lanes * x_row
        y += lanes * y_row
        r += lanes


cdef inline void _forward(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* w, Py_ssize_t w_row, const real* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    if real is float:
        _forward_blocks[float, fvec](outputs, n, depth, x, x_row, w, w_row, b, y, y_row, NULL)
    else:
        _forward_blocks[double, dvec](outputs, n, depth, x, x_row, w, w_row, b, y, y_row, NULL)


# Functions of their own, through pointers that the compiler cannot see through: see stages.pxd.
ctypedef void (*forward_function)(
    Py_ssize_t, Py_ssize_t, Py_ssize_t, const real*, Py_ssize_t, const real*, Py_ssize_t,
    const real*, real*, Py_ssize_t) noexcept nogil


cdef inline Py_ssize_t forward(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* w, Py_ssize_t w_row, const real* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    """y = x @ w + b for the first of n samples, as many as fill vectors; returns their number.

    b may be NULL, for zero. x is read a few columns beyond its last, where there is more of it.
    """
    cdef Py_ssize_t lanes = lanes_of[real](x), whole = n // lanes * lanes
    cdef forward_function function = _forward[real]
    if whole:
        (<forward_function> pinned(<const void*> function))(
            outputs, whole, depth, x, x_row, w, w_row, b, y, y_row)
    return whole


cdef inline void _add_part(
    Py_ssize_t outputs, Py_ssize_t n, const real* x, Py_ssize_t x_row, const real* dy,
    Py_ssize_t dy_row, real* sums, Py_ssize_t sums_row, const vec* _vec,
) noexcept nogil:
    """inputs_at_once of add_products, of so many outputs (a constant)."""
    cdef vec acc[NARROW][SUMS_NEAR]
    cdef const vec* x_vec
    cdef Py_ssize_t vectors = SUMS_NEAR // outputs, r, j, v
    for j in range(outputs):
        for v in range(vectors):
            acc[j][v] = (<const vec*> (sums + j * sums_row))[v]
    for r in range(n):
        x_vec = <const vec*> (x + r * x_row)
        for j in range(outputs):
            for v in range(vectors):
                acc[j][v] = acc[j][v] + times(dy[r * dy_row + j], x_vec[v])
    for j in range(outputs):
        for v in range(vectors):
            (<vec*> (sums + j * sums_row))[v] = acc[j][v]


cdef inline void _add_products(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* dy, Py_ssize_t dy_row, real* sums, Py_ssize_t sums_row, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t k = 0
    while k < depth:
        if outputs == 1:
            _add_part[real, vec](1, n, x + k, x_row, dy, dy_row, sums + k, sums_row, v)
        elif outputs == 2:
            _add_part[real, vec](2, n, x + k, x_row, dy, dy_row, sums + k, sums_row, v)
        elif outputs == 3:
            _add_part[real, vec](3, n, x + k, x_row, dy, dy_row, sums + k, sums_row, v)
        else:
            _add_part[real, vec](4, n, x + k, x_row, dy, dy_row, sums + k, sums_row, v)
        k += SUMS_NEAR // outputs * <Py_ssize_t> (sizeof(vec) // sizeof(real))


cdef inline void _add(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* dy, Py_ssize_t dy_row, real* sums, Py_ssize_t sums_row,
) noexcept nogil:
    if real is float:
        _add_products[float, fvec](outputs, n, depth, x, x_row, dy, dy_row, sums, sums_row, NULL)
    else:
        _add_products[double, dvec](outputs, n, depth, x, x_row, dy, dy_row, sums, sums_row, NULL)


ctypedef void (*add_function)(
    Py_ssize_t, Py_ssize_t, Py_ssize_t, const real*, Py_ssize_t, const real*, Py_ssize_t, real*,
    Py_ssize_t) noexcept nogil


cdef inline void add_products(
    Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t depth, const real* x, Py_ssize_t x_row,
    const real* dy, Py_ssize_t dy_row, real* sums, Py_ssize_t sums_row,
) noexcept nogil:
    """sums (outputs, depth) += dyᵀ @ x of n samples: the gradient, turned over.

    What lies behind its last column, up to gradient_row's, is overwritten: by what lies behind x's.
    """
    cdef add_function function = _add[real]
    (<add_function> pinned(<const void*> function))(
        outputs, n, depth, x, x_row, dy, dy_row, sums, sums_row)


cdef inline void take_column(
    const real* w, Py_ssize_t w_row, Py_ssize_t n, real* column,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        column[i] = w[i * w_row]


cdef inline void put_column(
    const real* column, Py_ssize_t n, real* w, Py_ssize_t w_row,
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        w[i * w_row] = column[i]
