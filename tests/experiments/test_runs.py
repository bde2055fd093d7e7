"""Running: shared networks once, what is kept, resuming, divergence, and the files written."""

import csv
import tomllib
from dataclasses import replace

import numpy as np
import pytest

import fastbp as fb
from fastbp.experiments import find
from fastbp.experiments.claims import HOLDS, Unstable
from fastbp.experiments.reproduce import open_folder, reproduce
from fastbp.experiments.runner import Settings, Watcher, folder_of, train
from fastbp.experiments.spec import Experiment, Figure, Network, Variant
from fastbp.runs import read

QUICK = Settings(epochs=2, limit=240, seeds=2)
SMALL = Network(hidden=(12,), epochs=2)
OTHER = replace(SMALL, activation="elu", lr=0.02)
TWO = Experiment(
    "two",
    "T.1",
    "Two",
    "two networks",
    "nothing",
    variants=(Variant("one", SMALL), Variant("other", OTHER, {"test_accuracy": 0.5})),
    figures=(Figure("loss_by_iteration"), Figure("test_accuracy")),
)
SAME = replace(TWO, name="same", variants=(Variant("the same", SMALL),))


class Counting(Watcher):
    """Notes which networks were trained."""

    def __init__(self):
        super().__init__()
        self.trained = []

    def finished(self, network, seed, run):
        super().finished(network, seed, run)
        self.trained.append((network, seed))


def test_a_shared_network_is_trained_once(tmp_path):
    watcher = Counting()
    runs = train([TWO, SAME], QUICK, tmp_path, watcher)
    assert sorted(watcher.trained, key=str) == sorted(runs, key=str)
    assert set(runs) == {(network, seed) for network in (SMALL, OTHER) for seed in (0, 1)}
    assert (watcher.wanted, watcher.found, watcher.done) == (4, 0, 4)
    assert watcher.worked == pytest.approx(watcher.work)
    again = Counting()
    train([SAME], QUICK, tmp_path, again)
    assert (again.trained, again.wanted, again.found) == ([], 2, 2)


def test_a_run_is_what_fit_makes_of_it(tmp_path):
    runs = train([SAME], QUICK, tmp_path, Watcher())
    train_set, test_set = (data.first(240) for data in fb.datasets.mnist())
    net = fb.Sequential(
        fb.Linear(784, 12), fb.Tanh(), fb.Linear(12, 10), init=fb.initializers.Normal(1e-3), seed=1
    )
    history = fb.fit(
        net,
        train_set,
        loss=fb.HingeLoss(),
        optimizer=fb.SGD(0.01),
        epochs=2,
        batch_size=8,
        validation=test_set,
        seed=1,
    )
    run = runs[SMALL, 1]
    assert np.array_equal(run.net().params, net.params)
    assert np.array_equal(run.history.loss_by_iteration, history.loss_by_iteration)
    for column in ("epoch", "train_loss", "train_accuracy", "test_accuracy"):
        assert run.history[column] == history[column]


