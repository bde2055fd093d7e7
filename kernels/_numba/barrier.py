"""Threads: how they wait for each other, and how they treat numbers too small to be normal."""

import os

import llvmlite.binding
import llvmlite.ir
import numba.extending
from numba import types
from numba.core import cgutils

from fastbp.kernels.numbers import Sync

from .jit import core


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
def floating_mode(typing, mode):
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


@core
def flush_denormals():
    """Gradients that fade become subnormal, and arithmetic on those is a hundred times slower."""
    before = floating_mode(-1)
    floating_mode(before | 0x8040)  # FTZ and DAZ
    return before


@core
def meet(run):
    """Wait until all threads are here; False if the run was given up.

    A thread spins for a few microseconds, which is what the others usually need; then it yields its
    processor: another may be waiting for that.
    """
    sync = run.sync
    if run.threads == 1:
        return True
    now = _atomic("load", sync, Sync.ROUNDS, 0)
    if _atomic("add", sync, Sync.ARRIVALS, 1) + 1 == run.threads:
        _atomic("store", sync, Sync.ARRIVALS, 0)
        _atomic("store", sync, Sync.ROUNDS, now + 1)
        return True
    turn = 0
    while _atomic("load", sync, Sync.ROUNDS, 0) == now:
        if _atomic("load", sync, Sync.GIVE_UP, 0):
            return False
        if turn < sync[Sync.SPINS]:
            _relax()
        else:
            _yield_processor()
        turn += 1
    return True
