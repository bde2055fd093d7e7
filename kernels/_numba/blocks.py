"""Rows of a program that work on images: SAMPLES of them at a time, a block.

Within a block images lie (column, sample): see convolution.py.
"""

from fastbp.kernels.numbers import Choice, Column, Kind, PlanColumn

from . import activations, normalization
from .convolution import TILE, add_gradient, alike, correlate, tile_of, windows_met
from .dropout import drop_block
from .jit import core, inline
from .layout import SCRATCH
from .pointers import copy, fill, shift
from .pooling import pool, pool_back, window_within
from .program import (
    code_of,
    dy_of,
    group_of,
    kind_of,
    masks_of,
    outputs_of,
    partial_gradient,
    partner_of,
    place_of,
    plan_of,
    program_of,
    row_width,
    takes_steps,
    values_of,
    w_of,
    whole,
    windows_of,
    y_of,
)
from .shortcut import is_shortcut, sum_of
from .vectors import SAMPLES, VECTOR_BYTES, lanes_of

_STRIP = 24 << 10  # bytes of dy that stay in the nearest cache while dw is summed


@core
def _forward_conv(run, layer):
    """A convolution of a block whose input has a border, so that windows need no bounds."""
    groups = program_of(run, layer, Column.GROUPS)
    s, x, y = windows_of(run, layer), place_of(run, layer, PlanColumn.INPUT), y_of(run, layer)
    s, w, b = group_of(s, groups), w_of(run, layer), s.o * s.c // groups * s.kh * s.kw
    x_size, y_size = s.c * s.high * s.wide * SAMPLES, s.o * s.i * s.j * SAMPLES
    weights = s.o * s.c * s.kh * s.kw
    for g in range(groups):
        w_g, b_g = shift(w, g * weights), shift(w, b + g * s.o)
        _forward_group(s, shift(x, g * x_size), w_g, b_g, shift(y, g * y_size))


@core
def _forward_group(s, x, w, b, y):
    """One group's channels and filters."""
    wide, plane, lanes = s.wide, s.i * s.j * SAMPLES, lanes_of(w[0])
    x_plane, weights = s.high * wide * SAMPLES, s.c * s.kh * s.kw
    counts, w_steps, y_steps = (s.c, s.kh, s.kw), (weights, s.kh * s.kw, s.kw, 1), (plane, SAMPLES)
    x_steps = s.right * SAMPLES, x_plane, wide * SAMPLES, SAMPLES
    for i in range(s.i):
        j = 0
        while j < s.j:
            n, o = tile_of(s.j - j, TILE[0]), 0
            x_ij = shift(x, (i * s.down * wide + j * s.right) * SAMPLES)
            while o < s.o:
                m = tile_of(s.o - o, TILE[0])
                w_o, b_o = shift(w, o * weights), shift(b, o)
                y_ij = shift(y, o * plane + (i * s.j + j) * SAMPLES)
                for part in range(0, SAMPLES, lanes):
                    x_part, y_part = shift(x_ij, part), shift(y_ij, part)
                    correlate(m, n, counts, w_o, w_steps, x_part, x_steps, b_o, y_part, y_steps)
                o += m
            j += n


@inline
def _backward_conv_input(run, layer):
    """From dy of a block dy of the row before, where windows meet neighbours alike many at once.

    Neighbours are columns, or, at the borders to the left and right, rows.
    """
    groups = program_of(run, layer, Column.GROUPS)
    s, w = group_of(windows_of(run, layer), groups), 0
    while w < s.w:
        columns = alike(w, s.w - w, s.kw, s.right, s.left, s.j)
        h = 0
        while h < s.h:
            rows = 1
            if columns == 1:
                rows = alike(h, s.h - h, s.kh, s.down, s.top, s.i)
            for g in range(groups):
                _backward_tile(run, layer, s, g, h, w, rows, columns)
            h += rows
        w += columns


