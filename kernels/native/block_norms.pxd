"""BatchNorm in a program with rows on images, whose blocks threads take through the network.

It needs all of the batch at once. So each block leaves its parts of what is summed over the batch,
threads meet, and each of them makes the same whole of all parts, in their order: of mean and
variance on the way forward, and of dw and db on the way back. Where the parts lie all threads see
them; the whole is each one's own. There is no mathematics here, only calls.

In use mean and variance are the running ones: then it is a row as others, but that dw and db are
wholes of parts too, in the end.
"""

from libc.stdint cimport int64_t

cimport normalization
cimport normalization_blocks
from blocks cimport block_before, block_dx, block_dy, block_y
from norms cimport eps_of
from numbers cimport (
    BATCH, BATCHES, BATCH_NORM, BUFFER, CHANNELS, COLUMNS, KIND, OUTPUTS, PARAM_VECTORS, PARTS,
    PLAN_COLUMNS, SAMPLES, SHARE, STATISTICS, TRAINING, VECTOR, W, Y_ROW,
)
from program cimport Input, Run, dy_of, hidden_input, meet, row_of, takes_steps, values_of, y_of
from steps cimport optimize_apart
from tile cimport real
from widths cimport width_of

cdef enum:  # what there are parts of, and a whole
    MEAN
    DEVIATION  # of the parts, the sum of squared ones; of the whole, the variance
    DW
    DB


