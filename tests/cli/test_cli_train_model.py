"""``train --model``: named models, TOML files, a run's own config, and what follows with it."""

import signal

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    PLOTS,
    assert_error,
    assert_one_line,
    is_whole_png,
    names,
    press_ctrl_c,
    read_config,
    read_history,
    read_losses,
    run,
    started,
    wait_until,
)

import fastbp as fb

IMAGE_PLOTS = {"misclassified.png", "filters_1.png", "filters_2.png", "feature_maps.png"}
SMALL = ("--limit", 96, "--epochs", 1, "--no-plots", "--quiet", "--json")

MINE = """
[network]
input_shape = [1, 28, 28]
init = "he"
layers = [
    {type = "Conv2d", out_channels = 3, kernel = 5, stride = 3},
    {type = "Tanh"},
    {type = "AvgPool2d", kernel = 2},
    {type = "Dropout", p = 0.1},
    {type = "Flatten"},
    {type = "Linear"},
]

[training]
optimizer = "adam"
beta1 = 0.8
lr = 0.002
batch_size = 48
epochs = 2
seed = 4
"""


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    """A run of the LeNet-style net, with pictures."""
    folder = tmp_path_factory.mktemp("lenet") / "run"
    result = run(
        *"train --model lenet --limit 640 --epochs 2 --output".split(), folder, cwd=folder.parent
    )
    assert result.code == 0, result.err
    return folder


def test_a_named_model_brings_its_settings(lenet):
    config = read_config(lenet)
    model = fb.models.read("lenet")
    assert config["training"] == {
        "loss": "cross-entropy",
        "optimizer": "sgd",
        "lr": model.lr,
        "batch_size": 32,
        "epochs": 2,
        "seed": 0,
        "schedule": "none",
        "metrics": "epoch",
    }
    assert config["network"]["model"] == "lenet"
    assert config["network"]["input_shape"] == [1, 28, 28]
    assert config["network"]["layers"] == list(model.fitted(784, 10).layers)
    net = fb.load(lenet / "model.safetensors")
    assert list(map(repr, net.layers)) == list(map(repr, model.build(784, 10).layers))
    assert len(read_losses(lenet)) == 2 * 640 / 32


def test_it_draws_filters_and_feature_maps_of_its_convolutions(lenet):
    assert names(lenet) == ALWAYS | PLOTS | IMAGE_PLOTS
    assert all(is_whole_png(lenet / name) for name in PLOTS | IMAGE_PLOTS)


def test_a_runs_config_repeats_it_to_the_last_bit(lenet, tmp_path):
    again = tmp_path / "again"
    result = run(
        *("train", "--model", lenet / "config.toml", "--output", again),
        *"--limit 640 --no-plots --quiet".split(),
        cwd=tmp_path,
    )
    assert result.code == 0, result.err
    for name in ("config.toml", "model.safetensors", "loss_by_iteration.npz"):
        assert (again / name).read_bytes() == (lenet / name).read_bytes()


def test_the_saved_model_evaluates_predicts_and_takes_pictures(lenet, tmp_path):
    from PIL import Image

    model = lenet / "model.safetensors"
    test = fb.datasets.mnist()[1]
    Image.fromarray(test.images([3])[0]).save(tmp_path / "digit.png")
    evaluated = run("evaluate", model, "--json", cwd=tmp_path)
    sample = run("predict", model, "--index", 3, "--json", cwd=tmp_path)
    picture = run("predict", model, "digit.png", "--json", cwd=tmp_path)
    last = read_history(lenet)[-1]
    assert evaluated.json["accuracy"] == pytest.approx(float(last["val_accuracy"]))
    net = fb.load(model)
    expected = net.predict_proba(test.batch([3])[0])[0]
    np.testing.assert_allclose(sample.json["probabilities"], expected, rtol=1e-5)
    np.testing.assert_allclose(picture.json["probabilities"], expected, rtol=1e-4)
    assert (sample.json["label"], picture.json["label"]) == (int(test.y[3]), None)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Runs of a file of one's own: as it is, and with options that override it."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.toml").write_text(MINE)
    common = ("train", "--model", "mine.toml", "--limit", 96, "--no-plots", "--quiet", "--json")
    options = (
        *"--lr 0.5 --epochs 1 --batch-size 96 --init normal:0.2 --seed 9".split(),
        *"--dtype float64 --loss nll".split(),
    )
    plain, other = run(*common, cwd=folder), run(*common, *options, cwd=folder)
    assert (plain.code, other.code) == (0, 0), (plain.err, other.err)
    return folder / plain.json["output"], folder / other.json["output"]


