"""Where things lie in the engine's workspace: what the threads share, and then each one's own."""

from libc.stdint cimport int64_t

from program cimport (
    BY_INPUTS, BY_OUTPUTS, COLUMNS, DENSE, DY, EXCHANGE, INPUTS, KIND, MOST_EXCHANGED, OUTPUTS,
    PLAN_COLUMNS, PRIVATE, SPLIT, STEP, W, WHOLE, WIDTH, Y, width_of,
)
from tile cimport real


cdef inline Py_ssize_t pages(Py_ssize_t elements, const real* _real) noexcept nogil:
    """Rounded up to whole pages, and one more: processors fetch ahead, but seldom across two."""
    cdef Py_ssize_t page = 4096 // <Py_ssize_t> sizeof(real)
    return (elements + 2 * page - 1) // page * page


cdef inline Py_ssize_t lay_out_weights(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t states, bint whole, Py_ssize_t size,
    int64_t* plan, const real* params,
) noexcept nogil:
    """Of the layers that are whole, or of the others, from `size` on; returns where they end."""
    cdef Py_ssize_t layer, part
    cdef const int64_t* row
    cdef int64_t* place
    for layer in range(layers):
        row, place = program + layer * COLUMNS, plan + layer * PLAN_COLUMNS
        if row[KIND] == DENSE and (place[SPLIT] == WHOLE) == whole:
            for part in range(3):
                place[W + part] = size
                if part <= states:
                    size += place[WIDTH] * (row[INPUTS] + 1)
    return size


cdef inline Py_ssize_t lay_out_activations(
    Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t size, int64_t* plan,
) noexcept nogil:
    cdef Py_ssize_t layer, widest = 0
    cdef int64_t* place
    for layer in range(layers):
        place = plan + layer * PLAN_COLUMNS
        place[Y] = size
        place[DY] = size + batch * place[WIDTH]
        size += 2 * batch * place[WIDTH]
        widest = max(widest, place[WIDTH])
    for layer in range(layers):
        plan[layer * PLAN_COLUMNS + STEP] = size
    return size + batch * widest


cdef inline Py_ssize_t lay_out(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t states,
    Py_ssize_t segments, int64_t* plans, Py_ssize_t threads, const real* params,
) noexcept nogil:
    """Fill every thread's plan, whose column SPLIT is there; returns the workspace's size."""
    cdef Py_ssize_t layer, thread, exchanged = 0, shared, size, start
    cdef const int64_t* row
    cdef int64_t* plan
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        for layer in range(layers):
            plan[layer * PLAN_COLUMNS + WIDTH] = width_of[real](
                program[layer * COLUMNS + OUTPUTS], params)
    for layer in range(layers):
        row, plan = program + layer * COLUMNS, plans + layer * PLAN_COLUMNS
        if row[KIND] == DENSE and plan[SPLIT] == BY_INPUTS:
            exchanged = max(exchanged, plan[WIDTH])
        elif row[KIND] == DENSE and plan[SPLIT] == BY_OUTPUTS and layer:
            exchanged = max(exchanged, width_of[real](row[INPUTS], params))
    exchanged *= segments * min(batch, MOST_EXCHANGED)
    start = pages[real](2 * exchanged, params)
    shared = size = pages[real](
        lay_out_weights[real](program, layers, states, False, start, plans, params), params)
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        lay_out_weights[real](program, layers, states, False, start, plan, params)
        size = lay_out_weights[real](program, layers, states, True, size, plan, params)
        size = pages[real](lay_out_activations(layers, batch, size, plan), params)
        for layer in range(layers):
            plan[layer * PLAN_COLUMNS + EXCHANGE] = exchanged
            plan[layer * PLAN_COLUMNS + PRIVATE] = (size - shared) // (thread + 1)
    return size
