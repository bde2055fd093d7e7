"""One training step over a program: what the layered loop does, without going back to Python.

There is no mathematics here, only calls of the cores that the single kernels wrap too. The program
is data: a row of integers for each layer (see the enums below), made by fastbp.program. A new kind
of layer is a new row kind and its two cores.

Every thread runs every step. It owns some output columns of each layer (whole panels of a dense
one) and writes nothing else; where it reads what others wrote, all meet at a barrier first.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

cimport activations
cimport panels
cimport rowwise
cimport updates
from batch cimport BYTES, FLOATS, gather_entries, gather_nonzero, gather_rows, source
from barrier cimport wait_for_all
from tile cimport MOST_LANES, PANEL, ROWS, dvec, fvec, real

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


cdef inline Py_ssize_t blocks_of(Py_ssize_t inputs) noexcept nogil:
    return (inputs + BLOCK - 1) // BLOCK


cdef inline void forward_entries(
    const Input* input, Py_ssize_t n, Py_ssize_t inputs, const real* w, Py_ssize_t panel,
    const real* b, real* y, Py_ssize_t y_row,
) noexcept nogil:
    if real is float:
        panels.forward_entries[float, fvec](
            n, blocks_of(inputs), <const float*> input.x, input.rows, input.bounds,
            <const fvec*> w, panel, <const fvec*> b, y, y_row)
    else:
        panels.forward_entries[double, dvec](
            n, blocks_of(inputs), <const double*> input.x, input.rows, input.bounds,
            <const dvec*> w, panel, <const dvec*> b, y, y_row)


cdef inline void add_entries(
    const Input* input, Py_ssize_t n, Py_ssize_t inputs, const real* step, Py_ssize_t step_row,
    real* w, Py_ssize_t panel,
) noexcept nogil:
    if real is float:
        panels.add_entries[float, fvec](
            n, blocks_of(inputs), <const float*> input.x, input.rows, input.bounds, step, step_row,
            <fvec*> w, panel)
    else:
        panels.add_entries[double, dvec](
            n, blocks_of(inputs), <const double*> input.x, input.rows, input.bounds, step, step_row,
            <dvec*> w, panel)


cdef inline void forward_layer(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
    const Input* input,
) noexcept nogil:
    """This thread's columns of one layer's output."""
    cdef const real* x = <const real*> input.x
    cdef Py_ssize_t x_row = input.row
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), first, last, r, p, y_row = plan[WIDTH]
    cdef real* y = work + plan[Y]
    cdef int64_t kind = row[KIND]
    owned(run, layer, panel, &first, &last)
    if kind == DENSE:
        p = first
        while p < last:
            if input.bounds != NULL:
                forward_entries[real](input, n, row[INPUTS], work + plan[W] + p * row[INPUTS], panel,
                                      work + plan[W] + y_row * row[INPUTS] + p, y + p, y_row)
            elif real is float:
                panels.forward_panel[float, fvec](
                    n, input.depth, x, x_row, input.column, <const fvec*> (work + plan[W] + p * row[INPUTS]),
                    panel, input.rows, <const fvec*> (work + plan[W] + y_row * row[INPUTS] + p), y + p, y_row)
            else:
                panels.forward_panel[double, dvec](
                    n, input.depth, x, x_row, input.column, <const dvec*> (work + plan[W] + p * row[INPUTS]),
                    panel, input.rows, <const dvec*> (work + plan[W] + y_row * row[INPUTS] + p), y + p, y_row)
            p += panel
        return
    for r in range(n if last > first else 0):
        if kind == RELU:
            activations.relu_forward[real](x + r * x_row + first, y + r * y_row + first, last - first)
        elif kind == ELU:
            activations.elu_forward[real](
                x + r * x_row + first, <real> run.settings[ALPHAS + layer],
                y + r * y_row + first, last - first)
        elif kind == TANH:
            activations.tanh_forward[real](x + r * x_row + first, y + r * y_row + first, last - first)
        elif kind == SIGMOID:
            activations.sigmoid_forward[real](
                x + r * x_row + first, y + r * y_row + first, last - first)
        else:
            rowwise.log_softmax_row[real](x + r * x_row, y + r * y_row, row[OUTPUTS])


cdef inline void backward_layer(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
) noexcept nogil:
    """From dy of one layer, this thread's columns of dy of the layer before it (layer > 0)."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), first, last, r, c
    cdef Py_ssize_t y_row = plan[WIDTH], dx_row = plan[WIDTH - PLAN_COLUMNS]
    cdef const real* y = work + plan[Y]
    cdef const real* dy = work + plan[DY]
    cdef real* dx = work + plan[DY - PLAN_COLUMNS]
    cdef int64_t kind = row[KIND]
    owned(run, layer - 1 if kind == DENSE else layer, panel, &first, &last)
    if kind == DENSE:
        if real is float:
            panels.backward_input[float, fvec](
                n, first, last, y_row // panel, dy, y_row, work + plan[W], panel,
                row[INPUTS] * panel, dx, dx_row, NULL)
        else:
            panels.backward_input[double, dvec](
                n, first, last, y_row // panel, dy, y_row, work + plan[W], panel,
                row[INPUTS] * panel, dx, dx_row, NULL)
        return
    c = last - first
    for r in range(n if c > 0 else 0):
        if kind == RELU:
            activations.relu_backward[real](
                y + r * y_row + first, dy + r * y_row + first, dx + r * dx_row + first, c)
        elif kind == ELU:
            activations.elu_backward[real](
                y + r * y_row + first, dy + r * y_row + first,
                <real> run.settings[ALPHAS + layer], dx + r * dx_row + first, c)
        elif kind == TANH:
            activations.tanh_backward[real](
                y + r * y_row + first, dy + r * y_row + first, dx + r * dx_row + first, c)
        elif kind == SIGMOID:
            activations.sigmoid_backward[real](
                y + r * y_row + first, dy + r * y_row + first, dx + r * dx_row + first, c)
        else:
            rowwise.log_softmax_backward_row[real](
                y + r * y_row, dy + r * y_row, dx + r * dx_row, row[OUTPUTS])


