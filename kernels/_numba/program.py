"""The program of a network, as the engine sees it: plain numbers, who owns what, who waits.

The first layer's W lies in panels, PANEL vectors wide: those columns for all inputs, row after row;
the last panel may be narrower. So what inputs are zero can be left out and no two threads write to
neighbouring lines. Every other W lies transposed, a row an output: its dot products run along the
longer side, and dx = dy @ w.T is a sum of rows. b comes after W. A thread's part does not depend on
how many threads there are, so neither do the sums.
"""

import typing

from .dropout import masks_from
from .jit import core
from .pointers import shift
from .tile import PANEL
from .vectors import SAMPLES, lanes_of

# Kinds of a program's rows, and its columns: KERNEL, STRIDE and PADDING are for rows, and the next
# column each for columns.
DENSE, RELU, ELU, TANH, SIGMOID, LOG_SOFTMAX = range(6)
DROPOUT, CONV, MAX_POOL, AVG_POOL, FLATTEN = range(6, 11)
KIND, INPUTS, OUTPUTS, PARAMS = range(4)
CHANNELS, HEIGHT, IMAGE_WIDTH, OUT_CHANNELS, _OUT_HEIGHT, _OUT_IMAGE_WIDTH = range(4, 10)
KERNEL, _STRIDE, PADDING, SEED, MASKS, _COLUMNS = 10, 12, 14, 16, 17, 18
# Columns of a plan's row: where things lie in the workspace, in elements. y and dy are rows of
# WIDTH, outputs rounded up to whole vectors, and fours; the gaps hold zeros and stay so. The native
# engine has more of them. The last three are of programs with images: see there.
_SPLIT, WIDTH, Y, DY, W, _M, _V, INPUT, SUMS, ORIGIN = range(10)
PLAN_COLUMNS = 16
HINGE, CROSS_ENTROPY, NLL, SQUARED_ERROR, _USER_LOSS = range(5)
PLAIN, MOMENTUM, NESTEROV, ADAM, _ADAMW = range(5)
# The integer settings of a run; after them the addresses of functions that users wrote: the loss,
# and then forward and backward of each layer. And the float ones; after them alpha or p of each.
LOSS, THREADS, BATCH, SOURCE, FEATURES, SKIP, X, X_STRIDE, OPTIMIZER, STEPS = range(10)
SEGMENTS, STATES, SKIP_INACTIVE, CODE = range(10, 14)
SCALE, MARGIN, LR, BETA1, BETA2, EPSILON, DECAY, ALPHAS = range(8)
BYTES, FLOATS, _DOUBLES = range(3)  # what the data's elements are


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
    step: int  # of the epoch, and the batch's first row that is computed: dropout's masks want both
    row: int


@core
def during(run, step, row):
    """The same, computing from this row on in this step of the epoch."""
    return Run(*run[:-2], step, row)


@core
def whole(columns, unit):
    return (columns + unit - 1) // unit * unit


@core
def program_of(run, layer, column):
    return run.program[layer * _COLUMNS + column]


@core
def plan_of(run, layer, column):
    return run.plan[layer * PLAN_COLUMNS + column]


@core
def place_of(run, layer, column):
    return shift(run.work, plan_of(run, layer, column))


@core
def values_of(run, layer):
    """A layer's own real numbers."""
    return shift(run.settings, ALPHAS + layer)


@core
def code_of(run, layer):
    """Where an activation that a user wrote starts, forward and backward."""
    return shift(run.choices, CODE + 1 + 2 * layer)


@core
def masks_of(run, layer):
    """A dropout layer's masks of this step."""
    seed, step = program_of(run, layer, SEED), program_of(run, layer, MASKS) + run.step
    return masks_from(values_of(run, layer)[0], seed, step, run.work[0])


@core
def owned(run, layer):
    """Return the output columns of a layer that this thread computes, as (first, last)."""
    while layer > 0 and program_of(run, layer, KIND) not in (DENSE, LOG_SOFTMAX, FLATTEN):
        layer -= 1  # an elementwise layer's columns belong to whoever computed its input
    outputs = program_of(run, layer, OUTPUTS)
    if program_of(run, layer, KIND) != DENSE:
        return 0, outputs if run.thread == 0 else 0
    lanes = lanes_of(run.work[0])
    unit = max(lanes, 4) if layer else lanes * PANEL  # _dots computes fours
    units = (outputs + unit - 1) // unit
    first, last = units * run.thread // run.threads, units * (run.thread + 1) // run.threads
    return min(first * unit, outputs), min(last * unit, outputs)


@core
def meets(run, layer):
    """Whether layer reads all of its input, which other threads may have written."""
    return layer > 0 and program_of(run, layer, KIND) in (DENSE, LOG_SOFTMAX)


@core
def input_of(run, layer):
    """Return what a layer reads, and how far apart its samples are."""
    if layer == 0:
        return run.x, run.choices[FEATURES]
    return place_of(run, layer - 1, Y), plan_of(run, layer - 1, WIDTH)


@core
def to_memory(run, layer):
    """How far behind a layer's W lies what the optimiser remembers of it."""
    w = plan_of(run, layer, W)
    return plan_of(run, layer, _M) - w, plan_of(run, layer, _V) - w


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
    top: int
    left: int


@core
def windows_of(run, layer):
    at = shift(run.program, layer * _COLUMNS + CHANNELS)
    return _Windows(
        at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11]
    )


@core
def weights_of(run, layer):
    """How many parameters a convolution has."""
    s = windows_of(run, layer)
    return s.o * (s.c * s.kh * s.kw + 1)


@core
def partial_gradient(run, layer, segment):
    """Where a segment's sums of a convolution's dw and db lie, of the step at hand."""
    number = run.step % 2 * run.choices[SEGMENTS] + segment
    return shift(place_of(run, layer, SUMS), number * whole(weights_of(run, layer), SAMPLES))
