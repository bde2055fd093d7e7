"""Checkpoints: a run that goes on ends as if nothing had happened, bit for bit; and bad ones."""

import errno
import inspect
import os
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from parts import LOSSES, OPTIMIZERS, each

import fastbp as fb
from fastbp.schedules import SCHEDULES
from fastbp.training.checkpoint import digest
from fastbp.training.feeding import InMemory

RNG = np.random.default_rng(1)
X = RNG.normal(size=(90, 12))
Y = (X @ RNG.normal(size=(12, 3))).argmax(axis=1)


class Killed(BaseException):
    """As if the process had ended there."""


def rows(dtype="float32"):
    layers = fb.Linear(12, 16), fb.BatchNorm1d(16), fb.GELU(), fb.Dropout(0.2), fb.Linear(16, 3)
    return fb.Sequential(*layers, dtype=dtype)


def images(dtype="float32"):
    layers = (
        *(fb.Conv2d(1, 4, 2), fb.BatchNorm2d(4), fb.ReLU(), fb.Dropout(0.1), fb.Flatten()),
        *(fb.Linear(24, 3),),
    )
    return fb.Sequential(*layers, input_shape=(1, 3, 4), dtype=dtype)


def everything(**changes):
    return {
        "optimizer": fb.Adam(0.01),
        "epochs": 10,
        "batch_size": 16,
        "validation": 0.2,
        "schedule": fb.schedules.ReduceOnPlateau(patience=0, threshold=0.1),
        "early_stopping": fb.EarlyStopping(patience=20),
        "class_weight": {0: 2.0},
        "metrics": "running",
        "seed": 3,
    } | changes


def killed_after(last, net, path, **options):
    """Train until an epoch has begun that a checkpoint will not know."""

    class Kill(fb.Callback):
        def on_epoch_begin(self, epoch, net):
            if epoch == last + 1:
                shutil.copy(path, f"{path}.kept")

        def on_epoch_end(self, epoch, net):
            if epoch.epoch == last + 1:
                raise Killed

    with pytest.raises(Killed):
        fb.fit(net, X, Y, checkpoint=path, callbacks=Kill(), **options)
    os.replace(f"{path}.kept", path)


def assert_same(first, history, second, again):
    for one, other in ((first.params, second.params), (first.buffers, second.buffers)):
        assert np.array_equal(one, other)
    states = [[layer.state() for layer in net.layers] for net in (first, second)]
    assert states[0] == states[1]
    assert np.array_equal(history.loss_by_iteration, again.loss_by_iteration)
    assert np.array_equal(history.lr_by_iteration, again.lr_by_iteration)
    for name in history.columns:
        if name != "seconds":
            assert np.array_equal(history[name], again[name], equal_nan=True), name
    assert np.array_equal(history.validation_rows, again.validation_rows)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("make", [rows, images])
def test_what_goes_on_ends_as_if_nothing_had_happened(backend, make, fused, tmp_path):
    path = tmp_path / "run.safetensors"
    calm, first = make(), make()
    history = fb.fit(calm, X, Y, **everything(fused=fused))
    killed_after(4, first, path, **everything(fused=fused))
    going = fb.resume(path)
    assert (going.arguments["epochs"], len(going.history)) == (6, 4)
    again = going.fit(X, Y)
    assert_same(calm, history, going.net, again)
    assert again.path == history.path


