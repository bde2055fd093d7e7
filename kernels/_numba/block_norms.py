"""BatchNorm in a program with rows on images, whose blocks threads take through the network.

It needs all of the batch at once. So each block leaves its parts of what is summed over the batch,
threads meet, and each of them makes the same whole of all parts, in their order: of mean and
variance on the way forward, and of dw and db on the way back. Where the parts lie all threads see
them; the whole is each one's own. There is no mathematics here, only calls.

In use mean and variance are the running ones: then it is a row as others, but that dw and db are
wholes of parts too, in the end.
"""

from fastbp.kernels.numbers import Choice, Column, Kind, PlanColumn, Value

from . import normalization, normalization_blocks
from .barrier import meet
from .jit import core
from .norms import eps_of
from .pointers import shift
from .program import (
    dy_of,
    input_of,
    kind_of,
    place_of,
    program_of,
    row_of,
    row_width,
    takes_steps,
    values_of,
    w_of,
    whole,
    y_of,
)
from .steps import optimize
from .vectors import SAMPLES

_MEAN, _DEVIATION, _DW, _DB = range(4)  # of the parts squared ones' sum, of the whole the variance


@core
def _vector_width(run, layer):
    """From one of its vectors to the next."""
    return whole(program_of(run, layer, Column.VECTOR), SAMPLES)


@core
def blocks_in(samples):
    """How many blocks so many samples take."""
    return (samples + SAMPLES - 1) // SAMPLES


@core
def _part_of(run, layer, which, block):
    """What a block leaves: a number for each channel or column."""
    number = which * blocks_in(run.choices[Choice.BATCH]) + block
    return shift(place_of(run, layer, PlanColumn.PARTS), number * _vector_width(run, layer))


@core
def _whole_of(run, layer, which):
    """What all of them make; in use, of mean and variance the running ones."""
    place = place_of(run, layer, PlanColumn.STATISTICS)
    if which <= _DEVIATION and not run.choices[Choice.TRAINING]:
        place = place_of(run, layer, PlanColumn.BUFFER)
    return shift(place, which * _vector_width(run, layer))


@core
def _sizes_of(run, layer):
    """Channels or columns, pixels of each, and whether the row is on images."""
    row = row_of(run, layer)
    channels = row[Column.VECTOR]
    return channels, row[Column.OUTPUTS] // channels, row[Column.CHANNELS] != 0


@core
def _image_input(run, layer):
    return place_of(run, layer, PlanColumn.INPUT)


@core
def leave_statistics(run, layer, n):
    """A block's mean of what comes into the row, and its squared deviations."""
    (channels, pixels, images), block = _sizes_of(run, layer), run.row // SAMPLES
    mean, square = _part_of(run, layer, _MEAN, block), _part_of(run, layer, _DEVIATION, block)
    if images:
        x = _image_input(run, layer)
        normalization_blocks.block_statistics(n, channels, pixels, x, mean, square)
        return
    x, x_row = input_of(run, layer)
    normalization.statistics(n, channels, x, x_row, mean, square)
    for j in range(channels):
        square[j] *= type(x[0])(n)


@core
def combine_statistics(run, layer, batch):
    """The batch's mean and variance."""
    (channels, pixels, _), blocks = _sizes_of(run, layer), blocks_in(batch)
    apart, real = _vector_width(run, layer), type(run.work[0])
    mean, var = _whole_of(run, layer, _MEAN), _whole_of(run, layer, _DEVIATION)
    means, squares = _part_of(run, layer, _MEAN, 0), _part_of(run, layer, _DEVIATION, 0)
    each, last = SAMPLES * pixels, (batch - (blocks - 1) * SAMPLES) * pixels
    for c in range(channels):
        means_c, squares_c = shift(means, c), shift(squares, c)
        m, s = normalization_blocks.combine(blocks, means_c, squares_c, apart, each, last)
        mean[c], var[c] = real(m), real(s) / real(batch * pixels)


@core
def normalize(run, layer, n):
    """What the row puts out for a block: in training by the batch's statistics."""
    (channels, pixels, images), apart = _sizes_of(run, layer), _vector_width(run, layer)
    w, mean, eps = w_of(run, layer), _whole_of(run, layer, _MEAN), eps_of(run, layer)
    b, y, var = shift(w, apart), y_of(run, layer), shift(mean, apart)
    if images:
        x = _image_input(run, layer)
        normalization_blocks.block_norm(channels, pixels, x, mean, var, w, b, eps, y)
    else:
        x, x_row = input_of(run, layer)
        y_row = row_width(run, layer)
        normalization.batch_norm(n, channels, x, x_row, mean, var, w, b, eps, y, y_row)


