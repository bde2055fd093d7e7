"""What fit watches and tells: metrics, rates, early stopping, the time, callbacks, the history."""

import itertools
import math
import pickle
import time
from contextlib import nullcontext

import numpy as np
import pytest

import fastbp as fb

RNG = np.random.default_rng(1)
X = RNG.normal(size=(120, 4))
Y = (X @ RNG.normal(size=(4, 3)) + RNG.normal(0, 1, (120, 3))).argmax(axis=1)
VALUES = X @ RNG.normal(size=4)


def net(outputs=3, dtype="float64", seed=0):
    layers = fb.Linear(4, 16), fb.Tanh(), fb.Linear(16, outputs)
    return fb.Sequential(*layers, dtype=dtype, seed=seed)


def fit(network, **options):
    given = {"epochs": 4, "batch_size": 16, "optimizer": fb.Adam(0.02), "validation": 0.2}
    return fb.fit(network, X, Y, **given | options)


# Metrics


@pytest.mark.parametrize("fused", [True, False])
def test_running_metrics_are_of_the_scores_that_the_steps_found(backend, fused):
    """A single batch of all: the scores are those of the parameters before."""
    network = net()
    want = [fb.evaluate(network, (X, Y)).accuracy]
    for _ in range(2):
        history = fb.fit(network, X, Y, epochs=1, batch_size=120, metrics="running", fused=fused)
        assert history["train_accuracy"] == want
        want = [fb.evaluate(network, (X, Y)).accuracy]


def test_running_metrics_of_batches_and_of_values(backend):
    seen = []

    class Spy(fb.Tanh):  # layered, and one batch after another
        def forward(self, x):
            y = super().forward(x)
            if self.training:
                seen.append(y)
            return y

    network = fb.Sequential(fb.Linear(4, 1), Spy(), dtype="float64")
    history = fb.fit(network, X, VALUES, epochs=1, metrics="running", shuffle=False)
    found = np.concatenate(seen)[:, 0]
    r2 = 1 - np.square(VALUES - found).sum() / np.square(VALUES - VALUES.mean()).sum()
    assert history["train_r2"][0] == pytest.approx(r2, rel=1e-12)
    assert history["train_mae"][0] == pytest.approx(np.abs(VALUES - found).mean(), rel=1e-12)


def test_no_metrics_are_none_of_the_training_data(backend):
    history = fit(net(), metrics=None)
    assert np.isnan(history["train_accuracy"]).all()
    assert np.isfinite(history["val_accuracy"]).all()


def test_metrics_of_your_own_are_columns(backend, tmp_path):
    def share_of_ones(y, predicted):
        assert y.dtype == predicted.dtype == np.int64
        return np.mean(predicted == 1)

    network = net()
    history = fit(network, metrics={"ones": share_of_ones, "rows": lambda y, p: len(p)})
    rows = history.validation_rows
    assert history["ones"][-1] == np.mean(network.predict(X[rows]) == 1)
    assert history["rows"] == [24.0] * 4
    history.to_csv(tmp_path / "h.csv")
    header = (tmp_path / "h.csv").read_text().splitlines()[0]
    assert header == "epoch,train_loss,train_accuracy,val_loss,val_accuracy,ones,rows,lr,seconds"


def test_a_metric_that_is_no_number():
    with pytest.raises(TypeError, match="metric 'f': expected a number, got 'x'"):
        fit(net(), metrics={"f": lambda y, p: "x"})


# Rates


@pytest.mark.parametrize("fused", [True, False])
def test_a_schedule_is_in_the_history(backend, fused):
    schedule = fb.schedules.Cosine(warm_up=1)
    history = fit(net(), schedule=schedule, fused=fused)
    steps = np.arange(24)
    want = 0.02 * schedule.factors(steps, fb.schedules.base.Span(6, 24), {})
    np.testing.assert_allclose(history.lr_by_iteration, want, rtol=1e-15)
    assert history["lr"] == [float(rates[-1]) for rates in history.rates]


