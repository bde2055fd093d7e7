"""``train``: what comes around the gradient, from validation shares to going on after a kill."""

import time

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    PICTURE_PLOTS,
    PLOTS,
    assert_error,
    names,
    read_config,
    read_history,
    read_losses,
    run,
    run_script,
)

import fastbp as fb

SMALL = ("train", "--limit", 600, "--hidden", 8, "--init", "glorot", "--quiet", "--json")
AROUND = (
    "--optimizer adam --lr 0.02 --schedule cosine --warm-up 1.5 --minimum 0.1 --validation 0.2 "
    "--early-stopping 50 --class-weight balanced --max-seconds 600 --metrics running --epochs 8"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("around") / "run"
    result = run(*SMALL, *AROUND, "--output", folder, cwd=folder.parent)
    assert (result.code, result.err) == (0, "")
    return folder, result.json


def test_options_are_recorded_and_repeat_the_run(trained, tmp_path):
    folder, _ = trained
    training = read_config(folder)["training"]
    assert training == {
        "loss": "hinge",
        "optimizer": "adam",
        "schedule": "cosine",
        "warm_up": 1.5,
        "minimum": 0.1,
        "lr": 0.02,
        "batch_size": 8,
        "epochs": 8,
        "seed": 0,
        "validation": 0.2,
        "early_stopping": 50,
        "class_weight": "balanced",
        "max_seconds": 600.0,
        "metrics": "running",
    }
    again = ("train", "--model", folder / "config.toml", "--limit", 600, "--no-plots", "--quiet")
    assert run(*again, "--output", tmp_path / "again", cwd=tmp_path).code == 0
    np.testing.assert_array_equal(read_losses(folder), read_losses(tmp_path / "again"))


def test_the_same_in_python(trained):
    """The history is what fit makes of the same arguments."""
    folder, found = trained
    train, test = fb.datasets.mnist()
    net = fb.Sequential(fb.Linear(784, 8), fb.Tanh(), fb.Linear(8, 10), init="glorot", seed=0)
    history = fb.fit(
        net,
        train.first(600),
        loss="hinge",
        optimizer=fb.Adam(lr=0.02),
        schedule=fb.schedules.Cosine(warm_up=1.5, minimum=0.1),
        epochs=8,
        batch_size=8,
        validation=0.2,
        early_stopping=fb.EarlyStopping(patience=50),
        class_weight="balanced",
        metrics="running",
    )
    np.testing.assert_array_equal(history.loss_by_iteration, read_losses(folder))
    for row, epoch in zip(read_history(folder), history.rows(), strict=True):
        assert list(row) == list(epoch)
        assert {k: float(v) for k, v in row.items() if k != "seconds"} == {
            k: v for k, v in epoch.items() if k != "seconds"
        }
    assert found["test_accuracy"] == fb.evaluate(net, test).accuracy
    assert found["best_val_accuracy"] == max(history["val_accuracy"])
    assert (fb.load(folder / "model.safetensors").params == net.params).all()


def test_pictures_show_the_rate_and_the_validation_loss(trained):
    folder, _ = trained
    assert names(folder) == ALWAYS | PLOTS | PICTURE_PLOTS | {"rate_by_iteration.png"}


def test_early_stopping_keeps_the_best_network(tmp_path):
    options = "--optimizer adam --lr 0.05 --epochs 60 --early-stopping 2 --no-plots".split()
    result = run(*SMALL, *options, "--output", "run", cwd=tmp_path)
    assert result.code == 0
    found, rows = result.json, read_history(tmp_path / "run")
    losses = [float(row["val_loss"]) for row in rows]
    best = int(np.argmin(losses))
    assert len(rows) == best + 3 < 60
    assert found["stopped"] == f"no better val_loss in 2 epochs after epoch {best + 1}"
    assert found["test_accuracy"] == float(rows[best]["val_accuracy"])
    net, (_, test) = fb.load(tmp_path / "run/model.safetensors"), fb.datasets.mnist()
    assert fb.evaluate(net, test).accuracy == found["test_accuracy"]
    before = (tmp_path / "run/model.safetensors").read_bytes()
    (tmp_path / "run/model.safetensors").unlink()  # as if it had been killed before the end
    again = run(
        *("train", "--resume", "run", "--limit", 600, "--no-plots", "--quiet", "--json"),
        cwd=tmp_path,
    )
    assert again.json == found
    assert (tmp_path / "run/model.safetensors").read_bytes() == before


def test_a_killed_run_goes_on_to_the_same_bits(trained, tmp_path):
    whole, _ = trained
    script = """
import os, signal
from fastbp import recording
begin, recording.EVERY = recording.Recorder.on_epoch_begin, 1e-9
def killed(self, epoch, net):
    begin(self, epoch, net)
    if epoch == 4:
        os.kill(os.getpid(), signal.SIGKILL)
recording.Recorder.on_epoch_begin = killed
sys.exit(main(sys.argv[1:]))
"""
    assert run_script(script, *SMALL, *AROUND, "--output", "run", cwd=tmp_path).code == -9
    folder = tmp_path / "run"
    other = run("train", "--resume", "run", "--limit", 500, "--quiet", cwd=tmp_path)
    assert_error(other, "the checkpoint is of another data set")
    done = len(fb.resume(folder / "checkpoint.safetensors").history)
    assert done == 3
    went_on = run("train", "--resume", "run", "--limit", 600, "--no-plots", cwd=tmp_path)
    assert went_on.code == 0
    assert f"epoch {done + 1}/8 " in went_on.err
    assert f"epoch {done}/8 " not in went_on.err
    np.testing.assert_array_equal(read_losses(folder), read_losses(whole))
    model = "model.safetensors"
    assert (folder / model).read_bytes() == (whole / model).read_bytes()
    without_seconds = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in read_history(each)]
        for each in (folder, whole)
    ]
    assert without_seconds[0] == without_seconds[1]


def test_a_run_ends_when_its_time_is_over(tmp_path):
    began = time.monotonic()
    options = ("--max-seconds", 0.5, "--epochs", 10**6, "--no-plots", "--output", "run")
    result = run(*SMALL, *options, cwd=tmp_path)
    assert time.monotonic() - began < 30
    assert result.json["stopped"] == "max_seconds=0.5 are over"
    assert 1 <= len(result.json["epochs"]) < 10**6


WRONG = {
    "--schedule step": ("schedule step needs --step-size",),
    "--patience 3": ("--patience goes with --schedule adaptive, plateau",),
    "--schedule step --step-size 2 --warm-up 1": ("step has no --warm-up; it has --step-size",),
    "--schedule cosine --warm-up -1": ("Cosine warm_up: expected at least 0, got -1",),
    "--schedule plateau --monitor val_f1": ("'val_f1'", "add mode='max' or 'min'"),
    "--resume run --lr 1": ("--resume goes on with what the folder says: --lr does not go",),
    "--resume run --patience 1": ("--patience does not go with it",),
    "--limit 100 --output new --class-weight 1,2": ("one weight for each of 10 classes",),
    "--limit 3 --validation 0.1": ("validation",),
    "--resume run": ("run/checkpoint.safetensors", "No such file"),
}


@pytest.mark.parametrize("line", WRONG)
def test_what_does_not_go_together_is_one_line_and_leaves_nothing(tmp_path, line):
    result = run("train", "--quiet", *line.split(), cwd=tmp_path)
    assert_error(result, *WRONG[line], code=1 if "No such file" in result.err else 2)
    assert names(tmp_path) <= {"runs"}
    assert not any((tmp_path / "runs").glob("*"))
