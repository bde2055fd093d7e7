"""How the threads that train one network share its layers' weights; see kernels/program.pxd.

A dense layer split by its outputs needs all of its input and leaves each thread some columns of
its output; one split by its inputs needs just such columns, and its output is exchanged once as
partial sums, after which every thread has all of it. So such layers alternate, and what lies
between them (elementwise) is split too. But a layer with more outputs than inputs has less to copy
than to exchange: it is split by its outputs after another one too, and the threads copy each
other's columns of its input. A small layer costs less than an exchange: every thread computes the
whole of it.

Rows on images are shared by samples, and so is all that follows them: see kernels/program.pxd. Then
no layer is split.
"""

import numpy as np

from .program import DROPOUT, ELEMENTWISE, LINEAR, Program

WHOLE, BY_OUTPUTS, BY_INPUTS = range(3)  # as in kernels/program.pxd

# Multiply-adds of a batch's forward from which sharing a layer pays: the first layer, which has no
# dx, takes one exchange with the layer after it, any other two.
FIRST, LATER = 1 << 17, 1 << 19


def splits(program: Program, batch_size: int) -> list[int]:
    """How each layer of a program is split: a dense one's weights, another one's columns."""
    rows, found = program.rows, list[int]()
    if program.on_images:
        return [WHOLE] * len(rows)
    for layer, (kind, inputs, outputs) in enumerate(rows[:, :3]):
        before = found[-1] if found else WHOLE
        if kind in ELEMENTWISE or kind == DROPOUT:
            found.append(BY_OUTPUTS if before == BY_OUTPUTS else WHOLE)
        elif kind != LINEAR:
            found.append(WHOLE)
        elif before == BY_OUTPUTS:
            widens = outputs > inputs and _next_is_dense(rows[layer + 1 :, 0])
            found.append(BY_OUTPUTS if widens else BY_INPUTS)
        else:
            work, least = batch_size * inputs * outputs, LATER if layer else FIRST
            shared = work >= least and _next_is_dense(rows[layer + 1 :, 0])
            found.append(BY_OUTPUTS if shared else WHOLE)
    return found


def _next_is_dense(kinds: np.ndarray) -> bool:
    """Whether, after elementwise layers, a dense layer comes that can take split columns."""
    others = [kind for kind in kinds if kind not in ELEMENTWISE and kind != DROPOUT]
    return bool(others) and others[0] == LINEAR
