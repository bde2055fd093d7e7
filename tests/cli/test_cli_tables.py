"""``train``, ``evaluate`` and ``predict`` on a table of words, numbers and gaps."""

import io
import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from command_line import ALWAYS, OF_TABLE, PLOTS, assert_error, names, run
from sklearn import metrics

import fastbp as fb
from fastbp.cli import _predicted, _tables


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder with a table of 210 people, two of three of which earn little."""
    rng = np.random.default_rng(4)
    age, job = rng.integers(20, 70, 210), rng.choice(["cook", "judge", "poet"], 210)
    frame = pd.DataFrame({"nr": np.arange(210), "age": age.astype(float), "job": job})
    frame["income"] = np.where((age > 40) & (job != "poet"), "high", "low")
    frame["wage"] = 1000.5 + 50 * age + 700 * (job == "judge")
    frame.loc[::9, "age"] = np.nan
    folder = tmp_path_factory.mktemp("people")
    frame.to_csv(folder / "people.csv", index=False, sep=";", decimal=",")
    return folder, frame


def test_of_a_wide_table_the_first_columns_are_told(capsys):
    columns = {f"c{k}": [0.5, 2.0, k] for k in range(60)}
    _tables._tell(fb.datasets.table({**columns, "label": [*"xyx"]}).table)
    _, *lines, more, label = capsys.readouterr().err.splitlines()
    assert (lines[-1].split()[0], len(lines), label.split()[0]) == ("c49", 50, "label")
    assert more == "… and 10 more columns, which report.html and net.table have"


@pytest.fixture(scope="module")
def trained(people):
    folder, _ = people
    options = (
        "--data people.csv --label income --drop wage --output run --no-plots --json --epochs 20"
    )
    result = run("train", *options.split(), cwd=folder)
    assert result.code == 0, result.err
    return result


def test_a_table_is_told_split_and_learned(trained, people):
    told = trained.err.splitlines()
    assert "nr      left out  an index or id: a different whole number in each row" in told
    assert "wage    left out  as it was asked for" in told
    assert "income  label     2 classes: high, low" in told
    assert "Linear(6, 256), SELU()" in trained.json["network"]  # age, its gaps, jobs and others
    assert trained.json["test"]["accuracy"] > 0.8
    assert trained.json["networks"] == len(trained.json["epochs"]) == 10
    net = fb.load(people[0] / "run" / "model.safetensors")
    assert net.table.label.names == ("high", "low")


def test_pictures_and_a_page_show_what_came_of_it(people, trained):
    folder, _ = people
    options = "--data people.csv --label income --drop wage --epochs 2 --output shown --ensemble 1"
    result = run("train", *options.split(), "--quiet", cwd=folder)
    assert (result.code, result.err) == (0, "")
    assert names(folder / "shown") == ALWAYS | PLOTS | OF_TABLE
    page = (folder / "shown" / "report.html").read_text("utf-8")
    assert "Trained on 180 rows of people.csv, 36 of which were kept back" in page
    errors = int(re.search(r"  accuracy .*, (\d+) errors", result.out)[1])
    assert f"{100 * (30 - errors) / 30:.1f}\u00a0%" in page
    assert "predict shown/model.safetensors --data new.csv" in page
    assert names(folder / "run") == ALWAYS - {"checkpoint.safetensors"}  # --no-plots


def test_the_run_is_repeated_by_its_config(trained, people):
    folder, _ = people
    config = (folder / "run" / "config.toml").read_text()
    assert config.count('init = "normal:0"') == 1
    assert "lr_factor = 0.0625" in config  # 1/√256
    options = "--data people.csv --label income --drop wage --model run/config.toml --output again"
    assert run("train", *options.split(), "--no-plots", "--quiet", cwd=folder).code == 0
    ways = [(folder / name / "model.safetensors").read_bytes() for name in ("run", "again")]
    assert ways[0] == ways[1]


def test_evaluate_measures_every_row(trained, people):
    folder, frame = people
    model = "run/model.safetensors"
    found = run("evaluate", model, "--data", "people.csv", "--json", cwd=folder).json
    net = fb.load(folder / model)
    said, high = net.predict(frame), net.predict_proba(frame)["low"]
    assert found["samples"] == 210
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(frame["income"], said))
    balanced = metrics.balanced_accuracy_score(frame["income"], said)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(frame["income"] == "low", high))
    assert found["baseline"] == pytest.approx((frame["income"] == "low").mean())
    recall = metrics.recall_score(frame["income"], said, average=None)
    precision = metrics.precision_score(frame["income"], said, average=None)
    for k, row in enumerate(found["classes"]):
        assert (row["class"], row["recall"]) == (["high", "low"][k], pytest.approx(recall[k]))
        assert row["precision"] == pytest.approx(precision[k])


def test_data_lose_no_letters_on_a_stream_that_lacks_them(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1", errors="replace"))
    _predicted.write(pd.DataFrame({"town": ["Łódź", "Köln"]}), None)
    sys.stdout.flush()
    assert written.getvalue().decode() == "town\nŁódź\nKöln\n"


def test_predict_writes_a_row_for_each_row(trained, people):
    folder, frame = people
    new = frame[["job", "age"]].iloc[::-1].assign(name="x, y")
    new.to_csv(folder / "new.csv", index=False)
    command = "predict run/model.safetensors --data new.csv --keep name --output out.csv"
    result = run(*command.split(), cwd=folder)
    assert (result.code, result.out) == (0, "")
    assert "does not know 'name'" in result.err
    written = pd.read_csv(folder / "out.csv")
    chances = ["probability of high", "probability of low"]
    assert list(written.columns) == ["name", "prediction", *chances]
    net = fb.load(folder / "run" / "model.safetensors")
    assert (written["prediction"] == net.predict(frame)[::-1]).all()
    assert written[chances].to_numpy() == pytest.approx(net.predict_proba(frame).to_numpy()[::-1])
    command = "predict run/model.safetensors --data new.csv --index 2 --json"
    one = json.loads(run(*command.split(), cwd=folder).out)
    assert (one["prediction"], one["label"]) == (written["prediction"][2], None)


def test_values_are_told_in_their_unit(people):
    folder, frame = people
    options = (
        "--data people.csv --label wage --drop income --epochs 200 --output values --ensemble 1"
    )
    result = run("train", *options.split(), "--no-plots", "--quiet", "--json", cwd=folder)
    assert result.code == 0, result.err
    assert result.err == ""
    assert result.json["test_mae"] < 500
    model = "values/model.safetensors"
    found = run("evaluate", model, "--data", "people.csv", "--json", cwd=folder).json
    errors = fb.load(folder / model).predict(frame) - frame["wage"]
    assert found["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)
    assert found["baseline"]["rmse"] == pytest.approx(frame["wage"].std(), rel=0.05)
    assert_a_row_is_scored(folder, frame, model)


def assert_a_row_is_scored(folder, frame, model):
    """Of one row there is no R²."""
    frame[1:2].to_csv(folder / "one.csv", index=False)
    command = ("evaluate", model, "--data", "one.csv")
    found = run(*command, "--json", cwd=folder).json
    error = fb.load(folder / model).predict(frame[1:2])[0] - frame["wage"][1]
    assert (found["samples"], found["r2"]) == (1, None)
    assert found["mae"] == pytest.approx(abs(error), rel=1e-5)
    out = run(*command, cwd=folder).out
    assert f"{model} on one.csv, 1 row\n" in out
    assert re.search(r"the mean +- ", out)


def test_what_does_not_go_is_refused_and_leaves_nothing(trained, people):
    folder, _ = people
    before = {path.name for path in folder.iterdir()}
    for command, words in (
        ("train --data people.csv", ("people.csv", "which column is the label?", "'wage'")),
        ("train --data people.csv --label incom", ("did you mean 'income'?",)),
        (
            "train --data people.csv --label income --regression",
            ("label: column 'income': expected numbers",),
        ),
        ("train --drop age", ("--drop", "--data of a table")),
        ("evaluate run/model.safetensors", ("learned from a table", "--data")),
    ):
        code = 2 if "--drop" in command else 1
        assert_error(run(*command.split(), cwd=folder), *words, code=code)
    assert {path.name for path in folder.iterdir()} == before
