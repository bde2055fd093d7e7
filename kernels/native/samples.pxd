"""The steps of an epoch for programs without images, where threads share the batch by samples.

A thread takes its samples forth and back, a few at a time, so that what is between the layers stays
near, and adds up their gradients. Then the threads meet; each takes the step of its share of all
parameters, in weights that all read; and they meet again.

A gradient is the sum of the gradients of some segments of the batch, added in pairs, and pairs of
pairs: a thread that has whole pairs adds them by itself. So no sum depends on the number of threads.

There is no mathematics here, only calls of the cores that the single kernels wrap too.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from batch cimport bytes_of, fetch_rows
from epoch cimport begin_codes, buffer, gather_apart
from norms cimport norm_input
from numbers cimport (
    COLUMNS, DENSE, FEATURES, INPUTS, KIND, LOSSES, LOWEST, OUTPUTS, SEGMENTS, SOURCE,
)
from processors cimport spread
from program cimport (
    AT_ONCE, Input, Run, dy_of, first_segment, hidden_input, is_norm, meet, parts_in, parts_of,
    row_of,
)
from segments cimport (
    add_gradient, add_pairs, added_by_each, begins_by_tiles, has_gradient, segment_sums, size_of,
    step_share,
)
from shared cimport multiply_transposed
from squares cimport has_squares, panel_squares, sum_of_parts
from stages cimport backward_rows_apart, forward_apart, kept_loss, losses_apart
from steps cimport begin_step
from tile cimport pinned, real
from widths cimport panel_width

cdef enum:
    TOGETHER = 8  # samples that no segment divides: a tile's


cdef inline Py_ssize_t first_sample(
    const Run* run, Py_ssize_t batch, Py_ssize_t segment,
) noexcept nogil:
    """Of a segment of the batch."""
    cdef Py_ssize_t tiles = (batch + TOGETHER - 1) // TOGETHER
    return min(batch, tiles * segment // run.choices[SEGMENTS] * TOGETHER)


cdef inline Input input_of(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """What a layer reads, for the n samples that this thread is at."""
    return hidden_input[real](run, layer, work, n) if layer else buffer[real](run, work, 0, n)


cdef inline void backward_row(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t segment, bint begins,
) noexcept nogil:
    """From dy of one row for n samples, dy of the row before it; and their part of a gradient."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Input input = input_of[real](run, layer, work, n)
    if has_gradient(run, layer):
        add_gradient[real](run, layer, work, &input, segment, begins)
    if layer == run.choices[LOWEST]:
        return
    if row[KIND] == DENSE:
        multiply_transposed[real](
            run, layer, work, 0, n, 0, row[INPUTS], 0, row[OUTPUTS],
            dy_of[real](run, layer - 1, work), row_of(run, layer - 1))
    elif is_norm(row[KIND]):
        norm_input[real](run, layer, work, &input, 0, row[OUTPUTS])
    else:
        backward_rows_apart[real](run, layer, work, n, 0, row[OUTPUTS])


# Through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*back_function)(
    const Run*, Py_ssize_t, real*, Py_ssize_t, Py_ssize_t, bint) noexcept nogil


cdef inline void backward_apart(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t segment, bint begins,
) noexcept nogil:
    """backward_row, as a function of its own."""
    cdef back_function function = backward_row[real]
    (<back_function> pinned(<const void*> function))(
        run, layer, work, n, segment, begins)


cdef inline void fetch_some(
    const Run* run, const uint8_t* data, const real* values, const int64_t* chosen, Py_ssize_t n,
) noexcept nogil:
    """Let the processor bring n samples of the data, and their targets."""
    fetch_rows(data, run.choices[FEATURES] * bytes_of(run.choices[SOURCE]), chosen, n)
    if values != NULL:
        fetch_rows(<const uint8_t*> values,
                   run.program[(run.layers - 1) * COLUMNS + OUTPUTS] * sizeof(real), chosen, n)


