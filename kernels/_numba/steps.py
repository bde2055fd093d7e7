"""The optimiser's step of this thread's part of a dense layer's W and b."""

from fastbp.kernels.numbers import Choice, Column, Value

from . import updates
from .batch import GROUP, groups_of
from .jit import core
from .limits import limit
from .pointers import fill, pointer_to, shift
from .program import (
    adds_at_once,
    dy_of,
    input_of,
    outputs_of,
    owned,
    panels_at,
    penalty_of,
    program_of,
    row_width,
    rule_of,
    takes_steps,
    to_memory,
    values_of,
    w_of,
    whole,
)
from .tile import PANEL, ROWS, add_samples, product
from .vectors import bits, lanes_of


@core
def step_at(run, number):
    """What a step of this number, from 1, is to its calls of update."""
    return updates.count_step(run.choices[Choice.OPTIMIZER], run.settings, number, run.lr)


@core
def optimize(run, step, layer, bias, g, w, n):
    """One optimiser step of n weights of a layer in a row, or of its bias; g gets its limits."""
    kind, (to_m, to_v) = run.choices[Choice.OPTIMIZER], to_memory(run, layer)
    rule = rule_of(run, layer, bias)
    limit(run.settings, penalty_of(run, layer, bias), run.clip, w, g, n)
    updates.update(kind, run.settings, step, rule, g, w, shift(w, to_m), shift(w, to_v), n)


@core
def tile_of(m, n, depth, a, a_depth, b, b_depth, g):
    """g (m, n) = a.T @ b, of at most ROWS rows and PANEL vectors."""
    for e in range(m * n):
        g[e] = 0
    product(m, n, depth, a, 1, a_depth, b, b_depth, g, n, g, n)


@core
def _update(run, step, layer, rows, columns, depth, a, a_depth, b, b_depth, w, w_row):
    """A step of w (rows, columns), whose gradient is a.T @ b.

    For plain SGD, b or a is times the layer's -lr already, and the gradient is never stored.
    """
    if adds_at_once(run):
        product(rows, columns, depth, a, 1, a_depth, b, b_depth, w, w_row, w, w_row)
        return
    unit, g = lanes_of(w[0]) * PANEL, run.scratch
    for i in range(0, rows, ROWS):
        for j in range(0, columns, unit):
            m, n = min(ROWS, rows - i), min(unit, columns - j)
            tile_of(m, n, depth, shift(a, i), a_depth, shift(b, j), b_depth, g)
            for r in range(m):
                w_r = shift(w, (i + r) * w_row + j)
                optimize(run, step, layer, False, shift(g, r * n), w_r, n)


@core
def _update_listed(run, n, zeros, columns, dy, dy_row, w):
    """A step of plain SGD of a panel or two of the first layer, without what is zero."""
    inputs, lanes = program_of(run, 0, Column.INPUTS), lanes_of(w[0])
    unit = lanes * PANEL
    w_row = min(columns, unit)
    for group in range(groups_of(n)):
        first = group * GROUP
        x, step = shift(run.x, first * inputs), shift(dy, first * dy_row)
        for i in range(group * inputs, group * inputs + zeros.used[group]):
            k = zeros.columns[i]
            samples, w_k, x_k = zeros.samples[group * inputs + k], shift(w, k * w_row), shift(x, k)
            count = bits(samples)
            if columns == 2 * unit:
                add_samples(PANEL, 2, count, samples, x_k, inputs, step, dy_row, w_k, unit * inputs)
            elif columns == unit:
                add_samples(PANEL, 1, count, samples, x_k, inputs, step, dy_row, w_k, 0)
            else:
                for j in range(0, columns, lanes):
                    step_j, w_j = shift(step, j), shift(w_k, j)
                    add_samples(1, 1, count, samples, x_k, inputs, step_j, dy_row, w_j, 0)


@core
def scale_gradient(run, layer, n):
    """For plain SGD, this thread's columns of dy of a dense layer times its -lr."""
    first, last = owned(run, layer)
    dy, dy_row = dy_of(run, layer), row_width(run, layer)
    factor = type(dy[0])(-(run.lr * values_of(run, layer)[Value.LR_FACTOR]))
    if adds_at_once(run):
        for r in range(n):
            for j in range(first, last):
                dy[r * dy_row + j] *= factor


@core
def _update_bias(run, step, layer, n, first, last, b):
    """A step of b, whose gradient is the sum of dy; for plain SGD, dy is times -lr already."""
    if not program_of(run, layer, Column.BIAS):
        return
    factor = type(b[0])(values_of(run, layer)[Value.BIAS_LR_FACTOR])
    plain = adds_at_once(run)
    dy, dy_row = dy_of(run, layer), row_width(run, layer)
    lanes, g, one = lanes_of(b[0]), run.scratch, pointer_to(type(b[0])(1))
    for p in range(first, last, lanes * PANEL):
        count = min(lanes * PANEL, last - p)
        columns = whole(count, lanes)
        fill(g, columns, 0)
        # 1 times each row: so sums stay in registers.
        product(1, columns, n, one, 0, 0, shift(dy, p), dy_row, g, 0, g, columns)
        if plain:
            for j in range(count):
                b[p + j] += g[j] * factor
        else:
            optimize(run, step, layer, True, g, shift(b, p), count)


@core
def update_layer(run, step, layer, n, zeros):
    """A step of this thread's columns of W and b, if the layer takes any."""
    if not takes_steps(run, layer):
        return
    scale_gradient(run, layer, n)
    if layer:
        update_dense(run, step, layer, n)
    else:
        _update_panels(run, step, n, zeros)


@core
def update_dense(run, step, layer, n):
    """Of any dense layer but the first."""
    first, last = owned(run, layer)
    if first == last:
        return
    w, dy, width = w_of(run, layer), dy_of(run, layer), row_width(run, layer)
    x, x_row = input_of(run, layer)
    b = shift(w, x_row * whole(outputs_of(run, layer), 4))
    _update_bias(run, step, layer, n, first, last, b)
    rows, dy_o, w_o = last - first, shift(dy, first), shift(w, first * x_row)
    _update(run, step, layer, rows, x_row, n, dy_o, width, x, x_row, w_o, x_row)


@core
def _update_panels(run, step, n, zeros):
    """Of the first layer."""
    first, last = owned(run, 0)
    w, dy, width = w_of(run, 0), dy_of(run, 0), row_width(run, 0)
    inputs, (x, x_row) = program_of(run, 0, Column.INPUTS), input_of(run, 0)
    _update_bias(run, step, 0, n, first, last, shift(w, width * inputs))
    p = first
    while p < last:
        columns, panel, dy_p = panels_at(run, p, last), shift(w, p * inputs), shift(dy, p)
        if run.listed:
            _update_listed(run, n, zeros, columns, dy_p, width, panel)
        else:
            _update(run, step, 0, inputs, columns, n, x, x_row, dy_p, width, panel, columns)
        p += columns
