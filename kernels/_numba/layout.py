"""Where things lie in the engine's workspace: what threads share, and each one's own."""

import numpy as np

from fastbp.kernels.numbers import (
    Choice,
    Column,
    Kind,
    PlanColumn,
    is_elementwise,
    is_norm,
    reads_input,
)

from .batch import GROUP, Zeros, groups_of
from .jit import core, jit
from .pointers import at, copy, fill, shift
from .program import (
    Run,
    length_of,
    padded_size,
    parameters_of,
    vectors_in,
    weights_of,
    whole,
)
from .tile import PANEL, PANEL_ROWS, ROWS
from .vectors import SAMPLES, VECTOR_BYTES, lanes_of

_LEAVES_Y = Kind.CONV, Kind.MAX_POOL, Kind.AVG_POOL, Kind.BATCH_NORM  # which need it no more
_Y_AND_DY = [PlanColumn.Y, PlanColumn.DY]
_OF_IMAGES = [*_Y_AND_DY, PlanColumn.INPUT, PlanColumn.BLOCK_STRIDE]
SCRATCH = ROWS * PANEL * 16  # elements, for a tile of a gradient


@core
def prepare(real, addresses, layers, thread, threads):
    """A thread's Run and its Zeros, in its part of the workspace: see _lay_out_buffer."""
    program, plan = at(addresses[0], np.int64), at(addresses[1], np.int64)
    settings, choices = at(addresses[2], np.float64), at(addresses[3], np.int64)
    work, sync = at(addresses[4], type(real)), at(addresses[5], np.int64)
    batch, features = choices[Choice.BATCH], choices[Choice.FEATURES]
    x = shift(work, plan[PlanColumn.X])
    scratch = shift(x, plan[PlanColumn.X_STRIDE])
    listed = choices[Choice.SPARSE] != 0 and program[Column.KIND] == Kind.DENSE
    chosen = at(shift(scratch, SCRATCH), np.int64)
    rows = shift(chosen, batch)
    given = program, plan, layers, settings, choices, work, thread, threads, sync
    run = Run(*given, x, scratch, listed, rows, chosen, 0.0, 1.0, 0.0, 0.0, 0, 0)
    for r in range(batch):
        rows[r] = r  # all of them, but in backward
    sizes = _words_of_zeros(batch, features)
    samples = shift(rows, batch)
    columns = shift(at(samples, np.int32), sizes[0])
    used = shift(columns, sizes[1])
    bounds = shift(used, sizes[2])
    index = shift(bounds, sizes[3])
    return run, Zeros(samples, columns, used, groups_of(batch), bounds, index)


@core
def _words_of_zeros(batch, features):
    """How many words of 32 bits each pointer of a Zeros points to."""
    groups, blocks = (batch + GROUP - 1) // GROUP, (features + PANEL_ROWS - 1) // PANEL_ROWS
    columns = groups * features
    return 2 * columns, columns, groups + GROUP + 2, batch * (blocks + 1), batch * features


@core
def _pack_layer(forth, layer, inputs, outputs, bias, row, width, unit, params, work):
    """Bring a dense layer's w and b, which follow each other, into the engine's order, or back.

    row is the width of what comes in, which lies transposed in all layers but the first. Without a
    bias, that in the workspace, which starts as zeros, stays so.
    """
    for k in range(inputs):
        for j in range(outputs):
            p = j // unit * unit
            at = j * row + k if layer else p * inputs + k * min(unit, width - p) + j - p
            if forth:
                work[at] = params[k * outputs + j]
            else:
                params[k * outputs + j] = work[at]
    b = row * whole(outputs, 4) if layer else inputs * width
    for j in range(outputs if bias else 0):
        if forth:
            work[b + j] = params[inputs * outputs + j]
        else:
            params[inputs * outputs + j] = work[b + j]


@core
def _copy_vectors(forth, row, count, flat, place):
    """Bring vectors that follow each other in flat to where each starts a row of columns, or back.

    A channel's number of Standardize goes to each of the channel's columns.
    """
    length, numbers = length_of(row), row[Column.VECTOR]
    for i in range(count):
        start = i * whole(length, SAMPLES)
        for j in range(length):
            k = i * numbers + j * numbers // length
            if forth:
                place[start + j] = flat[k]
            else:
                flat[k] = place[start + j]


@core
def _pack_vectors(forth, row, part, flat, place):
    """Parameters that are vectors; a norm that learns none has w = 1 and b = 0."""
    _copy_vectors(forth, row, row[Column.PARAM_VECTORS], flat, place)
    if forth and part == 0 and row[Column.PARAM_VECTORS] < vectors_in(row):
        fill(place, row[Column.VECTOR], 1)


