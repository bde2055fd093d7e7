"""How the threads that train one network share its layers' weights; see kernels/native/program.pxd.

A dense layer split by its outputs needs all of its input and leaves each thread some columns of
its output; one split by its inputs needs just such columns, and its output is exchanged once as
partial sums, after which every thread has all of it. So such layers alternate, and what lies
between them (elementwise, BatchNorm) is split too. But a layer with more outputs than inputs has
less to copy than to exchange: it is split by its outputs after another one too, and the threads
copy each other's columns of its input. A small layer costs less than an exchange: every thread
computes the whole of it. LayerNorm needs all columns of its input, which the threads copy from each
other, and then every thread computes the whole of it.

What a shortcut adds must be split alike: a layer whose output is added to what a FORK put out is
split by its outputs if and only if that was, whatever it costs. So a FORK is split only where the
layers that it leads past are worth it; else the threads copy each other's columns of its input.

Rows on images are shared by samples, and so is all that follows them: see
kernels/native/program.pxd. Then no layer is split. Nor is one of a large batch, whose samples are
shared instead: see kernels/native/samples.pxd.
"""

import numpy as np

from fastbp.kernels.numbers import Column, Kind, Split, is_elementwise

from .program import Program

# Multiply-adds of a batch's forward from which sharing a layer pays: the first layer, which has no
# dx, takes one exchange with the layer after it, any other two.
FIRST, LATER = 1 << 17, 1 << 19
# Samples, and multiply-adds of their forward, from which sharing them pays.
LEAST_SAMPLES, LEAST_WORK = 64, 1 << 17
SAMPLES_A_SEGMENT, LEAST_SEGMENTS, MOST_SEGMENTS = 64, 2, 8  # that have a gradient of their own
MOST_SUMS = 1 << 23  # bytes of their gradients
FEWEST = 256, 64  # bytes of columns that a thread takes, of the first dense layer and of others
# Layers that compute each column from the same column.
BY_COLUMNS = frozenset(filter(is_elementwise, Kind)) | {
    Kind.DROPOUT,
    Kind.COLUMN_SCALE,
    Kind.STANDARDIZE,
    Kind.BATCH_NORM,
    Kind.FORK,
    Kind.ADD,
}


def splits(program: Program, batch_size: int) -> list[int]:
    """How each layer of a program is split: a dense one's weights, another one's columns."""
    if program.on_images:
        return [Split.WHOLE] * len(program.rows)
    found: list[int] = []
    for layer, kind in enumerate(program.kinds.tolist()):
        before = found[-1] if found else Split.WHOLE
        if kind == Kind.DENSE:
            found.append(_split(program, batch_size, layer, found))
        elif (
            before == Split.BY_OUTPUTS
            and kind in BY_COLUMNS
            and (kind != Kind.FORK or _shares(program, batch_size, layer, found))
        ):
            found.append(Split.BY_OUTPUTS)
        else:
            found.append(Split.WHOLE)
    return found


def by_samples(program: Program, batch_size: int) -> int | None:
    """How many segments a batch has that threads share by its samples; None if they do not.

    BatchNorm's rows must meet in the middle.
    """
    if batch_size < LEAST_SAMPLES or program.on_images or Kind.BATCH_NORM in program.kinds:
        return None
    dense = program.rows[program.kinds == Kind.DENSE]
    if sum(_work(row, batch_size) for row in dense) < LEAST_WORK:
        return None
    segments = 1 << min(batch_size // SAMPLES_A_SEGMENT, MOST_SEGMENTS).bit_length() - 1
    segments = max(segments, LEAST_SEGMENTS)
    weights = int(((dense[:, Column.INPUTS] + 1) * dense[:, Column.OUTPUTS]).sum())
    return segments if segments * weights * program.dtype.itemsize <= MOST_SUMS else None


def has_parts(program: Program, layers: list[int]) -> bool:
    """Whether there is work for a second thread, the layers being split like that.

    Columns are shared by panels or vectors: of a narrow layer one thread would have them all.
    """
    if program.on_images or Split.BY_SAMPLES in layers:
        return True
    outputs = program.rows[program.kinds == Kind.DENSE, Column.OUTPUTS] * program.dtype.itemsize
    return any(layers) and (has_columns(program) or bool((outputs[1:] > FEWEST[1]).any()))


def has_columns(program: Program) -> bool:
    """Whether the first dense layer has columns for a second thread."""
    first = program.rows[program.kinds == Kind.DENSE][:1, Column.OUTPUTS]
    return bool((first * program.dtype.itemsize > FEWEST[0]).any())


def _split(program: Program, batch_size: int, layer: int, found: list[int]) -> int:
    """How a dense layer is split, behind those that are split like that."""
    row, before = program.rows[layer], found[-1] if found else Split.WHOLE
    by_outputs = _wanted(program, layer + 1, found)
    if by_outputs is None and before == Split.BY_OUTPUTS:
        widens = bool(row[Column.OUTPUTS] > row[Column.INPUTS])
        by_outputs = widens and _takes_split(program, layer + 1)
    elif by_outputs is None:
        least = LATER if layer else FIRST
        by_outputs = _work(row, batch_size) >= least and _takes_split(program, layer + 1)
    if by_outputs:
        return Split.BY_OUTPUTS
    return Split.BY_INPUTS if before == Split.BY_OUTPUTS else Split.WHOLE


def _shares(program: Program, batch_size: int, fork: int, found: list[int]) -> bool:
    """Whether a shortcut whose input is split is split itself, with all that it leads past."""
    end = int(program.rows[fork, Column.PARTNER])
    wanted = _wanted(program, end + 1, found)
    if wanted is not None:
        return wanted
    past = program.rows[fork:end]
    dense = past[past[:, Column.KIND] == Kind.DENSE]
    return (
        all(kind == Kind.DENSE or kind in BY_COLUMNS for kind in past[:, Column.KIND])
        and sum(_work(row, batch_size) for row in dense) >= LATER * len(dense)
        and _takes_split(program, end + 1)
    )


def _work(row: np.ndarray, batch_size: int) -> int:
    """Multiply-adds of a dense layer's forward."""
    return batch_size * int(row[Column.INPUTS]) * int(row[Column.OUTPUTS])


def _wanted(program: Program, layer: int, found: list[int]) -> bool | None:
    """Whether the ADD that is next from this row on, past whole shortcuts, takes split columns.

    None if no ADD comes, but a row that is neither elementwise nor part of a shortcut.
    """
    kinds = program.kinds.tolist()
    while layer < len(kinds) and kinds[layer] in BY_COLUMNS:
        partner = int(program.rows[layer, Column.PARTNER])
        if kinds[layer] == Kind.ADD:
            return found[partner] == Split.BY_OUTPUTS
        layer = partner + 1 if kinds[layer] == Kind.FORK else layer + 1
    return None


def _takes_split(program: Program, layer: int) -> bool:
    """Whether, after elementwise layers, one comes that can take split columns."""
    takers = (Kind.DENSE, Kind.FORK, Kind.LAYER_NORM)
    for kind in program.kinds[layer:].tolist():
        if kind in takers or kind not in BY_COLUMNS:
            return kind in takers
    return False