cdef inline void optimize(
    const Run* run, const real* g, real* w, Py_ssize_t to_m, Py_ssize_t to_v, Py_ssize_t n,
) noexcept nogil:
    """One optimiser step of n parameters in a row, whose memory lies to_m and to_v further on."""
    cdef const double* s = run.settings
    cdef int64_t kind = run.choices[OPTIMIZER]
    cdef real lr = <real> s[LR], beta1 = <real> s[MOMENTUM_OR_BETA1], decay = <real> s[DECAY]
    cdef real fix1, fix2
    if kind == MOMENTUM:
        updates.momentum[real](g, lr, beta1, decay, w, w + to_m, n)
    elif kind == NESTEROV:
        updates.nesterov[real](g, lr, beta1, decay, w, w + to_m, n)
    else:
        fix1 = <real> updates.correction(s[MOMENTUM_OR_BETA1], <double> run.step)
        fix2 = <real> updates.correction(s[BETA2], <double> run.step)
        if kind == ADAM:
            updates.adam[real](g, lr, beta1, <real> s[BETA2], <real> s[EPSILON], decay,
                               fix1, fix2, w, w + to_m, w + to_v, n)
        else:
            updates.adamw[real](g, lr, beta1, <real> s[BETA2], <real> s[EPSILON], decay,
                                fix1, fix2, w, w + to_m, w + to_v, n)


cdef inline void optimize_panel(
    const Run* run, Py_ssize_t n, const Input* input, const real* dy, Py_ssize_t dy_row,
    real* w, Py_ssize_t panel,
    Py_ssize_t to_m, Py_ssize_t to_v,
) noexcept nogil:
    """The gradient of a few rows of a panel at a time, used while it is in the nearest cache."""
    cdef real g[ROWS * MOST_LANES * PANEL]
    cdef const real* x = <const real*> input.x
    cdef Py_ssize_t k = 0, count
    while k < input.depth:
        count = ROWS if k + ROWS <= input.depth else 1
        if real is float:
            panels.gradient_rows[float, fvec](count, n, x + k * input.column, input.row, input.column,
                                              <const fvec*> dy, dy_row, <fvec*> &g[0], panel)
        else:
            panels.gradient_rows[double, dvec](count, n, x + k * input.column, input.row, input.column,
                                               <const dvec*> dy, dy_row, <dvec*> &g[0], panel)
        optimize[real](run, &g[0], w + k * panel, to_m, to_v, count * panel)
        k += count