@jit
def _pack(real, forth, program, plan, part, params, work):
    for layer in range(program.shape[0]):
        row, width = program[layer], plan[layer, PlanColumn.WIDTH]
        own, place = params[row[Column.PARAMS] :], work[plan[layer, PlanColumn.W + part] :]
        if PlanColumn.W + part == PlanColumn.BUFFER:
            kept = params[row[Column.FIRST_BUFFER] :]
            _copy_vectors(forth, row, row[Column.BUFFERS], kept, place)
        elif row[Column.KIND] == Kind.DENSE:
            inputs, outputs = row[Column.INPUTS], row[Column.OUTPUTS]
            x_row, unit = plan[layer - 1, PlanColumn.WIDTH], lanes_of(real) * PANEL
            bias = row[Column.BIAS] != 0
            _pack_layer(forth, layer, inputs, outputs, bias, x_row, width, unit, own, place)
        elif row[Column.KIND] == Kind.CONV:
            count = parameters_of(row)
            if forth:
                copy(own, place, count)
            else:
                copy(place, own, count)
        else:
            _pack_vectors(forth, row, part, own, place)


def engine_plan(program, batch, states, segments, buffers, params, plan):
    """lay out the workspace, with each thread's buffers; returns its size in elements"""
    room, itemsize, images = _Room(), params.itemsize, Kind.FLATTEN in program[:, Column.KIND]
    # y and dy are rows of outputs, rounded up to whole vectors, and fours; the gaps hold zeros and
    # stay so.
    lanes = max(VECTOR_BYTES // itemsize, 4)
    plan[:, :, PlanColumn.WIDTH] = -(-program[:, Column.OUTPUTS] // lanes) * lanes
    lay_out = _lay_out_by_samples if images else _lay_out_rows
    lay_out(room, program, batch, states, segments, itemsize, plan)
    for thread, own in enumerate(plan):
        _lay_out_norms(room, program, batch, thread > 0 and images and segments > 1, plan[0], own)
    for own in plan:  # a batch is gathered when it is needed, so that one buffer does
        _lay_out_buffer(room, program, batch, images, itemsize, own[0])
    room.turn_page()
    return room.size


def blocks_in(samples):
    """How many blocks so many samples take."""
    return -(-samples // SAMPLES)


class _Room:
    """Gives out parts of the workspace, each on cache lines of its own."""

    size = 0

    def take(self, elements):
        start, self.size = self.size, self.size + -(-int(elements) // 16) * 16
        return start

    def turn_page(self):
        self.take(-self.size % 1024)


def _lay_out_buffer(room, program, batch, images, itemsize, place):
    """A thread's batch, and behind it what is its own besides: scratch, row numbers, Zeros."""
    features, listed = int(program[0, Column.INPUTS]), program[0, Column.KIND] == Kind.DENSE
    room.turn_page()
    place[PlanColumn.X] = room.take(0 if images else batch * features)
    place[PlanColumn.X_STRIDE] = room.size - place[PlanColumn.X]
    room.take(SCRATCH)
    words = 4 * batch + (sum(_words_of_zeros.py_func(batch, features)) if listed else 0)
    room.take(-(-4 * words // itemsize))


def _lay_out_rows(room, program, batch, states, segments, itemsize, plan):
    """Weights, and y and dy of all rows."""
    _lay_out_weights(room, program, states, plan[0])
    for thread, own in enumerate(plan):
        if thread and segments > 1:  # threads that train together share what they compute
            own[:] = plan[0]
            continue
        own[:, PlanColumn.W :] = plan[0, :, PlanColumn.W :]
        for layer in range(len(program)):
            size = batch * own[layer, PlanColumn.WIDTH]
            own[layer, _Y_AND_DY] = room.take(size), room.take(size)
            own[layer, PlanColumn.SQUARES] = _take_parts(room, own[layer], itemsize)


def _take_parts(room, place, itemsize):
    """A double for each part of a row: a vector's columns, or at least four."""
    return room.take(place[PlanColumn.WIDTH] // max(VECTOR_BYTES // itemsize, 4) * 8 // itemsize)


def _padded(count, length):
    """What so many vectors take, each a row of columns."""
    return count * -(-length // SAMPLES) * SAMPLES


def _lay_out_norms(room, program, batch, shared, first, plan):
    """What norms keep of a batch, in turn for two of LayerNorm's, and scratch for gradients.

    Each thread has its own, but for what others need of its samples.
    """
    for layer, row in enumerate(program):
        kind, size = row[Column.KIND], _padded(2, row[Column.OUTPUTS])
        if not is_norm(kind):
            continue
        plan[layer, PlanColumn.STEP] = room.take(size)
        if kind == Kind.BATCH_NORM:  # with images, gradients too: see block_norms
            size = _padded(4, row[Column.VECTOR])
        if kind == Kind.LAYER_NORM and shared:
            plan[layer, PlanColumn.STATISTICS] = first[layer, PlanColumn.STATISTICS]
        else:
            size = 4 * batch if kind == Kind.LAYER_NORM else size
            plan[layer, PlanColumn.STATISTICS] = room.take(size)


def _lay_out_by_samples(room, program, batch, states, segments, itemsize, plan):
    """The same for programs with rows on images, of which threads share only the batch's rows."""
    flatten = program[:, Column.KIND].tolist().index(Kind.FLATTEN)
    shared = [
        *(PlanColumn.BATCH_Y, PlanColumn.BATCH_DY, PlanColumn.SUMS, PlanColumn.LOSSES),
        PlanColumn.PARTS,
    ]
    keep = segments > 1 and Kind.BATCH_NORM in program[:, Column.KIND]
    for thread, own in enumerate(plan):
        room.turn_page()  # no two threads' weights share one
        if thread == 0 or segments > 1:
            _lay_out_weights(room, program, states, own)
        if thread and keep:
            own[:flatten, _OF_IMAGES] = plan[0][:flatten, _OF_IMAGES]
        else:
            _lay_out_block(room, program[:flatten], blocks_in(batch) if keep else 0, own)
        if thread and segments > 1:  # threads that train together
            own[:, shared] = plan[0][:, shared]
        else:
            _lay_out_batch(room, program, flatten, batch, segments, own)
            own[flatten, PlanColumn.LOSSES] = room.take(2 * batch * 8 // itemsize)
        own[:, PlanColumn.ORIGIN] = plan[0, :, PlanColumn.W]
        widest = own[own[:, PlanColumn.WIDTH].argmax()]
        own[flatten, PlanColumn.SQUARES] = _take_parts(room, widest, itemsize)


def _lay_out_weights(room, program, states, plan):
    """Of all layers, what the optimiser remembers of them, and buffers."""
    for layer, row in enumerate(program):
        plan[layer, PlanColumn.BUFFER] = room.take(
            _padded(row[Column.BUFFERS], length_of.py_func(row))
        )
    for part in range(states + 1):
        for layer, row in enumerate(program):
            plan[layer, PlanColumn.W + part] = room.size
            width, outputs = plan[layer, PlanColumn.WIDTH], -(-row[Column.OUTPUTS] // 4) * 4
            if row[Column.KIND] == Kind.CONV:
                room.take(weights_of.py_func(row))
            elif row[Column.KIND] == Kind.DENSE and layer:
                room.take(width + outputs * plan[layer - 1, PlanColumn.WIDTH])
            elif row[Column.KIND] == Kind.DENSE:
                room.take(width + width * row[Column.INPUTS])
            else:
                room.take(_padded(vectors_in.py_func(row), row[Column.VECTOR]))


def _lay_out_block(room, program, kept, plan):
    """A block of images, row by row; what is elementwise lies in its input's place.

    But for a user's activation, whose derivative may need its input. A FORK puts nothing out: what
    comes in lies where it is until its ADD has read it. With BatchNorm so many blocks are kept, one
    behind another.
    """
    before, start = None, room.size
    for layer, row in enumerate(program):
        kind, inputs = row[Column.KIND], row[Column.INPUTS]
        bordered = False
        if kind == Kind.CONV:
            high, wide = (padded_size.py_func(row, axis) for axis in range(2))
            bordered = inputs < row[Column.CHANNELS] * high * wide
            inputs = row[Column.CHANNELS] * high * wide
        fresh = layer == 0 or bordered
        y = plan[layer - 1, PlanColumn.Y]
        plan[layer, PlanColumn.INPUT] = room.take(inputs * SAMPLES) if fresh else y
        in_place = (is_elementwise(kind) and not reads_input(kind)) or kind == Kind.DROPOUT
        if before in _LEAVES_Y and in_place:
            plan[layer, _Y_AND_DY] = plan[layer - 1, _Y_AND_DY]
        else:
            size = row[Column.OUTPUTS] * SAMPLES
            y = plan[layer, PlanColumn.INPUT] if kind == Kind.FORK else room.take(size)
            plan[layer, _Y_AND_DY] = y, room.take(size)
        before = kind
    if kept:
        room.turn_page()
        plan[0, PlanColumn.BLOCK_STRIDE] = room.size - start
        room.take((kept - 1) * (room.size - start))


def _lay_out_batch(room, program, flatten, batch, segments, plan):
    """What threads share: y and dy of rows behind images, and the sums of convolutions."""
    for layer, row in enumerate(program):
        if layer >= flatten:
            size = 2 * batch * plan[layer, PlanColumn.WIDTH]
            plan[layer, PlanColumn.BATCH_Y] = room.take(size)
            plan[layer, PlanColumn.BATCH_DY] = room.take(size)
        elif row[Column.KIND] == Kind.CONV:
            sums = -(-weights_of.py_func(row) // SAMPLES) * SAMPLES
            plan[layer, PlanColumn.SUMS] = room.take(2 * segments * sums)
        if row[Column.KIND] == Kind.BATCH_NORM:
            parts = _padded(4 * blocks_in(batch), row[Column.VECTOR])
            plan[layer, PlanColumn.PARTS] = room.take(parts)


def engine_pack(program, plan, part, params, work):
    """bring the flat params into part W (0), M (1), V (2) or, buffers, BUFFER (3) of work"""
    if not params.flags.writeable:  # one function goes both ways, so Numba wants to write to it
        params = params.copy()
    _pack(params.dtype.type(0), True, program, plan, part, params, work)


def engine_unpack(program, plan, part, work, params):
    """bring part W (0), M (1), V (2) or, buffers, BUFFER (3) of work back into flat params"""
    _pack(params.dtype.type(0), False, program, plan, part, params, work)
