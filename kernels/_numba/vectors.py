"""Vectors of real numbers, as long as the processor's registers, and instructions on them.

An intrinsic that is made of these is a loop over whole vectors, whose sums have one order that LLVM
may not change.
"""

import contextlib

import llvmlite.ir
import numba.extending
from numba import types
from numba.core import cgutils

from fastbp.kernels.numbers import Size

_processor = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[2]
VECTOR_BYTES = 64 if "+avx512f" in _processor else 32 if "+avx2" in _processor else 16


class Vectors:
    """Emits instructions on vectors of the real numbers that a pointer points to."""

    def __init__(self, context, builder, pointer, lanes=None):
        self.builder, self.real = builder, context.get_value_type(pointer.dtype)
        self.lanes = lanes or VECTOR_BYTES * 8 // pointer.dtype.bitwidth
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


@numba.extending.intrinsic
def bits(typing, number):
    """How many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


def void(*arguments):
    """An intrinsic's signature without a result: whole numbers as intp, but for constants."""
    return types.void(
        *(
            types.intp if isinstance(a, types.Integer) and not isinstance(a, types.Literal) else a
            for a in arguments
        )
    )


SAMPLES = int(Size.SAMPLES)  # of images that are computed together, and of words


def lanes_of(x):
    """How many numbers like x a vector holds."""


@numba.extending.overload(lanes_of)
def _overload_lanes(x):
    lanes = VECTOR_BYTES * 8 // x.bitwidth
    return lambda x: lanes


@contextlib.contextmanager
def loops(builder, v, counts):
    """Nested loops; gives their indices."""
    with contextlib.ExitStack() as stack:
        loops = [cgutils.for_range(builder, n, intp=v.intp) for n in counts]
        yield [stack.enter_context(loop).index for loop in loops]
