"""Networks as Python files of NumPy alone: they say what fastbp says."""

import runpy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from exported_cases import ALL, EXTREME, LAYERS, NETS, RNG, TABLES, dense, has_probabilities
from for_each import for_each

import fastbp as fb
from fastbp.interop.numpy_source.layers import WRITERS
from fastbp.interop.numpy_source.program import FUNCTIONS
from fastbp.layers import BUILT_IN

CLOSE = {"float32": 2e-6, "float64": 1e-13}  # of the largest score


def written(net, folder):
    """The module that the file of a network is."""
    path = folder / "written.py"
    fb.numpy_source.save(net, path)
    return runpy.run_path(str(path))


def close(found, expected):
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    most = CLOSE.get(str(expected.dtype), 0) * max(np.abs(expected).max(), 1e-3)
    assert np.abs(found.astype(float) - expected).max() <= most


@for_each("name", NETS)
def test_says_what_the_network_says(name, tmp_path):
    net = NETS[name]
    module = written(net, tmp_path)
    x = RNG.normal(size=(20, net.inputs)).astype(np.float32)
    if name == "far":
        x = x + np.float32([1e5, -3e4])
    close(module["scores"](x), net.scores(x))
    assert module["scores"](x).dtype == net.dtype
    predicted = net.predict(x)
    close(module["predict"](x), predicted if has_probabilities(net) else predicted.reshape(20, -1))
    if has_probabilities(net):
        close(module["predict_proba"](x), net.predict_proba(x))


@pytest.mark.parametrize("name", TABLES)
def test_takes_rows_of_a_table(name, tmp_path):
    net, frame = TABLES[name]
    module = written(net, tmp_path)
    close(module["scores"](frame.to_numpy()), net.scores(frame))
    found = module["predict"](frame.to_numpy())
    if name == "table_classes":
        assert [module["CLASSES"][c] for c in found] == [*map(str, net.predict(frame))]
    else:
        np.testing.assert_allclose(found[:, 0], net.predict(frame), 1e-5)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("name", EXTREME)
def test_functions_over_the_whole_range(name, tmp_path):
    far = np.logspace(-40, 38, 301, dtype=np.float32)
    x = np.concatenate([[np.nan, np.inf, -np.inf, 0], -far, far, np.linspace(-30, 30, 301)])
    x = x.astype(np.float32)[:, None]
    found, expected = written(ALL[name], tmp_path)["scores"](x), ALL[name].scores(x)
    np.testing.assert_allclose(found, expected, 2e-6, 1e-6)


def test_every_layer_has_its_writer():
    """Whoever adds a layer adds what it is in NumPy."""
    assert {*WRITERS} == {*BUILT_IN.values()}
    assert LAYERS


def test_every_function_says_its_formula(tmp_path):
    assert all(function.__doc__ for function in FUNCTIONS.values())
    fb.numpy_source.save(dense(3, 2), tmp_path / "small.py")
    text = (tmp_path / "small.py").read_text()
    assert text.startswith('"""small: a neural network')
    assert '    x = linear(x, p["0.w"], p["0.b"])  # 0: Linear(3, 2)\n    return x\n' in text
    assert "fastbp" not in text.partition('"""\n')[2]  # the docstring names who wrote it
    assert "def relu" not in text
    assert "import math" not in text


def test_runs_as_a_program(tmp_path):
    net, frame = TABLES["table_classes"]
    fb.numpy_source.save(net, tmp_path / "net.py")
    rows = frame.to_csv(index=False, header=False, na_rep="nan")
    command = [sys.executable, tmp_path / "net.py", "-"]
    done = subprocess.run(command, input=rows, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [*net.predict(frame)]


@pytest.mark.parametrize("name", ["my-net.py", "class.py", "numpy.py", "2.py"])
def test_refuses_names_that_cannot_be_imported(name, tmp_path):
    with pytest.raises(ValueError, match=f"numpy_source.save: '{name}': expected a file that can"):
        fb.numpy_source.save(dense(2, 2), tmp_path / name)
    assert not [*tmp_path.iterdir()]


def test_refuses_what_is_no_number(tmp_path):
    net = dense(2, 2)
    net.layers[0].b[1] = np.nan
    with pytest.raises(ValueError, match=r"numpy_source.save: 0\.b of .* got nan at \(1,\)"):
        fb.numpy_source.save(net, tmp_path / "net.py")
    frame = pd.DataFrame({"w": ["a", "b", "c"] * 20, "y": [0, 1] * 30})
    data = fb.datasets.table(frame, label="y")
    net = dense(data.features, 2)
    net.table = data.table
    with pytest.raises(ValueError, match="column 'w' is a category"):
        fb.numpy_source.save(net, tmp_path / "net.py")
