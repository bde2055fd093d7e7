"""The first layer on sparse data (see batch.pxd): only blocks of W that meet something."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

cimport sparse_tiles
from batch cimport blocks_of, chunk_start, chunks_in, entries_from
from clipping cimport panel_within
from numbers cimport (
    BLOCK, BUNCH, CLIP_VALUE, INPUTS, OPTIMIZER, PLAIN, STEP, W, WIDTH, Y, Y_ROW,
)
from program cimport Input, Run, dy_of, output_columns, rule_of
from steps cimport optimize
from tile cimport MOST_LANES, PANEL, dvec, fvec, pinned, real
from widths cimport lanes_of, padded_columns, panel_width, vectors_of, weights_row


cdef enum:
    STEPPED = 8  # blocks at a time, while a chunk's dy is near


cdef inline void sparse_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors, bint clips, const real* codes,
) noexcept nogil:
    """One chunk of sparse_layer, for the panel that starts at column p. clips is a constant, and so
    is whether codes are NULL: see tile_sparse."""
    cdef Py_ssize_t inputs = run.program[INPUTS], whole = inputs // BLOCK
    cdef Py_ssize_t blocks = blocks_of(inputs), row = weights_row[real](run.plan, work)
    cdef Py_ssize_t bound = 2 * blocks * chunk, entry
    cdef const int32_t* u_bounds = NULL
    cdef const int32_t* u_starts = NULL
    cdef const void* u_x = NULL
    cdef const int32_t* f_bounds = NULL
    cdef const int32_t* f_starts = NULL
    cdef const void* f_x = NULL
    cdef real* w = work + run.plan[W] + p * inputs
    cdef const real* step = work + run.plan[STEP] + p
    cdef real* y = work + run.plan[Y] + p
    cdef double lr = run.rates.lr * rule_of(run, 0, False).rate, most = run.settings[CLIP_VALUE]
    if done != NULL:
        entry = blocks * chunk_start(done.n, chunk)
        u_bounds, u_starts = done.bounds + bound, done.starts + entry
        u_x = entries_from[real](done.x, entry, codes)
    if coming != NULL:
        entry = blocks * chunk_start(coming.n, chunk)
        f_bounds, f_starts = coming.bounds + bound, coming.starts + entry
        f_x = entries_from[real](coming.x, entry, codes)
    if real is float:
        sparse_tiles.sparse_panel[fvec, float](
            0, blocks, whole, vectors, row, clips, most, lr, <fvec*> w, codes, u_bounds, u_starts,
            u_x, step, f_bounds, f_starts, f_x, y)
    else:
        sparse_tiles.sparse_panel[dvec, double](
            0, blocks, whole, vectors, row, clips, most, lr, <dvec*> w, codes, u_bounds, u_starts,
            u_x, step, f_bounds, f_starts, f_x, y)


cdef inline void some_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors, bint clips,
) noexcept nogil:
    cdef const real* codes = <const real*> run.codes
    if codes != NULL:
        sparse_chunk[real](run, work, done, coming, chunk, p, vectors, clips, codes)
    else:
        sparse_chunk[real](run, work, done, coming, chunk, p, vectors, clips, NULL)


cdef inline void plain_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors,
) noexcept nogil:
    some_chunk[real](run, work, done, coming, chunk, p, vectors, False)


cdef inline void clipping_chunk(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t chunk,
    Py_ssize_t p, Py_ssize_t vectors,
) noexcept nogil:
    """The same with a gradient whose numbers are clipped."""
    some_chunk[real](run, work, done, coming, chunk, p, vectors, True)


cdef inline Py_ssize_t columns_from(const Run* run, const real* work, Py_ssize_t p) noexcept nogil:
    """How many columns of y tiles write of the panel that starts at column p."""
    cdef Py_ssize_t panel = panel_width[real](work), first, last
    output_columns(run, 0, panel, &first, &last)
    return min(panel, padded_columns(0, last - p, panel))


cdef inline void begin_output(
    const Run* run, real* work, const Input* coming, Py_ssize_t p,
) noexcept nogil:
    """y = b, as W is stored: see lazy.pxd."""
    cdef const int64_t* plan = run.plan
    cdef const real* b = work + plan[W] + plan[WIDTH] * run.program[INPUTS]
    cdef real* y = work + plan[Y]
    cdef Py_ssize_t count = columns_from[real](run, work, p), r, j
    cdef real share = <real> (1 / run.scale)
    for r in range(coming.n):
        for j in range(p, p + count):
            y[r * plan[Y_ROW] + j] = b[j] * share


cdef inline void scale_output(
    const Run* run, real* work, Py_ssize_t n, Py_ssize_t p,
) noexcept nogil:
    """y of n samples, as W is."""
    cdef real* y = work + run.plan[Y]
    cdef Py_ssize_t count = columns_from[real](run, work, p), r, j
    for r in range(n):
        for j in range(p, p + count):
            y[r * run.plan[Y_ROW] + j] *= <real> run.scale


cdef inline void add_blocks(
    const Run* run, const real* work, const Input* done, Py_ssize_t p, Py_ssize_t vectors,
    const real* codes, Py_ssize_t first, Py_ssize_t last, real* g,
) noexcept nogil:
    """g += the gradient of W's rows in the blocks first..last, in the panel that starts at column
    p. Whether codes are NULL is a constant."""
    cdef Py_ssize_t whole = run.program[INPUTS] // BLOCK, blocks = blocks_of(run.program[INPUTS])
    cdef Py_ssize_t row = weights_row[real](run.plan, work), chunk, entry
    cdef const real* dy = dy_of[real](run, 0, <real*> work) + p
    for chunk in range(chunks_in(done.n)):
        entry = blocks * chunk_start(done.n, chunk)
        if real is float:
            sparse_tiles.sparse_panel[fvec, float](
                first, last, whole, vectors, row, False, 0, 0, <fvec*> g, codes,
                done.bounds + 2 * blocks * chunk, done.starts + entry,
                entries_from[real](done.x, entry, codes), dy, NULL, NULL, NULL, NULL)
        else:
            sparse_tiles.sparse_panel[dvec, double](
                first, last, whole, vectors, row, False, 0, 0, <dvec*> g, codes,
                done.bounds + 2 * blocks * chunk, done.starts + entry,
                entries_from[real](done.x, entry, codes), dy, NULL, NULL, NULL, NULL)


cdef inline void pass_panel(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t p,
    Py_ssize_t vectors, const real* codes,
) noexcept nogil:
    """sparse_layer's panel that starts at column p, by an optimiser that needs the gradient.

    It takes the steps of some blocks at a time, also of those that meet nothing, whose gradient is
    zero. Both batches go chunk by chunk, whose dy and y are so near. codes is NULL or not, a
    constant.
    """
    cdef Py_ssize_t inputs = run.program[INPUTS], whole = inputs // BLOCK, block = 0, k = 0, last
    cdef Py_ssize_t blocks = blocks_of(inputs), row = weights_row[real](run.plan, work), rows
    cdef Py_ssize_t chunk
    cdef real g[STEPPED * BLOCK * MOST_LANES * PANEL]
    cdef real* w = work + run.plan[W] + p * inputs
    while done != NULL and block < blocks:
        last = min(block + STEPPED, whole) if block < whole else block + 1
        rows = (last - block) * BLOCK if block < whole else 1
        memset(&g, 0, rows * row * sizeof(real))
        add_blocks[real](run, work, done, p, vectors, codes, block, last, &g[0])
        optimize[real](run, 0, False, &g[0], w + k * row, rows, row, vectors * lanes_of[real](work))
        block = last
        k += rows
    if coming == NULL:
        return
    begin_output[real](run, work, coming, p)
    for chunk in range(chunks_in(coming.n)):
        sparse_chunk[real](run, work, NULL, coming, chunk, p, vectors, False, codes)


cdef inline void any_panel(
    const Run* run, real* work, const Input* done, const Input* coming, Py_ssize_t p,
    Py_ssize_t vectors,
) noexcept nogil:
    cdef const real* codes = <const real*> run.codes
    if codes != NULL:
        pass_panel[real](run, work, done, coming, p, vectors, codes)
    else:
        pass_panel[real](run, work, done, coming, p, vectors, NULL)


ctypedef void (*pass_function)(
    const Run*, real*, const Input*, const Input*, Py_ssize_t, Py_ssize_t) noexcept nogil


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

    Either may be NULL. Together they read W once, where both are one chunk and the step is plain
    SGD's. That lies in the plan's scratch.
    """
    cdef const int64_t* plan = run.plan
    cdef Py_ssize_t panel = panel_width[real](work), first, last, p, chunk, vectors
    cdef pass_function by_gradient = any_panel[real]
    cdef bint adds = run.choices[OPTIMIZER] == PLAIN
    cdef Py_ssize_t before, after = 0 if coming == NULL else coming.n
    if adds and done != NULL and done.n == 0:
        done = NULL
    before = 0 if done == NULL else done.n
    output_columns(run, 0, panel, &first, &last)
    p = first
    while p < last:
        vectors = min(PANEL, vectors_of(last - p, panel))
        if not adds:
            (<pass_function> pinned(<const void*> by_gradient))(
                run, work, done, coming, p, vectors)
            p += panel
            continue
        if coming != NULL:
            begin_output[real](run, work, coming, p)
        if before <= BUNCH and after <= BUNCH:
            any_chunk[real](run, work, done, coming, 0, p, vectors)
        else:
            for chunk in range(chunks_in(before)):
                any_chunk[real](run, work, done, NULL, chunk, p, vectors)
            for chunk in range(chunks_in(after)):
                any_chunk[real](run, work, NULL, coming, chunk, p, vectors)
        if run.scale != 1:
            scale_output[real](run, work, after, p)
        p += panel
