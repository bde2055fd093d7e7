"""Sums of squares: of all weights, for the penalty, and of a step's gradients, for their norm.

Rows on rows are shared by threads, so each leaves the sums of its parts, which are as few columns
as one can have. Then they meet, and all parts are added in their order. So the bits are the same
for every number of threads. On images each thread has all parts itself.
"""

import numpy as np

from fastbp.kernels.numbers import Column, Kind, PlanColumn

from .jit import core
from .limits import add_penalty, clip_factor, squares
from .norms import norm_gradient, vector_width
from .pointers import at, fill, shift
from .program import (
    dy_of,
    input_of,
    is_norm,
    kind_of,
    outputs_of,
    owned,
    penalty_of,
    place_of,
    program_of,
    row_width,
    w_of,
)
from .steps import tile_of
from .tile import PANEL, ROWS
from .vectors import lanes_of


@core
def _unit_of(run, layer):
    """The columns of a part."""
    lanes = lanes_of(run.work[0])
    return lanes * PANEL if layer == 0 and kind_of(run, 0) == Kind.DENSE else max(lanes, 4)


@core
def _weights(run, layer, first):
    """Where the weights of a part start, and how they lie: rows and columns."""
    w = w_of(run, layer)
    unit, (_, x_row), width = _unit_of(run, layer), input_of(run, layer), row_width(run, layer)
    if layer:
        return shift(w, first * x_row), min(unit, outputs_of(run, layer) - first), x_row
    inputs = program_of(run, 0, Column.INPUTS)
    return shift(w, first * inputs), inputs, min(unit, width - first)


@core
def weight_squares(run, layer, first):
    """Of a part's weights of a dense layer."""
    w, rows, columns = _weights(run, layer, first)
    return squares(w, rows * columns)


@core
def gradient_squares(run, layer, n, first):
    """Of their gradient, with the penalty's."""
    w, rows, columns = _weights(run, layer, first)
    (a, a_depth), b, b_depth = input_of(run, layer), dy_of(run, layer), row_width(run, layer)
    b, total, g, l2 = shift(b, first), 0.0, run.scratch, penalty_of(run, layer, False)
    if layer:
        a, a_depth, b, b_depth = b, b_depth, a, a_depth
    unit = lanes_of(w[0]) * PANEL
    for i in range(0, rows, ROWS):
        for j in range(0, columns, unit):
            m, k = min(ROWS, rows - i), min(unit, columns - j)
            tile_of(m, k, n, shift(a, i), a_depth, shift(b, j), b_depth, g)
            for r in range(m if l2 > 0 else 0):
                add_penalty(l2, shift(w, (i + r) * columns + j), shift(g, r * k), k)
            total += squares(g, m * k)
    return total


@core
def bias_squares(run, layer, n, first, last):
    """Of the gradient of these columns of b."""
    dy, dy_row, g = dy_of(run, layer), row_width(run, layer), run.scratch
    if not program_of(run, layer, Column.BIAS):
        return 0.0
    fill(g, last - first, 0)
    for r in range(n):
        for j in range(last - first):
            g[j] += dy[r * dy_row + first + j]
    return squares(g, last - first)


@core
def norm_squares(run, layer, first, last):
    """Of these columns of the gradients that norm_gradient left."""
    g, total = place_of(run, layer, PlanColumn.STEP), 0.0
    for vector in range(program_of(run, layer, Column.PARAM_VECTORS)):
        total += squares(shift(g, vector * vector_width(run, layer) + first), last - first)
    return total


@core
def _part(run, layer, n, first, last, of_weights):
    """Of a part of a row's weights, or of the gradient of all of its parameters."""
    if of_weights:
        return weight_squares(run, layer, first)
    if kind_of(run, layer) == Kind.DENSE:
        return gradient_squares(run, layer, n, first) + bias_squares(run, layer, n, first, last)
    return norm_squares(run, layer, first, last)


@core
def has_squares(run, layer, of_weights):
    """Whether a row of rows has weights that are penalized, or a gradient that is used."""
    kind, moves = kind_of(run, layer), program_of(run, layer, Column.FROZEN) == 0
    if of_weights or kind == Kind.DENSE:
        return kind == Kind.DENSE and (of_weights or moves)
    return is_norm(kind) and program_of(run, layer, Column.PARAM_VECTORS) > 0 and moves


@core
def row_squares(run, layer, n, parts, of_weights):
    """This thread's parts of a row, which it leaves; returns their sum.

    What norms leave is found anew.
    """
    (first, last), unit, total = owned(run, layer), _unit_of(run, layer), 0.0
    if not of_weights and is_norm(kind_of(run, layer)):
        norm_gradient(run, layer, n)
    for p in range(first, last, unit):
        part = _part(run, layer, n, p, min(p + unit, last), of_weights)
        parts[p // unit] = part
        total += part
    return total


@core
def _parts_of(run, layer):
    return at(place_of(run, layer, PlanColumn.SQUARES), np.float64)


@core
def leave_squares(run, lowest, n, of_weights):
    """This thread's parts of all rows from this one on."""
    for layer in range(lowest, run.layers):
        if has_squares(run, layer, of_weights):
            row_squares(run, layer, n, _parts_of(run, layer), of_weights)


@core
def _sum_of_parts(run, lowest, of_weights):
    """What all threads have left."""
    total = 0.0
    for layer in range(lowest, run.layers):
        unit, outputs = _unit_of(run, layer), outputs_of(run, layer)
        if has_squares(run, layer, of_weights):
            parts = _parts_of(run, layer)
            for i in range((outputs + unit - 1) // unit):
                total += parts[i]
    return total


@core
def penalty(run):
    """What all weights add to the loss, when all threads have left their parts."""
    return run.l2 / 2 * _sum_of_parts(run, 0, True) if run.l2 > 0 else 0.0


@core
def gradient_clip(run, lowest):
    """What gradients are multiplied by, likewise."""
    return clip_factor(run.settings, _sum_of_parts(run, lowest, False))