cdef inline void update_layer(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n,
    const Input* input,
) noexcept nogil:
    """A step of this thread's columns of W and b.

    Plain SGD adds -lr * dy to W without ever storing a gradient; dy is spent by that.
    """
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef const int64_t* plan = run.plan + layer * PLAN_COLUMNS
    cdef Py_ssize_t panel = panel_width[real](work), first, last, r, j, p, dy_row = plan[WIDTH]
    cdef real* dy = work + plan[DY]
    cdef real* w = work + plan[W]
    cdef real* b = w + dy_row * row[INPUTS]
    cdef real g[MOST_LANES * PANEL]
    cdef bint plain = run.choices[OPTIMIZER] == PLAIN
    cdef real factor = <real> -run.settings[LR] if plain else <real> 1
    owned(run, layer, panel, &first, &last)
    p = first
    while p < last:
        for j in range(panel):
            g[j] = 0
        for r in range(n):
            for j in range(panel):
                dy[r * dy_row + p + j] *= factor
                g[j] += dy[r * dy_row + p + j]
        if not plain:
            optimize[real](run, &g[0], b + p, plan[M] - plan[W], plan[V] - plan[W], panel)
            optimize_panel[real](run, n, input, dy + p, dy_row,
                                 w + p * row[INPUTS], panel, plan[M] - plan[W], plan[V] - plan[W])
        else:
            for j in range(panel):
                b[p + j] += g[j]
            if input.bounds != NULL:
                add_entries[real](input, n, row[INPUTS], dy + p, dy_row, w + p * row[INPUTS], panel)
            elif real is float:
                panels.add_panel[float, fvec](
                    n, input.depth, <const float*> input.x, input.row, input.column, dy + p, dy_row,
                    <fvec*> (w + p * row[INPUTS]), panel, input.rows)
            else:
                panels.add_panel[double, dvec](
                    n, input.depth, <const double*> input.x, input.row, input.column, dy + p, dy_row,
                    <dvec*> (w + p * row[INPUTS]), panel, input.rows)
        p += panel


cdef inline double loss_of(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples,
    const int64_t* labels, const real* values,
) noexcept nogil:
    """The batch's loss, and the gradient by the last layer's output."""
    cdef Py_ssize_t last = run.layers - 1, r
    cdef Py_ssize_t o = run.program[last * COLUMNS + OUTPUTS]
    cdef Py_ssize_t width = run.plan[last * PLAN_COLUMNS + WIDTH]
    cdef const real* y = work + run.plan[last * PLAN_COLUMNS + Y]
    cdef real* dy = work + run.plan[last * PLAN_COLUMNS + DY]
    cdef real share = <real> (1.0 / n)
    cdef double total = 0
    for r in range(n):
        if run.choices[LOSS] == HINGE:
            total += rowwise.hinge_row[real](
                y + r * width, labels[samples[r]], <real> run.settings[MARGIN], share,
                dy + r * width, o)
        elif run.choices[LOSS] == CROSS_ENTROPY:
            total += rowwise.cross_entropy_row[real](
                y + r * width, labels[samples[r]], share, dy + r * width, o)
        elif run.choices[LOSS] == NLL:
            total += rowwise.nll_row[real](
                y + r * width, labels[samples[r]], share, dy + r * width, o)
        else:
            total += rowwise.squared_error_row[real](
                y + r * width, values + samples[r] * o, <real> (1.0 / (n * o)), dy + r * width, o)
    return total / (n * o if run.choices[LOSS] == SQUARED_ERROR else n)


