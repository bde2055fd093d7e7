"""Every public name has an example, and whatever examples there are run, and show what comes."""

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import documents
import given
import pytest

import fastbp as fb

LATE = ("c", "numpy_source", "onnx", "plots", "sklearn", "torch")
NEEDS = {"onnx": "onnx", "sklearn": "sklearn", "torch": "torch"}
PLACES = ("", "datasets", "initializers", "models", "schedules", "space", *LATE)


def public(place: str) -> dict[str, Any]:
    """Classes and functions that a module of fb offers, and the module itself."""
    module = getattr(fb, place) if place else fb
    offered = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    found = {name: getattr(module, name) for name in offered}
    return {"": module} | {n: v for n, v in found.items() if inspect.isroutine(v) or _is_ours(v)}


def _is_ours(value: object) -> bool:
    return inspect.isclass(value) and value.__module__.startswith("fastbp")


@pytest.mark.filterwarnings("ignore")  # of few epochs
@pytest.mark.parametrize("place", PLACES)
def test_examples_of(place: str, tmp_path: Path) -> None:
    if find_spec(NEEDS.get(place, "numpy")) is None:
        pytest.skip(f"needs {place}")
    lacking, wrong = [], []
    with given.surroundings(tmp_path):
        for name, value in public(place).items():
            text = inspect.getdoc(value) or ""
            if ">>>" not in text:
                lacking.append(name)
            elif documents.installed(text):
                names = given.names(f"fb.{place}")
                wrong.append(documents.told_of(text, names, f"fb.{place}.{name}"))
    assert not lacking
    assert not any(wrong), "".join(wrong)
