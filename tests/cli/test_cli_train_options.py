"""``train``: every option does what it says, and is recorded."""

import itertools
import re

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    assert_error,
    names,
    read_config,
    read_history,
    read_losses,
    run,
)

import fastbp as fb
from fastbp import backends, models
from fastbp.cli import _main, _settings

SMALL = ("train", "--limit", 200, "--epochs", 1, "--hidden", 8, "--no-plots", "--quiet", "--json")

VARIANTS = {  # options -> hidden units, what stands between and after the Linears, dtype
    "--activation relu": ([8], ["ReLU()"], "float32"),
    "--activation elu": ([8], ["ELU(1.0)"], "float32"),
    "--activation tanh": ([8], ["Tanh()"], "float32"),
    "--activation sigmoid": ([8], ["Sigmoid()"], "float32"),
    "--loss hinge": ([8], ["Tanh()"], "float32"),
    "--loss cross-entropy": ([8], ["Tanh()"], "float32"),
    "--loss nll": ([8], ["Tanh()", "LogSoftmax()"], "float32"),
    "--hidden none": ([], [], "float32"),
    "--hidden none --loss nll": ([], ["LogSoftmax()"], "float32"),
    "--hidden 5,4,3": ([5, 4, 3], ["Tanh()"] * 3, "float32"),
    "--dtype float64": ([8], ["Tanh()"], "float64"),
}
INITS = {
    "normal": fb.initializers.Normal(0.001),
    "normal:0.01": fb.initializers.Normal(0.01),
    "uniform": fb.initializers.Uniform(),
    "glorot": fb.initializers.Glorot(),
    "he": fb.initializers.He(),
}


def train_each(folder, commands):
    """Run small trainings, each into a folder named like its options, which are the key."""
    results = [
        run(*SMALL, *options.split(), "--output", folder / options, cwd=folder)
        for options in commands
    ]
    for result in results:
        assert result.code == 0, result.err
        assert result.err == ""
    return {
        options: (folder / options, result.json)
        for options, result in zip(commands, results, strict=True)
    }


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    return train_each(tmp_path_factory.mktemp("variants"), VARIANTS)


@pytest.mark.parametrize("options", VARIANTS)
def test_network_is_the_one_asked_for(variants, options):
    folder, _ = variants[options]
    hidden, others, dtype = VARIANTS[options]
    linear = [f"Linear({i}, {o})" for i, o in itertools.pairwise([784, *hidden, 10])]
    layers = [layer for pair in itertools.zip_longest(linear, others) for layer in pair if layer]
    net = fb.load(folder / "model.safetensors")
    assert [repr(layer) for layer in net.layers] == layers
    assert str(net.dtype) == dtype


@pytest.mark.parametrize("options", VARIANTS)
def test_options_are_recorded_in_the_config(variants, options):
    config = read_config(variants[options][0])
    hidden, between, _ = VARIANTS[options]
    layers = config["network"]["layers"]
    assert [row["outputs"] for row in layers if row["type"] == "Linear"] == [*hidden, 10]
    kinds = [row["type"] for row in layers if row["type"] != "Linear"]
    assert kinds == [text.partition("(")[0] for text in between]
    settings = config["network"] | config["training"]
    words = options.replace("--", "").split()
    for name, value in zip(words[::2], words[1::2], strict=True):
        assert name in ("hidden", "activation") or settings[name] == value


def test_nll_on_log_softmax_trains_like_cross_entropy_and_hinge_does_not(variants):
    hinge, cross_entropy, nll = (
        variants[f"--loss {loss}"][1]["train_loss"] for loss in ("hinge", "cross-entropy", "nll")
    )
    assert nll == pytest.approx(cross_entropy, rel=1e-4)
    assert abs(hinge - nll) > 1


@pytest.fixture(scope="module")
def beginnings(tmp_path_factory):
    options = {init: f"--seed 5 --lr 1e-30 --init {init}" for init in INITS}
    found = train_each(tmp_path_factory.mktemp("inits"), options.values())
    return {init: found[options[init]][0] for init in INITS}


@pytest.mark.parametrize("init", INITS)
def test_init_and_seed_fix_the_beginning(beginnings, init):
    """At such a rate the network stays as it began."""
    folder = beginnings[init]
    expected = fb.Sequential(
        fb.Linear(784, 8), fb.Tanh(), fb.Linear(8, 10), init=INITS[init], seed=5
    )
    net = fb.load(folder / "model.safetensors")
    np.testing.assert_allclose(net.params, expected.params, rtol=0, atol=1e-25)
    assert read_config(folder)["network"]["init"] == init


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    runs = {"first": 3, "again": 3, "other": 4}
    for name, s in runs.items():
        run(*SMALL, "--epochs", 3, "--seed", s, "--output", folder / name, cwd=folder)
    return folder


def without_seconds(folder):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_history(folder)]


def test_same_seed_gives_the_same_history_and_the_same_model_file(seeds):
    first, again = seeds / "first", seeds / "again"
    assert without_seconds(first) == without_seconds(again)
    assert len(read_history(first)) == 3
    np.testing.assert_array_equal(read_losses(first), read_losses(again))
    models = [(folder / "model.safetensors").read_bytes() for folder in (first, again)]
    assert models[0] == models[1]


def test_another_seed_gives_another_run(seeds):
    first, other = seeds / "first", seeds / "other"
    assert without_seconds(first) != without_seconds(other)
    assert not np.array_equal(read_losses(first), read_losses(other))
    a, b = (fb.load(folder / "model.safetensors").params for folder in (first, other))
    assert not np.array_equal(a, b)


