"""Values, two classes from one output and labels, from a file to the prediction."""

import csv
import json

import numpy as np
import pytest
from command_line import assert_error, run

import fastbp as fb

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
VALUES = X @ [1, -2, 0.5] + 3
COUNTS = RNG.poisson(np.exp(X[:, 0]))
# Each run: its data, its options, and what its scores mean.
RUNS = {
    "values": ("values.csv", ("--values", "--loss", "mse"), "values"),
    "counts": ("counts.csv", ("--values", "--loss", "poisson"), "counts"),
    "two": ("two.csv", ("--loss", "bce"), "two classes"),
    "labels": ("labels.npz", ("--values", "--loss", "bce"), "labels"),
}
OPTIONS = ("--hidden", 8, "--epochs", 20, "--batch-size", 16)
OPTIONS = (*OPTIONS, "--optimizer", "adam", "--lr", 0.02, "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The data."""
    folder = tmp_path_factory.mktemp("meaning")
    for name, y in (("values", VALUES), ("counts", COUNTS), ("two", (VALUES > 3).astype(int))):
        table, head = np.column_stack([y, X]), "label,a,b,c"
        np.savetxt(folder / f"{name}.csv", table, delimiter=",", header=head, comments="")
    np.savez(folder / "labels.npz", x=X, y=(X[:, :2] > 0).astype(int))
    return folder


@pytest.fixture(scope="module")
def found(folder):
    """What training said, what evaluate and predict say of it, and the network."""
    data = [("--data", folder / file) for file, _, _ in RUNS.values()]
    trainings = [
        ("train", *source, *how, *OPTIONS, *_one(name), "--output", folder / name)
        for source, (name, (_, how, _)) in zip(data, RUNS.items(), strict=True)
    ]
    results = [run(*training, cwd=folder) for training in trainings]
    models = [folder / name / "model.safetensors" for name in RUNS]
    for command, *options in (("evaluate",), ("predict", "--index", 2)):
        results += [
            run(command, m, *options, *d, "--json", cwd=folder)
            for m, d in zip(models, data, strict=True)
        ]
    for result in results:
        assert result.code == 0, result.err
    said = [json.loads(result.out) for result in results]
    n = len(RUNS)
    return {
        name: (*said[i::n], fb.load(model))
        for i, (name, model) in enumerate(zip(RUNS, models, strict=True))
    }


def _one(name):
    """One network of a table; of other data there is one in any case."""
    return () if name == "labels" else ("--ensemble", 1)


def data_of(folder, name, net):
    """Every row of a table, and the test part of other data."""
    file = folder / RUNS[name][0]
    return fb.datasets.load(file, values=True)[1] if net.table is None else net.table.dataset(file)


@pytest.mark.parametrize("name", RUNS)
def test_a_model_says_what_its_scores_mean(folder, found, name):
    trained, evaluated, predicted, net = found[name]
    test, of_table = data_of(folder, name, net), net.table is not None
    assert (net.meaning, of_table) == (RUNS[name][2], name != "labels")
    want = fb.evaluate(net, test)
    x, y = test.batch([2], net.dtype)
    answer = net.predict(x)
    if of_table:
        y, answer = net.table.label.decode(y), net.table.label.decode(answer)
    assert predicted["label"] == pytest.approx(y[0].tolist())
    assert predicted["prediction"] == pytest.approx(answer[0].tolist(), rel=1e-5)
    if name in ("values", "counts"):
        assert evaluated["r2"] == pytest.approx(want.r2)
        assert evaluated["mae"] == pytest.approx(want.mae * net.table.label.std)
        assert trained["best_val_r2"] >= trained["val_r2"] > 0.2
        assert trained["test_r2"] > 0.2
        assert predicted["probabilities"] is None
    else:
        assert evaluated["accuracy"] == pytest.approx(want.accuracy)
        assert of_table or evaluated["accuracy"] == trained["test_accuracy"]
        p = net.predict_proba(x)[0]
        assert predicted["probabilities"] == pytest.approx(p.tolist(), rel=1e-5)


@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_leaves(folder, found, name):
    of_values, files = name in ("values", "counts"), {p.name for p in (folder / name).iterdir()}
    assert ("accuracy_by_epoch.png" in files) != of_values
    assert ("confusion_matrix.png" in files) == (name == "two")
    with (folder / name / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ("train_r2" in rows[0]) == of_values != ("train_accuracy" in rows[0])
    assert found[name][0]["epochs"][-1].keys() == rows[0].keys()
    assert len(rows) == 20


def test_tables_say_the_same(folder, found):
    for name, words in {
        "values": ("R²", "MAE", "rows"),
        "two": ("class", "precision", "rows"),
        "labels": ("samples",),
    }.items():
        model, data = folder / name / "model.safetensors", folder / RUNS[name][0]
        shown = run("evaluate", model, "--data", data, cwd=folder)
        assert shown.code == 0
        assert all(word in shown.out for word in words)
        evaluated = found[name][1]
        figure = f"{evaluated['r2']:.4f}" if words[:1] == ("R²",) else "%"
        assert figure in shown.out
        shown = run("predict", model, "--data", data, "--index", 2, cwd=folder)
        assert shown.code == 0
        assert shown.out.startswith("sample 2, ")


def test_what_does_not_go_together_is_refused(folder, found):
    model = folder / "values" / "model.safetensors"
    for command, words in {
        ("train", "--data", folder / "two.csv", "--loss", "poisson", "--quiet"): (
            "loss poisson does not go with data of classes",
            "--values reads them as numbers",
        ),
        ("train", "--data", folder / "values.csv", "--values", "--loss", "hinge", "--quiet"): (
            "loss hinge does not go with data of values",
            "BCEWithLogitsLoss",
        ),
        ("train", "--values"): ("values come with --data",),
        ("evaluate", model): ("learned from a table", "--data FILE"),
        ("predict", model, "--data", folder / "values.csv", "--index", 0, "--plot"): ("--plot",),
    }.items():
        usage = words[0] == "values come with --data"
        assert_error(run(*command, cwd=folder), *words, code=2 if usage else 1)
    assert not (folder / "runs").exists()
