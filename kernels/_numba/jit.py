"""How functions are compiled: as kernels, which Python calls, or as parts of kernels."""

import numba
from numba import types
from numba.core import codegen, compiler, sigutils

from fastbp.kernels import KERNELS

from . import cache

# Never fastmath=True: NaN stays NaN. And no sum may be regrouped but those of REGROUP: the
# rounding in exp, and a softmax, depend on the order of their subtractions.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract"}}


REGROUP = OPTIONS | {"fastmath": {"nsz", "contract", "reassoc"}}


class _Part(codegen.JITCodeLibrary):
    """LLVM's code of a core; machine code is made of it within the kernels that call it alone.

    Those optimise it too: here it would be again and again, with all that it calls, on every level.
    """

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name):
        """There is none: Python cannot call it."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self):
        """Who would be told where the environment of a function is that Python can call."""
        return self

    def set_env(self, name, environment):
        """Nobody needs it."""


class _Parts(compiler.Compiler):
    """How cores are compiled."""

    def define_pipelines(self):
        state = self.state
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()


def core(function, options=OPTIONS):
    """Compile a part of kernels, which is kept with what calls it."""
    no_wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # for calls from Python
    dispatcher = numba.njit(function, pipeline_class=_Parts, **options, **no_wrappers)
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda arguments, keywords: template(
        [_without_value(a) for a in arguments], keywords
    )
    return dispatcher


def _without_value(argument):
    """The type of an argument, be it a constant: else Numba compiles anew for each of those."""
    plain = types.unliteral(argument)
    return plain.dtype if isinstance(plain, types.IntEnumMember) else plain


def regrouped(function):
    """The same, but its sums may be regrouped, so that they use vectors."""
    return core(function, REGROUP)


def inline(function):
    """Compile a part of kernels as if it stood where it is called: once there, else LLVM would
    optimise all that it calls twice.
    """
    return numba.njit(function, inline="always", **OPTIONS)


def jit(function, options=OPTIONS):
    """Compile without the GIL; keep the machine code on disk where a folder for it can be found."""
    return _of_one_type(cache.keep(numba.njit(function, **options)))


def engine(name):
    """The same for what takes long to compile, which is said under this name."""
    return lambda function: cache.keep(numba.njit(function, **OPTIONS), name)


def regroup(function):
    """The same, but sums may be regrouped, so that a dot product uses vectors."""
    return jit(function, REGROUP)


def _of_one_type(dispatcher):
    """Let inputs that are read-only come as any others, so that nothing is compiled twice for them.

    Kernels write to their outputs alone.
    """
    kernel = KERNELS.get(dispatcher.__name__)
    inputs = len(kernel.arguments) - len(kernel.outputs) if kernel else 0
    compile_one = dispatcher.compile

    def writable(i, argument):
        is_input = i < inputs and isinstance(argument, types.Array)
        return argument.copy(readonly=False) if is_input else argument

    def compile_for(signature):
        given, _ = sigutils.normalize_signature(signature)
        wanted = tuple(writable(i, argument) for i, argument in enumerate(given))
        entry = compile_one(wanted)
        if wanted != given:  # a second entry for the same would make each call ambiguous, and slow
            dispatcher._insert([argument._code for argument in given], entry)
        return entry

    dispatcher.compile = compile_for
    return dispatcher