@core
def leave_gradient(run, layer, n):
    """A block's part of dw and db."""
    (channels, pixels, images), block = _sizes_of(run, layer), run.row // SAMPLES
    mean, var = _whole_of(run, layer, _MEAN), _whole_of(run, layer, _DEVIATION)
    dw, db = _part_of(run, layer, _DW, block), _part_of(run, layer, _DB, block)
    dy, eps = dy_of(run, layer), eps_of(run, layer)
    if images:
        x = _image_input(run, layer)
        normalization_blocks.block_norm_gradient(n, channels, pixels, x, dy, mean, var, eps, dw, db)
    else:
        (x, x_row), dy_row = input_of(run, layer), row_width(run, layer)
        normalization.batch_norm_gradient(n, channels, x, x_row, dy, dy_row, mean, var, eps, dw, db)


@core
def combine_gradients(run, layer, batch):
    """The batch's dw and db."""
    channels, _, _ = _sizes_of(run, layer)
    for which in range(_DW, _DB + 1):
        total = _whole_of(run, layer, which)
        for c in range(channels):
            total[c] = 0
        for block in range(blocks_in(batch)):
            part = _part_of(run, layer, which, block)
            for c in range(channels):
                total[c] += part[c]


@core
def combine_gradients_in_use(run, team, batch):
    """The same of all rows, once all threads have left their parts; False if one gave up."""
    met = False
    for layer in range(run.layers):
        if kind_of(run, layer) == Kind.BATCH_NORM:
            if not met and not meet(team):
                return False
            met = True
            combine_gradients(run, layer, batch)
    return True


@core
def _pass_back_in_use(run, layer, n):
    channels, pixels, images = _sizes_of(run, layer)
    var, w, eps = _whole_of(run, layer, _DEVIATION), w_of(run, layer), eps_of(run, layer)
    dy, dx = dy_of(run, layer), dy_of(run, layer - 1)
    if images:
        normalization_blocks.block_norm_input_in_use(channels, pixels, dy, var, w, eps, dx)
    else:
        dy_row, dx_row = row_width(run, layer), row_width(run, layer - 1)
        normalization.batch_norm_input_in_use(n, channels, dy, dy_row, var, w, eps, dx, dx_row)


@core
def pass_back(run, layer, n, batch):
    """From a block's dy the dy of the row before."""
    if not run.choices[Choice.TRAINING]:
        _pass_back_in_use(run, layer, n)
        return
    channels, pixels, images = _sizes_of(run, layer)
    mean, var = _whole_of(run, layer, _MEAN), _whole_of(run, layer, _DEVIATION)
    dw, db = _whole_of(run, layer, _DW), _whole_of(run, layer, _DB)
    dy, dx, w, eps = dy_of(run, layer), dy_of(run, layer - 1), w_of(run, layer), eps_of(run, layer)
    if images:
        x = _image_input(run, layer)
        normalization_blocks.block_norm_input(
            n, channels, pixels, x, dy, mean, var, w, dw, db, eps, batch * pixels, dx
        )
    else:
        (x, x_row), dy_row = input_of(run, layer), row_width(run, layer)
        normalization.batch_norm_input(
            n, channels, x, x_row, dy, dy_row, mean, var, w, dw, db, eps, batch, dx, x_row
        )


@core
def gradient_whole(run, layer, vector):
    """That of w (0) or b (1)."""
    return _whole_of(run, layer, _DW + vector)


@core
def finish(run, step, layer, batch):
    """The step of w and b, and of the running averages, in this thread's copy of them."""
    (channels, pixels, _), apart = _sizes_of(run, layer), _vector_width(run, layer)
    w, row = w_of(run, layer), row_of(run, layer)
    for vector in range(row[Column.PARAM_VECTORS] if takes_steps(run, layer) else 0):
        g = gradient_whole(run, layer, vector)
        optimize(run, step, layer, vector > 0, g, shift(w, vector * apart), channels)
    if not run.choices[Choice.TRAINING]:
        return
    share, running = values_of(run, layer)[Value.SHARE], place_of(run, layer, PlanColumn.BUFFER)
    if share < 0:
        share = 1.0 / (row[Column.BATCHES] + run.step + 1)
    mean, var = _whole_of(run, layer, _MEAN), _whole_of(run, layer, _DEVIATION)
    factor = normalization.unbiased(batch * pixels)
    normalization.average(mean, share, 1.0, running, channels)
    normalization.average(var, share, factor, shift(running, apart), channels)