@core
def _backward_tile(run, layer, s, g, h, w, down, right):
    """So many rows or so many columns from (h, w) on, of a group's channels; the other is 1."""
    dx = shift(dy_of(run, layer - 1), g * s.c * s.h * s.w * SAMPLES)
    dy = shift(dy_of(run, layer), g * s.o * s.i * s.j * SAMPLES)
    weights = shift(w_of(run, layer), g * s.o * s.c * s.kh * s.kw)
    k, i, rows = windows_met(h + s.top, s.kh, s.down, s.i)
    p, j, columns = windows_met(w + s.left, s.kw, s.right, s.j)
    line, plane, dx_plane = s.j * SAMPLES, s.i * s.j * SAMPLES, s.h * s.w * SAMPLES
    window, c, n, lanes = s.kh * s.kw, 0, down * right, lanes_of(dx[0])
    w_steps = window, s.down * s.kw, s.right, s.c * window
    dy_steps = line if down > 1 else SAMPLES, -line, -SAMPLES, plane
    dx_steps = dx_plane, s.w * SAMPLES if down > 1 else SAMPLES
    dy_ij, dx_hw = shift(dy, i * line + j * SAMPLES), shift(dx, (h * s.w + w) * SAMPLES)
    while c < s.c:
        m, w_c = tile_of(s.c - c, TILE[0]), shift(weights, c * window + k * s.kw + p)
        for part in range(0, SAMPLES, lanes):
            dy_part, dx_part = shift(dy_ij, part), shift(dx_hw, c * dx_plane + part)
            counts = rows, columns, s.o
            correlate(m, n, counts, w_c, w_steps, dy_part, dy_steps, None, dx_part, dx_steps)
        c += m


@inline
def _backward_conv(run, layer, sums):
    """Add a block's part of dw and db to sums."""
    groups = program_of(run, layer, Column.GROUPS)
    s, x, dy = windows_of(run, layer), place_of(run, layer, PlanColumn.INPUT), dy_of(run, layer)
    s, db = group_of(s, groups), s.o * s.c // groups * s.kh * s.kw
    x_size, y_size = s.c * s.high * s.wide * SAMPLES, s.o * s.i * s.j * SAMPLES
    weights = s.o * s.c * s.kh * s.kw
    for g in range(groups):
        dw_g, db_g = shift(sums, g * weights), shift(sums, db + g * s.o)
        _backward_group(s, shift(x, g * x_size), shift(dy, g * y_size), dw_g, db_g)


