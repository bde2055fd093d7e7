"""A program, a plan and a run as the engine reads them: who owns what, and who waits for whom.

numbers.pxd names the columns and slots. A new kind of layer is a kind there, and its cores where
stages.pxd, or of images blocks.pxd, calls them; an elementwise one is in activations.pxd alone.

Every thread runs every step, in memory of its own: its own copy of the batch, of every y and dy,
and its own part of the weights, which nobody else reads. A dense layer is split by its outputs (a
thread has some columns of W, and so of y) or by its inputs (some rows of W, which need only the
columns of x that the thread has anyway), or it is small and every thread computes the whole of it.
Threads exchange sums: y of a layer that is split by inputs, dx of one that is split by outputs.
Those run over fixed segments of W, added in order, so that they are bitwise the same however many
threads there are. And where a layer split by outputs follows another, or a shortcut that is not
split starts behind one, they copy each other's columns of what is between them.

A program with rows on images is shared by samples instead. Every thread has a copy of all weights,
and takes its segments of the batch through the whole network and back. It meets the others once a
step; then every thread sums the segments' gradients of convolutions, and computes those of dense
layers from everybody's x and dy, and so all copies of the weights stay the same.
"""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from barrier cimport wait_for_all
from dropout cimport Masks, masks_from
from numbers cimport (
    ADD, BATCH, BATCH_NORM, BIAS, BIAS_DECAYS, BIAS_LR_FACTOR, BUFFERS, BY_INPUTS, BY_OUTPUTS,
    BY_SAMPLES, CHANNELS, CLIP_VALUE, COLUMNS, COLUMN_SCALE, CONV, DECAYS, DENSE, DY, EXCHANGE,
    FLATTEN, FORK, FROZEN, GROUPS, HEIGHT, INPUTS, KERNEL, KIND, L2, LAYER_NORM, LR_FACTOR, MASKS,
    OPTIMIZER, OUTPUTS, OUT_CHANNELS, OUT_HEIGHT, P, PADDING, PARAM_VECTORS, PARTNER, PLAIN,
    PLAN_COLUMNS, SEED, SEGMENTS, SPLIT, SQUARES, STANDARDIZE, STRIDE, SUMS, VALUES, VALUE_COLUMNS,
    VECTOR, WHOLE, Y, Y_ROW,
)
from tile cimport real
from updates cimport Rates, Rule
from widths cimport panels_in, width_of

cdef enum:
    MOST_EXCHANGED = 512  # samples at a time
    AT_ONCE = 64  # samples that threads which share them take forth and back together


cdef struct Run:  # everything a thread needs to know
    const int64_t* program
    const int64_t* plan
    Py_ssize_t layers
    const double* settings
    const int64_t* choices
    const int64_t* starts  # where each step's samples start in the order, and where the last ends
    const double* rates_of_steps  # the factor of its rate, and λ of its penalty
    double l2  # that of this step
    Py_ssize_t epoch  # how many samples the epochs before this step's have
    const double* weights  # NULL, or those of the samples
    double batch_weight  # of the step's batch: the sum of its samples'
    void* scores  # NULL, or where those of each sample's training pass are to go
    Py_ssize_t step  # of all epochs, from 1
    Rates rates  # of that step
    double clip  # what its gradients are multiplied by
    bint within  # whether a layer's gradient is within its limit; see clipping.pxd
    double most_x  # of the first layer's inputs in this step, likewise
    bint still  # whether parameters must not move yet, for that is not known
    const void* codes  # NULL, or what a sparse batch's bytes stand for: see batch.pxd
    double scale  # what the first layer's stored W is multiplied by; see lazy.pxd
    bint follows  # whether sums of squares follow what moves; see followed.pxd
    Py_ssize_t summed  # how often threads have summed squares so far
    Py_ssize_t thread
    Py_ssize_t threads
    int64_t* sync
    int64_t exchanges  # so far
    Py_ssize_t sample  # where a stage starts in the batch
    Py_ssize_t row  # and where in what is kept of each layer
    Py_ssize_t shift  # of what threads share, for every other step
    Py_ssize_t kept  # of the images that are kept, from the first block's to this one's
    Py_ssize_t mask  # the number of the step in this epoch, for dropout
    int64_t* active  # NULL, or the rows of the batch that are left in backward; see active.pxd


