"""What a thread does for one layer of one batch: forward, backward, and the loss.

There is no mathematics here, only calls.
"""

import typing

import numpy as np

from fastbp.kernels.numbers import Choice, Column, Kind

from . import activations, losses
from .batch import AHEAD
from .dropout import drop_row
from .jit import core, inline
from .norms import forward_norm, norm_gradient, norm_input, step_norm
from .pointers import at, copy, fill, shift
from .program import (
    code_of,
    dy_of,
    input_of,
    is_norm,
    kind_of,
    masks_of,
    outputs_of,
    owned,
    panels_at,
    partner_of,
    program_of,
    row_width,
    values_of,
    w_of,
    whole,
    y_of,
)
from .rowwise import log_softmax_backward_row, log_softmax_row
from .shortcut import is_shortcut, sum_of
from .steps import update_layer
from .tile import PANEL, PANEL_ROWS, add_listed_rows, product, product_of_rows
from .vectors import lanes_of


@core
def _forward_panels(run, n, zeros):
    """The first layer, dense: this thread's panels."""
    inputs, width, y = program_of(run, 0, Column.INPUTS), row_width(run, 0), y_of(run, 0)
    w = w_of(run, 0)
    b = shift(w, width * inputs)
    p, last = owned(run, 0)
    while p < last:
        columns, panel, b_p, y_p = (
            panels_at(run, p, last),
            shift(w, p * inputs),
            shift(b, p),
            shift(y, p),
        )
        if run.listed:
            _forward_listed(run, n, zeros, columns, panel, b_p, y_p, width)
        else:
            product(n, columns, inputs, run.x, inputs, 1, panel, columns, b_p, 0, y_p, width)
        p += columns


@core
def _forward_listed(run, n, zeros, columns, w, b, y, y_row):
    """A panel or two of the first layer, without what is zero, a block of W's rows at a time.

    The block stays in the nearest cache for the whole batch.
    """
    inputs, lanes = program_of(run, 0, Column.INPUTS), lanes_of(run.work[0])
    index, unit = zeros.index, lanes * PANEL
    blocks = (inputs + PANEL_ROWS - 1) // PANEL_ROWS
    for block in range(blocks):
        for r in range(n):
            first = zeros.bounds[r * (blocks + 1) + block]
            last = zeros.bounds[r * (blocks + 1) + block + 1]
            x, y_r = shift(run.x, r * inputs), shift(y, r * y_row)
            start = y_r if block else b
            if columns == 2 * unit:
                add_listed_rows(PANEL, 2, first, last, index, x, w, unit, unit * inputs, start, y_r)
            elif columns == unit:
                add_listed_rows(PANEL, 1, first, last, index, x, w, unit, 0, start, y_r)
            else:
                for j in range(0, columns, lanes):
                    w_j, start_j, y_j = shift(w, j), shift(start, j), shift(y_r, j)
                    add_listed_rows(1, 1, first, last, index, x, w_j, columns, 0, start_j, y_j)


@core
def _drop(run, layer, r, first, x, y, n):
    """Dropout of the columns from `first` on of a sample, or of their gradients."""
    drop_row(masks_of(run, layer), run.row + run.rows[r], first, x, y, n)


@core
def _forward_shortcut(run, layer, n):
    """This thread's columns of what a FORK puts out, which is a copy, or an ADD."""
    first, last = owned(run, layer)
    (x, x_row), other = input_of(run, layer), y_of(run, partner_of(run, layer))
    y, y_row = y_of(run, layer), row_width(run, layer)
    for r in range(n if first < last else 0):
        x_r, y_r = shift(x, r * x_row + first), shift(y, r * y_row + first)
        if kind_of(run, layer) == Kind.FORK:
            copy(x_r, y_r, last - first)
        else:
            sum_of(x_r, shift(other, r * y_row + first), y_r, last - first)


@core
def _backward_shortcut(run, layer, n):
    """From their dy, dy of the layer before: an ADD's as it is, which its FORK adds."""
    (first, last), width = owned(run, layer), row_width(run, layer)
    dy, dx, other = dy_of(run, layer), dy_of(run, layer - 1), dy_of(run, partner_of(run, layer))
    for r in range(n if first < last else 0):
        at = r * width + first
        if kind_of(run, layer) == Kind.FORK:
            sum_of(shift(dy, at), shift(other, at), shift(dx, at), last - first)
        else:
            copy(shift(dy, at), shift(dx, at), last - first)


