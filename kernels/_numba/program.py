"""The program of a network, as the engine sees it: plain numbers, who owns what, who waits.

The first layer's W lies in panels, PANEL vectors wide: those columns for all inputs, row after row;
the last panel may be narrower. So what inputs are zero can be left out and no two threads write to
neighbouring lines. Every other W lies transposed, a row an output: its dot products run along the
longer side, and dx = dy @ w.T is a sum of rows. b comes after W. A thread's part does not depend on
how many threads there are, so neither do the sums.
"""

import typing

from fastbp.kernels.numbers import (
    Choice,
    Column,
    Kind,
    OptimizerKind,
    PlanColumn,
    Setting,
    Value,
)

from .dropout import masks_from
from .jit import core
from .pointers import shift
from .tile import PANEL
from .vectors import SAMPLES, lanes_of


class Run(typing.NamedTuple):
    """Everything a thread needs to know. All but the numbers are pointers."""

    program: typing.Any
    plan: typing.Any
    layers: int
    settings: typing.Any
    choices: typing.Any
    work: typing.Any
    thread: int
    threads: int
    sync: typing.Any
    x: typing.Any  # the batch: this thread's own part of the workspace
    scratch: typing.Any
    listed: bool  # whether the batch's zeros are left out
    rows: typing.Any  # the numbers in the batch of the rows that are computed, and of their samples
    samples: typing.Any
    l2: float  # of the step's penalty
    clip: float  # what the step's gradients are multiplied by
    lr: float  # of the step
    batch_weight: float  # of the step's batch: the sum of its samples'
    step: int  # of the epoch, and the batch's first row that is computed: dropout's masks want both
    row: int


@core
def begin_step(run, step, rates, batch_weight):
    """The same in this step of the epoch, for a batch of this weight."""
    lr, l2 = run.settings[Setting.LR] * rates[2 * step], rates[2 * step + 1]
    return Run(*run[:-6], l2, 1.0, lr, batch_weight, step, 0)


@core
def clipped(run, clip):
    """The same with its gradients multiplied by clip."""
    return Run(*run[:-5], clip, *run[-4:])


@core
def from_row(run, row):
    """The same, computing from this row of the batch on."""
    return Run(*run[:-1], row)


@core
def whole(columns, unit):
    return (columns + unit - 1) // unit * unit


@core
def row_of(run, layer):
    """A layer's row of the program."""
    return shift(run.program, layer * Column.COLUMNS)


@core
def program_of(run, layer, column):
    return row_of(run, layer)[column]


@core
def plan_of(run, layer, column):
    return run.plan[layer * PlanColumn.PLAN_COLUMNS + column]


@core
def place_of(run, layer, column):
    return shift(run.work, plan_of(run, layer, column))


@core
def kind_of(run, layer):
    return program_of(run, layer, Column.KIND)


@core
def outputs_of(run, layer):
    return program_of(run, layer, Column.OUTPUTS)


@core
def row_width(run, layer):
    """From one row of y or dy to the next."""
    return plan_of(run, layer, PlanColumn.WIDTH)


@core
def y_of(run, layer):
    return place_of(run, layer, PlanColumn.Y)


@core
def dy_of(run, layer):
    return place_of(run, layer, PlanColumn.DY)


@core
def w_of(run, layer):
    return place_of(run, layer, PlanColumn.W)


@core
def partner_of(run, layer):
    """The other end of a shortcut."""
    return program_of(run, layer, Column.PARTNER)


@core
def values_of(run, layer):
    """A layer's own real numbers; behind the last layer's the loss's."""
    return shift(run.settings, Setting.VALUES + layer * Value.VALUE_COLUMNS)


@core
def takes_steps(run, layer):
    """Whether the optimiser moves a layer's parameters."""
    return program_of(run, layer, Column.FROZEN) == 0


@core
def rule_of(run, layer, bias):
    """How the optimiser moves a layer's weights, or its bias: factors of rate and decay."""
    values = values_of(run, layer)
    if bias:
        rate = values[Value.LR_FACTOR] * values[Value.BIAS_LR_FACTOR]
        return rate, values[Value.BIAS_DECAYS]
    return values[Value.LR_FACTOR], values[Value.DECAYS]


@core
def penalty_of(run, layer, bias):
    """The factor of the penalty on a layer's weights, from which other parameters are spared."""
    return 0.0 if bias or is_norm(kind_of(run, layer)) else run.l2


@core
def adds_at_once(run):
    """Whether a step is so plain that nobody looks at the gradient: W takes it up."""
    s, plain = run.settings, run.choices[Choice.OPTIMIZER] == OptimizerKind.PLAIN
    clips = s[Setting.CLIP_VALUE] > 0 or s[Setting.CLIP_NORM] > 0
    return plain and s[Setting.L2] == 0 and not clips


@core
def code_of(run, layer):
    """Where an activation that a user wrote starts, forward and backward."""
    return shift(run.choices, Choice.CODE + 1 + 2 * layer)


@core
def masks_of(run, layer):
    """A dropout layer's masks of this step."""
    row, p = row_of(run, layer), values_of(run, layer)[Value.P]
    return masks_from(p, row[Column.SEED], row[Column.MASKS] + run.step, run.work[0])


