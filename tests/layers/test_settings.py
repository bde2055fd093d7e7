"""Settings: numbers may change at any time and are checked; sizes stay."""

import inspect
import math
import re

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb
from fastbp._settings import Number
from fastbp.layers import BUILT_IN, Layer
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS

HAVING_NUMBERS = {
    kind: names
    for kind in (*BUILT_IN.values(), *LOSSES.values(), *OPTIMIZERS.values())
    if (
        names := [
            name
            for name, value in inspect.getmembers(kind)
            if isinstance(value, Number) and name not in vars(Layer)  # which all layers have
        ]
    )
}


def made(kind):
    """One of it: an optimiser with a rate, a norm of three columns."""
    if kind in OPTIMIZERS.values():
        return kind(0.1)
    first = next(iter(inspect.signature(kind).parameters.values()), None)
    return kind(3) if first is not None and first.default is first.empty else kind()


@pytest.mark.parametrize("kind", HAVING_NUMBERS)
def test_numbers_are_checked_whenever_they_are_set(kind):
    assert HAVING_NUMBERS
    for name in HAVING_NUMBERS[kind]:
        part = made(kind)
        setting = inspect.getattr_static(kind, name)
        for wrong in (math.nan, math.inf, -1, "1", True, -math.inf, *([None] * (not setting.none))):
            with pytest.raises((ValueError, TypeError), match=f"^{kind.__name__} {name}: expected"):
                setattr(part, name, wrong)
        setattr(part, name, np.float32(0.5))
        assert getattr(part, name) == 0.5
        assert type(getattr(part, name)) is float
        if setting.limits["below"] == 1:
            with pytest.raises(ValueError, match=f"{name}: expected a number below 1, got 1"):
                setattr(part, name, 1)


@pytest.mark.parametrize("bound", [False, True])
def test_how_a_layer_is_trained_is_checked(bound):
    layer = fb.Linear(3, 2)
    assert not bound or fb.Sequential(layer)
    assert (layer.trainable, layer.lr_factor, layer.bias_lr_factor) == (True, 1, 1)
    for name in ("lr_factor", "bias_lr_factor"):
        for wrong, text in (
            (-1, "at least 0, got -1"),
            (math.nan, "a finite number, got nan"),
            (math.inf, "a finite number, got inf"),
            ("1", "a number, got '1'"),
            (None, "a number, got None"),
        ):
            with pytest.raises((ValueError, TypeError), match=f"^Linear {name}: expected {text}$"):
                setattr(layer, name, wrong)
        setattr(layer, name, 0)
    for wrong in (1, 0, None, "yes"):
        with pytest.raises(TypeError, match=r"^Linear trainable: expected True or False, got"):
            layer.trainable = wrong
    layer.trainable = np.bool_(False)
    assert layer.trainable is False


def test_nesterov_is_checked_like_in_the_constructor():
    optimizer = fb.SGD(0.1)
    with pytest.raises(ValueError, match="nesterov needs a momentum above 0"):
        optimizer.nesterov = True
    with pytest.raises(TypeError, match="expected True or False"):
        fb.SGD(0.1, momentum=0.5, nesterov="no")
    optimizer.momentum, optimizer.nesterov = 0.5, True
    optimizer.momentum = 0
    assert optimizer.states == 0  # then both are plain


def image_network():
    return fb.Sequential(
        fb.Conv2d(1, 2, 3, padding=1),
        fb.MaxPool2d(2),
        fb.AvgPool2d(2),
        fb.Flatten(),
        fb.Linear(2 * 4, 3),
        input_shape=(1, 9, 9),
    )


@pytest.mark.parametrize(
    ("position", "name"),
    [
        *((0, name) for name in ("in_channels", "out_channels", "kernel", "stride", "padding")),
        *((position, name) for position in (1, 2) for name in ("kernel", "stride", "padding")),
        (4, "inputs"),
        (4, "outputs"),
        (4, "dtype"),
        (3, "dtype"),
    ],
)
def test_sizes_of_a_layer_in_a_network_stay(position, name):
    net = image_network()
    layer = net.layers[position]
    old = getattr(layer, name)
    with pytest.raises(AttributeError, match=rf"{re.escape(repr(layer))}\.{name}: it is fixed"):
        setattr(layer, name, np.dtype("f8") if name == "dtype" else 5)
    assert getattr(layer, name) == old


@pytest.mark.parametrize("name", ["layers", "input_shape", "dtype"])
def test_the_networks_structure_stays(name):
    net = image_network()
    with pytest.raises(AttributeError, match=f"{name}: it is fixed"):
        setattr(net, name, getattr(net, name))


def test_a_layer_of_no_network_may_change():
    layer = fb.Conv2d(1, 2, 3)
    layer.kernel, layer.stride = (1, 2), 2
    net = fb.Sequential(layer, input_shape=(1, 4, 4))
    assert layer.w.shape == (2, 1, 1, 2)
    assert net.forward(np.ones((1, 1, 4, 4))).shape == (1, 2, 2, 2)
    pool = fb.MaxPool2d(4)
    pool.padding = 2
    pool.kernel = 2
    with pytest.raises(ValueError, match="at most half of the window"):
        fb.Sequential(pool, input_shape=(1, 4, 4))


@for_each("name", parts.ACTIVATIONS)
def test_a_number_counts_from_the_next_prediction_on(backend, dtype, name, rng):
    layer = parts.ACTIVATIONS[name]()
    numbers = HAVING_NUMBERS.get(type(layer), [])
    net = fb.Sequential(fb.Linear(5, 20), layer, fb.Linear(20, 3), dtype=dtype)
    x = rng.normal(size=(600, 5)).astype(dtype)
    frozen = net.frozen()
    for one in (net, frozen):
        one.predict_proba(x[:1])
        for number in numbers:
            setattr(one.layers[1], number, 3.0)
        want = one.copy().forward(x)
        for rows in (slice(1), slice(2), slice(600)):
            np.testing.assert_allclose(one.scores(x[rows]), want[rows], 1e-4, 1e-5)


@for_each("name", parts.ACTIVATIONS)
def test_backward_takes_the_numbers_of_its_forward(backend, name, rng):
    layer = parts.ACTIVATIONS[name]()
    x, dy = rng.normal(size=(2, 6, 5))
    layer.forward(x)
    want = layer.backward(dy)
    for number in HAVING_NUMBERS.get(type(layer), []):
        setattr(layer, number, 3.0)
    assert np.array_equal(layer.backward(dy), want)
