"""Choosing a backend: by name, by the environment, by itself; and what is said if it cannot be.

The choice is made once in a process, from the environment, so most tests here start a new one.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib import metadata
from typing import Any

import numpy as np
import pytest

import fastbp as fb
from fastbp import backends
from fastbp.backends import AUTOMATIC, LEVELS, Backend, BackendError

CPU_LEVEL = backends._import_extension("_cpu").level()
on_x86 = pytest.mark.skipif(CPU_LEVEL < 2, reason="this processor has no x86-64 levels")


def python(code: str, **environment: str) -> Any:
    """Run code in a new process, with no other FASTBP_ setting; what it printed as JSON."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FASTBP_")}
    process = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


# tell() prints for the test; message() is a call's error; watched() its result and its warnings.
PRELUDE = """
import json, sys, warnings

def tell(**what):
    print(json.dumps(what))

def message(call):
    try:
        return repr(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def watched(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [f"{w.category.__name__}: {w.message}" for w in caught]

def fail_to_import(prefix, error):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.startswith(prefix):
                raise error
    sys.meta_path.insert(0, Finder)

"""


def test_importing_fastbp_imports_what_training_on_arrays_needs() -> None:
    code = """
        import numpy
        before = {*sys.modules}
        import fastbp
        new = {*sys.modules} - before
        fastbp.backends.active()
        tell(new=[*new], random="numpy.random" in sys.modules)
    """
    told = python(code, FASTBP_BACKEND="cython")
    found = told["new"]
    assert not told["random"]  # which the native kernels need not bring either
    assert len(found) < 130  # each takes 0.2 ms or more
    late = {"numba", "matplotlib", "rich", "safetensors", "numpy.random", "pathlib", "csv"}
    late |= {"fastbp.datasets._table", "fastbp.datasets.stored", "fastbp.training.resuming"}
    assert not late.intersection(found)
    assert {name for name in found if name.startswith("fastbp.kernels.")} == {
        "fastbp.kernels._rebind",
        "fastbp.kernels.numbers",
    }


@pytest.mark.parametrize("name", AUTOMATIC)
def test_environment_names_the_backend(name: str) -> None:
    code = """
        from fastbp import backends
        backend, warned = watched(backends.active)
        tell(name=backend.name, module=backend.kernels.__name__, warned=warned)
    """
    found = python(code, FASTBP_BACKEND=name)
    assert found["name"] == name
    assert name in found["module"]
    assert found["warned"] == []


@pytest.mark.parametrize("environment", [{}, {"FASTBP_BACKEND": "auto"}, {"FASTBP_BACKEND": ""}])
def test_the_native_backend_is_the_automatic_choice(environment: dict[str, str]) -> None:
    code = """
        from fastbp import backends
        backend, warned = watched(backends.active)
        tell(name=backend.name, warned=warned, numba="numba" in sys.modules)
    """
    assert python(code, **environment) == {"name": "cython", "warned": [], "numba": False}


def test_wrong_name_in_the_environment_is_an_error_that_lists_the_choices() -> None:
    code = "from fastbp import backends; tell(error=message(backends.active))"
    error = python(code, FASTBP_BACKEND="Cython")["error"]
    want = "FASTBP_BACKEND: expected one of auto, cython, numba, numpy; got 'Cython'"
    assert error == f"ValueError: {want}"


def test_wrong_name_is_an_error_and_the_active_backend_stays() -> None:
    with fb.use_backend("numpy"):
        with pytest.raises(ValueError, match=r"use_backend: expected one of auto, .*; got 'torch'"):
            fb.use_backend("torch")
        assert backends.active().name == "numpy"


def test_use_backend_switches_from_now_on() -> None:
    with fb.use_backend("numpy"):  # only to restore what was there before this test
        for name in ("numba", "cython", "numpy"):
            fb.use_backend(name)
            assert backends.active().name == name
            assert backends.kernels() is backends.active().kernels


