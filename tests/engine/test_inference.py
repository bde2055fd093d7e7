"""Scores from the engine, for many samples and for one, are those of the layers."""

import threading

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.backends import kernels
from fastbp.engine import scores as inference
from fastbp.prediction import layered_scores

NETWORKS = {
    "one layer": lambda: (fb.Linear(13, 5),),
    "every activation": lambda: (
        *(layer for make in parts.ACTIVATIONS.values() for layer in (fb.Linear(13, 13), make())),
        *(fb.Linear(13, 130), fb.Tanh(), fb.Linear(130, 17), fb.Sigmoid()),
        *(fb.Linear(17, 5), fb.LogSoftmax()),
    ),
    "an activation first": lambda: (fb.Tanh(), fb.Linear(13, 1), fb.Linear(1, 5)),
}
N = 1031


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(autouse=True, params=["cython", "numba"])
def backend(request):
    with fb.use_backend(request.param):
        yield request.param


def samples(dtype="float64", zeros=0.0):
    rng = np.random.default_rng(2)
    return (rng.normal(size=(N, 13)) * (rng.random((N, 13)) >= zeros)).astype(dtype)


def network(name, dtype):
    return fb.Sequential(*NETWORKS[name](), init="glorot", dtype=dtype, seed=3)


@for_each("zeros", [0.0, 0.95])
@for_each("name", NETWORKS)
def test_many_samples(name, dtype, zeros):
    net, x = network(name, dtype), samples(dtype, zeros)
    fused = [inference.fused_scores(net, x, threads=threads) for threads in (1, 2, 3)]
    assert np.allclose(fused[0], layered_scores(net, x), rtol=1e-5, atol=1e-6)
    assert all(np.array_equal(scores, fused[0]) for scores in fused)
    assert np.array_equal(net.scores(x), fused[0])


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
def test_data_that_are_scaled(dtype, source):
    x = np.abs(samples(zeros=0.8) * 50).astype(source)
    net = network("every activation", dtype)
    data = fb.datasets.Dataset(x, np.zeros(N, np.int64), 5, scale=1 / 255)
    expected = layered_scores(net, (x / 255).astype(dtype))
    assert np.allclose(net.scores(data), expected, rtol=1e-4, atol=1e-6)


@for_each("outputs", [1, 15, 16, 17, 63, 65, 130])
@for_each("inputs", [4, 7, 255, 263])
def test_zeros_are_left_out_wherever_they_are(inputs, outputs, dtype):
    """Sums of whole numbers have no rounding; samples fill no batch, nor inputs a block."""
    rng = np.random.default_rng(inputs + outputs)
    net = fb.Sequential(fb.Linear(inputs, outputs), dtype=dtype)
    net.params = rng.integers(-4, 5, net.params.size)
    x = rng.integers(1, 5, (inference.LEAST + 65, inputs)) * (rng.random((1, inputs)) < 0.3)
    x[rng.random(len(x)) < 0.2] = 0
    expected = x @ net.layers[0].w + net.layers[0].b
    for source in (np.uint8, np.float32, np.float64):
        given = fb.datasets.Dataset(x.astype(source), np.zeros(len(x), np.int64), scale=1.0)
        assert np.array_equal(net.scores(given, threads=2), expected)
    assert np.array_equal(net.scores(np.asfortranarray(x.astype(dtype))), expected)


def test_probabilities_of_many_samples_are_those_of_their_scores(dtype):
    net, x = network("every activation", dtype), samples(dtype)
    expected = np.empty((N, 5), dtype)
    kernels().softmax_forward(net.scores(x), expected)
    assert np.array_equal(net.predict_proba(x), expected)
    assert np.array_equal(net.predict_proba(x.tolist()), expected)
    assert np.allclose(net.predict_proba(x[:50]), expected[:50], rtol=1e-5)