cdef inline Run run_from(
    const int64_t* program, Py_ssize_t layers, const int64_t* plan, const double* settings,
    const int64_t* choices, Py_ssize_t thread, Py_ssize_t threads, int64_t* sync,
) noexcept nogil:
    """A run at its start, as this thread sees it."""
    cdef Run run
    memset(&run, 0, sizeof(run))
    run.program, run.layers, run.plan = program, layers, plan
    run.settings, run.choices = settings, choices
    run.thread, run.threads, run.sync = thread, threads, sync
    run.clip = run.scale = 1
    run.l2 = settings[L2]
    return run


cdef struct Input:  # what a layer reads: n samples
    Py_ssize_t n
    const void* x  # rows, or the values of a sparse batch's entries, or their codes
    Py_ssize_t row  # elements from a sample to the next
    const int32_t* bounds  # NULL unless sparse; see batch.pxd
    const int32_t* starts


cdef inline Py_ssize_t segment_start(
    const Run* run, Py_ssize_t columns, Py_ssize_t panel, Py_ssize_t segment,
) noexcept nogil:
    """Where a segment of so many columns starts: at a panel."""
    return (columns + panel - 1) // panel * segment // run.choices[SEGMENTS] * panel


cdef inline Py_ssize_t first_segment(const Run* run, Py_ssize_t thread) noexcept nogil:
    return run.choices[SEGMENTS] * thread // run.threads


cdef inline void share_of(
    const Run* run, Py_ssize_t thread, Py_ssize_t columns, Py_ssize_t panel, Py_ssize_t* first,
    Py_ssize_t* last,
) noexcept nogil:
    """A thread's share of some columns."""
    first[0] = segment_start(run, columns, panel, first_segment(run, thread))
    last[0] = segment_start(run, columns, panel, first_segment(run, thread + 1))
    first[0] = min(first[0], columns)
    last[0] = min(last[0], columns)


cdef inline void output_columns(
    const Run* run, Py_ssize_t layer, Py_ssize_t panel, Py_ssize_t* first, Py_ssize_t* last,
) noexcept nogil:
    """The columns of a layer's output that this thread has."""
    first[0], last[0] = 0, run.program[layer * COLUMNS + OUTPUTS]
    if run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_OUTPUTS:
        share_of(run, run.thread, last[0], panel, first, last)


cdef inline void own_weights(
    const Run* run, Py_ssize_t layer, Py_ssize_t panel,
    Py_ssize_t* first_row, Py_ssize_t* last_row, Py_ssize_t* first, Py_ssize_t* last,
) noexcept nogil:
    """The part of a dense layer's W that this thread computes with and updates."""
    first_row[0], last_row[0] = 0, run.program[layer * COLUMNS + INPUTS]
    if run.plan[layer * PLAN_COLUMNS + SPLIT] == BY_INPUTS:
        share_of(run, run.thread, last_row[0], panel, first_row, last_row)
    output_columns(run, layer, panel, first, last)


cdef inline Py_ssize_t samples_at_once(const Run* run) noexcept nogil:
    """How many of a batch a thread has at hand at most."""
    if run.plan[SPLIT] == BY_SAMPLES:
        return min(run.choices[BATCH], AT_ONCE)
    return run.choices[BATCH]