@pytest.mark.parametrize(("schedule", "optimizer"), each(SCHEDULES, OPTIMIZERS))
def test_every_schedule_and_optimiser_goes_on(schedule, optimizer, tmp_path):
    path = tmp_path / "run.safetensors"
    parameters = inspect.signature(SCHEDULES[schedule]).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty]
    rate = SCHEDULES[schedule](**{name: 0.9 if name == "gamma" else 3 for name in needed})
    calm, first = rows("float64"), rows("float64")
    options = everything(epochs=5, schedule=rate)
    history = fb.fit(calm, X, Y, **options | {"optimizer": OPTIMIZERS[optimizer]()})
    killed_after(2, first, path, **options | {"optimizer": OPTIMIZERS[optimizer]()})
    going = fb.resume(path)
    assert_same(calm, history, going.net, going.fit(X, Y))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_comes_back_as_it_was(name, tmp_path):
    loss = LOSSES[name]()
    y = loss.example_target(np.random.default_rng(0), 90, 3)
    net = rows("float64")
    fb.fit(net, X, y, loss=loss, epochs=1, checkpoint=tmp_path / "c")
    going = fb.resume(tmp_path / "c")
    assert repr(going.arguments["loss"]) == repr(loss)
    assert vars(going.arguments["loss"]).keys() == vars(loss).keys()
    assert going.net.meaning == net.meaning


def test_the_best_epoch_is_kept_beside_the_last(tmp_path):
    states = []
    net = rows("float64")
    options = {"epochs": 12, "optimizer": fb.Adam(0.3), "validation": 0.3, "batch_size": 16}
    keep = lambda epoch, net: states.append(net.params.copy())  # noqa: E731
    history = fb.fit(net, X, Y, checkpoint=tmp_path / "c", callbacks=keep, **options)
    going = fb.resume(tmp_path / "c")
    assert np.array_equal(going.net.params, states[-1])
    assert np.array_equal(going.best.params, states[int(np.argmin(history["val_loss"]))])
    checkpoint = fb.Checkpoint(tmp_path / "c", keep_best=False)
    fb.fit(rows(), X, Y, epochs=1, checkpoint=checkpoint)
    assert fb.resume(tmp_path / "c").best is None


def test_a_run_that_was_stopped_early_is_done(tmp_path):
    net, stop = rows(), fb.EarlyStopping("train_loss", patience=1, min_delta=10.0)
    fb.fit(net, X, Y, early_stopping=stop, checkpoint=tmp_path / "c")
    going = fb.resume(tmp_path / "c")
    assert going.arguments["epochs"] == 0
    history = going.fit(X, Y)
    assert len(history) == 2
    assert np.array_equal(going.net.params, net.params)
    assert len(going.fit(X, Y, epochs=1)) == 3  # unless more is asked for


def test_every_so_many_seconds_and_at_the_end(tmp_path):
    path = tmp_path / "c"
    found = []
    fb.fit(
        *(rows(), X, Y),
        checkpoint=fb.Checkpoint(path, every=3600),
        epochs=3,
        callbacks=lambda epoch: found.append(path.exists()),
    )
    assert found == [False] * 3
    assert len(fb.resume(path).history) == 3


@pytest.mark.parametrize("fused", [True, False])
def test_what_is_interrupted_is_as_its_last_epoch_left_it(fused, tmp_path):
    """Though some steps of the next one were done, and nothing was written before."""
    calm, first, path = rows(), rows(), tmp_path / "c"
    history = fb.fit(calm, X, Y, **everything(fused=fused))

    class Stop(fb.Callback):
        def on_epoch_begin(self, epoch, net):
            if epoch == 5:
                net.params += 1
                raise KeyboardInterrupt

    options = everything(fused=fused, checkpoint=fb.Checkpoint(path, every=3600))
    with pytest.raises(KeyboardInterrupt):
        fb.fit(first, X, Y, callbacks=Stop(), **options)
    going = fb.resume(path)
    assert len(going.history) == 4
    assert_same(calm, history, going.net, going.fit(X, Y))


def test_your_own_functions_are_given_again(tmp_path):
    calm, first = rows(), rows()
    options = everything(schedule=lambda step: 0.9**step)
    history = fb.fit(calm, X, Y, **options)
    killed_after(3, first, tmp_path / "c", **options)
    going = fb.resume(tmp_path / "c")
    assert "schedule" not in going.arguments
    assert_same(calm, history, going.net, going.fit(X, Y, schedule=options["schedule"]))


# What cannot be


