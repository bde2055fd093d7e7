"""Normalization on the engines: what the layered loop computes, bit for bit for any threads."""

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb

pytestmark = pytest.mark.usefixtures("backend")

SAMPLES, FEATURES, CLASSES = 101, 13, 5
RNG = np.random.default_rng(7)
X = RNG.normal(3, 2, (SAMPLES, FEATURES))


@fb.activation
def bent(x):
    return x / (1 + x * x)


@bent.gradient
def bent_gradient(x, y):
    return (1 - x * x) / (1 + x * x) ** 2


NETWORKS = {
    "batch": lambda: (
        fb.Linear(13, 130),
        fb.BatchNorm1d(130),
        fb.GELU(),
        fb.Linear(130, 40),
        fb.BatchNorm1d(40, eps=0.01, momentum=None),
        fb.Tanh(),
        fb.Linear(40, 5),
    ),
    "batch, first and alone": lambda: (
        fb.BatchNorm1d(13, affine=False),
        fb.Linear(13, 33),
        fb.ReLU(),
        fb.BatchNorm1d(33, momentum=0.5),
        fb.Linear(33, 5),
        fb.BatchNorm1d(5),
    ),
    "layer": lambda: (
        fb.Linear(13, 130),
        fb.LayerNorm(130),
        fb.SiLU(),
        fb.Linear(130, 70),
        fb.ReLU(),
        fb.LayerNorm(70, elementwise_affine=False),
        fb.Linear(70, 5),
    ),
    "layer, first": lambda: (fb.LayerNorm(13, eps=0.1), fb.Linear(13, 5), fb.LayerNorm(5)),
    "scale": lambda: (
        fb.Standardize.of(X),
        fb.Scale(13),
        fb.Linear(13, 130),
        fb.Scale(130),
        fb.Tanh(),
        fb.Dropout(0.2, seed=3),
        fb.Linear(130, 5),
        fb.LogSoftmax(),
    ),
}


def train(layers, loss, optimizer, dtype="float64", x=X, **options):
    net, step = fb.Sequential(*layers, dtype=dtype), optimizer()
    rng = np.random.default_rng(1)
    target = loss.example_target(rng, len(x), CLASSES)
    settings = {"epochs": 3, "batch_size": 8, "seed": 1} | options
    history = fb.fit(net, (x, target), loss=loss, optimizer=step, **settings)
    return net, history


def states(net):
    return [layer.state() for layer in net.layers]


@for_each(
    ("name", "loss", "optimizer", "dtype"),
    parts.pairs(NETWORKS, parts.LOSSES, parts.OPTIMIZERS, ["float32", "float64"]),
    by=("dtype",),
)
def test_fused_is_layered(name, loss, optimizer, dtype):
    tolerance = 2e-3 if dtype == "float32" else 1e-9
    loss, optimizer = parts.LOSSES[loss](), parts.OPTIMIZERS[optimizer]
    layered, slow = train(NETWORKS[name](), loss, optimizer, dtype, fused=False)
    fused, fast = train(NETWORKS[name](), loss, optimizer, dtype)
    assert fast.path.endswith("fused")
    for a, b in ((fused.params, layered.params), (fused.buffers, layered.buffers)):
        assert np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0)
    assert np.allclose(fast.loss_by_iteration, slow.loss_by_iteration, tolerance, tolerance)
    assert states(fused) == states(layered)


@for_each("batch_size", [2, 8, 33, 101, 500])
@for_each("loss", ["HingeLoss", "MSELoss"])
@for_each("name", NETWORKS)
def test_threads_change_no_bit(name, loss, batch_size):
    x = X if batch_size != 2 else X[:100]
    found = [
        train(
            NETWORKS[name](),
            parts.LOSSES[loss](),
            lambda: fb.AdamW(0.002),
            "float32",
            x,
            threads=threads,
            batch_size=batch_size,
        )[0]
        for threads in (1, 2, 2)
    ]
    for other in found[1:]:
        assert np.array_equal(other.params, found[0].params)
        assert np.array_equal(other.buffers, found[0].buffers)
    many = np.tile(X, (12, 1)).astype("f4")
    scores = [found[0].scores(many, threads=threads) for threads in (1, 2)]
    assert np.array_equal(*scores)


