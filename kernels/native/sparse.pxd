"""The first layer on sparse data (see batch.pxd): only blocks of W that meet something."""

from libc.stdint cimport int32_t, int64_t

cimport panels
from batch cimport blocks_of
from clipping cimport panel_within
from numbers cimport BLOCK, BUNCH, CLIP_VALUE, INPUTS, STEP, W, WIDTH, Y, Y_ROW
from program cimport Input, Run, output_columns, rule_of
from tile cimport PANEL, dvec, fvec, pinned, real
from widths cimport padded_columns, panel_width, vectors_of, weights_row


cdef inline void sparse_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors, bint clips,
) noexcept nogil:
    """One chunk of sparse_layer, for the panel that starts at column p; clips is a constant."""
    cdef Py_ssize_t inputs = run.program[INPUTS]
    cdef Py_ssize_t blocks = blocks_of(inputs), row = weights_row[real](run.plan, work)
    cdef Py_ssize_t bound = 2 * blocks * chunk, entry = blocks * BUNCH * chunk
    cdef const int32_t* u_bounds = NULL
    cdef const int32_t* u_starts = NULL
    cdef const real* u_x = NULL
    cdef const int32_t* f_bounds = NULL
    cdef const int32_t* f_starts = NULL
    cdef const real* f_x = NULL
    cdef real* w = work + run.plan[W] + p * inputs
    cdef const real* step = work + run.plan[STEP] + p
    cdef real* y = work + run.plan[Y] + p
    cdef double lr = run.rates.lr * rule_of(run, 0, False).rate, most = run.settings[CLIP_VALUE]
    if done != NULL:
        u_bounds, u_starts = done.bounds + bound, done.starts + entry
        u_x = <const real*> done.x + entry * BLOCK
    if coming != NULL:
        f_bounds, f_starts = coming.bounds + bound, coming.starts + entry
        f_x = <const real*> coming.x + entry * BLOCK
    if real is float:
        panels.sparse_panel[fvec, float](inputs, vectors, row, clips, most, lr, <fvec*> w,
                                         u_bounds, u_starts, u_x, step, f_bounds, f_starts, f_x, y)
    else:
        panels.sparse_panel[dvec, double](inputs, vectors, row, clips, most, lr, <dvec*> w,
                                          u_bounds, u_starts, u_x, step, f_bounds, f_starts, f_x, y)


cdef inline void plain_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors,
) noexcept nogil:
    sparse_chunk[real](run, work, done, coming, chunk, p, vectors, False)


cdef inline void clipping_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors,
) noexcept nogil:
    """The same with a gradient whose numbers are clipped."""
    sparse_chunk[real](run, work, done, coming, chunk, p, vectors, True)


# Through a pointer that the compiler cannot see through (stages.pxd): in a function of their own
# the tiles keep their registers, where in the whole of a step they are moved about.
ctypedef void (*chunk_function)(
    const Run*, real*, const Input*, const Input*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
) noexcept nogil


cdef inline void any_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors,
) noexcept nogil:
    """The one or the other. A chunk that clips is all of its batch: see Size."""
    cdef chunk_function function = plain_chunk[real]
    if (run.settings[CLIP_VALUE] != 0 and done != NULL
            and not panel_within[real](run, 0, work, done.n, p)):
        function = clipping_chunk[real]
    (<chunk_function> pinned(<const void*> function))(run, work, done, coming, chunk, p, vectors)


cdef inline void sparse_layer(
    const Run* run, real* work, const Input* done, const Input* coming,
) noexcept nogil:
    """The first layer on sparse data: its update after one batch, its output for the coming one.

    Either may be NULL. Together they read W once, where both are one chunk. The step of the first
    lies in the plan's scratch.
    """
    cdef const int64_t* plan = run.plan
    cdef const real* b = work + plan[W] + plan[WIDTH] * run.program[INPUTS]
    cdef real* y = work + plan[Y]
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p, r, j, chunk, vectors, count
    cdef Py_ssize_t before = 0 if done == NULL else done.n
    cdef Py_ssize_t after = 0 if coming == NULL else coming.n
    cdef real share = <real> (1 / run.scale)  # of what comes out, as W is stored: see lazy.pxd
    output_columns(run, 0, panel, &first, &last)
    p = first
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        count = min(panel, padded_columns(0, last - p, panel))
        for r in range(after):
            for j in range(p, p + count):
                y[r * plan[Y_ROW] + j] = b[j] * share
        if before <= BUNCH and after <= BUNCH:
            any_chunk[real](run, work, done, coming, 0, p, vectors)
        else:
            for chunk in range((before + BUNCH - 1) // BUNCH):
                any_chunk[real](run, work, done, NULL, chunk, p, vectors)
            for chunk in range((after + BUNCH - 1) // BUNCH):
                any_chunk[real](run, work, NULL, coming, chunk, p, vectors)
        for r in range(after if run.scale != 1 else 0):  # see lazy.pxd
            for j in range(p, p + count):
                y[r * plan[Y_ROW] + j] *= <real> run.scale
        p += panel
