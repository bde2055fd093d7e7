"""Types that users and their checkers meet, and what an editable install is to them."""

import inspect
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_overloads

import fastbp as fb

ROOT = Path(__file__).resolve().parents[1]


def test_both_ways_of_a_decorator_have_a_type():
    first, second = get_overloads(fb.loss)
    assert [*inspect.signature(first).parameters] == ["function", "values"]
    assert [*inspect.signature(second).parameters] == ["values"]


def test_signatures_are_as_short_as_they_are_written():
    for function in (fb.fit, fb.evaluate, fb.gradcheck, fb.Sequential.predict):
        assert "_Buffer" not in str(inspect.signature(function))
    assert "y: 'npt.ArrayLike | None' = None" in str(inspect.signature(fb.fit))


def test_an_editable_install_is_a_path_that_type_checkers_follow(tmp_path):
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for package in ("fastbp", "kernels"):
        (tmp_path / package).symlink_to(ROOT / package)
    code = "import setuptools.build_meta as b; print(b.build_editable('.'))"
    environment = {"FASTBP_BUILD": "python", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        paths = {name: wheel.read(name).decode().split() for name in wheel.namelist()}
    assert paths["__editable__.fastbp-0.1.0.pth"] == [str(tmp_path)]
    assert not [name for name in paths if "finder" in name]
