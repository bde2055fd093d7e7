"""Convolution of SAMPLES images that lie sample by sample, on register tiles.

A column is one (c, h, w), and images lie (column, sample): so whole vectors run over samples,
whatever the sizes of images and windows.
"""

import contextlib

import numba.extending
from numba import types
from numba.core import cgutils

from .jit import core
from .vectors import SAMPLES, VECTOR_BYTES, Vectors, loops, void

TILE = (4, 2, 1) if VECTOR_BYTES == 64 else (2, 1)  # rows and columns of the tiles below


@contextlib.contextmanager
def _if_equal(builder, v, a, b):
    with builder.if_then(builder.icmp_signed("==", a, v.number(b))):
        yield


@numba.extending.intrinsic
def correlate(typing, rows, columns, counts, a, a_strides, b, b_strides, start, c, c_strides):
    """c[i, j] = start[i] + the sum over k, l, m < counts of a[i, k, l, m] * b[j, k, l, m].

    a and start hold numbers, b and c vectors of samples. Sizes of the tile are of _TILE; start may
    be None.
    """

    def emit(context, builder, v, m, n, values):
        _, _, counts, a, (a_row, *a_s), b, (b_column, *b_s), start, c, (c_row, c_column) = values
        starts = [None] * m
        if start is not None:
            starts = [v.spread(v.where(start, v.number(i))) for i in range(m)]
        sums = {(i, j): v.variable(starts[i]) for i in range(m) for j in range(n)}
        with loops(builder, v, counts) as indices:
            at, numbers = (
                v.where(p, *zip(indices, s, strict=True)) for p, s in ((b, b_s), (a, a_s))
            )
            vectors = [v.load(v.where(at, (v.number(j), b_column))) for j in range(n)]
            for i in range(m):
                number = v.spread(v.where(numbers, (v.number(i), a_row)))
                for j in range(n):
                    v.add_product(sums[i, j], number, vectors[j])
        for i, j in sums:
            place = v.where(c, (v.number(i), c_row), (v.number(j), c_column))
            v.store(builder.load(sums[i, j]), place)

    return _tiles(emit, rows, columns, counts, a, a_strides, b, b_strides, start, c, c_strides)


@numba.extending.intrinsic
def add_gradient(typing, rows, columns, counts, a, a_strides, b, b_strides, c, c_row):
    """c[i, j] += the sum over k, l < counts and samples of a[i, k, l] * b[j, k, l].

    a and b hold vectors of samples. Without columns b counts as 1.
    """

    def emit(context, builder, v, m, n, values):
        _, _, counts, a, (a_row, *a_s), b, (b_column, *b_s), c, c_row = values
        sums = {(i, j): v.variable() for i in range(m) for j in range(max(n, 1))}
        with loops(builder, v, counts) as indices:
            at_a, at_b = (
                v.where(p, *zip(indices, s, strict=True)) for p, s in ((a, a_s), (b, b_s))
            )
            for part in range(SAMPLES // v.lanes):
                left = [v.load(v.where(at_a, (v.number(i), a_row)), part) for i in range(m)]
                right = [v.load(v.where(at_b, (v.number(j), b_column)), part) for j in range(n)]
                for i, j in sums:
                    if n:
                        v.add_product(sums[i, j], left[i], right[j])
                    else:
                        total = builder.load(sums[i, j])
                        builder.store(builder.fadd(total, left[i]), sums[i, j])
        totals = v.totals([builder.load(total) for total in sums.values()])
        for (i, j), total in zip(sums, totals, strict=True):
            place = v.where(c, (v.number(i), c_row), v.number(j))
            builder.store(builder.fadd(builder.load(place), total), place)

    return _tiles(
        emit, rows, columns, counts, a, a_strides, b, b_strides, c, c_row, columns_of=(3, 2, 1, 0)
    )


def _tiles(emit, *arguments, columns_of=TILE):
    """An intrinsic that emits a tile for each size, and chooses among them when it runs."""

    def generate(context, builder, signature, values):
        v = Vectors(context, builder, signature.args[3])
        values = [
            cgutils.unpack_tuple(builder, value)
            if isinstance(type_, types.BaseTuple)
            else None
            if type_ == types.none
            else value
            for type_, value in zip(signature.args, values, strict=True)
        ]
        for m in TILE:
            with _if_equal(builder, v, values[0], m):
                for n in columns_of:
                    with _if_equal(builder, v, values[1], n):
                        emit(context, builder, v, m, n, values)
        return context.get_dummy_value()

    return void(*arguments), generate


@core
def tile_of(left, most):
    """The size of the next tile, where so many rows or columns are left."""
    return most if left >= most else 2 if left >= 2 else 1


@core
def windows_met(at, kernel, stride, outputs):
    """Of the windows that meet a row or column: the first one's element, its number, how many.

    The next one is the one before it, whose element is `stride` further on.
    """
    late = max(at // stride - (outputs - 1), 0)
    first, number = at % stride + late * stride, at // stride - late
    return first, number, max(min(number + 1, (kernel - first + stride - 1) // stride), 0)


@core
def alike(at, left, kernel, stride, padding, outputs):
    """How many columns (or rows) from `at` on are met alike, each by the next windows."""
    n = tile_of(left, TILE[0])
    first, number, count = windows_met(at + padding, kernel, stride, outputs)
    while n > 1:
        if (first, number + n - 1, count) == windows_met(
            at + n - 1 + padding, kernel, stride, outputs
        ):
            break
        n //= 2
    return n
