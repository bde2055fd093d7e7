"""The steps of an epoch for programs with rows on images, which threads share by samples.

A thread takes SAMPLES of a batch at a time, a block, through all rows, forth and back. From FLATTEN
on a sample is a row again, as in other programs.

A thread has weights of its own, a copy of all of them, and of a block whatever comes before
FLATTEN. What the steps of the weights are made of lies where all see it: x and dy of dense layers
for the whole batch, and sums of a convolution's dw and db over segments of the batch, in which
the blocks are added in order. So threads meet once a step, and then each takes the same steps.
There are two of what is shared, for odd and even steps: some still read the one when others write
the other.
"""

import typing

import numpy as np

from fastbp.kernels.numbers import Choice, Kind, PlanColumn, Setting, Source

from .barrier import floating_mode, flush_denormals, meet
from .block_norms import (
    combine_gradients,
    combine_gradients_in_use,
    combine_statistics,
    leave_gradient,
    leave_statistics,
    normalize,
    pass_back,
)
from .blocks import backward_block, flatten_block, forward_block, unflatten_block
from .jit import core, engine, inline, jit
from .layout import prepare
from .losses import mean_of
from .pointers import at, copy, fill, shift
from .program import (
    begin_step,
    buffers_size,
    from_row,
    kind_of,
    outputs_of,
    partial_gradient,
    place_of,
    plan_of,
    row_of,
    row_width,
    vectors_size,
    weights_of,
    whole,
    windows_of,
    y_of,
)
from .stages import (
    backward_layer,
    forward_dense,
    forward_rows,
    loss_parts,
    loss_row,
    sample_weights,
    targets_of,
    weight_of_batch,
)
from .steps import scale_gradient, step_at
from .steps_images import clip, penalty, update_all
from .vectors import SAMPLES


