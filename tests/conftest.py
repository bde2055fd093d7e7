"""What all tests share: the backends, the dtypes, and how near two results must be."""

from collections.abc import Iterator

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import AUTOMATIC

# Every backend is tested. One that cannot be loaded fails its tests: it must not vanish unseen.
BACKENDS = AUTOMATIC


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what pytest-xdist is to run in one process: all for which Numba compiles in one dtype.

    Else each process would compile anew what functions share. The rest goes by files, whose tests
    share fixtures.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    folder = item.path.parent.name
    if "numba" not in item.name or folder == "cli":
        return item.path.stem
    # A test of the engines whose name says no dtype is one in float64, which shows more.
    default = "float64" if folder in ("engine", "custom") else "float32"
    found = (dtype for dtype in ("float32", "float64") if dtype in item.name)
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
