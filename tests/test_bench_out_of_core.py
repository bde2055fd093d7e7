"""bench/out_of_core.py: what it measures, and that the page has its table."""

import json
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from bench_modules import bench_modules


@pytest.fixture(scope="module")
def out_of_core() -> Iterator[ModuleType]:
    with bench_modules("out_of_core") as modules:
        yield modules.out_of_core


def test_the_page_has_what_was_measured(out_of_core):
    if not out_of_core.FIGURES.exists():
        pytest.skip("python bench/out_of_core.py has measured nothing yet")
    figures = json.loads(out_of_core.FIGURES.read_text("utf-8"))
    text = out_of_core.PAGE.read_text("utf-8")
    assert out_of_core.page(text, figures) == text, "run python bench/out_of_core.py --tables"


def test_a_kind_is_measured_with_and_without_its_copy(out_of_core, tmp_path):
    path = out_of_core.make(tmp_path, "packed", 1)
    assert len([*path.iterdir()]) == out_of_core.SHARDS
    found = out_of_core.speeds(path, "500kB", 1)
    assert set(found) == {"opening", "disk", "memory", "anew"}
    assert np.isfinite([*found.values()]).all()
    each = {"size": 1, "growth": 400_000, **found, "disk": 95.0, "memory": 100.0}
    figures = {"megabytes": 1, "bound": "500kB", "cores": 2, "kinds": {"packed": each}}
    assert "(0.95)" in out_of_core.table(figures)
    assert out_of_core.holds(figures)
    each["disk"] = 89.0
    assert not out_of_core.holds(figures)
