"""The steps of an epoch, which the layered loop of fastbp.training specifies, without Python."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from active cimport find_active, keep_active
from batch cimport (
    all_codes, blocks_of, chunk_start, chunks_in, entries_from, fetch_rows, gather_blocks,
    gather_rows, source,
)
from layout cimport weights_size
from norms cimport move_running
from numbers cimport (
    BATCH, BATCH_NORM, BLOCK, BUFFER, BUNCH, BYTES, CLIP_NORM, COLUMNS, DENSE, DIVISOR, FEATURES,
    FLOATS, IN_COMMON, KIND, LOWEST, PLAN_COLUMNS, PRIVATE, SAMPLES_KEPT, SCALE, SOURCE, SPARSE,
    SPLIT, STATES, TRAINING, W, WHOLE, WIDTH, X, X_STRIDE, Y_ROW,
)
from processors cimport spread
from program cimport Input, Run, buffers_size, hidden_input, meet, samples_at_once
from squares cimport add_penalty, begin_squares, end_squares, find_clip
from stages cimport backward_layer, forward_apart, loss_of, step_apart
from steps cimport begin_step
from tile cimport pinned, real


cdef inline void begin_codes(Run* run, real* codes) noexcept nogil:
    """Let sparse data that are bytes stay so: codes (256,) get what each stands for."""
    if run.choices[SPARSE] and run.choices[SOURCE] == BYTES:
        all_codes[real](<real> run.settings[SCALE], <real> run.settings[DIVISOR], codes)
        run.codes = codes


cdef inline Input buffer(
    const Run* run, real* work, Py_ssize_t number, Py_ssize_t n,
) noexcept nogil:
    """One of this thread's buffers, whose sizes layout.pxd knows, for a batch of n samples."""
    cdef Py_ssize_t features = run.choices[FEATURES], blocks = blocks_of(features)
    cdef real* x = work + run.plan[X] + number * run.plan[X_STRIDE]
    cdef Input input
    input.n = n
    input.x = x
    input.row = features
    input.bounds = NULL
    input.starts = NULL
    if run.choices[SPARSE]:
        input.starts = <const int32_t*> entries_from[real](
            x, samples_at_once(run) * blocks, <const real*> run.codes)
        input.bounds = input.starts + samples_at_once(run) * blocks
    return input


cdef inline void own_chunks(
    const Run* run, Py_ssize_t n, Py_ssize_t* first, Py_ssize_t* last,
) noexcept nogil:
    """Those of n samples' chunks that this thread gathers: all, or a part for all threads."""
    first[0], last[0] = 0, chunks_in(n)
    if run.choices[IN_COMMON]:
        first[0] = chunks_in(n) * run.thread // run.threads
        last[0] = chunks_in(n) * (run.thread + 1) // run.threads


cdef inline void gather_from(
    const Run* run, const source* data, const int64_t* chosen, const Input* input, real* x,
    Py_ssize_t coming,
) noexcept nogil:
    """The samples, behind which so many are chosen for the batch that comes.

    While a chunk is gathered, the one that this thread gathers next is fetched.
    """
    cdef Py_ssize_t features = run.choices[FEATURES], blocks = blocks_of(features), n = input.n
    cdef Py_ssize_t chunk, first, last, start, after, end, next_first, next_last
    cdef real scale = <real> run.settings[SCALE], divisor = <real> run.settings[DIVISOR]
    if not run.choices[SPARSE]:
        if n <= BUNCH:
            fetch_rows(<const uint8_t*> data, features * sizeof(source), chosen + n, coming)
        gather_rows[source, real](data, features, chosen, n, scale, divisor, x)
        return
    own_chunks(run, n, &first, &last)
    for chunk in range(first, last):
        start = chunk_start(n, chunk)
        if chunk + 1 < last:
            after, end = chunk_start(n, chunk + 1), chunk_start(n, chunk + 2)
        else:
            own_chunks(run, coming, &next_first, &next_last)
            after = n + chunk_start(coming, next_first)
            end = n + chunk_start(coming, min(next_first + 1, next_last))
        fetch_rows(<const uint8_t*> data, features * sizeof(source), chosen + after, end - after)
        gather_blocks[source, real](
            data, features, chosen, start, chunk_start(n, chunk + 1) - start, run.plan[Y_ROW],
            scale, <int32_t*> input.bounds + 2 * blocks * chunk,
            <int32_t*> input.starts + blocks * start,
            <real*> entries_from[real](x, blocks * start, <const real*> run.codes))


