"""Layers that are frozen or have their own rate: the engine moves what the layered loop moves."""

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.engine.epochs import Engine
from fastbp.kernels.numbers import Choice

X, Y = np.random.default_rng(0).normal(size=(101, 1, 6, 6)), np.arange(101) % 5
OPTIMIZERS = {
    "sgd": lambda: fb.SGD(0.05),
    "momentum": lambda: fb.SGD(0.02, 0.9, weight_decay=0.1, decay_biases=False),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3, weight_decay=0.1, epsilon_outside=True),
    "nadam": lambda: fb.NAdam(0.002, epsilon=1e-3),
    "adagrad": lambda: fb.Adagrad(0.01, epsilon=1e-3),
}
# Which layers are frozen, then factors: of the rate, of the bias's besides.
SETTINGS = {
    "the first": ({0}, {}),
    "the middle": ({1}, {}),
    "the last": ({2}, {}),
    "all but the last": ({0, 1}, {}),
    "factors": (set(), {0: (0.5, 2), 1: (2, 0), 2: (0, 3)}),
    "both": ({0}, {1: (3, 0.5)}),
}


def on_rows():
    return (
        fb.Flatten(), fb.Linear(36, 130), fb.Tanh(), fb.Dropout(0.3), fb.Linear(130, 64), fb.ELU(),
        fb.Linear(64, 5),
    )  # fmt: skip


def on_images():
    return (
        fb.Conv2d(1, 3, 3, padding=1), fb.ReLU(), fb.MaxPool2d(2), fb.Dropout(0.3),
        fb.Conv2d(3, 4, 2), fb.Tanh(), fb.Flatten(), fb.Linear(16, 5),
    )  # fmt: skip


def weighty(net):
    return [layer for layer in net.layers if layer.parameter_shapes()]


def trained(layers, name, setting, **options):
    frozen, factors = SETTINGS[setting]
    net = fb.Sequential(*layers(), input_shape=(1, 6, 6), dtype="float64")
    for k, layer in enumerate(weighty(net)):
        layer.trainable = k not in frozen
        layer.lr_factor, layer.bias_lr_factor = factors.get(k, (1, 1))
    before = [layer.w.copy() for layer in weighty(net)]
    optimizer = OPTIMIZERS[name]()
    settings = {"epochs": 3, "batch_size": 40, "metrics": None} | options
    history = fb.fit(net, (X, Y), loss=fb.HingeLoss(), optimizer=optimizer, **settings)
    for k, (layer, w) in enumerate(zip(weighty(net), before, strict=True)):
        stays = k in frozen or factors.get(k, (1, 1))[0] == 0
        assert np.array_equal(layer.w, w) == stays
    return net, optimizer, history


@for_each("setting", SETTINGS)
@for_each("name", OPTIMIZERS)
@pytest.mark.parametrize("layers", [on_rows, on_images])
def test_the_engine_moves_what_the_layered_loop_moves(backend, layers, name, setting):
    fused, optimizer, history = trained(layers, name, setting, threads=1)
    assert history.path.endswith(", fused")
    layered, other, _ = trained(layers, name, setting, fused=False)
    np.testing.assert_allclose(fused.params, layered.params, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(optimizer.memory, other.memory, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)
    assert [layer.state() for layer in fused.layers] == [each.state() for each in layered.layers]
    two, _, _ = trained(layers, name, setting, threads=2)
    assert np.array_equal(two.params, fused.params)


def test_what_is_frozen_is_not_remembered(backend):
    for fused in (True, False):
        _, optimizer, _ = trained(on_rows, "adam", "the middle", fused=fused)
        frozen = slice(36 * 130 + 130, 36 * 130 + 130 + 130 * 64 + 64)
        for vector in optimizer.memory:
            assert not vector[frozen].any()
            assert np.delete(vector, np.r_[frozen]).any()


@for_each("frozen", [{0}, {1}, {3}, {0, 1}, {1, 3, 4}])
@for_each("name", ["sgd", "momentum", "adam"])
def test_norms_may_be_frozen_and_spared(backend, name, frozen):
    """And BatchNorm's running averages move all the same."""
    data, found = (X.reshape(101, 36), Y), []
    for options in ({"threads": 1}, {"threads": 2}, {"fused": False}):
        net = fb.Sequential(
            fb.Linear(36, 64), fb.BatchNorm1d(64), fb.Tanh(), fb.LayerNorm(64), fb.Scale(64),
            fb.Linear(64, 5), dtype="float64",
        )  # fmt: skip
        net.layers[4].lr_factor, net.layers[1].bias_lr_factor = 0.5, 2
        for k in frozen:
            net.layers[k].trainable = False
        step, before = OPTIMIZERS[name](), [layer.w.copy() for layer in weighty(net)]
        history = fb.fit(net, data, loss=fb.HingeLoss(), optimizer=step, epochs=2, **options)
        assert ("fused" in history.path) == ("fused" not in options)
        stay = [np.array_equal(layer.w, w) for layer, w in zip(weighty(net), before, strict=True)]
        assert stay == [k in frozen for k in (0, 1, 3, 4, 5)]
        found.append((net.params, net.buffers))
    for one, two, layered in zip(*found, strict=True):
        assert np.array_equal(one, two)
        np.testing.assert_allclose(one, layered, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("factors", [(1.0, 1.0), (0.5, 4.0)])
def test_factors_leave_plain_steps_their_short_ways(backend, factors):
    """Data that are mostly zeros are still read without them."""
    x = np.where(np.random.default_rng(1).random((200, 64)) < 0.1, 1.0, 0.0)
    data, found = (x, (x[:, 0] > 0).astype(int)), []
    for fused in (True, False):
        net = fb.Sequential(fb.Linear(64, 32), fb.Tanh(), fb.Linear(32, 2), dtype="float64")
        net.layers[0].lr_factor, net.layers[0].bias_lr_factor = factors
        step = fb.SGD(0.1)
        if fused:
            run = Engine(net, *data, 1.0, fb.CrossEntropyLoss(), step, 16, 1)
            assert run.settings.choices[Choice.SPARSE]
        fb.fit(net, data, loss=fb.CrossEntropyLoss(), optimizer=step, epochs=3, fused=fused)
        found.append(net.params)
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


@for_each("name", parts.OPTIMIZERS)
def test_factors_of_1_are_no_factors(backend, name):
    """Bit for bit, and so is a rate that is halved, or a layer's factor."""
    found = []
    for lr, factor in ((0.01, None), (0.01, 1), (0.02, 0.5)):
        net = fb.Sequential(fb.Linear(36, 8), fb.Tanh(), fb.Linear(8, 5))
        for layer in net.layers if factor else ():
            layer.lr_factor = factor
        optimizer = parts.OPTIMIZERS[name]()
        optimizer.lr = lr
        fb.fit(net, (X.reshape(101, 36), Y), loss=fb.MSELoss(), optimizer=optimizer, epochs=2)
        found.append(net.params)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
