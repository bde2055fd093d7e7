"""The kernels, and an engine that runs whole epochs, as plain loops that Numba compiles.

Everything runs without the GIL and is compiled when first called, for the processor at hand; the
machine code is kept on disk (see _numba_cache.py). All of it stays in this one file, so that what
is kept always fits what it calls. The contract stands in __init__.py; nothing is checked here.

In order: pointers and vectors; exp and tanh; what is computed over elements and rows, and at
random; the kernels; the engine (its numbers, its barrier, its layers, its steps, its rows on
images); and functions that users wrote.
"""

import contextlib
import ctypes
import math
import operator
import os
import types as types_module
import typing

import llvmlite.binding
import llvmlite.ir
import numba
import numba.extending
import numpy as np
from numba import types
from numba.core import cgutils, ir, ir_utils

from fastbp.kernels import _numba_cache, _rebind

CAPABILITIES = frozenset({"engine", "images", "user_code"})

# Never fastmath=True: NaN stays NaN. And no sum may be regrouped but those of _regroup: the
# rounding in exp, and a softmax, depend on the order of their subtractions.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract"}}


def _core(function):
    """Compile a part of kernels, which is kept with what calls it."""
    no_wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # for calls from Python
    dispatcher = numba.njit(function, **_OPTIONS, **no_wrappers)
    template = dispatcher.get_call_template
    # Else Numba compiles it anew for each constant it is called with.
    dispatcher.get_call_template = lambda arguments, keywords: template(
        [types.unliteral(a) for a in arguments], keywords
    )
    return dispatcher


def _inline(function):
    """Compile a part of kernels as if it stood where it is called: once there, else LLVM would
    optimise all that it calls twice.
    """
    return numba.njit(function, inline="always", **_OPTIONS)


def _jit(function):
    """Compile without the GIL; keep the machine code on disk where a folder for it can be found."""
    return _numba_cache.keep(numba.njit(function, **_OPTIONS))


def _regroup(function):
    """The same, but sums may be regrouped, so that a dot product uses vectors."""
    options = _OPTIONS | {"fastmath": {"nsz", "contract", "reassoc"}}
    return _numba_cache.keep(numba.njit(function, **options))


_INT64 = llvmlite.ir.IntType(64)

# Pointers. They have no owner to count, no negative indices, and may be moved.


@numba.extending.intrinsic
def _pointer(typing, array):
    """A pointer to an array's first element."""

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


@numba.extending.intrinsic
def _at(typing, address, dtype):
    """A pointer to numbers of this dtype at an address, or where another pointer points."""

    def generate(context, builder, signature, arguments):
        pointer = context.get_value_type(signature.return_type)
        cast = builder.inttoptr if isinstance(signature.args[0], types.Integer) else builder.bitcast
        return cast(arguments[0], pointer)

    return types.CPointer(dtype.dtype)(address, dtype), generate


@numba.extending.intrinsic
def _shift(typing, pointer, elements):
    """The pointer, so many elements further on."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.intp), generate


@numba.extending.intrinsic
def _eight_bytes(typing, pointer, element):
    """The eight bytes from an element on, as one number; 1 for what are no bytes."""
    if pointer.dtype != types.uint8:
        return types.int64(pointer, types.intp), lambda *_: llvmlite.ir.Constant(_INT64, 1)

    def generate(context, builder, signature, arguments):
        where = builder.gep(arguments[0], [arguments[1]])
        return builder.load(builder.bitcast(where, _INT64.as_pointer()), align=1)

    return types.int64(pointer, types.intp), generate


# Vectors: what keeps a tile of a matrix product in registers. Each intrinsic below is a loop over
# whole vectors, whose sums have one order that LLVM may not change. `rows`, `columns` and
# `vectors` are constants at every call; strides count elements.

_FEATURES = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[2]
_VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32 if "+avx2" in _FEATURES else 16
# Rows and vectors of a tile of _multiply, rows and columns of one of _dots: as many sums as fit
# into the registers beside what they are made of.
_ROWS, _VECTORS, _DOTS = (8, 2, 4) if _VECTOR_BYTES == 64 else (4, 2, 2)
_PANEL = 4  # vectors in a row of a panel
_BLOCK = 128  # rows of a panel that fit into the nearest cache


class _Vectors:
    """Emits instructions on vectors of the real numbers that a pointer points to."""

    def __init__(self, context, builder, pointer, lanes=None):
        self.builder, self.real = builder, context.get_value_type(pointer.dtype)
        self.lanes = lanes or _VECTOR_BYTES * 8 // pointer.dtype.bitwidth
        self.type = llvmlite.ir.VectorType(self.real, self.lanes)
        word = llvmlite.ir.IntType(pointer.dtype.bitwidth)
        self.words = llvmlite.ir.VectorType(word, self.lanes)
        self.intp = context.get_value_type(types.intp)

    def number(self, n):
        return llvmlite.ir.Constant(self.intp, n)

    def where(self, pointer, *offsets):
        """pointer + the sum of the offsets, of which each is elements or (index, stride)."""
        for offset in offsets:
            if isinstance(offset, tuple):
                offset = self.builder.mul(*offset)
            pointer = self.builder.gep(pointer, [offset])
        return pointer

    def load(self, pointer, vector=0, type_=None):
        """The vector-th vector from a pointer on."""
        pointer = self.where(pointer, self.number(vector * self.lanes))
        return self.builder.load(
            self.builder.bitcast(pointer, (type_ or self.type).as_pointer()), align=self._align
        )

    def store(self, value, pointer, vector=0):
        pointer = self.where(pointer, self.number(vector * self.lanes))
        cast = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, cast, align=self._align)

    @property
    def _align(self):
        return 4 if isinstance(self.real, llvmlite.ir.FloatType) else 8

    def spread(self, pointer):
        """The number at a pointer, in every lane."""
        return self.everywhere(self.builder.load(pointer))

    def everywhere(self, number):
        """The number in every lane."""
        type_ = llvmlite.ir.VectorType(number.type, self.lanes)
        first = self.builder.insert_element(
            llvmlite.ir.Constant(type_, llvmlite.ir.Undefined), number, self._lane(0)
        )
        return self._shuffle(first, first, [0] * self.lanes)

    def variable(self, start=None):
        """A place for a vector, which LLVM makes a register."""
        start = llvmlite.ir.Constant(self.type, None) if start is None else start
        return cgutils.alloca_once_value(self.builder, start)

    def add_product(self, variable, a, b):
        """variable += a * b, in one rounding where the processor can."""
        product = self.builder.fmul(a, b, flags=("nsz", "contract"))
        total = self.builder.fadd(self.builder.load(variable), product, flags=("nsz", "contract"))
        self.builder.store(total, variable)

    def sums(self, vectors):
        """The sum of each vector's lanes, in as few vectors as they fit into.

        Two vectors become one that holds half as many terms of each, until all are single.
        """
        terms = self.lanes
        while terms > 1:
            pairs = zip(vectors[::2], vectors[1::2] or vectors, strict=True)
            vectors = [self._halve(a, b if b is not a else None, terms) for a, b in pairs]
            terms //= 2
        return vectors

    def totals(self, vectors):
        """The sum of each vector's lanes, a number each."""
        whole = 1 << (len(vectors) - 1).bit_length()
        padding = [llvmlite.ir.Constant(self.type, None) for _ in range(whole - len(vectors))]
        sums = self.sums(vectors + padding)
        count = sums[0].type.count
        return [
            self.builder.extract_element(sums[i // count], self._lane(i % count))
            for i in range(len(vectors))
        ]

    def _halve(self, a, b, terms):
        """Add the second half of every `terms` lanes to their first, in a and then in b."""
        lanes = a.type.count * (1 if b is None else 2)
        first = [i for i in range(lanes) if i % terms < terms // 2]
        second = [i + terms // 2 for i in first]
        b = a if b is None else b
        return self.builder.fadd(self._shuffle(a, b, first), self._shuffle(a, b, second))

    def part(self, vector, start, count):
        return self._shuffle(vector, vector, range(start, start + count))

    def _shuffle(self, a, b, lanes):
        mask = llvmlite.ir.VectorType(llvmlite.ir.IntType(32), len(lanes))
        return self.builder.shuffle_vector(a, b, llvmlite.ir.Constant(mask, list(lanes)))

    def _lane(self, i):
        return llvmlite.ir.Constant(llvmlite.ir.IntType(32), i)


@numba.extending.intrinsic(prefer_literal=True)
def _multiply(typing, rows, vectors, tile):
    """c[i, :] = start[i, :] + the sum over k < depth of a[i, k] * b[k, :].

    The tile is (depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row).
    """
    if not isinstance(rows, types.Literal):
        return None
    m, width = rows.literal_value, vectors.literal_value

    def generate(context, builder, signature, arguments):
        depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row = cgutils.unpack_tuple(
            builder, arguments[2]
        )
        v = _Vectors(context, builder, signature.args[2][1])
        tile = [(i, j) for i in range(m) for j in range(width)]
        starts = [v.where(start, (v.number(i), start_row)) for i in range(m)]
        sums = {(i, j): v.variable(v.load(starts[i], j)) for i, j in tile}
        with cgutils.for_range(builder, depth, intp=v.intp) as loop:
            b_row = v.where(b, (loop.index, b_depth))
            factors = [v.load(b_row, j) for j in range(width)]
            a_column = v.where(a, (loop.index, a_depth))
            for i in range(m):
                number = v.spread(v.where(a_column, (v.number(i), a_row)))
                for j in range(width):
                    v.add_product(sums[i, j], number, factors[j])
        for i, j in tile:
            v.store(builder.load(sums[i, j]), v.where(c, (v.number(i), c_row)), j)
        return context.get_dummy_value()

    return _void(rows, vectors, tile), generate


@numba.extending.intrinsic(prefer_literal=True)
def _dots(typing, rows, columns, depth, a, a_row, b, b_row, start, c, c_row):
    """c[i, j] = start[j] + the sum over k of a[i, k] * b[j, k], k over `depth` whole vectors."""
    m, n = rows.literal_value, columns.literal_value

    def generate(context, builder, signature, arguments):
        _, _, depth, a, a_row, b, b_row, start, c, c_row = arguments
        v = _Vectors(context, builder, signature.args[3])
        sums = {(i, j): v.variable() for i in range(m) for j in range(n)}
        with cgutils.for_range(builder, depth, intp=v.intp) as loop:
            k = loop.index, v.number(v.lanes)
            rows = [v.load(v.where(a, k, (v.number(i), a_row))) for i in range(m)]
            columns = [v.load(v.where(b, k, (v.number(j), b_row))) for j in range(n)]
            for i, j in sums:
                v.add_product(sums[i, j], rows[i], columns[j])
        results = v.sums([builder.load(total) for total in sums.values()])
        count = results[0].type.count
        width = min(n, count)  # sums of one row, in one vector
        for at in range(0, m * n, width):
            (i, j), part = divmod(at, n), v.part(results[at // count], at % count, width)
            bias = v.load(v.where(start, v.number(j)), type_=part.type)
            c_ij = v.where(c, (v.number(i), c_row), v.number(j))
            v.store(builder.fadd(part, bias), c_ij)
        return context.get_dummy_value()

    return _void(rows, columns, depth, a, a_row, b, b_row, start, c, c_row), generate


@numba.extending.intrinsic(prefer_literal=True)
def _add_listed_rows(typing, vectors, first, last, index, x, w, w_row, start, y):
    """y = start + the sum of x[k] * w[k, :] over k in index[first:last]."""
    width = vectors.literal_value

    def generate(context, builder, signature, arguments):
        _, first, last, index, x, w, w_row, start, y = arguments
        v = _Vectors(context, builder, signature.args[4])
        sums = [v.variable(v.load(start, j)) for j in range(width)]
        with cgutils.for_range_slice(builder, first, last, v.number(1), v.intp) as (entry, _):
            k = builder.zext(builder.load(v.where(index, entry)), v.intp)
            row, number = v.where(w, (k, w_row)), v.spread(v.where(x, k))
            for j in range(width):
                v.add_product(sums[j], number, v.load(row, j))
        for j in range(width):
            v.store(builder.load(sums[j]), y, j)
        return context.get_dummy_value()

    return _void(vectors, first, last, index, x, w, w_row, start, y), generate


@numba.extending.intrinsic(prefer_literal=True)
def _add_samples(typing, vectors, count, samples, x, x_row, step, step_row, w):
    """W += the sum of x[r] * step[r, :] over the `count` samples r whose bit is set."""
    width = vectors.literal_value

    def generate(context, builder, signature, arguments):
        _, count, samples, x, x_row, step, step_row, w = arguments
        v = _Vectors(context, builder, signature.args[3])
        sums = [v.variable(v.load(w, j)) for j in range(width)]
        left = cgutils.alloca_once_value(builder, samples)
        with cgutils.for_range(builder, count, intp=v.intp):
            bits = builder.load(left)
            r = builder.cttz(bits, llvmlite.ir.Constant(llvmlite.ir.IntType(1), 1))
            builder.store(builder.and_(bits, builder.sub(bits, v.number(1))), left)
            row, number = v.where(step, (r, step_row)), v.spread(v.where(x, (r, x_row)))
            for j in range(width):
                v.add_product(sums[j], number, v.load(row, j))
        for j in range(width):
            v.store(builder.load(sums[j]), w, j)
        return context.get_dummy_value()

    return _void(vectors, count, samples, x, x_row, step, step_row, w), generate


@numba.extending.intrinsic
def _bits(typing, number):
    """How many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


def _void(*arguments):
    """An intrinsic's signature without a result: whole numbers as intp, but for constants."""
    return types.void(
        *(
            types.intp if isinstance(a, types.Integer) and not isinstance(a, types.Literal) else a
            for a in arguments
        )
    )


# exp, expm1, tanh and the sigmoid, free of branches, so that LLVM vectorises their loops. With
# n = round(x / ln 2) and r = x - n·ln 2, |r| <= ln 2 / 2:  exp(x) = 2**n · (1 + q), where q =
# expm1(r) is its Taylor series to the last term that still counts (7 in float, 13 in double). The
# error is a few units in the last place; NaN stays NaN; an exp below 2.5e-38 (float) is 0.

_F = np.float32


def _exp_range(x):
    """Return the lowest x whose exp is not taken for 0, and an x whose exp is infinite."""


@numba.extending.overload(_exp_range)
def _overload_exp_range(x):
    if x == types.float32:
        return lambda x: (_F(-86.6), _F(88.8))
    return lambda x: (-707.7, 709.8)


def _exp_parts(x):
    """Return q and 2**(n-1), so that exp(x) = 2 * half * (1 + q), for x within exp's range."""


@numba.extending.overload(_exp_parts, jit_options=_OPTIONS)
def _overload_exp_parts(x):
    def single(x):
        n = (x * _F(1.44269504088896341) + _F(12582912.0)) - _F(12582912.0)
        r = (x - n * _F(0.693359375)) - n * _F(-2.12194440e-4)
        q = r * (_F(1 / 120) + r * (_F(1 / 720) + r * _F(1 / 5040)))
        q = r * (_F(1 / 2) + r * (_F(1 / 6) + r * (_F(1 / 24) + q)))
        return r * (_F(1) + q), _half_power(n)

    def double(x):
        n = (x * 1.44269504088896341 + 6755399441055744.0) - 6755399441055744.0
        r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
        q = r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800)))
        q = r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + q)))
        q = r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + q)))
        q = r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + q)))
        return r * (1 + q), _half_power(n)

    return single if x == types.float32 else double


