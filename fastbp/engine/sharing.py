"""How the threads that train one network share its layers' weights; see kernels/native/program.pxd.

A dense layer split by its outputs needs all of its input and leaves each thread some columns of
its output; one split by its inputs needs just such columns, and its output is exchanged once as
partial sums, after which every thread has all of it. So such layers alternate, and what lies
between them (elementwise) is split too. But a layer with more outputs than inputs has less to copy
than to exchange: it is split by its outputs after another one too, and the threads copy each
other's columns of its input. A small layer costs less than an exchange: every thread computes the
whole of it.

Rows on images are shared by samples, and so is all that follows them: see
kernels/native/program.pxd. Then no layer is split.
"""

import numpy as np

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
    for layer, row in enumerate(program.rows):
        kind, before = row[Column.KIND], found[-1] if found else Split.WHOLE
        if kind == Kind.DENSE:
            found.append(_split(program, batch_size, layer, before))
        elif _goes_with_its_input(kind) and before == Split.BY_OUTPUTS:
            found.append(Split.BY_OUTPUTS)
        else:
            found.append(Split.WHOLE)
    return found


def _split(program: Program, batch_size: int, layer: int, before: int) -> int:
    """How a dense layer is split, behind one that is split like that."""
    row = program.rows[layer]
    inputs, outputs = int(row[Column.INPUTS]), int(row[Column.OUTPUTS])
    followed = _next_is_dense(program.kinds[layer + 1 :])
    if before == Split.BY_OUTPUTS:
        return Split.BY_OUTPUTS if outputs > inputs and followed else Split.BY_INPUTS
    work, least = batch_size * inputs * outputs, LATER if layer else FIRST
    return Split.BY_OUTPUTS if work >= least and followed else Split.WHOLE


def _goes_with_its_input(kind: int) -> bool:
    """Whether a layer computes each column from the same column."""
    return is_elementwise(kind) or kind == Kind.DROPOUT


def _next_is_dense(kinds: np.ndarray) -> bool:
    """Whether, after elementwise layers, a dense layer comes that can take split columns."""
    others = [kind for kind in kinds if not _goes_with_its_input(kind)]
    return bool(others) and others[0] == Kind.DENSE
