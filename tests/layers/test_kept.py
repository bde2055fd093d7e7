"""What forward leaves behind for backward: nobody can change it, and it may be used twice."""

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb

ROWS = {
    **parts.ACTIVATIONS,
    "LogSoftmax": fb.LogSoftmax,
    "Dropout": lambda: fb.Dropout(0.5, seed=1),
    "Linear": lambda: fb.Linear(6, 6),
    "Residual": lambda: fb.Residual(fb.Linear(6, 6), fb.Residual(fb.Tanh())),
}
IMAGES = {
    **{
        name: make
        for name, make in ROWS.items()
        if name not in ("LogSoftmax", "Linear", "Residual")
    },
    "Conv2d": lambda: fb.Conv2d(2, 2, 3),
    "Conv2d, padded": lambda: fb.Conv2d(2, 2, 3, padding=1),
    "MaxPool2d": lambda: fb.MaxPool2d(2, padding=1),
    "AvgPool2d": lambda: fb.AvgPool2d(2),
    "Flatten": fb.Flatten,
    "Residual": lambda: fb.Residual(fb.Conv2d(2, 2, 3, padding=1), fb.Tanh()),
}
EVERY_CASE = for_each(
    ("shape", "name"), [*(((6,), name) for name in ROWS), *(((2, 6, 6), name) for name in IMAGES)]
)


def prepared(shape, name, dtype):
    """A network of the layer alone, samples, and a gradient of its outputs."""
    rng = np.random.default_rng(3)
    made = (ROWS if len(shape) == 1 else IMAGES)[name]()
    net = fb.Sequential(made, input_shape=shape, dtype=dtype, seed=2)
    x = rng.normal(size=(5, *shape)).astype(dtype)
    return net, x, rng.normal(size=net.forward(x).shape).astype(dtype)


def gradients(net, dy):
    dx = net.layers[0].backward(dy).copy()
    return [dx, net.grads.copy()]


def same(found, wanted):
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@EVERY_CASE
def test_an_output_is_read_only(backend, dtype, shape, name):
    net, x, _ = prepared(shape, name, dtype)
    y = net.layers[0].forward(x)
    with pytest.raises(ValueError, match="read-only"):
        y *= 2
    with pytest.raises(ValueError, match="WRITEABLE"):
        y.flags.writeable = True
    scores = net.forward(x)
    scores *= 2  # a copy


@EVERY_CASE
def test_what_the_caller_does_to_x_and_y_changes_no_gradient(backend, dtype, shape, name):
    net, x, dy = prepared(shape, name, dtype)
    layer = net.layers[0]
    layer.forward(x.copy())
    wanted = gradients(net, dy)
    for given in (x.copy(), np.concatenate([x, x])[:5], x[::-1][::-1].copy(), x.copy()[:]):
        if isinstance(layer, fb.Dropout):
            layer.step = 0
        y = layer.forward(given)
        given[...] = np.nan
        y.shape = (-1,)  # of this view alone
        layer.x = layer.y = given[:1]
        assert same(gradients(net, dy), wanted)
        del layer.x, layer.y
    read_only = (hidden := x.copy()).view()
    read_only.flags.writeable = False
    if isinstance(layer, fb.Dropout):
        layer.step = 0
    layer.forward(read_only)
    hidden[...] = np.nan
    assert same(gradients(net, dy), wanted)


def test_an_output_that_the_next_layer_took_stays(backend, dtype, rng):
    first, second, third = fb.Sequential(
        fb.Linear(5, 5), fb.Tanh(), fb.Linear(5, 5), dtype=dtype
    ).layers
    hidden = second.forward(first.forward(rng.normal(size=(6, 5))))
    third.forward(hidden)
    assert np.shares_memory(third.x, second.y)  # nothing is copied between layers
    with pytest.raises(ValueError, match="read-only"):
        hidden *= 2


@EVERY_CASE
def test_backward_twice_gives_the_same(backend, dtype, shape, name):
    net, x, dy = prepared(shape, name, dtype)
    net.layers[0].forward(x)
    assert same(gradients(net, dy), gradients(net, dy))


@for_each("trained", [True, False])
@EVERY_CASE
def test_the_mode_of_backward_is_its_forwards(backend, dtype, shape, name, trained):
    net, x, dy = prepared(shape, name, dtype)
    net.train(trained)
    net.layers[0].forward(x)
    wanted = gradients(net, dy)
    net.train(not trained)
    assert same(gradients(net, dy), wanted)


def test_a_mask_belongs_to_its_forward(backend, dtype):
    layer, x = fb.Dropout(0.5, seed=4), np.ones((7, 40), dtype)
    first = layer.forward(x)
    layer.p = 0.1
    assert np.array_equal(layer.backward(x), first)
    assert np.array_equal(layer.backward(x), first)
    layer.backward_parameters(x)
    assert layer.step == 1
    layer.p = 0.5
    second = layer.forward(x)
    assert not np.array_equal(second, first)
    layer.training = False
    assert np.array_equal(layer.forward(x), x)
    assert np.array_equal(layer.backward(x), x)
    assert layer.step == 1  # whose step has not ended
    layer.training = True
    assert np.array_equal(layer.forward(x), second)


def test_state_is_what_training_changed():
    layer = fb.Dropout(0.5)
    assert fb.Tanh().state() == {}
    layer.set_state({"step": 12})
    assert layer.state() == {"step": 12}
    for wrong in ({}, {"steps": 1}, {"step": 1, "p": 0}):
        with pytest.raises(ValueError, match="expected a state of"):
            layer.set_state(wrong)
    for wrong in (-1, 2**63, 0.5):
        with pytest.raises((ValueError, TypeError), match="Dropout step: expected"):
            layer.set_state({"step": wrong})
    net = fb.Sequential(fb.Linear(2, 2), layer)
    assert [part.state() for part in net.copy().layers] == [{}, {"step": 12}]


def test_inference_copies_and_keeps_nothing(backend):
    net = fb.Sequential(fb.Linear(4, 4), fb.Tanh())
    x = np.ones((3, 4), np.float32)
    net.forward(x)
    kept = net.layers[1].y.copy()
    net.scores(2 * x)
    assert np.array_equal(net.layers[1].y, kept)
    assert x.flags.writeable
