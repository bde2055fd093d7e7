"""How functions are compiled: as kernels, which Python calls, or as parts of kernels."""

import numba
from numba import types
from numba.core import codegen, compiler

from . import cache

# Never fastmath=True: NaN stays NaN. And no sum may be regrouped but those of REGROUP: the
# rounding in exp, and a softmax, depend on the order of their subtractions.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract"}}


REGROUP = OPTIONS | {"fastmath": {"nsz", "contract", "reassoc"}}


class _Part(codegen.JITCodeLibrary):
    """LLVM's code of a core; machine code is made of it within the kernels that call it alone."""

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
    # Else Numba compiles it anew for each constant it is called with.
    dispatcher.get_call_template = lambda arguments, keywords: template(
        [types.unliteral(a) for a in arguments], keywords
    )
    return dispatcher


def regrouped(function):
    """The same, but its sums may be regrouped, so that they use vectors."""
    return core(function, REGROUP)


def inline(function):
    """Compile a part of kernels as if it stood where it is called: once there, else LLVM would
    optimise all that it calls twice.
    """
    return numba.njit(function, inline="always", **OPTIONS)


def jit(function):
    """Compile without the GIL; keep the machine code on disk where a folder for it can be found."""
    return cache.keep(numba.njit(function, **OPTIONS))


def engine(name):
    """The same for what takes long to compile, which is said under this name."""
    return lambda function: cache.keep(numba.njit(function, **OPTIONS), name)


def regroup(function):
    """The same, but sums may be regrouped, so that a dot product uses vectors."""
    return cache.keep(numba.njit(function, **REGROUP))