@numba.extending.intrinsic
def _half_power(typing, n):
    """2**(n-1) from the bits of a whole number n: an add and a shift.

    Adding 1.5 * 2**(bits of the mantissa) leaves n in the lowest bits.
    """
    single = n == types.float32
    bits, shift = (32, 23) if single else (64, 52)
    magic, exponent = (12582912.0, 126) if single else (6755399441055744.0, 1022)

    def generate(context, builder, signature, arguments):
        real, word = context.get_value_type(n), llvmlite.ir.IntType(bits)
        shifted = builder.fadd(arguments[0], llvmlite.ir.Constant(real, magic))
        power = builder.add(builder.bitcast(shifted, word), llvmlite.ir.Constant(word, exponent))
        return builder.bitcast(builder.shl(power, llvmlite.ir.Constant(word, shift)), real)

    return n(n), generate


@_core
def _exp_within(x):
    lowest, highest = _exp_range(x)
    x = lowest if x < lowest else x
    return _exp_parts(highest if x > highest else x)


@_core
def _exp(x):
    q, half = _exp_within(x)
    return type(x)(0) if x < _exp_range(x)[0] else type(x)(2) * (half + half * q)


@_core
def _expm1(x):
    q, half = _exp_within(x)
    return type(x)(2) * ((half - type(x)(0.5)) + half * q)


@_core
def _tanh(x):
    """(1 - t) / (1 + t) with t = exp(-2|x|), by expm1 so that small x keep all their digits."""
    t = _expm1(type(x)(-2) * x if x > 0 else type(x)(2) * x)
    t = -t / (t + type(x)(2))
    return t if x > 0 else -t


@_core
def _sigmoid(x):
    """1 / (1 + exp(-x)), by the exp of a number that is never positive, so nothing overflows."""
    e = _exp(-x if x > 0 else x)
    return (type(x)(1) if x > 0 else e) / (type(x)(1) + e)


# Over n elements in a row; each derivative is taken from the output y.


@_core
def _relu_forward(x, y, n):
    for i in range(n):
        y[i] = type(x[i])(0) if x[i] <= 0 else x[i]  # this way round, NaN stays NaN


