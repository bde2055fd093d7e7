"""Networks as C headers: compiled by C and by C++, they say what fastbp says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compiled import COMPILERS, Compiled, missing
from exported_cases import ALL, EXTREME, LAYERS, NETS, RNG, TABLES, dense, has_probabilities
from for_each import for_each
from numpy.testing import assert_array_equal

import fastbp as fb
from fastbp.interop.c.layers import WRITERS
from fastbp.interop.c.names import KEYWORDS, NAME, suggestion
from fastbp.interop.c.numbers import literal
from fastbp.layers import BUILT_IN
from fastbp.layers.nesting import every_layer

CLOSE = 1e-6  # of the largest score


@pytest.fixture(scope="module", params=[*COMPILERS])
def compiled(request, tmp_path_factory):
    if missing(request.param):
        pytest.skip(f"no compiler of {request.param}")
    return Compiled(ALL, request.param, tmp_path_factory.mktemp("headers"))


def close(found, expected):
    expected = np.asarray(expected, np.float64).reshape(found.shape)
    assert np.abs(found - expected).max() <= CLOSE * max(np.abs(expected).max(), 1e-3)


@for_each("name", NETS)
def test_says_what_the_network_says(compiled, name):
    net = NETS[name]
    x = RNG.normal(size=(40, net.inputs)).astype(np.float32)
    if name == "far":
        x = x + np.float32([1e5, -3e4])
    close(compiled(name, "scores", x, net.outputs), net.scores(x))
    predicted = net.predict(x)
    close(compiled(name, "predict", x, predicted[0].size), predicted)
    if has_probabilities(net):
        chances = net.predict_proba(x)
        close(compiled(name, "predict_proba", x, chances.shape[1]), chances)


@pytest.mark.parametrize("name", TABLES)
def test_takes_a_row_of_a_table(compiled, name):
    net, frame = TABLES[name]
    x = frame.to_numpy(np.float32)
    exact = pd.DataFrame(x.astype(np.float64), columns=frame.columns)
    close(compiled(name, "scores", x, net.outputs), net.scores(exact))
    if name != "table_classes":
        close(compiled(name, "predict", x, 1), net.predict(exact))
        return
    names = np.array(net.table.label.names)
    found = compiled(name, "predict", x, 1)[:, 0].astype(int)
    assert_array_equal(names[found], net.predict(exact))
    close(compiled(name, "predict_proba", x, 2), net.predict_proba(exact))


@for_each("name", EXTREME)
def test_functions_over_the_whole_range(compiled, name):
    far = np.logspace(-40, 38, 2001, dtype=np.float32)
    x = np.concatenate([[np.nan, np.inf, -np.inf, 0], -far, far, np.linspace(-30, 30, 60001)])
    x = x.astype(np.float32)[:, None]
    found, expected = compiled(name, "scores", x, 1), ALL[name].astype("float64").scores(x)
    assert_array_equal(found[:3], expected[:3].astype(np.float32))
    finite = np.abs(expected) <= np.finfo(np.float32).max
    assert_array_equal(np.isnan(found), np.isnan(expected))
    off = np.abs(found[finite] - expected[finite]) / np.maximum(np.abs(expected[finite]), 1)
    assert off.max() <= CLOSE


def test_tanh_is_near_and_never_above_1(compiled):
    x = np.linspace(-12, 12, 400001, dtype=np.float32)[:, None]
    found = compiled("f_Tanh", "scores", x, 1)
    off = found - np.tanh(x.astype(np.float64))
    assert np.abs(off).max() < 4.2e-7
    assert np.sqrt(np.mean(off**2)) < 7e-8
    assert np.abs(found).max() == 1
    small = np.float32([[1e-8], [-1e-30], [1e-42]])
    np.testing.assert_allclose(compiled("f_Tanh", "scores", small, 1), small, 2e-7, 0)


def test_nan_stays(compiled):
    for name in ("policy", "images", "layer_0", "first"):
        x = np.zeros((1, NETS[name].inputs), np.float32)
        x[0, 0] = np.nan
        assert np.isnan(compiled(name, "scores", x, NETS[name].outputs)).any()


def test_every_layer_has_its_writer():
    """Whoever adds a layer adds what it is in C, or refuses it."""
    assert {*WRITERS} == {*BUILT_IN.values()}
    tested = {type(layer) for net in LAYERS.values() for layer in every_layer(net.layers)}
    assert tested >= {*WRITERS}


def test_every_number_is_exact():
    numbers = RNG.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32)
    numbers = [*numbers[np.isfinite(numbers)], np.float32(1), np.float32(-0.0)]
    assert_array_equal([np.float32(literal(n)[:-1]) for n in numbers], numbers)
    assert (literal(3.0), literal(1e20)) == ("3.0f", "1e+20f")


def test_names(tmp_path):
    net = dense(2, 3)
    for path, name, expected in (
        ("my-net.h", None, "the file's name, 'my-net.h', is 'my-net', no name in C.*'my_net'"),
        ("a.h", "int", "'int', a word of C or C.*'net_int'"),
        ("a.h", "2nd", "'net_2nd'"),
        ("a.h", "_a__b", "'a_b'"),
        ("a.h", "größe", "'gr_e'"),
        ("a.h", "", "'net'"),
        ("a.h", "x" * 99, "of 99 letters"),
    ):
        with pytest.raises(ValueError, match=f"c.save: .*{expected}"):
            fb.c.save(net, tmp_path / path, name)
    with pytest.raises(TypeError, match=r"name: expected a text, got 3"):
        fb.c.save(net, tmp_path / "a.h", 3)
    assert not [*tmp_path.iterdir()]
    assert all(
        NAME.fullmatch(suggestion(word)) and suggestion(word) not in KEYWORDS for word in KEYWORDS
    )


def test_refuses_what_c_cannot_have(tmp_path):
    path = tmp_path / "a.h"
    wrong = dense(2, 3, 2)
    wrong.layers[2].w[1, 1] = np.inf
    with pytest.raises(
        ValueError, match=r"2\.w of Linear\(3, 2\): expected finite .* inf at \(1, 1\)"
    ):
        fb.c.save(wrong, path)
    huge = dense(2, 2, dtype="float64")
    huge.layers[0].b[1] = 1e300
    with pytest.raises(ValueError, match=r"0\.b .* got 1e\+300 at \(1,\)"):
        fb.c.save(huge, path)
    with pytest.raises(ValueError, match=r"any number of columns; expected .* input_shape"):
        fb.c.save(fb.Sequential(fb.Tanh()), path)
    images = fb.Sequential(fb.Conv2d(1, 2, 2), input_shape=(1, 4, 5))
    with pytest.raises(ValueError, match=r"c.save: images \(2, 3, 4\) come out .* in Flatten"):
        fb.c.save(images, path)
    with pytest.raises(TypeError, match=r"c.save: expected .*, got 'net'"):
        fb.c.save("net", path)

    class Twice(fb.Layer):
        def forward(self, x):
            return 2 * x

    with pytest.raises(TypeError, match=r"layer 1 is Twice.*, a layer of your own"):
        fb.c.save(fb.Sequential(fb.Linear(2, 2), Twice()), path)
    frame = pd.DataFrame({"w": ["a", "b", "c"] * 20, "n": range(60), "y": [0, 1] * 30})
    data = fb.datasets.table(frame, label="y")
    net = dense(data.features, 2)
    net.table = data.table
    with pytest.raises(
        ValueError, match=r"column 'w' is a category, which is no number; .*copy.table = None"
    ):
        fb.c.save(net, path)
    assert not path.exists()
    copy = net.copy()
    copy.table = None
    fb.c.save(copy, path)
    assert f"#define A_INPUTS {data.features}" in path.read_text()


@pytest.mark.skipif(missing("c"), reason="no C compiler")
def test_the_document(tmp_path, monkeypatch):
    """What docs/c.md says runs, in order."""
    text = (Path(__file__).parents[2] / "docs" / "c.md").read_text("utf-8")
    net = dense(17, 4, 6)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = {"fb": fb, "net": net, "x": np.zeros((2, 17), np.float32)}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(block, known)
    del sys.modules["net"]
    assert_array_equal(known["net"].predict(known["x"]), net.predict(known["x"]))
    (_, program) = re.findall(r"^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "robot.c").write_text(program)
    command = re.search(r"^    (gcc .*)$", text, re.MULTILINE)[1].split()
    subprocess.run([*command, "-Wall", "-Wextra", "-Werror"], check=True)
    said = subprocess.run([tmp_path / "a.out"], capture_output=True, text=True, check=True).stdout
    x = np.zeros((1, 17), np.float32)
    x[0, :2] = 0.5, -1
    assert said == f"{net.predict(x)[0]}\n"
