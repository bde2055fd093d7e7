"""Types that users and their checkers meet."""

import inspect
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import get_overloads

import pytest

import fastbp as fb
from fastbp import c, initializers, numpy_source, onnx, plots
from fastbp._above import FitOptions

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("", "datasets", "initializers", "models", "schedules", "space")
PROGRAM = ROOT / "tests" / "typed" / "program.py"


def test_a_users_program_has_every_public_name_and_runs(tmp_path, monkeypatch):
    text = PROGRAM.read_text()
    for place in PLACES:
        offered = getattr(fb, place).__all__ if place else fb.__all__
        assert not [name for name in offered if not re.search(rf"\b{name}\b", text)], place
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), str(tmp_path)])
    runpy.run_path(str(PROGRAM), run_name="__main__")


def test_a_users_program_passes_a_strict_type_checker():
    """With the cache of ``mypy`` itself; tests/typed/check asks all there is, and pyright."""
    pytest.importorskip("mypy")
    environment = {**os.environ, "MYPYPATH": ""}
    command = [sys.executable, "-m", "mypy", str(PROGRAM.relative_to(ROOT))]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout + done.stderr


def test_what_fit_takes_is_what_a_networks_fit_takes():
    options = {*inspect.signature(fb.fit).parameters} - {"net", "train", "y", "other"}
    assert options == {*FitOptions.__annotations__}


def test_both_ways_of_a_decorator_have_a_type():
    first, second = get_overloads(fb.loss)
    assert [*inspect.signature(first).parameters] == ["function", "values"]
    assert [*inspect.signature(second).parameters] == ["values"]


def check_short(thing, name):
    """No alias of a type stands there as all that it may be, of a class in none of its methods."""
    parts = {name: thing}
    if inspect.isclass(thing):
        parts |= {f"{name}.{part}": each for part, each in vars(thing).items() if part[0] != "_"}
    for called, part in parts.items():
        error = inspect.isclass(part) and issubclass(part, Exception)
        if (inspect.isclass(part) or inspect.isfunction(part)) and not error:
            assert "numpy._typing" not in str(inspect.signature(part)), called


def test_signatures_are_as_short_as_they_are_written():
    for module in (fb, fb.datasets, fb.models, fb.schedules, plots, c, onnx, numpy_source):
        for name in getattr(module, "__all__", dir(module)):
            check_short(getattr(module, name), f"{module.__name__}.{name}")
    check_short(initializers.Normal, "Normal")
    assert "y: 'npt.ArrayLike | None' = None" in str(inspect.signature(fb.fit))
