"""``train``: what is in its folder, and what it prints."""

import re

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    PICTURE_PLOTS,
    PLOTS,
    is_whole_png,
    names,
    read_config,
    read_history,
    read_losses,
    run,
)

import fastbp as fb
from fastbp import backends


def test_folder_holds_exactly_its_nine_files(trained):
    assert names(trained.folder) == ALWAYS | PLOTS | PICTURE_PLOTS


def test_pictures_are_whole_pngs(trained):
    assert all(is_whole_png(trained.folder / name) for name in PLOTS | PICTURE_PLOTS)


def test_config_is_what_was_asked_for(trained):
    config = read_config(trained.folder)
    computation = config.pop("computation")
    assert config == {
        "fastbp": fb.__version__,
        "data": {
            "path": "MNIST, embedded",
            "train_samples": 2001,
            "test_samples": 10000,
            "features": 784,
            "classes": 10,
            "scale": 1 / 255,
        },
        "network": {
            "model": "dense",
            "init": "glorot",
            "dtype": "float32",
            "layers": [
                {"type": "Linear", "inputs": 784, "outputs": 32},
                {"type": "ELU"},
                {"type": "Linear", "inputs": 32, "outputs": 16},
                {"type": "ELU"},
                {"type": "Linear", "inputs": 16, "outputs": 10},
            ],
        },
        "training": {
            "loss": "cross-entropy",
            "optimizer": "sgd",
            "schedule": "none",
            "lr": 0.05,
            "batch_size": 16,
            "epochs": 3,
            "seed": 7,
            "metrics": "epoch",
        },
    }
    assert computation == {
        "backend": backends.AUTOMATIC[0],
        "detail": backends.load(backends.AUTOMATIC[0]).detail,
    }


def test_history_has_a_row_an_epoch_equal_to_the_json(trained):
    rows = read_history(trained.folder)
    assert list(rows[0]) == [
        *("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds")
    ]
    numbers = [{name: float(value) for name, value in row.items()} for row in rows]
    assert numbers == trained.result.json["epochs"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_json_summarises_its_epochs(trained):
    found = trained.result.json
    epochs = found["epochs"]
    assert found["seconds"] == pytest.approx(sum(epoch["seconds"] for epoch in epochs))
    assert found["best_test_accuracy"] == max(epoch["val_accuracy"] for epoch in epochs)
    for name in ("train_loss", "train_accuracy"):
        assert found[name] == epochs[-1][name]
    assert found["test_accuracy"] == epochs[-1]["val_accuracy"]
    assert found["output"] == str(trained.folder)
    assert found["parameters"] == 784 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10
    assert found["path"].startswith(backends.AUTOMATIC[0])


def test_training_learns_something(trained):
    assert trained.result.json["test_accuracy"] > 0.7


def test_losses_are_one_a_batch_and_average_to_the_epoch_losses(trained):
    losses = read_losses(trained.folder).reshape(3, 126)  # batches × epochs
    sizes = [16] * 125 + [1]
    expected = [epoch["train_loss"] for epoch in trained.result.json["epochs"]]
    np.testing.assert_allclose(np.average(losses, axis=1, weights=sizes), expected)


def test_model_is_the_network_that_was_trained(trained):
    net = fb.load(trained.model)
    assert repr(net) == trained.result.json["network"]
    assert str(net.dtype) == "float32"
    train, test = fb.datasets.mnist()
    assert fb.evaluate(net, test).accuracy == trained.result.json["test_accuracy"]
    assert fb.evaluate(net, train.first(2001)).accuracy == trained.result.json["train_accuracy"]


def test_progress_is_plain_lines_where_stderr_is_no_terminal(trained):
    network, data, computer, *epochs, pictures = trained.result.err.splitlines()
    assert network == trained.result.json["network"]
    assert "MNIST train" in data
    assert "samples=2001" in data
    assert computer.startswith(backends.AUTOMATIC[0])
    assert computer.endswith(f"float32 -> {trained.folder}")
    percent = r"\d+\.\d\d %"
    figures = (
        rf"loss \d+\.\d{{4}}  train {percent}  test {percent}  "
        r"[\d,]+ samples/s  \d:\d\d:\d\d left"
    )
    for number, line in enumerate(epochs, start=1):
        assert re.fullmatch(rf"epoch {number}/3  {figures}", line)
    assert len(epochs) == 3
    assert epochs[-1].endswith("0:00:00 left")
    assert pictures == "drawing pictures"


def test_report_names_results_and_never_cuts_the_folder(tmp_path):
    folder = tmp_path / ("a-folder-with-a-long-name-" * 4)
    result = run(
        *"train --limit 200 --epochs 1 --hidden 8 --no-plots --quiet --output".split(),
        folder,
        cwd=tmp_path,
        env={"COLUMNS": "20"},
    )
    assert result.code == 0
    assert result.err == ""  # --quiet
    assert names(folder) == ALWAYS  # --no-plots
    facts = dict(re.split("  +", line.strip(), maxsplit=1) for line in result.out.splitlines())
    row = read_history(folder)[0]
    assert facts["network"] == (
        "Sequential(Linear(784, 8), Tanh(), Linear(8, 10)), 6,370 parameters"
    )
    assert facts["train accuracy"] == f"{100 * float(row['train_accuracy']):.2f} %"
    assert facts["test accuracy"].startswith(f"{100 * float(row['val_accuracy']):.2f} % (best")
    assert facts["kept in"] == str(folder)
