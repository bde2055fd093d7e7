"""Where things lie in the engine's workspace: what threads share, and each one's own."""

import numpy as np

from .batch import GROUP, Zeros
from .jit import core, jit
from .pointers import at, shift
from .program import (
    AVG_POOL,
    BATCH,
    CHANNELS,
    CONV,
    DENSE,
    DROPOUT,
    DY,
    ELU,
    FEATURES,
    FLATTEN,
    HEIGHT,
    IMAGE_WIDTH,
    INPUT,
    INPUTS,
    KERNEL,
    KIND,
    MAX_POOL,
    ORIGIN,
    OUT_CHANNELS,
    OUTPUTS,
    PADDING,
    PARAMS,
    RELU,
    SIGMOID,
    SKIP,
    SUMS,
    TANH,
    WIDTH,
    X_STRIDE,
    Run,
    W,
    X,
    Y,
    whole,
)
from .tile import PANEL, PANEL_ROWS, ROWS
from .vectors import SAMPLES, VECTOR_BYTES, lanes_of

SCRATCH = ROWS * PANEL * 16  # elements, for a tile of a gradient


@core
def prepare(real, addresses, layers, part, thread, threads):
    """A thread's Run and its Zeros, in its part of the workspace."""
    program, plan = at(addresses[0], np.int64), at(addresses[1], np.int64)
    settings, choices = at(addresses[2], np.float64), at(addresses[3], np.int64)
    work, sync = at(addresses[4], type(real)), at(addresses[5], np.int64)
    batch, features = choices[BATCH], choices[FEATURES]
    x = shift(work, choices[X] + part * choices[X_STRIDE])
    scratch = shift(x, whole(batch * features, 16))
    listed = choices[SKIP] != 0 and program[KIND] == DENSE
    chosen = at(shift(scratch, SCRATCH), np.int64)
    rows = shift(chosen, batch)
    given = program, plan, layers, settings, choices, work, thread, threads, sync
    run = Run(*given, x, scratch, listed, rows, chosen, 0, 0)
    groups, blocks = (batch + GROUP - 1) // GROUP, (features + PANEL_ROWS - 1) // PANEL_ROWS
    for r in range(batch):
        rows[r] = r  # all of them, but in backward
    samples = shift(rows, batch)
    columns = at(shift(samples, groups * features), np.int32)
    used = shift(columns, groups * features)
    bounds = shift(used, groups + GROUP + 2)
    index = shift(bounds, batch * (blocks + 1))
    return run, Zeros(samples, columns, used, groups, bounds, index)


_IN_PLACE = RELU, ELU, TANH, SIGMOID, DROPOUT


