"""Activations whose derivative reads x: both engines keep it, whatever stands around them."""

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb

pytestmark = pytest.mark.usefixtures("backend")

ROWS = {
    "chain": lambda: (
        fb.Linear(72, 33), fb.GELU(), fb.GELU("tanh"), fb.ReLU(), fb.Linear(33, 40), fb.SiLU(),
        fb.Dropout(0.3), fb.Mish(), fb.Linear(40, 5),
    ),
    "first and last": lambda: (
        fb.SiLU(), fb.Linear(72, 7), fb.Softplus(2.0, 1.0), fb.Linear(7, 5), fb.GELU(),
    ),
    "behind dropout, widening": lambda: (
        fb.Linear(72, 70), fb.Dropout(0.2), fb.GELU(), fb.Linear(70, 130), fb.Dropout(0.2),
        fb.Dropout(0.1), fb.Mish(), fb.SELU(), fb.Linear(130, 5),
    ),
    "between softmaxes": lambda: (
        fb.Linear(72, 9), fb.LogSoftmax(), fb.SiLU(), fb.LogSoftmax(), fb.Linear(9, 5),
    ),
}  # fmt: skip
IMAGES = {
    "behind everything": lambda: (
        fb.Conv2d(2, 3, 2), fb.GELU(), fb.MaxPool2d(2, 1), fb.GELU(), fb.GELU("tanh"), fb.ReLU(),
        fb.MaxPool2d(2, 1), fb.Flatten(), fb.GELU(), fb.Linear(27, 5),
    ),
    "between what overwrites": lambda: (
        fb.Conv2d(2, 4, 3, padding=1), fb.Dropout(0.2), fb.SiLU(), fb.Tanh(), fb.AvgPool2d(2, 1),
        fb.ReLU(), fb.Mish(), fb.Dropout(0.3), fb.Softplus(), fb.Conv2d(4, 3, 2, padding=1),
        fb.SELU(), fb.GELU("tanh"), fb.ReLU(), fb.MaxPool2d(2), fb.Sigmoid(), fb.Mish(),
        fb.Flatten(), fb.Linear(27, 20), fb.Dropout(0.5), fb.SiLU(), fb.Linear(20, 5),
    ),
    "first": lambda: (
        fb.GELU(), fb.Conv2d(2, 3, 2), fb.Dropout(0.1), fb.Dropout(0.1), fb.GELU(), fb.Flatten(),
        fb.Linear(75, 5), fb.Mish(),
    ),
    "before a border": lambda: (
        fb.Conv2d(2, 3, 2), fb.ReLU(), fb.SiLU(), fb.Conv2d(3, 2, 3, padding=1), fb.Softplus(),
        fb.AvgPool2d(2), fb.Flatten(), fb.Linear(8, 5),
    ),
}  # fmt: skip
NETWORKS = ROWS | IMAGES
LOSSES = {"hinge": lambda: fb.HingeLoss(0.05), "cross-entropy": fb.CrossEntropyLoss}


def samples():
    """Easy ones, so that with the hinge loss some have no gradient."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(75, 72))
    return x, np.abs(x[:, :5]).argmax(axis=1)


def train(name, loss, **options):
    net = fb.Sequential(
        *NETWORKS[name](), dtype=options.pop("dtype", "float64"), seed=2, init="glorot",
        input_shape=(2, 6, 6) if name in IMAGES else None,
    )  # fmt: skip
    settings = {"epochs": 2, "batch_size": 7, "seed": 1, "metrics": None} | options
    history = fb.fit(
        net, samples(), loss=LOSSES[loss](), optimizer=fb.SGD(0.01, momentum=0.5), **settings
    )
    return net, history


@for_each("batch_size", [1, 7, 40])
@for_each("loss", LOSSES)
@for_each("name", NETWORKS)
def test_fused_is_the_layered_reference(name, loss, batch_size):
    with fb.use_backend("numpy"):
        want, slow = train(name, loss, fused=False, batch_size=batch_size)
    got, fast = train(name, loss, batch_size=batch_size)
    assert fast.path.endswith("fused")
    scale = np.abs(want.params).max()
    assert np.abs(got.params - want.params).max() <= 1e-9 * scale
    assert np.allclose(fast.loss_by_iteration, slow.loss_by_iteration, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("loss", LOSSES)
@for_each("name", NETWORKS)
def test_any_number_of_threads_bit_for_bit(name, loss, dtype):
    runs = [train(name, loss, threads=n, dtype=dtype)[0].params for n in (1, 2, 3)]
    assert np.isfinite(runs[0]).all()
    assert all(np.array_equal(runs[0], params) for params in runs[1:])


def test_samples_without_a_gradient_are_among_them():
    _, history = train("chain", "hinge", batch_size=1, epochs=6)
    assert 0 < np.count_nonzero(history.loss_by_iteration == 0) < len(history.loss_by_iteration)


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_the_references(name):
    net, _ = train(name, "cross-entropy")
    net.eval()
    x, _ = samples()
    with fb.use_backend("numpy"):
        want = net.scores(x)
    net.eval()
    assert np.allclose(net.scores(x), want, rtol=1e-9, atol=1e-12)
    if name in ROWS:
        assert np.allclose(net.frozen().scores(x[:1]), want[:1], rtol=1e-9, atol=1e-12)
