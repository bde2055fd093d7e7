"""The program of a network, as the engine sees it: plain numbers, who owns what, who waits.

The enums name the columns of the integer arrays that fastbp.program and fastbp.engine make. A new
kind of layer is a new row kind here and its cores in stages.pxd.

Every thread runs every step. It owns some output columns of each layer (whole panels of a dense
one) and writes nothing else; where it reads what others wrote, all meet at a barrier first.
"""

from libc.stdint cimport int32_t, int64_t

from barrier cimport wait_for_all
from tile cimport PANEL, dvec, fvec, real

cdef enum Kind:  # of a program's row
    DENSE
    RELU
    ELU
    TANH
    SIGMOID
    LOG_SOFTMAX

cdef enum:  # columns of a program's row: plain data, the same for every backend
    KIND
    INPUTS
    OUTPUTS
    PARAMS  # where w and then b start in the flat parameter vector
    COLUMNS

cdef enum:  # columns of a plan's row: where things lie in this engine's workspace, in elements
    WIDTH  # of y and dy: outputs, rounded up to whole panels
    Y
    DY
    W  # panels of w, then b; the next two likewise, for what the optimiser remembers
    M
    V
    PLAN_COLUMNS

cdef enum Loss:
    HINGE
    CROSS_ENTROPY
    NLL
    SQUARED_ERROR

cdef enum:  # the integer settings of a run
    LOSS
    THREADS
    BATCH
    SOURCE  # what the data's elements are: see batch.pxd
    FEATURES
    SKIP_ZEROS
    X  # where each thread's copy of the batch starts in the workspace, and how far apart they are
    X_STRIDE
    OPTIMIZER
    STEPS_BEFORE  # steps of earlier epochs, for Adam

cdef enum SkipZeros:
    SKIP_NOTHING
    SKIP_COLUMNS  # inputs that are zero in the whole batch
    SKIP_ENTRIES  # every zero

cdef enum:
    BLOCK = 96  # rows of a panel that fit into the nearest cache beside the rest

cdef enum Optimizer:
    PLAIN
    MOMENTUM
    NESTEROV
    ADAM
    ADAMW

cdef enum:  # the float settings of a run
    SCALE
    MARGIN
    LR
    MOMENTUM_OR_BETA1
    BETA2
    EPSILON
    DECAY
    ALPHAS  # of the program's ELU rows, from here on


cdef struct Run:  # everything a thread needs to know
    const int64_t* program
    const int64_t* plan
    Py_ssize_t layers
    const double* settings
    const int64_t* choices
    Py_ssize_t step  # of all epochs, from 1
    Py_ssize_t thread
    Py_ssize_t threads
    int64_t* sync


cdef struct Input:  # what a layer reads
    const void* x
    Py_ssize_t row  # elements from a sample to the next
    Py_ssize_t column  # and from an input to the next
    Py_ssize_t depth  # how many inputs x has
    const int32_t* rows  # which ones, if not all
    const int32_t* bounds  # or, if not NULL, x lists the samples' non-zeros: see batch.pxd


cdef inline Py_ssize_t width_of(Py_ssize_t columns, const real* _real) noexcept nogil:
    """columns rounded up to whole panels."""
    cdef Py_ssize_t panel = panel_width[real](_real)
    return (columns + panel - 1) // panel * panel


cdef inline Py_ssize_t panel_width(const real* _real) noexcept nogil:
    if real is float:
        return PANEL * <Py_ssize_t> (sizeof(fvec) // sizeof(float))
    else:
        return PANEL * <Py_ssize_t> (sizeof(dvec) // sizeof(double))


cdef inline Py_ssize_t blocks_of(Py_ssize_t inputs) noexcept nogil:
    return (inputs + BLOCK - 1) // BLOCK


cdef inline void owned(
    const Run* run, Py_ssize_t layer, Py_ssize_t panel, Py_ssize_t* first, Py_ssize_t* last,
) noexcept nogil:
    """The output columns of a layer that this thread computes: whole panels, or all or none."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t count
    while row[KIND] != DENSE and row[KIND] != LOG_SOFTMAX and layer > 0:
        layer -= 1  # an elementwise layer's columns belong to whoever computed its input
        row -= COLUMNS
    if row[KIND] != DENSE:
        first[0] = 0
        last[0] = row[OUTPUTS] if run.thread == 0 else 0
        return
    count = run.plan[layer * PLAN_COLUMNS + WIDTH] // panel
    first[0] = count * run.thread // run.threads * panel
    last[0] = count * (run.thread + 1) // run.threads * panel
    first[0] = min(first[0], row[OUTPUTS])
    last[0] = min(last[0], row[OUTPUTS])


cdef inline bint meets(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether layer reads all of its input, which other threads may have written."""
    cdef int64_t kind = run.program[layer * COLUMNS + KIND]
    return layer > 0 and (kind == DENSE or kind == LOG_SOFTMAX)


cdef inline bint meet(const Run* run) noexcept nogil:
    return run.threads == 1 or wait_for_all(run.sync, run.threads)


cdef inline Input hidden_input(const Run* run, Py_ssize_t layer, const real* work) noexcept nogil:
    """The output of the layer before, all of it (nonsense for layer 0, which reads the data)."""
    cdef Input input
    cdef const int64_t* before = run.plan + (layer - 1 if layer else 0) * PLAN_COLUMNS
    input.x = work + before[Y]
    input.row = before[WIDTH]
    input.column = 1
    input.depth = run.program[layer * COLUMNS + INPUTS]
    input.rows = NULL
    input.bounds = NULL
    return input