def test_networks_of_one_shape_take_turns_in_the_same_memory(dtype):
    one, other = network("one layer", dtype), network("one layer", dtype)
    other.params *= -1
    x = samples(dtype)
    x[7] = np.nan
    before = one.scores(x)
    assert np.array_equal(other.scores(x), -before, equal_nan=True)
    assert np.array_equal(one.scores(x), before, equal_nan=True)
    assert len(inference._waiting) <= inference.MOST_KEPT


@for_each("zeros", [0.0, 0.9])
@for_each("name", NETWORKS)
def test_one_sample_gets_what_it_gets_among_many(name, dtype, zeros):
    net, x = network(name, dtype), samples(dtype, zeros)
    frozen = net.frozen()
    scores, probabilities = net.scores(x), net.predict_proba(x)
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12}
    for row in (0, 1, 500, N - 1):
        one = x[row : row + 1]
        for each in (net, frozen):
            assert np.allclose(each.scores(one), scores[row : row + 1], **tolerance)
            assert np.allclose(each.predict_proba(one), probabilities[row : row + 1], **tolerance)
            assert each.predict(one) == scores[row].argmax()


@for_each("outputs", [1, 2, 15, 16, 17, 127, 128, 129, 150])
@for_each("inputs", [1, 3, 40])
def test_one_sample_of_any_size(inputs, outputs, dtype):
    rng = np.random.default_rng(inputs * outputs)
    net = fb.Sequential(fb.Linear(inputs, outputs), init="glorot", dtype=dtype)
    net.layers[0].b[:] = rng.normal(size=outputs)
    x = rng.normal(size=(1, inputs)).astype(dtype) * (rng.random((1, inputs)) > 0.5)
    expected = x.astype(float) @ net.layers[0].w + net.layers[0].b
    for each in (net, net.frozen()):
        assert np.allclose(each.scores(x), expected, rtol=1e-4, atol=1e-5)


def test_one_sample_that_is_no_plain_array_goes_the_general_way():
    net, x = network("one layer", "float32"), samples("float32")[:1]
    expected = net.scores(x)
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (
        x.tolist(),
        x.astype("float64"),
        np.asfortranarray(x),
        read_only,
        np.repeat(x, 2, axis=1)[:, ::2],
        x.astype(">f4"),
    ):
        assert np.allclose(net.scores(same), expected)
    assert np.allclose(net.scores(x[0]), expected[0])
    for wrong in (x[:, :12], x[0, :12], np.zeros((1, 13), np.uint8), np.float32(1), np.array(1.0)):
        with pytest.raises((ValueError, TypeError)):
            net.scores(wrong)


def test_one_sample_of_another_precision_is_what_its_cast_is():
    for dtype, other in (("float32", "float64"), ("float64", "float32")):
        net, x = network("one layer", dtype), samples(other)[:1].astype(other)
        cast = x.astype(dtype)
        for each in (net, net.frozen()):
            assert np.array_equal(each.scores(x), each.scores(cast))
            assert np.array_equal(each.scores(x[0]), each.scores(cast)[0])
            assert np.array_equal(each.predict_proba(x), each.predict_proba(cast))
    net, x = network("one layer", "float32"), samples("float64")[:1]
    for large, fits in ((1e30, True), (3e38, True), (4e38, False)):
        x[0, 3] = large
        if fits:
            assert np.array_equal(net.scores(x), net.scores(x.astype("float32")), equal_nan=True)
        else:
            with pytest.raises(ValueError, match="float32"):
                net.scores(x)


@pytest.mark.parametrize("kind", ["int64", "int32", "int16", "float16"])
def test_one_sample_of_other_numbers_is_what_its_cast_is(kind, dtype):
    net = network("one layer", dtype)
    x = np.array([[*range(-6, 7)]], kind)
    for each in (net, net.frozen()):
        assert np.array_equal(each.scores(x), each.scores(x.astype(dtype)))
        assert np.array_equal(each.scores(x[0]), each.scores(x.astype(dtype))[0])