cdef inline void gather_into(
    const Run* run, const uint8_t* data, const int64_t* chosen, const Input* input, real* x,
    Py_ssize_t coming,
) noexcept nogil:
    if run.choices[SOURCE] == BYTES:
        gather_from[uint8_t, real](run, data, chosen, input, x, coming)
    elif run.choices[SOURCE] == FLOATS:
        gather_from[float, real](run, <const float*> data, chosen, input, x, coming)
    else:
        gather_from[double, real](run, <const double*> data, chosen, input, x, coming)


# Through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*gather_function)(
    const Run*, const uint8_t*, const int64_t*, const Input*, real*, Py_ssize_t) noexcept nogil


cdef inline void gather_apart(
    const Run* run, const uint8_t* data, const int64_t* chosen, const Input* input, real* x,
    Py_ssize_t coming,
) noexcept nogil:
    """These samples of the data, into x, which is where the input is; then so many come."""
    cdef gather_function function = gather_into[real]
    (<gather_function> pinned(<const void*> function))(run, data, chosen, input, x, coming)


cdef inline Input gather_samples(
    const Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t step,
    Py_ssize_t n, Py_ssize_t coming,
) noexcept nogil:
    """These samples of the data, in one of the buffers.

    Every other step uses the same; or every third, where another thread may still read the last.
    """
    cdef Py_ssize_t number = step % (3 if run.choices[IN_COMMON] else 2)
    cdef Input input = buffer[real](run, work, number, n)
    gather_apart[real](run, data, chosen, &input, <real*> input.x, coming)
    return input


cdef inline Input gather(
    const Run* run, real* work, const uint8_t* data, const int64_t* order, Py_ssize_t step,
    bint last,
) noexcept nogil:
    """A step's batch: this thread's copy, or all threads', each of which gathers some of it."""
    cdef const int64_t* starts = run.starts + step
    return gather_samples[real](run, work, data, order + starts[0], step, starts[1] - starts[0],
                                0 if last else starts[2] - starts[1])


cdef inline Input active_samples(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t step,
    const Input* batch,
) noexcept nogil:
    """What the first layer reads in backward: the batch without the samples that do not matter."""
    cdef Py_ssize_t n = find_active[real](run, work, batch.n), r
    cdef int64_t* samples
    if n == batch.n:
        return batch[0]
    keep_active[real](run, work, n)
    samples = run.active + run.choices[BATCH]
    for r in range(n):
        samples[r] = chosen[run.active[r]]
    return gather_samples[real](run, work, data, samples, step, n, 0)


cdef inline bint step_clipped(
    Run* run, real* work, const Input* batch, const Input* coming,
) noexcept nogil:
    """The update that waited until the norm of all gradients is known, as train_step has it."""
    cdef Py_ssize_t layer
    if not find_clip[real](run, work, batch):
        return False
    for layer in range(run.choices[LOWEST], run.layers):
        step_apart[real](run, layer, work, batch, NULL if layer else coming)
    if (coming != NULL and coming.bounds == NULL and run.choices[LOWEST] == 0
            and run.program[KIND] == DENSE):
        return forward_apart[real](run, 0, work, coming)
    return True


