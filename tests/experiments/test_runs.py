"""Running: shared networks once, what is kept, resuming, divergence, and the files written."""

import csv
import errno
import json
import os
import shutil
import tomllib
from dataclasses import replace

import numpy as np
import pytest

import fastbp as fb
from fastbp import runs
from fastbp.experiments import find
from fastbp.experiments.claims import NOT_JUDGED, Unstable
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


FILES = ["run.json", "history.csv", "loss_by_iteration.npz", "model.safetensors"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A finished run of one network."""
    root = tmp_path_factory.mktemp("kept")
    train([SAME], replace(QUICK, seeds=1), root, Watcher())
    return root


class Aloud(Counting):
    """Notes also what was said of damaged runs."""

    def __init__(self):
        super().__init__()
        self.said = []

    def damaged(self, problem):
        self.said.append(problem)


def assert_trained_again(kept, root, reason):
    """A copy with a damaged run is noticed, and ends as it was before."""
    with pytest.raises(ValueError, match=f"seed-0: not a whole run .*{reason}"):
        read(folder_of(root, SMALL, 0))
    watcher = Aloud()
    found = train([SAME], replace(QUICK, seeds=1), root, watcher)
    assert (watcher.wanted, watcher.found, len(watcher.trained)) == (1, 0, 1)
    assert len(watcher.said) == 1
    assert np.array_equal(
        found[SMALL, 0].net().params, read(folder_of(kept, SMALL, 0)).net().params
    )


@pytest.mark.parametrize("name", FILES)
def test_a_run_without_a_file_is_trained_again(kept, tmp_path, name):
    shutil.copytree(kept, tmp_path / "run")
    (folder_of(tmp_path / "run", SMALL, 0) / name).unlink()
    assert_trained_again(kept, tmp_path / "run", f"{name} is missing")


@pytest.mark.parametrize("name", FILES)
def test_a_run_with_a_truncated_file_is_trained_again(kept, tmp_path, name):
    shutil.copytree(kept, tmp_path / "run")
    path = folder_of(tmp_path / "run", SMALL, 0) / name
    path.write_bytes(path.read_bytes()[:-20])
    assert_trained_again(kept, tmp_path / "run", f"{name} is damaged")


@pytest.mark.parametrize("name", FILES[1:])
def test_every_flipped_bit_and_every_cut_is_noticed(kept, tmp_path, name, rng):
    shutil.copytree(kept, tmp_path / "run")
    folder = folder_of(tmp_path / "run", SMALL, 0)
    whole = (folder / name).read_bytes()
    for bit in rng.integers(8 * len(whole), size=50):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << int(bit % 8)
        for content in (damaged, whole[: bit // 8]):
            (folder / name).write_bytes(content)
            with pytest.raises(ValueError, match=f"not a whole run .{name} is damaged"):
                read(folder)


def test_a_damaged_run_json_is_noticed_or_means_the_same(kept, tmp_path, rng):
    shutil.copytree(kept, tmp_path / "run")
    folder = folder_of(tmp_path / "run", SMALL, 0)
    whole, losses = (folder / "run.json").read_bytes(), read(folder).history.loss_by_iteration
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] = rng.integers(256)
        (folder / "run.json").write_bytes(damaged)
        try:
            run = read(folder)
        except ValueError as problem:
            assert "not a whole run" in str(problem)  # noqa: PT017 - it need not be raised
            continue
        assert run.error == ""
        assert np.array_equal(run.history.loss_by_iteration, losses)


def test_a_run_of_a_version_that_kept_no_digests_is_read(kept, tmp_path):
    shutil.copytree(kept, tmp_path / "run")
    folder = folder_of(tmp_path / "run", SMALL, 0)
    about = json.loads((folder / "run.json").read_text())
    del about["sha256"]
    (folder / "run.json").write_text(json.dumps(about))
    assert np.array_equal(read(folder).net().params, read(folder_of(kept, SMALL, 0)).net().params)
    model = folder / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-20])
    with pytest.raises(ValueError, match="not a whole run"):
        read(folder)


def test_what_may_be_whole_but_cannot_be_read_is_left_alone(kept, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "run.json")

    shutil.copytree(kept, tmp_path / "run")
    monkeypatch.setattr(runs.json, "loads", fail)
    with pytest.raises(PermissionError):
        train([SAME], replace(QUICK, seeds=1), tmp_path / "run", Watcher())
    monkeypatch.undo()
    assert read(folder_of(tmp_path / "run", SMALL, 0)) is not None


def test_leftovers_of_a_killed_process_are_removed(kept, tmp_path):
    root = tmp_path / "run"
    shutil.copytree(kept, root)
    open_folder(root / "new", QUICK, resume=False)
    (root / "new" / "settings.json").rename(root / "settings.json")
    (root / "new").rmdir()
    partial = folder_of(root, SMALL, 0).with_name(".run-0123abcd")
    partial.mkdir()
    (partial / ".fastbp-0123abcd").write_text("half")
    (root / ".fastbp-ffffffff").touch()
    (root / ".mine").touch()
    open_folder(root, QUICK, resume=True)
    reproduce([SAME], replace(QUICK, seeds=1), root, Watcher())
    assert [path.name for path in root.rglob(".*")] == [".mine"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("lenet-hinge", "lenet-hinge"),
        ("../../up", "..-..-up"),
        ("a/b\0c d", "a-b-c-d"),
        ("\U00020000" * 400, "\U00020000" * 50),
        (os.fsdecode(b"\xff"), ""),
    ],
    ids=["plain", "up", "letters", "long", "bytes"],
)
def test_any_name_makes_a_folder_in_runs(tmp_path, monkeypatch, name, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs.time, "strftime", lambda _: "now")
    made = [runs.new_folder(name) for _ in range(2)]
    assert [path.as_posix() for path in made] == [f"runs/now-{folder}", f"runs/now-{folder}-2"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [p.name for p in made]


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_of_a_process_killed_in_its_first_write_is_new(tmp_path, resume):
    (tmp_path / ".fastbp-0123abcd").write_text("{")
    open_folder(tmp_path, QUICK, resume)
    assert (tmp_path / "settings.json").is_file()


def test_two_processes_in_one_folder_are_refused(tmp_path):
    open_folder(tmp_path, QUICK, resume=False)

    class Other(Watcher):
        def start(self, wanted, missing):
            with pytest.raises(ValueError, match="another process is at work there"):
                reproduce([SAME], QUICK, tmp_path, Watcher())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce([SAME], QUICK, tmp_path, Other())
    reproduce([SAME], replace(QUICK, seeds=1), tmp_path, Watcher())


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
        ("it is wild", NOT_JUDGED, "wild: 2 diverged and 0 ended below 50 %, of 2 seeds")
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
