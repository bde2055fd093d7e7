"""The first layer on sparse data (see batch.pxd): only blocks of W that meet something."""

from libc.stdint cimport int32_t, int64_t

cimport panels
from batch cimport CHUNK, blocks_of
from program cimport INPUTS, Input, Run, STEP, W, WIDTH, Y, output_columns, panel_width
from tile cimport BLOCK, dvec, fvec, real

cdef enum:
    NEAREST = 32768  # bytes of the nearest cache that one operand may take


cdef inline void sparse_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """One chunk of sparse_layer, for the columns first..last."""
    cdef Py_ssize_t inputs = run.program[INPUTS], panel = panel_width[real](work)
    cdef Py_ssize_t blocks = blocks_of(inputs)
    cdef bint backwards = 2 * run.thread + 1 < run.threads
    cdef Py_ssize_t bound = 2 * blocks * chunk, entry = blocks * CHUNK * chunk
    cdef const int32_t* u_bounds = NULL
    cdef const int32_t* u_starts = NULL
    cdef const real* u_x = NULL
    cdef const int32_t* f_bounds = NULL
    cdef const int32_t* f_starts = NULL
    cdef const real* f_x = NULL
    if done != NULL:
        u_bounds, u_starts = done.bounds + bound, done.starts + entry
        u_x = <const real*> done.x + entry * BLOCK
    if coming != NULL:
        f_bounds, f_starts = coming.bounds + bound, coming.starts + entry
        f_x = <const real*> coming.x + entry * BLOCK
    if real is float:
        panels.sparse_panels[fvec, float](
            inputs, panel, first, last, backwards, <fvec*> (work + run.plan[W]),
            u_bounds, u_starts, u_x, work + run.plan[STEP],
            f_bounds, f_starts, f_x, work + run.plan[Y])
    else:
        panels.sparse_panels[dvec, double](
            inputs, panel, first, last, backwards, <dvec*> (work + run.plan[W]),
            u_bounds, u_starts, u_x, work + run.plan[STEP],
            f_bounds, f_starts, f_x, work + run.plan[Y])


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
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p, end, r, j, chunk, most
    cdef Py_ssize_t before = 0 if done == NULL else done.n
    cdef Py_ssize_t after = 0 if coming == NULL else coming.n
    cdef bint together = before <= CHUNK and after <= CHUNK
    output_columns(run, 0, panel, &first, &last)
    # so many columns that a chunk's sums stay in the nearest cache while W passes by
    most = min(CHUNK, max(before, after, 1)) * panel * <Py_ssize_t> sizeof(real)
    most = max(1, NEAREST // most)
    p = first
    while p < last:
        end = min(last, p + most * panel)
        for r in range(after):
            for j in range(p, (end + panel - 1) // panel * panel):
                y[r * plan[WIDTH] + j] = b[j]
        if together:
            sparse_chunk[real](run, work, done, coming, 0, p, end)
        else:
            for chunk in range((before + CHUNK - 1) // CHUNK):
                sparse_chunk[real](run, work, done, NULL, chunk, p, end)
            for chunk in range((after + CHUNK - 1) // CHUNK):
                sparse_chunk[real](run, work, NULL, coming, chunk, p, end)
        p = end
