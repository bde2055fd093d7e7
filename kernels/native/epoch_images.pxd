"""The steps of an epoch for programs with rows on images, which threads share by samples.

See program.pxd. A thread takes the blocks of its segments through the whole network and back, one
after another, so that a block's images stay in its cache.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from batch cimport bytes_of, fetch_rows, source
from block_norms cimport (
    blocks_in, combine_gradients, combine_gradients_in_use, combine_statistics, leave_gradient,
    leave_statistics, normalize, pass_back,
)
from blocks cimport backward_block, forward_block
from epoch cimport copy_whole_layers
from norms cimport norm_input
from numbers cimport (
    BATCH_NORM, BLOCK_STRIDE, BYTES, COLUMNS, CONV, DENSE, FEATURES, FLATTEN, FLOATS, IMAGES,
    INPUTS, KIND, LOSSES, LOWEST, OUTPUTS, PARITY, SAMPLES, SCALE, SEGMENTS, SOURCE, TRAINING,
)
from processors cimport spread
from program cimport (
    Input, Run, dy_of, first_segment, hidden_input, is_norm, meet, partial_gradient, row_of,
    weights_of, y_of,
)
from shared cimport multiply_transposed
from stages cimport backward_rows_apart, forward_apart, kept_loss, losses_apart
from steps cimport begin_step
from steps_images cimport penalty, update_all
from tile cimport pinned, real

cdef extern from *:
    """
    #if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define CAN_TRANSPOSE 1
    typedef uint8_t bytes_ __attribute__((vector_size(16), aligned(1), may_alias));

    /* x (16 columns, 16 samples) = v * scale, from 16 bytes of each sample: four times, the first
       half of all bytes is shuffled into the second, and then columns have become rows */
    static inline void transpose_bytes(const uint8_t *const *v, long start, float scale, float *x) {
        bytes_ a[16], b[16];
        for (int i = 0; i < 16; i++) a[i] = *(const bytes_ *) (v[i] + start);
        for (int turn = 0; turn < 4; turn++) {
            for (int i = 0; i < 8; i++) {
                b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19,
                                                   4, 20, 5, 21, 6, 22, 7, 23);
                b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27,
                                                       12, 28, 13, 29, 14, 30, 15, 31);
            }
            for (int i = 0; i < 16; i++) a[i] = b[i];
        }
        uint8_t turned[256];  /* in memory: of a vector in a register GCC takes byte by byte */
        for (int i = 0; i < 16; i++) *(bytes_ *) (turned + 16 * i) = a[i];
        for (int i = 0; i < 256; i++) x[i] = (float) turned[i] * scale;
    }
    #else
    #define CAN_TRANSPOSE 0
    static void transpose_bytes(const uint8_t *const *v, long start, float scale, float *x) {}
    #endif
    """
    bint CAN_TRANSPOSE
    void transpose_bytes(const uint8_t* const* v, long start, float scale, float* x) noexcept nogil


# A stage of a block is called through a pointer that the compiler cannot see through: else it would
# make one function of all stages, take minutes, and find too few registers.
ctypedef void (*stage_function)(
    const Run*, Py_ssize_t, real*, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef inline void block_stage(
    const Run* run, Py_ssize_t row, real* work, Py_ssize_t n, Py_ssize_t segment, bint back,
) noexcept nogil:
    cdef stage_function function = backward_block[real] if back else forward_block[real]
    (<stage_function> pinned(<const void*> function))(run, row, work, n, segment)


cdef inline Py_ssize_t flatten_row(const Run* run) noexcept nogil:
    """The last row on images."""
    cdef Py_ssize_t layer = 0
    while run.program[layer * COLUMNS + KIND] != FLATTEN:
        layer += 1
    return layer


cdef inline void gather_from(
    const Run* run, const source* data, const int64_t* chosen, Py_ssize_t n, real* x,
) noexcept nogil:
    """x (columns, SAMPLES) = data[chosen] * scale; samples that are not there are 0."""
    cdef Py_ssize_t columns = run.choices[FEATURES], r, j, done = 0
    cdef real scale = <real> run.settings[SCALE]
    cdef const source* rows[SAMPLES]
    for r in range(SAMPLES):
        rows[r] = data + chosen[min(r, n - 1)] * columns
    if source is uint8_t and real is float:
        while CAN_TRANSPOSE and done + SAMPLES <= columns:
            transpose_bytes(&rows[0], done, scale, x + done * SAMPLES)
            done += SAMPLES
    for j in range(done, columns):
        for r in range(SAMPLES):
            x[j * SAMPLES + r] = <real> rows[r][j] * scale
    for r in range(n, SAMPLES):
        for j in range(columns):
            x[j * SAMPLES + r] = 0


cdef inline void gather_images(
    const Run* run, const uint8_t* data, const int64_t* chosen, Py_ssize_t n, real* x,
) noexcept nogil:
    if run.choices[SOURCE] == BYTES:
        gather_from[uint8_t, real](run, data, chosen, n, x)
    elif run.choices[SOURCE] == FLOATS:
        gather_from[float, real](run, <const float*> data, chosen, n, x)
    else:
        gather_from[double, real](run, <const double*> data, chosen, n, x)


ctypedef void (*gather_function)(
    const Run*, const uint8_t*, const int64_t*, Py_ssize_t, real*) noexcept nogil


cdef inline void gather_block(
    const Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t n,
) noexcept nogil:
    cdef gather_function function = gather_images[real]
    (<gather_function> pinned(<const void*> function))(
        run, data, chosen, n, work + run.kept + run.plan[IMAGES])


# What threads do between two meetings: for each of their blocks the rows first..last, from -1 on
# with what the first one reads; then, if those are all, the loss; and back the rows top..bottom.
# What is left undone is BatchNorm's row `last`, or the one below `bottom`, for which a block leaves
# its parts.
cdef struct Stretch:
    Py_ssize_t first
    Py_ssize_t last
    Py_ssize_t top
    Py_ssize_t bottom


cdef inline void forward_through(
    Run* run, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """What the rows first..last put out for a block, the rows from run.sample on of the batch."""
    cdef Py_ssize_t layer, flat = flatten_row(run)
    cdef Input hidden
    for layer in range(first, last):
        if run.program[layer * COLUMNS + KIND] == BATCH_NORM:
            normalize[real](run, layer, work, n)
        elif layer <= flat:
            block_stage[real](run, layer, work, n, 0, False)
        else:
            hidden = hidden_input[real](run, layer, work, n)
            forward_apart[real](run, layer, work, &hidden)


cdef inline void backward_through(
    Run* run, real* work, Py_ssize_t n, Py_ssize_t batch, Py_ssize_t segment, Py_ssize_t top,
    Py_ssize_t bottom,
) noexcept nogil:
    """From dy of a block of row `top` what the rows down to `bottom` make of it."""
    cdef Py_ssize_t layer, flat = flatten_row(run), lowest = run.choices[LOWEST]
    cdef const int64_t* row
    cdef Input hidden
    for layer in range(top, max(bottom, lowest) - 1, -1):
        row = run.program + layer * COLUMNS
        if row[KIND] == BATCH_NORM and not run.choices[TRAINING]:
            leave_gradient[real](run, layer, work, n)
        if layer <= flat and row[KIND] != BATCH_NORM:
            block_stage[real](run, layer, work, n, segment, True)
        elif layer == lowest:
            return
        elif row[KIND] == BATCH_NORM:
            pass_back[real](run, layer, work, n, batch)
        elif row[KIND] == DENSE:
            multiply_transposed[real](
                run, layer, work, 0, n, 0, row[INPUTS], 0, row[OUTPUTS],
                dy_of[real](run, layer - 1, work), row_of(run, layer - 1))
        elif is_norm(row[KIND]):
            hidden = hidden_input[real](run, layer, work, n)
            norm_input[real](run, layer, work, &hidden, 0, row[OUTPUTS])
        else:
            backward_rows_apart[real](run, layer, work, n, 0, row[OUTPUTS])


cdef inline void train_block(
    Run* run, real* work, const int64_t* chosen, Py_ssize_t n, Py_ssize_t batch,
    const int64_t* labels, const real* values, Py_ssize_t segment, const Stretch* stretch,
) noexcept nogil:
    """A stretch for n samples, the rows from run.sample on of the batch."""
    cdef double* losses = <double*> (work + run.plan[LOSSES] + run.shift) + run.sample
    forward_through[real](run, work, n, max(stretch.first, 0), stretch.last)
    if stretch.last < run.layers:
        leave_statistics[real](run, stretch.last, work, n)
        return
    if stretch.first < run.layers:
        losses_apart[real](run, work, n, chosen, labels, values, losses)
    backward_through[real](run, work, n, batch, segment, stretch.top, stretch.bottom)
    if stretch.bottom:
        leave_gradient[real](run, stretch.bottom - 1, work, n)


cdef inline void clear_sums(const Run* run, real* work, Py_ssize_t segment) noexcept nogil:
    """Let a segment's gradients of convolutions start at 0."""
    cdef Py_ssize_t layer, j
    cdef real* sums
    for layer in range(run.layers):
        if run.program[layer * COLUMNS + KIND] == CONV:
            sums = partial_gradient[real](run, layer, work, segment)
            for j in range(weights_of(run.program + layer * COLUMNS)):
                sums[j] = 0


