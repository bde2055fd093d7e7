"""Where things lie in the engine's workspace: what the threads share, and then each one's own."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from activations cimport is_elementwise, reads_input
from batch cimport blocks_of
from numbers cimport (
    ACTIVE, BATCH_NORM, BLOCK, BLOCK_STRIDE, BUFFER, BUNCH, BY_INPUTS, BY_OUTPUTS, BY_SAMPLES,
    CHANNELS, COLUMNS, CONV, DENSE, DROPOUT, DY, EXCHANGE, FLATTEN, FORK, IMAGES, INPUTS, KIND,
    LAYER_NORM, LOSSES, OUTPUTS, PADDED, PARITY, PARTS, PLAN_COLUMNS, PRIVATE, SAMPLES, SPLIT,
    SQUARES, STATISTICS, STEP, SUMS, VECTOR, W, WHOLE, WIDTH, X, X_STRIDE, Y, Y_ROW,
)
from program cimport (
    AT_ONCE, MOST_EXCHANGED, buffers_size, has_border, on_images, padded_size, vectors_size,
    weights_of,
)
from tile cimport real
from widths cimport panels_in, row_size, weights_width, width_of


cdef inline Py_ssize_t pages(Py_ssize_t elements, const real* _real) noexcept nogil:
    """Rounded up to whole pages, and one more: processors fetch ahead, but seldom across two."""
    cdef Py_ssize_t page = 4096 // <Py_ssize_t> sizeof(real)
    return (elements + 2 * page - 1) // page * page


cdef inline Py_ssize_t weights_size(
    const int64_t* row, Py_ssize_t width, const real* params,
) noexcept nogil:
    """What a row's parameters take."""
    if row[KIND] == DENSE:
        return width * (row[INPUTS] + 1)
    if row[KIND] == CONV:
        return pages[real](weights_of(row), params)
    return vectors_size[real](row, params)


cdef inline Py_ssize_t lay_out_weights(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t states, bint whole, Py_ssize_t size,
    int64_t* plan, const real* params,
) noexcept nogil:
    """Of the layers that are whole, or of the others, from `size` on; returns where they end.

    Buffers lie behind a row's parameters.
    """
    cdef Py_ssize_t layer, part
    cdef const int64_t* row
    cdef int64_t* place
    for layer in range(layers):
        row, place = program + layer * COLUMNS, plan + layer * PLAN_COLUMNS
        if (place[SPLIT] == WHOLE) != whole:
            continue
        for part in range(3):
            place[W + part] = size
            if part <= states:
                size += weights_size[real](row, place[WIDTH], params)
        place[BUFFER] = size
        size += buffers_size[real](row, params)
    return size


cdef inline Py_ssize_t statistics_size(
    const int64_t* row, Py_ssize_t batch, Py_ssize_t width,
) noexcept nogil:
    """What a norm keeps of a batch from forward to backward."""
    return 2 * (width if row[KIND] == BATCH_NORM else batch if row[KIND] == LAYER_NORM else 0)


cdef inline bint has_batch_norm(const int64_t* program, Py_ssize_t layers) noexcept nogil:
    cdef Py_ssize_t layer
    for layer in range(layers):
        if program[layer * COLUMNS + KIND] == BATCH_NORM:
            return True
    return False


