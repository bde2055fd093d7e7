"""bench/: what is measured is what its name says, and a wrong result is refused before timing."""

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from bench_modules import bench_modules

import fastbp as fb

MULTIPLY_ADDS = {  # by hand, to train on one sample: X·W, dW, and dX but in the first layer
    "final-b8": 2 * 784 * 800 + 3 * (800 * 100 + 100 * 10),
    "deep-b8": 2 * 784 * 600 + 3 * (600 * 800 + 800 * 100 + 100 * 10),
    "simple-b64": 2 * 784 * 128 + 3 * 128 * 10,
    "final-b512": 2 * 784 * 800 + 3 * (800 * 100 + 100 * 10),
    "lenet-b32": 2 * 28 * 28 * 6 * 25
    + 3 * (10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10),
    "lenet-batch-norm-b32": 2 * 28 * 28 * 6 * 25
    + 3 * (10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10),
    "batch-norm-b64": 2 * 784 * 256 + 3 * (256 * 128 + 128 * 10),
    "layer-norm-b64": 2 * 30 * 64 + 3 * (64 * 64 + 64 * 1),
    "control-b256": 2 * 17 * 256 + 3 * (256 * 256 + 256 * 6),
    "table-b32": 2 * 13 * 100 + 3 * 100,
    "tiny-b10000": 2 * 4 * 32 + 3 * (32 * 16 + 16 * 4),
    "policy-b1024": 2 * 8 * 64 + 3 * (64 * 64 + 64 * 4),
    "tiny-b8": 2 * 4 * 32 + 3 * (32 * 16 + 16 * 4),
    "wide-table-b512": 2 * 30 * 128 + 3 * (128 * 64 + 64),
}
NETS = {
    "final-b8": "Linear 784 800, Tanh, Linear 800 100, Tanh, Linear 100 10; HingeLoss 8",
    "deep-b8": "Linear 784 600, Tanh, Linear 600 800, Tanh, Linear 800 100, Tanh, Linear 100 10; "
    "HingeLoss 8",
    "simple-b64": "Linear 784 128, Sigmoid, Linear 128 10; CrossEntropyLoss 64",
    "final-b512": "Linear 784 800, Tanh, Linear 800 100, Tanh, Linear 100 10; CrossEntropyLoss 512",
    "lenet-b32": "Conv2d(1, 6, kernel=5, stride=1, padding=2), "
    "ReLU, MaxPool2d(kernel=2, stride=2, padding=0), "
    "Conv2d(6, 16, kernel=5, stride=1, padding=0), ReLU, "
    "MaxPool2d(kernel=2, stride=2, padding=0), "
    "Flatten, Linear 400 120, ReLU, Linear 120 84, ReLU, Linear 84 10; "
    "CrossEntropyLoss 32",
    "lenet-batch-norm-b32": "Conv2d(1, 6, kernel=5, stride=1, padding=2), "
    "BatchNorm2d(6, eps=1e-05, momentum=0.1, affine=True), ReLU, "
    "MaxPool2d(kernel=2, stride=2, padding=0), Conv2d(6, 16, kernel=5, stride=1, padding=0), "
    "BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True), ReLU, "
    "MaxPool2d(kernel=2, stride=2, padding=0), "
    "Flatten, Linear 400 120, ReLU, Linear 120 84, ReLU, Linear 84 10; "
    "CrossEntropyLoss 32",
    "batch-norm-b64": "Linear 784 256, BatchNorm1d(256, eps=1e-05, momentum=0.1, affine=True), "
    "GELU('none'), "
    "Linear 256 128, BatchNorm1d(128, eps=1e-05, momentum=0.1, affine=True), GELU('none'), "
    "Linear 128 10; "
    "CrossEntropyLoss 64",
    "layer-norm-b64": "Linear 30 64, LayerNorm(64, eps=1e-05, elementwise_affine=True), SiLU, "
    "Linear 64 64, LayerNorm(64, eps=1e-05, elementwise_affine=True), SiLU, Linear 64 1; "
    "HuberLoss 64",
    "control-b256": "Linear 17 256, Tanh, Linear 256 256, Tanh, Linear 256 6; MSELoss 256",
    "table-b32": "Linear 13 100, Tanh, Linear 100 1; MSELoss 32",
    "tiny-b10000": "Linear 4 32, Tanh, Linear 32 16, Tanh, Linear 16 4; MSELoss 10000",
    "policy-b1024": "Linear 8 64, Tanh, Linear 64 64, Tanh, Linear 64 4; MSELoss 1024",
    "tiny-b8": "Linear 4 32, Tanh, Linear 32 16, Tanh, Linear 16 4; MSELoss 8",
    "wide-table-b512": "Linear 30 128, Tanh, Linear 128 64, Tanh, Linear 64 1; MSELoss 512",
}


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """bench/settings.py, imported as the suites do it."""
    with bench_modules("settings") as modules:
        yield modules.settings


