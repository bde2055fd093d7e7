"""What all tests share: the backends, the dtypes, and how near two results must be."""

from collections.abc import Iterator

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import AUTOMATIC

# Every backend is tested. One that cannot be loaded fails its tests: it must not vanish unseen.
BACKENDS = AUTOMATIC


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
