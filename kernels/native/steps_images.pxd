"""The steps of all weights of a program with rows on images, from what all threads have computed.

Each thread takes them in its own copy of the weights; so each computes all gradients.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

cimport limits
from block_norms cimport finish, gradient_whole
from norms cimport norm_gradient
from numbers cimport (
    BATCH_NORM, CLIP_NORM, COLUMNS, CONV, DENSE, KIND, OUTPUTS, OUT_CHANNELS, PARAM_VECTORS,
    PLAN_COLUMNS, SEGMENTS, STEP, VECTOR, W,
)
from program cimport (
    Input, Run, hidden_input, parameters_of, partial_gradient, penalty_of, takes_steps, weights_of,
)
from squares cimport panel_squares
from stages cimport step_apart
from steps cimport optimize_apart
from tile cimport real
from widths cimport panel_width


cdef inline Py_ssize_t filters_of(const int64_t* row) noexcept nogil:
    """The size of a convolution's w."""
    return weights_of(row) - row[OUT_CHANNELS]


cdef inline real* convolution_gradient(
    const Run* run, Py_ssize_t layer, real* work,
) noexcept nogil:
    """The gradient of w and b: the segments' parts added in order, in the layer's scratch."""
    cdef Py_ssize_t size = parameters_of(run.program + layer * COLUMNS), j, segment
    cdef real* g = work + run.plan[layer * PLAN_COLUMNS + STEP]
    cdef const real* part = partial_gradient[real](run, layer, work, 0)
    for j in range(size):
        g[j] = part[j]
    for segment in range(1, run.choices[SEGMENTS]):
        part = partial_gradient[real](run, layer, work, segment)
        for j in range(size):
            g[j] += part[j]
    return g


cdef inline void update_convolution(const Run* run, Py_ssize_t layer, real* work) noexcept nogil:
    """A step of this thread's copy of w and b."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t size = parameters_of(row), weights = filters_of(row)
    cdef real* g = convolution_gradient[real](run, layer, work)
    cdef real* w = work + run.plan[layer * PLAN_COLUMNS + W]
    optimize_apart[real](run, layer, False, g, w, weights)
    optimize_apart[real](run, layer, True, g + weights, w + weights, size - weights)


cdef inline double convolution_squares(
    const Run* run, Py_ssize_t layer, real* work,
) noexcept nogil:
    """The sum of its gradient's squares, with the penalty's."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef real* g = convolution_gradient[real](run, layer, work)
    cdef real l2 = <real> penalty_of(run, layer, False)
    if l2 > 0:
        limits.add_penalty[real](l2, work + run.plan[layer * PLAN_COLUMNS + W], g, filters_of(row))
    return limits.squares[real](g, parameters_of(row))


cdef inline double squares_of_row(
    const Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """The same of any row; or with input NULL the sum of its weights' squares."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef Py_ssize_t p = 0, vector
    cdef double total = 0
    if row[KIND] == CONV and input != NULL:
        return convolution_squares[real](run, layer, work)
    if row[KIND] == CONV:
        return limits.squares[real](work + run.plan[layer * PLAN_COLUMNS + W], filters_of(row))
    if row[KIND] == BATCH_NORM:
        for vector in range(row[PARAM_VECTORS]):
            total += limits.squares[real](
                gradient_whole[real](run, layer, work, vector), row[VECTOR])
        return total
    if row[KIND] != DENSE:
        norm_gradient[real](run, layer, work, input, 0, row[OUTPUTS])
    while p < row[OUTPUTS]:
        total += panel_squares[real](run, layer, work, input, p)
        p += panel_width[real](work)
    return total


cdef inline double sum_squares(
    const Run* run, real* work, Py_ssize_t batch, bint of_weights,
) noexcept nogil:
    """Of all weights, or of all gradients."""
    cdef const int64_t* row
    cdef Py_ssize_t layer
    cdef Input hidden
    cdef double total = 0
    for layer in range(run.layers):
        row = run.program + layer * COLUMNS
        if of_weights and (row[KIND] == DENSE or row[KIND] == CONV):
            total += squares_of_row[real](run, layer, work, NULL)
        elif (not of_weights and takes_steps(run, layer)
                and (row[KIND] == DENSE or row[KIND] == CONV or row[PARAM_VECTORS])):
            if row[KIND] != CONV and row[KIND] != BATCH_NORM:
                hidden = hidden_input[real](run, layer, work, batch)
            total += squares_of_row[real](run, layer, work, &hidden)
    return total


cdef inline double penalty(const Run* run, real* work) noexcept nogil:
    """What all weights as they are add to the loss."""
    if run.l2 == 0:
        return 0
    return run.l2 / 2 * sum_squares[real](run, work, 0, True)


cdef inline void update_all(Run* run, real* work, Py_ssize_t batch) noexcept nogil:
    """A step of this thread's copy of all weights."""
    cdef Py_ssize_t layer
    cdef const int64_t* row
    cdef Input images
    memset(&images, 0, sizeof(images))
    images.n = batch
    if run.settings[CLIP_NORM] > 0:
        run.clip = limits.clip_factor(
            run.settings, sum_squares[real](run, work, batch, False))
    for layer in range(run.layers):
        row = run.program + layer * COLUMNS
        if row[KIND] == BATCH_NORM:
            finish[real](run, layer, work, batch)
        elif row[KIND] == CONV and takes_steps(run, layer):
            update_convolution[real](run, layer, work)
        elif row[KIND] == DENSE or row[PARAM_VECTORS]:
            step_apart[real](run, layer, work, &images, NULL)