@core
def _pack_layer(forth, layer, inputs, outputs, row, width, unit, params, work):
    """Bring a dense layer's w and b, which follow each other, into the engine's order, or back.

    row is the width of what comes in, which lies transposed in all layers but the first.
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
    for j in range(outputs):
        if forth:
            work[b + j] = params[inputs * outputs + j]
        else:
            params[inputs * outputs + j] = work[b + j]


@jit
def _pack(real, forth, program, plan, part, params, work):
    for layer in range(program.shape[0]):
        if program[layer, KIND] == DENSE:
            inputs, outputs = program[layer, INPUTS], program[layer, OUTPUTS]
            row, width, unit = plan[layer - 1, WIDTH], plan[layer, WIDTH], lanes_of(real) * PANEL
            there, here = params[program[layer, PARAMS] :], work[plan[layer, W + part] :]
            _pack_layer(forth, layer, inputs, outputs, row, width, unit, there, here)
        elif program[layer, KIND] == CONV:
            count = program[layer, OUT_CHANNELS] + program[layer, OUT_CHANNELS] * (
                program[layer, CHANNELS] * program[layer, KERNEL] * program[layer, KERNEL + 1]
            )
            own = params[program[layer, PARAMS] :][:count]
            if forth:
                work[plan[layer, W + part] :][:count] = own
            else:
                own[:] = work[plan[layer, W + part] :][:count]


def engine_plan(program, batch, states, segments, params, plan):
    """lay out the workspace, for each thread; returns its size in elements"""
    if FLATTEN in program[:, KIND]:
        return _plan_images(program, batch, states, segments, params.itemsize, plan)
    lanes, size = max(VECTOR_BYTES // params.itemsize, 4), 0
    for layer, (kind, inputs, outputs, *_) in enumerate(program.tolist()):
        width = -(-outputs // lanes) * lanes
        plan[:, layer, WIDTH] = width
        for part in range(3):
            plan[:, layer, W + part] = size
            if kind == DENSE and part <= states:
                row = int(plan[0, layer - 1, WIDTH]) if layer else inputs
                size += width + (-(-outputs // 4) * 4 * row if layer else width * inputs)
    for thread in range(len(plan)):
        if thread and segments > 1:  # threads that train together share what they compute
            plan[thread] = plan[0]
            continue
        for layer in range(len(program)):
            room = int(plan[thread, layer, WIDTH]) * batch
            plan[thread, layer, Y:W] = size, size + room
            size += 2 * room
    return size


class _Room:
    """Gives out parts of the workspace, each on cache lines of its own."""

    size = 0

    def take(self, elements):
        start, self.size = self.size, self.size + -(-int(elements) // 16) * 16
        return start


def _plan_images(program, batch, states, segments, itemsize, plan):
    """engine_plan for programs with images."""
    room, flatten = _Room(), program[:, KIND].tolist().index(FLATTEN)
    lanes = max(VECTOR_BYTES // itemsize, 4)
    plan[:, :, WIDTH] = -(-program[:, OUTPUTS] // lanes) * lanes
    for thread, own in enumerate(plan):
        room.take(-room.size % 1024)  # no two threads' weights share a page
        if thread == 0 or segments > 1:
            _plan_weights(room, program, states, own)
        _plan_block(room, program[:flatten], own)
        if thread and segments > 1:  # threads that train together
            own[flatten:, INPUT : ORIGIN + 1] = plan[0, flatten:, INPUT : ORIGIN + 1]
            own[:flatten, SUMS] = plan[0, :flatten, SUMS]
        else:
            _plan_batch(room, program, flatten, batch, segments, own)
            own[flatten, ORIGIN] = room.take(2 * batch * 8 // itemsize)
        own[:flatten, ORIGIN] = plan[0, :flatten, W]
        own[flatten + 1 :, ORIGIN] = plan[0, flatten + 1 :, W]
    return room.size


def _plan_weights(room, program, states, plan):
    """One thread's copy of all weights, and of what the optimiser remembers of them."""
    for part in range(states + 1):
        for layer, row in enumerate(program):
            plan[layer, W + part] = room.size
            if row[KIND] == DENSE:
                outputs = -(-row[OUTPUTS] // 4) * 4
                room.take(plan[layer, WIDTH] + outputs * plan[layer - 1, WIDTH])
            elif row[KIND] == CONV:
                room.take(_weights_in(row))


def _weights_in(row):
    window = row[CHANNELS] * row[KERNEL] * row[KERNEL + 1]
    return row[OUT_CHANNELS] * (window + 1)


def _plan_block(room, program, plan):
    """One thread's block of images, row by row; what is elementwise lies in its input's place."""
    windows = CONV, MAX_POOL, AVG_POOL
    for layer, row in enumerate(program):
        bordered = row[KIND] == CONV and row[PADDING : PADDING + 2].any()
        c, h, w, top, left = row[[CHANNELS, HEIGHT, IMAGE_WIDTH, PADDING, PADDING + 1]]
        inputs = c * (h + 2 * top) * (w + 2 * left) if bordered else row[INPUTS]
        fresh = layer == 0 or bordered
        plan[layer, INPUT] = room.take(inputs * SAMPLES) if fresh else plan[layer - 1, Y]
        if layer and program[layer - 1, KIND] in windows and row[KIND] in _IN_PLACE:
            plan[layer, [Y, DY]] = plan[layer - 1, [Y, DY]]
        else:
            plan[layer, [Y, DY]] = [room.take(row[OUTPUTS] * SAMPLES) for _ in range(2)]


def _plan_batch(room, program, flatten, batch, segments, plan):
    """What threads share: y and dy of rows behind images, and the sums of convolutions."""
    for layer, row in enumerate(program):
        if layer >= flatten:
            size = 2 * batch * plan[layer, WIDTH]
            plan[layer, [INPUT, SUMS]] = room.take(size), room.take(size)
        elif row[KIND] == CONV:
            plan[layer, SUMS] = room.take(2 * segments * -(-_weights_in(row) // 16) * 16)


def engine_pack(program, plan, part, params, work):
    """bring the flat params into part W (0), M (1) or V (2) of work"""
    if not params.flags.writeable:  # one function goes both ways, so Numba wants to write to it
        params = params.copy()
    _pack(params.dtype.type(0), True, program, plan, part, params, work)


def engine_unpack(program, plan, part, work, params):
    """bring part W (0), M (1) or V (2) of work back into flat params"""
    _pack(params.dtype.type(0), False, program, plan, part, params, work)