@_core
def _relu_backward(y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else type(dy[i])(0)


@_core
def _elu_forward(x, alpha, y, n):
    for i in range(n):
        y[i] = x[i] if x[i] > 0 else alpha * _expm1(x[i])


@_core
def _elu_backward(y, dy, alpha, dx, n):
    for i in range(n):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * (y[i] + alpha)


@_core
def _tanh_forward(x, y, n):
    for i in range(n):
        y[i] = _tanh(x[i])


@_core
def _tanh_backward(y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] * (type(y[i])(1) - y[i] * y[i])


@_core
def _sigmoid_forward(x, y, n):
    for i in range(n):
        y[i] = _sigmoid(x[i])


@_core
def _sigmoid_backward(y, dy, dx, n):
    for i in range(n):
        dx[i] = dy[i] * y[i] * (type(y[i])(1) - y[i])


# Dropout's masks: Philox4x32-10 (Salmon et al. 2011), as in the reference, but words of 32 bits lie
# in numbers of 64, whose products hold two of them. It makes the words of four columns at once.

_PHILOX_FACTORS, _PHILOX_KEYS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
_SAMPLES = 16  # of images that are computed together, and of words


@numba.extending.intrinsic
def _drop_rows(typing, limit, factor, seed, step, row, group, count, x, y):
    """y = x * factor, or 0 where a random word is below the limit: `count` columns of 16 rows.

    Numbers lie (column, row); the first column is 4 * group.
    """

    def generate(context, builder, signature, values):
        limit, factor, seed, step, row, group, count, x, y = values
        v = _Vectors(context, builder, signature.args[7], _SAMPLES)
        rows = builder.add(v.everywhere(row), _lane_numbers())
        words = _philox(builder, v, seed, step, rows, v.everywhere(group))
        for i, word in enumerate(words):
            with builder.if_then(builder.icmp_signed(">", count, v.number(i))):
                v.store(_kept(builder, v, word, limit, v.load(x, i), factor), y, i)
        return context.get_dummy_value()

    return _void(limit, factor, seed, step, row, group, count, x, y), generate


@numba.extending.intrinsic
def _drop_columns(typing, limit, factor, seed, step, row, group, count, x, y):
    """The same, but `count` columns, at most 64, of one row."""

    def generate(context, builder, signature, values):
        limit, factor, seed, step, row, group, count, x, y = values
        v = _Vectors(context, builder, signature.args[7], _SAMPLES)
        groups = builder.add(v.everywhere(group), _lane_numbers())
        words = _interleave(builder, _philox(builder, v, seed, step, v.everywhere(row), groups))
        v = _Vectors(context, builder, signature.args[7], 4 * _SAMPLES)
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

    return _void(limit, factor, seed, step, row, group, count, x, y), generate


def _lane_numbers():
    type_ = llvmlite.ir.VectorType(_INT64, _SAMPLES)
    return llvmlite.ir.Constant(type_, list(range(_SAMPLES)))


def _kept(builder, v, words, limit, x, factor):
    """x * factor, but 0 where a word is below the limit."""
    limit = v.everywhere(builder.trunc(limit, llvmlite.ir.IntType(32)))
    dropped = builder.icmp_unsigned("<", words, limit)
    product = builder.fmul(x, v.everywhere(factor))
    return builder.select(dropped, llvmlite.ir.Constant(v.type, None), product)


def _philox(builder, v, seed, step, row, group):
    """Four vectors of random words: instructions on vectors of 64-bit numbers."""
    low, bits = (v.everywhere(llvmlite.ir.Constant(_INT64, n)) for n in (2**32 - 1, 32))
    seed, step = v.everywhere(seed), v.everywhere(step)
    keys = [builder.and_(seed, low), builder.lshr(seed, bits)]
    a, b, c, d = group, row, builder.and_(step, low), builder.lshr(step, bits)
    factors, steps = (
        [v.everywhere(llvmlite.ir.Constant(_INT64, n)) for n in numbers]
        for numbers in (_PHILOX_FACTORS, _PHILOX_KEYS)
    )
    for _ in range(10):
        one, two = builder.mul(a, factors[0]), builder.mul(c, factors[1])
        a = builder.xor(builder.xor(builder.lshr(two, bits), keys[0]), b)
        c = builder.xor(builder.xor(builder.lshr(one, bits), keys[1]), d)
        b, d = builder.and_(two, low), builder.and_(one, low)
        keys = [builder.and_(builder.add(k, s), low) for k, s in zip(keys, steps, strict=True)]
    short = llvmlite.ir.VectorType(llvmlite.ir.IntType(32), _SAMPLES)
    return [builder.trunc(word, short) for word in (a, b, c, d)]


def _interleave(builder, words):
    """The four words of each lane, one after the other, in one vector."""

    def shuffle(a, b, lanes):
        mask = llvmlite.ir.VectorType(llvmlite.ir.IntType(32), len(lanes))
        return builder.shuffle_vector(a, b, llvmlite.ir.Constant(mask, lanes))

    halves = [shuffle(a, b, list(range(2 * _SAMPLES))) for a, b in (words[:2], words[2:])]
    return shuffle(*halves, [w * _SAMPLES + lane for lane in range(_SAMPLES) for w in range(4)])


@_core
def _dropout_numbers(p, y):
    """Below which words numbers are dropped, and what the others are multiplied by."""
    return np.int64(p * 4294967296.0), type(y)(1 / (1 - p))


@_core
def _dropout_row(x, limit, factor, seed, step, row, first, y, n):
    """n elements of one row, from column `first` on, which is a multiple of 4."""
    for j in range(0, n, 64):
        count, group = min(n - j, 64), (first + j) // 4
        _drop_columns(limit, factor, seed, step, row, group, count, _shift(x, j), _shift(y, j))


# Over one row of o columns. A loss returns the row's own, and weights its gradient by `share`.


@_core
def _row_max(x, o):
    top = x[0]
    for j in range(1, o):
        top = top if x[j] <= top else x[j]  # a NaN in x wins
    return top


@_core
def _argmax_row(x, o):
    best = 0
    for j in range(o):
        if x[j] != x[j]:  # the first NaN counts as largest, as in NumPy
            return j
        if x[j] > x[best]:
            best = j
    return best


@_core
def _exp_shifted(x, y, o):
    """y = exp(x - max(x)), of which at least one is 1 and none overflows; returns their sum."""
    top = _row_max(x, o)
    total = type(top)(0)
    for j in range(o):
        y[j] = _exp(x[j] - top)
    for j in range(o):
        total += y[j]
    return total


@_core
def _softmax_row(x, y, o):
    total = _exp_shifted(x, y, o)
    for j in range(o):
        y[j] /= total


@_core
def _log_softmax_row(x, y, o):
    top = _row_max(x, o)
    logarithm = type(top)(math.log(_exp_shifted(x, y, o)))
    for j in range(o):
        y[j] = (x[j] - top) - logarithm


@_core
def _log_softmax_backward_row(y, dy, dx, o):
    total = type(dy[0])(0)
    for j in range(o):
        total += dy[j]
    for j in range(o):
        dx[j] = dy[j] - _exp(y[j]) * total


@_core
def _hinge_row(x, label, margin, share, dx, o):
    loss, violated, zero, score = 0.0, 0, type(margin)(0), x[label]
    for j in range(o):
        violation = (x[j] - score) + margin
        if j != label and not violation <= zero:  # a NaN must reach the loss
            loss += violation
        violated += j != label and violation > zero
        dx[j] = share if violation > zero else zero
    dx[label] = -share * type(share)(violated)
    return loss


@_core
def _cross_entropy_row(x, label, share, dx, o):
    """log(sum(exp(x))) - x[label]; dx = (softmax(x) - onehot(label)) * share."""
    score = x[label] - _row_max(x, o)
    total = _exp_shifted(x, dx, o)
    for j in range(o):
        dx[j] = dx[j] / total * share
    dx[label] -= share
    return math.log(total) - score


@_core
def _nll_row(x, label, share, dx, o):
    score = x[label]
    for j in range(o):
        dx[j] = type(share)(0)
    dx[label] = -share
    return -score


@_core
def _squared_error_row(x, target, share, dx, o):
    """Here share is 1 / (n·o), because the mean runs over all elements."""
    loss = 0.0
    for j in range(o):
        difference = x[j] - target[j]
        dx[j] = type(share)(2) * share * difference
        loss += float(difference) * difference
    return loss


# An optimiser's step of n parameters in a row; real numbers come in the parameters' own dtype.


@_core
def _sgd(g, lr, p, n):
    for i in range(n):
        p[i] -= lr * g[i]


@_core
def _momentum(g, lr, mu, decay, p, v, n):
    for i in range(n):
        v[i] = mu * v[i] + (g[i] + decay * p[i])
        p[i] -= lr * v[i]


@_core
def _nesterov(g, lr, mu, decay, p, v, n):
    for i in range(n):
        gradient = g[i] + decay * p[i]
        v[i] = mu * v[i] + gradient
        p[i] -= lr * (gradient + mu * v[i])


@_core
def _adam(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, p, m, v, n):
    one = type(lr)(1)
    for i in range(n):
        gradient = g[i] + decay * p[i]
        m[i] = beta1 * m[i] + (one - beta1) * gradient
        v[i] = beta2 * v[i] + (one - beta2) * gradient * gradient
        p[i] -= lr * (m[i] * fix1) / (math.sqrt(v[i] * fix2) + epsilon)


@_core
def _adamw(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, p, m, v, n):
    shrink = lr * decay
    for i in range(n):
        p[i] -= shrink * p[i]
    _adam(g, lr, beta1, beta2, epsilon, type(lr)(0), fix1, fix2, p, m, v, n)


@_core
def _correction(beta, step):
    """What makes up for a mean that started at 0."""
    return 1 / (1 - beta**step)


# The kernels.


@_jit
def gather(data, rows, scale, x):
    """x = data[rows] * scale"""
    factor = x.dtype.type(scale)
    for r in range(rows.shape[0]):
        for j in range(data.shape[1]):
            x[r, j] = data[rows[r], j] * factor


@_regroup
def dense_forward(x, w, b, y):
    """y = x @ w + b"""
    n, inputs, outputs = x.shape[0], w.shape[0], w.shape[1]
    whole = inputs - inputs % 4
    for r in range(n):
        y[r] = b
    for k in range(0, whole, 4):  # four rows of w stay in the nearest cache for the whole batch
        for r in range(n):
            x0, x1, x2, x3 = x[r, k], x[r, k + 1], x[r, k + 2], x[r, k + 3]
            for j in range(outputs):
                y[r, j] += x0 * w[k, j] + x1 * w[k + 1, j] + x2 * w[k + 2, j] + x3 * w[k + 3, j]
    for k in range(whole, inputs):
        for r in range(n):
            for j in range(outputs):
                y[r, j] += x[r, k] * w[k, j]


@_regroup
def dense_backward(x, dy, dw, db):
    """dw = x.T @ dy; db = the sum of dy over the batch"""
    n, inputs, outputs = x.shape[0], dw.shape[0], dw.shape[1]
    whole = n - n % 4
    for k in range(inputs):
        dw[k] = 0
        for r in range(0, whole, 4):
            x0, x1, x2, x3 = x[r, k], x[r + 1, k], x[r + 2, k], x[r + 3, k]
            for j in range(outputs):
                dw[k, j] += (
                    x0 * dy[r, j] + x1 * dy[r + 1, j] + x2 * dy[r + 2, j] + x3 * dy[r + 3, j]
                )
        for r in range(whole, n):
            for j in range(outputs):
                dw[k, j] += x[r, k] * dy[r, j]
    db[:] = 0
    for r in range(n):
        for j in range(outputs):
            db[j] += dy[r, j]


@_regroup
def dense_backward_input(dy, w, dx):
    """dx = dy @ w.T"""
    n, inputs, outputs = dy.shape[0], w.shape[0], w.shape[1]
    whole = inputs - inputs % 2
    zero = dx.dtype.type(0)
    for k in range(0, whole, 2):  # two rows of w at a time: each load of dy serves two products
        for r in range(n):
            s0, s1 = zero, zero
            for j in range(outputs):
                s0 += dy[r, j] * w[k, j]
                s1 += dy[r, j] * w[k + 1, j]
            dx[r, k], dx[r, k + 1] = s0, s1
    for k in range(whole, inputs):
        for r in range(n):
            s0 = zero
            for j in range(outputs):
                s0 += dy[r, j] * w[k, j]
            dx[r, k] = s0


@_jit
def relu_forward(x, y):
    """y = max(x, 0)"""
    _relu_forward(_pointer(x), _pointer(y), x.size)


@_jit
def relu_backward(y, dy, dx):
    """dx = dy where y > 0, else 0"""
    _relu_backward(_pointer(y), _pointer(dy), _pointer(dx), y.size)


@_jit
def elu_forward(x, alpha, y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    _elu_forward(_pointer(x), y.dtype.type(alpha), _pointer(y), x.size)


@_jit
def elu_backward(y, dy, alpha, dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    _elu_backward(_pointer(y), _pointer(dy), y.dtype.type(alpha), _pointer(dx), y.size)


@_jit
def tanh_forward(x, y):
    """y = tanh(x)"""
    _tanh_forward(_pointer(x), _pointer(y), x.size)


@_jit
def tanh_backward(y, dy, dx):
    """dx = dy * (1 - y**2)"""
    _tanh_backward(_pointer(y), _pointer(dy), _pointer(dx), y.size)


@_jit
def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x))"""
    _sigmoid_forward(_pointer(x), _pointer(y), x.size)


@_jit
def sigmoid_backward(y, dy, dx):
    """dx = dy * y * (1 - y)"""
    _sigmoid_backward(_pointer(y), _pointer(dy), _pointer(dx), y.size)


@_jit
def dropout(x, p, seed, step, y):
    """y = x / (1 - p), but 0 with probability p; by Philox of seed, step, row and column"""
    limit, factor = _dropout_numbers(p, y.dtype.type(0))
    for r in range(x.shape[0]):
        _dropout_row(_pointer(x[r]), limit, factor, seed, step, r, 0, _pointer(y[r]), x.shape[1])


@_jit
def conv2d_forward(x, w, b, stride, y):
    """y[i, j] = b + the sum of x[i * stride + k, j * stride + l] * w[k, l]"""
    down, right = stride
    for r, o, i in np.ndindex(y.shape[:3]):
        row = y[r, o, i]
        row[:] = b[o]
        for c, k in np.ndindex(w.shape[1:3]):
            _add_windows(x[r, c, i * down + k], w[o, c, k], right, row)


@_core
def _add_windows(x, w, right, y):
    """y[j] += the sum of x[j * right + p] * w[p], three p at a time."""
    columns, whole = y.shape[0], w.shape[0] - w.shape[0] % 3
    for p in range(0, whole, 3):
        at, w0, w1, w2 = x[p:], w[p], w[p + 1], w[p + 2]
        for j in range(columns):
            y[j] += at[j * right] * w0 + at[j * right + 1] * w1 + at[j * right + 2] * w2
    for p in range(whole, w.shape[0]):
        at = x[p:]
        for j in range(columns):
            y[j] += at[j * right] * w[p]


@_regroup
def conv2d_backward(x, dy, stride, dw, db):
    """dw[k, l] = the sum of x[i * stride + k, ...] * dy[i, j]; db of dy"""
    down, right = stride
    n, _, rows, columns = dy.shape
    dw[:] = 0
    db[:] = 0
    for r in range(n):
        for o in range(db.shape[0]):
            for i in range(rows):
                dy_i = dy[r, o, i]
                for j in range(columns):
                    db[o] += dy_i[j]
                for c, k, p in np.ndindex(dw.shape[1:]):
                    total, at = dw.dtype.type(0), x[r, c, i * down + k, p:]
                    for j in range(columns):
                        total += at[j * right] * dy_i[j]
                    dw[o, c, k, p] += total


@_jit
def conv2d_backward_input(dy, w, stride, dx):
    """dx[i * stride + k, ...] = the sum of dy[i, j] * w[k, l]"""
    down, right = stride
    dx[:] = 0
    for r, o, i in np.ndindex(dy.shape[:3]):
        dy_i = dy[r, o, i]
        for c, k, p in np.ndindex(w.shape[1:]):
            at, weight = dx[r, c, i * down + k, p:], w[o, c, k, p]
            for j in range(dy_i.shape[0]):
                at[j * right] += dy_i[j] * weight


@_jit
def max_pool2d_forward(x, kernel, stride, y):
    """y = the maximum of each window of x"""
    for r, c, i, j in np.ndindex(y.shape):
        k, p = _first_maximum(x[r, c], i * stride[0], j * stride[1], kernel)
        y[r, c, i, j] = x[r, c, k, p]


@_jit
def max_pool2d_backward(x, dy, kernel, stride, dx):
    """dx = the sum of dy of windows whose first maximum is there"""
    dx[:] = 0
    for r, c, i, j in np.ndindex(dy.shape):
        k, p = _first_maximum(x[r, c], i * stride[0], j * stride[1], kernel)
        dx[r, c, k, p] += dy[r, c, i, j]


@_core
def _first_maximum(x, top, left, kernel):
    """Where the largest number of a window is, or the first NaN."""
    row, column, most = top, left, x[top, left]
    for k in range(top, top + kernel[0]):
        for p in range(left, left + kernel[1]):
            if most == most and not x[k, p] <= most:
                row, column, most = k, p, x[k, p]
    return row, column


@_jit
def avg_pool2d_forward(x, kernel, stride, y):
    """y = the mean of each window of x"""
    size = y.dtype.type(kernel[0] * kernel[1])
    for r, c, i, j in np.ndindex(y.shape):
        total = y.dtype.type(0)
        for k in range(i * stride[0], i * stride[0] + kernel[0]):
            for p in range(j * stride[1], j * stride[1] + kernel[1]):
                total += x[r, c, k, p]
        y[r, c, i, j] = total / size


@_jit
def avg_pool2d_backward(dy, kernel, stride, dx):
    """dx = the sum of dy / the window's size over its windows"""
    size = dx.dtype.type(kernel[0] * kernel[1])
    dx[:] = 0
    for r, c, i, j in np.ndindex(dy.shape):
        share = dy[r, c, i, j] / size
        for k in range(i * stride[0], i * stride[0] + kernel[0]):
            for p in range(j * stride[1], j * stride[1] + kernel[1]):
                dx[r, c, k, p] += share


@_jit
def pad2d_forward(x, padding, value, y):
    """y = x with a border of value"""
    top, left = padding
    y[:] = value
    for r, c, i in np.ndindex(x.shape[:3]):
        for j in range(x.shape[3]):
            y[r, c, top + i, left + j] = x[r, c, i, j]


@_jit
def pad2d_backward(dy, padding, dx):
    """dx = dy without its border"""
    top, left = padding
    for r, c, i in np.ndindex(dx.shape[:3]):
        for j in range(dx.shape[3]):
            dx[r, c, i, j] = dy[r, c, top + i, left + j]


@_jit
def softmax_forward(x, y):
    """y = exp(x) / sum(exp(x)), row by row"""
    for r in range(x.shape[0]):
        _softmax_row(_pointer(x[r]), _pointer(y[r]), x.shape[1])


@_jit
def log_softmax_forward(x, y):
    """y = x - log(sum(exp(x))), row by row"""
    for r in range(x.shape[0]):
        _log_softmax_row(_pointer(x[r]), _pointer(y[r]), x.shape[1])


@_jit
def log_softmax_backward(y, dy, dx):
    """dx = dy - exp(y) * sum(dy), row by row"""
    for r in range(y.shape[0]):
        _log_softmax_backward_row(_pointer(y[r]), _pointer(dy[r]), _pointer(dx[r]), y.shape[1])


@_jit
def hinge_loss(x, labels, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    loss, n, o = 0.0, max(x.shape[0], 1), x.shape[1]
    share, m = dx.dtype.type(1 / n), dx.dtype.type(margin)
    for r in range(x.shape[0]):
        loss += _hinge_row(_pointer(x[r]), labels[r], m, share, _pointer(dx[r]), o)
    return loss / n


@_jit
def cross_entropy_loss(x, labels, dx):
    """mean over rows of -log(softmax(x)[label])"""
    loss, n, o = 0.0, max(x.shape[0], 1), x.shape[1]
    share = dx.dtype.type(1 / n)
    for r in range(x.shape[0]):
        loss += _cross_entropy_row(_pointer(x[r]), labels[r], share, _pointer(dx[r]), o)
    return loss / n


@_jit
def nll_loss(x, labels, dx):
    """mean over rows of -x[label]"""
    loss, n, o = 0.0, max(x.shape[0], 1), x.shape[1]
    share = dx.dtype.type(1 / n)
    for r in range(x.shape[0]):
        loss += _nll_row(_pointer(x[r]), labels[r], share, _pointer(dx[r]), o)
    return loss / n


@_jit
def squared_error_loss(x, target, dx):
    """mean over all elements of (x - target)**2"""
    loss, n, o = 0.0, max(x.shape[0], 1), x.shape[1]
    share = dx.dtype.type(1 / (n * o))
    for r in range(x.shape[0]):
        loss += _squared_error_row(_pointer(x[r]), _pointer(target[r]), share, _pointer(dx[r]), o)
    return loss / (n * o)


@_jit
def sgd_step(grads, lr, params):
    """params = params - lr * grads"""
    _sgd(_pointer(grads), params.dtype.type(lr), _pointer(params), params.size)


@_jit
def momentum_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    real = params.dtype.type
    _momentum(
        _pointer(grads), real(lr), real(momentum), real(decay),
        _pointer(params), _pointer(v), params.size,
    )  # fmt: skip


@_jit
def nesterov_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    real = params.dtype.type
    _nesterov(
        _pointer(grads), real(lr), real(momentum), real(decay),
        _pointer(params), _pointer(v), params.size,
    )  # fmt: skip


@_jit
def adam_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    real = params.dtype.type
    _adam(
        _pointer(grads), real(lr), real(beta1), real(beta2), real(epsilon), real(decay),
        real(_correction(beta1, step)), real(_correction(beta2, step)),
        _pointer(params), _pointer(m), _pointer(v), params.size,
    )  # fmt: skip


@_jit
def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    real = params.dtype.type
    _adamw(
        _pointer(grads), real(lr), real(beta1), real(beta2), real(epsilon), real(decay),
        real(_correction(beta1, step)), real(_correction(beta2, step)),
        _pointer(params), _pointer(m), _pointer(v), params.size,
    )  # fmt: skip


@_jit
def argmax(x, labels):
    """labels = the first column of each row's largest value"""
    for r in range(x.shape[0]):
        labels[r] = _argmax_row(_pointer(x[r]), x.shape[1])


@_jit
def accuracy(x, labels):
    """the share of rows whose largest value is in column label"""
    right = 0
    for r in range(x.shape[0]):
        right += _argmax_row(_pointer(x[r]), x.shape[1]) == labels[r]
    return right / max(x.shape[0], 1)


# The engine. Its numbers are those of fastbp.program and fastbp.engine.

# Kinds of a program's rows, and its columns: KERNEL, STRIDE and PADDING are for rows, and the next
# column each for columns.
_DENSE, _RELU, _ELU, _TANH, _SIGMOID, _LOG_SOFTMAX = range(6)
_DROPOUT, _CONV, _MAX_POOL, _AVG_POOL, _FLATTEN = range(6, 11)
_KIND, _INPUTS, _OUTPUTS, _PARAMS = range(4)
_CHANNELS, _HEIGHT, _IMAGE_WIDTH, _OUT_CHANNELS, _OUT_HEIGHT, _OUT_IMAGE_WIDTH = range(4, 10)
_KERNEL, _STRIDE, _PADDING, _SEED, _MASKS, _COLUMNS = 10, 12, 14, 16, 17, 18
# Columns of a plan's row: where things lie in the workspace, in elements. y and dy are rows of
# WIDTH, outputs rounded up to whole vectors, and fours; the gaps hold zeros and stay so. The native
# engine has more of them. The last three are of programs with images: see there.
_SPLIT, _WIDTH, _Y, _DY, _W, _M, _V, _INPUT, _SUMS, _ORIGIN = range(10)
_PLAN_COLUMNS = 16
_HINGE, _CROSS_ENTROPY, _NLL, _SQUARED_ERROR, _USER_LOSS = range(5)
_PLAIN, _MOMENTUM, _NESTEROV, _ADAM, _ADAMW = range(5)
# The integer settings of a run; after them the addresses of functions that users wrote: the loss,
# and then forward and backward of each layer. And the float ones; after them alpha or p of each.
_LOSS, _THREADS, _BATCH, _SOURCE, _FEATURES, _SKIP, _X, _X_STRIDE, _OPTIMIZER, _STEPS = range(10)
_SEGMENTS, _STATES, _SKIP_INACTIVE, _CODE = range(10, 14)
_SCALE, _MARGIN, _LR, _BETA1, _BETA2, _EPSILON, _DECAY, _ALPHAS = range(8)
_BYTES, _FLOATS, _DOUBLES = range(3)  # what the data's elements are
_GROUP = 64  # samples whose zeros one word's bits tell
_SCRATCH = _ROWS * _PANEL * 16  # elements, for a tile of a gradient


class _Run(typing.NamedTuple):
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


class _Zeros(typing.NamedTuple):
    """Where the batch's non-zeros are: pointers into this thread's own part of the workspace.

    A sample's non-zero columns come in blocks of _BLOCK; bounds (n, blocks + 1) says where in
    index each begins. For every group of _GROUP samples, samples[k] has a bit for each in which
    column k is not zero, and columns lists those with any, those with few samples first, so that
    the loops over them are of one length for long and the processor foresees their ends.
    """

    samples: typing.Any
    columns: typing.Any
    used: typing.Any
    groups: int
    bounds: typing.Any
    index: typing.Any


def _lanes(x):
    """How many numbers like x a vector holds."""


@numba.extending.overload(_lanes)
def _overload_lanes(x):
    lanes = _VECTOR_BYTES * 8 // x.bitwidth
    return lambda x: lanes


@_core
def _during(run, step, row):
    """The same, computing from this row on in this step of the epoch."""
    return _Run(*run[:-2], step, row)


@_core
def _whole(columns, unit):
    return (columns + unit - 1) // unit * unit


@numba.extending.intrinsic(prefer_literal=True)
def _atomic(typing, operation, words, index, value):
    """Load, store or add to a word that threads share; returns what it held, or the value."""
    what = operation.literal_value

    def generate(context, builder, signature, arguments):
        where = builder.gep(arguments[1], [arguments[2]])
        if what == "load":
            return builder.load_atomic(where, "acquire", 8)
        if what == "add":
            return builder.atomic_rmw("add", where, arguments[3], "acq_rel")
        builder.store_atomic(arguments[3], where, "release", 8)
        return arguments[3]

    return types.int64(operation, words, types.intp, types.int64), generate


# Threads: how they wait for each other, and how they treat numbers too small to be normal.

_X86 = llvmlite.binding.get_default_triple().startswith("x86_64")
_yield_processor = types.ExternalFunction(
    "SwitchToThread" if os.name == "nt" else "sched_yield", types.int32()
)


@numba.extending.intrinsic
def _relax(typing):
    """Tell the processor that this thread only waits."""

    def generate(context, builder, signature, arguments):
        if _X86:
            no_arguments = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [])
            pause = cgutils.get_or_insert_function(
                builder.module, no_arguments, "llvm.x86.sse2.pause"
            )
            builder.call(pause, [])
        return context.get_dummy_value()

    return types.void(), generate


@numba.extending.intrinsic
def _floating_mode(typing, mode):
    """Set how this thread computes, if mode is not negative; returns how it did."""

    def generate(context, builder, signature, arguments):
        if not _X86:
            return arguments[0]
        word, byte = llvmlite.ir.IntType(32), llvmlite.ir.IntType(8).as_pointer()
        takes_pointer = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [byte])
        read, write = (
            cgutils.get_or_insert_function(builder.module, takes_pointer, f"llvm.x86.sse.{name}")
            for name in ("stmxcsr", "ldmxcsr")
        )
        place = cgutils.alloca_once(builder, word)
        builder.call(read, [builder.bitcast(place, byte)])
        before = builder.load(place)
        with builder.if_then(
            builder.icmp_signed(">=", arguments[0], llvmlite.ir.Constant(word, 0))
        ):
            builder.store(arguments[0], place)
            builder.call(write, [builder.bitcast(place, byte)])
        return before

    return types.int32(types.int32), generate