@core
def owned(run, layer):
    """Return the output columns of a layer that this thread computes, as (first, last)."""
    while layer > 0 and kind_of(run, layer) not in (Kind.DENSE, Kind.LOG_SOFTMAX, Kind.FLATTEN):
        layer -= 1  # the columns of what is no matrix belong to whoever computed its input
    outputs = outputs_of(run, layer)
    if kind_of(run, layer) != Kind.DENSE:
        return 0, outputs if run.thread == 0 else 0
    lanes = lanes_of(run.work[0])
    unit = max(lanes, 4) if layer else lanes * PANEL  # _dots computes fours
    units = (outputs + unit - 1) // unit
    first, last = units * run.thread // run.threads, units * (run.thread + 1) // run.threads
    return min(first * unit, outputs), min(last * unit, outputs)


@core
def panels_at(run, first, last):
    """How many columns of the first layer's panels from `first` on are computed at once.

    Without what is zero two panels, where this thread has two; else one, or the rest.
    """
    unit, width = lanes_of(run.work[0]) * PANEL, row_width(run, 0)
    pair = run.listed and first + unit < last and first + 2 * unit <= width
    return 2 * unit if pair else min(unit, width - first)


@core
def meets(run, layer):
    """Whether layer reads all of its input, which other threads may have written."""
    return layer > 0 and kind_of(run, layer) in (Kind.DENSE, Kind.LOG_SOFTMAX, Kind.LAYER_NORM)


@core
def input_of(run, layer):
    """Return what a layer reads, and how far apart its samples are."""
    if layer == 0:
        return run.x, run.choices[Choice.FEATURES]
    return y_of(run, layer - 1), row_width(run, layer - 1)


@core
def to_memory(run, layer):
    """How far behind a layer's W lies what the optimiser remembers of it."""
    w = plan_of(run, layer, PlanColumn.W)
    return plan_of(run, layer, PlanColumn.M) - w, plan_of(run, layer, PlanColumn.V) - w


class _Windows(typing.NamedTuple):
    """The sizes of an image row: c, h, w before it, o, i, j behind it, kh, kw of the window."""

    c: int
    h: int
    w: int
    o: int
    i: int
    j: int
    kh: int
    kw: int
    down: int
    right: int
    top: int  # the border above and to the left
    left: int
    high: int  # h and w with all of the border
    wide: int


@core
def windows_of(run, layer):
    """The sizes of an image row."""
    row = row_of(run, layer)
    at = shift(row, Column.CHANNELS)
    sizes = at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11]
    return _Windows(*sizes, padded_size(row, 0), padded_size(row, 1))


@core
def group_of(s, groups):
    """The same of one group's channels and filters, which lie behind those of the group before."""
    return _Windows(s.c // groups, *s[1:3], s.o // groups, *s[4:])


@core
def padded_size(row, axis):
    """Rows or columns of what a convolution reads: up to the end of the image and of windows."""
    windows = (row[Column.OUT_HEIGHT + axis] - 1) * row[Column.STRIDE + axis]
    image = row[Column.HEIGHT + axis] + row[Column.PADDING + axis]
    return max(image, windows + row[Column.KERNEL + axis])


@core
def weights_of(row):
    """The size of a convolution's w and b, which is there, and 0, where it has none."""
    window = row[Column.KERNEL] * row[Column.KERNEL + 1]
    return row[Column.OUT_CHANNELS] * (row[Column.CHANNELS] // row[Column.GROUPS] * window + 1)


@core
def parameters_of(row):
    """How many of those are the network's."""
    return weights_of(row) - (0 if row[Column.BIAS] else row[Column.OUT_CHANNELS])


@core
def is_norm(kind):
    return Kind.COLUMN_SCALE <= kind <= Kind.LAYER_NORM


@core
def vectors_in(row):
    """How many vectors a row computes with: those of a norm without parameters hold 1 and 0."""
    pair = row[Column.KIND] == Kind.BATCH_NORM or row[Column.KIND] == Kind.LAYER_NORM
    return 2 if pair else row[Column.PARAM_VECTORS]


@core
def length_of(row):
    """How many numbers a row's vectors and buffers have where it computes with them.

    Standardize has a number for each column there, even where its layer has one a channel.
    """
    standard = row[Column.KIND] == Kind.STANDARDIZE
    return row[Column.OUTPUTS] if standard else row[Column.VECTOR]


@core
def vectors_size(row):
    """What parameters that are vectors take, each a row of columns."""
    return vectors_in(row) * whole(row[Column.VECTOR], SAMPLES)


@core
def buffers_size(row):
    """What buffers take, likewise."""
    return row[Column.BUFFERS] * whole(length_of(row), SAMPLES)


@core
def partial_gradient(run, layer, segment):
    """Where a segment's sums of a convolution's dw and db lie, of the step at hand."""
    number = run.step % 2 * run.choices[Choice.SEGMENTS] + segment
    size = whole(weights_of(row_of(run, layer)), SAMPLES)
    return shift(place_of(run, layer, PlanColumn.SUMS), number * size)
