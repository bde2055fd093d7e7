"""How each kind of file is read, and what must be true of everything that was read.

A check reads what lies in a folder and uses it: a model predicts, a table has labels in range. It
raises OddError where something is not as it should be. ValueError, TypeError and OSError with the
file's path in their text are the right answers to a bad file, everything else is a finding.
"""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from samples import trained_on

import fastbp as fb
from fastbp import models, pictures, runs
from fastbp.experiments.reproduce import open_folder
from fastbp.experiments.runner import Settings
from fastbp.explain.example import read_example
from fastbp.explain.explanation import as_text, explain
from fastbp.training import Epoch

MANY = 600  # samples: so many are predicted by the engine
SLOW, HUGE = {"outputs": 1000}, 10**9  # sizes in a model's TOML file, the others' from 60
LARGE = 3_000_000  # numbers; a network with more is asked for one sample only


class OddError(AssertionError):
    """Something was read, and is not as it should be."""


def expect(true: Any, what: str) -> None:
    """Raise OddError unless something holds."""
    if not true:
        raise OddError(what)


def the_file(folder: Path) -> Path:
    """The only file in a folder."""
    return next(path for path in sorted(folder.iterdir()))


# Data sets


def check_table(folder: Path, random: Random) -> None:
    """CSV and NPZ."""
    label = random.choice((None, None, None, None, 0, -1, 1, "label", "a"))
    path = the_file(folder)
    if path.suffix == ".npz":
        label = None
    check_datasets(fb.datasets.load(path, label=label, seed=random.randrange(9)))


def check_frame(folder: Path, random: Random) -> None:
    """A table: its samples are finite, and so is what it makes of itself once more."""
    label = random.choice(("income", "income", "age", "member", -1, 1, None))
    drop = random.choice(("name", (), 0))
    path = the_file(folder)
    data = fb.datasets.table(path, label, drop=drop)
    made = data.table
    assert made is not None
    again = made.from_data(json.loads(json.dumps(made.as_data())))
    expect(again == made and str(made), "its Table is not itself again")
    expect(len(made.features) == data.features, "numbers without a name")
    expect(np.isfinite(data.x).all() and np.isfinite(data.y).all(), "a number is not finite")
    expect((again.dataset(path).x == data.x).all(), "the same table makes other samples")


def check_idx(folder: Path, random: Random) -> None:
    """A folder of IDX files."""
    check_datasets(fb.datasets.load(folder))


def check_datasets(parts: tuple[fb.datasets.Dataset, fb.datasets.Dataset]) -> None:
    """Numbers are finite, labels are classes, and training and test set are of one kind."""
    for part in parts:
        expect(len(part) == len(part.x) == len(part.y) > 0, "samples and labels differ in number")
        expect(np.isfinite(part.x).all(), "a number is not finite")
        expect(part.y.dtype == np.int64, f"labels are {part.y.dtype}")
        expect((part.y >= 0).all() and (part.y < part.classes).all(), "a label is out of range")
        try:
            x, _ = part.batch(slice(0, 4), "float64")
        except ValueError as problem:  # a number may overflow when it is scaled, and is refused
            expect("overflows" in str(problem), f"batch: {problem}")
        else:
            expect(np.isfinite(x).all(), "a number of a batch is not finite")
    expect(parts[0].features == parts[1].features, "two numbers of features")
    expect(parts[0].classes == parts[1].classes, "two numbers of classes")


# Networks


def check_model(folder: Path, random: Random) -> None:
    """A network's file, or an ensemble's."""
    net = fb.load(the_file(folder))
    for each in net if isinstance(net, fb.Ensemble) else [net]:
        check_network(each, random)
    if net.table is not None and net.meaning is None:  # whose classes have names
        import pandas as pd

        gaps = pd.DataFrame({column.name: [None, None] for column in net.table.columns})
        with np.errstate(all="ignore"):
            scores = net.scores(gaps)
            expect(len(scores) == 2, "two rows got other scores")
            if np.isfinite(scores).all():
                expect({*net.predict(gaps)} <= {*net.table.label.names}, "no class of it")


def check_onnx(folder: Path, random: Random) -> None:
    """An ONNX model, ours or another's."""
    net = fb.onnx.load(the_file(folder))
    for each in net if isinstance(net, fb.Ensemble) else [net]:
        check_network(each, random)


