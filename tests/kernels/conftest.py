"""The kernel modules: the reference, Numba's, and one native module for each CPU level."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from fastbp import backends


def _native_modules() -> list[str]:
    """Those this processor runs. A level that was not built is listed too, and fails its tests."""
    cpu = backends._import_extension("_cpu")
    if cpu is None or importlib.util.find_spec("fastbp.kernels._cython_plain"):
        return ["_cython_plain"]
    return [f"_cython_{level}" for level in backends._levels_to_try(cpu.level())[:-1]]


COMPILED = ["_numba", *_native_modules()]


def _load(name: str) -> Any:
    return importlib.import_module(f"fastbp.kernels.{name}")


@pytest.fixture(scope="session", params=COMPILED)
def compiled(request: pytest.FixtureRequest) -> Any:
    """Each compiled kernel module."""
    return _load(request.param)


@pytest.fixture(scope="session", params=["_numpy", *COMPILED])
def kernels(request: pytest.FixtureRequest) -> Any:
    """Each kernel module, the reference among them."""
    return _load(request.param)


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """The reference's small products in several threads wait a hundred times as long as they take.

    On a machine that is busy, that is.
    """
    with threadpool_limits(1, user_api="blas"):
        yield
