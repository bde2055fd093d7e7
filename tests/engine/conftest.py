"""What tests of the engines share: the backends that have one."""

from collections.abc import Iterator

import pytest

import fastbp as fb
from fastbp.engine import sharing


@pytest.fixture(params=["cython", "numba"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test under each backend with an engine; every dense layer is shared that can be."""
    monkeypatch.setattr(sharing, "FIRST", 0)
    monkeypatch.setattr(sharing, "LATER", 0)
    with fb.use_backend(request.param):
        yield request.param
