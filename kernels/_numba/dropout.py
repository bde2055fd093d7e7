"""Dropout's masks: Philox4x32-10 (Salmon et al. 2011), as in the reference.

Words of 32 bits lie in numbers of 64, whose products hold two of them. The words of four columns
are made at once.
"""

import typing

import llvmlite.ir
import numba.extending
import numpy as np
from numba.core import cgutils

from .jit import core, jit
from .pointers import INT64, pointer, shift
from .vectors import SAMPLES, Vectors, void

_PHILOX_FACTORS, _PHILOX_KEYS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)


@numba.extending.intrinsic
def _drop_rows(typing, masks, row, group, count, x, y):
    """y = x * factor, or 0 where a random word is below the limit: `count` columns of 16 rows.

    Numbers lie (column, row); the first column is 4 * group.
    """

    def generate(context, builder, signature, values):
        masks, row, group, count, x, y = values
        limit, factor, seed, step = cgutils.unpack_tuple(builder, masks)
        v = Vectors(context, builder, signature.args[4], SAMPLES)
        rows = builder.add(v.everywhere(row), _lane_numbers())
        words = _philox(builder, v, seed, step, rows, v.everywhere(group))
        for i, word in enumerate(words):
            with builder.if_then(builder.icmp_signed(">", count, v.number(i))):
                v.store(_kept(builder, v, word, limit, v.load(x, i), factor), y, i)
        return context.get_dummy_value()

    return void(masks, row, group, count, x, y), generate


@numba.extending.intrinsic
def _drop_columns(typing, masks, row, group, count, x, y):
    """The same, but `count` columns, at most 64, of one row."""

    def generate(context, builder, signature, values):
        masks, row, group, count, x, y = values
        limit, factor, seed, step = cgutils.unpack_tuple(builder, masks)
        v = Vectors(context, builder, signature.args[4], SAMPLES)
        groups = builder.add(v.everywhere(group), _lane_numbers())
        words = _interleave(builder, _philox(builder, v, seed, step, v.everywhere(row), groups))
        v = Vectors(context, builder, signature.args[4], 4 * SAMPLES)
        room = cgutils.alloca_once(builder, v.type)
        part = builder.bitcast(room, x.type)
        with builder.if_else(builder.icmp_signed("==", count, v.number(v.lanes))) as (whole, some):
            with whole:
                v.store(_kept(builder, v, words, limit, v.load(x), factor), y)
            with some:
                with cgutils.for_range(builder, count, intp=v.intp) as loop:
                    number = builder.load(v.where(x, loop.index))
                    builder.store(number, v.where(part, loop.index))
                v.store(_kept(builder, v, words, limit, v.load(part), factor), part)
                with cgutils.for_range(builder, count, intp=v.intp) as loop:
                    number = builder.load(v.where(part, loop.index))
                    builder.store(number, v.where(y, loop.index))
        return context.get_dummy_value()

    return void(masks, row, group, count, x, y), generate


def _lane_numbers():
    type_ = llvmlite.ir.VectorType(INT64, SAMPLES)
    return llvmlite.ir.Constant(type_, list(range(SAMPLES)))


def _kept(builder, v, words, limit, x, factor):
    """x * factor, but 0 where a word is below the limit."""
    limit = v.everywhere(builder.trunc(limit, llvmlite.ir.IntType(32)))
    dropped = builder.icmp_unsigned("<", words, limit)
    product = builder.fmul(x, v.everywhere(factor))
    return builder.select(dropped, llvmlite.ir.Constant(v.type, None), product)


def _philox(builder, v, seed, step, row, group):
    """Four vectors of random words: instructions on vectors of 64-bit numbers."""
    low, bits = (v.everywhere(llvmlite.ir.Constant(INT64, n)) for n in (2**32 - 1, 32))
    seed, step = v.everywhere(seed), v.everywhere(step)
    keys = [builder.and_(seed, low), builder.lshr(seed, bits)]
    a, b, c, d = group, row, builder.and_(step, low), builder.lshr(step, bits)
    factors, steps = (
        [v.everywhere(llvmlite.ir.Constant(INT64, n)) for n in numbers]
        for numbers in (_PHILOX_FACTORS, _PHILOX_KEYS)
    )
    for _ in range(10):
        one, two = builder.mul(a, factors[0]), builder.mul(c, factors[1])
        a = builder.xor(builder.xor(builder.lshr(two, bits), keys[0]), b)
        c = builder.xor(builder.xor(builder.lshr(one, bits), keys[1]), d)
        b, d = builder.and_(two, low), builder.and_(one, low)
        keys = [builder.and_(builder.add(k, s), low) for k, s in zip(keys, steps, strict=True)]
    short = llvmlite.ir.VectorType(llvmlite.ir.IntType(32), SAMPLES)
    return [builder.trunc(word, short) for word in (a, b, c, d)]


def _interleave(builder, words):
    """The four words of each lane, one after the other, in one vector."""

    def shuffle(a, b, lanes):
        mask = llvmlite.ir.VectorType(llvmlite.ir.IntType(32), len(lanes))
        return builder.shuffle_vector(a, b, llvmlite.ir.Constant(mask, lanes))

    halves = [shuffle(a, b, list(range(2 * SAMPLES))) for a, b in (words[:2], words[2:])]
    return shuffle(*halves, [w * SAMPLES + lane for lane in range(SAMPLES) for w in range(4)])


class Masks(typing.NamedTuple):
    """Those of one step."""

    limit: int  # below which words numbers are dropped
    factor: typing.Any  # of the others
    seed: int
    step: int


@core
def masks_from(p, seed, step, real):
    """For numbers like `real`."""
    return Masks(np.int64(p * 4294967296.0), type(real)(1 / (1 - p)), seed, step)


@core
def drop_row(masks, row, first, x, y, n):
    """n elements of one row, from column `first` on, which is a multiple of 4."""
    for j in range(0, n, 64):
        count, group = min(n - j, 64), (first + j) // 4
        _drop_columns(masks, row, group, count, shift(x, j), shift(y, j))


@core
def drop_block(masks, row, x, y, n):
    """n columns of the SAMPLES rows from `row` on, which lie (column, row)."""
    for column in range(0, n, 4):
        at = column * SAMPLES
        _drop_rows(masks, row, column // 4, n - column, shift(x, at), shift(y, at))


@jit
def dropout(x, p, seed, step, y):
    """y = x / (1 - p), but 0 with probability p; by Philox of seed, step, row and column"""
    masks = masks_from(p, seed, step, y.dtype.type(0))
    for r in range(x.shape[0]):
        drop_row(masks, r, 0, pointer(x[r]), pointer(y[r]), x.shape[1])