cdef inline void train_segment(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t batch,
    const int64_t* labels, const real* values, Py_ssize_t segment, const Stretch* stretch,
) noexcept nogil:
    """The blocks of one segment, whose number and bounds the number of threads has no part in."""
    cdef Py_ssize_t blocks = blocks_in(batch), block
    cdef bint begins = stretch.first < 0
    if begins:
        clear_sums[real](run, work, segment)
    for block in range(blocks * segment // run.choices[SEGMENTS],
                       blocks * (segment + 1) // run.choices[SEGMENTS]):
        run.sample = run.row = block * SAMPLES
        run.kept = block * run.plan[BLOCK_STRIDE]
        if begins and run.sample + SAMPLES < batch:
            fetch_rows(data, run.choices[FEATURES] * bytes_of(run.choices[SOURCE]),
                       chosen + run.sample + SAMPLES, min(SAMPLES, batch - run.sample - SAMPLES))
        if begins:
            gather_block[real](run, work, data, chosen + run.sample,
                               min(SAMPLES, batch - run.sample))
        train_block[real](run, work, chosen + run.sample, min(SAMPLES, batch - run.sample), batch,
                          labels, values, segment, stretch)
    run.sample = run.row = 0


cdef inline void train_stretch(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t batch,
    const int64_t* labels, const real* values, const Stretch* stretch,
) noexcept nogil:
    """This thread's segments."""
    cdef Py_ssize_t segment
    for segment in range(first_segment(run, run.thread), first_segment(run, run.thread + 1)):
        train_segment[real](run, work, data, chosen, batch, labels, values, segment, stretch)


cdef inline Py_ssize_t norm_from(const Run* run, Py_ssize_t layer) noexcept nogil:
    """The next row of BatchNorm, from this row on, or `layers`; in use there is no need to stop."""
    if not run.choices[TRAINING]:
        return run.layers
    while layer < run.layers and run.program[layer * COLUMNS + KIND] != BATCH_NORM:
        layer += 1
    return layer


cdef inline Py_ssize_t behind_norm(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Which row follows the last one of BatchNorm below this row, that backward reaches, or 0."""
    if not run.choices[TRAINING]:
        return 0
    while layer > run.choices[LOWEST] and run.program[(layer - 1) * COLUMNS + KIND] != BATCH_NORM:
        layer -= 1
    return layer if layer > run.choices[LOWEST] else 0


cdef inline bint train_batch(
    Run* run, real* work, const uint8_t* data, const int64_t* chosen, Py_ssize_t batch,
    const int64_t* labels, const real* values,
) noexcept nogil:
    """Forward, loss and backward; threads meet at each row of BatchNorm, forth and back."""
    cdef Py_ssize_t layers = run.layers
    cdef Stretch s
    s.first, s.last = -1, norm_from(run, 0)
    s.top, s.bottom = layers - 1, behind_norm(run, layers)
    while True:
        train_stretch[real](run, work, data, chosen, batch, labels, values, &s)
        if s.last == layers and s.bottom == 0:
            return run.choices[TRAINING] or combine_gradients_in_use[real](run, work, batch)
        if not meet(run):
            return False
        if s.last < layers:
            combine_statistics[real](run, s.last, work, batch)
            s.first, s.last = s.last, norm_from(run, s.last + 1)
            continue
        combine_gradients[real](run, s.bottom - 1, work, batch)
        s.first, s.top = layers, s.bottom - 1
        s.bottom = behind_norm(run, s.top)
        if s.top == run.choices[LOWEST]:
            return True


cdef inline Py_ssize_t train_steps(
    Run* run, real* work, const uint8_t* data, const int64_t* labels,
    const real* values, const int64_t* order,
    Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    """The steps first..last of an epoch; returns the first that was not done."""
    cdef Py_ssize_t step, start, n
    cdef double loss
    spread(run.sync, run.threads)
    if not copy_whole_layers[real](run, work):
        return first
    for step in range(first, last):
        start, n = run.starts[step], run.starts[step + 1] - run.starts[step]
        begin_step(run, step, order + start, n)
        run.shift = step % 2 * run.plan[PARITY]
        if (not train_batch[real](run, work, data, order + start, n, labels, values)
                or not meet(run)):
            return step
        loss = kept_loss[real](run, work, n) + penalty[real](run, work)
        if run.thread == 0:
            losses[step] = loss
        if loss - loss != 0:  # NaN or infinite; all threads find the same
            return step
        update_all[real](run, work, n)
    return last


cdef inline void forward_samples(
    Run* run, real* work, const uint8_t* data, Py_ssize_t first, Py_ssize_t last, real* scores,
) noexcept nogil:
    """The last layer's output for the samples first..last."""
    cdef int64_t chosen[SAMPLES]
    cdef Py_ssize_t final = run.layers - 1, outputs = run.program[final * COLUMNS + OUTPUTS]
    cdef Py_ssize_t width = row_of(run, final), start = first, r, n
    while start < last:
        n = min(SAMPLES, last - start)
        for r in range(n):
            chosen[r] = start + r
        gather_block[real](run, work, data, &chosen[0], n)
        forward_through[real](run, work, n, 0, run.layers)
        for r in range(n):
            memcpy(scores + (start + r) * outputs, y_of[real](run, final, work) + r * width,
                   outputs * sizeof(real))
        start += n