@core
def _gather_images(run, data, chosen, n):
    """A block's samples, columns outside; in place of samples that are not there, the last one."""
    features, scale = run.choices[Choice.FEATURES], type(run.x[0])(run.settings[Setting.SCALE])
    s, x, column = windows_of(run, 0), place_of(run, 0, PlanColumn.INPUT), 0
    rows = at(run.scratch, np.int64)
    for r in range(SAMPLES):
        rows[r] = chosen[min(r, n - 1)] * features
    bordered = kind_of(run, 0) == Kind.CONV and s.high * s.wide > s.h * s.w
    while column < features:
        count, start = features, 0
        if bordered:
            count, line = s.w, column // s.w
            start = (line // s.h * s.high + s.top + line % s.h) * s.wide + s.left
        for j in range(count):
            x_j = shift(x, (start + j) * SAMPLES)
            for r in range(SAMPLES):
                x_j[r] = type(scale)(data[rows[r] + column + j]) * scale
        column += count


@inline
def _gather_block(run, data, chosen, n):
    """Of whatever the data's elements are."""
    source = run.choices[Choice.SOURCE]
    if source == Source.BYTES:
        _gather_images(run, at(data, np.uint8), chosen, n)
    elif source == Source.FLOATS:
        _gather_images(run, at(data, np.float32), chosen, n)
    else:
        _gather_images(run, at(data, np.float64), chosen, n)


@core
def _flatten_row(run):
    """Where images become rows."""
    layer = 0
    while kind_of(run, layer) != Kind.FLATTEN:
        layer += 1
    return layer


@core
def _show_rows(run, layer, row):
    """Let y and dy of the rows from FLATTEN on start at this sample of the batch."""
    batch = run.choices[Choice.BATCH]
    for later in range(layer, run.layers):
        start = (run.step % 2 * batch + row) * row_width(run, later)
        plan = shift(run.plan, later * PlanColumn.PLAN_COLUMNS)
        plan[PlanColumn.Y] = plan[PlanColumn.BATCH_Y] + start
        plan[PlanColumn.DY] = plan[PlanColumn.BATCH_DY] + start


@core
def _show_images(run, block):
    """Let images, where all blocks' are kept, be those of this block."""
    move = (block - run.plan[PlanColumn.SHOWN]) * run.plan[PlanColumn.BLOCK_STRIDE]
    run.plan[PlanColumn.SHOWN] = block
    layer = 0
    while move != 0 and kind_of(run, layer) != Kind.FLATTEN:
        plan = shift(run.plan, layer * PlanColumn.PLAN_COLUMNS)
        for place in (PlanColumn.INPUT, PlanColumn.Y, PlanColumn.DY):
            plan[place] += move
        layer += 1


@inline
def _forward_through(run, flatten, first, last, n):
    """What the rows first..last put out for a block, the rows from run.row on of the batch."""
    for layer in range(first, last):
        kind = kind_of(run, layer)
        if kind == Kind.BATCH_NORM:
            normalize(run, layer, n)
        elif layer < flatten:
            forward_block(run, layer)
        elif layer == flatten:
            flatten_block(run, layer, n)
        elif kind == Kind.DENSE:
            forward_dense(run, layer, n)
        else:
            forward_rows(run, layer, n)


@inline
def _backward_through(run, flatten, segment, top, bottom, n, batch):
    """From dy of a block of row `top` what the rows down to `bottom` make of it."""
    lowest = run.choices[Choice.LOWEST]
    for layer in range(top, max(bottom, lowest) - 1, -1):
        kind = kind_of(run, layer)
        if kind == Kind.BATCH_NORM:
            if not run.choices[Choice.TRAINING]:
                leave_gradient(run, layer, n)
            if layer > lowest:
                pass_back(run, layer, n, batch)
        elif layer > flatten:
            if layer > lowest:
                backward_layer(run, layer, n)
            if kind == Kind.DENSE:
                scale_gradient(run, layer, n)
        elif layer < flatten:
            backward_block(run, layer, segment)
        elif lowest < flatten:
            unflatten_block(run, layer, n)


class _Stretch(typing.NamedTuple):
    """What threads do between two meetings, for each of their blocks.

    The rows first..last, from -1 on with what the first one reads; then, if those are all, the
    loss; and back the rows top..bottom. What is left undone is BatchNorm's row `last`, or the one
    below `bottom`, for which a block leaves its parts.
    """

    first: int
    last: int
    top: int
    bottom: int


@inline
def _train_block(run, addresses, flatten, segment, chosen, batch, n, stretch):
    """A stretch for n samples, the rows from run.row on of the batch."""
    targets = targets_of(run, addresses)
    losses, (first, last, top, bottom) = shift(_losses(run, flatten), run.row), stretch
    if first < 0:
        _gather_block(run, addresses[6], chosen, n)
    _forward_through(run, flatten, max(first, 0), last, n)
    if last < run.layers:
        leave_statistics(run, last, n)
        return
    if first < run.layers:
        for r in range(n):
            losses[r] = loss_row(run, r, chosen[r], targets)
    _backward_through(run, flatten, segment, top, bottom, n, batch)
    if bottom:
        leave_gradient(run, bottom - 1, n)


@inline
def _train_segment(run, addresses, flatten, segment, chosen, n, stretch):
    """A stretch for the blocks of a segment of a batch of n."""
    first_block, last_block = _blocks_of(run, segment, n)
    if stretch.first < 0:
        for layer in range(flatten):
            if kind_of(run, layer) == Kind.CONV:
                fill(partial_gradient(run, layer, segment), weights_of(row_of(run, layer)), 0)
    for block in range(first_block, last_block):
        row = block * SAMPLES
        here, count = from_row(run, row), min(SAMPLES, n - row)
        _show_images(run, block)
        _show_rows(run, flatten, row)
        own = shift(chosen, row)
        _train_block(here, addresses, flatten, segment, own, n, count, stretch)


@core
def _norm_from(run, layer):
    """The next row of BatchNorm, from this row on, or `layers`; in use there is no need to stop."""
    if not run.choices[Choice.TRAINING]:
        return run.layers
    while layer < run.layers and kind_of(run, layer) != Kind.BATCH_NORM:
        layer += 1
    return layer


@core
def _behind_norm(run, layer):
    """Which row follows the last one of BatchNorm below this row, that backward reaches, or 0."""
    if not run.choices[Choice.TRAINING]:
        return 0
    lowest = run.choices[Choice.LOWEST]
    while layer > lowest and kind_of(run, layer - 1) != Kind.BATCH_NORM:
        layer -= 1
    return layer if layer > lowest else 0


@inline
def _train_batch(run, team, addresses, flatten, chosen, n):
    """Forward, loss and backward; threads meet at each row of BatchNorm, forth and back.

    Returns whether all of them were there.
    """
    layers, segments = run.layers, run.choices[Choice.SEGMENTS]
    first, last, top, bottom = -1, _norm_from(run, 0), layers - 1, _behind_norm(run, layers)
    while True:
        stretch = _Stretch(first, last, top, bottom)
        for segment in range(
            segments * team.thread // team.threads, segments * (team.thread + 1) // team.threads
        ):
            _train_segment(run, addresses, flatten, segment, chosen, n, stretch)
        if last == layers and bottom == 0:
            return run.choices[Choice.TRAINING] or combine_gradients_in_use(run, team, n)
        if not meet(team):
            return False
        if last < layers:
            combine_statistics(run, last, n)
            first, last = last, _norm_from(run, last + 1)
            continue
        combine_gradients(run, bottom - 1, n)
        first, top = layers, bottom - 1
        bottom = _behind_norm(run, top)
        if top == run.choices[Choice.LOWEST]:
            return True


@core
def _blocks_of(run, segment, n):
    """The blocks that a segment of a batch of n has, from the first to before the last."""
    blocks, segments = (n + SAMPLES - 1) // SAMPLES, run.choices[Choice.SEGMENTS]
    return blocks * segment // segments, blocks * (segment + 1) // segments


@core
def _losses(run, flatten):
    """Where the losses of the batch's samples are."""
    losses = at(place_of(run, flatten, PlanColumn.LOSSES), np.float64)
    return shift(losses, run.step % 2 * run.choices[Choice.BATCH])


@core
def _mean_loss(run, flatten, n):
    losses, total = _losses(run, flatten), 0.0
    for r in range(n):
        total += losses[r]
    return mean_of(total, loss_parts(run))


@inline
def _copy_weights(run):
    """Take over what the first thread has, which alone took part in every step so far."""
    for layer in range(run.layers):
        kind, w = kind_of(run, layer), plan_of(run, layer, PlanColumn.W)
        way, row_ = plan_of(run, layer, PlanColumn.ORIGIN) - w, row_of(run, layer)
        size = weights_of(row_) if kind == Kind.CONV else vectors_size(row_)
        if kind == Kind.DENSE:
            row = row_width(run, layer - 1)
            size = row_width(run, layer) + row * whole(outputs_of(run, layer), 4)
        for part in range(run.choices[Choice.STATES] + 1):
            place = place_of(run, layer, PlanColumn.W + part)
            copy(shift(place, way), place, size)
        kept = place_of(run, layer, PlanColumn.BUFFER)
        copy(shift(kept, way), kept, buffers_size(row_))


@engine("the engine for images")
def train_images(real, addresses, layers, thread, first, last):
    """See train_steps; real is a number of the network's dtype."""
    before = flush_denormals()
    choices, order = at(addresses[3], np.int64), at(addresses[10], np.int64)
    threads, step = choices[Choice.THREADS], first
    team, _ = prepare(real, addresses, layers, thread, threads)
    run, _ = prepare(real, addresses, layers, 0, 1)  # all columns are this thread's
    losses, flatten = at(addresses[11], np.float64), _flatten_row(run)
    starts, rates = at(addresses[14], np.int64), at(addresses[12], np.float64)
    if thread:
        _copy_weights(run)  # nobody writes them before all have met
    while step < last:
        n, chosen = starts[step + 1] - starts[step], shift(order, starts[step])
        here = begin_step(run, step, rates, weight_of_batch(sample_weights(addresses), chosen, n))
        if not _train_batch(here, team, addresses, flatten, chosen, n) or not meet(team):
            break
        loss = _mean_loss(here, flatten, n) + penalty(here, flatten)
        if thread == 0:
            losses[step] = loss
        if loss - loss != 0:  # NaN or infinite
            break
        _show_rows(here, flatten, 0)
        here = clip(here, flatten, n)
        update_all(here, step_at(here, choices[Choice.STEPS_BEFORE] + step + 1), n)
        step += 1
    floating_mode(before)
    return step


@jit
def forward_images(real, addresses, layers, thread, first, last):
    """See forward_samples."""
    before = flush_denormals()
    run, _ = prepare(real, addresses, layers, 0, 1)
    chosen = run.samples
    scores, flatten = at(addresses[7], type(real)), _flatten_row(run)
    o, width = outputs_of(run, layers - 1), row_width(run, layers - 1)
    _show_rows(run, flatten, 0)
    for start in range(first, last, SAMPLES):
        n = min(SAMPLES, last - start)
        for r in range(n):
            chosen[r] = start + r
        _gather_block(run, addresses[6], chosen, n)
        _forward_through(run, flatten, 0, layers, n)
        y = y_of(run, layers - 1)
        for r in range(n):
            copy(shift(y, r * width), shift(scores, (start + r) * o), o)
    floating_mode(before)