cdef inline Py_ssize_t vector_width(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """From one of its vectors to the next."""
    return width_of[real](run.program[layer * COLUMNS + VECTOR], work)


cdef inline Py_ssize_t blocks_in(Py_ssize_t samples) noexcept nogil:
    return (samples + SAMPLES - 1) // SAMPLES


cdef inline real* part_of(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t which, Py_ssize_t block,
) noexcept nogil:
    """What a block leaves: a number for each channel or column."""
    return (work + run.plan[layer * PLAN_COLUMNS + PARTS]
            + (which * blocks_in(run.choices[BATCH]) + block)
            * vector_width[real](run, layer, work))


cdef inline real* whole_of(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t which,
) noexcept nogil:
    """What all of them make; in use, of mean and variance the running ones."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef bint running = which <= DEVIATION and not run.choices[TRAINING]
    return (work + (plan[BUFFER] if running else plan[STATISTICS])
            + which * vector_width[real](run, layer, work))


cdef inline Py_ssize_t pixels_of(const int64_t* row) noexcept nogil:
    return row[OUTPUTS] // row[VECTOR]


cdef inline void leave_statistics(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """A block's mean of what comes into the row, and its squared deviations."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t block = run.sample // SAMPLES, j
    cdef real* mean = part_of[real](run, layer, work, MEAN, block)
    cdef real* square = part_of[real](run, layer, work, DEVIATION, block)
    cdef Input input
    if row[CHANNELS]:
        normalization_blocks.block_statistics[real](
            n, row[VECTOR], pixels_of(row), block_before[real](run, layer, work), mean, square)
        return
    input = hidden_input[real](run, layer, work, n)
    normalization.statistics[real](
        n, row[VECTOR], <const real*> input.x, input.row, mean, square)
    for j in range(row[VECTOR]):
        square[j] *= <real> n


cdef inline void combine_statistics(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t batch,
) noexcept nogil:
    """The batch's mean and variance."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t blocks = blocks_in(batch), pixels = pixels_of(row), c
    cdef Py_ssize_t apart = vector_width[real](run, layer, work)
    cdef real* mean = whole_of[real](run, layer, work, MEAN)
    cdef real* var = whole_of[real](run, layer, work, DEVIATION)
    for c in range(row[VECTOR]):
        normalization_blocks.combine[real](
            blocks, part_of[real](run, layer, work, MEAN, 0) + c,
            part_of[real](run, layer, work, DEVIATION, 0) + c, apart, SAMPLES * pixels,
            (batch - (blocks - 1) * SAMPLES) * pixels, mean + c, var + c)
        var[c] /= <real> (batch * pixels)


cdef inline void normalize(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """What the row puts out for a block: in training by the batch's statistics."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t apart = vector_width[real](run, layer, work)
    cdef const real* w = work + plan[W]
    cdef const real* mean = whole_of[real](run, layer, work, MEAN)
    cdef real eps = eps_of[real](run, layer, work)
    cdef Input input
    if row[CHANNELS]:
        normalization_blocks.block_norm[real](
            row[VECTOR], pixels_of(row), block_before[real](run, layer, work), mean, mean + apart,
            w, w + apart, eps, block_y[real](run, layer, work))
        return
    input = hidden_input[real](run, layer, work, n)
    normalization.batch_norm[real](
        n, row[VECTOR], <const real*> input.x, input.row, mean, mean + apart, w, w + apart, eps,
        y_of[real](run, layer, work), plan[Y_ROW])


cdef inline void leave_gradient(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """A block's part of dw and db."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t block = run.sample // SAMPLES
    cdef const real* mean = whole_of[real](run, layer, work, MEAN)
    cdef const real* var = whole_of[real](run, layer, work, DEVIATION)
    cdef real* dw = part_of[real](run, layer, work, DW, block)
    cdef real* db = part_of[real](run, layer, work, DB, block)
    cdef real eps = eps_of[real](run, layer, work)
    cdef Input input
    if row[CHANNELS]:
        normalization_blocks.block_norm_gradient[real](
            n, row[VECTOR], pixels_of(row), block_before[real](run, layer, work),
            block_dy[real](run, layer, work), mean, var, eps, dw, db)
        return
    input = hidden_input[real](run, layer, work, n)
    normalization.batch_norm_gradient[real](
        n, row[VECTOR], <const real*> input.x, input.row, dy_of[real](run, layer, work),
        row_of(run, layer), mean, var, eps, dw, db)


cdef inline void combine_gradients(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t batch,
) noexcept nogil:
    """The batch's dw and db."""
    cdef Py_ssize_t which, block, c
    cdef real* total
    cdef const real* part
    for which in range(DW, DB + 1):
        total = whole_of[real](run, layer, work, which)
        for c in range(run.program[layer * COLUMNS + VECTOR]):
            total[c] = 0
        for block in range(blocks_in(batch)):
            part = part_of[real](run, layer, work, which, block)
            for c in range(run.program[layer * COLUMNS + VECTOR]):
                total[c] += part[c]


cdef inline real* gradient_whole(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t vector,
) noexcept nogil:
    """That of w (0) or b (1)."""
    return whole_of[real](run, layer, work, DW + vector)


cdef inline bint combine_gradients_in_use(
    const Run* run, real* work, Py_ssize_t batch,
) noexcept nogil:
    """The same of all rows, once all threads have left their parts; False if one gave up."""
    cdef Py_ssize_t layer
    cdef bint met = False
    for layer in range(run.layers):
        if run.program[layer * COLUMNS + KIND] == BATCH_NORM:
            if not met and not meet(run):
                return False
            met = True
            combine_gradients[real](run, layer, work, batch)
    return True


cdef inline void pass_back_in_use(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const real* var = whole_of[real](run, layer, work, DEVIATION)
    cdef const real* w = work + run.plan[layer * PLAN_COLUMNS + W]
    cdef real eps = eps_of[real](run, layer, work)
    if row[CHANNELS]:
        normalization_blocks.block_norm_input_in_use[real](
            row[VECTOR], pixels_of(row), block_dy[real](run, layer, work), var, w, eps,
            block_dx[real](run, layer, work))
    else:
        normalization.batch_norm_input_in_use[real](
            n, row[VECTOR], dy_of[real](run, layer, work), row_of(run, layer),
            var, w, eps, dy_of[real](run, layer - 1, work),
            row_of(run, layer - 1))


cdef inline void pass_back(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t batch,
) noexcept nogil:
    """From a block's dy the dy of the row before."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const real* mean = whole_of[real](run, layer, work, MEAN)
    cdef const real* var = whole_of[real](run, layer, work, DEVIATION)
    cdef const real* dw = whole_of[real](run, layer, work, DW)
    cdef const real* db = whole_of[real](run, layer, work, DB)
    cdef const real* w = work + run.plan[layer * PLAN_COLUMNS + W]
    cdef real eps = eps_of[real](run, layer, work)
    cdef Input input
    if not run.choices[TRAINING]:
        pass_back_in_use[real](run, layer, work, n)
        return
    if row[CHANNELS]:
        normalization_blocks.block_norm_input[real](
            n, row[VECTOR], pixels_of(row), block_before[real](run, layer, work),
            block_dy[real](run, layer, work), mean, var, w, dw, db, eps, batch * pixels_of(row),
            block_dx[real](run, layer, work))
        return
    input = hidden_input[real](run, layer, work, n)
    normalization.batch_norm_input[real](
        n, row[VECTOR], <const real*> input.x, input.row, dy_of[real](run, layer, work),
        row_of(run, layer), mean, var, w, dw, db, eps, batch,
        dy_of[real](run, layer - 1, work), row_of(run, layer - 1))


cdef inline void finish(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t batch,
) noexcept nogil:
    """The step of w and b, and of the running averages, in this thread's copy of them."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t apart = vector_width[real](run, layer, work), vector
    cdef double share = values_of(run, layer)[SHARE]
    cdef real* running = work + plan[BUFFER]
    for vector in range(row[PARAM_VECTORS] if takes_steps(run, layer) else 0):
        optimize_apart[real](
            run, layer, vector > 0, gradient_whole[real](run, layer, work, vector),
            work + plan[W] + vector * apart, row[VECTOR])
    if not run.choices[TRAINING]:
        return
    if share < 0:
        share = 1.0 / (row[BATCHES] + run.mask + 1)
    normalization.running_average[real](
        whole_of[real](run, layer, work, MEAN), share, 1, running, row[VECTOR])
    normalization.running_average[real](
        whole_of[real](run, layer, work, DEVIATION), share,
        normalization.unbiased(batch * pixels_of(row)), running + apart, row[VECTOR])
