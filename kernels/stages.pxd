"""What a thread does for one layer of one batch: forward, backward, update; and the loss.

There is no mathematics here, only calls of the cores that the single kernels wrap too.
"""

from libc.stdint cimport int64_t

cimport activations
cimport panels
cimport rowwise
cimport updates
from program cimport (
    ADAM, ALPHAS, BETA2, COLUMNS, CROSS_ENTROPY, DECAY, DENSE, DY, ELU, EPSILON, HINGE, INPUTS,
    Input, KIND, LOSS, LR, M, MARGIN, MOMENTUM, MOMENTUM_OR_BETA1, NESTEROV, NLL, OPTIMIZER,
    OUTPUTS, PLAIN, PLAN_COLUMNS, RELU, Run, SIGMOID, SQUARED_ERROR, TANH, V, W, WIDTH, Y,
    blocks_of, owned, panel_width,
)
from tile cimport MOST_LANES, PANEL, ROWS, dvec, fvec, real


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
    cdef const real* w = work + plan[W]
    cdef const real* b = w + y_row * row[INPUTS]
    cdef real* y = work + plan[Y]
    cdef int64_t kind = row[KIND]
    owned(run, layer, panel, &first, &last)
    if kind == DENSE:
        p = first
        while p < last:
            if input.bounds != NULL:
                forward_entries[real](input, n, row[INPUTS], w + p * row[INPUTS], panel, b + p,
                                      y + p, y_row)
            elif real is float:
                panels.forward_panel[float, fvec](
                    n, input.depth, x, x_row, input.column, <const fvec*> (w + p * row[INPUTS]),
                    panel, input.rows, <const fvec*> (b + p), y + p, y_row)
            else:
                panels.forward_panel[double, dvec](
                    n, input.depth, x, x_row, input.column, <const dvec*> (w + p * row[INPUTS]),
                    panel, input.rows, <const dvec*> (b + p), y + p, y_row)
            p += panel
        return
    for r in range(n if last > first else 0):
        if kind == RELU:
            activations.relu_forward[real](
                x + r * x_row + first, y + r * y_row + first, last - first)
        elif kind == ELU:
            activations.elu_forward[real](
                x + r * x_row + first, <real> run.settings[ALPHAS + layer],
                y + r * y_row + first, last - first)
        elif kind == TANH:
            activations.tanh_forward[real](
                x + r * x_row + first, y + r * y_row + first, last - first)
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
            panels.gradient_rows[float, fvec](
                count, n, x + k * input.column, input.row, input.column,
                <const fvec*> dy, dy_row, <fvec*> &g[0], panel)
        else:
            panels.gradient_rows[double, dvec](
                count, n, x + k * input.column, input.row, input.column,
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
                    n, input.depth, <const double*> input.x, input.row, input.column, dy + p,
                    dy_row, <dvec*> (w + p * row[INPUTS]), panel, input.rows)
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
