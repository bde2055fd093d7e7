"""What callbacks and other threads may do while fit runs: count, or be refused aloud."""

import copy
import os
import threading

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.training import loop

RNG = np.random.default_rng(5)
X = RNG.normal(size=(120, 5)).astype("f4")
Y = RNG.integers(3, size=120)
CE = fb.CrossEntropyLoss()


def network():
    layers = fb.Linear(5, 8), fb.ELU(), fb.Dropout(0.2, seed=3), fb.Linear(8, 3)
    return fb.Sequential(*layers, dtype="float64")


class Calls(fb.Callback):
    """Calls a function once: in the middle of an epoch, or at its end."""

    def __init__(self, function, at="end"):
        self.function, self.at, self.done = function, at, False

    def on_progress(self, epoch, samples, total, loss):
        if self.at == "progress" and epoch == 2 and samples >= 48 and not self.done:
            self.done = True
            self.function()

    def on_epoch_end(self, epoch, net):
        if self.at == "end" and epoch.epoch == 1:
            self.function()


@pytest.fixture(autouse=True)
def progress_after_every_step(monkeypatch):
    """Engines and the layered loop report at the same steps."""
    monkeypatch.setattr(loop, "REPORT_EVERY", -1)
    monkeypatch.setattr("fastbp.engine.epochs.Threads.next_chunk", lambda self, steps: (1, 1))
    monkeypatch.setattr("fastbp.engine.epochs.Threads.took", lambda *_: None)


def trained(fused, function=None, at="end", optimizer=None, net=None, data=None, **options):
    net, optimizer = net or network(), optimizer or fb.SGD(0.05)
    callbacks = [Calls(lambda: function(net, optimizer), at)] if function else []
    fb.fit(
        net,
        data or (X, Y),
        **{"loss": CE, "epochs": 3, "batch_size": 8, "metrics": None} | options,
        optimizer=optimizer,
        callbacks=callbacks,
        fused=fused,
    )
    return net


CHANGES = {
    "lr": lambda net, optimizer: setattr(optimizer, "lr", 0.01),
    "from plain to momentum": lambda net, optimizer: setattr(optimizer, "momentum", 0.5),
    "alpha": lambda net, optimizer: setattr(net.layers[1], "alpha", 0.3),
    "p": lambda net, optimizer: setattr(net.layers[2], "p", 0.6),
    "seed": lambda net, optimizer: setattr(net.layers[2], "seed", 8),
}


@for_each("at", ["progress", "end"])
@for_each("name", CHANGES)
def test_numbers_count_from_the_next_step_on(backend, name, at):
    change = CHANGES[name]
    fused, layered = (trained(way, change, at).params for way in (True, False))
    np.testing.assert_allclose(fused, layered, 1e-9, 1e-12)
    assert not np.allclose(layered, trained(False).params, 1e-6)


@for_each("name", parts.OPTIMIZERS)
@pytest.mark.parametrize("backend", ["cython", "numba"], indirect=True)  # the ones with an engine
def test_every_number_of_an_optimizer_does(backend, name):
    for number in ("lr", "momentum", "beta1", "beta2", "epsilon", "weight_decay", "alpha"):
        if hasattr(parts.OPTIMIZERS[name](), number):
            nets = [
                trained(
                    way,
                    lambda net, optimizer, number=number: setattr(optimizer, number, 0.4),
                    "progress",
                    parts.OPTIMIZERS[name](),
                )
                for way in (True, False)
            ]
            np.testing.assert_allclose(nets[0].params, nets[1].params, 1e-8, 1e-11)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.params.__imul__(0.5),
        lambda net: setattr(net, "params", net.params * 0.5),
        lambda net: [setattr(x, n, getattr(x, n) * 0.5) for x in net.layers[::3] for n in "wb"],
    ],
)
def test_parameters_changed_at_an_epochs_end_count(backend, change):
    found = [trained(way, lambda net, _: change(net)).params for way in (True, False)]
    np.testing.assert_allclose(*found, 1e-9, 1e-12)
    one = trained(True, epochs=1)
    change(one)
    history = fb.History([fb.training.Epoch(1, 0, 0, 0, 0)])
    np.testing.assert_allclose(trained(True, net=one, epochs=2, history=history).params, found[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.params.__setitem__(..., 0),
        lambda net: net.layers[0].w.__setitem__(0, 0),
        lambda net: setattr(net.layers[0], "w", np.zeros((5, 8))),
        lambda net: setattr(net, "params", net.params * 0),
        lambda net: fb.SGD(0.1).step(net),
    ],
)
@pytest.mark.parametrize("backend", ["cython", "numba"])
def test_parameters_are_read_only_in_the_middle_of_an_engines_epoch(backend, change):
    net, old = network(), network()
    with fb.use_backend(backend):
        with pytest.raises(ValueError, match="read-only"):
            trained(True, lambda net, _: change(net), "progress", net=net)
        assert net.params.flags.writeable
        change(net)  # afterwards it may
        trained(True, lambda net, _: change(net), net=net)
    assert not np.array_equal(net.params, old.params)