def test_the_settings_are_these(bench):
    assert list(bench.SETTINGS) == list(NETS)
    assert [name for name, setting in bench.SETTINGS.items() if name != setting.name] == []


@pytest.mark.parametrize("name", NETS)
def test_nets_and_losses(bench, name):
    setting = bench.SETTINGS[name]
    layers = [
        f"Linear {layer.inputs} {layer.outputs}" if isinstance(layer, fb.Linear) else repr(layer)
        for layer in setting.net().layers
    ]
    net = ", ".join(layers).replace("()", "")
    loss = type(setting.loss_function()).__name__
    assert f"{net}; {loss} {setting.batch_size}" == NETS[name]
    assert np.array_equal(setting.net().params, setting.net().params)


@pytest.mark.parametrize("name", NETS)
def test_operations_are_counted_as_by_hand(bench, name):
    assert bench.SETTINGS[name].flops == 2 * MULTIPLY_ADDS[name]


def test_operations_of_a_prediction(bench):
    assert bench.PREDICTION.forward_flops == 2 * (784 * 128 + 128 * 10)


def test_the_order_is_the_one_that_fit_draws(bench):
    setting, samples = bench.SETTINGS["simple-b64"], 200
    x, y = bench.training_data().batch(bench.first_order(samples))
    net, losses = setting.net(), []
    for start in range(0, samples, setting.batch_size):
        batch = slice(start, start + setting.batch_size)
        loss, gradient = setting.loss_function()(net.forward(x[batch]), y[batch])
        net.backward(gradient)
        fb.SGD(setting.lr).step(net)
        losses.append(loss)
    history = bench.train(setting, samples, fused=False)
    assert history.losses[0] == pytest.approx(losses, rel=1e-6)


def test_losses_of_something_else_are_refused(bench):
    setting = replace(bench.SETTINGS["simple-b64"], batch_size=2)
    right = bench.reference_losses(setting)
    assert len(right) == bench.CHECKED
    assert bench.check_losses("me", setting, right * 1.0005) == pytest.approx(0.0005)
    wrong, nan = right.copy(), right.copy()
    wrong[41] *= 1.002
    nan[99] = np.nan
    with pytest.raises(ValueError, match="me, simple-b64: computes something else"):
        bench.check_losses("me", setting, wrong)
    with pytest.raises(ValueError, match="In iteration 100 its loss is nan"):
        bench.check_losses("me", setting, nan)
    with pytest.raises(ValueError, match="expected 100 losses"):
        bench.check_losses("me", setting, right[:-1])


def test_the_share_of_the_peak_counts_what_is_done(bench):
    """A pixel of 0 meets no weight in an engine's first layer; the layered loop takes them all."""
    with bench_modules("bench_epoch", "settings") as modules:
        setting, ink = modules.settings.SETTINGS["simple-b64"], modules.settings.share_of_ink()
        found = {
            loop.fused: modules.bench_epoch.done_flops(setting, loop)
            for loop in modules.bench_epoch.LOOPS
        }
        hinge, loops = modules.settings.SETTINGS["final-b8"], modules.bench_epoch.LOOPS
        uncounted = {modules.bench_epoch.done_flops(hinge, loop) for loop in loops}
    assert uncounted == {0, hinge.flops}
    assert 0.19 < ink < 0.2
    assert found[False] == 2 * (2 * 784 * 128 + 3 * 1280)
    assert found[True] == pytest.approx(2 * (2 * 784 * 128 * ink + 3 * 1280))
