"""``train --ensemble`` and ``train --cv`` on a table."""

import json

import numpy as np
import pandas as pd
import pytest
from command_line import assert_error, assert_one_line, names, read_config, run, run_script

import fastbp as fb

TRAIN = ("train", "--data", "people.csv", "--label", "income", "--drop", "wage")
QUICK = ("--epochs", "12", "--hidden", "8", "--no-plots", "--quiet")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder with a table of 150 people."""
    rng = np.random.default_rng(4)
    age, job = rng.integers(20, 70, 150), rng.choice(["cook", "judge", "poet"], 150)
    frame = pd.DataFrame({"age": age.astype(float), "job": job})
    frame["income"] = np.where((age > 40) & (job != "poet"), "high", "low")
    frame["wage"] = 1000.5 + 50 * age
    frame.loc[::9, "age"] = np.nan
    folder = tmp_path_factory.mktemp("people")
    frame.to_csv(folder / "people.csv", index=False)
    return folder, frame


@pytest.fixture(scope="module")
def several(people):
    """A run of three networks, cross-validated with four parts."""
    options = (*QUICK, "--ensemble", 3, "--cv", 4, "--seed", 2, "--json", "--output", "run")
    result = run(*TRAIN, *options, cwd=people[0])
    assert (result.code, result.err) == (0, "")
    return result.json


def test_the_command_s_numbers_are_fb_train_s(people, several):
    folder, frame = people
    settings = {"epochs": 12, "hidden": (8,), "ensemble": 3, "cv": 4, "seed": 2}
    trained = fb.train(folder / "people.csv", "income", drop="wage", **settings)
    again = json.loads(json.dumps(trained.report))
    assert several["cv"] == again["cv"]
    assert several["validation"] == again["validation"]
    assert several["val_accuracy"] == again["validation"]["accuracy"]  # by one network's name too
    assert several["seeds"] == again["seeds"] == [2, 3, 4]
    losses = [[epoch["val_loss"] for epoch in rows] for rows in several["epochs"]]
    assert losses == [history["val_loss"] for history in trained.histories]
    kept = fb.load(folder / "run" / "model.safetensors")
    assert (kept.scores(frame) == trained.model.scores(frame)).all()


def test_the_folder_has_one_model_and_all_histories(people, several):
    folder = people[0] / "run"
    files = {"config.toml", "history.csv", "loss_by_iteration.npz", "model.safetensors"}
    assert names(folder) == files
    config = read_config(folder)
    assert config["computation"]["networks"] == 3
    assert config["data"]["test_samples"] == 0
    assert fb.models.read(str(folder / "config.toml")).epochs == 12
    history = pd.read_csv(folder / "history.csv")
    assert history["network"].tolist() == [1] * 12 + [2] * 12 + [3] * 12


def test_evaluate_and_predict_take_several_networks(people, several):
    folder, frame = people
    model = ("run/model.safetensors", "--data", "people.csv")
    net = fb.load(folder / "run" / "model.safetensors")
    found = run("evaluate", *model, "--json", cwd=folder).json
    assert found["accuracy"] == (net.predict(frame) == frame["income"]).mean()
    assert run("predict", *model, "--output", "out.csv", cwd=folder).code == 0
    written = pd.read_csv(folder / "out.csv")
    assert written["prediction"].tolist() == net.predict(frame).tolist()
    chances = net.predict_proba(frame)["high"]
    assert written["probability of high"].to_numpy() == pytest.approx(chances.to_numpy())


def test_one_network_goes_on_that_was_trained_on_all_rows(people, tmp_path):
    """Nothing is tested with after a cross-validation; nor is what goes on."""
    options = ("--ensemble", 1, "--cv", 2, "--output", tmp_path / "run", "--json")
    command = ("train", "--data", people[0] / "people.csv")
    whole = run(*command, *TRAIN[3:], *QUICK, *options, cwd=tmp_path).json
    again = run(*command, "--resume", tmp_path / "run", "--json", "--no-plots", cwd=tmp_path).json
    assert again["val_accuracy"] == whole["val_accuracy"]
    assert "test_accuracy" not in whole


def test_ctrl_c_keeps_what_is_finished(people):
    folder = people[0] / "stopped"
    script = """
import signal
from fastbp.tabular.several import LastEpoch

ended = LastEpoch.on_epoch_end
def stop(self, epoch, net):
    ended(self, epoch, net)
    if epoch.epoch == 3:
        signal.raise_signal(signal.SIGINT)
LastEpoch.on_epoch_end = stop
sys.exit(main(sys.argv[1:]))
"""
    options = ("--epochs", 100000, "--ensemble", 2, "--no-plots", "--quiet", "--output", folder)
    result = run_script(script, *TRAIN, *options, cwd=people[0])
    assert (result.code, result.out) == (130, "")
    assert_one_line(result.err, "stopped; ", "of 2 networks have finished epochs", str(folder))
    net, history = fb.load(folder / "model.safetensors"), pd.read_csv(folder / "history.csv")
    assert len(net) == history["network"].nunique() >= 1
    assert net.table.label.names == ("high", "low")


def test_what_does_not_go_is_refused_and_leaves_nothing(people, several):
    folder = people[0]
    before = names(folder)
    bad = ("--lr", "1e20", "--optimizer", "sgd")
    for command, words in (
        ((*TRAIN, *QUICK, "--cv", 140), ("cv: 140 parts need a row of class 'high'",)),
        ((*TRAIN, *QUICK, "--ensemble", 2, *bad), ("network 1 of 2, seed 0", "nothing is kept")),
        ((*TRAIN, *QUICK, "--cv", 2, *bad), ("fold 1 of 2: network 1 of 10", " became ")),
        (("train", "--resume", "run", *TRAIN[1:3]), ("several networks", "train them anew")),
    ):
        output = () if "--resume" in command or len(command) == 3 else ("--output", "bad")
        assert_error(run(*command, *output, cwd=folder), *words)
    for option in ("--ensemble", "--cv"):
        words = f"{option} goes with --data of a table"
        assert_error(run("train", option, 3, cwd=folder), words, code=2)
    assert names(folder) == before