@pytest.mark.parametrize("fused", [True, False])
def test_a_schedule_is_as_rates_that_are_set_by_hand(backend, fused):
    by_schedule, by_hand = net(), net()
    fit(by_schedule, schedule=lambda step: 0.5 ** (step // 6), fused=fused)
    optimizer = fb.Adam(0.02)

    def halve(epoch):
        optimizer.lr /= 2

    fit(by_hand, optimizer=optimizer, callbacks=halve, fused=fused)
    np.testing.assert_allclose(by_schedule.params, by_hand.params, rtol=1e-12)


def test_a_schedule_goes_on_with_a_history(backend):
    at_once, in_two = net(), net()
    schedule = fb.schedules.Step(2, gamma=0.1)
    whole = fit(at_once, schedule=schedule)
    optimizer = fb.Adam(0.02)
    history = fit(in_two, epochs=2, schedule=schedule, optimizer=optimizer)
    fit(in_two, epochs=2, schedule=schedule, optimizer=optimizer, history=history)
    assert history["lr"] == whole["lr"]
    assert np.array_equal(at_once.params, in_two.params)


def test_a_plateau_is_seen(backend):
    schedule = fb.schedules.ReduceOnPlateau(patience=0, factor=0.5, monitor="val_loss", threshold=9)
    assert fit(net(), schedule=schedule)["lr"] == [0.02, 0.02, 0.01, 0.005]


def test_divergence_names_the_rate_of_its_step():
    huge = fb.SGD(1.0)
    with pytest.raises(fb.DivergenceError, match=r"epoch 1, step \d, with learning rate 1e\+80;"):
        fit(net(), loss="mse", optimizer=huge, schedule=lambda step: 1e80)


def test_a_plateau_counts_epochs_that_are_validated():
    schedule = fb.schedules.ReduceOnPlateau(patience=0, factor=0.5, threshold=9)
    history = fit(net(), epochs=7, schedule=schedule, validate_every=2)
    assert history["lr"] == [0.02, 0.02, 0.02, 0.02, 0.01, 0.01, 0.005]


def test_another_schedule_goes_on_with_a_history():
    network, optimizer = net(), fb.Adam(0.02)
    history = fit(network, epochs=2, optimizer=optimizer)
    for schedule in (fb.schedules.Adaptive(patience=1, tolerance=9), "plateau", None):
        fit(network, epochs=2, optimizer=optimizer, history=history, schedule=schedule)
    # The first epoch is progress, the second none; the next schedule begins where that one is.
    assert history["lr"] == pytest.approx([0.02] * 4 + [0.004, 0.004] + [0.02] * 2)


@pytest.mark.parametrize("factor", [math.nan, -1.0, math.inf])
def test_a_schedule_that_is_no_rate(factor):
    network = net()
    with pytest.raises(ValueError, match="factor of step 3: expected"):
        fit(network, schedule=lambda step: factor if step == 3 else 1.0)


# Early stopping


@pytest.mark.parametrize("fused", [True, False])
def test_early_stopping_leaves_the_best_epoch_s_parameters(backend, fused):
    states = []
    network = net()
    stop = fb.EarlyStopping(patience=3)
    history = fit(
        network,
        epochs=60,
        optimizer=fb.Adam(0.1),
        early_stopping=stop,
        callbacks=lambda epoch, net: states.append(net.params.copy()),
        fused=fused,
    )
    best = int(np.argmin(history["val_loss"]))
    assert len(history) == best + 4 < 60
    assert history.stopped == f"no better val_loss in 3 epochs after epoch {best + 1}"
    assert np.array_equal(network.params, states[best])
    rows = history.validation_rows
    loss = fb.evaluate(network, (X[rows], Y[rows]), fb.CrossEntropyLoss()).loss
    assert loss == history["val_loss"][best]


def test_early_stopping_may_leave_the_last_one_s(backend):
    states = []
    network = net()
    stop = fb.EarlyStopping("val_accuracy", patience=2, restore_best=False)
    fit(
        network,
        epochs=60,
        early_stopping=stop,
        callbacks=lambda epoch, net: states.append(net.params.copy()),
    )
    assert np.array_equal(network.params, states[-1])


def test_buffers_and_states_are_restored_too():
    layers = fb.Linear(4, 16), fb.BatchNorm1d(16), fb.Dropout(0.3), fb.Linear(16, 3)
    network = fb.Sequential(*layers, dtype="float64")
    kept = []

    def keep(epoch, net):
        kept.append((net.buffers.copy(), [layer.state() for layer in net.layers]))

    stop = fb.EarlyStopping(patience=2)
    history = fit(network, epochs=40, optimizer=fb.Adam(0.1), early_stopping=stop, callbacks=keep)
    buffers, states = kept[int(np.argmin(history["val_loss"]))]
    assert np.array_equal(network.buffers, buffers)
    assert [layer.state() for layer in network.layers] == states


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_best_is_restored_when_epochs_run_out_and_after_ctrl_c(backend, interrupted):
    network, states, history = net(), [], fb.History()

    def watch(epoch, net):
        states.append(net.params.copy())
        if interrupted and epoch.epoch == 6:
            raise KeyboardInterrupt

    stop = fb.EarlyStopping("train_loss", patience=50)
    options = {"optimizer": fb.SGD(4.0), "epochs": 8, "early_stopping": stop, "history": history}
    with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        fit(network, callbacks=watch, **options)
    assert len(history) == (6 if interrupted else 8)
    assert np.array_equal(network.params, states[int(np.argmin(history["train_loss"]))])


def test_progress_smaller_than_min_delta_is_none():
    history = fit(net(), epochs=30, early_stopping=fb.EarlyStopping(patience=2, min_delta=10.0))
    assert len(history) == 3


def test_a_metric_of_your_own_may_stop():
    values = itertools.chain([0.1, 0.5, 0.4, 0.45], itertools.repeat(0.3))
    stop = fb.EarlyStopping("f", patience=2, mode="max")
    history = fit(net(), metrics={"f": lambda y, p: next(values)}, epochs=20, early_stopping=stop)
    assert history.stopped == "no better f in 2 epochs after epoch 2"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"patience": -1}, "EarlyStopping patience: expected at least 0, got -1"),
        ({"min_delta": -0.1}, "EarlyStopping min_delta: expected at least 0, got -0.1"),
        ({"monitor": "f1"}, "whether more of it is better is not known"),
        ({"mode": "up"}, "EarlyStopping mode: expected 'auto' or 'min' or 'max', got 'up'"),
    ],
)
def test_what_early_stopping_cannot_be(settings, text):
    with pytest.raises(ValueError, match=text):
        fb.EarlyStopping(**settings)


