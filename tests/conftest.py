"""What all tests share: the backends, the dtypes, and how near two results must be."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import AUTOMATIC

# Threads of scikit-learn and PyTorch sleep while they wait: else they take the time of other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Every backend is tested. One that cannot be loaded fails its tests: it must not vanish unseen.
BACKENDS = AUTOMATIC


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process run all for which Numba compiles in one dtype, and else whole files.

    Else each process would compile anew what functions share, and make anew what tests share.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    config.option.loadscopereorder = False  # by their number: the last would be the longest
    return Groups(config, log)


COMPILING = (  # without "numba" in their names: others wait for what these compile, or they
    "test_the_engine_is_kept_too",
    "test_a_program_without_images",
    "test_no_backend_changes_how",
)


def _group(nodeid: str) -> str:
    path, _, name = nodeid.partition("::")
    in_cli = "/cli/" in path and "gradcheck" not in path
    if in_cli or not ("numba" in name or name.startswith(COMPILING)):
        return path
    # A test of the engines whose name says no dtype is one in float64, which shows more.
    default = "float64" if "/engine/" in path or "/custom/" in path else "float32"
    found = (dtype for dtype in ("float32", "float64") if dtype in name)
    return f"numba-{next(found, default)}"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test under each backend."""
    with fb.use_backend(request.param):
        yield request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    """Run the test in each dtype."""
    return np.dtype(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(20240607)