cdef inline void train_few(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t n,
    const int64_t* after, Py_ssize_t coming, const int64_t* labels, const real* values,
    Py_ssize_t segment, bint begins,
) noexcept nogil:
    """Forward, loss and backward of n samples, those from run.sample on of the batch, with which a
    segment begins or goes on.

    The samples that the thread takes after them are fetched before each layer, a few at a time: the
    processor would wait for more at once.
    """
    cdef double* losses = <double*> (work + run.plan[LOSSES]) + run.sample
    cdef Py_ssize_t layer, stages = 2 * run.layers - run.choices[LOWEST]
    cdef Py_ssize_t some = (coming + stages - 1) // stages, fetched = 0
    cdef Input input = input_of[real](run, 0, work, n)
    gather_apart[real](run, data, chosen, &input, <real*> input.x, 0)
    for layer in range(run.layers):
        fetch_some[real](run, data, values, after + fetched, min(some, coming - fetched))
        fetched += some
        input = input_of[real](run, layer, work, n)
        forward_apart[real](run, layer, work, &input)
    losses_apart[real](run, work, n, chosen, labels, values, losses)
    for layer in range(run.layers - 1, run.choices[LOWEST] - 1, -1):
        fetch_some[real](run, data, values, after + fetched, min(some, coming - fetched))
        fetched += some
        backward_apart[real](run, layer, work, n, segment, begins)


cdef inline void train_segment(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t batch,
    const int64_t* labels, const real* values, Py_ssize_t segment, const int64_t* after,
    Py_ssize_t coming,
) noexcept nogil:
    """The samples of one segment, whose bounds the number of threads has no part in.

    `after` are those that the thread takes after it: so many.
    """
    cdef Py_ssize_t first = first_sample(run, batch, segment), layer, n
    cdef Py_ssize_t last = first_sample(run, batch, segment + 1), start = first
    for layer in range(run.layers):
        if has_gradient(run, layer) and (
                first == last or not begins_by_tiles[real](run, layer, work)):
            memset(segment_sums[real](run, layer, work, segment), 0,
                   size_of[real](run, layer, work) * sizeof(real))
    while first < last:
        n = min(AT_ONCE, last - first)
        run.sample = first
        if first + n < last:
            train_few[real](run, work, data, chosen + first, n, chosen + first + n,
                            min(AT_ONCE, last - first - n), labels, values, segment, first == start)
        else:
            train_few[real](run, work, data, chosen + first, n, after, min(AT_ONCE, coming),
                            labels, values, segment, first == start)
        first += n
    run.sample = 0


cdef inline void train_segments(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t batch,
    const int64_t* labels, const real* values, Py_ssize_t coming,
) noexcept nogil:
    """This thread's segments of the batch, behind which so many samples are the next batch."""
    cdef Py_ssize_t first = first_segment(run, run.thread), segment, start, end
    cdef Py_ssize_t last = first_segment(run, run.thread + 1)
    for segment in range(first, last):
        if segment + 1 < last:
            start = first_sample(run, batch, segment + 1)
            end = first_sample(run, batch, segment + 2)
        else:
            start = batch + first_sample(run, coming, first)
            end = batch + first_sample(run, coming, first + 1)
        train_segment[real](run, work, data, chosen, batch, labels, values, segment,
                            chosen + start, end - start)
        if added_by_each(run) > 1:
            add_pairs[real](run, work, segment, segment + 1 - first)


cdef inline void leave_squares(const Run* run, real* work) noexcept nogil:
    """This thread's parts of the sum of all weights' squares: of some panels."""
    cdef Py_ssize_t layer, p, turn = 0
    for layer in range(run.layers):
        for p in range(parts_in[real](run, layer, work)
                       if has_squares(run, layer, True) else 0):
            if turn % run.threads == run.thread:
                parts_of[real](run, layer, work)[p] = panel_squares[real](
                    run, layer, work, NULL, p * panel_width[real](work))
            turn += 1


cdef inline Py_ssize_t train_steps(
    Run* run, real* work, const uint8_t* data, const int64_t* labels,
    const real* values, const int64_t* order,
    Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    """The steps first..last of an epoch; returns the first that was not done."""
    cdef Py_ssize_t step, start, n
    cdef double loss
    cdef real codes[256]
    begin_codes[real](run, &codes[0])
    spread(run.sync, run.threads)
    for step in range(first, last):
        start, n = run.starts[step], run.starts[step + 1] - run.starts[step]
        begin_step(run, step, order + start, n)
        train_segments[real](run, work, data, order + start, n, labels, values,
                             run.starts[step + 2] - start - n if step + 1 < last else 0)
        if run.l2 != 0:
            leave_squares[real](run, work)
        if not meet(run):
            return step
        loss = kept_loss[real](run, work, n)
        if run.l2 != 0:
            loss += run.l2 / 2 * sum_of_parts[real](run, work, 0, True)
        if run.thread == 0:
            losses[step] = loss
        if loss - loss != 0:  # NaN or infinite; all threads find the same
            return step
        step_share[real](run, work)
        if not meet(run):
            return step
    return last