@core
def _backward_group(s, x, dy, dw, db):
    """Of one group's channels and filters, a strip of dy's rows after another."""
    plane, weights, row = s.i * s.j * SAMPLES, s.c * s.kh * s.kw, s.j * SAMPLES
    strips = min(s.i, 1 + TILE[0] * plane * VECTOR_BYTES // (lanes_of(dy[0]) * _STRIP))
    o = 0
    while o < s.o:
        m = tile_of(s.o - o, TILE[0])
        for strip in range(strips):
            first = s.i * strip // strips
            rows, dy_o = s.i * (strip + 1) // strips - first, shift(dy, o * plane + first * row)
            steps, db_o = (plane, row, SAMPLES), shift(db, o)
            add_gradient(m, 0, (rows, s.j), dy_o, steps, dy_o, (0, 0, 0), db_o, 1)
            _add_weights(s, m, rows, dy_o, x, first, shift(dw, o * weights))
        o += m


@core
def _add_weights(s, m, rows, dy, x, first, sums):
    """For m channels of dy, from its row `first` on."""
    wide, plane, weights = s.wide, s.i * s.j * SAMPLES, s.c * s.kh * s.kw
    dy_steps = plane, s.j * SAMPLES, SAMPLES
    x_steps = SAMPLES, s.down * wide * SAMPLES, s.right * SAMPLES
    for c in range(s.c):
        for k in range(s.kh):
            p = 0
            while p < s.kw:
                n = 3 if s.kw - p == 3 or s.kw - p > 4 else tile_of(s.kw - p, 2)
                start = (c * s.high + first * s.down + k) * wide + p
                x_p, dw = shift(x, start * SAMPLES), shift(sums, (c * s.kh + k) * s.kw + p)
                add_gradient(m, n, (rows, s.j), dy, dy_steps, x_p, x_steps, dw, weights)
                p += n


@core
def _pool_images(run, layer, forth):
    """A pooling row of a block, forth or back."""
    s, maximum = windows_of(run, layer), kind_of(run, layer) == Kind.MAX_POOL
    size = type(run.work[0])(s.kh * s.kw)
    x, dx = place_of(run, layer, PlanColumn.INPUT), dy_of(run, layer - 1) if layer else run.work
    strides = s.w * SAMPLES, SAMPLES
    overlap = s.down < s.kh or s.right < s.kw
    gaps = s.top + s.left > 0 or s.i * s.kh < s.h or s.j * s.kw < s.w
    if not forth and (overlap or gaps):
        fill(dx, s.c * s.h * s.w * SAMPLES, 0)  # else windows fill it
    for c in range(s.c):
        for i in range(s.i):
            h, rows = window_within(i, s.kh, s.down, s.top, s.h)
            for j in range(s.j):
                w, columns = window_within(j, s.kw, s.right, s.left, s.w)
                at = ((c * s.h + h) * s.w + w) * SAMPLES
                behind = ((c * s.i + i) * s.j + j) * SAMPLES
                y = shift(y_of(run, layer), behind)
                dy = shift(dy_of(run, layer), behind)
                if forth and maximum:
                    pool((rows, columns), shift(x, at), strides, None, y)
                elif forth:
                    pool((rows, columns), shift(x, at), strides, size, y)
                elif maximum:
                    pool_back(
                        (rows, columns), shift(x, at), strides, None, overlap, dy, shift(dx, at)
                    )
                else:
                    pool_back((rows, columns), None, strides, size, overlap, dy, shift(dx, at))


@core
def _apart(run, x, y, n):
    """x, or a copy of it where it is y: loops over what is the same use no vectors."""
    if x != y:
        return shift(run.work, x)
    copy(shift(run.work, x), run.scratch, n)
    return run.scratch


@inline
def _elements_forth(run, layer):
    """An elementwise row of a block."""
    x, y = plan_of(run, layer, PlanColumn.INPUT), plan_of(run, layer, PlanColumn.Y)
    n = outputs_of(run, layer)
    kind, values, code = kind_of(run, layer), values_of(run, layer), code_of(run, layer)
    if kind == Kind.DROPOUT:
        drop_block(masks_of(run, layer), run.row, shift(run.work, x), shift(run.work, y), n)
        return
    for start in range(0, n * SAMPLES, SCRATCH):
        count = min(SCRATCH, n * SAMPLES - start)
        x_part = _apart(run, x + start, y + start, count)
        activations.forward(kind, values, code, x_part, shift(run.work, y + start), count)


@inline
def _elements_back(run, layer):
    """From dy of an elementwise row dy of the row before."""
    dy, dx = plan_of(run, layer, PlanColumn.DY), plan_of(run, layer - 1, PlanColumn.DY)
    x, y, n = place_of(run, layer, PlanColumn.INPUT), y_of(run, layer), outputs_of(run, layer)
    kind, values, code = kind_of(run, layer), values_of(run, layer), code_of(run, layer)
    if kind == Kind.DROPOUT:
        drop_block(masks_of(run, layer), run.row, shift(run.work, dy), shift(run.work, dx), n)
        return
    for start in range(0, n * SAMPLES, SCRATCH):
        count = min(SCRATCH, n * SAMPLES - start)
        dy_part = _apart(run, dy + start, dx + start, count)
        x_part, y_part, dx_part = shift(x, start), shift(y, start), shift(run.work, dx + start)
        activations.backward(kind, values, code, x_part, y_part, dy_part, dx_part, count)


@core
def _shortcut_forth(run, layer):
    """What an ADD puts out; a FORK's y is its x."""
    if kind_of(run, layer) == Kind.ADD:
        x, other = place_of(run, layer, PlanColumn.INPUT), y_of(run, partner_of(run, layer))
        sum_of(x, other, y_of(run, layer), outputs_of(run, layer) * SAMPLES)


@core
def _shortcut_back(run, layer):
    """From dy of either end dy of the row before: an ADD's as it is, which its FORK adds."""
    dy, dx, size = dy_of(run, layer), dy_of(run, layer - 1), outputs_of(run, layer) * SAMPLES
    if kind_of(run, layer) == Kind.ADD:
        copy(dy, dx, size)
    else:
        sum_of(dy, dy_of(run, partner_of(run, layer)), dx, size)


@core
def _standardize(run, layer, forth):
    """Standardize of a block, each column its own number; or from dy dy of the row before."""
    mean, n = place_of(run, layer, PlanColumn.BUFFER), outputs_of(run, layer)
    std = shift(mean, whole(n, SAMPLES))
    if forth:
        x, y = place_of(run, layer, PlanColumn.INPUT), y_of(run, layer)
        normalization.standardize_block(n, x, mean, std, y)
    else:
        normalization.unstandardize_block(n, dy_of(run, layer), std, dy_of(run, layer - 1))


@inline
def forward_block(run, layer):
    """One image row of a block."""
    kind = kind_of(run, layer)
    if kind == Kind.CONV:
        if layer and plan_of(run, layer, PlanColumn.INPUT) != plan_of(run, layer - 1, PlanColumn.Y):
            s = windows_of(run, layer)
            _into_border(y_of(run, layer - 1), s, place_of(run, layer, PlanColumn.INPUT))
        _forward_conv(run, layer)
    elif kind in (Kind.MAX_POOL, Kind.AVG_POOL):
        _pool_images(run, layer, True)
    elif is_shortcut(kind):
        _shortcut_forth(run, layer)
    elif kind == Kind.STANDARDIZE:
        _standardize(run, layer, True)
    else:
        _elements_forth(run, layer)


@core
def _into_border(x, s, y):
    """y = x, within a border that is there already."""
    row = s.w * SAMPLES
    for c in range(s.c):
        for h in range(s.h):
            at = (c * s.high + s.top + h) * s.wide + s.left
            copy(shift(x, (c * s.h + h) * row), shift(y, at * SAMPLES), row)


@inline
def backward_block(run, layer, segment):
    """From dy of an image row dy of the row before, unless nobody needs that."""
    kind = kind_of(run, layer)
    if kind == Kind.CONV and takes_steps(run, layer):
        _backward_conv(run, layer, partial_gradient(run, layer, segment))
    if layer == run.choices[Choice.LOWEST]:
        return
    if kind == Kind.CONV:
        _backward_conv_input(run, layer)
    elif kind in (Kind.MAX_POOL, Kind.AVG_POOL):
        _pool_images(run, layer, False)
    elif is_shortcut(kind):
        _shortcut_back(run, layer)
    elif kind == Kind.STANDARDIZE:
        _standardize(run, layer, False)
    else:
        _elements_back(run, layer)


@core
def flatten_block(run, layer, n):
    """A block's images as rows."""
    x, y, y_row = y_of(run, layer - 1), y_of(run, layer), row_width(run, layer)
    for r in range(n):
        for column in range(outputs_of(run, layer)):
            y[r * y_row + column] = x[column * SAMPLES + r]


@core
def unflatten_block(run, layer, n):
    """The rows' gradients as those of images; of samples that are not there, 0."""
    dy, dy_row = dy_of(run, layer), row_width(run, layer)
    dx = dy_of(run, layer - 1)
    for column in range(outputs_of(run, layer)):
        for r in range(SAMPLES):
            dx[column * SAMPLES + r] = dy[r * dy_row + column] if r < n else 0