@_core
def _flush_denormals():
    """Gradients that fade become subnormal, and arithmetic on those is a hundred times slower."""
    before = _floating_mode(-1)
    _floating_mode(before | 0x8040)  # FTZ and DAZ
    return before


@_core
def _meet(run):
    """Wait until all threads are here; False if the run was given up.

    sync[0] counts arrivals and sync[8], a cache line further on, the rounds. sync[16] set to 1 lets
    everybody through at once. A thread spins for sync[17] turns, a few microseconds, which is what
    the others usually need; then it yields its processor: another may be waiting for that.
    """
    sync = run.sync
    if run.threads == 1:
        return True
    now = _atomic("load", sync, 8, 0)
    if _atomic("add", sync, 0, 1) + 1 == run.threads:
        _atomic("store", sync, 0, 0)
        _atomic("store", sync, 8, now + 1)
        return True
    turn = 0
    while _atomic("load", sync, 8, 0) == now:
        if _atomic("load", sync, 16, 0):
            return False
        if turn < sync[17]:
            _relax()
        else:
            _yield_processor()
        turn += 1
    return True


# Who computes what. The first layer's W lies in panels, _PANEL vectors wide: those columns for all
# inputs, row after row; the last panel may be narrower. So what inputs are zero can be left out
# and no two threads write to neighbouring lines. Every other W lies transposed, a row an output:
# its dot products run along the longer side, and dx = dy @ w.T is a sum of rows. b comes after W.
# A thread's part does not depend on how many threads there are, so neither do the sums.


@_core
def _program(run, layer, column):
    return run.program[layer * _COLUMNS + column]


@_core
def _plan(run, layer, column):
    return run.plan[layer * _PLAN_COLUMNS + column]


@_core
def _place(run, layer, column):
    return _shift(run.work, _plan(run, layer, column))


@_core
def _owned(run, layer):
    """Return the output columns of a layer that this thread computes, as (first, last)."""
    while layer > 0 and _program(run, layer, _KIND) not in (_DENSE, _LOG_SOFTMAX, _FLATTEN):
        layer -= 1  # an elementwise layer's columns belong to whoever computed its input
    outputs = _program(run, layer, _OUTPUTS)
    if _program(run, layer, _KIND) != _DENSE:
        return 0, outputs if run.thread == 0 else 0
    lanes = _lanes(run.work[0])
    unit = max(lanes, 4) if layer else lanes * _PANEL  # _dots computes fours
    units = (outputs + unit - 1) // unit
    first, last = units * run.thread // run.threads, units * (run.thread + 1) // run.threads
    return min(first * unit, outputs), min(last * unit, outputs)


@_core
def _meets(run, layer):
    """Whether layer reads all of its input, which other threads may have written."""
    return layer > 0 and _program(run, layer, _KIND) in (_DENSE, _LOG_SOFTMAX)


# Products of matrices, tile by tile. Rows that fill no tile go by two and by one.


@_core
def _product(rows, columns, depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row):
    """c = start + a @ b, (rows, columns) of it; columns are whole vectors. start may be c."""
    lanes, i = _lanes(c[0]), 0
    while i < rows:
        m, j = _ROWS if i + _ROWS <= rows else 2 if i + 2 <= rows else 1, 0
        while j < columns:
            vectors = _VECTORS if j + _VECTORS * lanes <= columns else 1
            tile = (
                depth, _shift(a, i * a_row), a_row, a_depth, _shift(b, j), b_depth,
                _shift(start, i * start_row + j), start_row, _shift(c, i * c_row + j), c_row,
            )  # fmt: skip
            if m == _ROWS and vectors == _VECTORS:
                _multiply(_ROWS, _VECTORS, tile)
            elif m == _ROWS:
                _multiply(_ROWS, 1, tile)
            elif m == 2 and vectors == _VECTORS:
                _multiply(2, _VECTORS, tile)
            elif m == 2:
                _multiply(2, 1, tile)
            elif vectors == _VECTORS:
                _multiply(1, _VECTORS, tile)
            else:
                _multiply(1, 1, tile)
            j += vectors * lanes
        i += m