cdef inline bint train_step(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t step,
    const Input* first, const Input* coming, const int64_t* labels, const real* values,
    double* losses,
) noexcept nogil:
    """The rest of a step whose first layer's output is there: forward, loss, backward and update.

    If `coming` is not NULL, then also the first layer's output for that batch, while its W passes
    by. Returns 0 if the run was given up or diverged.
    """
    cdef Py_ssize_t layer
    cdef Input hidden, batch
    cdef double loss
    for layer in range(1, run.layers):
        hidden = hidden_input[real](run, layer, work, first.n)
        if not forward_apart[real](run, layer, work, &hidden):
            return False
    loss = loss_of[real](run, work, first.n, chosen, labels, values)
    if not add_penalty[real](run, work, &loss):
        return False
    if run.thread == 0:
        losses[0] = loss
    if loss - loss != 0:  # NaN or infinite; all threads find the same
        return False
    for layer in range(run.layers if run.choices[TRAINING] else 0):
        if run.program[layer * COLUMNS + KIND] == BATCH_NORM:
            move_running[real](run, layer, work, first.n)
    if run.choices[IN_COMMON] and not meet(run):  # the coming batch is there
        return False
    batch = active_samples[real](run, work, data, chosen, step, first)
    run.still = run.settings[CLIP_NORM] > 0
    for layer in range(run.layers - 1, run.choices[LOWEST] - 1, -1):
        if not backward_layer[real](run, layer, work, &batch, NULL if run.still else coming):
            return False
    return not run.still or step_clipped[real](run, work, &batch, coming)


cdef inline bint copy_whole_layers(const Run* run, real* work) noexcept nogil:
    """Let every thread have the first one's copy of the layers that are not split."""
    cdef const int64_t* row
    cdef const int64_t* plan
    cdef Py_ssize_t layer, part, to_first, size
    for layer in range(run.layers if run.thread else 0):
        row, plan = run.program + layer * COLUMNS, run.plan + layer * PLAN_COLUMNS
        to_first = run.thread * plan[PRIVATE]
        if plan[SPLIT] != WHOLE:
            continue
        size = weights_size[real](row, plan[WIDTH], work)
        for part in range(run.choices[STATES] + 1):
            memcpy(work + plan[W + part], work + plan[W + part] - to_first, size * sizeof(real))
        memcpy(work + plan[BUFFER], work + plan[BUFFER] - to_first,
               buffers_size[real](row, work) * sizeof(real))
    return meet(run)


cdef inline Py_ssize_t all_steps(
    Run* run, real* work, const uint8_t* data, const int64_t* labels,
    const real* values, const int64_t* order,
    Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    """The steps first..last of an epoch; returns the first that was not done."""
    cdef Py_ssize_t step
    cdef bint more
    cdef Input batch, coming
    cdef real codes[256]
    begin_codes[real](run, &codes[0])
    spread(run.sync, run.threads)
    if run.thread:  # all have the same scores
        run.scores = NULL
    coming = gather[real](run, work, data, order, first, first + 1 == last)
    run.mask = first
    if not copy_whole_layers[real](run, work) or not forward_apart[real](run, 0, work, &coming):
        return first
    for step in range(first, last):
        begin_step(run, step, order + run.starts[step], coming.n)
        batch = coming
        more = step + 1 < last
        if more:
            fetch_rows(<const uint8_t*> labels, sizeof(int64_t), order + run.starts[step + 1],
                       run.starts[step + 2] - run.starts[step + 1])
            coming = gather[real](run, work, data, order, step + 1, step + 2 == last)
        if not train_step[real](
                run, work, data, order + run.starts[step], step, &batch,
                &coming if more else NULL, labels, values, losses + step):
            return step
        if more and (run.program[KIND] != DENSE or run.choices[LOWEST] > 0):
            run.mask = step + 1
            forward_apart[real](run, 0, work, &coming)
    return last


cdef inline Py_ssize_t train_steps(
    Run* run, real* work, const uint8_t* data, const int64_t* labels,
    const real* values, const int64_t* order,
    Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    """all_steps, between which and the next ones the plan keeps sums of squares."""
    cdef Py_ssize_t done
    begin_squares[real](run, work)
    done = all_steps[real](run, work, data, labels, values, order, first, last, losses)
    end_squares[real](run, work, run.starts[done] % run.choices[SAMPLES_KEPT] == 0)
    return done