cdef inline bint gathers_input(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether a layer needs columns of its input that other threads have."""
    cdef int64_t kind = run.program[layer * COLUMNS + KIND] if layer < run.layers else ADD
    cdef int64_t split = BY_OUTPUTS if kind == DENSE else WHOLE
    return (run.threads > 1 and layer and (kind == DENSE or kind == FORK or kind == LAYER_NORM)
            and run.plan[layer * PLAN_COLUMNS + SPLIT] == split
            and run.plan[(layer - 1) * PLAN_COLUMNS + SPLIT] == BY_OUTPUTS)


cdef inline bint meet(const Run* run) noexcept nogil:
    return run.threads == 1 or wait_for_all(run.sync, run.threads)


cdef inline Py_ssize_t exchanged_at_once(const Run* run) noexcept nogil:
    return min(run.choices[BATCH], MOST_EXCHANGED)


cdef inline real* partial_sums(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t width, Py_ssize_t segment,
) noexcept nogil:
    """One segment's part of the sum that is exchanged next: (exchanged_at_once, width)."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    return (work + run.exchanges % 2 * plan[EXCHANGE]
            + segment * exchanged_at_once(run) * width)


cdef inline Py_ssize_t parts_in(const Run* run, Py_ssize_t layer, const real* _real) noexcept nogil:
    """How many parts the sums of squares of a row of rows have: see squares.pxd."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    return (run.choices[SEGMENTS] if plan[SPLIT] == BY_INPUTS
            else panels_in[real](plan, _real))


cdef inline double* parts_of(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """Where they are; two times in turn, for others may still read the last."""
    cdef double* parts = kept_scale[real](run.plan + layer * PLAN_COLUMNS, work) + 1
    return parts + run.summed % 2 * parts_in[real](run, layer, work)


cdef inline double* kept_sums(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """Behind them each thread's own, and then room for as many: see followed.pxd."""
    cdef double* parts = kept_scale[real](run.plan + layer * PLAN_COLUMNS, work) + 1
    return parts + 2 * parts_in[real](run, layer, work)


cdef inline double* kept_scale(const int64_t* plan, const real* work) noexcept nogil:
    """Before them, of the first row's plan: its scale between two calls for steps of one epoch.

    0 stands for 1, when no sums are kept.
    """
    return <double*> (work + plan[SQUARES])


cdef inline Py_ssize_t row_of(const Run* run, Py_ssize_t layer) noexcept nogil:
    """From a sample's y and dy to the next one's."""
    return run.plan[layer * PLAN_COLUMNS + Y_ROW]


