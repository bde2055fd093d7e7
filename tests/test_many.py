"""Networks that train side by side end as if each had been alone."""

import inspect
import signal
import threading
import time
from copy import copy
from dataclasses import fields

import numpy as np
import pytest

import fastbp as fb
from fastbp.training.progress import Progress

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(150, 9)), RNG.integers(0, 4, 150)


def jobs():
    """A mix: other sizes, activations, losses, optimisers, batch sizes, epochs, seeds, dtypes."""

    def net(*hidden, activation=fb.Tanh, **options):
        layers, inputs = [], 9
        for units in hidden:
            layers += [fb.Linear(inputs, units), activation()]
            inputs = units
        return fb.Sequential(*layers, fb.Linear(inputs, 4), **options)

    return [
        fb.Job(net(30), fb.HingeLoss(), fb.SGD(0.01), epochs=3, batch_size=8),
        fb.Job(net(70, 20, activation=fb.ReLU), fb.CrossEntropyLoss(), fb.Adam(), epochs=2, seed=4),
        fb.Job(net(seed=3, dtype="float64"), fb.MSELoss(), fb.SGD(0.1, momentum=0.9), epochs=4),
        fb.Job(net(5, activation=fb.ELU), fb.HingeLoss(), fb.AdamW(), epochs=1, batch_size=1),
        fb.Job(net(30), fb.HingeLoss(), fb.SGD(0.02), epochs=3, batch_size=8, seed=9),
    ]


@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_each_ends_as_if_alone(backend, threads):
    alone, together = jobs(), jobs()
    for job in alone:
        fb.fit(
            job.net,
            (X, Y),
            loss=job.loss,
            optimizer=job.optimizer,
            epochs=job.epochs,
            batch_size=job.batch_size,
            seed=job.seed,
            validation=(X, Y),
            history=job.history,
        )
    histories = fb.fit_many(together, (X, Y), validation=(X, Y), threads=threads)
    for one, many, history in zip(alone, together, histories, strict=True):
        assert np.array_equal(one.net.params, many.net.params)
        assert np.array_equal(one.history.loss_by_iteration, history.loss_by_iteration)
        assert one.history["test_accuracy"] == history["test_accuracy"]
        assert many.error is None


def test_a_job_takes_what_fit_takes():
    others = {"net", "train", "y", "progress", "threads", "other"}
    assert {each.name for each in fields(fb.Job)} - {"net", "error", "train", "done"} == (
        {*inspect.signature(fb.fit).parameters} - others
    )
    for each in fields(fb.Job):
        parameter = inspect.signature(fb.fit).parameters.get(each.name)
        if each.name not in ("history", "net", "error", "train", "done"):
            assert each.default == parameter.default, each.name


def test_each_job_has_its_own_options(backend, tmp_path):
    """Weights, schedules, limits, early stopping, shares and checkpoints, as if alone."""

    def make(folder):
        layers = [fb.Linear(9, 12), fb.Tanh(), fb.Linear(12, 4)]
        return [
            fb.Job(
                fb.Sequential(*map(copy, layers), seed=seed), epochs=6, validation=0.2, **options
            )
            for seed, options in enumerate(
                (
                    {"class_weight": "balanced", "schedule": "cosine", "metrics": "running"},
                    {"early_stopping": fb.EarlyStopping("train_loss", 1, 10.0), "l2": 0.01},
                    {"clip_norm": 0.1, "checkpoint": folder / "c", "shuffle": False},
                )
            )
        ]

    (tmp_path / "alone").mkdir()
    alone, together = make(tmp_path / "alone"), make(tmp_path)
    for job in alone:
        fb.fit(job.net, X, Y, **job.arguments())
    fb.fit_many(together, (X, Y), threads=2)
    for one, many in zip(alone, together, strict=True):
        assert np.array_equal(one.net.params, many.net.params)
        assert one.history["val_loss"] == many.history["val_loss"]
    assert [len(job.history) for job in together] == [6, 2, 6]
    assert np.array_equal(fb.resume(tmp_path / "c").net.params, together[2].net.params)


