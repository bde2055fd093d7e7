"""``sweep``: a TOML file becomes a folder, and errors one line."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_error, is_whole_png, names, press_ctrl_c, run, started, wait_until

import fastbp as fb
from fastbp.tuning.sweep import read_sweep

EXAMPLE = Path(__file__).parents[2] / "docs" / "sweep.toml"
RNG = np.random.default_rng(5)
X = RNG.normal(size=(90, 3))
SWEEP = """
[space]
lr = {loguniform = [1e-3, 1e-1]}
hidden = [[4], [8, 4]]
[settings]
optimizer = "adam"
epochs = 4
[search]
method = "halving"
n_trials = 4
factor = 2
[data]
path = "people.csv"
label = "label"
"""
KEPT = {"model.safetensors", "scores.png", "search.json", "trials", "trials.csv"}


@pytest.fixture
def folder(tmp_path):
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{'yes' if a > b else 'no'}" for a, b, c in X]
    (tmp_path / "people.csv").write_text("\n".join(["a,b,c,label", *rows]) + "\n")
    (tmp_path / "sweep.toml").write_text(SWEEP)
    return tmp_path


def changed(folder, old, new):
    assert old in SWEEP
    (folder / "sweep.toml").write_text(SWEEP.replace(old, new))


def test_a_sweep_leaves_its_folder_and_goes_on_in_it(folder):
    done = run("sweep", "sweep.toml", "--output", "found", cwd=folder)
    assert done.code == 0, done.err
    assert names(folder / "found") == KEPT
    assert is_whole_png(folder / "found" / "scores.png")
    assert "the best of 4 trials" in done.out
    assert "test accuracy" in done.out
    assert done.err.count("Trial ") == 7  # four, two of which went on, and one of those
    net = fb.load(folder / "found" / "model.safetensors")
    assert net.table.label.names == ("no", "yes")
    again = run("sweep", "sweep.toml", "--output", "found", "--json", "--quiet", cwd=folder)
    assert again.code == 0
    assert again.err == ""
    found = again.json
    assert found["metric"] == "val_accuracy"
    assert found["best"]["params"].keys() == {"lr", "hidden"}
    assert found["test"].keys() == {"accuracy"}
    assert [row["epochs"] for row in found["trials"]].count(4) == 1
    here = run("sweep", "sweep.toml", "--no-plots", "--json", "--threads", 1, cwd=folder)
    assert here.json["output"].startswith("runs/")
    assert here.json["best"] == found["best"]
    assert names(folder / here.json["output"]) == KEPT - {"scores.png"}


def test_the_same_in_python(folder):
    sweep = read_sweep(folder / "sweep.toml")
    train, _ = sweep.parts()
    found = fb.search(sweep.space, train, **sweep.search, **sweep.settings)
    done = run("sweep", "sweep.toml", "--json", "--quiet", "--no-plots", cwd=folder)
    assert done.json["best"]["score"] == found.best_score


def test_data_that_stay_on_disk(folder):
    """Within a bound that does not hold them, and with the same result as from Python."""
    kept = folder / "people"
    kept.mkdir()
    for start in range(0, 90, 30):
        rows = {"x": X[start : start + 30], "y": X[start : start + 30, 0] > 0}
        np.savez(kept / f"{start:02d}.npz", **rows)
    on_disk = 'path = "people"\nmemory = "40MB"\ncopy = "no"'
    changed(folder, 'path = "people.csv"\nlabel = "label"', on_disk)
    done = run("sweep", "sweep.toml", "--json", "--quiet", "--no-plots", cwd=folder)
    assert done.code == 0, done.err
    assert done.json["test"]["accuracy"] > 0.5
    sweep = read_sweep(folder / "sweep.toml")
    train, test = fb.datasets.shards(kept, memory="40MB", copy=False).split(1 / 7)
    found = fb.search(sweep.space, train, **sweep.search, **sweep.settings)
    assert done.json["best"]["score"] == found.best_score
    assert done.json["test"]["accuracy"] == fb.evaluate(found.best_model, test).accuracy


def test_values_are_judged_in_their_unit(folder):
    rows = [f"{a:.4f},{1000 * a + b:.4f}" for a, b, _ in X]
    (folder / "people.csv").write_text("\n".join(["a,label", *rows]) + "\n")
    changed(folder, "epochs = 4", "epochs = 30\nbatch_size = 8")
    done = run("sweep", "sweep.toml", "--json", "--quiet", "--no-plots", cwd=folder)
    assert done.json["metric"] == "val_r2"
    assert done.json["test"]["r2"] > 0.9
    assert 1 < done.json["test"]["mae"] < 400


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("[space]", "[spaces]", ["sweep.toml: unknown key 'spaces'; did you mean space?"]),
        ("lr = {loguniform", "lr = {gauss", ["sweep.toml: search space: lr: expected a table of"]),
        ("n_trials", "trials", ["sweep.toml: search: unknown key 'trials'; did you mean n_trials"]),
        ("lr =", "rate =", ["search space: there is no setting 'rate'"]),
        ('label = "label"', "label = 3", ["sweep.toml: data: label: expected a text, got 3"]),
        ('path = "people.csv"\n', "", ["sweep.toml: data: 'path' is missing"]),
        ('label = "label"', 'copy = "no"', ["data: copy: goes with memory, of data that stay"]),
        ('label = "label"', 'memory = "1MB"\ntest = "a.csv"', ["test: does not go with memory"]),
        ('label = "label"', 'memory = "much"', ["memory", "'much'"]),
        ("people.csv", "nobody.csv", ["nobody.csv: No such file or directory"]),
        ('"halving"', '"bayes"', ["search method: expected one of random, grid, halving"]),
        ("[space]", "[space", ["sweep.toml: no TOML file: "]),
        ('"adam"', '"adam"\nmomentum = 0.5', ["adam has no momentum; it has"]),
    ],
)
def test_what_a_file_has_wrong_is_one_line(folder, old, new, parts):
    changed(folder, old, new)
    code = 2 if "momentum" in new else 1  # a wrong setting is wrong usage, as train's
    assert_error(run("sweep", "sweep.toml", "--quiet", cwd=folder), *parts, code=code)
    assert not (folder / "runs").exists() or not [*(folder / "runs").glob("*/trials/*.safetensors")]


def test_wrong_usage_and_files_that_are_not_there(folder):
    assert run("sweep", cwd=folder).code == 2
    assert run("sweep", "sweep.toml", "--threads", 0, cwd=folder).code == 2
    assert_error(run("sweep", "no.toml", cwd=folder), "no.toml: No such file or directory")
    (folder / "mine").mkdir()
    (folder / "mine" / "letter").write_text("dear")
    done = run("sweep", "sweep.toml", "--quiet", "--output", "mine", cwd=folder)
    assert_error(done, "mine: the folder is not empty, and holds no search")
    help_ = run("sweep", "--help", cwd=folder)
    assert help_.code == 0
    assert "--dask ADDRESS" in help_.out


def test_ctrl_c_keeps_what_is_finished(folder):
    changed(folder, "epochs = 4", "epochs = 400")
    output = folder / "found"
    with started("sweep", "sweep.toml", "--output", output, cwd=folder) as process:
        wait_until(lambda: [*output.glob("trials/*-0.json")], process)
        _, err, code = press_ctrl_c(process)
    assert code == 130
    assert f"go on with --output {output}" in err.splitlines()[-1]
    assert "trials.csv" in names(output)


def test_the_example_is_one(folder):
    sweep = read_sweep(EXAMPLE)
    assert sweep.search["n_trials"] == 27
    train, test = sweep.parts()
    changes = {"epochs": 3, "metrics": "none"}
    search = sweep.search | {"n_trials": 3, "validation": 0.2}
    found = fb.search(sweep.space, train.first(300), **search, **sweep.settings | changes)
    assert [trial.epochs for trial in found].count(3) == 1
    assert found.best_model.inputs == test.features
    of_data = EXAMPLE.read_text().partition("# [data]")[2].partition("\n")[2].replace("# ", "")
    assert tomllib.loads(of_data) == {"path": "people.csv", "label": "income"}