def test_use_backend_as_a_context_restores_even_when_nested_or_left_by_an_error() -> None:
    before = backends.active()
    with fb.use_backend("numpy"):
        with fb.use_backend("numba"):
            assert backends.active().name == "numba"
        assert backends.active().name == "numpy"
        with pytest.raises(ZeroDivisionError), fb.use_backend("cython"):
            raise ZeroDivisionError
        assert backends.active().name == "numpy"
    assert backends.active() is before


def test_use_backend_auto_says_what_it_took() -> None:
    with fb.use_backend("auto") as chosen:
        assert chosen.name == backends.active().name == "cython"
        assert repr(chosen) == "use_backend('cython')"


def test_status_lists_every_backend() -> None:
    status = dict(backends.status())
    assert tuple(status) == AUTOMATIC
    for name, backend in status.items():
        assert isinstance(backend, Backend), f"{name}: {backend}"
        assert backend.name == name
        assert backend.detail


@on_x86
@pytest.mark.parametrize("cap", LEVELS)
def test_fastbp_cpu_caps_the_level(cap: str) -> None:
    code = """
        from fastbp import backends
        active = backends.active()
        tell(detail=active.detail, file=active.kernels.__file__)
    """
    found = python(code, FASTBP_CPU=cap)
    assert found["detail"] == min(cap, f"v{CPU_LEVEL}")
    assert f"_cython_{found['detail']}." in found["file"]


@on_x86
def test_without_a_cap_the_processors_best_level_runs() -> None:
    code = "from fastbp import backends; tell(detail=backends.active().detail)"
    assert python(code)["detail"] == f"v{CPU_LEVEL}"


@on_x86
def test_wrong_cpu_level_is_an_error_that_lists_the_choices() -> None:
    code = "from fastbp import backends; tell(error=message(backends.active))"
    error = python(code, FASTBP_CPU="avx2")["error"]
    assert error == "ValueError: FASTBP_CPU: expected v2 or v3 or v4; got 'avx2'"


@on_x86
def test_cpu_level_agrees_with_numpys() -> None:
    features = np._core._multiarray_umath.__cpu_features__
    if "X86_V3" not in features:
        pytest.skip("this NumPy does not know the levels")
    assert (CPU_LEVEL >= 3) == features["X86_V3"]
    assert (CPU_LEVEL >= 4) == features["X86_V4"]


def test_without_numba_all_but_its_backend_works() -> None:
    code = """
        sys.modules["numba"] = None
        import fastbp as fb
        active, warned = watched(fb.backends.active)
        tell(
            numba=message(lambda: fb.use_backend("numba")),
            still=fb.backends.active().name,
            numpy=message(lambda: fb.use_backend("numpy")),
            cython=message(lambda: fb.use_backend("cython")),
            status={n: isinstance(s, str) for n, s in fb.backends.status()},
            warned=warned,
        )
    """
    found = python(code)
    assert found["numba"].startswith("BackendError: backend 'numba' is not available: Numba")
    assert "numba halted" in found["numba"]  # Python's own words for why
    assert found["still"] == "cython"
    assert found["numpy"] == "use_backend('numpy')"
    assert found["cython"] == "use_backend('cython')"
    assert found["status"] == {"cython": False, "numba": True, "numpy": False}
    assert found["warned"] == []


def test_a_numba_that_is_not_installed_or_too_old_is_a_reason(monkeypatch) -> None:
    def version(distribution: str) -> str:
        if found:
            return found
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.delitem(backends._loaded, "numba", raising=False)
    for found, reason in (  # noqa: B007 - version reads it
        ("", "which is not installed: pip install 'fastbp[numba]'"),
        ("0.60.0", "0.61 or later, found 0.60.0: pip install --upgrade 'fastbp[numba]'"),
    ):
        with pytest.raises(BackendError, match="backend 'numba' is not available") as caught:
            fb.use_backend("numba")
        assert reason in str(caught.value)