@pytest.fixture(scope="module")
def by_backend(tmp_path_factory):
    """The same training by each backend, and with one thread and two."""
    common = "--limit 2000 --epochs 2 --init glorot --backend"
    threads = [f"{name} --threads {n}" for name in ("cython", "numpy") for n in (1, 2)]
    kinds = [*backends.AUTOMATIC, *threads]
    found = train_each(tmp_path_factory.mktemp("backends"), [f"{common} {kind}" for kind in kinds])
    return dict(zip(kinds, found.values(), strict=True))


@pytest.mark.parametrize("kind", ["cython", "numba", "cython --threads 2", "numpy --threads 2"])
def test_backends_and_threads_give_the_same_training(by_backend, kind):
    folder, found = by_backend[kind]
    reference_folder, reference = by_backend["numpy"]
    np.testing.assert_allclose(
        read_losses(folder)[:100], read_losses(reference_folder)[:100], rtol=1e-4, atol=1e-4
    )
    assert abs(found["test_accuracy"] - reference["test_accuracy"]) <= 0.01
    assert found["path"].startswith(kind.split()[0])
    assert read_config(folder)["computation"]["backend"] == kind.split()[0]


def test_threads_of_the_native_kernels_change_no_bit(by_backend):
    one, two = (by_backend[f"cython --threads {n}"][0] for n in (1, 2))
    np.testing.assert_array_equal(read_losses(one), read_losses(two))


def test_default_folder_is_named_after_time_and_network(tmp_path):
    command = (*SMALL, "--hidden", "6,5", "--activation", "relu", "--loss", "nll")
    results = [run(*command, cwd=tmp_path) for _ in range(2)]  # in the same second, perhaps
    folders = {result.json["output"] for result in results}
    assert len(folders) == 2
    for folder in folders:
        assert re.fullmatch(r"runs/\d{8}-\d{6}-784-6-5-10-relu-nll(-2)?", folder)
        assert names(tmp_path / folder) == ALWAYS


def test_empty_folder_is_accepted_and_a_full_one_left_untouched(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    assert run(*SMALL, "--output", folder, cwd=tmp_path).code == 0
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert_error(run(*SMALL, "--output", folder, cwd=tmp_path), str(folder), "not empty")
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert before == after


@pytest.mark.parametrize("loss", ["bce", "poisson"])
def test_a_loss_that_takes_no_classes_is_refused_before_there_is_a_folder(tmp_path, loss):
    folder = tmp_path / "new"
    result = run(*SMALL, "--loss", loss, "--output", folder, cwd=tmp_path)
    assert_error(result, f"loss {loss} does not go with data of classes", "10 values a sample")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("loss", ["huber", "squared-hinge"])
@pytest.mark.parametrize("optimizer", ["adagrad", "nadam"])
def test_losses_and_optimizers_by_name(tmp_path, loss, optimizer):
    result = run(
        *SMALL, "--loss", loss, "--optimizer", optimizer, "--output", tmp_path / "new", cwd=tmp_path
    )
    assert result.code == 0
    assert result.json["path"].endswith("fused")
    assert result.json["train_accuracy"] > 0.2


def test_unwritable_output_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    for output, reason in ((file, "File exists"), (file / "run", "Not a directory")):
        assert_error(run(*SMALL, "--output", output, cwd=tmp_path), str(output), reason)
    assert file.read_text() == "kept"


def test_settings_of_the_loss_and_the_optimizer(tmp_path):
    options = "--optimizer adam --weight-decay 0.1 --no-decay-biases --epsilon-outside --beta1 0.8"
    options += " --loss cross-entropy --label-smoothing 0.1"
    folder = tmp_path / "new"
    assert run(*SMALL, *options.split(), "--output", folder, cwd=tmp_path).code == 0
    training = read_config(folder)["training"]
    unchanged = ("loss", "lr", "seed", "schedule", "metrics")
    assert {name: training[name] for name in training if name not in unchanged} == {
        "optimizer": "adam",
        "batch_size": 8,
        "epochs": 1,
        "label_smoothing": 0.1,
        "weight_decay": 0.1,
        "decay_biases": False,
        "epsilon_outside": True,
        "beta1": 0.8,
    }
    again = ("train", "--model", folder / "config.toml", *SMALL[1:3], *SMALL[-3:])
    assert run(*again, "--output", tmp_path / "again", cwd=tmp_path).code == 0
    assert np.array_equal(*(read_losses(tmp_path / name) for name in ("new", "again")))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("--beta1 0.8", ("sgd has no --beta1; it has --momentum, --nesterov, --weight-decay",)),
        ("--delta 0.5", ("hinge has no --delta; it has --margin",)),
        ("--loss huber --delta 0", ("HuberLoss delta: expected a number above 0, got 0",)),
        ("--nesterov", ("SGD: nesterov needs a momentum above 0",)),
        ("--optimizer adam --beta1 1", ("Adam beta1: expected a number below 1, got 1",)),
        ("--weight-decay nan", ("SGD weight_decay: expected a finite number, got nan",)),
    ],
)
def test_settings_that_the_loss_or_the_optimizer_has_not_or_refuses(tmp_path, options, parts):
    result = run(*SMALL, *options.split(), "--output", tmp_path / "new", cwd=tmp_path)
    assert_error(result, *parts, code=2)
    assert list(tmp_path.iterdir()) == []


def test_named_models_are_read_once_for_all_options(monkeypatch):
    read, found = models.read, []
    monkeypatch.setattr(models, "read", lambda name: found.append(name) or read(name))
    _settings._named.cache_clear()
    for _ in range(2):
        _main._parser()
    assert found == list(models.NAMED)
