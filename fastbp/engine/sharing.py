"""How the threads that train one network share its layers' weights; see kernels/native/program.pxd.

A dense layer split by its outputs needs all of its input and leaves each thread some columns of
its output; one split by its inputs needs just such columns, and its output is exchanged once as
partial sums, after which every thread has all of it. So such layers alternate, and what lies
between them (elementwise) is split too. But a layer with more outputs than inputs has less to copy
than to exchange: it is split by its outputs after another one too, and the threads copy each
other's columns of its input. A small layer costs less than an exchange: every thread computes the
whole of it.

What a shortcut adds must be split alike: a layer whose output is added to what a FORK put out is
split by its outputs if and only if that was, whatever it costs.

Rows on images are shared by samples, and so is all that follows them: see
kernels/native/program.pxd. Then no layer is split.
"""

from fastbp.kernels.numbers import Column, Kind, Split, is_elementwise

from .program import Program

# Multiply-adds of a batch's forward from which sharing a layer pays: the first layer, which has no
# dx, takes one exchange with the layer after it, any other two.
FIRST, LATER = 1 << 17, 1 << 19


def splits(program: Program, batch_size: int) -> list[int]:
    """How each layer of a program is split: a dense one's weights, another one's columns."""
    if program.on_images:
        return [Split.WHOLE] * len(program.rows)
    found: list[int] = []
    for layer, kind in enumerate(program.kinds):
        if kind == Kind.DENSE:
            found.append(_split(program, batch_size, layer, found))
        elif _goes_with_its_input(kind) and found and found[-1] == Split.BY_OUTPUTS:
            found.append(Split.BY_OUTPUTS)
        else:
            found.append(Split.WHOLE)
    return found


def _split(program: Program, batch_size: int, layer: int, found: list[int]) -> int:
    """How a dense layer is split, behind those that are split like that."""
    row, before = program.rows[layer], found[-1] if found else Split.WHOLE
    inputs, outputs = int(row[Column.INPUTS]), int(row[Column.OUTPUTS])
    work, least = batch_size * inputs * outputs, LATER if layer else FIRST
    behind = _behind(program, layer + 1)
    if behind < len(program.rows) and program.kinds[behind] == Kind.ADD:
        by_outputs = found[program.rows[behind, Column.PARTNER]] == Split.BY_OUTPUTS
    elif before == Split.BY_OUTPUTS:
        by_outputs = outputs > inputs and _takes_split(program, layer + 1)
    else:
        by_outputs = work >= least and _takes_split(program, layer + 1)
    if by_outputs:
        return Split.BY_OUTPUTS
    return Split.BY_INPUTS if before == Split.BY_OUTPUTS else Split.WHOLE


def _goes_with_its_input(kind: int) -> bool:
    """Whether a layer computes each column from the same column."""
    return is_elementwise(kind) or kind in (Kind.DROPOUT, Kind.FORK, Kind.ADD)


def _behind(program: Program, layer: int) -> int:
    """The first row from this one on that is neither elementwise nor part of a shortcut."""
    while layer < len(program.rows):
        kind = program.kinds[layer]
        if kind == Kind.FORK:
            layer = int(program.rows[layer, Column.PARTNER])
        elif kind == Kind.ADD or not _goes_with_its_input(kind):
            break
        layer += 1
    return layer


def _takes_split(program: Program, layer: int) -> bool:
    """Whether the rows from this one on can take split columns: if all up to a dense one can.

    Of a shortcut that are all rows that it leads past, and those behind it.
    """
    while layer < len(program.rows):
        kind = program.kinds[layer]
        if kind == Kind.FORK:
            end = int(program.rows[layer, Column.PARTNER])
            past = program.kinds[layer:end]
            if not all(each == Kind.DENSE or _goes_with_its_input(each) for each in past):
                return False
            layer = end
        elif kind == Kind.ADD or not _goes_with_its_input(kind):
            return bool(kind == Kind.DENSE)
        layer += 1
    return False