def test_they_do_train_at_the_same_time(backend):
    """Each waits, in its first epoch, until the other has come as far."""
    barrier = threading.Barrier(2, timeout=60)

    class Meet(fb.Callback):
        def on_epoch_end(self, epoch, net):
            if epoch.epoch == 1:
                barrier.wait()

    pair = jobs()[:2]
    for job in pair:
        job.callbacks = [Meet()]
    fb.fit_many(pair, (X, Y), threads=2)
    assert not barrier.broken


def test_divergence_of_one_stops_no_other(backend):
    three = jobs()[:3]
    three[1].optimizer = fb.SGD(1e30)
    histories = fb.fit_many(three, (X, Y))
    assert isinstance(three[1].error, fb.DivergenceError)
    assert "learning rate 1e+30" in str(three[1].error)
    assert [len(history.epochs) for history in histories] == [3, 0, 4]
    assert three[0].error is three[2].error is None


def test_a_failure_stops_all_and_is_raised(backend):
    class Fail(fb.Callback):
        def on_epoch_end(self, epoch, net):
            raise OSError("disk full")

    mix = jobs()
    mix[0].callbacks, mix[4].epochs = [Fail()], 100_000
    started = time.monotonic()
    with pytest.raises(OSError, match="disk full"):
        fb.fit_many(mix, (X, Y))
    assert time.monotonic() - started < 60  # 100 000 epochs take longer than that
    assert len(mix[4].history.epochs) < 100_000


def test_an_interrupt_stops_all_and_keeps_what_is_finished():
    two = [jobs()[0], jobs()[4]]
    for job in two:
        job.epochs = 1_000_000
    threading.Timer(0.5, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        fb.fit_many(two, (X, Y), threads=2)
    assert all(0 < len(job.history.epochs) < 1_000_000 and not job.done for job in two)
    assert all(np.isfinite(job.net.params).all() for job in two)


def test_what_cannot_be_trained_is_refused():
    job = jobs()[0]
    with pytest.raises(ValueError, match="job 1 shares its net or optimizer"):
        fb.fit_many([job, fb.Job(job.net, fb.HingeLoss(), fb.SGD(0.1))], (X, Y))
    with pytest.raises(TypeError, match="expected Job objects, got Sequential"):
        fb.fit_many([job.net], (X, Y))
    with pytest.raises(ValueError, match="train x: expected 9 columns"):
        fb.fit_many(jobs(), (X[:, :8], Y))
    with pytest.raises(ValueError, match="threads"):
        fb.fit_many(jobs(), (X, Y), threads=0)
    assert fb.fit_many([], (X, Y)) == []


def test_a_job_may_have_data_of_its_own():
    """One that all share need not be."""
    x, y = np.random.default_rng(1).normal(size=(30, 4)), np.arange(30) % 3
    nets = [fb.Sequential(fb.Linear(4, 3), dtype="float64") for _ in range(4)]
    jobs = [fb.Job(nets[0], train=(x[:20], y[:20]), epochs=2), fb.Job(nets[1], epochs=2)]
    fb.fit_many(jobs, (x, y))
    fb.fit(nets[2], (x[:20], y[:20]), epochs=2)
    fb.fit(nets[3], (x, y), epochs=2)
    assert (nets[0].params == nets[2].params).all()
    assert (nets[1].params == nets[3].params).all()
    with pytest.raises(TypeError, match="job 1 has no data to train on"):
        fb.fit_many(jobs)


def test_progress_counts_networks(monkeypatch):
    told = []

    class Shown(Progress):
        def show(self, samples):
            told.append(f"{self.what} {self.now} {self.figures}")

    monkeypatch.setattr("fastbp.many.fitting.progress_for", Shown)
    three = jobs()[:3]
    three[1].optimizer = fb.SGD(1e30)
    fb.fit_many(three, (X, Y), threads=1, progress=True)
    assert told == ["network 0/3 ", "network 1/3 ", "network 2/3 1 failed", "network 3/3 1 failed"]
