"""``train`` and ``evaluate`` on data of the user's own."""

import struct

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    OF_TABLE,
    PICTURE_PLOTS,
    PLOTS,
    assert_error,
    is_whole_png,
    names,
    read_config,
    run,
)

import fastbp as fb
from fastbp.recording import Recorder


def small_pictures(classes, count=140, side=6):
    """Noise with a bright column, whose position is the class: easy enough to learn wholly."""
    rng = np.random.default_rng(9)
    labels = np.arange(count) % classes
    pictures = rng.integers(0, 60, (count, side, side))
    pictures[np.arange(count), :, labels] = 255
    return pictures.astype(np.uint8), labels.astype(np.uint8)


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture(scope="module")
def sources(tmp_path_factory, table):
    """Data in each of the three formats."""
    folder = tmp_path_factory.mktemp("data")
    pictures, labels = small_pictures(classes=6)
    npz, idx = folder / "pictures.npz", folder / "idx"
    np.savez(
        npz,
        x_train=pictures[:100],
        y_train=labels[:100],
        x_test=pictures[100:],
        y_test=labels[100:],
    )
    idx.mkdir()
    for part, rows in (("train", slice(100)), ("t10k", slice(100, None))):
        write_idx(idx / f"{part}-images-idx3-ubyte", pictures[rows])
        write_idx(idx / f"{part}-labels-idx1-ubyte", labels[rows])
    return {"csv": (table, "--label", "kind"), "npz": (npz,), "idx": (idx,)}


@pytest.fixture(scope="module")
def runs(sources, tmp_path_factory):
    """A training on each of them: folder and result."""
    folder = tmp_path_factory.mktemp("runs")
    options = ("--hidden", 12, "--epochs", 20, "--lr", 0.05, "--init", "glorot", "--json")
    done = {}
    for kind, source in sources.items():
        one = ("--ensemble", 1) if kind == "csv" else ()
        command = ("train", "--data", *source, *options, *one, "--output", folder / kind)
        done[kind] = folder / kind, run(*command, cwd=folder)
    return done


FACTS = {
    "csv": {"train_samples": 120, "test_samples": 20, "features": 5, "classes": 3, "scale": 1.0},
    "npz": {
        "train_samples": 100,
        "test_samples": 40,
        "features": 36,
        "classes": 6,
        "scale": 1 / 255,
    },
    "idx": {
        "train_samples": 100,
        "test_samples": 40,
        "features": 36,
        "classes": 10,
        "scale": 1 / 255,
    },
}


@pytest.mark.parametrize("kind", FACTS)
def test_data_is_read_learnt_and_recorded(runs, sources, kind):
    folder, result = runs[kind]
    assert result.code == 0, result.err
    assert read_config(folder)["data"] == {"path": str(sources[kind][0]), **FACTS[kind]}
    assert result.json["test_accuracy"] >= 0.95


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_samples_that_are_pictures_are_drawn(runs, kind):
    """Even where no sample is misclassified any more."""
    folder, result = runs[kind]
    assert result.json["test_accuracy"] == 1
    assert names(folder) == ALWAYS | PLOTS | PICTURE_PLOTS
    assert all(is_whole_png(folder / name) for name in PLOTS | PICTURE_PLOTS)


def test_samples_that_are_no_pictures_are_not_drawn(runs):
    folder, _ = runs["csv"]
    assert names(folder) == ALWAYS | PLOTS | OF_TABLE


@pytest.mark.parametrize("kind", FACTS)
def test_evaluate_reproduces_the_accuracy(runs, sources, kind):
    folder, trained = runs[kind]
    model = folder / "model.safetensors"
    result = run("evaluate", model, "--data", *sources[kind], "--json", cwd=folder)
    if kind == "csv":  # of which every row counts
        assert result.json["samples"] == 140
        assert result.json["accuracy"] >= 0.95
        return
    assert result.json["accuracy"] == trained.json["test_accuracy"]
    assert result.json["samples"] == FACTS[kind]["test_samples"]


def test_classes_and_scale_reach_the_data(table, tmp_path):
    result = run(
        *("train", "--data", table, "--output", "run"),
        *"--label kind --classes 5 --scale 0.5 --hidden none --epochs 1".split(),
        *"--no-plots --quiet --json".split(),
        cwd=tmp_path,
    )
    assert result.json["network"] == "Sequential(Linear(5, 5))"
    data = read_config(tmp_path / "run")["data"]
    assert (data["classes"], data["scale"]) == (5, 0.5)


def test_how_to_read_data_is_refused_for_mnist(tmp_path):
    for option in (("--label", "x"), ("--classes", 4), ("--scale", 2)):
        result = run("train", *option, cwd=tmp_path)
        assert_error(result, option[0], "--data", code=2)
    assert names(tmp_path) == set()


