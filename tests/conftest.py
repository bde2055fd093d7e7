"""What all tests share: the backends, the dtypes, and how near two results must be."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import AUTOMATIC
from fastbp.datasets import _idx

# Threads of scikit-learn and PyTorch sleep while they wait: else they take the time of other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# NumPy's too: 2**4 ticks; of itself it looks for work 27 ms long, in every process that imports it.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
# Tests start hundreds of processes, and each would compile anew what it imports of fastbp.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let processes of -n compile first: all that follows finds it compiled, and waits for nobody.

    Two dtypes take two processes about as long.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not _group(item.nodeid).startswith(COMPILING))


def pytest_collection_finish() -> None:
    """Let no later collection of garbage look at all that is there by now: it takes half a second.

    Tests and modules stay to the end. And let it look less often: what Numba compiles is much and
    stays too, and a tenth of the time to compile it was spent on looking.
    """
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


COMPILING = "numba-"


def _group(nodeid: str) -> str:
    path, _, name = nodeid.partition("::")
    if "/cli/" in path or "numba" not in name:
        return path
    # A test of the engines whose name says no dtype is one in float64, which shows more. One that
    # says two says its data's first.
    default = "float64" if "/engine/" in path or "/custom/" in path else "float32"
    found = [dtype for dtype in ("float32", "float64") if dtype in name]
    return COMPILING + max(found, key=name.rfind, default=default)


@pytest.fixture(autouse=True, scope="session")
def mnist_unpacked_once() -> Iterator[None]:
    """A quarter of a second each time. Its headers are read as ever, and nobody can write to it."""
    kept: dict[Path, np.ndarray] = {}
    read, folder = _idx._read_elements, Path(_idx.__file__).with_name("mnist")

    def once(path: Path, shape: list[int]) -> np.ndarray:
        if path.parent != folder:
            return read(path, shape)
        if path not in kept:
            kept[path] = read(path, shape)
            kept[path].flags.writeable = False
        return kept[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_idx, "_read_elements", once)
        yield


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
