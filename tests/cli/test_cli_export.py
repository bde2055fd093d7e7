"""``export``: a model as C, NumPy and PyTorch have it, and what can be wrong."""

import importlib.util
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from command_line import assert_error, names, run

import fastbp as fb
from fastbp.cli.export import FORMATS, SUFFIXES


def test_a_header(trained, tmp_path):
    result = run("export", trained.folder, "--format", "c", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert names(tmp_path) == {"model.h"}
    header = (tmp_path / "model.h").read_text()
    assert result.out.splitlines() == [
        f"model.h: a C header, {len(header.encode()):,} bytes",
        "  void model_scores(const float x[784], float y[10])",
        "  int model_predict(const float x[784])",
        "  void model_predict_proba(const float x[784], float p[10])",
    ]
    model = trained.folder / "model.safetensors"
    named = run("export", model, "--output", "digits.h", "--name", "seen", "--json", cwd=tmp_path)
    assert named.json["format"] == "c"
    assert named.json["output"] == "digits.h"
    assert named.json["bytes"] == (tmp_path / "digits.h").stat().st_size
    assert named.json["use"][1] == "int seen_predict(const float x[784])"
    fb.c.save(fb.load(model), tmp_path / "model.h")
    assert (tmp_path / "model.h").read_text() == header


def test_a_program(trained, tmp_path):
    result = run("export", trained.folder, "--output", "digits.py", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "import digits; digits.predict(x)" in result.out
    x = fb.datasets.mnist()[1].batch(range(50))[0]
    found = runpy.run_path(str(tmp_path / "digits.py"))["predict"](x)
    expected = fb.load(trained.folder / "model.safetensors").predict(x)
    np.testing.assert_array_equal(found, expected)


def test_for_pytorch(trained, tmp_path):
    pytest.importorskip("torch")
    result = run("export", trained.folder, "--format", "torch", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert names(tmp_path) == {"model-torch.safetensors"}
    net = fb.load(trained.folder / "model.safetensors")
    copy = net.copy()
    copy.params[...] = 0
    fb.torch.load_state_dict(copy, tmp_path / "model-torch.safetensors")
    np.testing.assert_array_equal(copy.params, net.params)


def test_as_onnx(trained, tmp_path):
    pytest.importorskip("onnx")
    result = run("export", trained.folder, "--output", "digits.onnx", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert 'onnxruntime.InferenceSession("digits.onnx").run(["scores"], {"x": x})' in result.out
    back = fb.onnx.load(tmp_path / "digits.onnx")
    net = fb.load(trained.folder / "model.safetensors")
    np.testing.assert_array_equal(back.params, net.params)


def test_a_table_as_onnx_is_told_with_its_columns(tmp_path):
    pytest.importorskip("onnx")
    frame = pd.DataFrame({"age": [30.0, 41.5, 50, 22], "town": ["Rome", "Oslo", "Bern", "Rome"]})
    data = fb.datasets.table(frame.assign(y=["a", "b", "a", "b"]), "y")
    net = fb.Sequential(fb.Linear(data.features, 2))
    net.table = data.table
    net.save(tmp_path / "model.safetensors")
    result = run("export", "model.safetensors", "--format", "onnx", cwd=tmp_path)
    assert 'InferenceSession("model.onnx").run(["label"], columns)' in result.out
    assert "columns, (n, 1) each, of float64: 'age'; text: 'town'" in result.out


def test_a_library_that_is_missing(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "fastbp.onnx", raising=False)
    monkeypatch.delattr(fb, "onnx", raising=False)
    result = run("export", trained.folder, "--format", "onnx", cwd=tmp_path)
    assert_error(result, "needs onnx, which is not installed: pip install 'fastbp[onnx]'")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_has_a_suffix(name):
    assert SUFFIXES[FORMATS[name].suffix] == name


def test_what_others_read_stays_alone(trained, tmp_path):
    """To /dev/stdout goes the file, and nothing else."""
    result = run("export", trained.folder, "--format", "c", "--output", "/dev/null", cwd=tmp_path)
    assert (result.code, result.out, result.err) == (0, "", "")


def test_what_can_be_wrong(trained, tmp_path):
    model = trained.folder / "model.safetensors"
    usage = "name a --format c|"
    for wrong in ([], ["--output", "net"], ["--output", "net.exe"]):
        assert_error(run("export", model, *wrong, cwd=tmp_path), usage, code=2)
    assert_error(run("export", model, "--format", "exe", cwd=tmp_path), "'exe'", code=2)
    assert_error(run("export", "none.safetensors", "--format", "c", cwd=tmp_path), "No such file")
    empty = f"{tmp_path}: a folder without a model.safetensors"
    for command in (
        ["export", tmp_path, "--format", "c"],
        ["evaluate", tmp_path],
        ["predict", tmp_path, "--index", "1"],
    ):
        assert_error(run(*command, cwd=tmp_path), empty)
    named = run("export", model, "--format", "c", "--name", "2x", cwd=tmp_path)
    assert_error(named, "--name: name is '2x', no name in C", "name='net_2x'", code=2)
    named = run("export", model, "--format", "c", "--name", "int", cwd=tmp_path)
    assert_error(named, "--name: name is 'int', a word of C or C++", code=2)
    named = run("export", model, "--format", "numpy", "--name", "x", cwd=tmp_path)
    assert_error(named, "--name: goes with --format c", code=2)
    itself = run("export", model, "--output", model, cwd=tmp_path)
    assert_error(itself, "is the model itself", code=2)
    nowhere = run("export", model, "--output", "no/net.h", cwd=tmp_path)
    assert_error(nowhere, "the folder no does not exist")
    folder = run("export", model, "--format", "c", "--output", tmp_path, cwd=tmp_path)
    assert folder.code == 1
    assert names(tmp_path) == set()


def test_a_broken_model(trained, tmp_path):
    data = (trained.folder / "model.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:-9])
    result = run("export", "cut.safetensors", "--format", "c", cwd=tmp_path)
    assert_error(result, "cut.safetensors: cannot load a network")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_the_example_in_the_header_compiles(trained, tmp_path):
    """The comment at the top, as a program."""
    run("export", trained.folder, "--output", "policy.h", cwd=tmp_path)
    text = (tmp_path / "policy.h").read_text().partition("*/")[0]
    (tmp_path / "main.c").write_text(text[text.index("   #include <stdio.h>") :])
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "main.c", "-lm"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    said = subprocess.run([tmp_path / "a.out"], capture_output=True, text=True).stdout
    net = fb.load(trained.folder / "model.safetensors")
    assert said.split(",")[0] == str(net.predict(np.zeros((1, 784), np.float32))[0])