@pytest.mark.parametrize(
    "change",
    [
        lambda net, optimizer: optimizer.reset(),
        lambda net, optimizer: setattr(optimizer, "steps", 0),
        lambda net, optimizer: setattr(net.layers[2], "step", 0),
        lambda net, optimizer: optimizer.memory[0].__setitem__(..., 0),
        lambda net, optimizer: setattr(optimizer, "memory", (np.zeros(75), np.zeros(75))),
    ],
)
def test_counts_and_memory_are_refused_in_the_middle_of_an_engines_epoch(change):
    for backend in ("cython", "numba"):
        optimizer = fb.Adam(0.01)
        with fb.use_backend(backend):
            with pytest.raises((RuntimeError, ValueError), match=r"on_epoch_end|read-only"):
                trained(True, change, "progress", optimizer)
            if optimizer.memory:
                assert all(vector.flags.writeable for vector in optimizer.memory)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("at", ["progress", "end"])
def test_a_callback_cannot_train_the_same_network_or_use_its_optimizer(backend, at, fused):
    told = []

    def train(net, optimizer):
        for other in ((net, fb.SGD(0.1)), (network(), optimizer), (net, optimizer)):
            with pytest.raises(RuntimeError, match="is being trained already"):
                fb.fit(other[0], (X, Y), loss=CE, optimizer=other[1], epochs=1)
            told.append(other)
        fb.fit(net.copy(), (X, Y), loss=CE, optimizer=fb.SGD(0.1), epochs=1)

    found = trained(fused, train, at).params
    assert len(told) == 3
    assert np.array_equal(found, trained(fused).params)  # it went on undisturbed


@pytest.mark.parametrize("fused", [True, False])
def test_two_threads_cannot_train_one_network(backend, fused):
    net, inside, go_on, problems = network(), threading.Event(), threading.Event(), []

    def wait(*_):
        inside.set()
        go_on.wait(20)

    def first():
        problems.append(trained(fused, wait, "progress", net=net))

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    before = net.params.copy()
    with pytest.raises(RuntimeError, match="Sequential is being trained already"):
        trained(fused, net=net)
    assert np.array_equal(net.predict(X), net.copy().predict(X))  # which changes nothing
    assert np.array_equal(net.params, before)
    go_on.set()
    thread.join(20)
    assert problems == [net]
    assert np.array_equal(net.params, trained(fused).params)
    trained(fused, net=net)  # and now it may


def test_predictions_beside_an_engine_are_those_of_the_epochs_start():
    for backend in ("cython", "numba"):
        with fb.use_backend(backend):
            found = []

            def look(net, _, found=found):
                found += [net.scores(X[:1]), net.scores(X), net.scores(np.tile(X, (6, 1)))[:120]]

            net = trained(True, look, "progress")
            first = trained(True, epochs=1)
            for scores in found:
                np.testing.assert_allclose(scores, first.scores(X)[: len(scores)], 1e-9)
            # What was made for one sample then is none of a frozen network's.
            net.params[:] = np.inf
            assert np.isnan(net.scores(np.zeros((1, 5)))).all()