def test_a_file_says_everything(mine):
    folder, _ = mine
    assert folder.name.endswith("-mine-cross-entropy")
    config = read_config(folder)
    assert config["training"] == {
        "loss": "cross-entropy",
        "optimizer": "adam",
        "lr": 0.002,
        "batch_size": 48,
        "epochs": 2,
        "seed": 4,
        "schedule": "none",
        "metrics": "epoch",
        "beta1": 0.8,
    }
    net = fb.Sequential(
        fb.Conv2d(1, 3, 5, 3),
        fb.Tanh(),
        fb.AvgPool2d(2),
        fb.Dropout(0.1),
        fb.Flatten(),
        fb.Linear(48, 10),
        input_shape=(1, 28, 28),
        init="he",
        seed=4,
    )
    train, test = fb.datasets.mnist()
    history = fb.fit(
        net,
        train.first(96),
        loss=fb.CrossEntropyLoss(),
        optimizer=fb.Adam(0.002, beta1=0.8),
        epochs=2,
        batch_size=48,
        validation=test,
        seed=4,
    )
    np.testing.assert_array_equal(read_losses(folder), history.loss_by_iteration)
    np.testing.assert_array_equal(fb.load(folder / "model.safetensors").params, net.params)


def test_options_override_the_file(mine):
    _, folder = mine
    config = read_config(folder)
    settings = config["network"] | config["training"]
    wanted = {"lr": 0.5, "epochs": 1, "batch_size": 96, "init": "normal:0.2", "seed": 9}
    wanted |= {"dtype": "float64", "loss": "nll", "optimizer": "adam"}
    assert {name: settings[name] for name in wanted} == wanted
    net = fb.load(folder / "model.safetensors")
    assert repr(net.layers[-1]) == "LogSoftmax()"  # which nll wants
    assert str(net.dtype) == "float64"


def test_what_is_wrong_in_a_file_is_one_line(tmp_path):
    (tmp_path / "mine.toml").write_text(MINE.replace("kernel = 2", "kernel = 9"))
    for arguments, parts in (
        (("mine.toml",), ("mine.toml: layer 3: ", "its window of 9x9 is larger")),
        ((".",), (".: Is a directory",)),
    ):
        result = run("train", "--model", *arguments, *SMALL, cwd=tmp_path)
        assert_error(result, *parts)
    assert not (tmp_path / "runs").exists()


def test_images_of_another_size_are_refused(tmp_path, lenet):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 12, 10)).astype(np.uint8)
    np.savez(tmp_path / "small.npz", x=images, y=np.arange(30) % 10)
    trained = run("train", "--model", "lenet", "--data", "small.npz", *SMALL, cwd=tmp_path)
    model = lenet / "model.safetensors"
    evaluated = run("evaluate", model, "--data", "small.npz", cwd=tmp_path)
    assert_error(trained, "lenet: takes images 1x28x28, which are 784 numbers", "120 features")
    assert_error(evaluated, "takes images 1x28x28, 784 features", "has images 12x10, 120")


@pytest.mark.parametrize(
    "option", [("--hidden", "8"), ("--activation", "relu"), ("--normalization", "batch")]
)
def test_what_contradicts_a_model_is_wrong_usage(tmp_path, option):
    result = run("train", "--model", "lenet", *option, cwd=tmp_path)
    assert_error(result, f"{option[0]} describes a dense network", "--model", code=2)
    assert names(tmp_path) == set()


def test_help_names_the_models_defaults(tmp_path):
    text = " ".join(run("train", "--help", cwd=tmp_path).out.split())
    assert "(default: the model's; dense 8, lenet 32, table 256)" in text
    assert "(default: the model's; dense hinge, lenet cross-entropy, table cross-entropy)" in text
    assert "(default: the model's; table 0.2)" in text


def test_ctrl_c_keeps_the_finished_epochs(tmp_path):
    command = ("train", "--model", "lenet", "--limit", 320, "--epochs", 500, "--output", "run")
    with started(*command, cwd=tmp_path) as process:
        history = tmp_path / "run" / "history.csv"
        wait_until(lambda: history.exists() and history.read_text().count("\n") > 2, process)
        _, err, code = press_ctrl_c(process)
    assert code == 128 + signal.SIGINT
    assert_one_line(err.splitlines(keepends=True)[-1], "fastbp: stopped; finished", "of 500 epochs")
    assert names(tmp_path / "run") == ALWAYS
    assert read_config(tmp_path / "run")["network"]["model"] == "lenet"