def test_a_numba_that_must_not_compile_is_not_available() -> None:
    code = "import fastbp as fb; tell(error=message(lambda: fb.use_backend('numba')))"
    error = python(code, NUMBA_DISABLE_JIT="1")["error"]
    assert error.startswith("BackendError: backend 'numba' is not available: NUMBA_DISABLE_JIT is")


NO_NATIVE_KERNELS = """
    import fastbp as fb
    for missing in {missing}:
        sys.modules[missing] = None
    active, warned = watched(lambda: [fb.backends.active() for _ in range(3)][0])
    tell(
        name=active.name,
        warned=warned,
        cython=message(lambda: fb.use_backend("cython")),
        still=fb.backends.active().name,
        reasons=fb.backends.reasons(),
    )
"""


def test_without_native_kernels_numba_computes_and_one_warning_says_why() -> None:
    found = python(NO_NATIVE_KERNELS.format(missing=["fastbp.kernels._cpu"]))
    assert found["name"] == found["still"] == "numba"
    assert len(found["warned"]) == 1
    assert found["warned"][0].startswith("RuntimeWarning: fastbp computes with its numba backend")
    assert "native kernels were not built" in found["warned"][0]
    assert "FASTBP_BACKEND=numba" in found["warned"][0]  # how to silence it
    assert found["cython"].startswith("BackendError: backend 'cython' is not available: the native")
    assert list(found["reasons"]) == ["cython"]


def test_without_any_compiled_kernels_numpy_computes_and_the_warning_gives_both_reasons() -> None:
    found = python(NO_NATIVE_KERNELS.format(missing=["fastbp.kernels._cpu", "numba"]))
    assert found["name"] == "numpy"
    assert len(found["warned"]) == 1
    assert "native kernels were not built" in found["warned"][0]
    assert "Numba cannot be imported" in found["warned"][0]


@on_x86
def test_levels_that_were_not_built_are_a_reason_too() -> None:
    missing = [f"fastbp.kernels._cython_{level}" for level in (*LEVELS, "plain")]
    found = python(NO_NATIVE_KERNELS.format(missing=missing))
    assert found["name"] == "numba"
    assert "not built for this processor" in found["warned"][0]


BROKEN = """
    import fastbp as fb
    fail_to_import("fastbp.kernels._cython", {error})
    tell(
        automatic=message(fb.backends.active),
        named=message(lambda: fb.use_backend("cython")),
        status=dict(fb.backends.status())["cython"],
        numpy=message(lambda: fb.use_backend("numpy")),
    )
"""


@pytest.mark.parametrize(
    "error",
    ["ImportError('undefined symbol: expf')", "ModuleNotFoundError('undefined', name='numpy.x')"],
)
def test_a_broken_native_module_is_an_error_even_under_auto(error: str) -> None:
    found = python(BROKEN.format(error=error))
    for how in ("automatic", "named"):
        assert found[how].startswith("BackendError: fastbp.kernels._cython_")
        assert "is broken: undefined" in found[how]
    assert "is broken: undefined" in found["status"]
    assert found["numpy"] == "use_backend('numpy')"


def test_native_kernels_built_from_other_sources_are_refused_even_under_auto() -> None:
    code = """
        import fastbp as fb
        import fastbp.kernels._source
        fastbp.kernels._source.source_hash = lambda: "0123456789abcdef"
        tell(
            automatic=message(fb.backends.active),
            named=message(lambda: fb.use_backend("cython")),
            numpy=message(lambda: fb.use_backend("numpy")),
        )
    """
    found = python(code)
    for how in ("automatic", "named"):
        assert found[how].startswith("BackendError: the native kernels in ")
        assert "reinstall fastbp" in found[how]
    assert found["numpy"] == "use_backend('numpy')"


def test_a_backend_that_cannot_be_loaded_is_an_import_error() -> None:
    assert issubclass(BackendError, ImportError)