@for_each("inputs", [47, 48, 64, 65, 784])
def test_zeros_of_a_frozen_network_are_left_out_at_the_first_layer_and_behind_relu(inputs, dtype):
    rng = np.random.default_rng(inputs)
    layers = (fb.Linear(inputs, 65), fb.ReLU(), fb.Linear(65, 70), fb.Tanh(), fb.Linear(70, 3))
    net = fb.Sequential(*layers, init="he", dtype=dtype, seed=1)
    frozen = net.frozen()
    for used in (0.0, 0.1, 0.5, 0.9, 1.0):
        x = (rng.normal(size=(1, inputs)) * (rng.random(inputs) < used)).astype(dtype)
        assert np.allclose(frozen.scores(x), layered_scores(net, x), rtol=1e-4, atol=1e-5)
    x[0, 1] = np.nan
    assert np.isnan(frozen.scores(x)).all()


def test_one_sample_sees_the_parameters_of_the_moment():
    net, x = network("one layer", "float64"), samples()[:1]
    before = net.scores(x)
    net.params *= 2
    assert np.allclose(net.scores(x), 2 * before)


def test_a_layer_too_wide_for_the_short_way():
    net, x = fb.Sequential(fb.Linear(13, 5000), fb.Linear(5000, 3)), samples("float32")[:1]
    assert np.allclose(net.scores(x), layered_scores(net, x), rtol=1e-4, atol=1e-5)
    assert net.vectors.single is None or net.vectors.single.scores(x) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_shows_even_where_the_input_is_zero(bad):
    net, x = network("one layer", "float32"), samples("float32", zeros=0.95)
    net.layers[0].w[3, 2] = bad
    x[:, 3] = 0
    assert np.isnan(net.scores(x)[:, 2]).all()
    for each in (net, net.frozen()):
        assert np.isnan(each.scores(x[:1])[0, 2])


def test_a_frozen_network_is_a_copy_that_cannot_change():
    net, x = network("every activation", "float32"), samples("float32")
    frozen = net.frozen()
    expected = net.scores(x)
    net.params *= 2
    assert np.array_equal(frozen.scores(x), expected)
    with pytest.raises(ValueError, match="read-only"):
        frozen.layers[0].w[0, 0] = 1
    options = {"loss": fb.HingeLoss(), "optimizer": fb.SGD(0.1), "epochs": 1}
    labels = np.zeros(N, np.int64)
    with pytest.raises(ValueError, match=r"is frozen; train a copy of it, net.copy\(\)"):
        fb.fit(frozen, (x, labels), **options)
    fb.fit(frozen.copy(), (x, labels), **options)


def test_predictions_in_several_python_threads_at_once():
    net, x = network("every activation", "float32"), samples("float32")
    expected, found = net.scores(x), {}

    def predict(number):
        found[number] = [net.scores(x), *(net.scores(x[i : i + 1])[0] for i in range(50))]

    workers = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    for many, *ones in found.values():
        assert np.array_equal(many, expected)
        assert np.allclose(ones, expected[:50], rtol=1e-5, atol=1e-6)
    assert len(found) == 4


def test_evaluation_takes_the_same_way_for_any_number_of_threads():
    net, x = network("every activation", "float64"), samples()
    y = np.random.default_rng(1).integers(0, 5, N)
    loss = fb.CrossEntropyLoss()
    scores = layered_scores(net, x)
    for threads in (None, 1, 3):
        found = fb.evaluate(net, (x, y), loss, threads=threads)
        assert found.accuracy == pytest.approx((scores.argmax(axis=1) == y).mean())
        assert found.loss == pytest.approx(loss.compute(scores, y)[0])


def test_what_the_engine_cannot_express_is_computed_by_its_layers():
    class Mine(fb.Tanh):
        pass

    net, x = fb.Sequential(fb.Linear(13, 4), Mine(), fb.Linear(4, 5)), samples("float32")
    assert inference.fused_scores(net, x) is None
    assert net.scores(x).shape == (N, 5)
    assert np.allclose(net.scores(x[:1]), net.scores(x)[:1], rtol=1e-5)
    with fb.use_backend("numpy"):
        assert not hasattr(kernels(), "forward_samples")
        assert net.scores(x).shape == (N, 5)
