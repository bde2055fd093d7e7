"""Normalization in use, folded into the weights beside it, where nothing is lost by that.

In use BatchNorm, Standardize and Scale are Y = X·f + o, a factor and an offset for each column.
Behind a dense layer or a convolution that is W·f and b·f + o: the products that are summed stay as
large in proportion to their sum, and the error of a score is still a few units in the last place
times √inputs. Before one it is f·W and b + o·W, whose sum X·(f·W) + o·W may cancel: where |o| is
more than MOST_CANCELLED times what the norm makes of its inputs, nothing is folded. Nor is it into
a convolution with padding, whose border would get the offset too, nor where a weight would leave
the range of normal numbers.
"""

from typing import NamedTuple

import numpy as np

from fastbp.kernels.numbers import Column, Kind
from fastbp.layers import Layer

from .program import Program

MOST_CANCELLED = 8  # three bits


class _Weights(NamedTuple):
    """A layer's w and b, in a flat vector."""

    w: np.ndarray
    b: np.ndarray


def folded(program: Program, params: np.ndarray) -> tuple[Program, np.ndarray]:
    """The program and the parameters of the same network without the norms that can be folded."""
    if all(type(layer).as_affine is Layer.as_affine for layer in program.layers):
        return program, params
    with np.errstate(all="ignore"):  # what is not finite is not folded
        return _folded(program, params)


def _folded(program: Program, params: np.ndarray) -> tuple[Program, np.ndarray]:
    affine = {
        position: found
        for position, layer in enumerate(program.layers)
        if (found := layer.as_affine()) is not None
    }
    params = params.copy()
    kept: list[int] = []
    for position, layer in enumerate(program.layers):
        before = kept[-1] if kept else None
        behind = position + 1
        gone = position in affine and (
            (before is not None and _fold_behind(program, before, params, *affine[position]))
            or (
                behind < len(program.layers)
                and _fold_before(program, behind, params, *affine[position], layer.affine_spread())
            )
        )
        if not gone:
            kept.append(position)
    if not kept or len(kept) == len(program.layers):
        return program, params
    layers = tuple(program.layers[position] for position in kept)
    rows, places = program.rows[kept], {position: place for place, position in enumerate(kept)}
    for row in rows:
        row[Column.PARTNER] = places.get(int(row[Column.PARTNER]), 0)  # of a shortcut, which stays
    return Program(rows, program.values[kept], layers, program.dtype), params


def _weights(program: Program, position: int, params: np.ndarray) -> _Weights | None:
    """Views of w and b, of a dense layer or a convolution that has both."""
    shapes = program.layers[position].parameter_shapes()
    if program.kinds[position] not in (Kind.DENSE, Kind.CONV) or [*shapes] != ["w", "b"]:
        return None
    start, found = int(program.rows[position, Column.PARAMS]), []
    for shape in shapes.values():
        end = start + int(np.prod(shape))
        found.append(params[start:end].reshape(shape))
        start = end
    return _Weights(*found)


def _fold_behind(
    program: Program, position: int, params: np.ndarray, factor: np.ndarray, offset: np.ndarray
) -> bool:
    """Let a layer do what a norm behind it does; whether it can."""
    weights = _weights(program, position, params)
    if weights is None or len(factor) != len(weights.b):
        return False
    outputs_first = program.kinds[position] == Kind.CONV
    columns = factor.reshape(-1, 1, 1, 1) if outputs_first else factor
    return _assign(weights, weights.w * columns, weights.b * factor + offset)


def _fold_before(
    program: Program,
    position: int,
    params: np.ndarray,
    factor: np.ndarray,
    offset: np.ndarray,
    spread: np.ndarray | float,
) -> bool:
    """Let a layer do what a norm before it does, whose output is about `spread`; whether it can."""
    weights = _weights(program, position, params)
    if weights is None or (np.abs(offset) > MOST_CANCELLED * spread).any():
        return False
    if program.kinds[position] == Kind.DENSE:
        each = len(weights.w) // len(factor)
        factor, offset = np.repeat(factor, each), np.repeat(offset, each)
        moved = offset @ weights.w.astype(np.float64)
        return _assign(weights, weights.w * factor[:, None], weights.b + moved)
    if len(factor) != weights.w.shape[1] or (_is_padded(program.rows[position]) and offset.any()):
        return False
    moved = np.einsum("ocij,c->o", weights.w.astype(np.float64), offset)
    return _assign(weights, weights.w * factor.reshape(-1, 1, 1), weights.b + moved)


def _is_padded(row: np.ndarray) -> bool:
    """Whether a convolution's windows reach beyond the image."""
    return any(
        (row[Column.OUT_HEIGHT + axis] - 1) * row[Column.STRIDE + axis] + row[Column.KERNEL + axis]
        > row[Column.HEIGHT + axis]
        for axis in range(2)
    )


def _assign(weights: _Weights, w: np.ndarray, b: np.ndarray) -> bool:
    """Take other numbers, if the dtype holds them without loss."""
    info = np.finfo(weights.w.dtype)
    sizes = np.abs(w)
    small = (sizes < info.tiny) & (weights.w != 0)
    if small.any() or not (sizes <= info.max).all() or not (np.abs(b) <= info.max).all():
        return False
    weights.w[...], weights.b[...] = w, b
    return True