@core
def _rows_of(run, layer, n, x_row):
    """How many rows of this thread's columns there are to compute, each for itself, and how long.

    One is all of them, where nothing lies between them.
    """
    (first, last), width = owned(run, layer), row_width(run, layer)
    if last - first == width == x_row:
        return 1, n * width
    return n if first < last else 0, last - first


@core
def _forward_activation(run, layer, n):
    """This thread's columns of an activation's output."""
    (first, _), (x, x_row) = owned(run, layer), input_of(run, layer)
    kind, values, code = kind_of(run, layer), values_of(run, layer), code_of(run, layer)
    y, y_row = y_of(run, layer), row_width(run, layer)
    rows, length = _rows_of(run, layer, n, x_row)
    for r in range(rows):
        x_r, y_r = shift(x, r * x_row + first), shift(y, r * y_row + first)
        activations.forward(kind, values, code, x_r, y_r, length)


@core
def _backward_activation(run, layer, n):
    """This thread's columns of dy of the layer before it."""
    (first, _), (x, x_row) = owned(run, layer), input_of(run, layer)
    kind, values, code = kind_of(run, layer), values_of(run, layer), code_of(run, layer)
    y, y_row = y_of(run, layer), row_width(run, layer)
    dy, dx = dy_of(run, layer), dy_of(run, layer - 1)
    rows, length = _rows_of(run, layer, n, x_row)
    for r in range(rows):
        at, x_at = r * y_row + first, r * x_row + first
        x_r, y_r, dy_r, dx_r = shift(x, x_at), shift(y, at), shift(dy, at), shift(dx, x_at)
        activations.backward(kind, values, code, x_r, y_r, dy_r, dx_r, length)


@core
def forward_rows(run, layer, n):
    """This thread's columns of the output of a layer without a matrix."""
    kind = kind_of(run, layer)
    if is_shortcut(kind):
        _forward_shortcut(run, layer, n)
        return
    if is_norm(kind):
        forward_norm(run, layer, n)
        return
    if kind != Kind.LOG_SOFTMAX and kind != Kind.DROPOUT:
        _forward_activation(run, layer, n)
        return
    first, last = owned(run, layer)
    x, x_row = input_of(run, layer)
    y, y_row = y_of(run, layer), row_width(run, layer)
    for r in range(n if first < last else 0):
        x_r, y_r = shift(x, r * x_row + first), shift(y, r * y_row + first)
        if kind == Kind.LOG_SOFTMAX:
            log_softmax_row(x_r, y_r, last)
        else:
            _drop(run, layer, r, first, x_r, y_r, last - first)


@inline
def forward_layer(run, layer, n, zeros):
    """This thread's columns of one layer's output."""
    if kind_of(run, layer) != Kind.DENSE:
        forward_rows(run, layer, n)
    elif layer == 0:
        _forward_panels(run, n, zeros)
    else:
        forward_dense(run, layer, n)


@core
def forward_dense(run, layer, n):
    """This thread's columns of a dense layer's output, but the first layer's."""
    x, x_row = input_of(run, layer)
    w = w_of(run, layer)
    b = shift(w, x_row * whole(outputs_of(run, layer), 4))
    first, last = owned(run, layer)
    y, y_row = y_of(run, layer), row_width(run, layer)
    product_of_rows(n, first, last, x_row, x, x_row, w, x_row, b, y, y_row)


@core
def backward_rows(run, layer, n):
    """From dy of such a layer, this thread's columns of dy of the layer before it."""
    kind = kind_of(run, layer)
    if is_shortcut(kind):
        _backward_shortcut(run, layer, n)
        return
    if is_norm(kind):
        norm_input(run, layer, n)
        return
    if kind != Kind.LOG_SOFTMAX and kind != Kind.DROPOUT:
        _backward_activation(run, layer, n)
        return
    first, last = owned(run, layer)
    _, x_row = input_of(run, layer)
    y, y_row = y_of(run, layer), row_width(run, layer)
    dy, dx = dy_of(run, layer), dy_of(run, layer - 1)
    for r in range(n if first < last else 0):
        y_r, dy_r = shift(y, r * y_row + first), shift(dy, r * y_row + first)
        dx_r = shift(dx, r * x_row + first)
        if kind == Kind.LOG_SOFTMAX:
            log_softmax_backward_row(y_r, dy_r, dx_r, last)
        else:
            _drop(run, layer, r, first, dy_r, dx_r, last - first)


