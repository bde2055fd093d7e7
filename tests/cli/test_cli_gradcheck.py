"""``gradcheck``: what it checks, and that a wrong gradient does not get past it."""

import itertools
import sys

import pytest
from command_line import run

from fastbp import backends
from fastbp.cli import gradcheck
from fastbp.kernels import _numpy as kernels
from fastbp.layers import BUILT_IN
from fastbp.losses import LOSSES


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """Those of one backend; gradients on all are in the tests of layers and of losses."""
    folder, options = tmp_path_factory.mktemp("gradcheck"), ("--seed", 3, "--json")
    result = run("gradcheck", "--backend", "cython", *options, cwd=folder)
    assert (result.code, result.err) == (0, "")
    assert result.json["ok"] is True
    assert {check["backend"] for check in result.json["checks"]} == {"cython"}
    return result.json["checks"]


def test_every_layer_and_loss_is_checked_in_both_dtypes(checks):
    losses = [loss.__name__ for loss in LOSSES.values()]
    assert len(losses) >= 4
    done = {(c["what"].split("(")[0], c["dtype"]) for c in checks}
    assert done == set(itertools.product([*BUILT_IN, *losses], ["float32", "float64"]))


def test_every_check_is_compared_with_its_tolerance(checks):
    tolerances = {"float32": 1e-3, "float64": 1e-6}
    for check in checks:
        assert check["tolerance"] == tolerances[check["dtype"]]
        assert 0 < check["worst"] <= check["tolerance"]
        assert check["ok"] is True


@pytest.fixture
def few(monkeypatch):
    """Leave these cases alone, where it is not they that matter."""
    all_cases = gradcheck.cases

    def cases(dtype, seed):
        return (case for case in all_cases(dtype, seed) if case[0] in ("Tanh()", "Sigmoid()"))

    monkeypatch.setattr(gradcheck, "cases", cases)


@pytest.fixture
def wrong_tanh(monkeypatch):
    """A gradient that is one percent off."""
    right = kernels.tanh_backward

    def wrong(x, y, dy, dx):
        right(x, y, dy, dx)
        dx *= 1.01

    monkeypatch.setattr(kernels, "tanh_backward", wrong)


@pytest.mark.usefixtures("few")
def test_lines_say_that_every_gradient_holds(tmp_path):
    result = run("gradcheck", "--backend", "cython", "--seed", 3, cwd=tmp_path)
    assert result.code == 0
    assert result.out.startswith("every gradient holds\n")
    lines = [line.split()[:3] for line in result.out.splitlines() if "float" in line]
    names, dtypes = ("Tanh()", "Sigmoid()"), ("float32", "float64")
    assert {tuple(line) for line in lines} == {*itertools.product(names, ["cython"], dtypes)}


@pytest.mark.usefixtures("wrong_tanh")
def test_a_gradient_one_percent_off_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(gradcheck, "image_cases", lambda dtype, seed: ())  # slow, and without Tanh
    result = run("gradcheck", "--backend", "numpy", cwd=tmp_path)
    assert result.code == 1
    wrong = [line.split()[0] for line in result.out.splitlines() if "WRONG (above" in line]
    assert result.out.startswith(f"{len(wrong)} GRADIENTS ARE WRONG\n")
    # The losses are checked behind a Tanh, the other layers without one.
    losses = {loss.__name__ for loss in LOSSES.values()}
    assert {name.split("(")[0] for name in wrong} == {"Tanh", *losses}


@pytest.mark.usefixtures("wrong_tanh", "few")
def test_json_marks_the_wrong_ones(tmp_path):
    result = run("gradcheck", "--backend", "numpy", "--json", cwd=tmp_path)
    assert result.code == 1
    assert result.json["ok"] is False
    found = {check["what"]: check["ok"] for check in result.json["checks"]}
    assert found == {"Tanh()": False, "Sigmoid()": True}


@pytest.mark.usefixtures("few")
def test_a_backend_that_is_not_there_is_listed_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.delitem(backends._loaded, "numba", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    result = run("gradcheck", cwd=tmp_path)
    assert result.code == 0
    assert "not available: Numba cannot be imported" in " ".join(result.out.split())
    found = {line.split()[1] for line in result.out.splitlines() if "float" in line}
    assert found == {"cython", "numpy"}