cdef inline Py_ssize_t lay_out_activations(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t samples,
    Py_ssize_t size, int64_t* plan, const real* _real,
) noexcept nogil:
    """Of so many samples of a batch at a time."""
    cdef Py_ssize_t layer, largest = 0
    cdef int64_t* place
    for layer in range(layers):
        place = plan + layer * PLAN_COLUMNS
        place[Y] = size
        place[DY] = size + samples * place[Y_ROW]
        size += 2 * samples * place[Y_ROW]
        place[STATISTICS] = size
        size += statistics_size(program + layer * COLUMNS, batch, place[WIDTH])
        # a row of step for each sample, or a norm's gradients of w and b
        largest = max(largest, max(samples * place[Y_ROW], 2 * place[WIDTH]))
    for layer in range(layers):
        plan[layer * PLAN_COLUMNS + STEP] = size
    plan[ACTIVE] = size + largest
    return plan[ACTIVE] + 2 * samples * <Py_ssize_t> (sizeof(int64_t) // sizeof(real))


cdef inline Py_ssize_t lay_out_blocks(
    const int64_t* program, Py_ssize_t size, int64_t* plan, const real* params,
) noexcept nogil:
    """A thread's y and dy of rows on images, for one block; returns where they end.

    What is elementwise overwrites its dy, and its x if neither it nor the row before it needs that
    again. A FORK puts nothing out: what comes in lies where it is until its ADD has read it.
    """
    cdef Py_ssize_t layer = 0
    cdef int64_t before = FLATTEN
    cdef const int64_t* row = program
    cdef int64_t* place = plan
    plan[IMAGES] = size
    size += pages[real](row[INPUTS] * SAMPLES, params)
    while row[KIND] != FLATTEN:
        if layer and (is_elementwise(row[KIND]) or row[KIND] in (BATCH_NORM, DROPOUT)):
            place[DY] = place[DY - PLAN_COLUMNS]
            place[Y] = place[Y - PLAN_COLUMNS]
        else:
            place[DY] = size
            size += pages[real](row[OUTPUTS] * SAMPLES, params)
        if row[KIND] == FORK:
            place[Y] = place[Y - PLAN_COLUMNS] if layer else plan[IMAGES]
        elif (layer == 0 or is_elementwise(before) or before == FORK or reads_input(row[KIND])
                or not is_elementwise(row[KIND]) and row[KIND] != DROPOUT):
            place[Y] = size
            size += pages[real](row[OUTPUTS] * SAMPLES, params)
        if has_border(row):
            place[PADDED] = size
            size += pages[real](row[CHANNELS] * padded_size(row, 0) * padded_size(row, 1)
                                * SAMPLES, params)
        before = row[KIND]
        layer += 1
        row += COLUMNS
        place += PLAN_COLUMNS
    return size


cdef inline Py_ssize_t lay_out_rows(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t segments,
    Py_ssize_t size, int64_t* plan, const real* params,
) noexcept nogil:
    """Once: what belongs to the whole batch, behind FLATTEN, and the sums of gradients."""
    cdef Py_ssize_t layer
    cdef bint flat = False
    cdef const int64_t* row
    cdef int64_t* place
    for layer in range(layers):
        row, place = program + layer * COLUMNS, plan + layer * PLAN_COLUMNS
        flat = flat or row[KIND] == FLATTEN
        if flat:
            place[Y] = size
            place[DY] = size + batch * place[Y_ROW]
            size += 2 * batch * place[Y_ROW]
            place[STATISTICS] = size
            size += statistics_size(row, batch, place[WIDTH])
        if row[KIND] == BATCH_NORM:  # see block_norms
            place[PARTS] = size
            size += (batch + SAMPLES - 1) // SAMPLES * 4 * width_of[real](row[VECTOR], params)
        elif row[KIND] == CONV:
            place[SUMS] = size
            size += segments * weights_of(row)
    size = pages[real](size, params)
    plan[LOSSES] = size
    return pages[real](size + batch * <Py_ssize_t> (sizeof(double) // sizeof(real)), params)


cdef inline Py_ssize_t lay_out_wholes(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t size, int64_t* plan, const real* params,
) noexcept nogil:
    """What BatchNorm makes of all blocks' parts: see block_norms."""
    cdef Py_ssize_t layer
    for layer in range(layers):
        if program[layer * COLUMNS + KIND] == BATCH_NORM:
            plan[layer * PLAN_COLUMNS + STATISTICS] = size
            size += 4 * width_of[real](program[layer * COLUMNS + VECTOR], params)
    return size


cdef inline Py_ssize_t lay_out_by_samples(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t states,
    Py_ssize_t segments, int64_t* plans, Py_ssize_t threads, const real* params,
) noexcept nogil:
    """For a program with rows on images, where only the batch's rows are shared.

    One segment is one thread's, or several threads' that have nothing to do with each other: then
    not even they are. With BatchNorm in training all images are kept, block by block.
    """
    cdef Py_ssize_t layer, thread, largest = 0, size = 0, start, once = 0, images = 0
    cdef int64_t* plan
    for layer in range(layers):  # the largest step: of a batch, or of a convolution
        if program[layer * COLUMNS + KIND] == CONV:
            largest = max(largest, weights_of(program + layer * COLUMNS))
        elif program[layer * COLUMNS + KIND] == DENSE:
            largest = max(largest, batch * plans[layer * PLAN_COLUMNS + Y_ROW])
        else:
            largest = max(largest, vectors_size[real](program + layer * COLUMNS, params))
    once = lay_out_rows[real](program, layers, batch, segments, 0, plans, params)
    start = 2 * once if segments > 1 else 0
    if segments > 1 and has_batch_norm(program, layers):
        images = pages[real](start, params)
        plans[BLOCK_STRIDE] = lay_out_blocks[real](program, images, plans, params) - images
        start = images + (batch + SAMPLES - 1) // SAMPLES * plans[BLOCK_STRIDE]
    size = start
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        if segments > 1:
            lay_out_rows[real](program, layers, batch, segments, 0, plan, params)
        else:
            lay_out_rows[real](program, layers, batch, segments, size, plan, params)
            size += 2 * once
        size = lay_out_weights[real](program, layers, states, True, size, plan, params)
        size = lay_out_wholes[real](program, layers, size, plan, params)
        if images:
            lay_out_blocks[real](program, images, plan, params)
            plan[BLOCK_STRIDE] = plans[BLOCK_STRIDE]
        else:
            size = lay_out_blocks[real](program, pages[real](size, params), plan, params)
        for layer in range(layers):
            plan[layer * PLAN_COLUMNS + STEP] = size
            plan[layer * PLAN_COLUMNS + PARITY] = once
        size += pages[real](largest, params)
        for layer in range(layers):
            plan[layer * PLAN_COLUMNS + PRIVATE] = (size - start) // (thread + 1)
    return size


cdef inline Py_ssize_t lay_out_squares(
    Py_ssize_t layers, Py_ssize_t segments, Py_ssize_t size, int64_t* plan, const real* _real,
) noexcept nogil:
    """A number, and sums over parts of each layer, four times: see program.kept_scale."""
    cdef Py_ssize_t layer, parts
    for layer in range(layers):
        parts = max(segments, panels_in[real](plan + layer * PLAN_COLUMNS, _real))
        plan[layer * PLAN_COLUMNS + SQUARES] = size
        size += (4 * parts + 1) * <Py_ssize_t> (sizeof(double) // sizeof(real))
    return pages[real](size, _real)


cdef inline Py_ssize_t lay_out_by_columns(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t states,
    Py_ssize_t segments, int64_t* plans, Py_ssize_t threads, const real* params,
) noexcept nogil:
    """For a program of rows on rows, of which threads share the columns."""
    cdef Py_ssize_t layer, thread, exchanged = 0, shared, size, squares, start
    cdef const int64_t* row
    cdef int64_t* plan
    for layer in range(layers):
        row, plan = program + layer * COLUMNS, plans + layer * PLAN_COLUMNS
        if row[KIND] == DENSE and plan[SPLIT] == BY_INPUTS:
            exchanged = max(exchanged, plan[Y_ROW])
        elif row[KIND] == DENSE and plan[SPLIT] == BY_OUTPUTS and layer:
            exchanged = max(exchanged, plan[Y_ROW - PLAN_COLUMNS])
    exchanged *= segments * min(batch, MOST_EXCHANGED)
    squares = pages[real](2 * exchanged, params)
    start = lay_out_squares[real](layers, segments, squares, plans, params)
    shared = size = pages[real](
        lay_out_weights[real](program, layers, states, False, start, plans, params), params)
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        lay_out_squares[real](layers, segments, squares, plan, params)
        lay_out_weights[real](program, layers, states, False, start, plan, params)
        size = lay_out_weights[real](program, layers, states, True, size, plan, params)
        size = pages[real](
            lay_out_activations[real](program, layers, batch, batch, size, plan, params), params)
        for layer in range(layers):
            plan[layer * PLAN_COLUMNS + EXCHANGE] = exchanged
            plan[layer * PLAN_COLUMNS + PRIVATE] = (size - shared) // (thread + 1)
    return size


cdef inline Py_ssize_t buffer_size(
    Py_ssize_t inputs, Py_ssize_t samples, const real* params,
) noexcept nogil:
    """What so many samples take: their values, and if they are sparse, where those belong.

    For data without a single zero, of which every block is an entry; see epoch.buffer.
    """
    cdef Py_ssize_t blocks = blocks_of(inputs), chunks = (samples + BUNCH - 1) // BUNCH
    cdef Py_ssize_t places = (samples + 2 * chunks) * blocks * <Py_ssize_t> sizeof(int32_t)
    cdef Py_ssize_t element = sizeof(real)
    return pages[real](samples * blocks * BLOCK + (places + element - 1) // element, params)


cdef inline Py_ssize_t lay_out_shared_samples(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t states,
    Py_ssize_t segments, int64_t* plans, Py_ssize_t threads, const real* params,
) noexcept nogil:
    """For a program of rows on rows, of which threads share the samples: see samples.pxd."""
    cdef Py_ssize_t rows = min(batch, AT_ONCE), layer, thread, size
    cdef int64_t* plan
    size = lay_out_squares[real](layers, segments, 0, plans, params)
    size = pages[real](
        lay_out_weights[real](program, layers, states, False, size, plans, params), params)
    plans[LOSSES] = size
    size = pages[real](size + batch * <Py_ssize_t> (sizeof(double) // sizeof(real)), params)
    for layer in range(layers):
        plan = plans + layer * PLAN_COLUMNS
        plan[SUMS] = size
        size += segments * weights_size[real](program + layer * COLUMNS, plan[WIDTH], params)
    size = pages[real](size, params)
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        if thread:
            memcpy(plan, plans, layers * PLAN_COLUMNS * sizeof(int64_t))
        plan[X], plan[X_STRIDE] = size, buffer_size[real](program[INPUTS], rows, params)
        size = pages[real](lay_out_activations[real](
            program, layers, batch, rows, size + plan[X_STRIDE], plan, params), params)
    return size


cdef inline Py_ssize_t lay_out_buffers(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t buffers,
    Py_ssize_t size, int64_t* plans, Py_ssize_t threads, const real* params,
) noexcept nogil:
    """Each thread's batches."""
    cdef Py_ssize_t stride = buffer_size[real](program[INPUTS], batch, params), thread
    cdef int64_t* plan
    for thread in range(threads):
        plan = plans + thread * layers * PLAN_COLUMNS
        plan[X], plan[X_STRIDE] = size, stride
        size += buffers * stride
    return size


cdef inline Py_ssize_t lay_out(
    const int64_t* program, Py_ssize_t layers, Py_ssize_t batch, Py_ssize_t states,
    Py_ssize_t segments, Py_ssize_t buffers, int64_t* plans, Py_ssize_t threads,
    const real* params,
) noexcept nogil:
    """Fill every thread's plan, whose column SPLIT is there; returns the workspace's size."""
    cdef Py_ssize_t layer, thread, columns, size
    cdef int64_t* plan
    for thread in range(threads):
        for layer in range(layers):
            plan = plans + (thread * layers + layer) * PLAN_COLUMNS
            columns = program[layer * COLUMNS + OUTPUTS]
            plan[WIDTH] = weights_width[real](program + layer * COLUMNS, layer, params)
            plan[Y_ROW] = row_size[real](layer, columns, params)
    if on_images(program, layers):  # which come block by block, into a place of their own
        return lay_out_by_samples[real](
            program, layers, batch, states, segments, plans, threads, params)
    if plans[SPLIT] == BY_SAMPLES:
        return lay_out_shared_samples[real](
            program, layers, batch, states, segments, plans, threads, params)
    size = lay_out_by_columns[real](
        program, layers, batch, states, segments, plans, threads, params)
    return lay_out_buffers[real](program, layers, batch, buffers, size, plans, threads, params)