@core
def backward_layer(run, layer, n):
    """From dy of one layer, this thread's columns of dy of the layer before it (layer > 0)."""
    if kind_of(run, layer) != Kind.DENSE:
        backward_rows(run, layer, n)
        return
    first, last = owned(run, layer - 1)
    columns = whole(last, lanes_of(run.work[0])) - first
    dx_row, dx = row_width(run, layer - 1), shift(dy_of(run, layer - 1), first)
    unit, nothing = lanes_of(dx[0]) * PANEL, run.scratch
    fill(nothing, unit, 0)
    w, outputs = shift(w_of(run, layer), first), outputs_of(run, layer)
    dy, dy_row = dy_of(run, layer), row_width(run, layer)
    for p in range(0, columns, unit):
        m, w_p, dx_p = min(unit, columns - p), shift(w, p), shift(dx, p)
        product(n, m, outputs, dy, dy_row, 1, w_p, dx_row, nothing, 0, dx_p, dx_row)


@core
def step_layer(run, step, layer, n, zeros):
    """The update of this thread's part of a layer's parameters, by the dy that is there."""
    if kind_of(run, layer) == Kind.DENSE:
        update_layer(run, step, layer, n, zeros)
    elif program_of(run, layer, Column.PARAM_VECTORS):
        norm_gradient(run, layer, n)
        step_norm(run, step, layer)


class _Targets(typing.NamedTuple):
    """What the loss reads of the samples and, if they are kept, writes: their scores."""

    labels: typing.Any
    values: typing.Any
    weights: losses.Weights
    scores: typing.Any
    keeps: bool


@core
def targets_of(run, addresses):
    """Those of this step's epoch, from train_steps' arrays."""
    real, there = type(run.work[0]), run.choices[Choice.SAMPLES_KEPT]
    labels, values = at(addresses[7], np.int64), at(addresses[8], real)
    epoch = at(addresses[14], np.int64)[run.step] // there * there
    scores = shift(at(addresses[13], real), epoch * outputs_of(run, run.layers - 1))
    return _Targets(labels, values, sample_weights(addresses), scores, addresses[13] != 0)


@core
def sample_weights(addresses):
    """Those of all samples, likewise."""
    return losses.Weights(at(addresses[9], np.float64), addresses[9] != 0)


@core
def weight_of_batch(weights, chosen, n):
    """That of these n samples together."""
    total = 0.0
    for r in range(n):
        total += losses.weight_of(weights, chosen[r])
    return total


@core
def loss_of(run, n, chosen, targets):
    """The batch's loss, and the gradient by the last layer's output."""
    kind, o, total = run.choices[Choice.LOSS], outputs_of(run, run.layers - 1), 0.0
    for r in range(n):
        if r + AHEAD < n:
            losses.fetch_target(kind, chosen[r + AHEAD], targets.labels, targets.values, o)
        total += loss_row(run, r, chosen[r], targets)
    return losses.mean_of(total, loss_parts(run))


@core
def loss_parts(run):
    """What the sum of the batch's losses is to be divided by."""
    kind, o = run.choices[Choice.LOSS], outputs_of(run, run.layers - 1)
    return losses.parts_of(kind, run.batch_weight, o)


@core
def loss_row(run, r, sample, targets):
    """One row's weighted loss, and the gradient by the last layer's output."""
    layer, kind, code = run.layers - 1, run.choices[Choice.LOSS], shift(run.choices, Choice.CODE)
    o, width = outputs_of(run, layer), row_width(run, layer)
    y, dy = shift(y_of(run, layer), r * width), shift(dy_of(run, layer), r * width)
    numbers, (labels, values, weights, scores, keeps) = values_of(run, run.layers), targets
    if keeps:
        copy(y, shift(scores, sample * o), o)
    weight, parts = losses.weight_of(weights, sample), loss_parts(run)
    return losses.loss_row(kind, numbers, code, y, sample, labels, values, weight, parts, dy, o)