class Changes(fb.Callback):
    """Turns momentum, eps and a running mean after the first epoch."""

    def on_epoch_end(self, epoch, net):
        if epoch.epoch == 1:
            norm = net.layers[1]
            norm.momentum, norm.eps, norm.running_mean = 0.7, 0.2, np.ones(130)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_changed_between_epochs_counts(threads):
    nets = [
        train(
            NETWORKS["batch"](),
            fb.CrossEntropyLoss(),
            lambda: fb.SGD(0.01, momentum=0.5),
            fused=fused,
            callbacks=[Changes()],
            threads=threads,
        )[0]
        for fused in (True, False)
    ]
    assert np.allclose(nets[0].params, nets[1].params, 1e-9, 1e-12)
    assert np.allclose(nets[0].buffers, nets[1].buffers, 1e-9, 1e-12)


def test_own_activations_are_fused_between_them(backend):
    def layers():
        return (
            fb.Linear(13, 70),
            fb.BatchNorm1d(70),
            bent(),
            fb.Linear(70, 20),
            bent(),
            fb.LayerNorm(20),
            fb.Linear(20, 5),
        )

    runs = [
        train(layers(), fb.CrossEntropyLoss(), lambda: fb.Adam(0.002, epsilon=1e-3), fused=fused)
        for fused in (True, False)
    ]
    assert runs[0][1].path.endswith("fused") == (backend == "numba")
    assert np.allclose(runs[0][0].params, runs[1][0].params, 1e-9, 1e-12)
    assert np.allclose(runs[0][0].buffers, runs[1][0].buffers, 1e-9, 1e-12)


IMAGES = {
    "standardize, a channel": lambda x: (
        fb.Standardize.of(x),
        fb.Conv2d(2, 3, 3, padding=1),
        fb.ReLU(),
        fb.MaxPool2d(2),
        fb.Flatten(),
        fb.Linear(27, 20),
        fb.LayerNorm(20),
        fb.Tanh(),
        fb.Linear(20, 4),
        fb.Scale(4),
    ),
    "standardize, a number": lambda x: (
        fb.Standardize.of(x.reshape(len(x), -1)),
        fb.Conv2d(2, 3, 3),
        fb.Standardize([0.1, 0.2, 0.3], [1, 2, 3]),
        fb.Flatten(),
        fb.Scale(48),
        fb.Linear(48, 4),
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_networks_of_images(name):
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 2, (70, 2, 6, 6)), rng.integers(4, size=70)
    found = []
    for options in ({"fused": False}, {"threads": 1}, {"threads": 2}):
        net = fb.Sequential(*IMAGES[name](x), input_shape=(2, 6, 6), dtype="float64")
        settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.AdamW(0.01), "epochs": 3}
        history = fb.fit(net, (x, y), batch_size=33, **settings, **options)
        assert history.path.endswith("fused") == ("threads" in options)
        found.append(net)
    assert np.allclose(found[0].params, found[1].params, 1e-9, 1e-12)
    assert np.array_equal(found[1].params, found[2].params)
    many = np.tile(x, (10, 1, 1, 1))
    np.testing.assert_allclose(found[1].scores(many)[:70], found[1].eval().forward(x), 1e-9, 1e-9)


def test_many_networks_are_as_one():
    y = np.random.default_rng(2).integers(CLASSES, size=SAMPLES)

    def job():
        net = fb.Sequential(*NETWORKS["batch"]())
        return fb.Job(net, fb.CrossEntropyLoss(), fb.Adam(0.01), epochs=2, batch_size=33)

    lone = job()
    fb.fit(lone.net, (X, y), loss=lone.loss, optimizer=lone.optimizer, epochs=2, batch_size=33)
    jobs = [job(), job()]
    fb.fit_many(jobs, (X, y))
    for each in jobs:
        assert np.array_equal(each.net.params, lone.net.params)
        assert np.array_equal(each.net.buffers, lone.net.buffers)