@_core
def _product_of_rows(rows, first, last, depth, a, a_row, b, b_row, start, c, c_row):
    """c = start + a @ b.T for the columns first to last of c, which are whole fours."""
    lanes = _lanes(c[0])
    for j in range(first, last, 4):
        b_j, start_j, i = _shift(b, j * b_row), _shift(start, j), 0
        while i < rows:
            a_i, c_i = _shift(a, i * a_row), _shift(c, i * c_row + j)
            if i + _DOTS <= rows:
                _dots(_DOTS, 4, depth // lanes, a_i, a_row, b_j, b_row, start_j, c_i, c_row)
                i += _DOTS
            else:
                _dots(1, 4, depth // lanes, a_i, a_row, b_j, b_row, start_j, c_i, c_row)
                i += 1


# What a thread does for one layer of one batch. There is no mathematics here, only calls.


@numba.extending.intrinsic
def _call_activation(typing, code, x, y, dy, dx, n):
    """Call a loop that compile_activation made, at its address."""
    return _call(types.void(x, x, x, x, types.intp))


@numba.extending.intrinsic
def _call_loss(typing, code, x, label, target, dx, o):
    """Call what compile_loss made, at its address."""
    return _call(types.float64(x, types.int64, x, x, types.intp))


def _call(called):
    """An intrinsic's signature and code: call a function of this signature at an address."""

    def generate(context, builder, signature, values):
        result, *parameters = (
            llvmlite.ir.VoidType() if t == types.void else context.get_value_type(t)
            for t in (called.return_type, *called.args)
        )
        function = llvmlite.ir.FunctionType(result, parameters).as_pointer()
        value = builder.call(builder.inttoptr(values[0], function), values[1:])
        return context.get_dummy_value() if called.return_type == types.void else value

    return called.return_type(types.int64, *called.args), generate


@_core
def _input(run, layer):
    """Return what a layer reads, and how far apart its samples are."""
    if layer == 0:
        return run.x, run.choices[_FEATURES]
    return _place(run, layer - 1, _Y), _plan(run, layer - 1, _WIDTH)


@_core
def _forward_panels(run, n, zeros):
    """The first layer, dense: this thread's panels."""
    inputs, width, y = _program(run, 0, _INPUTS), _plan(run, 0, _WIDTH), _place(run, 0, _Y)
    w, unit = _place(run, 0, _W), _lanes(run.work[0]) * _PANEL
    b = _shift(w, width * inputs)
    first, last = _owned(run, 0)
    for p in range(first, last, unit):
        columns, panel = min(unit, width - p), _shift(w, p * inputs)
        if run.listed:
            _forward_listed(run, n, zeros, columns, panel, _shift(b, p), _shift(y, p), width)
        else:
            _product(
                n, columns, inputs, run.x, inputs, 1, panel, columns, _shift(b, p), 0,
                _shift(y, p), width,
            )  # fmt: skip


@_core
def _forward_listed(run, n, zeros, columns, w, b, y, y_row):
    """One panel of the first layer, without what is zero, a block of W's rows at a time.

    The block stays in the nearest cache for the whole batch.
    """
    inputs, lanes = _program(run, 0, _INPUTS), _lanes(run.work[0])
    blocks = (inputs + _BLOCK - 1) // _BLOCK
    for block in range(blocks):
        for r in range(n):
            first = zeros.bounds[r * (blocks + 1) + block]
            last = zeros.bounds[r * (blocks + 1) + block + 1]
            x, y_r = _shift(run.x, r * inputs), _shift(y, r * y_row)
            start = y_r if block else b
            if columns == lanes * _PANEL:
                _add_listed_rows(_PANEL, first, last, zeros.index, x, w, columns, start, y_r)
            else:
                for j in range(0, columns, lanes):
                    _add_listed_rows(
                        1, first, last, zeros.index, x, _shift(w, j), columns,
                        _shift(start, j), _shift(y_r, j),
                    )  # fmt: skip


@_core
def _drop(run, layer, r, first, x, y, n):
    """Dropout of the columns from `first` on of a sample, or of their gradients."""
    limit, factor = _dropout_numbers(run.settings[_ALPHAS + layer], y[0])
    seed, step = _program(run, layer, _SEED), _program(run, layer, _MASKS) + run.step
    _dropout_row(x, limit, factor, seed, step, run.row + run.rows[r], first, y, n)


@_core
def _activate(run, layer, x, y, n):
    """n elements in a row of an activation."""
    kind = _program(run, layer, _KIND)
    if kind == _RELU:
        _relu_forward(x, y, n)
    elif kind == _ELU:
        _elu_forward(x, type(y[0])(run.settings[_ALPHAS + layer]), y, n)
    elif kind == _TANH:
        _tanh_forward(x, y, n)
    elif kind == _SIGMOID:
        _sigmoid_forward(x, y, n)
    else:
        _call_activation(run.choices[_CODE + 1 + 2 * layer], x, y, y, y, n)


@_core
def _activate_back(run, layer, x, y, dy, dx, n):
    """From dy of an activation dx, n elements in a row."""
    kind = _program(run, layer, _KIND)
    if kind == _RELU:
        _relu_backward(y, dy, dx, n)
    elif kind == _ELU:
        _elu_backward(y, dy, type(y[0])(run.settings[_ALPHAS + layer]), dx, n)
    elif kind == _TANH:
        _tanh_backward(y, dy, dx, n)
    elif kind == _SIGMOID:
        _sigmoid_backward(y, dy, dx, n)
    else:
        _call_activation(run.choices[_CODE + 2 + 2 * layer], x, y, dy, dx, n)


@_core
def _forward_elements(run, layer, n):
    """This thread's columns of an elementwise layer's output, or LogSoftmax's."""
    kind = _program(run, layer, _KIND)
    first, last = _owned(run, layer)
    x, x_row = _input(run, layer)
    y, y_row = _place(run, layer, _Y), _plan(run, layer, _WIDTH)
    for r in range(n if first < last else 0):
        x_r, y_r = _shift(x, r * x_row + first), _shift(y, r * y_row + first)
        if kind == _LOG_SOFTMAX:
            _log_softmax_row(x_r, y_r, last)
        elif kind == _DROPOUT:
            _drop(run, layer, r, first, x_r, y_r, last - first)
        else:
            _activate(run, layer, x_r, y_r, last - first)


@_inline
def _forward_layer(run, layer, n, zeros):
    """This thread's columns of one layer's output."""
    if _program(run, layer, _KIND) != _DENSE:
        _forward_elements(run, layer, n)
    elif layer == 0:
        _forward_panels(run, n, zeros)
    else:
        _forward_dense(run, layer, n)


@_core
def _forward_dense(run, layer, n):
    """This thread's columns of a dense layer's output, but the first layer's."""
    x, x_row = _input(run, layer)
    w = _place(run, layer, _W)
    b = _shift(w, x_row * _whole(_program(run, layer, _OUTPUTS), 4))
    first, last = _owned(run, layer)
    _product_of_rows(
        n, first, last, x_row, x, x_row, w, x_row, b,
        _place(run, layer, _Y), _plan(run, layer, _WIDTH),
    )  # fmt: skip


@_core
def _backward_elements(run, layer, n):
    """From dy of such a layer, this thread's columns of dy of the layer before it."""
    kind = _program(run, layer, _KIND)
    first, last = _owned(run, layer)
    x, x_row = _input(run, layer)
    y, y_row = _place(run, layer, _Y), _plan(run, layer, _WIDTH)
    dy, dx = _place(run, layer, _DY), _place(run, layer - 1, _DY)
    for r in range(n if first < last else 0):
        y_r, dy_r = _shift(y, r * y_row + first), _shift(dy, r * y_row + first)
        dx_r = _shift(dx, r * x_row + first)
        if kind == _LOG_SOFTMAX:
            _log_softmax_backward_row(y_r, dy_r, dx_r, last)
        elif kind == _DROPOUT:
            _drop(run, layer, r, first, dy_r, dx_r, last - first)
        else:
            _activate_back(run, layer, _shift(x, r * x_row + first), y_r, dy_r, dx_r, last - first)


@_core
def _backward_layer(run, layer, n):
    """From dy of one layer, this thread's columns of dy of the layer before it (layer > 0)."""
    if _program(run, layer, _KIND) != _DENSE:
        _backward_elements(run, layer, n)
        return
    first, last = _owned(run, layer - 1)
    columns = _whole(last, _lanes(run.work[0])) - first
    dx_row, dx = _plan(run, layer - 1, _WIDTH), _shift(_place(run, layer - 1, _DY), first)
    for r in range(n):
        for j in range(columns):
            dx[r * dx_row + j] = 0
    _product(
        n, columns, _program(run, layer, _OUTPUTS), _place(run, layer, _DY),
        _plan(run, layer, _WIDTH), 1, _shift(_place(run, layer, _W), first), dx_row,
        dx, dx_row, dx, dx_row,
    )  # fmt: skip


@_core
def _optimize(run, step, g, w, to_m, to_v, n):
    """One optimiser step of n parameters in a row, whose memory lies to_m and to_v further on."""
    s, kind, real = run.settings, run.choices[_OPTIMIZER], type(w[0])
    lr, beta1, decay = real(s[_LR]), real(s[_BETA1]), real(s[_DECAY])
    m, v = _shift(w, to_m), _shift(w, to_v)
    if kind == _MOMENTUM:
        _momentum(g, lr, beta1, decay, w, m, n)
    elif kind == _NESTEROV:
        _nesterov(g, lr, beta1, decay, w, m, n)
    else:
        beta2, epsilon = real(s[_BETA2]), real(s[_EPSILON])
        fix1, fix2 = real(_correction(s[_BETA1], step)), real(_correction(s[_BETA2], step))
        if kind == _ADAM:
            _adam(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, w, m, v, n)
        else:
            _adamw(g, lr, beta1, beta2, epsilon, decay, fix1, fix2, w, m, v, n)


@_core
def _update(run, step, rows, columns, depth, a, a_depth, b, b_depth, w, w_row, to_m, to_v):
    """A step of w (rows, columns), whose gradient is a.T @ b.

    For plain SGD, b or a is times -lr already, and the gradient is never stored.
    """
    if run.choices[_OPTIMIZER] == _PLAIN:
        _product(rows, columns, depth, a, 1, a_depth, b, b_depth, w, w_row, w, w_row)
        return
    unit, g = _lanes(w[0]) * _PANEL, run.scratch
    for i in range(0, rows, _ROWS):
        for j in range(0, columns, unit):
            m, n = min(_ROWS, rows - i), min(unit, columns - j)
            for e in range(m * n):
                g[e] = 0
            _product(m, n, depth, _shift(a, i), 1, a_depth, _shift(b, j), b_depth, g, n, g, n)
            for r in range(m):
                w_r = _shift(w, (i + r) * w_row + j)
                _optimize(run, step, _shift(g, r * n), w_r, to_m, to_v, n)


@_core
def _update_listed(run, n, zeros, columns, dy, dy_row, w):
    """A step of plain SGD of one panel of the first layer, without what is zero."""
    inputs, lanes = _program(run, 0, _INPUTS), _lanes(w[0])
    for group in range((n + _GROUP - 1) // _GROUP):
        first = group * _GROUP
        x, step = _shift(run.x, first * inputs), _shift(dy, first * dy_row)
        for i in range(group * inputs, group * inputs + zeros.used[group]):
            k = zeros.columns[i]
            samples, w_k = zeros.samples[group * inputs + k], _shift(w, k * columns)
            count = _bits(samples)
            if columns == lanes * _PANEL:
                _add_samples(_PANEL, count, samples, _shift(x, k), inputs, step, dy_row, w_k)
            else:
                for j in range(0, columns, lanes):
                    _add_samples(
                        1, count, samples, _shift(x, k), inputs, _shift(step, j), dy_row,
                        _shift(w_k, j),
                    )  # fmt: skip


@_core
def _scale_gradient(run, layer, n):
    """For plain SGD, this thread's columns of dy of a dense layer times -lr."""
    first, last = _owned(run, layer)
    dy, dy_row = _place(run, layer, _DY), _plan(run, layer, _WIDTH)
    factor = type(dy[0])(-run.settings[_LR])
    if run.choices[_OPTIMIZER] == _PLAIN:
        for r in range(n):
            for j in range(first, last):
                dy[r * dy_row + j] *= factor


@_core
def _update_bias(run, step, layer, n, first, last, b, to_m, to_v):
    """A step of b, whose gradient is the sum of dy; for plain SGD, dy is times -lr already."""
    plain = run.choices[_OPTIMIZER] == _PLAIN
    dy, dy_row = _place(run, layer, _DY), _plan(run, layer, _WIDTH)
    unit, g = _lanes(b[0]), run.scratch
    for p in range(first, last, unit):
        count = min(unit, last - p)
        for j in range(count):
            g[j] = 0
        for r in range(n):
            for j in range(count):
                g[j] += dy[r * dy_row + p + j]
        if plain:
            for j in range(count):
                b[p + j] += g[j]
        else:
            _optimize(run, step, g, _shift(b, p), to_m, to_v, count)


@_core
def _to_memory(run, layer):
    """How far behind a layer's W lies what the optimiser remembers of it."""
    w = _plan(run, layer, _W)
    return _plan(run, layer, _M) - w, _plan(run, layer, _V) - w


@_core
def _update_layer(run, step, layer, n, zeros):
    """A step of this thread's columns of W and b."""
    _scale_gradient(run, layer, n)
    if layer:
        _update_dense(run, step, layer, n)
    else:
        _update_panels(run, step, n, zeros)


@_core
def _update_dense(run, step, layer, n):
    """Of any dense layer but the first."""
    (first, last), (to_m, to_v) = _owned(run, layer), _to_memory(run, layer)
    if first == last:
        return
    w, dy, width = _place(run, layer, _W), _place(run, layer, _DY), _plan(run, layer, _WIDTH)
    x, x_row = _input(run, layer)
    b = _shift(w, x_row * _whole(_program(run, layer, _OUTPUTS), 4))
    _update_bias(run, step, layer, n, first, last, b, to_m, to_v)
    _update(
        run, step, last - first, x_row, n, _shift(dy, first), width, x, x_row,
        _shift(w, first * x_row), x_row, to_m, to_v,
    )  # fmt: skip


@_core
def _update_panels(run, step, n, zeros):
    """Of the first layer."""
    (first, last), (to_m, to_v) = _owned(run, 0), _to_memory(run, 0)
    w, dy, width = _place(run, 0, _W), _place(run, 0, _DY), _plan(run, 0, _WIDTH)
    inputs, (x, x_row) = _program(run, 0, _INPUTS), _input(run, 0)
    _update_bias(run, step, 0, n, first, last, _shift(w, width * inputs), to_m, to_v)
    unit = _lanes(w[0]) * _PANEL
    for p in range(first, last, unit):
        columns, panel, dy_p = min(unit, width - p), _shift(w, p * inputs), _shift(dy, p)
        if run.listed:
            _update_listed(run, n, zeros, columns, dy_p, width, panel)
        else:
            _update(
                run, step, inputs, columns, n, x, x_row, dy_p, width, panel, columns, to_m, to_v
            )


@_core
def _loss_of(run, n, chosen, labels, values):
    """The batch's loss, and the gradient by the last layer's output."""
    total = 0.0
    for r in range(n):
        total += _loss_of_row(run, r, n, chosen[r], labels, values)
    return total / _terms(run, n)


@_core
def _terms(run, n):
    """How many terms the loss is the mean of."""
    return (
        n * _program(run, run.layers - 1, _OUTPUTS) if run.choices[_LOSS] == _SQUARED_ERROR else n
    )


@_core
def _loss_of_row(run, r, n, sample, labels, values):
    """One row's loss, of a batch of n, and the gradient by the last layer's output."""
    layer, real, kind = run.layers - 1, type(values[0]), run.choices[_LOSS]
    o, width = _program(run, layer, _OUTPUTS), _plan(run, layer, _WIDTH)
    y, dy = _shift(_place(run, layer, _Y), r * width), _shift(_place(run, layer, _DY), r * width)
    target = _shift(values, sample * o)
    share, margin = real(1 / _terms(run, n)), real(run.settings[_MARGIN])
    if kind == _SQUARED_ERROR:
        return _squared_error_row(y, target, share, dy, o)
    label = labels[sample]
    if kind == _HINGE:
        return _hinge_row(y, label, margin, share, dy, o)
    if kind == _CROSS_ENTROPY:
        return _cross_entropy_row(y, label, share, dy, o)
    if kind == _NLL:
        return _nll_row(y, label, share, dy, o)
    loss = _call_loss(run.choices[_CODE], y, label, target, dy, o)
    for j in range(o):
        dy[j] *= share
    return loss


# The steps of an epoch, which the layered loop of fastbp.training specifies, without Python.


@_core
def _find_active(run, n):
    """List the rows whose gradient by the scores is not all zero, in run.rows; how many they are.

    Backward is for them alone: see kernels/active.pxd.
    """
    layer, count = run.layers - 1, 0
    o, width, dy = (
        _program(run, layer, _OUTPUTS),
        _plan(run, layer, _WIDTH),
        _place(run, layer, _DY),
    )
    if not run.choices[_SKIP_INACTIVE]:
        return n
    for r in range(n):
        run.rows[count] = r
        for j in range(o):
            if dy[r * width + j] != 0:  # or NaN
                count += 1
                break
    return count


@_core
def _keep_active(run, data, chosen, count, zeros):
    """Move this thread's columns of the active rows to the front; gather their samples anew."""
    for layer in range(run.layers):
        first, last = _owned(run, layer)
        width, y, dy = _plan(run, layer, _WIDTH), _place(run, layer, _Y), _place(run, layer, _DY)
        for k in range(count):
            for j in range(first, last):
                y[k * width + j] = y[run.rows[k] * width + j]
                if layer == run.layers - 1:
                    dy[k * width + j] = dy[run.rows[k] * width + j]
    for k in range(count):
        run.samples[k] = chosen[run.rows[k]]
    _batch(run, data, run.samples, count, zeros)
    if run.listed:
        _sort_columns(run, count, zeros)


@_inline
def _train_step(run, step, n, data, chosen, zeros, labels, values, loss):
    """Forward, loss, backward and update of one batch; False if it was given up or diverged.

    The update of a layer must wait until every thread has read its W for dx, which the next
    meeting shows; until then it is pending.
    """
    for layer in range(run.layers):
        if _meets(run, layer) and not _meet(run):
            return False
        _forward_layer(run, layer, n, zeros)
    if not _meet(run):
        return False
    if run.thread == 0:
        loss[0] = _loss_of(run, n, chosen, labels, values)
    if not _meet(run) or loss[0] - loss[0] != 0:  # NaN or infinite
        return False
    count = _find_active(run, n)
    if count < n:
        if not _meet(run):  # before dy moves, everybody has looked at it
            return False
        _keep_active(run, data, chosen, count, zeros)
        n = count
        if not _meet(run):
            return False
    pending, fresh = 0, False  # fresh: whether dy was written since all last met
    for layer in range(run.layers - 1, 0, -1):
        dense = _program(run, layer, _KIND) == _DENSE
        if dense and fresh and not _meet(run):
            return False
        _backward_layer(run, layer, n)
        fresh = True
        if dense:
            if pending:
                _update_layer(run, step, pending, n, zeros)
            pending = layer
        elif _program(run, layer, _KIND) == _LOG_SOFTMAX:
            if not _meet(run):
                return False
            fresh = False
    if _program(run, 0, _KIND) == _DENSE:
        _update_layer(run, step, 0, n, zeros)
    if pending:
        if not _meet(run):
            return False
        _update_layer(run, step, pending, n, zeros)
    return True


@_core
def _gather(run, data, chosen, n):
    """A batch of the data: x = data[chosen] * scale."""
    features, scale = run.choices[_FEATURES], type(run.x[0])(run.settings[_SCALE])
    for r in range(n):
        row, x = _shift(data, chosen[r] * features), _shift(run.x, r * features)
        for k in range(features):
            x[k] = type(scale)(row[k]) * scale


@_core
def _gather_listed(run, data, chosen, n, zeros):
    """The same, but x has only what is not zero, and `zeros` says where that is."""
    features, scale = run.choices[_FEATURES], type(run.x[0])(run.settings[_SCALE])
    samples, index, bounds, count, at = zeros.samples, zeros.index, zeros.bounds, 0, 0
    for i in range((n + _GROUP - 1) // _GROUP * features):
        samples[i] = 0
    for r in range(n):
        row, x = _shift(data, chosen[r] * features), _shift(run.x, r * features)
        has, bit, k = _shift(samples, r // _GROUP * features), 1 << (r % _GROUP), 0
        while k < features:
            bounds[at] = count
            at += 1
            end = min(k + _BLOCK, features)
            while k < end:
                if k + 8 <= end and _eight_bytes(row, k) == 0:
                    k += 8  # most pixels are 0, and lie together
                    continue
                index[count] = k
                x[k] = type(scale)(row[k]) * scale
                if row[k] != 0:
                    has[k] |= bit
                    count += 1
                k += 1
        bounds[at] = count
        at += 1


@_core
def _sort_columns(run, n, zeros):
    """For each group of samples, list the columns with any non-zero, those with few first."""
    features = run.choices[_FEATURES]
    for group in range((n + _GROUP - 1) // _GROUP):
        samples = _shift(zeros.samples, group * features)
        columns, starts = _shift(zeros.columns, group * features), _shift(zeros.used, zeros.groups)
        for count in range(_GROUP + 2):
            starts[count] = 0
        for k in range(features):
            starts[_bits(samples[k]) + 1] += 1
        zeros.used[group] = features - starts[1]
        starts[1] = 0
        for count in range(1, _GROUP + 1):
            starts[count + 1] += starts[count]
        for k in range(features):
            count = _bits(samples[k])
            if count:
                columns[starts[count]] = k
                starts[count] += 1


@_core
def _batch(run, data, chosen, n, zeros):
    """Gather a batch of whatever the data's elements are."""
    source = run.choices[_SOURCE]
    if source == _BYTES:
        _gather_rows(run, _at(data, np.uint8), chosen, n, zeros)
    elif source == _FLOATS:
        _gather_rows(run, _at(data, np.float32), chosen, n, zeros)
    else:
        _gather_rows(run, _at(data, np.float64), chosen, n, zeros)


@_core
def _gather_rows(run, data, chosen, n, zeros):
    if run.listed:
        _gather_listed(run, data, chosen, n, zeros)
    else:
        _gather(run, data, chosen, n)


@_core
def _prepare(real, addresses, layers, part, thread, threads):
    """A thread's _Run and its _Zeros, in its part of the workspace."""
    program, plan = _at(addresses[0], np.int64), _at(addresses[1], np.int64)
    settings, choices = _at(addresses[2], np.float64), _at(addresses[3], np.int64)
    work, sync = _at(addresses[4], type(real)), _at(addresses[5], np.int64)
    batch, features = choices[_BATCH], choices[_FEATURES]
    x = _shift(work, choices[_X] + part * choices[_X_STRIDE])
    scratch = _shift(x, _whole(batch * features, 16))
    listed = choices[_SKIP] != 0 and program[_KIND] == _DENSE
    chosen = _at(_shift(scratch, _SCRATCH), np.int64)
    rows = _shift(chosen, batch)
    run = _Run(
        program, plan, layers, settings, choices, work, thread, threads, sync, x, scratch, listed,
        rows, chosen, 0, 0,
    )  # fmt: skip
    groups, blocks = (batch + _GROUP - 1) // _GROUP, (features + _BLOCK - 1) // _BLOCK
    for r in range(batch):
        rows[r] = r  # all of them, but in backward
    samples = _shift(rows, batch)
    columns = _at(_shift(samples, groups * features), np.int32)
    used = _shift(columns, groups * features)
    bounds = _shift(used, groups + _GROUP + 2)
    index = _shift(bounds, batch * (blocks + 1))
    return run, _Zeros(samples, columns, used, groups, bounds, index)


@_jit
def _train_steps(real, addresses, layers, count, thread, first, last):
    """See train_steps; real is a number of the network's dtype, count that of the samples."""
    before = _flush_denormals()
    choices, order = _at(addresses[3], np.int64), _at(addresses[9], np.int64)
    run, zeros = _prepare(real, addresses, layers, thread, thread, choices[_THREADS])
    labels, values = _at(addresses[7], np.int64), _at(addresses[8], type(real))
    losses, batch, step = _at(addresses[10], np.float64), choices[_BATCH], first
    while step < last:
        n, chosen = min(batch, count - step * batch), _shift(order, step * batch)
        _batch(run, addresses[6], chosen, n, zeros)
        if run.listed:
            _sort_columns(run, n, zeros)
        # Some may still read what the last step left in y.
        if not _meet(run) or not _train_step(
            _during(run, step, 0), choices[_STEPS] + step + 1, n, addresses[6], chosen, zeros,
            labels, values, _shift(losses, step),
        ):  # fmt: skip
            break
        for r in range(n):
            run.rows[r] = r
        step += 1
    _floating_mode(before)
    return step


@_jit
def _forward_samples(real, addresses, layers, thread, first, last):
    """See forward_samples."""
    before = _flush_denormals()
    run, zeros = _prepare(real, addresses, layers, thread, 0, 1)
    chosen = run.samples
    scores, batch = _at(addresses[7], type(real)), run.choices[_BATCH]
    o, width = _program(run, layers - 1, _OUTPUTS), _plan(run, layers - 1, _WIDTH)
    y = _place(run, layers - 1, _Y)
    for start in range(first, last, batch):
        n = min(batch, last - start)
        for r in range(n):
            chosen[r] = start + r
        _batch(run, addresses[6], chosen, n, zeros)
        for layer in range(layers):
            _forward_layer(run, layer, n, zeros)
        for r in range(n):
            for j in range(o):
                scores[(start + r) * o + j] = y[r * width + j]
    _floating_mode(before)


# Rows on images, of programs that have them. Threads share a batch by its samples: a thread takes
# _SAMPLES of them at a time, a block, through all rows, forth and back. Within a block images lie
# (column, sample), where a column is one (c, h, w), so that whole vectors run over samples whatever
# the sizes of images and windows. From FLATTEN on a sample is a row again, as in other programs.
#
# A thread has weights of its own, a copy of all of them, and of a block whatever comes before
# FLATTEN. What the steps of the weights are made of lies where all see it: x and dy of dense layers
# for the whole batch, and sums of a convolution's dw and db over segments of the batch, in which
# the blocks are added in order. So threads meet once a step, and then each takes the same steps.
# There are two of what is shared, for odd and even steps: some still read the one when others
# write the other. Columns of the plan: INPUT says where an image row's input lies, with a border
# for a padded convolution; SUMS where the sums, or dy of the batch; of rows behind images INPUT
# is y of the batch. ORIGIN is where the first thread's weights lie, and in FLATTEN the losses.

_TILE = (4, 2, 1) if _VECTOR_BYTES == 64 else (2, 1)  # rows and columns of the tiles below
_IN_PLACE = _RELU, _ELU, _TANH, _SIGMOID, _DROPOUT
_STRIP = 24 << 10  # bytes of dy that stay in the nearest cache while dw is summed


@contextlib.contextmanager
def _loops(builder, v, counts):
    """Nested loops; gives their indices."""
    with contextlib.ExitStack() as stack:
        loops = [cgutils.for_range(builder, n, intp=v.intp) for n in counts]
        yield [stack.enter_context(loop).index for loop in loops]


@contextlib.contextmanager
def _if_equal(builder, v, a, b):
    with builder.if_then(builder.icmp_signed("==", a, v.number(b))):
        yield


@numba.extending.intrinsic
def _correlate(typing, rows, columns, counts, a, a_strides, b, b_strides, start, c, c_strides):
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
        with _loops(builder, v, counts) as indices:
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
def _add_gradient(typing, rows, columns, counts, a, a_strides, b, b_strides, c, c_row):
    """c[i, j] += the sum over k, l < counts and samples of a[i, k, l] * b[j, k, l].

    a and b hold vectors of samples. Without columns b counts as 1.
    """

    def emit(context, builder, v, m, n, values):
        _, _, counts, a, (a_row, *a_s), b, (b_column, *b_s), c, c_row = values
        sums = {(i, j): v.variable() for i in range(m) for j in range(max(n, 1))}
        with _loops(builder, v, counts) as indices:
            at_a, at_b = (
                v.where(p, *zip(indices, s, strict=True)) for p, s in ((a, a_s), (b, b_s))
            )
            for part in range(_SAMPLES // v.lanes):
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


def _tiles(emit, *arguments, columns_of=_TILE):
    """An intrinsic that emits a tile for each size, and chooses among them when it runs."""

    def generate(context, builder, signature, values):
        v = _Vectors(context, builder, signature.args[3])
        values = [
            cgutils.unpack_tuple(builder, value) if isinstance(type_, types.BaseTuple)
            else None if type_ == types.none
            else value
            for type_, value in zip(signature.args, values, strict=True)
        ]  # fmt: skip
        for m in _TILE:
            with _if_equal(builder, v, values[0], m):
                for n in columns_of:
                    with _if_equal(builder, v, values[1], n):
                        emit(context, builder, v, m, n, values)
        return context.get_dummy_value()

    return _void(*arguments), generate


@numba.extending.intrinsic
def _pool(typing, counts, x, strides, size, y):
    """y = the maximum of a window, or, unless size is None, its sum over size; of vectors."""

    def generate(context, builder, signature, values):
        v = _Vectors(context, builder, signature.args[1], _SAMPLES)
        counts, strides = (cgutils.unpack_tuple(builder, values[i]) for i in (0, 2))
        if signature.args[3] == types.none:
            v.store(_first_largest(builder, v, counts, values[1], strides)[0], values[4])
            return context.get_dummy_value()
        total = v.variable()
        with _loops(builder, v, counts) as indices:
            value = v.load(v.where(values[1], *zip(indices, strides, strict=True)))
            builder.store(builder.fadd(builder.load(total), value), total)
        v.store(builder.fdiv(builder.load(total), v.everywhere(values[3])), values[4])
        return context.get_dummy_value()

    return _void(counts, x, strides, size, y), generate


@numba.extending.intrinsic
def _pool_back(typing, counts, x, strides, size, overlap, dy, dx):
    """From dy of a window its dx, to which it adds if windows overlap; x is None if size is not."""

    def generate(context, builder, signature, values):
        v = _Vectors(context, builder, signature.args[5], _SAMPLES)
        counts, strides = (cgutils.unpack_tuple(builder, values[i]) for i in (0, 2))
        dy, largest, none = v.load(values[5]), None, llvmlite.ir.Constant(v.type, None)
        if signature.args[3] == types.none:
            _, largest = _first_largest(builder, v, counts, values[1], strides)
        else:
            dy = builder.fdiv(dy, v.everywhere(values[3]))
        with _loops(builder, v, counts) as indices:
            place = v.where(values[6], *zip(indices, strides, strict=True))
            share, before = dy, builder.select(values[4], v.load(place), none)
            if largest is not None:
                number = v.everywhere(_number_in_window(builder, v, counts, indices))
                chosen = builder.icmp_signed("==", largest, number)
                share = builder.select(chosen, dy, none)
            v.store(builder.fadd(before, share), place)
        return context.get_dummy_value()

    return _void(counts, x, strides, size, overlap, dy, dx), generate


def _first_largest(builder, v, counts, x, strides):
    """The maximum of a window, or its first NaN, and which of the window's elements it is."""
    best = v.variable(v.load(x))
    which = v.variable(llvmlite.ir.Constant(v.words, None))
    with _loops(builder, v, counts) as indices:
        value, old = v.load(v.where(x, *zip(indices, strides, strict=True))), builder.load(best)
        larger = builder.and_(
            builder.fcmp_unordered(">", value, old), builder.fcmp_ordered("ord", old, old)
        )
        number = v.everywhere(_number_in_window(builder, v, counts, indices))
        builder.store(builder.select(larger, value, old), best)
        builder.store(builder.select(larger, number, builder.load(which)), which)
    return builder.load(best), builder.load(which)


def _number_in_window(builder, v, counts, indices):
    number = builder.add(builder.mul(indices[0], counts[1]), indices[1])
    return number if v.words.element == v.intp else builder.trunc(number, v.words.element)


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


@_core
def _windows(run, layer):
    at = _shift(run.program, layer * _COLUMNS + _CHANNELS)
    return _Windows(
        at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11]
    )


@_core
def _tile_of(left, most):
    """The size of the next tile, where so many rows or columns are left."""
    return most if left >= most else 2 if left >= 2 else 1


@_core
def _forward_conv(run, layer):
    """A convolution of a block whose input has a border, so that windows need no bounds."""
    s, w = _windows(run, layer), _place(run, layer, _W)
    x, y = _place(run, layer, _INPUT), _place(run, layer, _Y)
    wide, plane, lanes = s.w + 2 * s.left, s.i * s.j * _SAMPLES, _lanes(w[0])
    x_plane, weights = (s.h + 2 * s.top) * wide * _SAMPLES, s.c * s.kh * s.kw
    for i in range(s.i):
        j = 0
        while j < s.j:
            n, o = _tile_of(s.j - j, _TILE[0]), 0
            x_ij = _shift(x, (i * s.down * wide + j * s.right) * _SAMPLES)
            while o < s.o:
                m = _tile_of(s.o - o, _TILE[0])
                y_ij = _shift(y, o * plane + (i * s.j + j) * _SAMPLES)
                for part in range(0, _SAMPLES, lanes):
                    _correlate(
                        m, n, (s.c, s.kh, s.kw), _shift(w, o * weights),
                        (weights, s.kh * s.kw, s.kw, 1), _shift(x_ij, part),
                        (s.right * _SAMPLES, x_plane, wide * _SAMPLES, _SAMPLES),
                        _shift(w, s.o * weights + o), _shift(y_ij, part), (plane, _SAMPLES),
                    )  # fmt: skip
                o += m
            j += n


@_core
def _met(at, kernel, stride, outputs):
    """Of the windows that meet a row or column: the first one's element, its number, how many.

    The next one is the one before it, whose element is `stride` further on.
    """
    late = max(at // stride - (outputs - 1), 0)
    first, number = at % stride + late * stride, at // stride - late
    return first, number, max(min(number + 1, (kernel - first + stride - 1) // stride), 0)


@_inline
def _backward_conv_input(run, layer):
    """From dy of a block dy of the row before, where windows meet neighbours alike many at once.

    Neighbours are columns, or, at the borders to the left and right, rows.
    """
    s, w = _windows(run, layer), 0
    while w < s.w:
        columns = _alike(w, s.w - w, s.kw, s.right, s.left, s.j)
        h = 0
        while h < s.h:
            rows = 1
            if columns == 1:
                rows = _alike(h, s.h - h, s.kh, s.down, s.top, s.i)
            _backward_tile(run, layer, s, h, w, rows * columns, s.w if columns == 1 else 1)
            h += rows
        w += columns


@_core
def _backward_tile(run, layer, s, h, w, n, step):
    """n columns, or rows where a step is a whole row, from (h, w) on, of all channels."""
    dx, dy, weights = _place(run, layer - 1, _DY), _place(run, layer, _DY), _place(run, layer, _W)
    k, i, rows = _met(h + s.top, s.kh, s.down, s.i)
    p, j, columns = _met(w + s.left, s.kw, s.right, s.j)
    line, plane, dx_plane = s.j * _SAMPLES, s.i * s.j * _SAMPLES, s.h * s.w * _SAMPLES
    window, c, lanes = s.kh * s.kw, 0, _lanes(dx[0])
    beside = _SAMPLES if step == 1 else line
    while c < s.c:
        m = _tile_of(s.c - c, _TILE[0])
        for part in range(0, _SAMPLES, lanes):
            _correlate(
                m, n, (rows, columns, s.o), _shift(weights, c * window + k * s.kw + p),
                (window, s.down * s.kw, s.right, s.c * window),
                _shift(dy, i * line + j * _SAMPLES + part), (beside, -line, -_SAMPLES, plane), None,
                _shift(dx, c * dx_plane + (h * s.w + w) * _SAMPLES + part),
                (dx_plane, step * _SAMPLES),
            )  # fmt: skip
        c += m


@_core
def _alike(at, left, kernel, stride, padding, outputs):
    """How many columns (or rows) from `at` on are met alike, each by the next windows."""
    n = _tile_of(left, _TILE[0])
    first, number, count = _met(at + padding, kernel, stride, outputs)
    while n > 1:
        if (first, number + n - 1, count) == _met(at + n - 1 + padding, kernel, stride, outputs):
            break
        n //= 2
    return n


@_inline
def _backward_conv(run, layer, sums):
    """Add a block's part of dw and db to sums, a strip of dy's rows after another."""
    s, x, dy = _windows(run, layer), _place(run, layer, _INPUT), _place(run, layer, _DY)
    plane, weights, row = s.i * s.j * _SAMPLES, s.c * s.kh * s.kw, s.j * _SAMPLES
    strips = min(s.i, 1 + _TILE[0] * plane * _VECTOR_BYTES // (_lanes(dy[0]) * _STRIP))
    o = 0
    while o < s.o:
        m = _tile_of(s.o - o, _TILE[0])
        for strip in range(strips):
            first = s.i * strip // strips
            rows, dy_o = s.i * (strip + 1) // strips - first, _shift(dy, o * plane + first * row)
            _add_gradient(
                m, 0, (rows, s.j), dy_o, (plane, row, _SAMPLES), dy_o, (0, 0, 0),
                _shift(sums, s.o * weights + o), 1,
            )  # fmt: skip
            _add_weights(s, m, rows, dy_o, x, first, _shift(sums, o * weights))
        o += m


@_core
def _add_weights(s, m, rows, dy, x, first, sums):
    """For m channels of dy, from its row `first` on."""
    wide, plane, weights = s.w + 2 * s.left, s.i * s.j * _SAMPLES, s.c * s.kh * s.kw
    for c in range(s.c):
        for k in range(s.kh):
            p = 0
            while p < s.kw:
                n = 3 if s.kw - p == 3 or s.kw - p > 4 else _tile_of(s.kw - p, 2)
                start = (c * (s.h + 2 * s.top) + first * s.down + k) * wide + p
                _add_gradient(
                    m, n, (rows, s.j), dy, (plane, s.j * _SAMPLES, _SAMPLES),
                    _shift(x, start * _SAMPLES),
                    (_SAMPLES, s.down * wide * _SAMPLES, s.right * _SAMPLES),
                    _shift(sums, (c * s.kh + k) * s.kw + p), weights,
                )  # fmt: skip
                p += n


@_core
def _within(i, kernel, stride, padding, size):
    """Where a window starts, and how long it is, without the border."""
    start = i * stride - padding
    return max(start, 0), min(start + kernel, size) - max(start, 0)


@_core
def _pool_images(run, layer, forth):
    """A pooling row of a block, forth or back."""
    s, maximum = _windows(run, layer), _program(run, layer, _KIND) == _MAX_POOL
    size = type(run.work[0])(s.kh * s.kw)
    x, dx = _place(run, layer, _INPUT), _place(run, layer - 1, _DY) if layer else run.work
    strides = s.w * _SAMPLES, _SAMPLES
    overlap = s.down < s.kh or s.right < s.kw
    gaps = s.top + s.left > 0 or s.i * s.kh < s.h or s.j * s.kw < s.w
    if not forth and (overlap or gaps):
        _fill(dx, s.c * s.h * s.w * _SAMPLES, 0)  # else windows fill it
    for c in range(s.c):
        for i in range(s.i):
            h, rows = _within(i, s.kh, s.down, s.top, s.h)
            for j in range(s.j):
                w, columns = _within(j, s.kw, s.right, s.left, s.w)
                at = ((c * s.h + h) * s.w + w) * _SAMPLES
                behind = ((c * s.i + i) * s.j + j) * _SAMPLES
                y = _shift(_place(run, layer, _Y), behind)
                dy = _shift(_place(run, layer, _DY), behind)
                if forth and maximum:
                    _pool((rows, columns), _shift(x, at), strides, None, y)
                elif forth:
                    _pool((rows, columns), _shift(x, at), strides, size, y)
                elif maximum:
                    _pool_back(
                        (rows, columns), _shift(x, at), strides, None, overlap, dy, _shift(dx, at)
                    )
                else:
                    _pool_back((rows, columns), None, strides, size, overlap, dy, _shift(dx, at))


@_core
def _fill(x, n, value):
    for i in range(n):
        x[i] = value


@_core
def _copy(x, y, n):
    for i in range(n):
        y[i] = x[i]


@_core
def _apart(run, x, y, n):
    """x, or a copy of it where it is y: loops over what is the same use no vectors."""
    if x != y:
        return _shift(run.work, x)
    _copy(_shift(run.work, x), run.scratch, n)
    return run.scratch


@_inline
def _elements_forth(run, layer):
    """An elementwise row of a block."""
    x, y, n = _plan(run, layer, _INPUT), _plan(run, layer, _Y), _program(run, layer, _OUTPUTS)
    if _program(run, layer, _KIND) == _DROPOUT:
        _drop_block(run, layer, _shift(run.work, x), _shift(run.work, y))
        return
    for start in range(0, n * _SAMPLES, _SCRATCH):
        count = min(_SCRATCH, n * _SAMPLES - start)
        x_part = _apart(run, x + start, y + start, count)
        _activate(run, layer, x_part, _shift(run.work, y + start), count)


@_inline
def _elements_back(run, layer):
    """From dy of an elementwise row dy of the row before."""
    dy, dx, n = _plan(run, layer, _DY), _plan(run, layer - 1, _DY), _program(run, layer, _OUTPUTS)
    x, y = _place(run, layer, _INPUT), _place(run, layer, _Y)
    if _program(run, layer, _KIND) == _DROPOUT:
        _drop_block(run, layer, _shift(run.work, dy), _shift(run.work, dx))
        return
    for start in range(0, n * _SAMPLES, _SCRATCH):
        count = min(_SCRATCH, n * _SAMPLES - start)
        dy_part = _apart(run, dy + start, dx + start, count)
        _activate_back(
            run, layer, _shift(x, start), _shift(y, start), dy_part,
            _shift(run.work, dx + start), count,
        )  # fmt: skip


@_core
def _drop_block(run, layer, x, y):
    """Dropout of a block of images, or of their gradients."""
    limit, factor = _dropout_numbers(run.settings[_ALPHAS + layer], y[0])
    seed, step = _program(run, layer, _SEED), _program(run, layer, _MASKS) + run.step
    columns = _program(run, layer, _OUTPUTS)
    for column in range(0, columns, 4):
        _drop_rows(
            limit, factor, seed, step, run.row, column // 4, columns - column,
            _shift(x, column * _SAMPLES), _shift(y, column * _SAMPLES),
        )  # fmt: skip


@_inline
def _forward_images(run, layer):
    """One image row of a block."""
    kind = _program(run, layer, _KIND)
    if kind == _CONV:
        if layer and _plan(run, layer, _INPUT) != _plan(run, layer - 1, _Y):
            s = _windows(run, layer)
            _into_border(_place(run, layer - 1, _Y), s, _place(run, layer, _INPUT))
        _forward_conv(run, layer)
    elif kind in (_MAX_POOL, _AVG_POOL):
        _pool_images(run, layer, True)
    else:
        _elements_forth(run, layer)


@_core
def _into_border(x, s, y):
    """y = x, within a border that is there already."""
    wide, row = s.w + 2 * s.left, s.w * _SAMPLES
    for c in range(s.c):
        for h in range(s.h):
            at = (c * (s.h + 2 * s.top) + s.top + h) * wide + s.left
            _copy(_shift(x, (c * s.h + h) * row), _shift(y, at * _SAMPLES), row)


@_inline
def _backward_images(run, layer, segment, first):
    """From dy of an image row dy of the row before, unless it is the first with weights."""
    kind = _program(run, layer, _KIND)
    if kind == _CONV:
        _backward_conv(run, layer, _segment_sums(run, layer, segment))
    if layer == first:
        return
    if kind == _CONV:
        _backward_conv_input(run, layer)
    elif kind in (_MAX_POOL, _AVG_POOL):
        _pool_images(run, layer, False)
    else:
        _elements_back(run, layer)


@_core
def _weights_of(run, layer):
    """How many parameters a convolution has."""
    s = _windows(run, layer)
    return s.o * (s.c * s.kh * s.kw + 1)


@_core
def _segment_sums(run, layer, segment):
    """Where a segment's sums of a convolution's dw and db lie, of the step at hand."""
    number = run.step % 2 * run.choices[_SEGMENTS] + segment
    return _shift(_place(run, layer, _SUMS), number * _whole(_weights_of(run, layer), _SAMPLES))


@_core
def _flatten(run, layer, n):
    """A block's images as rows."""
    x, y, y_row = _place(run, layer - 1, _Y), _place(run, layer, _Y), _plan(run, layer, _WIDTH)
    for r in range(n):
        for column in range(_program(run, layer, _OUTPUTS)):
            y[r * y_row + column] = x[column * _SAMPLES + r]


@_core
def _unflatten(run, layer, n):
    """The rows' gradients as those of images; of samples that are not there, 0."""
    dy, dx, dy_row = _place(run, layer, _DY), _place(run, layer - 1, _DY), _plan(run, layer, _WIDTH)
    for column in range(_program(run, layer, _OUTPUTS)):
        for r in range(_SAMPLES):
            dx[column * _SAMPLES + r] = dy[r * dy_row + column] if r < n else 0


@_core
def _gather_images(run, data, chosen, n):
    """A block's samples, columns outside; in place of samples that are not there, the last one."""
    features, scale = run.choices[_FEATURES], type(run.x[0])(run.settings[_SCALE])
    s, x, column = _windows(run, 0), _place(run, 0, _INPUT), 0
    rows = _at(run.scratch, np.int64)
    for r in range(_SAMPLES):
        rows[r] = chosen[min(r, n - 1)] * features
    bordered = s.top + s.left > 0 and _program(run, 0, _KIND) == _CONV
    while column < features:
        count, at = features, 0
        if bordered:
            count, line = s.w, column // s.w
            at = ((line // s.h * 2 + 1) * s.top + line) * (s.w + 2 * s.left) + s.left
        for j in range(count):
            x_j = _shift(x, (at + j) * _SAMPLES)
            for r in range(_SAMPLES):
                x_j[r] = type(scale)(data[rows[r] + column + j]) * scale
        column += count


@_inline
def _gather_block(run, data, chosen, n):
    """Of whatever the data's elements are."""
    source = run.choices[_SOURCE]
    if source == _BYTES:
        _gather_images(run, _at(data, np.uint8), chosen, n)
    elif source == _FLOATS:
        _gather_images(run, _at(data, np.float32), chosen, n)
    else:
        _gather_images(run, _at(data, np.float64), chosen, n)


@_core
def _find_kind(run, kind):
    """The first row of a kind, or how many rows there are."""
    layer = 0
    while layer < run.layers and _program(run, layer, _KIND) != kind:
        layer += 1
    return layer


@_core
def _show_rows(run, layer, row):
    """Let y and dy of the rows from FLATTEN on start at this sample of the batch."""
    batch = run.choices[_BATCH]
    for at in range(layer, run.layers):
        start = (run.step % 2 * batch + row) * _plan(run, at, _WIDTH)
        run.plan[at * _PLAN_COLUMNS + _Y] = _plan(run, at, _INPUT) + start
        run.plan[at * _PLAN_COLUMNS + _DY] = _plan(run, at, _SUMS) + start


@_inline
def _forward_block(run, data, flatten, chosen, n):
    """The scores of a block of samples."""
    _gather_block(run, data, chosen, n)
    for layer in range(flatten):
        _forward_images(run, layer)
    _show_rows(run, flatten, run.row)
    _flatten(run, flatten, n)
    for layer in range(flatten + 1, run.layers):
        if _program(run, layer, _KIND) == _DENSE:
            _forward_dense(run, layer, n)
        else:
            _forward_elements(run, layer, n)


@_inline
def _backward_block(run, flatten, first, segment, n):
    """From the gradients of a block's scores all that the steps of the weights are made of."""
    for layer in range(run.layers - 1, flatten, -1):
        _backward_layer(run, layer, n)
        if _program(run, layer, _KIND) == _DENSE:
            _scale_gradient(run, layer, n)
    if first < flatten:
        _unflatten(run, flatten, n)
        for layer in range(flatten - 1, first - 1, -1):
            _backward_images(run, layer, segment, first)


@_inline
def _train_segment(run, addresses, flatten, first, segment, chosen, n):
    """Forward, loss and backward of the blocks of a segment of a batch of n."""
    labels, values = _at(addresses[7], np.int64), _at(addresses[8], type(run.work[0]))
    losses, (first_block, last_block) = _losses(run, flatten), _blocks_of(run, segment, n)
    for layer in range(flatten):
        if _program(run, layer, _KIND) == _CONV:
            _fill(_segment_sums(run, layer, segment), _weights_of(run, layer), 0)
    for block in range(first_block, last_block):
        row = block * _SAMPLES
        here, count = _during(run, run.step, row), min(_SAMPLES, n - row)
        _forward_block(here, addresses[6], flatten, _shift(chosen, row), count)
        for r in range(count):
            losses[row + r] = _loss_of_row(here, r, n, chosen[row + r], labels, values)
        _backward_block(here, flatten, first, segment, count)


@_core
def _blocks_of(run, segment, n):
    """The blocks that a segment of a batch of n has, from the first to before the last."""
    blocks, segments = (n + _SAMPLES - 1) // _SAMPLES, run.choices[_SEGMENTS]
    return blocks * segment // segments, blocks * (segment + 1) // segments


@_core
def _losses(run, flatten):
    """Where the losses of the batch's samples are."""
    losses = _at(_place(run, flatten, _ORIGIN), np.float64)
    return _shift(losses, run.step % 2 * run.choices[_BATCH])


@_core
def _mean_loss(run, flatten, n):
    losses, total = _losses(run, flatten), 0.0
    for r in range(n):
        total += losses[r]
    return total / _terms(run, n)


@_core
def _update_conv(run, step, layer):
    """A step of a convolution's w and b, from the sums of all segments in their order."""
    (to_m, to_v), g = _to_memory(run, layer), run.scratch
    weights, w = _weights_of(run, layer), _place(run, layer, _W)
    for start in range(0, weights, _SCRATCH):
        count = min(_SCRATCH, weights - start)
        _fill(g, count, 0)
        for segment in range(run.choices[_SEGMENTS]):
            sums = _shift(_segment_sums(run, layer, segment), start)
            for i in range(count):
                g[i] += sums[i]
        if run.choices[_OPTIMIZER] == _PLAIN:
            _sgd(g, type(g[0])(run.settings[_LR]), _shift(w, start), count)
        else:
            _optimize(run, step, g, _shift(w, start), to_m, to_v, count)


@_inline
def _update_all(run, step, flatten, n):
    """A step of this thread's copy of all weights."""
    _show_rows(run, flatten, 0)
    for layer in range(run.layers):
        if _program(run, layer, _KIND) == _CONV:
            _update_conv(run, step, layer)
        elif _program(run, layer, _KIND) == _DENSE:
            _update_dense(run, step, layer, n)


@_inline
def _copy_weights(run):
    """Take over what the first thread has, which alone took part in every step so far."""
    for layer in range(run.layers):
        kind, way = _program(run, layer, _KIND), _plan(run, layer, _ORIGIN) - _plan(run, layer, _W)
        size = _weights_of(run, layer)
        if kind == _DENSE:
            row = _plan(run, layer - 1, _WIDTH)
            size = _plan(run, layer, _WIDTH) + row * _whole(_program(run, layer, _OUTPUTS), 4)
        if kind in (_DENSE, _CONV):
            for part in range(run.choices[_STATES] + 1):
                place = _place(run, layer, _W + part)
                _copy(_shift(place, way), place, size)


@_jit
def _train_images(real, addresses, layers, count, thread, first, last):
    """See train_steps; real is a number of the network's dtype, count that of the samples."""
    before = _flush_denormals()
    choices, order = _at(addresses[3], np.int64), _at(addresses[9], np.int64)
    threads, batch, step = choices[_THREADS], choices[_BATCH], first
    team, _ = _prepare(real, addresses, layers, thread, thread, threads)
    run, _ = _prepare(real, addresses, layers, thread, 0, 1)  # all columns are this thread's
    losses, segments = _at(addresses[10], np.float64), choices[_SEGMENTS]
    flatten, lowest = _find_kind(run, _FLATTEN), _find_kind(run, _CONV)
    if thread:
        _copy_weights(run)  # nobody writes them before all have met
    while step < last:
        n, chosen = min(batch, count - step * batch), _shift(order, step * batch)
        here = _during(run, step, 0)
        for segment in range(segments * thread // threads, segments * (thread + 1) // threads):
            _train_segment(here, addresses, flatten, lowest, segment, chosen, n)
        if not _meet(team):
            break
        loss = _mean_loss(here, flatten, n)
        if thread == 0:
            losses[step] = loss
        if loss - loss != 0:  # NaN or infinite
            break
        _update_all(here, choices[_STEPS] + step + 1, flatten, n)
        step += 1
    _floating_mode(before)
    return step


@_jit
def _forward_images_of(real, addresses, layers, thread, first, last):
    """See forward_samples."""
    before = _flush_denormals()
    run, _ = _prepare(real, addresses, layers, thread, 0, 1)
    chosen = run.samples
    scores, flatten = _at(addresses[7], type(real)), _find_kind(run, _FLATTEN)
    o, width = _program(run, layers - 1, _OUTPUTS), _plan(run, layers - 1, _WIDTH)
    for start in range(first, last, _SAMPLES):
        n = min(_SAMPLES, last - start)
        for r in range(n):
            chosen[r] = start + r
        _forward_block(run, addresses[6], flatten, chosen, n)
        y = _place(run, layers - 1, _Y)
        for r in range(n):
            _copy(_shift(y, r * width), _shift(scores, (start + r) * o), o)
    _floating_mode(before)


@_core
def _pack_layer(forth, layer, inputs, outputs, row, width, unit, params, work):
    """Bring a dense layer's w and b, which follow each other, into the engine's order, or back.

    row is the width of what comes in, which lies transposed in all layers but the first.
    """
    for k in range(inputs):
        for j in range(outputs):
            p = j // unit * unit
            at = j * row + k if layer else p * inputs + k * min(unit, width - p) + j - p
            if forth:
                work[at] = params[k * outputs + j]
            else:
                params[k * outputs + j] = work[at]
    b = row * _whole(outputs, 4) if layer else inputs * width
    for j in range(outputs):
        if forth:
            work[b + j] = params[inputs * outputs + j]
        else:
            params[inputs * outputs + j] = work[b + j]


@_jit
def _pack(real, forth, program, plan, part, params, work):
    for layer in range(program.shape[0]):
        if program[layer, _KIND] == _DENSE:
            _pack_layer(
                forth, layer, program[layer, _INPUTS], program[layer, _OUTPUTS],
                plan[layer - 1, _WIDTH], plan[layer, _WIDTH], _lanes(real) * _PANEL,
                params[program[layer, _PARAMS] :], work[plan[layer, _W + part] :],
            )  # fmt: skip
        elif program[layer, _KIND] == _CONV:
            count = program[layer, _OUT_CHANNELS] + program[layer, _OUT_CHANNELS] * (
                program[layer, _CHANNELS] * program[layer, _KERNEL] * program[layer, _KERNEL + 1]
            )
            own = params[program[layer, _PARAMS] :][:count]
            if forth:
                work[plan[layer, _W + part] :][:count] = own
            else:
                own[:] = work[plan[layer, _W + part] :][:count]


def engine_plan(program, batch, states, segments, params, plan):
    """lay out the workspace, for each thread; returns its size in elements"""
    if _FLATTEN in program[:, _KIND]:
        return _plan_images(program, batch, states, segments, params.itemsize, plan)
    lanes, size = max(_VECTOR_BYTES // params.itemsize, 4), 0
    for layer, (kind, inputs, outputs, *_) in enumerate(program.tolist()):
        width = -(-outputs // lanes) * lanes
        plan[:, layer, _WIDTH] = width
        for part in range(3):
            plan[:, layer, _W + part] = size
            if kind == _DENSE and part <= states:
                row = int(plan[0, layer - 1, _WIDTH]) if layer else inputs
                size += width + (-(-outputs // 4) * 4 * row if layer else width * inputs)
    for thread in range(len(plan)):
        if thread and segments > 1:  # threads that train together share what they compute
            plan[thread] = plan[0]
            continue
        for layer in range(len(program)):
            room = int(plan[thread, layer, _WIDTH]) * batch
            plan[thread, layer, _Y:_W] = size, size + room
            size += 2 * room
    return size


class _Room:
    """Gives out parts of the workspace, each on cache lines of its own."""

    size = 0

    def take(self, elements):
        start, self.size = self.size, self.size + -(-int(elements) // 16) * 16
        return start


def _plan_images(program, batch, states, segments, itemsize, plan):
    """engine_plan for programs with images."""
    room, flatten = _Room(), program[:, _KIND].tolist().index(_FLATTEN)
    lanes = max(_VECTOR_BYTES // itemsize, 4)
    plan[:, :, _WIDTH] = -(-program[:, _OUTPUTS] // lanes) * lanes
    for thread, own in enumerate(plan):
        room.take(-room.size % 1024)  # no two threads' weights share a page
        if thread == 0 or segments > 1:
            _plan_weights(room, program, states, own)
        _plan_block(room, program[:flatten], own)
        if thread and segments > 1:  # threads that train together
            own[flatten:, _INPUT : _ORIGIN + 1] = plan[0, flatten:, _INPUT : _ORIGIN + 1]
            own[:flatten, _SUMS] = plan[0, :flatten, _SUMS]
        else:
            _plan_batch(room, program, flatten, batch, segments, own)
            own[flatten, _ORIGIN] = room.take(2 * batch * 8 // itemsize)
        own[:flatten, _ORIGIN] = plan[0, :flatten, _W]
        own[flatten + 1 :, _ORIGIN] = plan[0, flatten + 1 :, _W]
    return room.size


def _plan_weights(room, program, states, plan):
    """One thread's copy of all weights, and of what the optimiser remembers of them."""
    for part in range(states + 1):
        for layer, row in enumerate(program):
            plan[layer, _W + part] = room.size
            if row[_KIND] == _DENSE:
                outputs = -(-row[_OUTPUTS] // 4) * 4
                room.take(plan[layer, _WIDTH] + outputs * plan[layer - 1, _WIDTH])
            elif row[_KIND] == _CONV:
                room.take(_weights_in(row))


def _weights_in(row):
    window = row[_CHANNELS] * row[_KERNEL] * row[_KERNEL + 1]
    return row[_OUT_CHANNELS] * (window + 1)


def _plan_block(room, program, plan):
    """One thread's block of images, row by row; what is elementwise lies in its input's place."""
    windows = _CONV, _MAX_POOL, _AVG_POOL
    for layer, row in enumerate(program):
        bordered = row[_KIND] == _CONV and row[_PADDING : _PADDING + 2].any()
        c, h, w, top, left = row[[_CHANNELS, _HEIGHT, _IMAGE_WIDTH, _PADDING, _PADDING + 1]]
        inputs = c * (h + 2 * top) * (w + 2 * left) if bordered else row[_INPUTS]
        fresh = layer == 0 or bordered
        plan[layer, _INPUT] = room.take(inputs * _SAMPLES) if fresh else plan[layer - 1, _Y]
        if layer and program[layer - 1, _KIND] in windows and row[_KIND] in _IN_PLACE:
            plan[layer, [_Y, _DY]] = plan[layer - 1, [_Y, _DY]]
        else:
            plan[layer, [_Y, _DY]] = [room.take(row[_OUTPUTS] * _SAMPLES) for _ in range(2)]


def _plan_batch(room, program, flatten, batch, segments, plan):
    """What threads share: y and dy of rows behind images, and the sums of convolutions."""
    for layer, row in enumerate(program):
        if layer >= flatten:
            size = 2 * batch * plan[layer, _WIDTH]
            plan[layer, [_INPUT, _SUMS]] = room.take(size), room.take(size)
        elif row[_KIND] == _CONV:
            plan[layer, _SUMS] = room.take(2 * segments * -(-_weights_in(row) // 16) * 16)


def engine_pack(program, plan, part, params, work):
    """bring the flat params into part W (0), M (1) or V (2) of work"""
    if not params.flags.writeable:  # one function goes both ways, so Numba wants to write to it
        params = params.copy()
    _pack(params.dtype.type(0), True, program, plan, part, params, work)


def engine_unpack(program, plan, part, work, params):
    """bring part W (0), M (1) or V (2) of work back into flat params"""
    _pack(params.dtype.type(0), False, program, plan, part, params, work)


def train_steps(
    program, plan, settings, choices, data, labels, values, order, thread, first, last,
    work, losses, sync,
):  # fmt: skip
    """run the steps first..last of an epoch as one of its threads; returns the first not done"""
    arrays = program, plan, settings, choices, work, sync, data, labels, values, order, losses
    real, count = work.dtype.type(0), len(order)
    run = _train_images if _FLATTEN in program[:, _KIND] else _train_steps
    return run(real, _addresses(*arrays), len(program), count, thread, first, last)


def forward_samples(program, plan, settings, choices, data, thread, first, last, work, scores):
    """write the scores of the samples first..last, alone and without waiting for anybody"""
    arrays = program, plan, settings, choices, work, choices, data, scores
    run = _forward_images_of if _FLATTEN in program[:, _KIND] else _forward_samples
    run(work.dtype.type(0), _addresses(*arrays), len(program), thread, first, last)


# Functions that users wrote. Each becomes a loop of its own, which the engine calls at its address:
# so what a user writes is compiled in a moment, and the engine not again. It is not kept on disk,
# where nobody would see that something it calls has changed.


# How Python calls it.
_POINTER = ctypes.c_void_p
_LOOP = ctypes.CFUNCTYPE(None, *(_POINTER,) * 4, ctypes.c_ssize_t)
_ROW = ctypes.CFUNCTYPE(
    ctypes.c_double, _POINTER, ctypes.c_int64, _POINTER, _POINTER, ctypes.c_ssize_t
)


class _ActivationCode(typing.NamedTuple):
    """Loops in machine code, for the engine by address, and callable from Python."""

    loops: tuple  # forward, backward

    @property
    def addresses(self):
        return tuple(loop.address for loop in self.loops)

    def forward(self, x, y):
        _LOOP(self.loops[0].address)(*_addresses(x, y, y, y), x.size)

    def backward(self, x, y, dy, dx):
        _LOOP(self.loops[1].address)(*_addresses(x, y, dy, dx), x.size)


class _LossCode(typing.NamedTuple):
    """A row's loss and gradient in machine code."""

    function: typing.Any

    @property
    def addresses(self):
        return (self.function.address,)

    def row(self, x, target, dx):
        label, row = (0, target) if isinstance(target, np.ndarray) else (int(target), x)
        address, *others = _addresses(x, row, dx)
        return _ROW(self.function.address)(address, label, *others, x.size)


def _addresses(*arrays):
    return tuple(array.ctypes.data for array in arrays)


def compile_activation(value, gradient, dtype):
    """machine code for an activation's value(x) and gradient(x, y)"""
    _numba_cache.tell(f"Numba compiles {value.__name__}")
    scalar = numba.from_dtype(dtype)
    value = _compiled(value, _RealNumbers, (scalar,))
    gradient = _compiled(gradient, _RealNumbers, (scalar, scalar))
    pointer = types.CPointer(scalar)
    compile_loop = numba.cfunc(types.void(*(pointer,) * 4, types.intp), **_OPTIONS)

    @compile_loop
    def forward(x, y, dy, dx, n):
        for i in range(n):
            y[i] = value(x[i])

    @compile_loop
    def backward(x, y, dy, dx, n):
        for i in range(n):
            dx[i] = dy[i] * gradient(x[i], y[i])

    return _ActivationCode((forward, backward))


def compile_loss(value, gradient, values, dtype):
    """machine code for a loss's value(x, target) and gradient(x, target, dx) of one row"""
    _numba_cache.tell(f"Numba compiles {value.__name__}")
    pointer = types.CPointer(numba.from_dtype(dtype))
    row = types.Array(pointer.dtype, 1, "C")
    target = row if values else types.int64
    value = _compiled(value, _NoExceptions, (row, target))
    gradient = _compiled(gradient, _NoExceptions, (row, target, row))
    compile_row = numba.cfunc(
        types.float64(pointer, types.int64, pointer, pointer, types.intp), **_OPTIONS
    )

    def of_class(x, label, target, dx, o):
        scores = numba.carray(x, (o,))
        gradient(scores, label, numba.carray(dx, (o,)))
        return value(scores, label)

    def of_values(x, label, target, dx, o):
        scores, wanted = numba.carray(x, (o,)), numba.carray(target, (o,))
        gradient(scores, wanted, numba.carray(dx, (o,)))
        return value(scores, wanted)

    return _LossCode(compile_row(of_values if values else of_class))


def _compiled(function, pipeline, arguments):
    """A user's function, with the exp and tanh of this file, of which LLVM vectorises loops."""
    fast = {"exp": _exp, "expm1": _expm1, "tanh": _tanh}
    replace = {getattr(module, name): f for module in (math, np) for name, f in fast.items()}
    for module in (math, np):
        replace[module] = types_module.ModuleType(module.__name__)
        vars(replace[module]).update(vars(module), **fast)
    jit = numba.njit(pipeline_class=pipeline, **_OPTIONS)
    dispatcher = jit(_rebind.rebind(function, replace, jit))
    try:
        dispatcher.compile(arguments)
    except numba.core.errors.NumbaError as problem:
        raise TypeError(
            f"{function.__name__}: Numba cannot compile it; mend it, or train with the numpy "
            f"backend, which calls it as it stands. Numba says:\n{problem}"
        ) from None
    return dispatcher


@numba.core.compiler_machinery.register_pass(mutates_CFG=False, analysis_only=True)
class _RefuseExceptions(numba.core.compiler_machinery.FunctionPass):
    """There is nobody to catch them."""

    _name = "fastbp_refuse_exceptions"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        for block in state.func_ir.blocks.values():
            if isinstance(block.terminator, (ir.Raise, ir.StaticRaise, ir.DynamicRaise)):
                raise numba.core.errors.UnsupportedError("it may raise an exception")
        return False


@numba.core.compiler_machinery.register_pass(mutates_CFG=False, analysis_only=False)
class _MakeNumbersReal(numba.core.compiler_machinery.FunctionPass):
    """The numbers in a function of real numbers become real ones of the same dtype.

    Else 1 - y would be computed in double precision, which takes twice as long, where y is single.
    Left alone are exponents, indices, and how often a loop runs.
    """

    _name = "fastbp_make_numbers_real"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        real = next((a for a in state.args if isinstance(a, types.Float)), None)
        body = [s for block in state.func_ir.blocks.values() for s in block.body]
        assigned = [s for s in body if isinstance(s, ir.Assign)]
        whole = _whole_numbers(state.func_ir, assigned)
        for s in assigned:
            if isinstance(s.value, (ir.Const, ir.Global, ir.FreeVar)):
                is_number = type(s.value.value) in (int, float)
                if real is not None and is_number and s.target.name not in whole:
                    s.value = ir.Const(np.dtype(real.name).type(s.value.value), s.value.loc)
        return True


def _whole_numbers(function, assigned):
    """The variables that must stay whole numbers."""
    whole = set()
    for s in assigned:
        op = getattr(s.value, "op", "")
        if op in ("binop", "inplace_binop"):
            if s.value.fn in (operator.pow, operator.ipow):
                whole.add(s.value.rhs.name)
        elif op in ("getitem", "static_getitem"):
            index = s.value.index if op == "getitem" else s.value.index_var
            whole.add(getattr(index, "name", None))
        elif op == "call":
            called = ir_utils.guard(ir_utils.get_definition, function, s.value.func)
            if getattr(called, "value", None) in (range, int, round):
                whole.update(argument.name for argument in s.value.args)
    before = -1
    while before != len(whole):  # what is only another name for these
        before = len(whole)
        whole.update(
            s.value.name for s in assigned if isinstance(s.value, ir.Var) and s.target.name in whole
        )
    return whole


class _NoExceptions(numba.core.compiler.CompilerBase):
    """How losses are compiled."""

    def define_pipelines(self):
        passes = numba.core.compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        for each in self.passes:
            passes.add_pass_after(each, numba.core.untyped_passes.ReconstructSSA)
        passes.finalize()
        return [passes]

    passes = (_RefuseExceptions,)


class _RealNumbers(_NoExceptions):
    """How activations are compiled."""

    passes = (_RefuseExceptions, _MakeNumbersReal)