def check_network(net: fb.Sequential, random: Random) -> None:
    """It predicts one sample, and some hundred if it is small."""
    inputs = net.inputs or 5
    sizes = [math.prod(shape or (inputs,)) for shape in net.shapes]
    work = max(inputs, *sizes, sum(models.multiply_adds(net)) // 100)
    counts = [1] if work > LARGE / MANY else [1, MANY]
    flat = len(net.shapes[-1] or (inputs,)) == 1
    for count in counts:
        x = np.zeros((count, inputs), net.dtype)
        x[:, :99] = np.random.default_rng(random.randrange(99)).random(x[:, :99].shape)
        with np.errstate(all="ignore"):
            scores = net.scores(x)
            expect(len(scores) == count, f"{count} samples got {len(scores)} scores")
            if not flat or not np.isfinite(scores).all():
                continue
            labels = net.predict(x)
            expect((labels >= 0).all() and (labels < scores.shape[1]).all(), "no class of it")
            sums = net.predict_proba(x).sum(axis=1)
        room = 1e-5 + 1e-7 * scores.shape[1]  # each of the numbers is rounded
        expect(np.allclose(sums, 1, atol=room), f"probabilities add up to {sums[0]}")


def check_checkpoint(folder: Path, random: Random) -> None:
    """A checkpoint: its network predicts, and its training goes on, or says why not."""
    path = the_file(folder)
    going = fb.resume(path)
    check_network(going.net, random)
    expect(all(epoch.epoch >= 1 for epoch in going.history.epochs), "an epoch before the first")
    going.arguments["epochs"] = min(going.arguments["epochs"], 3) or 1
    with np.errstate(all="ignore"), suppress(fb.DivergenceError):
        try:
            going.fit(*trained_on())
        except (TypeError, ValueError) as problem:  # which knows no file
            raise ValueError(f"{path}: {problem}") from problem


def check_model_toml(folder: Path, random: Random) -> None:
    """A model as TOML: it builds a network, or says why not."""
    path = the_file(folder)
    model = models.read(str(path))
    features = math.prod(model.input_shape) if model.input_shape else 6
    model.fitted(features, 3)
    rows = [pair for row in model.layers for pair in row.items()]
    slow = any(SLOW.get(name, 60) < n < HUGE for name, n in rows if isinstance(n, int))
    if slow or features > LARGE // MANY or len(model.layers) > 50:
        return  # a network that this machine could have, and would train for minutes
    try:
        net = model.build(features, 3)
    except MemoryError as problem:  # as if it had been asked for in Python
        expect("Unable to allocate" in str(problem), f"MemoryError: {problem}")
        return
    check_network(net, random)
    if net.params.size > LARGE or sum(models.multiply_adds(net)) > LARGE:
        return
    x = np.zeros((15, features), net.dtype)
    try:
        with np.errstate(all="ignore"):
            fb.fit(net, x, np.arange(15) % 3, **model.fit_arguments() | {"epochs": 1})
    except fb.DivergenceError:
        pass  # so it may, with such numbers
    except (TypeError, ValueError) as problem:  # which knows no file
        raise ValueError(f"{path}: {problem}") from problem


def check_explain_toml(folder: Path, random: Random) -> None:
    """A worked example: it is explained."""
    path = the_file(folder)
    example = read_example(path)
    try:
        told = explain(example)
    except ValueError as problem:  # as the command line does
        raise ValueError(f"{path}: {problem}") from problem
    expect(as_text(told), "no explanation")


def check_run(folder: Path, random: Random) -> None:
    """A run's folder: its model fits its history, and its settings are a model's."""
    run = runs.read(folder)
    expect(run is not None, "the run is not there")
    assert run is not None
    for epoch in run.history.epochs:
        expect(isinstance(epoch.epoch, int) and epoch.epoch >= 1, f"epoch {epoch.epoch}")
    expect(run.history.loss_by_iteration.ndim == 1, "losses are no row")
    expect(isinstance(run.error, str) and isinstance(run.history.path, str), "no texts")
    if not run.error:
        check_network(run.net(), random)
    models.read(str(folder / "config.toml"))
    open_folder(folder, Settings(limit=100), resume=True)


def check_log(folder: Path, random: Random) -> None:
    """A log: the next epoch's line is its last, after those of epochs before."""
    path, epoch = the_file(folder), random.randrange(2, 6)
    fb.Log(path).on_epoch_end(Epoch(epoch, 0.5, 0.75, 0.25, 1.0), None)  # type: ignore[arg-type]
    log = fb.Log(path)
    log.on_epoch_end(Epoch(epoch + 1, 0.5, 0.75, 0.25, 1.0), None)  # type: ignore[arg-type]
    lines = path.read_text("utf-8").splitlines()
    expect(any(f"{epoch + 1}" in part for part in lines[-1].split(",")), "no last line")


def check_picture(folder: Path, random: Random) -> None:
    """A picture."""
    side = random.choice((28, 28, 9, 12))
    picture, note = pictures.read(the_file(folder), side, 28, invert=random.random() < 0.3)
    expect(picture.shape == (side, 28), f"it has shape {picture.shape}")
    expect(picture.dtype == np.uint8, f"it is {picture.dtype}")
    expect(isinstance(note, str), "no note")


Check = Callable[[Path, Random], None]
CHECKS: dict[str, Check] = {
    "csv": check_table,
    "csv.gz": check_table,
    "table": check_frame,
    "idx": check_idx,
    "npz": check_table,
    "model": check_model,
    "onnx": check_onnx,
    "checkpoint": check_checkpoint,
    "model.toml": check_model_toml,
    "explain.toml": check_explain_toml,
    "run": check_run,
    "log": check_log,
    "picture": check_picture,
}
ONE_SAMPLE = 1 << 30  # bytes that a sample may take on its way through a network that was read
PEAK_OF_OTHERS = 300 << 20
PEAK = {  # bytes while a file is read and used
    "picture": 450 << 20,
    **dict.fromkeys(
        ("model", "onnx", "checkpoint", "model.toml", "run"), ONE_SAMPLE + PEAK_OF_OTHERS
    ),
}
