"""Dropout: its masks in forward and backward, its steps, and when it drops at all."""

import copy
import pickle
import re

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb

SHAPES = [(1, 1), (5, 7), (16, 64), (0, 3), (3, 2, 5, 4)]


def network(*, p=0.5, seed=0, dtype="float64", dropout_seed=None):
    """8-20-3 with dropout on the hidden layer."""
    layers = fb.Linear(8, 20), fb.Tanh(), fb.Dropout(p, dropout_seed), fb.Linear(20, 3)
    return fb.Sequential(*layers, seed=seed, dtype=dtype)


def data(samples=50, values=False):
    rng = np.random.default_rng(4)
    y = rng.normal(size=(samples, 3)) if values else rng.integers(0, 3, samples)
    return rng.normal(size=(samples, 8)), y


# One step


@for_each("shape", SHAPES)
@for_each("p", [0.0, 0.2, 0.5, 0.875])
def test_what_stays_is_scaled_and_backward_has_the_same_mask(backend, dtype, shape, p, rng):
    layer = fb.Dropout(p, seed=3)
    x, dy = rng.uniform(1, 2, (2, *shape)).astype(dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    stays = y != 0
    scale = dtype.type(1 / (1 - p))
    assert y.dtype == dx.dtype == dtype
    assert np.array_equal(y, np.where(stays, x * scale, 0))
    assert np.array_equal(dx, np.where(stays, dy * scale, 0))
    if shape == (16, 64):
        assert abs((~stays).mean() - p) < 0.06


def test_every_backend_and_dtype_has_the_same_masks(rng):
    x, masks = rng.uniform(1, 2, (7, 3, 5, 9)), []
    for name in ("numpy", "numba", "cython"):
        for dtype in ("float32", "float64"):
            with fb.use_backend(name):
                layer = fb.Dropout(0.4, seed=2**50 + 1)
                layer.step = 2**35
                masks.append(layer.forward(x.astype(dtype)) != 0)
    assert all(np.array_equal(mask, masks[0]) for mask in masks)
    assert 0.5 < masks[0].mean() < 0.7


def test_a_step_ends_with_backward(backend):
    layer, x = fb.Dropout(seed=1), np.ones((8, 50))
    first = layer.forward(x)
    assert np.array_equal(layer.forward(x), first)
    layer.backward(x)
    second = layer.forward(x)
    assert not np.array_equal(second, first)
    assert layer.backward_parameters(x) is None
    assert layer.step == 2
    third = layer.forward(x)
    assert not np.array_equal(third, second)
    layer.step = 0
    assert np.array_equal(layer.forward(x), first)


def test_a_first_layer_counts_a_step_once(backend, rng):
    net = fb.Sequential(fb.Dropout(0.5), fb.Linear(4, 2))
    for steps in (1, 2, 3):
        net.forward(rng.normal(size=(3, 4)))
        net.backward(np.ones((3, 2)), input_gradient=steps == 2)
        assert net.layers[0].step == steps


def test_nan_is_passed_on_or_dropped(backend, dtype):
    layer = fb.Dropout(0.5, seed=1)
    stays = layer.forward(np.ones((6, 33), dtype)) != 0
    y = layer.forward(np.full((6, 33), np.nan, dtype))
    assert np.array_equal(np.isnan(y), stays)
    assert not y[~stays].any()


# When it drops


def test_it_drops_in_training_only(backend, dtype, rng):
    net, x = network(dtype=dtype), rng.normal(size=(9, 8))
    without = fb.Sequential(fb.Linear(8, 20), fb.Tanh(), fb.Linear(20, 3), dtype=dtype)
    without.params[...] = net.params
    assert net.training
    trained = net.forward(x)
    assert net.eval() is net
    assert not net.training
    plain = net.forward(x)
    assert np.array_equal(plain, without.forward(x))
    assert not np.allclose(trained, plain)
    dy = np.ones((9, 3))
    assert np.array_equal(net.backward(dy, True), without.backward(dy, True))
    assert np.array_equal(net.grads, without.grads)
    assert net.layers[2].step == 0  # of training alone
    assert net.train() is net
    assert np.array_equal(net.forward(x), trained)
    assert net.train(False).training is False


def test_inference_never_drops_and_disturbs_nothing(backend, rng):
    net, x = network(), rng.normal(size=(1030, 8))
    want = net.eval().forward(x)
    net.train()
    labels = want.argmax(axis=1)
    for samples in (x, x[:1], fb.datasets.Dataset(x, labels)):
        np.testing.assert_allclose(net.scores(samples), want[: len(samples)], 1e-12, 1e-14)
        assert np.array_equal(net.predict(samples), labels[: len(samples)])
        assert net.predict_proba(samples).sum() == pytest.approx(len(samples))
    assert fb.evaluate(net, (x, labels)).accuracy == 1
    assert net.training
    assert net.layers[2].step == 0
    trained = net.forward(x[:5])
    net.predict(x)
    net.frozen().predict(x)
    assert np.array_equal(net.forward(x[:5]), trained)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("mode", [True, False])
def test_fit_trains_in_any_case_and_leaves_the_mode(backend, fused, mode):
    net, other = network(p=0.9), network(p=0.9).train(mode)
    for each in (net, other):
        fb.fit(each, data(), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=1, fused=fused)
    assert other.training is mode
    assert [layer.training for layer in other.layers] == [mode] * 4
    assert other.layers[2].step == 2
    assert np.array_equal(net.params, other.params)


def test_a_mode_of_ones_own_for_each_layer_is_left(backend):
    net = network()
    net.layers[2].training = False
    with pytest.raises(fb.DivergenceError):
        fb.fit(net, data(), loss=fb.HingeLoss(), optimizer=fb.SGD(1.7e308), epochs=2)
    assert [layer.training for layer in net.layers] == [True, True, False, True]


def test_histories_of_accuracy_are_those_of_the_whole_network(backend):
    net = network(p=0.9)
    history = fb.fit(net, data(), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=2)
    assert history["train_accuracy"][-1] == fb.evaluate(net, data()).accuracy


# Steps from one fit to the next


@pytest.mark.parametrize("fused", [True, False])
def test_two_fits_go_on_with_other_masks(backend, fused):
    """Two of one epoch are one of two, but for the order of the samples, which is (seed, epoch)."""
    options = {"loss": fb.CrossEntropyLoss(), "batch_size": 8, "fused": fused}
    once, twice = network(), network()
    fb.fit(once, data(), optimizer=fb.SGD(0.1), epochs=2, **options)
    history, optimizer = fb.History(), fb.SGD(0.1)
    for _ in range(2):
        fb.fit(twice, data(), optimizer=optimizer, epochs=1, history=history, **options)
    assert np.array_equal(once.params, twice.params)
    assert once.layers[2].step == twice.layers[2].step == 14

    again = network()
    fb.fit(again, data(), optimizer=fb.SGD(0.1), epochs=1, **options)
    again.layers[2].step = 0  # the masks of the first epoch anew
    fb.fit(
        again,
        data(),
        optimizer=fb.SGD(0.1),
        epochs=1,
        history=fb.History(history.epochs[:1]),
        **options,
    )
    assert not np.array_equal(again.params, once.params)


def test_every_backend_trains_alike():
    params = []
    for name in ("numpy", "numba", "cython"):
        with fb.use_backend(name):
            net = network()
            fb.fit(net, data(), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.1), epochs=2)
            params.append(net.params)
    np.testing.assert_allclose(params[1], params[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(params[2], params[0], rtol=1e-9, atol=1e-12)


# Its seed


def test_the_networks_seed_gives_the_masks():
    one, same, other = network(seed=1), network(seed=1), network(seed=2)
    assert one.layers[2].seed == same.layers[2].seed
    assert one.layers[2].seed != other.layers[2].seed
    assert network(dropout_seed=77).layers[2].seed == 77


def test_two_layers_have_two_seeds():
    net = fb.Sequential(fb.Dropout(), fb.Linear(3, 3), fb.Dropout(), fb.Linear(3, 3))
    assert net.layers[0].seed != net.layers[2].seed


def test_dropout_moves_no_other_layers_start():
    without = fb.Sequential(fb.Linear(8, 20), fb.Tanh(), fb.Linear(20, 3), dtype="float64")
    assert np.array_equal(network().params, without.params)
    assert np.array_equal(network(dropout_seed=5).params, without.params)


# Copies and files


COPIES = {
    "copy": lambda net: net.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "astype": lambda net: net.astype("float64"),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_as_the_network_would(backend, how):
    net = network()
    options = {"loss": fb.CrossEntropyLoss(), "epochs": 1, "batch_size": 8}
    fb.fit(net, data(), optimizer=fb.SGD(0.1), **options)
    clone = COPIES[how](net.eval())
    assert not clone.training
    assert repr(clone) == repr(net)
    assert clone.layers[2].step == net.layers[2].step == 7
    for each in (net, clone):
        fb.fit(each, data(), optimizer=fb.SGD(0.1), **options)
    assert np.array_equal(clone.params, net.params)


def test_a_file_has_p_and_seed(backend, tmp_path, rng):
    net, x = network(p=0.25), rng.normal(size=(6, 8))
    net.save(tmp_path / "net.safetensors")
    again = fb.load(tmp_path / "net.safetensors")
    assert repr(again) == repr(net)
    assert np.array_equal(again.forward(x), net.forward(x))
    assert np.array_equal(again.scores(x), net.scores(x))


# Gradients and complaints


@pytest.mark.parametrize("loss", [fb.CrossEntropyLoss(), fb.MSELoss()], ids=repr)
def test_gradients_hold_under_the_mask(backend, loss):
    net = network(p=0.4)
    net.layers[2].step = 5
    check = fb.gradcheck(net, loss, *data(6))
    assert check, str(check)
    assert net.layers[2].step == 5
    assert fb.gradcheck(net.eval(), loss, *data(6))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1.0,), ValueError, "Dropout p: expected a number below 1, got 1.0"),
        ((1,), ValueError, "Dropout p: expected a number below 1, got 1"),
        ((-0.1,), ValueError, "Dropout p: expected at least 0, got -0.1"),
        ((np.nan,), ValueError, "Dropout p: expected a finite number, got nan"),
        (("half",), TypeError, "Dropout p: expected a number, got 'half'"),
        ((0.5, -1), ValueError, "Dropout seed: expected at least 0, got -1"),
        ((0.5, 1.0), TypeError, "Dropout seed: expected a whole number, got 1.0"),
        ((0.5, 2**63), ValueError, "Dropout seed: expected a number below 2**63, got 92"),
    ],
)
def test_settings_are_checked(arguments, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        fb.Dropout(*arguments)


def test_backward_needs_a_forward_and_a_dy_like_y():
    layer = fb.Dropout()
    with pytest.raises(
        RuntimeError, match=re.escape("Dropout(0.5, seed=None): call forward before ")
    ):
        layer.backward(np.zeros((2, 3)))
    assert layer.step == 0
    layer.forward(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=re.escape("Dropout(0.5, seed=None).backward: expected ")):
        layer.backward(np.zeros((3, 3)))
    assert layer.step == 0