def write_bad_files(folder):
    """Files that cannot be read, and a part of what is said of each."""
    (folder / "letters.csv").write_text("label,a\n1,2\n0,oops\n1,3\n")
    (folder / "ragged.csv").write_text("label,a\n1,2\n0,4,5\n")
    (folder / "nameless.csv").write_text("1,2,3\n0,4,3\n")
    (folder / "empty.csv").write_text("")
    (folder / "broken.npz").write_bytes(b"PK\3\4 and no more")
    np.savez(folder / "names.npz", pictures=np.zeros((2, 2)), labels=np.zeros(2))
    (folder / "data.bin").write_text("1,2,3\n")
    (folder / "nothing").mkdir()
    truncated = folder / "truncated"
    truncated.mkdir()
    pictures, labels = small_pictures(classes=6)
    write_idx(truncated / "train-images-idx3-ubyte", pictures)
    write_idx(truncated / "train-labels-idx1-ubyte", labels)
    images = truncated / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])


BAD_FILES = {
    "letters.csv": "column 'a': numbers, but 'oops' in row 2",
    "ragged.csv": "line 3 has 3 cells, expected 2 as in the rows above",
    "nameless.csv": "which column is the label?",
    "empty.csv": "empty file",
    "broken.npz": "broken npz file",
    "names.npz": "found pictures, labels",
    "data.bin": "expected a folder of IDX files, or a .npz, .csv or .csv.gz file",
    "nothing": "found nothing",
    "truncated": "truncated",
    "missing.csv": "No such file or directory",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """A training on each of them: file and result."""
    folder = tmp_path_factory.mktemp("bad")
    write_bad_files(folder)
    before = names(folder)
    paths = [folder / name for name in BAD_FILES]
    results = [run("train", "--data", path, "--json", cwd=folder) for path in paths]
    assert names(folder) == before  # no folder for a run that cannot start
    return dict(zip(BAD_FILES, zip(paths, results, strict=True), strict=True))


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_data_is_named_with_the_reason(refused, name):
    path, result = refused[name]
    assert_error(result, f"fastbp: error: {path}", BAD_FILES[name])


def test_data_on_disk_are_trained_on_and_evaluated(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    for number, rows in enumerate(np.split(np.arange(900), 3)):
        (tmp_path / "data").mkdir(exist_ok=True)
        np.savez(tmp_path / "data" / f"p{number}.npz", x=x[rows], y=y[rows])
    told = ("--data", tmp_path / "data", "--memory", "60kB")
    options = ("--hidden", "8", "--epochs", "2", "--output", "run", "--json")
    done = run("train", *told, *options, cwd=tmp_path)
    assert done.code == 0, done.err
    found = done.json
    assert found["test_accuracy"] > 0.5
    assert (tmp_path / "run" / "loss_by_epoch.png").exists()
    done = run("evaluate", "run", *told, "--json", cwd=tmp_path)
    assert done.json["samples"] == np.sum(done.json["confusion"]) == 900
    done = run("evaluate", "run", *told, "--plot", "seen.png", cwd=tmp_path)
    assert done.out.split()[-5:-3] == ["all", "900"]
    assert (tmp_path / "seen.png").exists()
    done = run("train", *told[:2], cwd=tmp_path)
    assert "are read with --memory 1GB" in done.err
    done = run("train", *told, "--limit", "5", cwd=tmp_path)
    assert done.code == 2
    assert "--limit does not go with --memory" in done.err
    done = run("train", *told[:2], "--copy", "no", cwd=tmp_path)
    assert done.code == 2
    assert "--copy goes with --memory" in done.err
    done = run("train", *told, "--copy", "nowhere", cwd=tmp_path)
    assert "copy: expected a folder, got nowhere, which is none" in done.err
    done = run("train", *told[:2], "--memory", "1kB", "--output", "none", cwd=tmp_path)
    assert done.code
    assert "memory: 1.0 kB are too few" in done.err
    done = run("train", "--memory", "1GB", cwd=tmp_path)
    assert done.code == 2
    assert "--memory goes with --data" in done.err


def test_data_on_disk_are_gone_on_with_to_the_same_bits(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 5)).astype(np.float32)
    (tmp_path / "data").mkdir()
    for number, rows in enumerate(np.split(np.arange(900), 3)):
        y = (x[rows, 0] > 0).astype(int)
        np.savez(tmp_path / "data" / f"p{number}.npz", x=x[rows], y=y)
    told = ("train", "--data", "data", "--memory", "60kB", "--no-plots", "--quiet")
    options = ("--hidden", "8", "--epochs", "4", "--output")
    assert run(*told, *options, "whole", cwd=tmp_path).code == 0

    def stop(recorder, epoch, net):
        if epoch == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "on_epoch_begin", stop)
        assert run(*told, *options, "parts", cwd=tmp_path).code == 130
    done = run(*told, "--resume", "parts", cwd=tmp_path)
    assert done.code == 0, done.err
    whole, parts = (fb.load(tmp_path / each / "model.safetensors") for each in ("whole", "parts"))
    np.testing.assert_array_equal(parts.params, whole.params)
