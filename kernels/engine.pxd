"""The steps of an epoch, which the layered loop of fastbp.training specifies, without Python."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from batch cimport BYTES, FLOATS, gather_entries, gather_nonzero, gather_rows, source
from program cimport (
    BATCH, BLOCK, COLUMNS, DENSE, FEATURES, Input, KIND, LOG_SOFTMAX, Run, SCALE, SKIP_COLUMNS,
    SKIP_NOTHING, SKIP_ZEROS, SOURCE, STEPS_BEFORE, X, X_STRIDE, hidden_input, meet, meets,
)
from stages cimport backward_layer, forward_layer, loss_of, update_layer
from tile cimport real


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
