"""How a batch gets from the data into the engine: gathered, scaled, and without what is zero."""

import typing

import numpy as np

from fastbp.kernels.numbers import Choice, Setting, Source

from .jit import core, jit
from .pointers import at, eight_bytes, fetch, shift
from .tile import PANEL_ROWS
from .vectors import bits, lanes_of


@jit
def gather(data, rows, scale, x):
    """x = data[rows] * scale"""
    factor = x.dtype.type(scale)
    for r in range(rows.shape[0]):
        for j in range(data.shape[1]):
            x[r, j] = data[rows[r], j] * factor


GROUP = 64  # samples whose zeros one word's bits tell
AHEAD = 8  # samples that memory takes less long to bring than to gather these


class Zeros(typing.NamedTuple):
    """Where the batch's non-zeros are: pointers into this thread's own part of the workspace.

    A sample's non-zero columns come in blocks of _BLOCK; bounds (n, blocks + 1) says where in
    index each begins. For every group of _GROUP samples, samples[k] has a bit for each in which
    column k is not zero, and columns lists those with any, those with few samples first, so that
    the loops over them are of one length for long and the processor foresees their ends.
    """

    samples: typing.Any
    columns: typing.Any
    used: typing.Any
    groups: int
    bounds: typing.Any
    index: typing.Any


@core
def groups_of(batch):
    """How many groups of samples a batch has."""
    return (batch + GROUP - 1) // GROUP


@core
def _fetch_row(data, chosen, r, ahead, features):
    """Let the processor bring the sample near that comes AHEAD after this one, if there is one."""
    if r + AHEAD < ahead:
        row = shift(data, chosen[r + AHEAD] * features)
        for k in range(0, features, lanes_of(data[0])):
            fetch(row, k)


@core
def _gather(run, data, chosen, n, ahead):
    """A batch of the data: x = data[chosen] * scale."""
    features, scale = run.choices[Choice.FEATURES], type(run.x[0])(run.settings[Setting.SCALE])
    for r in range(n):
        row, x = shift(data, chosen[r] * features), shift(run.x, r * features)
        _fetch_row(data, chosen, r, ahead, features)
        for k in range(features):
            x[k] = type(scale)(row[k]) * scale


@core
def _gather_listed(run, data, chosen, n, ahead, zeros):
    """The same, but x has only what is not zero, and `zeros` says where that is."""
    features, scale = run.choices[Choice.FEATURES], type(run.x[0])(run.settings[Setting.SCALE])
    samples, index, bounds, count, at = zeros.samples, zeros.index, zeros.bounds, 0, 0
    for i in range(groups_of(n) * features):
        samples[i] = 0
    for r in range(n):
        row, x = shift(data, chosen[r] * features), shift(run.x, r * features)
        has, k = shift(samples, r // GROUP * features), 0
        _fetch_row(data, chosen, r, ahead, features)
        while k < features:
            bounds[at] = count
            at += 1
            end = min(k + PANEL_ROWS, features)
            while k < end:
                stop = min(k + 8, end)
                if stop < k + 8 or eight_bytes(row, k) != 0:  # most pixels are 0, and lie together
                    for each in range(k, stop):  # without a branch, which nobody could foresee
                        there = np.int64(row[each] != 0)
                        index[count] = each
                        x[each] = type(scale)(row[each]) * scale
                        has[each] |= there << (r % GROUP)
                        count += there
                k = stop
        bounds[at] = count
        at += 1


@core
def sort_columns(run, n, zeros):
    """For each group of samples, list the columns with any non-zero, those with few first."""
    features = run.choices[Choice.FEATURES]
    for group in range(groups_of(n)):
        samples = shift(zeros.samples, group * features)
        columns, starts = shift(zeros.columns, group * features), shift(zeros.used, zeros.groups)
        for count in range(GROUP + 2):
            starts[count] = 0
        for k in range(features):
            starts[bits(samples[k]) + 1] += 1
        zeros.used[group] = features - starts[1]
        starts[1] = 0
        for count in range(1, GROUP + 1):
            starts[count + 1] += starts[count]
        for k in range(features):
            count = bits(samples[k])
            if count:
                columns[starts[count]] = k
                starts[count] += 1


@core
def gather_samples(run, data, chosen, n, ahead, zeros):
    """Gather a batch of whatever the data's elements are.

    chosen has `ahead` samples, of which all behind the batch are of batches to come.
    """
    source = run.choices[Choice.SOURCE]
    if source == Source.BYTES:
        _gather_rows(run, at(data, np.uint8), chosen, n, ahead, zeros)
    elif source == Source.FLOATS:
        _gather_rows(run, at(data, np.float32), chosen, n, ahead, zeros)
    else:
        _gather_rows(run, at(data, np.float64), chosen, n, ahead, zeros)


@core
def _gather_rows(run, data, chosen, n, ahead, zeros):
    if run.listed:
        _gather_listed(run, data, chosen, n, ahead, zeros)
    else:
        _gather(run, data, chosen, n, ahead)
