"""The steps of all weights of a program with rows on images, from what all threads have computed.

Each thread takes them in its own copy of the weights; so each computes all gradients.
"""

import numpy as np

from fastbp.kernels.numbers import Choice, Column, Kind, PlanColumn, Setting

from .block_norms import finish, gradient_whole
from .jit import core, inline
from .layout import SCRATCH
from .limits import add_penalty, clip_factor, squares
from .norms import norm_gradient, step_norm
from .pointers import at, fill, shift
from .program import (
    clipped,
    kind_of,
    parameters_of,
    partial_gradient,
    penalty_of,
    place_of,
    program_of,
    row_of,
    takes_steps,
    w_of,
    weights_of,
)
from .squares import row_squares
from .steps import optimize, update_dense


@core
def _filters_of(row):
    """The size of a convolution's w."""
    return weights_of(row) - row[Column.OUT_CHANNELS]


@core
def _gradient_from(run, layer, start):
    """A convolution's gradient from this number on: the sums of all segments, in their order.

    It is in the scratch; returns how much of it. w and b do not come together.
    """
    row, g = row_of(run, layer), run.scratch
    size, weights = parameters_of(row), _filters_of(row)
    count = min(SCRATCH, (weights if start < weights else size) - start)
    fill(g, count, 0)
    for segment in range(run.choices[Choice.SEGMENTS]):
        sums = shift(partial_gradient(run, layer, segment), start)
        for i in range(count):
            g[i] += sums[i]
    return count


@core
def _update_convolution(run, step, layer):
    """A step of a convolution's w and b."""
    row, w, start = row_of(run, layer), w_of(run, layer), 0
    while start < parameters_of(row):
        count = _gradient_from(run, layer, start)
        optimize(run, step, layer, start >= _filters_of(row), run.scratch, shift(w, start), count)
        start += count


@core
def _convolution_squares(run, layer):
    """The sum of its gradient's squares, with the penalty's."""
    row, w, start, total = row_of(run, layer), w_of(run, layer), 0, 0.0
    while start < parameters_of(row):
        count, l2 = _gradient_from(run, layer, start), penalty_of(run, layer, False)
        if l2 > 0 and start < _filters_of(row):
            add_penalty(l2, shift(w, start), run.scratch, count)
        total += squares(run.scratch, count)
        start += count
    return total


@core
def _batch_norm_squares(run, layer):
    """The sum of its gradients' squares."""
    row, total = row_of(run, layer), 0.0
    for vector in range(row[Column.PARAM_VECTORS]):
        total += squares(gradient_whole(run, layer, vector), row[Column.VECTOR])
    return total


@core
def _sum_squares(run, flatten, n, of_weights):
    """Of all weights, or of all gradients."""
    parts = at(place_of(run, flatten, PlanColumn.SQUARES), np.float64)
    total = 0.0
    for layer in range(run.layers):
        kind, moves = kind_of(run, layer), takes_steps(run, layer)
        vectors = program_of(run, layer, Column.PARAM_VECTORS)
        if of_weights and kind == Kind.CONV:
            total += squares(w_of(run, layer), _filters_of(row_of(run, layer)))
        elif kind == Kind.DENSE:
            total += row_squares(run, layer, n, parts, of_weights) if of_weights or moves else 0.0
        elif not of_weights and moves and kind == Kind.CONV:
            total += _convolution_squares(run, layer)
        elif not of_weights and moves and kind == Kind.BATCH_NORM:
            total += _batch_norm_squares(run, layer)
        elif not of_weights and moves and vectors:
            total += row_squares(run, layer, n, parts, False)
    return total


@core
def penalty(run, flatten):
    """What all weights as they are add to the loss."""
    return run.l2 / 2 * _sum_squares(run, flatten, 0, True) if run.l2 > 0 else 0.0


@core
def clip(run, flatten, n):
    """The same run, with what this step's gradients are multiplied by."""
    if run.settings[Setting.CLIP_NORM] > 0:
        return clipped(run, clip_factor(run.settings, _sum_squares(run, flatten, n, False)))
    return run


@inline
def update_all(run, step, n):
    """A step of this thread's copy of all weights."""
    for layer in range(run.layers):
        if kind_of(run, layer) == Kind.BATCH_NORM:
            finish(run, step, layer, n)
            continue
        if not takes_steps(run, layer):
            continue
        if kind_of(run, layer) == Kind.CONV:
            _update_convolution(run, step, layer)
        elif kind_of(run, layer) == Kind.DENSE:
            update_dense(run, step, layer, n)
        elif program_of(run, layer, Column.PARAM_VECTORS):
            norm_gradient(run, layer, n)
            step_norm(run, step, layer)
