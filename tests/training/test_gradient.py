"""The mean loss of all samples and its gradient are those of one large batch, layer by layer."""

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.backends import active
from fastbp.engine import sharing
from fastbp.layers.rules import trained_pieces
from fastbp.training.gradient import Objective
from fastbp.training.samples import as_samples

N = 1100  # two whole batches, and some left
RNG = np.random.default_rng(0)
ROWS, IMAGES = RNG.normal(size=(N, 13)), RNG.normal(size=(N, 1, 6, 6))


def on_rows(dtype="float64"):
    layers = fb.Linear(13, 70), fb.Tanh(), fb.Dropout(0.5), fb.Linear(70, 5)
    return fb.Sequential(*layers, dtype=dtype)


def on_images(dtype="float64"):
    return fb.Sequential(
        fb.Conv2d(1, 3, 3), fb.ReLU(), fb.MaxPool2d(2), fb.Flatten(), fb.Linear(12, 5),
        input_shape=(1, 6, 6), dtype=dtype,
    )  # fmt: skip


def layered(net, x, target, loss):
    """What it is, as one batch."""
    net = net.copy().eval()
    value, gradient = loss(net.forward(x), target)
    net.backward(gradient, input_gradient=True)
    return value, net.grads


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Threads share every layer that can be shared."""
    monkeypatch.setattr(sharing, "FIRST", 0)
    monkeypatch.setattr(sharing, "LATER", 0)


@for_each("name", parts.LOSSES)
def test_of_all_samples(backend, name):
    loss, net = parts.LOSSES[name](), on_rows()
    target = loss.example_target(RNG, N, 5)
    before = net.params.copy()
    value, gradient = fb.loss_and_gradient(net, (ROWS, target), loss, threads=1)
    expected = layered(net, ROWS, target, loss)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-12)
    assert np.array_equal(net.params, before)
    assert gradient.base is not net.vectors.grads


@pytest.mark.parametrize("make", [on_rows, on_images])
def test_bitwise_the_same_for_any_number_of_threads(backend, dtype, make):
    net, x = make(dtype), ROWS if make is on_rows else IMAGES
    y, loss = np.arange(N) % 5, fb.CrossEntropyLoss()
    found = [fb.loss_and_gradient(net, (x, y), loss, threads=threads) for threads in (1, 2, 3)]
    for value, gradient in found[1:]:
        assert value == found[0][0]
        assert np.array_equal(gradient, found[0][1])
    assert gradient.dtype == net.dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    expected = layered(net, x.astype(dtype), y, loss)
    np.testing.assert_allclose(value, expected[0], rtol=tolerance)
    np.testing.assert_allclose(gradient, expected[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("frozen", [{0}, {3}, {0, 3}])
def test_frozen_layers_have_no_gradient_and_factors_no_part(backend, frozen):
    net, data = on_rows(), (ROWS, np.arange(N) % 5)
    _, whole = fb.loss_and_gradient(net, data, fb.CrossEntropyLoss())
    for k in frozen:
        net.layers[k].trainable = False
    net.layers[3].lr_factor, net.layers[0].bias_lr_factor = 3, 0
    _, gradient = fb.loss_and_gradient(net, data, fb.CrossEntropyLoss())
    first = 13 * 70 + 70
    for k, part in ((0, slice(0, first)), (3, slice(first, None))):
        expected = 0 * whole[part] if k in frozen else whole[part]
        np.testing.assert_allclose(gradient[part], expected, rtol=1e-12, atol=1e-15)


def test_of_a_network_that_cannot_be_changed(backend):
    net, data = on_rows(), (ROWS, np.arange(N) % 5)
    expected = fb.loss_and_gradient(net, data, fb.HingeLoss())
    value, gradient = fb.loss_and_gradient(net.frozen(), data, fb.HingeLoss())
    assert value == expected[0]
    assert np.array_equal(gradient, expected[1])


def test_bytes_are_scaled(backend):
    x = RNG.integers(0, 255, (N, 13)).astype(np.uint8)
    data = fb.datasets.Dataset(x, np.arange(N) % 5, scale=1 / 255)
    value, gradient = fb.loss_and_gradient(on_rows(), data, fb.CrossEntropyLoss())
    expected = layered(on_rows(), x / 255, np.arange(N) % 5, fb.CrossEntropyLoss())
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-12)


def test_norms_are_as_in_use(backend):
    net = fb.Sequential(
        fb.Standardize.of(ROWS), fb.Linear(13, 8), fb.BatchNorm1d(8), fb.Tanh(), fb.LayerNorm(8),
        fb.Scale(8), fb.Linear(8, 5), dtype="float64",
    )  # fmt: skip
    data, loss = (ROWS, np.arange(N) % 5), fb.CrossEntropyLoss()
    fb.fit(net, data, loss=loss, optimizer=fb.SGD(0.1), epochs=1)
    buffers, tracked = net.buffers.copy(), net.layers[2].num_batches_tracked
    value, gradient = fb.loss_and_gradient(net, data, loss)
    expected = layered(net, *data, loss)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-12)
    found = fb.minimize(net, data, loss, max_iterations=3)
    assert found.loss < value
    assert np.array_equal(net.buffers, buffers)
    assert net.layers[2].num_batches_tracked == tracked


@pytest.mark.parametrize("make", [on_rows, on_images])
def test_whole_weights_of_a_dataset_are_repeated_samples(backend, make):
    net, x, y = make(), ROWS if make is on_rows else IMAGES.reshape(N, -1), np.arange(N) % 5
    counts, loss = np.random.default_rng(1).integers(0, 4, N), fb.CrossEntropyLoss()
    counts[:512] = 0  # a batch that does not count
    repeated = np.repeat(np.arange(N), counts)
    data = fb.datasets.Dataset(x, y, sample_weight=counts)
    value, gradient = fb.loss_and_gradient(net, data, loss)
    expected = layered(net, net.as_input(x[repeated], "x"), y[repeated], loss)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-12)


NORMED = {
    "rows": lambda: (
        fb.BatchNorm1d(13), fb.Linear(13, 70), fb.BatchNorm1d(70), fb.SiLU(), fb.Dropout(0.5),
        fb.Linear(70, 5, bias=False), fb.BatchNorm1d(5, affine=False),
    ),
    "images": lambda: (
        fb.Conv2d(1, 3, 3, bias=False), fb.BatchNorm2d(3), fb.ReLU(),
        fb.Residual(fb.Conv2d(3, 3, 3, padding=1), fb.BatchNorm2d(3, momentum=None)),
        fb.MaxPool2d(2), fb.Flatten(), fb.BatchNorm1d(12), fb.Linear(12, 5),
    ),
    "images, first": lambda: (
        fb.BatchNorm2d(1), fb.Conv2d(1, 17, 3), fb.BatchNorm2d(17, affine=False), fb.Tanh(),
        fb.Flatten(), fb.Linear(272, 5),
    ),
}  # fmt: skip


@for_each("frozen", [(), (0,), (1, 2, 3)])
@for_each("name", NORMED)
def test_batch_norm_runs_on_the_engine(backend, dtype, name, frozen):
    shape, x = ((13,), ROWS) if name == "rows" else ((1, 6, 6), IMAGES)
    net = fb.Sequential(*NORMED[name](), input_shape=shape, dtype=dtype)
    data, loss = (x.astype(dtype), np.arange(N) % 5), fb.CrossEntropyLoss()
    fb.fit(net, data, loss=loss, optimizer=fb.SGD(0.1), epochs=1)
    before = net.buffers.copy(), [layer.state() for layer in net.layers]
    expected = layered(net, *data, loss)
    for number in frozen:
        net.layers[number].trainable = False
    trained = np.zeros(net.params.size, bool)
    for part, _ in trained_pieces(net.vectors, net.layers, True):
        trained[part] = True
    expected[1][~trained] = 0
    found = [fb.loss_and_gradient(net, data, loss, threads=threads) for threads in (1, 2, 3)]
    for value, gradient in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(gradient, found[0][1])
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(value, expected[0], rtol=tolerance)
    np.testing.assert_allclose(gradient, expected[1], rtol=tolerance, atol=tolerance)
    assert np.array_equal(net.buffers, before[0])
    assert [layer.state() for layer in net.layers] == before[1]
    samples = as_samples(net, data, loss, "data")
    assert (Objective(net, samples, loss, 1).engine is not None) == active().can("engine")


@pytest.mark.parametrize("where", [0, N - 1])
def test_a_loss_that_is_no_number(backend, where):
    net, y = fb.Sequential(fb.Linear(13, 1), dtype="float64"), np.zeros(N)
    net.params[...] = 1e3
    x = np.zeros((N, 13))
    x[where] = 1
    value, gradient = fb.loss_and_gradient(net, (x, y), fb.PoissonNLLLoss())
    assert value == np.inf
    assert np.isnan(gradient).all()


def test_what_makes_no_sense_is_refused():
    net, data = on_rows(), (ROWS, np.arange(N) % 5)
    with pytest.raises(TypeError, match=r"loss_and_gradient: expected Sequential, got 3"):
        fb.loss_and_gradient(3, data, fb.HingeLoss())
    with pytest.raises(TypeError, match=r"loss_and_gradient: expected an object, HingeLoss"):
        fb.loss_and_gradient(net, data, fb.HingeLoss)
    with pytest.raises(ValueError, match=r"data: expected at least one sample, got none"):
        fb.loss_and_gradient(net, (ROWS[:0], np.arange(0)), fb.HingeLoss())
    with pytest.raises(ValueError, match=r"data"):
        fb.loss_and_gradient(net, (ROWS[:, :5], data[1]), fb.HingeLoss())
    with pytest.raises(ValueError, match=r"threads"):
        fb.loss_and_gradient(net, data, fb.HingeLoss(), threads=0)