cdef inline bint train_step(
    const Run* run, real* work, Py_ssize_t n, const int64_t* samples,
    const Input* first, const int64_t* labels, const real* values, double* loss,
) noexcept nogil:
    """Forward, loss, backward and update of one batch; 0 if the run was given up or diverged.

    The update of a layer must wait until every thread has read its W for dx, which the next
    barrier shows; until then it is pending.
    """
    cdef Py_ssize_t layer, pending = 0
    cdef Input hidden
    cdef bint fresh = False  # whether dy was written since all last met
    for layer in range(run.layers):
        if meets(run, layer) and not meet(run):
            return False
        hidden = hidden_input[real](run, layer, work)
        forward_layer[real](run, layer, work, n, &hidden if layer else first)
    if not meet(run):
        return False
    if run.thread == 0:
        loss[0] = loss_of[real](run, work, n, samples, labels, values)
    if not meet(run) or loss[0] - loss[0] != 0:  # NaN or infinite
        return False
    for layer in range(run.layers - 1, 0, -1):
        if run.program[layer * COLUMNS + KIND] == DENSE:
            if fresh and not meet(run):
                return False
            backward_layer[real](run, layer, work, n)
            if pending:
                hidden = hidden_input[real](run, pending, work)
                update_layer[real](run, pending, work, n, &hidden)
            pending, fresh = layer, True
        else:
            backward_layer[real](run, layer, work, n)
            fresh = True
            if run.program[layer * COLUMNS + KIND] == LOG_SOFTMAX:
                if not meet(run):
                    return False
                fresh = False
    if run.program[KIND] == DENSE:
        update_layer[real](run, 0, work, n, first)
    if pending:
        if not meet(run):
            return False
        hidden = hidden_input[real](run, pending, work)
        update_layer[real](run, pending, work, n, &hidden)
    return True


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


cdef inline bint meet(const Run* run) noexcept nogil:
    return run.threads == 1 or wait_for_all(run.sync, run.threads)


cdef inline Input gather(
    const Run* run, const source* data, const int64_t* chosen, Py_ssize_t n, real* x,
) noexcept nogil:
    """A batch of the data, in this thread's own part of the workspace, which starts at x."""
    cdef Py_ssize_t features = run.choices[FEATURES], most = run.choices[BATCH] * features
    cdef int64_t mode = run.choices[SKIP_ZEROS]
    cdef real scale = <real> run.settings[SCALE]
    cdef int32_t* numbers = <int32_t*> (x + most)
    cdef Input input
    input.x = x
    input.row, input.column = features, 1
    input.depth = features
    input.rows = NULL
    input.bounds = NULL
    if mode == SKIP_NOTHING:
        gather_rows[source, real](data, features, chosen, n, scale, x)
    elif mode == SKIP_COLUMNS:
        input.depth = gather_nonzero[source, real](
            data, features, chosen, n, scale, numbers, <uint8_t*> (numbers + features), x)
        input.row, input.column = 1, n
        input.rows = numbers
    else:
        gather_entries[source, real](data, features, chosen, n, scale, BLOCK,
                                     numbers + most + 1, numbers, x)
        input.rows = numbers
        input.bounds = numbers + most + 1
    return input


cdef inline Py_ssize_t train_steps(
    Run* run, real* work, const uint8_t* data, const int64_t* labels,
    const real* values, const int64_t* order, Py_ssize_t samples,
    Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    """The steps first..last of an epoch; returns the first that was not done."""
    cdef const int64_t* choices = run.choices
    cdef Py_ssize_t batch = choices[BATCH], step, n
    cdef real* x = work + choices[X] + run.thread * choices[X_STRIDE]
    cdef const int64_t* chosen
    cdef Input input
    for step in range(first, last):
        n = min(batch, samples - step * batch)
        chosen = order + step * batch
        run.step = choices[STEPS_BEFORE] + step + 1
        if choices[SOURCE] == BYTES:
            input = gather[uint8_t, real](run, data, chosen, n, x)
        elif choices[SOURCE] == FLOATS:
            input = gather[float, real](run, <const float*> data, chosen, n, x)
        else:
            input = gather[double, real](run, <const double*> data, chosen, n, x)
        # Some may still read what the last step left in y.
        if not meet(run) or not train_step[real](
                run, work, n, chosen, &input, labels, values, losses + step):
            return step
    return last