cdef inline real* y_of(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """Where the rows of a layer's output start, for the samples that a stage is about."""
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    return work + plan[Y] + run.shift + run.row * plan[Y_ROW]


cdef inline real* dy_of(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    return work + plan[DY] + run.shift + run.row * plan[Y_ROW]


cdef inline Py_ssize_t partner_of(const Run* run, Py_ssize_t layer) noexcept nogil:
    """The other end of a shortcut."""
    return run.program[layer * COLUMNS + PARTNER]


cdef inline const double* values_of(const Run* run, Py_ssize_t layer) noexcept nogil:
    """A layer's own real numbers, by their Value; behind the last layer's the loss's."""
    return run.settings + VALUES + layer * VALUE_COLUMNS


cdef inline bint takes_steps(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether the optimiser moves a layer's parameters, and now."""
    return not run.program[layer * COLUMNS + FROZEN] and not run.still


cdef inline double penalty_of(const Run* run, Py_ssize_t layer, bint bias) noexcept nogil:
    """The factor of the penalty on a layer's weights, from which others' parameters are spared."""
    return 0 if bias or is_norm(run.program[layer * COLUMNS + KIND]) else run.l2


cdef inline bint adds_at_once(const Run* run) noexcept nogil:
    """Whether a step is so plain that nobody looks at the gradient: W's tile takes it up."""
    return run.choices[OPTIMIZER] == PLAIN and (run.settings[CLIP_VALUE] == 0 or run.within)


cdef inline Rule rule_of(const Run* run, Py_ssize_t layer, bint bias) noexcept nogil:
    """How the optimiser moves a layer's weights, or its bias."""
    cdef const double* values = values_of(run, layer)
    cdef Rule rule
    rule.rate = values[LR_FACTOR] * (values[BIAS_LR_FACTOR] if bias else 1)
    rule.decay = values[BIAS_DECAYS] if bias else values[DECAYS]
    return rule


cdef inline Masks masks_of(const Run* run, Py_ssize_t layer) noexcept nogil:
    """A dropout layer's masks of this step."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    return masks_from(values_of(run, layer)[P], row[SEED], row[MASKS] + run.mask)


cdef inline Py_ssize_t padded_size(const int64_t* row, Py_ssize_t axis) noexcept nogil:
    """Rows or columns of what a convolution reads: up to the end of the image and of all windows.
    """
    return max(row[HEIGHT + axis] + row[PADDING + axis],
               (row[OUT_HEIGHT + axis] - 1) * row[STRIDE + axis] + row[KERNEL + axis])


cdef inline bint has_border(const int64_t* row) noexcept nogil:
    """Whether it is a convolution that reads a copy of its input, with padding."""
    return row[KIND] == CONV and (padded_size(row, 0) > row[HEIGHT]
                                  or padded_size(row, 1) > row[HEIGHT + 1])


cdef inline Py_ssize_t weights_of(const int64_t* row) noexcept nogil:
    """The size of a convolution's w and b, which is there, and 0, where it has none."""
    cdef Py_ssize_t window = row[KERNEL] * row[KERNEL + 1]
    return row[OUT_CHANNELS] * (row[CHANNELS] // row[GROUPS] * window + 1)


cdef inline Py_ssize_t parameters_of(const int64_t* row) noexcept nogil:
    """How many of those are the network's."""
    return weights_of(row) - (0 if row[BIAS] else row[OUT_CHANNELS])


cdef inline bint is_norm(int64_t kind) noexcept nogil:
    return COLUMN_SCALE <= kind <= LAYER_NORM


cdef inline Py_ssize_t vectors_in(const int64_t* row) noexcept nogil:
    """How many vectors a row computes with: those of a norm without parameters hold 1 and 0."""
    return 2 if row[KIND] == BATCH_NORM or row[KIND] == LAYER_NORM else row[PARAM_VECTORS]


cdef inline Py_ssize_t length_of(const int64_t* row) noexcept nogil:
    """How many numbers a row's vectors and buffers have where it computes with them.

    Standardize has a number for each column there, even where its layer has one a channel.
    """
    return row[OUTPUTS] if row[KIND] == STANDARDIZE else row[VECTOR]


cdef inline Py_ssize_t vectors_size(const int64_t* row, const real* _real) noexcept nogil:
    """What parameters that are vectors take in the workspace, one after another."""
    return vectors_in(row) * width_of[real](length_of(row), _real)


cdef inline Py_ssize_t buffers_size(const int64_t* row, const real* _real) noexcept nogil:
    """What a row's buffers take in the workspace, likewise."""
    return row[BUFFERS] * width_of[real](length_of(row), _real)


cdef inline real* partial_gradient(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t segment,
) noexcept nogil:
    """A segment's part of the gradient of a convolution's w and b."""
    return (work + run.plan[layer * PLAN_COLUMNS + SUMS] + run.shift
            + segment * weights_of(run.program + layer * COLUMNS))


cdef inline bint on_images(const int64_t* program, Py_ssize_t layers) noexcept nogil:
    cdef Py_ssize_t layer
    for layer in range(layers):
        if program[layer * COLUMNS + KIND] == FLATTEN:
            return True
    return False


cdef inline Input hidden_input(
    const Run* run, Py_ssize_t layer, const real* work, Py_ssize_t n,
) noexcept nogil:
    """The output of the layer before (layer > 0), all of it."""
    cdef Input input
    cdef const int64_t* before = run.plan + (layer - 1) * PLAN_COLUMNS
    input.n = n
    input.x = y_of[real](run, layer - 1, <real*> work)
    input.row = before[Y_ROW]
    input.bounds = NULL
    input.starts = NULL
    return input