def kept(path):
    fb.fit(rows(), X, Y, epochs=2, checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x": X + 1}, "another data set"),
        ({"sample_weight": np.arange(1.0, 91)}, "another data set"),
        ({"optimizer": fb.SGD(0.1)}, "another optimizer: Adam, not SGD"),
        ({"loss": "hinge"}, r"another loss: CrossEntropyLoss\(\), not HingeLoss\(1\)"),
    ],
)
def test_a_checkpoint_of_something_else(changes, text, tmp_path):
    path = kept(tmp_path / "c")
    before = path.read_bytes()
    going, x = fb.resume(path), changes.pop("x", X)
    with pytest.raises(ValueError, match="^fit history: the checkpoint is of " + text):
        going.fit(x, Y, **changes)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_network(tmp_path):
    going = fb.resume(kept(tmp_path / "c"))
    with pytest.raises(ValueError, match="the checkpoint is of another network"):
        fb.fit(images(), X, Y, **going.arguments)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_half_a_file(share, tmp_path):
    path = kept(tmp_path / "c")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: cannot go on from it: ")):
        fb.resume(path)


def test_a_model_is_no_checkpoint_and_none_is_a_model(tmp_path):
    rows().save(tmp_path / "m")
    with pytest.raises(ValueError, match="m: cannot go on from it: it is no checkpoint"):
        fb.resume(tmp_path / "m")
    with pytest.raises(ValueError, match="it holds no fastbp network"):
        fb.load(kept(tmp_path / "c"))


def test_an_optimiser_of_your_own_is_refused_before_anything_is_trained(tmp_path):
    class Mine(fb.SGD):
        pass

    net = rows()
    before = net.params.copy()
    with pytest.raises(ValueError, match=r"checkpoint: .* is none of the built-in ones"):
        fb.fit(net, X, Y, optimizer=Mine(0.1), checkpoint=tmp_path / "c")
    assert np.array_equal(net.params, before)


def test_a_disk_that_is_full_leaves_the_last_one(tmp_path, monkeypatch):
    path, history = tmp_path / "c", fb.History()

    def full(handle):
        if len(history) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=re.escape(f"No space left on device: '{path}'")):
        fb.fit(rows(), X, Y, checkpoint=path, history=history)
    assert len(history) == 3
    assert len(fb.resume(path).history) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"path": 3}, TypeError, "Checkpoint path: expected a path, got 3"),
        ({"every": 0}, ValueError, "Checkpoint every: expected a number above 0"),
        ({"every": "step"}, TypeError, "Checkpoint every: expected a number, got 'step'"),
        ({"keep_best": 1}, TypeError, "Checkpoint keep_best: expected True or False"),
    ],
)
def test_what_a_checkpoint_cannot_be(settings, error, text):
    with pytest.raises(error, match=text):
        fb.Checkpoint(**{"path": "c"} | settings)


def test_other_data_have_another_digest():
    """Where one element differs, two have changed places, or rows have."""
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 255, (300, 100), np.uint8), rng.integers(0, 9, 300)

    def told(x=x, y=y, weights=None, scale=1.0):
        return digest(InMemory(SimpleNamespace(x=x, target=y, weights=weights, scale=scale)))

    def changed(array, one, other):
        array = array.copy()
        array[one], array[other] = array[other].copy(), array[one].copy()
        return array

    def increased(place):
        array = x.copy()
        array[place] += 1
        return array

    found = [
        told(),
        *(told(x=increased(place)) for place in ((0, 0), (299, 99), (7, 31))),
        *(told(x=changed(x, one, other)) for one, other in ((0, 1), (3, 298))),
        told(x=changed(x, (0, 0), (0, 8))),
        told(x=changed(x, (0, 0), (82, 92))),  # a whole row of words further
        told(y=changed(y, 0, int(np.flatnonzero(y != y[0])[0]))),
        told(weights=np.ones(300)),
        told(scale=0.5),
        told(x=x.astype(np.float64)),
        told(x=x[:, ::2]),
    ]
    assert len(set(found)) == len(found)
    assert told(x=np.asfortranarray(x)) == told(x=x.copy()) == found[0]
