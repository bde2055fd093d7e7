"""Norms in use are folded into the weights beside them where that loses nothing, else never."""

import numpy as np
import pytest

import fastbp as fb
from fastbp.engine.folding import folded
from fastbp.engine.program import compile_network
from fastbp.kernels.numbers import Kind


@pytest.fixture(autouse=True, params=["cython", "numba"])
def backend(request):
    with fb.use_backend(request.param):
        yield request.param


def stirred(net, rng):
    """The network with running averages and weights as after a training."""
    for layer in net.layers:
        if isinstance(layer, fb.BatchNorm1d):
            layer.running_mean = rng.normal(0, 2, layer.num_features)
            layer.running_var = rng.uniform(0.2, 3, layer.num_features)
            layer.w = rng.normal(1, 0.3, layer.num_features)
            layer.b = rng.normal(0, 0.5, layer.num_features)
        if isinstance(layer, fb.Scale):
            layer.w = rng.normal(1, 0.3, layer.num_features)
    return net


def kinds(net):
    """The kinds of rows that are left of a network."""
    inputs = net.inputs
    program, _ = folded(compile_network(net, inputs), net.params)
    return [Kind(kind) for kind in program.kinds]


def table(x):
    return (
        fb.Standardize.of(x),
        fb.Linear(x.shape[1], 70, bias=True),
        fb.BatchNorm1d(70),
        fb.Tanh(),
        fb.BatchNorm1d(70),
        fb.Linear(70, 20),
        fb.Scale(20),
        fb.BatchNorm1d(20),
        fb.ReLU(),
        fb.Linear(20, 4),
    )


@pytest.mark.parametrize("inputs", [9, 200, 784])
def test_scores_are_as_exact_as_without(inputs):
    rng = np.random.default_rng(inputs)
    x = rng.normal(1, 1, (600, inputs)) * rng.uniform(0.5, 2, inputs)
    net = stirred(fb.Sequential(*table(x), init="he"), rng)
    dense, tanh, relu = Kind.DENSE, Kind.TANH, Kind.RELU
    assert kinds(net) == [dense, tanh, dense, relu, dense]
    x = x.astype("f4")
    want = net.astype("float64").eval().forward(x)
    error = 4 * np.finfo("f4").eps * np.sqrt(inputs) * np.abs(want).max()
    one = net.frozen().scores(x[:1])
    for got in (net.scores(x), one, net.frozen().scores(x)):
        assert np.abs(got - want[: len(got)]).max() <= error
    assert np.array_equal(net.scores(x, threads=1), net.scores(x, threads=2))


def test_what_would_cancel_stays():
    rng = np.random.default_rng(0)
    x = rng.normal(loc=[0, 0, 0, 2000, 0], size=(600, 5))  # a year, say
    net = fb.Sequential(*table(x), init="he")
    stirred(net, rng)
    assert kinds(net)[:2] == [Kind.STANDARDIZE, Kind.DENSE]
    want = net.astype("float64").eval().forward(x.astype("f4"))
    for got in (net.scores(x), net.frozen().scores(x[:1].astype("f4"))):
        assert np.abs(got - want[: len(got)]).max() <= 1e-4 * np.abs(want).max()


def test_a_running_mean_far_from_zero_stays_before_a_layer_and_goes_behind_one():
    rng = np.random.default_rng(0)
    before = fb.Sequential(fb.BatchNorm1d(5), fb.Linear(5, 3))
    behind = fb.Sequential(fb.Linear(5, 3), fb.BatchNorm1d(3))
    for net in (before, behind):
        (norm,) = (layer for layer in net.layers if isinstance(layer, fb.BatchNorm1d))
        norm.running_mean, norm.running_var = (
            np.full(norm.num_features, 1e4),
            rng.uniform(1, 2, norm.num_features),
        )
    assert kinds(before) == [Kind.BATCH_NORM, Kind.DENSE]
    assert kinds(behind) == [Kind.DENSE]
    x = rng.normal(size=(600, 5)).astype("f4")
    want = behind.astype("float64").eval().forward(x)
    assert np.abs(behind.scores(x) - want).max() <= 1e-6 * np.abs(want).max()


@pytest.mark.parametrize("variance", [0.0, 1e-38, 1e38, np.inf, np.nan])
def test_what_leaves_the_range_of_numbers_stays(variance):
    net = fb.Sequential(fb.Linear(5, 3), fb.BatchNorm1d(3, eps=0.0), fb.Linear(3, 2))
    net.layers[1].running_var = [1, variance, 1]
    net.layers[1].running_mean = [0.5, 0.5, 1]
    net.layers[1].w = [1, 1e-30, 1]
    expected = variance == 1e-38
    assert (kinds(net) == [Kind.DENSE] * 2) == expected
    x = np.random.default_rng(0).normal(size=(600, 5)).astype("f4")
    with np.errstate(all="ignore"):
        want = net.eval().forward(x)
    np.testing.assert_allclose(net.scores(x), want, 1e-4, 1e-4)
    np.testing.assert_allclose(net.frozen().scores(x[:1]), want[:1], 1e-4, 1e-4)


def test_a_convolution_takes_what_is_before_it_unless_it_has_a_border():
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 0.5, (600, 2, 6, 6)).astype("f4")

    def net(padding):
        layers = fb.Conv2d(2, 3, 3, padding=padding), fb.ReLU(), fb.Flatten()
        size = 3 * (4 + 2 * padding) ** 2
        return fb.Sequential(
            fb.Standardize.of(x), *layers, fb.Linear(size, 4), input_shape=(2, 6, 6)
        )

    assert kinds(net(0))[0] == Kind.CONV
    assert kinds(net(1))[:2] == [Kind.STANDARDIZE, Kind.CONV]
    for each in (net(0), net(1)):
        want = each.astype("float64").eval().forward(x)
        assert np.abs(each.scores(x) - want).max() <= 1e-5 * np.abs(want).max()


def test_a_network_that_is_not_frozen_follows_its_numbers():
    net = fb.Sequential(fb.Linear(3, 4), fb.BatchNorm1d(4), fb.Linear(4, 2))
    x = np.random.default_rng(0).normal(size=(600, 3)).astype("f4")
    for change in (1.0, 3.0):
        net.layers[1].running_mean = np.full(4, change)
        want = net.eval().forward(x)
        np.testing.assert_allclose(net.scores(x), want, 1e-5, 1e-6)
        np.testing.assert_allclose(net.scores(x[:1]), want[:1], 1e-5, 1e-6)
