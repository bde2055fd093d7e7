"""Pick, load and report the kernel module that does the arithmetic.

There are three, with the same kernels: "cython" (native), "numba" and "numpy" (the reference).
The choice is made once, when a kernel is first needed: by ``use_backend``, by the environment
variable FASTBP_BACKEND, or else automatically: the first of cython, numba, numpy that can be
loaded. A name that was asked for never falls back to another.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy

from ._extras import check_version
from ._hints import Guessed

if TYPE_CHECKING:
    from pathlib import Path

AUTOMATIC = ("cython", "numba", "numpy")  # in the order they are tried
LEVELS = ("v2", "v3", "v4")  # x86-64's, of which each includes the ones before


class BackendError(ImportError):
    """A backend that was asked for cannot be loaded, or the build of one is broken."""


class Backend(NamedTuple):
    """A loaded kernel module."""

    name: str
    kernels: Any  # the module; its functions are the contract of fastbp.kernels
    detail: str  # the CPU level, or the version of what computes

    def can(self, capability: str) -> bool:
        """Whether it has one of the capabilities that fastbp.kernels tells of, as "engine"."""
        return capability in self.kernels.CAPABILITIES


class _MissingError(Exception):
    """A backend is not there, for a reason that may be recorded rather than raised."""


in_use: Backend | None = None  # None until it is chosen: see active
_loaded: dict[str, Backend] = {}
_reasons: dict[str, str] = {}  # backend -> why the automatic choice passed it over


def active() -> Backend:
    """The backend in use; the first call chooses it."""
    global in_use
    if in_use is None:
        in_use = _choose(os.environ.get("FASTBP_BACKEND") or "auto", "FASTBP_BACKEND")
    return in_use


def kernels() -> Any:
    """The active kernel module."""
    return (in_use or active()).kernels  # one call less: it comes before every kernel


def reasons() -> dict[str, str]:
    """Why backends were passed over by the automatic choice: name -> reason."""
    return dict(_reasons)


class use_backend(Guessed):  # noqa: N801 - reads as a function, and is one that can also be undone
    """Choose the backend for the whole process, or for a ``with`` block.

    Parameters
    ----------
    name : {"auto", "cython", "numba", "numpy"}
        ``"auto"`` takes the first of cython, numba and numpy that can be loaded.

    Raises
    ------
    ValueError
        For any other name.
    BackendError
        If that backend cannot be loaded; the one in use stays.

    Examples
    --------
    >>> fb.use_backend("numpy")                 # from now on
    >>> with fb.use_backend("numba"):           # in this block
    ...     net.forward(x)
    """

    def __init__(self, name: str) -> None:
        global in_use
        chosen = _choose(name, "use_backend")
        self._previous, in_use = in_use, chosen
        self.name = chosen.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        global in_use
        in_use = self._previous

    def __repr__(self) -> str:
        return f"use_backend({self.name!r})"


def _choose(name: str, asked_by: str) -> Backend:
    if name == "auto":
        return _first_that_loads()
    if name not in AUTOMATIC:
        choices = ", ".join(("auto", *AUTOMATIC))
        raise ValueError(f"{asked_by}: expected one of {choices}; got {name!r}")
    try:
        return load(name)
    except _MissingError as missing:
        raise BackendError(f"backend {name!r} is not available: {missing}") from missing


def _first_that_loads() -> Backend:
    for name in AUTOMATIC:
        try:
            backend = load(name)
        except _MissingError as missing:
            _reasons[name] = str(missing)
            continue
        if name != AUTOMATIC[0]:
            passed_over = "; ".join(f"{n}: {reason}" for n, reason in _reasons.items())
            warnings.warn(
                f"fastbp computes with its {name} backend, which is slower ({passed_over}). "
                f"Name a backend (FASTBP_BACKEND={name}) to silence this.",
                RuntimeWarning,
                stacklevel=4,
            )
        return backend
    raise AssertionError("the numpy backend always loads")


def load(name: str) -> Backend:
    """Load one backend; `_MissingError` says why it is not there."""
    if name not in _loaded:
        _loaded[name] = {"numpy": _load_numpy, "numba": _load_numba, "cython": _load_cython}[name]()
    return _loaded[name]


def status() -> Iterator[tuple[str, Backend | str]]:
    """Try every backend: (name, the loaded backend or the reason why it is not available)."""
    for name in AUTOMATIC:
        try:
            yield name, load(name)
        except (_MissingError, BackendError) as problem:
            yield name, str(problem)


def quiet() -> None:
    """Let the numba backend compile without saying so."""
    importlib.import_module("fastbp.kernels._numba.cache").be_quiet()


def code_folders() -> tuple[Path | None, tuple[Path, ...]]:
    """Where the numba backend keeps what it compiled, if it can; and where it only reads such."""
    found: tuple[Path | None, tuple[Path, ...]]
    found = importlib.import_module("fastbp.kernels._numba.cache").folders()
    return found


def processor_level() -> int | None:
    """The x86-64 level of this processor, 0 on others; None where nothing native was built."""
    extension = _import_extension("_cpu")
    return None if extension is None else int(extension.level())


def _load_numpy() -> Backend:
    return Backend("numpy", importlib.import_module("fastbp.kernels._numpy"), numpy.__version__)


def _load_numba() -> Backend:
    try:
        check_version("the numba backend", "Numba", "numba", "numba", (0, 61))
        numba = importlib.import_module("numba")
    except (ImportError, OSError) as problem:  # OSError: of LLVM's library
        raise _MissingError(f"Numba cannot be imported ({problem})") from problem
    if numba.config.DISABLE_JIT:
        raise _MissingError("NUMBA_DISABLE_JIT is set, so Numba compiles nothing")
    return Backend("numba", importlib.import_module("fastbp.kernels._numba"), numba.__version__)


def _load_cython() -> Backend:
    cpu_level = processor_level()
    if cpu_level is None:
        raise _MissingError(
            "the native kernels were not built (reinstall with a C compiler at hand)"
        )
    for level in _levels_to_try(cpu_level):
        module = _import_extension(f"_cython_{level}")
        if module is not None:
            _refuse_stale(module)
            return Backend("cython", module, level)
    if cpu_level == 1:
        raise _MissingError("this processor is older than x86-64-v2")
    raise _MissingError("the native kernels were not built for this processor")


def _levels_to_try(cpu_level: int) -> list[str]:
    """The levels this processor runs, best first, under the cap of FASTBP_CPU; then plain."""
    able = LEVELS[: max(cpu_level - 1, 0)]
    cap = os.environ.get("FASTBP_CPU")
    if cap:
        choices = LEVELS if cpu_level else ("plain",)
        if cap not in choices:
            raise ValueError(f"FASTBP_CPU: expected {' or '.join(choices)}; got {cap!r}")
        able = tuple(level for level in able if level <= cap)
    return [*reversed(able), "plain"]


def _import_extension(name: str) -> ModuleType | None:
    """A native module of fastbp.kernels, or None where there is none; a broken one is an error."""
    package = importlib.import_module("fastbp.kernels")
    full_name = f"fastbp.kernels.{name}"
    # In a checkout's root, ./fastbp hides an installed one, and with it the modules built there.
    for folder in (os.path.join(entry or ".", "fastbp", "kernels") for entry in sys.path):
        if os.path.isdir(folder) and folder not in package.__path__:
            package.__path__.append(folder)
    try:
        return importlib.import_module(full_name)
    except ModuleNotFoundError as missing:
        if missing.name == full_name:
            return None
        raise BackendError(f"{full_name} is broken: {missing}") from missing
    except ImportError as problem:
        raise BackendError(f"{full_name} is broken: {problem}") from problem


def _refuse_stale(module: Any) -> None:
    """Refuse native code that was compiled from other sources than the ones lying here."""
    source_hash = importlib.import_module("fastbp.kernels._source").source_hash()
    if source_hash and module.source_hash != source_hash:
        raise BackendError(
            f"the native kernels in {module.__file__} were built from other sources than "
            "kernels/native/ as they are now; reinstall fastbp to rebuild them "
            "(pip install -e .), or set FASTBP_BACKEND=numpy"
        )
