"""The steps of an epoch, which the layered loop of fastbp.training specifies, without Python."""

import numpy as np

from fastbp.kernels.numbers import Choice, Column, Kind, Setting

from .active import find_active, keep_active
from .barrier import floating_mode, flush_denormals, meet
from .batch import gather_samples, sort_columns
from .epoch_images import forward_images, train_images
from .jit import engine, inline, jit
from .layout import prepare
from .norms import backward_norm, move_running
from .pointers import addresses_of, at, shift
from .program import (
    begin_step,
    clipped,
    is_norm,
    kind_of,
    meets,
    outputs_of,
    row_width,
    y_of,
)
from .squares import gradient_clip, leave_squares, penalty
from .stages import (
    backward_layer,
    forward_layer,
    loss_of,
    sample_weights,
    step_layer,
    targets_of,
    weight_of_batch,
)
from .steps import step_at, update_layer


@inline
def _find_loss(run, n, chosen, zeros, targets, loss):
    """Forward and loss of one batch; False if it was given up or diverged."""
    for layer in range(run.layers):
        if meets(run, layer) and not meet(run):
            return False
        forward_layer(run, layer, n, zeros)
    if run.settings[Setting.L2] > 0:
        leave_squares(run, 0, n, True)
    if not meet(run):
        return False
    if run.thread == 0:
        loss[0] = loss_of(run, n, chosen, targets) + penalty(run)
    return meet(run) and loss[0] - loss[0] == 0  # else NaN or infinite


@inline
def _train_step(run, step, n, data, chosen, zeros, targets, loss):
    """Forward, loss, backward and update of one batch; False if it was given up or diverged.

    The update of a layer must wait until every thread has read its W for dx, which the next
    meeting shows; until then it is pending. If gradients are clipped by their norm, all updates
    wait until that is known.
    """
    if not _find_loss(run, n, chosen, zeros, targets, loss):
        return False
    move_running(run, n)
    count = find_active(run, n)
    if count < n:
        if not meet(run):  # before dy moves, everybody has looked at it
            return False
        keep_active(run, data, chosen, count, zeros)
        n = count
        if not meet(run):
            return False
    pending, fresh = 0, False  # fresh: whether dy was written since all last met
    lowest, still = run.choices[Choice.LOWEST], run.settings[Setting.CLIP_NORM] > 0
    for layer in range(run.layers - 1, lowest, -1):
        kind = kind_of(run, layer)
        dense, across = kind == Kind.DENSE, kind == Kind.LAYER_NORM
        if (dense or across) and fresh and not meet(run):
            return False
        if not is_norm(kind):
            backward_layer(run, layer, n)
        elif not backward_norm(run, step, layer, n, still):
            return False
        fresh = not across
        if dense and not still:
            if pending:
                update_layer(run, step, pending, n, zeros)
            pending = layer
        elif kind == Kind.LOG_SOFTMAX:
            if not meet(run):
                return False
            fresh = False
    if still:
        leave_squares(run, lowest, n, False)
        if not meet(run):
            return False
    here = clipped(run, gradient_clip(run, lowest) if still else 1.0)
    for layer in range(lowest, run.layers if still else min(lowest + 1, run.layers)):
        step_layer(here, step, layer, n, zeros)
    if pending:
        if not meet(run):
            return False
        update_layer(run, step, pending, n, zeros)
    return True


@engine("the engine")
def _train_steps(real, addresses, layers, thread, first, last):
    """See train_steps; real is a number of the network's dtype."""
    before = flush_denormals()
    choices, order = at(addresses[3], np.int64), at(addresses[10], np.int64)
    run, zeros = prepare(real, addresses, layers, thread, choices[Choice.THREADS])
    starts, rates = at(addresses[14], np.int64), at(addresses[12], np.float64)
    losses, step = at(addresses[11], np.float64), first
    while step < last:
        n, chosen = starts[step + 1] - starts[step], shift(order, starts[step])
        gather_samples(run, addresses[6], chosen, n, starts[last] - starts[step], zeros)
        if run.listed:
            sort_columns(run, n, zeros)
        if not meet(run):  # some may still read what the last step left in y
            break
        weight, loss = weight_of_batch(sample_weights(addresses), chosen, n), shift(losses, step)
        here = begin_step(run, step, rates, weight)
        targets = targets_of(here, addresses)
        number = step_at(here, choices[Choice.STEPS_BEFORE] + step + 1)
        if not _train_step(here, number, n, addresses[6], chosen, zeros, targets, loss):
            break
        for r in range(n):
            run.rows[r] = r
        step += 1
    floating_mode(before)
    return step


@jit
def _forward_samples(real, addresses, layers, thread, first, last):
    """See forward_samples."""
    before = flush_denormals()
    run, zeros = prepare(real, addresses, layers, 0, 1)
    chosen = run.samples
    scores, batch = at(addresses[7], type(real)), run.choices[Choice.BATCH]
    o, width = outputs_of(run, layers - 1), row_width(run, layers - 1)
    y = y_of(run, layers - 1)
    for start in range(first, last, batch):
        n = min(batch, last - start)
        for r in range(n):
            chosen[r] = start + r
        gather_samples(run, addresses[6], chosen, n, n, zeros)
        for layer in range(layers):
            forward_layer(run, layer, n, zeros)
        for r in range(n):
            for j in range(o):
                scores[(start + r) * o + j] = y[r * width + j]
    floating_mode(before)


def train_steps(
    program,
    plan,
    settings,
    choices,
    data,
    labels,
    values,
    weights,
    order,
    starts,
    rates,
    thread,
    first,
    last,
    work,
    losses,
    kept,
    sync,
):
    """run the steps first..last of an epoch as one of its threads; returns the first not done"""
    samples = data, labels, values, weights, order
    arrays = program, plan, settings, choices, work, sync, *samples, losses, rates, kept, starts
    run = train_images if Kind.FLATTEN in program[:, Column.KIND] else _train_steps
    return run(work.dtype.type(0), addresses_of(*arrays), len(program), thread, first, last)


def forward_samples(program, plan, settings, choices, data, thread, first, last, work, scores):
    """write the scores of the samples first..last, alone and without waiting for anybody"""
    arrays = program, plan, settings, choices, work, choices, data, scores
    run = forward_images if Kind.FLATTEN in program[:, Column.KIND] else _forward_samples
    run(work.dtype.type(0), addresses_of(*arrays), len(program), thread, first, last)
