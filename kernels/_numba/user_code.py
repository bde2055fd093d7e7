"""Functions that users wrote, in machine code.

Each becomes a loop of its own, which the engine calls at its address: so what a user writes is
compiled in a moment, and the engine not again. It is not kept on disk, where nobody would see that
something it calls has changed.
"""

import ctypes
import math
import operator
import types as types_module
import typing

import numba
import numpy as np
from numba import types
from numba.core import ir, ir_utils

from fastbp.kernels import _rebind

from . import cache
from .elementary import exp_, expm1_, tanh_
from .jit import OPTIONS
from .pointers import addresses_of

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
        _LOOP(self.loops[0].address)(*addresses_of(x, y, y, y), x.size)

    def backward(self, x, y, dy, dx):
        _LOOP(self.loops[1].address)(*addresses_of(x, y, dy, dx), x.size)


class _LossCode(typing.NamedTuple):
    """A row's loss and gradient in machine code."""

    function: typing.Any

    @property
    def addresses(self):
        return (self.function.address,)

    def row(self, x, target, dx):
        label, row = (0, target) if isinstance(target, np.ndarray) else (int(target), x)
        address, *others = addresses_of(x, row, dx)
        return _ROW(self.function.address)(address, label, *others, x.size)


def compile_activation(value, gradient, dtype):
    """machine code for an activation's value(x) and gradient(x, y)"""
    cache.tell(f"Numba compiles {value.__name__}")
    scalar = numba.from_dtype(dtype)
    value = _compiled(value, _RealNumbers, (scalar,))
    gradient = _compiled(gradient, _RealNumbers, (scalar, scalar))
    pointer = types.CPointer(scalar)
    compile_loop = numba.cfunc(types.void(*(pointer,) * 4, types.intp), **OPTIONS)

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
    cache.tell(f"Numba compiles {value.__name__}")
    pointer = types.CPointer(numba.from_dtype(dtype))
    row = types.Array(pointer.dtype, 1, "C")
    target = row if values else types.int64
    value = _compiled(value, _NoExceptions, (row, target))
    gradient = _compiled(gradient, _NoExceptions, (row, target, row))
    compile_row = numba.cfunc(
        types.float64(pointer, types.int64, pointer, pointer, types.intp), **OPTIONS
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
    fast = {"exp": exp_, "expm1": expm1_, "tanh": tanh_}
    replace = {getattr(module, name): f for module in (math, np) for name, f in fast.items()}
    for module in (math, np):
        replace[module] = types_module.ModuleType(module.__name__)
        vars(replace[module]).update(vars(module), **fast)
    jit = numba.njit(pipeline_class=pipeline, **OPTIONS)
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