def contents(root):
    """Every file that must not depend on how often a run was interrupted."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.suffix in (".safetensors", ".npz", ".txt", ".toml")
        or (path.suffix == ".csv" and path.name not in ("times.csv", "history.csv"))
    }


class StopAfter(Watcher):
    """Ctrl-C, as it were, once so many networks are finished."""

    def __init__(self, runs):
        super().__init__()
        self.runs = runs

    def epoch(self, network, seed, epoch):
        if self.done >= self.runs:
            raise KeyboardInterrupt


def test_resumed_is_the_same_bit_for_bit(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    experiments = [TWO, SAME]
    open_folder(whole, QUICK, resume=False)
    reproduce(experiments, QUICK, whole, Watcher())
    open_folder(broken, QUICK, resume=False)
    with pytest.raises(KeyboardInterrupt):
        reproduce(experiments, QUICK, broken, StopAfter(1))
    kept = list((broken / "networks").glob("*/seed-*"))
    assert 1 <= len(kept) < 4
    assert not list((broken / "networks").glob("*/.*"))  # nothing half-written
    assert not (broken / "report").exists()
    open_folder(broken, QUICK, resume=True)
    report = reproduce(experiments, QUICK, broken, Watcher())
    assert (report.networks, report.found) == (4, len(kept))
    assert contents(broken) == contents(whole)
    assert len(contents(whole)) > 12


def test_what_does_not_fit_is_not_resumed(tmp_path):
    open_folder(tmp_path / "a", QUICK, resume=False)
    open_folder(tmp_path / "a", replace(QUICK, epochs=9, seeds=5), resume=True)  # more of the same
    with pytest.raises(ValueError, match="was made with limit 240, not None; use the same"):
        open_folder(tmp_path / "a", Settings(), resume=True)
    with pytest.raises(ValueError, match="is not empty; name a new one, or --resume"):
        open_folder(tmp_path / "a", QUICK, resume=False)
    (tmp_path / "a" / "settings.json").write_text("{")
    with pytest.raises(ValueError, match=r"settings.json: damaged"):
        open_folder(tmp_path / "a", QUICK, resume=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").touch()
    with pytest.raises(ValueError, match=r"is not empty; name a new one$"):
        open_folder(tmp_path / "b", QUICK, resume=True)


@pytest.mark.parametrize(
    "name", ["run.json", "history.csv", "loss_by_iteration.npz", "model.safetensors"]
)
def test_a_damaged_run_is_named(tmp_path, name):
    train([SAME], replace(QUICK, seeds=1), tmp_path, Watcher())
    folder = folder_of(tmp_path, SMALL, 0)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=r"seed-0: not a whole run .*remove that folder"):
        read(folder)


def test_divergence_is_kept_and_shown(tmp_path):
    wild = replace(SMALL, activation="relu", lr=1e30, init="he")
    experiment = replace(
        TWO,
        variants=(Variant("wild", wild), Variant("one", SMALL)),
        figures=(*TWO.figures, Figure("loss_by_epoch")),
        claims=(Unstable("it is wild", "wild"),),
    )
    open_folder(tmp_path / "run", QUICK, resume=False)
    report = reproduce([experiment], QUICK, tmp_path / "run", Watcher())
    run = read(folder_of(tmp_path / "run", wild, 0))
    assert "became" in run.error
    assert run.history.epochs == []
    losses = run.history.loss_by_iteration
    assert len(losses) >= 1  # of the epoch that was not finished
    assert not np.isfinite(losses[-1])
    assert not (run.folder / "model.safetensors").exists()
    (section,) = report.sections
    assert section.verdicts == [
        ("it is wild", HOLDS, "wild: 2 diverged and 0 ended below 50 %, of 2 seeds")
    ]
    assert np.isnan(section.outcome.values("wild", find("final").claims[0].measure)).all()
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "diverged" in page
    again = Counting()
    train([experiment], QUICK, tmp_path / "run", again)
    assert again.trained == []


def test_tables(tmp_path):
    open_folder(tmp_path / "run", QUICK, resume=False)
    report = reproduce([TWO], QUICK, tmp_path / "run", Watcher())
    folder = tmp_path / "run" / "experiments" / "two"
    with (folder / "table.csv").open(newline="") as file:
        one, other = csv.DictReader(file)
    with (folder / "epochs.csv").open(newline="") as file:
        epochs = list(csv.DictReader(file))
    last = [
        float(r["test_accuracy"]) for r in epochs if (r["variant"], r["epoch"]) == ("other", "2")
    ]
    assert len(last) == 2
    assert float(other["test_accuracy"]) == pytest.approx(np.mean(last))
    assert float(other["test_accuracy spread"]) == pytest.approx(np.std(last, ddof=1))
    assert (other["test_accuracy reported"], one["test_accuracy reported"]) == ("0.5", "")
    assert (other["network"], other["rate"], other["seeds"]) == ("784-12-10", "0.02", "2")
    assert tomllib.loads((folder / "spec.toml").read_text())["row"] == "T.1"
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert pictures == [
        "01-loss-by-iteration-one.png",
        "01-loss-by-iteration-other.png",
        "02-test-accuracy.png",
    ]
    assert [shown.path.name for shown in report.sections[0].shown] == pictures
    assert report.sections[0].shown[2].caption.endswith("mean and range of 2 seeds")


def test_a_zoomed_figure_starts_where_all_seeds_have_come_so_far():
    from fastbp.experiments.figures import _from

    curves = {
        "late": np.array([[0.5, 0.92, 0.93], [0.91, 0.95, 0.6]]),
        "never": np.array([[0.5, 0.92], [0.95, 0.5]]),
        "at once": np.array([[0.95, np.nan]]),
    }
    found = _from(0.9, curves)
    assert list(found) == ["late", "at once"]
    np.testing.assert_array_equal(found["late"], [[np.nan, 0.92, 0.93], [np.nan, 0.95, 0.6]])
    np.testing.assert_array_equal(found["at once"], curves["at once"])
    assert _from(0.0, curves).keys() == curves.keys()
