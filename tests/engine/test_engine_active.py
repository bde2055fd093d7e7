"""Backward is for active samples only (kernels/native/active.pxd); no result tells of it."""

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.training import DivergenceError

pytestmark = pytest.mark.usefixtures("backend")

NETWORKS = {
    "shallow": lambda: (fb.Linear(13, 33), fb.ReLU(), fb.Linear(33, 5)),
    "widening, with dropout": lambda: (
        fb.Linear(13, 70),
        fb.Tanh(),
        fb.Linear(70, 130),
        fb.Dropout(0.2),
        fb.Tanh(),
        fb.Linear(130, 67),
        fb.Tanh(),
        fb.Linear(67, 5),
    ),
    "a softmax": lambda: (fb.Linear(13, 20), fb.Sigmoid(), fb.Linear(20, 5), fb.LogSoftmax()),
}
OPTIMIZERS = {
    "sgd": lambda: fb.SGD(0.05),
    "nesterov": lambda: fb.SGD(0.01, momentum=0.5, nesterov=True, weight_decay=0.01),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3),
}


def easy(dtype="float64", zeros=0.5):
    """Samples that are soon on the right side of the margin: the largest feature is the class."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(131, 13)) * (rng.random((131, 13)) > zeros)
    return x.astype(dtype), np.abs(x[:, :5]).argmax(axis=1)


def train(network, optimizer="sgd", dtype="float64", samples=None, **options):
    net = fb.Sequential(*NETWORKS[network](), dtype=dtype, seed=3)
    settings = {"epochs": 4, "batch_size": 2, "seed": 1} | options
    loss, step = fb.HingeLoss(0.1), OPTIMIZERS[optimizer]()
    history = fb.fit(net, samples or easy(dtype), loss=loss, optimizer=step, **settings)
    return net.params, history.loss_by_iteration


@for_each("batch_size", [1, 7, 64])
@for_each("optimizer", OPTIMIZERS)
@for_each("network", NETWORKS)
def test_fused_is_layered(network, optimizer, batch_size):
    expected, slow = train(network, optimizer, batch_size=batch_size, fused=False)
    params, fast = train(network, optimizer, batch_size=batch_size)
    assert np.allclose(fast, slow, rtol=1e-9, atol=1e-12)
    assert np.allclose(params, expected, rtol=1e-9, atol=1e-11)
    if batch_size == 1:  # else there is hardly a batch without any
        assert 0 < np.count_nonzero(slow == 0) < len(slow)


@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize("network", NETWORKS)
def test_single_precision_too(network, zeros):
    samples = easy("float32", zeros)
    expected, _ = train(network, dtype="float32", samples=samples, batch_size=8, fused=False)
    params, _ = train(network, dtype="float32", samples=samples, batch_size=8)
    assert np.allclose(params, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("batch_size", [7, 64])
@for_each("network", NETWORKS)
def test_any_number_of_threads_bit_for_bit(network, batch_size, dtype):
    runs = [
        train(network, dtype=dtype, batch_size=batch_size, threads=threads, epochs=2)[0]
        for threads in (1, 2, 3, 4)
    ]
    assert all(np.array_equal(runs[0], params) for params in runs[1:])


def cleared(net, x, margin):
    """The samples that clear a margin, and the labels by which they do."""
    scores = net.predict_proba(x)
    top = np.sort(scores, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * margin
    assert clear.sum() > 20
    return x[clear], scores[clear].argmax(axis=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_without_any_active_sample_plain_sgd_moves_nothing(threads):
    net, (x, _) = fb.Sequential(*NETWORKS["shallow"](), seed=3), easy("float32")
    before = net.params.copy()
    history = fb.fit(
        net,
        cleared(net, x, 1e-4),
        loss=fb.HingeLoss(1e-4),
        optimizer=fb.SGD(0.1),
        epochs=2,
        batch_size=8,
        threads=threads,
    )
    assert not history.loss_by_iteration.any()
    assert np.array_equal(net.params, before)


@pytest.mark.parametrize("fused", [True, False])
def test_an_infinite_weight_is_seen(fused):
    """Zero times infinity is NaN, also for a sample that would be left out."""
    net = fb.Sequential(fb.Linear(13, 8), fb.Tanh(), fb.Linear(8, 6), fb.Tanh(), fb.Linear(6, 5))
    net.layers[2].w[0, 0] = np.inf  # tanh hides it from the scores
    samples = cleared(net, np.abs(easy("float32")[0]) + 0.1, 1e-4)
    with pytest.raises(DivergenceError, match="the loss became NaN in epoch 1, step 2"):
        fb.fit(
            net,
            samples,
            loss=fb.HingeLoss(1e-4),
            optimizer=fb.SGD(0.1),
            epochs=1,
            batch_size=8,
            seed=1,
            fused=fused,
        )
