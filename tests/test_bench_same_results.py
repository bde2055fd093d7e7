"""bench/same_results.py: what is the same is said to be, and a bit that differs is found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb

TOOL = Path(__file__).resolve().parents[1] / "bench" / "same_results.py"
SETTING = "one-layer-dense"


def same_results(*arguments):
    environment = {"PYTHONPATH": str(Path(fb.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


@pytest.fixture
def files(tmp_path):
    """Two files of the same results."""
    for name in ("old", "new"):
        file = tmp_path / f"{name}.json"
        done = same_results("write", file, "--backend", "numpy", "--setting", SETTING)
        assert (done.returncode, done.stderr) == (0, "numpy: done\n")
    return tmp_path / "old.json", tmp_path / "new.json"


def test_the_same_is_the_same(files):
    done = same_results("compare", *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("numpy: 2 of 2 trainings the same bits\n")


def test_a_bit_that_differs_is_found(files):
    _, new = files
    written = json.loads(new.read_text())
    parts = written["settings"][f"numpy: {SETTING}, 2 threads"]["parts"]
    arrays = dict(np.load(new.with_suffix(".npz")))
    arrays["other"] = arrays[parts["parameters"]] * np.float32(1.001)
    parts["parameters"] = "other"
    new.write_text(json.dumps(written))
    np.savez(new.with_suffix(".npz"), **arrays)
    done = same_results("compare", *files)
    assert done.returncode == 1
    assert "numpy: 1 of 2 trainings the same bits\n" in done.stdout
    assert f"  numpy: {SETTING}, 2 threads: parameters 1.0e-03\n" in done.stdout


def test_files_of_others_are_refused(files, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("[]")
    for refused, message in (
        (same_results("compare", files[0], other), "other.json: expected what `same_results.py"),
        (same_results("compare", files[0], "none.json"), "none.json"),
        (same_results("write", tmp_path / "results"), "expected a name that ends in .json"),
        (same_results("write", tmp_path / "no" / "a.json"), "there is no folder"),
    ):
        assert refused.returncode == 2
        assert message in refused.stderr
        assert "Traceback" not in refused.stderr