def test_what_is_monitored_must_be_there():
    with pytest.raises(
        ValueError, match="monitors 'f1', but the history has train_loss, train_acc"
    ):
        fit(net(), early_stopping=fb.EarlyStopping("f1", mode="max"))
    with pytest.raises(ValueError, match="monitors 'val_r2', but the history has train_loss"):
        fit(net(), schedule=fb.schedules.ReduceOnPlateau(monitor="val_r2"))


# The time


@pytest.mark.parametrize("fused", [True, False])
def test_time_is_over_in_the_middle_of_an_epoch(backend, fused):
    x, y = np.tile(X, (4000 if fused else 100, 1)), np.tile(Y, 4000 if fused else 100)
    began = time.perf_counter()
    history = fb.fit(
        net(), x, y, epochs=10**6, batch_size=4, max_seconds=0.3, fused=fused, metrics="running"
    )
    assert time.perf_counter() - began < 20
    assert history.stopped == "max_seconds=0.3 are over"
    assert len(history.losses[-1]) == len(history.rates[-1]) <= len(x) // 4
    assert np.isfinite(history["train_accuracy"]).all()


def test_a_time_that_suffices_changes_nothing(backend):
    first, second = net(), net()
    fit(first)
    history = fit(second, max_seconds=1000)
    assert np.array_equal(first.params, second.params)
    assert not history.stopped


# Callbacks


def test_every_hook_is_called(backend):
    calls = []

    class Watch:
        def on_train_begin(self, net):
            calls.append("begin")

        def on_epoch_begin(self, epoch, net):
            calls.append(epoch)

        def on_epoch_end(self, epoch, net):
            calls.append(epoch.train_loss)

        def on_train_end(self, net):
            calls.append("end")

    history = fit(net(), epochs=2, callbacks=Watch())
    first, second = history["train_loss"]
    assert calls == ["begin", 1, first, 2, second, "end"]


def test_a_callback_ends_the_training(backend):
    both = []
    history = fit(net(), callbacks=[lambda e: e.epoch == 2, lambda e: both.append(e.epoch)])
    assert (len(history), both) == (2, [1, 2])
    assert history.stopped == "asked by a callback"


def test_the_end_is_told_after_an_error():
    calls = []

    class Watch(fb.Callback):
        def on_epoch_end(self, epoch, net):
            raise ZeroDivisionError

        def on_train_end(self, net):
            calls.append("end")

    with pytest.raises(ZeroDivisionError):
        fit(net(), callbacks=Watch())
    assert calls == ["end"]


# The history


def test_columns_by_the_names_that_others_have():
    history = fit(net())
    for one, other in (
        ("test_accuracy", "val_accuracy"),
        ("validation_loss", "val_loss"),
        ("loss", "train_loss"),
        ("accuracy", "train_accuracy"),
    ):
        assert history[one] == history[other]
    assert history.epochs[0].test_accuracy == history["val_accuracy"][0]
    assert len(history) == 4
    assert history.to_dict() == {name: history[name] for name in history.keys()}  # noqa: SIM118
    assert history.to_dataframe()["val_loss"].tolist() == history["val_loss"]
    assert repr(history).startswith("History(4 epochs; the last: train_loss=")
    with pytest.raises(KeyError, match="did you mean 'val_loss'"):
        history["vall_loss"]


def test_a_history_is_pickled_and_copied():
    history = fit(net(), early_stopping=fb.EarlyStopping())
    again = pickle.loads(pickle.dumps(history))
    assert again.to_dict() == history.to_dict()


# Limits


@pytest.mark.parametrize("limits", [{"l2": 0.1}, {"clip_value": 1e-3}, {"clip_norm": 1e-2}])
def test_limits_on_both_paths(backend, limits):
    fused, layered, without = net(), net(), net()
    options = {"optimizer": fb.SGD(0.5), "schedule": "cosine", "class_weight": "balanced"}
    first = fit(fused, **options | limits)
    second = fit(layered, fused=False, **options | limits)
    np.testing.assert_allclose(fused.params, layered.params, rtol=1e-10)
    np.testing.assert_allclose(first["train_loss"], second["train_loss"], rtol=1e-10)
    fit(without, **options)
    assert not np.allclose(fused.params, without.params, rtol=1e-3)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"clip_norm": 0}, "clip_norm: expected a number above 0, got 0"),
        ({"clip_value": math.nan}, "clip_value: expected a finite number, got nan"),
        ({"l2": -1}, "l2: expected at least 0, got -1"),
        ({"clip_norm": 1.0, "clip_value": 1.0}, "clip_value and clip_norm: expected one of them"),
    ],
)
def test_limits_that_are_none(limits, text):
    with pytest.raises(ValueError, match=text):
        fit(net(), **limits)
