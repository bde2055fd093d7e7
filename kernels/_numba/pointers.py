"""Pointers. They have no owner to count, no negative indices, and may be moved."""

import operator

import llvmlite.ir
import numba.extending
from numba import types
from numba.core import cgutils
from numba.core.typing import templates

from .jit import core

INT64 = llvmlite.ir.IntType(64)


@templates.infer_global(operator.getitem)
class _GetByEnum(templates.AbstractTemplate):
    """pointer[member of an IntEnum], which Numba knows of arrays alone."""

    def generic(self, arguments, keywords):
        pointer, index = arguments
        if isinstance(pointer, types.CPointer) and isinstance(index, types.IntEnumMember):
            return pointer.dtype(pointer, types.intp)
        return None


@templates.infer_global(operator.setitem)
class _SetByEnum(templates.AbstractTemplate):
    def generic(self, arguments, keywords):
        pointer, index, _ = arguments
        if isinstance(pointer, types.CPointer) and isinstance(index, types.IntEnumMember):
            return types.none(pointer, types.intp, pointer.dtype)
        return None


@numba.extending.intrinsic
def pointer(typing, array):
    """A pointer to an array's first element."""

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


@numba.extending.intrinsic
def at(typing, address, dtype):
    """A pointer to numbers of this dtype at an address, or where another pointer points."""

    def generate(context, builder, signature, arguments):
        pointer = context.get_value_type(signature.return_type)
        cast = builder.inttoptr if isinstance(signature.args[0], types.Integer) else builder.bitcast
        return cast(arguments[0], pointer)

    return types.CPointer(dtype.dtype)(address, dtype), generate


@numba.extending.intrinsic
def pointer_to(typing, number):
    """A pointer to a number, for as long as who asks for it runs."""

    def generate(context, builder, signature, arguments):
        return cgutils.alloca_once_value(builder, arguments[0])

    return types.CPointer(types.unliteral(number))(types.unliteral(number)), generate


@numba.extending.intrinsic
def shift(typing, pointer, elements):
    """The pointer, so many elements further on."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.intp), generate


@numba.extending.intrinsic
def eight_bytes(typing, pointer, element):
    """The eight bytes from an element on, as one number; 1 for what are no bytes."""
    if pointer.dtype != types.uint8:
        return types.int64(pointer, types.intp), lambda *_: llvmlite.ir.Constant(INT64, 1)

    def generate(context, builder, signature, arguments):
        where = builder.gep(arguments[0], [arguments[1]])
        return builder.load(builder.bitcast(where, INT64.as_pointer()), align=1)

    return types.int64(pointer, types.intp), generate


@numba.extending.intrinsic
def fetch(typing, pointer, element):
    """Let the processor bring the line of an element near, which no pattern would tell it to."""

    def generate(context, builder, signature, arguments):
        line = llvmlite.ir.IntType(8).as_pointer()
        word = llvmlite.ir.IntType(32)
        parameters = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [line, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [line], parameters)
        where = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), line)
        to_read, near, data = (llvmlite.ir.Constant(word, n) for n in (0, 3, 1))
        builder.call(prefetch, [where, to_read, near, data])
        return context.get_dummy_value()

    return types.void(pointer, types.intp), generate


def call_at(called):
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


@core
def fill(x, n, value):
    for i in range(n):
        x[i] = value


@core
def copy(x, y, n):
    for i in range(n):
        y[i] = x[i]


def addresses_of(*arrays):
    """Where arrays start; 0 for one without elements."""
    return tuple(array.ctypes.data if array.size else 0 for array in arrays)
