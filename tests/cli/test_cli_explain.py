"""``explain``: the worked example, a network of one's own, drawings, and what can be wrong."""

from command_line import assert_error, is_whole_png, names, run

from fastbp.explain.example import WORKED_EXAMPLE

OWN = """
inputs = [1.0]
target = 1
loss = "cross-entropy"
rate = 0.5
[[layer]]
type = "Linear"
w = [[0.5, -0.5]]
"""


def test_the_worked_example(tmp_path):
    result = run("explain", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "  new w5 = w5 − η·dl/dw5 = 0.55 − 0.5·0.168103 = 0.4659485   as reported" in result.out
    assert result.out.endswith("12 of 12 reported numbers match to every digit\n")
    assert run("explain", WORKED_EXAMPLE, cwd=tmp_path).out == result.out
    assert run("explain", "--backend", "numpy", cwd=tmp_path).out == result.out
    quantities = run("explain", "--json", cwd=tmp_path).json["quantities"]
    assert sum(quantity["matches"] for quantity in quantities) == len(quantities)
    found = {quantity["name"]: quantity["text"] for quantity in quantities}
    assert (found["o"], found["new w6"]) == ("0.79501", "0.582285")
    assert names(tmp_path) == set()


def test_a_network_of_ones_own(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    result = run("explain", "own.toml", "--plot", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "  dl/do1 = e^o1 / (e^o1 + e^o2) − 0 = " in result.out
    assert "drawn in explained/given.png, explained/forward.png" in result.out
    assert names(tmp_path / "explained") == {
        "given.png",
        "forward.png",
        "backward.png",
        "update.png",
    }
    assert all(is_whole_png(path) for path in (tmp_path / "explained").iterdir())


def test_what_can_be_wrong(tmp_path):
    (tmp_path / "bad.toml").write_text(OWN.replace("1.0", "one"))
    wrong = "bad.toml: no TOML file: Invalid value (at line 2"
    assert_error(run("explain", "bad.toml", cwd=tmp_path), wrong)
    (tmp_path / "wide.toml").write_text(OWN.replace("[1.0]", str([0.5] * 9)))
    assert_error(run("explain", "wide.toml", cwd=tmp_path), "inputs: expected a list of 1 to 8")
    assert_error(run("explain", "none.toml", cwd=tmp_path), "none.toml: No such file")
    assert_error(run("explain", tmp_path, cwd=tmp_path), "Is a directory")
    assert_error(run("explain", "a", "b", cwd=tmp_path), "b", code=2)
    (tmp_path / "own.toml").write_text(OWN)
    result = run("explain", "own.toml", "--plot", "own.toml", cwd=tmp_path)
    assert_error(result, "own.toml: File exists")
