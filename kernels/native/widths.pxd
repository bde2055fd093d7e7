"""How wide what tiles read and write is: panels of W, their rows, and rows of y, dy and step."""

from libc.stdint cimport int64_t

from numbers cimport DENSE, KIND, OUTPUTS, WIDTH
from tile cimport PANEL, VECTORS, dvec, fvec, real


cdef inline Py_ssize_t lanes_of(const real* _real) noexcept nogil:
    """How many numbers a vector holds."""
    if real is float:
        return sizeof(fvec) // sizeof(float)
    else:
        return sizeof(dvec) // sizeof(double)


cdef inline Py_ssize_t width_of(Py_ssize_t columns, const real* _real) noexcept nogil:
    """columns rounded up to whole panels."""
    cdef Py_ssize_t panel = panel_width[real](_real)
    return (columns + panel - 1) // panel * panel


cdef inline Py_ssize_t panel_width(const real* _real) noexcept nogil:
    if real is float:
        return PANEL * <Py_ssize_t> (sizeof(fvec) // sizeof(float))
    else:
        return PANEL * <Py_ssize_t> (sizeof(dvec) // sizeof(double))


cdef inline Py_ssize_t vectors_of(Py_ssize_t columns, Py_ssize_t panel) noexcept nogil:
    """How many vectors so many columns take."""
    return (PANEL * columns + panel - 1) // panel


cdef inline Py_ssize_t padded_columns(
    Py_ssize_t layer, Py_ssize_t columns, Py_ssize_t panel,
) noexcept nogil:
    """What tiles read and write of so many columns of y, dy and step: whole vectors.

    Those of some tiles come in VECTORS, or whole panels. A single one is possible behind the first
    layer, whose data may be sparse.
    """
    cdef Py_ssize_t vectors = vectors_of(columns, panel), over = vectors % PANEL
    if over > VECTORS:
        vectors += PANEL - over
    elif over > 1 or over and layer == 0:
        vectors += VECTORS - over
    return vectors * (panel // PANEL)


cdef inline Py_ssize_t weights_width(
    const int64_t* row, Py_ssize_t layer, const real* _real,
) noexcept nogil:
    """What a row's vectors take, or each of the rows of its W: whole panels, or, where W is less
    wide than one, as much of it as tiles reach. So an optimiser finds narrow rows without gaps."""
    cdef Py_ssize_t panel = panel_width[real](_real)
    if row[KIND] == DENSE and row[OUTPUTS] < panel:
        return padded_columns(layer, row[OUTPUTS], panel)
    return width_of[real](row[OUTPUTS], _real)


cdef inline Py_ssize_t weights_row(const int64_t* plan, const real* _real) noexcept nogil:
    """From a row of a panel of W to the next one."""
    return min(panel_width[real](_real), <Py_ssize_t> plan[WIDTH])


cdef inline Py_ssize_t panels_in(const int64_t* plan, const real* _real) noexcept nogil:
    """How many panels W has, or a vector."""
    cdef Py_ssize_t panel = panel_width[real](_real)
    return (plan[WIDTH] + panel - 1) // panel


cdef inline Py_ssize_t row_size(
    Py_ssize_t layer, Py_ssize_t columns, const real* _real,
) noexcept nogil:
    """From a sample's y, dy and step to the next one's.

    Where a panel is a part of each row, rows an even number of cache lines apart would share few
    places of the nearest cache, and a processor that compares the lowest bits of addresses would
    take a row for one that it is still writing.
    """
    cdef Py_ssize_t panel = panel_width[real](_real), line = 64 // <Py_ssize_t> sizeof(real)
    cdef Py_ssize_t size = padded_columns(layer, columns, panel)
    if size > panel and size % (2 * line) < line:
        size += line
    return size