def test_a_failed_fit_leaves_nothing_busy():
    net, optimizer = network(), fb.SGD(0.1)

    def fail(*_):
        raise KeyError

    for at in ("progress", "end"):
        with pytest.raises(KeyError):
            trained(True, fail, at, optimizer, net)
    trained(True, optimizer=optimizer, net=net)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_trains_what_its_parent_is_training():
    codes = []

    def fork(net, optimizer):
        if not (child := os.fork()):
            try:
                fb.fit(net, (X, Y), loss=CE, optimizer=optimizer, epochs=1, threads=1)
            except BaseException:
                os._exit(1)
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    trained(True, fork)
    assert codes == [0]


@for_each("fused", [True, False])
@for_each("value", [10**8, 7, -1, -(10**9)])
def test_labels_changed_meanwhile_change_nothing(backend, fused, value):
    for as_dataset in (False, True):
        for at in ("progress", "end"):
            labels = Y.copy()
            data = fb.datasets.Dataset(X, labels, 3) if as_dataset else (X, labels)

            def change(*_, labels=labels, data=data):
                labels[:] = value
                if isinstance(data, fb.datasets.Dataset):
                    data.y.flags.writeable = True
                    data.y[:] = value

            net = trained(fused, change, at, data=data)
            assert np.array_equal(net.params, trained(fused, data=(X, Y)).params)


@pytest.mark.parametrize("fused", [True, False])
def test_values_changed_meanwhile_change_nothing(backend, fused):
    values = RNG.normal(size=(120, 3))
    given = values.copy()
    net = trained(
        fused, lambda *_: given.__setitem__(..., np.nan), data=(X, given), loss=fb.MSELoss()
    )
    assert np.array_equal(net.params, trained(fused, data=(X, values), loss=fb.MSELoss()).params)


class Narrower(fb.layers.Layer):
    """A layer of one's own that does not say that it changes the columns."""

    def forward(self, x):
        self.y = np.array(x)[:, :2]
        return self.y

    def backward(self, dy):
        return np.concatenate([dy, 0 * dy[:, :1]], axis=1)


@for_each("loss", parts.LOSSES)
def test_a_last_layer_that_puts_out_other_columns_is_refused(backend, loss):
    net = fb.Sequential(fb.Linear(5, 3), Narrower())
    loss = parts.LOSSES[loss]()
    y = loss.example_target(RNG, len(X), 3)
    match = r"expected scores of shape \(32, 3\), got \(32, 2\).*output_shape"
    with pytest.raises(ValueError, match=match):
        fb.fit(net, (X, y), loss=loss, optimizer=fb.SGD(0.1))
    with pytest.raises(ValueError, match=r"expected scores of shape \(120, 3\), got \(120, 2\)"):
        fb.evaluate(net, (X, y), loss)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            {"loss": fb.HingeLoss},
            r"expected an object, HingeLoss\(...\), got .*write fb.HingeLoss\(\)$",
        ),
        (
            {"optimizer": fb.SGD},
            r"expected an object, SGD\(...\), got .*write fb.SGD\(...\)$",
        ),
        ({"loss": 3}, "expected Loss, got 3"),
        ({"optimizer": 3}, "expected Optimizer, got 3"),
        ({"history": 3}, "expected History, got 3"),
        ({"net": 3}, "expected Sequential, got 3"),
        ({"callbacks": "x"}, "fit callbacks: expected Callback objects, .* got 'x'"),
        ({"callbacks": 3}, "fit callbacks: expected Callback objects, .* got 3"),
        ({"callbacks": [fb.Callback]}, "callbacks: expected Callback objects"),
    ],
)
def test_what_fit_takes_is_what_it_says(wrong, text):
    given = {"net": network(), "loss": CE, "optimizer": fb.SGD(0.1)} | wrong
    with pytest.raises(TypeError, match=text):
        fb.fit(given.pop("net"), (X, Y), **given)


def test_a_copy_of_what_is_being_trained_is_free():
    nets = []
    net = trained(True, lambda net, optimizer: nets.extend(copy.deepcopy((net, optimizer))))
    trained(True, net=nets[0], optimizer=nets[1], epochs=1)
    assert net is not nets[0]
