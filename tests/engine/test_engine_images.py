"""Rows on images and dropout in the engines: what the layered loop computes, bit by bit alike for
any number of threads."""

import threading

import numpy as np
import parts
import pytest
from for_each import for_each
from levels import assert_levels_agree

import fastbp as fb
from fastbp.engine import program as program_module
from fastbp.engine import scores as inference
from fastbp.kernels.numbers import Column, Kind
from fastbp.prediction import layered_scores

pytestmark = pytest.mark.usefixtures("backend")

SHAPE, CLASSES = (2, 9, 8), 5
FEATURES = 2 * 9 * 8

NETWORKS = {
    "lenet": lambda: (
        fb.Conv2d(2, 4, 3, padding=1), fb.ReLU(), fb.MaxPool2d(2), fb.Conv2d(4, 6, 3), fb.ReLU(),
        fb.MaxPool2d(2, 1), fb.Flatten(), fb.Linear(6, 20), fb.ReLU(), fb.Linear(20, 5),
    ),
    "strides": lambda: (
        fb.Conv2d(2, 3, (3, 2), (2, 1), (1, 2)), fb.Tanh(), fb.Conv2d(3, 17, 2, 3), fb.ELU(0.5),
        fb.Flatten(), fb.Linear(136, 5), fb.LogSoftmax(),
    ),
    "pools": lambda: (
        fb.MaxPool2d(3, 2, 1), fb.Conv2d(2, 5, 2), fb.AvgPool2d(3, 1, 1), fb.Sigmoid(),
        fb.MaxPool2d((2, 1), 1), fb.Flatten(), fb.Linear(45, 5),
    ),
    "a rest unseen": lambda: (
        fb.AvgPool2d((2, 3), (2, 4)), fb.Conv2d(2, 7, 1, (3, 1)), fb.MaxPool2d(2, 1, 1), fb.Tanh(),
        fb.Flatten(), fb.Linear(63, 70), fb.Sigmoid(), fb.Linear(70, 5),
    ),
    "whole images": lambda: (fb.Conv2d(2, 33, (9, 8)), fb.ELU(), fb.Flatten(), fb.Linear(33, 5)),
    "5x5": lambda: (
        fb.Conv2d(2, 16, 5, padding=2), fb.ReLU(), fb.AvgPool2d(2), fb.Conv2d(16, 9, (4, 3)),
        fb.Flatten(), fb.Tanh(), fb.Linear(18, 5),
    ),
    "groups": lambda: (
        fb.Conv2d(2, 6, (2, 3), padding="same", groups=2), fb.ReLU(), fb.MaxPool2d(2),
        fb.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), fb.Tanh(),
        fb.Conv2d(6, 4, 2, (2, 1), groups=2, bias=False), fb.Flatten(),
        fb.Linear(24, 20, bias=False), fb.ReLU(), fb.Linear(20, 5, bias=False),
    ),
    "batch norm": lambda: (
        fb.Conv2d(2, 4, 3, padding=1, bias=False), fb.BatchNorm2d(4), fb.ReLU(), fb.MaxPool2d(2),
        fb.BatchNorm2d(4, momentum=0.3), fb.Conv2d(4, 5, 2), fb.Dropout(0.2), fb.Flatten(),
        fb.BatchNorm1d(45), fb.Tanh(), fb.Linear(45, 20, bias=False),
        fb.BatchNorm1d(20, momentum=None),
        fb.ReLU(), fb.Linear(20, 5),
    ),
    "batch norm first": lambda: (
        fb.BatchNorm2d(2, affine=False), fb.SiLU(), fb.Conv2d(2, 17, (9, 8)), fb.BatchNorm2d(17),
        fb.Flatten(), fb.Linear(17, 5), fb.BatchNorm1d(5, eps=0.1),
    ),
    "batch norm in residuals": lambda: (
        fb.Residual(fb.BatchNorm2d(2), fb.ReLU(), fb.Conv2d(2, 2, 3, padding=1)),
        fb.Residual(fb.Conv2d(2, 2, 3, padding="same", groups=2, bias=False), fb.BatchNorm2d(2)),
        fb.Tanh(), fb.Conv2d(2, 3, (9, 8)), fb.Flatten(),
        fb.Residual(fb.BatchNorm1d(3), fb.Linear(3, 3)), fb.Linear(3, 5),
    ),
    "batch norm alone": lambda: (fb.BatchNorm2d(2), fb.Flatten(), fb.Linear(144, 5)),
    "single pixels": lambda: (
        fb.AvgPool2d((9, 8)), fb.Conv2d(2, 3, 1), fb.Tanh(), fb.Conv2d(3, 4, 3, padding=1),
        fb.MaxPool2d(1), fb.Flatten(), fb.Linear(4, 5),
    ),
    "flatten last": lambda: (fb.Tanh(), fb.Conv2d(2, 5, (9, 8)), fb.Flatten()),
    "flatten first": lambda: (fb.Flatten(), fb.Linear(144, 30), fb.Tanh(), fb.Linear(30, 5)),
    "dropout on both sides": lambda: (
        fb.Dropout(0.1, 3), fb.Conv2d(2, 4, 3), fb.Tanh(), fb.Dropout(0.3), fb.MaxPool2d(2),
        fb.Flatten(), fb.Dropout(0.5), fb.Linear(36, 21), fb.Tanh(), fb.Dropout(0.5),
        fb.Linear(21, 5),
    ),
    "dropout, dense": lambda: (
        fb.Dropout(0.2), fb.Linear(144, 70), fb.ReLU(), fb.Dropout(0.5), fb.Linear(70, 33),
        fb.Tanh(), fb.Dropout(0.25, 2**62), fb.Linear(33, 5),
    ),
    "dropout, last": lambda: (fb.Flatten(), fb.Linear(144, 5), fb.Dropout(0.2), fb.LogSoftmax()),
}  # fmt: skip
for activation, made in parts.ACTIVATIONS.items():  # in the place of what it reads, and not
    NETWORKS[activation] = lambda made=made: (
        *(fb.Conv2d(2, 3, 3), made(), fb.MaxPool2d(2), made(), made()),
        *(fb.Flatten(), fb.Linear(27, 5)),
    )
WITH_IMAGES = [n for n in NETWORKS if n not in ("flatten first", "dropout, dense", "dropout, last")]
WITH_DROPOUT = [name for name in NETWORKS if name.startswith("dropout")]

OPTIMIZERS = parts.OPTIMIZERS | {
    "sgd": lambda: fb.SGD(0.01),
    "momentum": lambda: fb.SGD(0.003, momentum=0.5),
    "nesterov": lambda: fb.SGD(0.003, momentum=0.5, nesterov=True, weight_decay=0.01),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3, weight_decay=0.01),
}
CE = fb.CrossEntropyLoss()
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}  # of a training, fused against layered


def data(loss=None, samples=37, dtype=np.float64):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(samples, FEATURES)).astype(dtype)
    return x, (loss or fb.CrossEntropyLoss()).example_target(rng, samples, CLASSES)


def network(name, dtype="float64", seed=0):
    return fb.Sequential(*NETWORKS[name](), input_shape=shape_of(name), dtype=dtype, seed=seed)


def shape_of(name):
    return None if name == "dropout, dense" else SHAPE


def train(name, loss=CE, optimizer="sgd", dtype="float64", batch_size=16, samples=None, **options):
    net, step = network(name, dtype), OPTIMIZERS[optimizer]()
    settings = {"epochs": 2, "batch_size": batch_size, "seed": 1} | options
    history = fb.fit(net, samples or data(loss), loss=loss, optimizer=step, **settings)
    return net, history, step


def steps_of(net):
    return [layer.step for layer in net.layers if isinstance(layer, fb.Dropout)]


# The binding test: fused and layered, for every layer, loss and optimiser


@for_each(
    ("name", "loss", "optimizer", "dtype"),
    parts.pairs(NETWORKS, parts.LOSSES, OPTIMIZERS, TOLERANCE),
    by=("name", "dtype"),
)
def test_fused_is_layered(name, loss, optimizer, dtype):
    loss, tolerance = parts.LOSSES[loss](), TOLERANCE[dtype]
    layered, slow, old = train(name, loss, optimizer, dtype, fused=False)
    fused, fast, new = train(name, loss, optimizer, dtype)
    assert fast.path.endswith("fused")
    assert slow.path.endswith("layered (asked for)")
    assert np.abs(fused.params - layered.params).max() <= tolerance * np.abs(layered.params).max()
    assert np.allclose(fused.buffers, layered.buffers, rtol=tolerance, atol=tolerance)
    assert np.allclose(
        fast.loss_by_iteration, slow.loss_by_iteration, rtol=tolerance, atol=tolerance
    )
    assert fast["train_accuracy"] == slow["train_accuracy"]
    assert new.steps == old.steps == 2 * 3
    assert steps_of(fused) == steps_of(layered) == [6] * len(steps_of(fused))
    for a, b in zip(new.memory, old.memory, strict=True):
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-12)


@for_each("batch_size", [1, 5, 15, 16, 17, 33, 64, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("name", ["lenet", "pools", "dropout on both sides", "dropout, dense"])
def test_any_batch_size(name, dtype, batch_size):
    """With a smaller last batch, or a single one."""
    samples = data(samples=70)
    layered, slow, _ = train(name, dtype=dtype, batch_size=batch_size, samples=samples, fused=False)
    fused, fast, _ = train(name, dtype=dtype, batch_size=batch_size, samples=samples)
    near = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 2e-3, "atol": 2e-5}
    assert fast.path.endswith("fused")
    assert np.allclose(fused.params, layered.params, **near)
    assert np.allclose(fast.loss_by_iteration, slow.loss_by_iteration, **near)
    assert steps_of(fused) == steps_of(layered)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("source", ["uint8", "float32", "float64"])
@for_each("zeros", [0.0, 0.97])
@for_each("name", ["lenet", "whole images", "flatten first", "dropout, dense"])
def test_any_data_with_and_without_zeros(name, dtype, source, zeros):
    rng = np.random.default_rng(3)
    x = (rng.integers(1, 256, (45, FEATURES)) * (rng.random((45, FEATURES)) >= zeros)).astype(
        source
    )
    samples = fb.datasets.Dataset(x, rng.integers(0, CLASSES, 45), CLASSES, scale=1 / 255)
    runs = [
        train(name, fb.HingeLoss(), "sgd", dtype, samples=samples, fused=fused)[0].params
        for fused in (True, False)
    ]
    assert np.allclose(*runs, atol=1e-5 if dtype == "float32" else 1e-12)


@for_each(("channels", "filters"), [(1, 1), (1, 6), (3, 15), (17, 16), (8, 33)])
@for_each("size", [(1, 1), (1, 7), (13, 11)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_channels_and_sizes(channels, filters, size, dtype):
    rng, shape = np.random.default_rng(5), (channels, *size)
    x, nets = rng.normal(size=(35, *shape)), []
    for fused in (True, False):
        net = fb.Sequential(
            fb.Conv2d(channels, filters, 3, padding=1),
            fb.Tanh(),
            fb.MaxPool2d(3, 2, 1),
            fb.Conv2d(filters, channels, 1),
            fb.AvgPool2d(1, 2),
            fb.Flatten(),
            input_shape=shape,
            dtype=dtype,
            init="glorot",
        )
        labels = rng.integers(0, 1, 35)
        history = fb.fit(
            net,
            (x, labels),
            loss=CE if net.outputs > 1 else fb.MSELoss(),
            optimizer=fb.SGD(0.01),
            epochs=2,
            batch_size=17,
            fused=fused,
        )
        assert history.path.endswith("fused") is fused
        nets.append(net.params)
    assert np.allclose(*nets, atol=1e-5 if dtype == "float32" else 1e-12)


def test_ties_and_borders_of_pools_go_the_layers_way():
    """Whole numbers: most windows hold their maximum more than once."""
    rng = np.random.default_rng(1)
    x, y = rng.integers(-1, 2, (40, FEATURES)).astype(float), rng.integers(0, 5, 40)
    nets = []
    for fused in (True, False):
        net = fb.Sequential(
            fb.MaxPool2d(3, 1, 1),
            fb.Conv2d(2, 3, 1),
            fb.MaxPool2d((2, 3), (1, 2), (1, 1)),
            fb.Flatten(),
            fb.Linear(120, 5),
            input_shape=SHAPE,
            dtype="float64",
        )
        net.layers[1].w[...] = [[[[1]], [[-1]]], [[[-2]], [[1]]], [[[-1]], [[-1]]]]
        net.layers[1].b[...] = [-3, 0, -5]
        fb.fit(net, (x, y), loss=CE, optimizer=fb.SGD(0.25), epochs=1, batch_size=40, fused=fused)
        nets.append(net.params)
    assert np.allclose(*nets, rtol=1e-12, atol=1e-14)


# Dropout's steps


@pytest.mark.parametrize("name", WITH_DROPOUT)
@pytest.mark.parametrize("ways", [(True, True), (True, False), (False, True)])
def test_fits_one_after_another_are_one_longer_one(name, ways):
    whole, _, _ = train(name, optimizer="adam", epochs=4, fused=False)
    net, step, history = network(name), OPTIMIZERS["adam"](), fb.History()
    for fused in ways:
        fb.fit(
            net,
            data(),
            loss=CE,
            optimizer=step,
            epochs=2,
            batch_size=16,
            seed=1,
            history=history,
            fused=fused,
        )
    assert np.allclose(net.params, whole.params, rtol=1e-8, atol=1e-11)
    assert steps_of(net) == steps_of(whole) == [12] * len(steps_of(net))


def test_a_step_far_on():
    nets = []
    for fused in (True, False):
        net = network("dropout on both sides")
        for layer in (net.layers[0], net.layers[3]):
            layer.step = 2**32 - 2  # its lower half runs over
        net.layers[6].seed = 2**63 - 1
        fb.fit(net, data(), loss=CE, optimizer=fb.SGD(0.1), epochs=2, batch_size=16, fused=fused)
        nets.append(net.params)
    assert np.allclose(*nets, rtol=1e-9, atol=1e-12)


def test_dropout_of_nothing_is_nothing():
    with_it, without = (
        fb.Sequential(*parts, input_shape=SHAPE, dtype="float64")
        for parts in (
            (fb.Conv2d(2, 3, 3), fb.Dropout(0), fb.Flatten(), fb.Dropout(0), fb.Linear(126, 5)),
            (fb.Conv2d(2, 3, 3), fb.Flatten(), fb.Linear(126, 5)),
        )
    )
    for net in (with_it, without):
        fb.fit(net, data(), loss=CE, optimizer=fb.SGD(0.1), epochs=2)
    assert np.allclose(with_it.params, without.params, rtol=1e-12, atol=1e-15)


# Threads


@for_each(
    ("name", "dtype", "optimizer"),
    parts.pairs(NETWORKS, TOLERANCE, ["sgd", "nesterov", "adamw"]),
    by=("dtype",),
)
def test_every_number_of_threads_gives_the_same_bits(name, dtype, optimizer):
    options = {"samples": data(samples=150), "batch_size": 67, "epochs": 1}
    one, history, _ = train(name, CE, optimizer, dtype, threads=1, **options)
    for threads in (2, 3, 4):
        net, other, _ = train(name, CE, optimizer, dtype, threads=threads, **options)
        assert np.array_equal(net.params, one.params)
        assert np.array_equal(other.loss_by_iteration, history.loss_by_iteration)


@pytest.mark.parametrize("batch_size", [1, 16, 31, 128, 300])
def test_threads_and_batches_of_any_size(batch_size):
    """From less than a block of samples to more than one for each of the most threads."""
    samples, nets = data(samples=330), []
    for threads in (1, 2, 5, 8):
        for name in ("lenet", "dropout on both sides"):
            options = {"batch_size": batch_size, "epochs": 1, "samples": samples}
            nets.append(train(name, threads=threads, dtype="float32", **options)[0].params)
    assert all(np.array_equal(params, nets[0]) for params in nets[::2])
    assert all(np.array_equal(params, nets[1]) for params in nets[1::2])


def test_two_networks_train_in_two_python_threads():
    names = ("lenet", "dropout on both sides")
    alone = [train(name, optimizer="adam")[0].params for name in names]
    together = {}

    def run(name):
        together[name] = train(name, optimizer="adam", threads=2)[0].params

    workers = [threading.Thread(target=run, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert np.array_equal(together[names[0]], alone[0])
    assert np.array_equal(together[names[1]], alone[1])


LEVEL = """
from test_engine_images import NETWORKS, data, network, train
from fastbp.backends import active
from fastbp.prediction import layered_scores
assert active().detail == sys.argv[2]
samples = data(samples=70)
for dtype, near in (("float32", 2e-3), ("float64", 1e-9)):
    for name in NETWORKS:
        options = dict(batch_size=33, samples=samples, dtype=dtype)
        layered = train(name, fused=False, **options)[0].params
        fused, history, _ = train(name, threads=1, **options)
        assert history.path.endswith("fused"), history.path
        assert np.abs(fused.params - layered).max() <= near * np.abs(layered).max(), name
        assert np.array_equal(train(name, threads=3, **options)[0].params, fused.params), name
        x = np.tile(samples[0], (8, 1))
        assert np.allclose(fused.scores(x), layered_scores(fused, x), atol=near), name
np.save(sys.argv[1], train("dropout on both sides")[0].params)
"""


@pytest.mark.parametrize("backend", ["cython"], indirect=True)
def test_every_cpu_level_agrees(tmp_path):
    assert_levels_agree(LEVEL, tmp_path)


# Scores


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("name", NETWORKS)
def test_many_samples(name, dtype):
    """Also a number that is no whole number of the engine's blocks and batches."""
    net, (x, y) = network(name, dtype, seed=3), data(samples=1031, dtype=dtype)
    fused = [inference.fused_scores(net, x, threads=threads) for threads in (1, 2, 3)]
    near = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    layered = layered_scores(net, x)
    assert np.allclose(fused[0], layered, **near)
    assert all(np.array_equal(scores, fused[0]) for scores in fused)
    assert np.array_equal(net.scores(x), fused[0])
    assert np.array_equal(net.predict(x), fused[0].argmax(axis=1))
    found = fb.evaluate(net, (x, y), CE)
    assert found.accuracy == pytest.approx((layered.argmax(axis=1) == y).mean())
    assert found.loss == pytest.approx(CE.compute(layered, y)[0], rel=1e-4)
    assert steps_of(net) == [0] * len(steps_of(net))
    for row in (0, 700, 1030):
        assert np.allclose(net.scores(x[row : row + 1]), layered[row], **near)
        assert np.allclose(net.frozen().scores(x[row : row + 1]), layered[row], **near)


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
def test_scores_of_data_that_are_scaled(source):
    x = np.abs(data(samples=600)[0] * 50).astype(source)
    net = network("lenet", seed=3)
    samples = fb.datasets.Dataset(x, np.zeros(600, np.int64), 5, scale=1 / 255)
    want = layered_scores(net, x.astype(np.float64) / 255)
    assert np.allclose(net.scores(samples), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [512, 513, 527, 528, 2049])
def test_any_number_of_samples(n):
    net, x = network("dropout on both sides", seed=3), data(samples=n)[0]
    assert inference.fused_scores(net, x) is not None
    assert np.allclose(net.scores(x), layered_scores(net, x), rtol=1e-9, atol=1e-12)


# What is not finite


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["lenet", "whole images"])
def test_a_weight_that_is_not_finite_shows_even_where_its_input_is_zero(name, bad):
    net, (x, y) = network(name), data(samples=600)
    net.layers[0].w[1, 1] = bad
    x[:] = 0
    assert not np.isfinite(net.scores(x)).all(axis=1).any()
    assert not np.isfinite(net.scores(x[:1])).all()
    with pytest.raises(fb.DivergenceError, match="epoch 1, step 1,"):
        fb.fit(net, (x, y), loss=CE, optimizer=fb.SGD(0.1), epochs=1)


def test_a_pixel_that_is_not_finite_shows_in_its_sample_alone():
    x, _ = data(samples=600)
    x[[3, 599], 77] = np.nan
    for name in WITH_IMAGES:
        scores = network(name).scores(x)
        bad = np.isnan(scores).all(axis=1)
        assert bad[[3, 599]].all() or name == "a rest unseen", name
        assert np.isfinite(np.delete(scores, [3, 599], axis=0)).all(), name
        assert np.allclose(scores, layered_scores(network(name), x), equal_nan=True), name


@pytest.mark.parametrize("name", ["lenet", "whole images"])
def test_divergence_is_told_like_the_layered_loop_tells_it(name):
    told = []
    x, y = data()
    for fused in (True, False):
        net = network(name)
        with pytest.raises(fb.DivergenceError) as caught:
            fb.fit(
                net,
                (x * 1e3, y),
                loss=fb.HingeLoss(),
                optimizer=fb.SGD(1e200),
                batch_size=5,
                epochs=3,
                fused=fused,
            )
        told.append((str(caught.value), caught.value.losses))
    assert told[0][0] == told[1][0]
    assert np.allclose(told[0][1][:-1], told[1][1][:-1], rtol=1e-6)


def test_an_interrupt_keeps_what_was_trained(monkeypatch):
    monkeypatch.setattr("fastbp.training.loop.REPORT_EVERY", -1)

    class Stop(fb.Callback):
        def on_progress(self, epoch, samples, total, loss):
            if epoch == 2:
                raise KeyboardInterrupt

    net, history = network("dropout on both sides"), fb.History()
    before = net.params.copy()
    with pytest.raises(KeyboardInterrupt):
        fb.fit(
            net,
            data(),
            loss=CE,
            optimizer=fb.SGD(0.01),
            batch_size=1,
            epochs=9,
            callbacks=[Stop()],
            history=history,
        )
    assert len(history.epochs) == 1
    assert np.isfinite(net.params).all()
    assert not np.array_equal(net.params, before)
    assert 37 < steps_of(net)[0] <= 74
    assert len(set(steps_of(net))) == 1


# What runs layered, and why


class Rows(fb.Layer):
    """Flatten of one's own."""

    def output_shape(self, shape):
        return (int(np.prod(shape)),)

    def forward(self, x):
        self.shape = x.shape
        self.y = x.reshape(len(x), -1)
        return self.y

    def backward(self, dy):
        return dy.reshape(self.shape)


def test_without_flatten_it_runs_layered_and_says_so():
    conv = fb.Conv2d(2, 5, (9, 8))
    net = fb.Sequential(conv, Rows(), input_shape=SHAPE, dtype="float64")
    other = fb.Sequential(fb.Conv2d(2, 5, (9, 8)), fb.Flatten(), input_shape=SHAPE, dtype="float64")
    for each, way in ((net, "layered (Rows() is no built-in layer)"), (other, "fused")):
        history = fb.fit(each, data(), loss=CE, optimizer=fb.SGD(0.1), epochs=1)
        assert history.path.endswith(way)
    assert np.allclose(net.params, other.params, rtol=1e-9)
    x = data(samples=600)[0]
    assert inference.fused_scores(net, x) is None
    assert np.allclose(net.scores(x), other.scores(x), rtol=1e-9)


def test_images_that_come_out_are_no_program():
    net = fb.Sequential(fb.Conv2d(2, 5, 3), input_shape=SHAPE)
    with pytest.raises(program_module.NotExpressible, match=r"images \(5, 7, 6\) come out of it"):
        program_module.compile_network(net, FEATURES)
    x = data(samples=600, dtype=np.float32)[0]
    assert net.scores(x).shape == (600, 5, 7, 6)


def test_functions_of_ones_own_go_with_images(backend):
    kind = fb.activation(lambda x: x * x)
    kind.gradient(lambda x, y: 2 * x)
    nets = []
    for fused in (True, False):
        net = fb.Sequential(
            fb.Conv2d(2, 3, 3),
            kind(),
            fb.MaxPool2d(2),
            fb.Flatten(),
            kind(),
            fb.Linear(27, 5),
            input_shape=SHAPE,
            dtype="float64",
        )
        history = fb.fit(net, data(), loss=CE, optimizer=fb.SGD(0.01), epochs=2, fused=fused)
        assert history.path.endswith("fused") is (fused and backend == "numba")
        nets.append(net)
    assert np.allclose(nets[0].params, nets[1].params, rtol=1e-9, atol=1e-12)
    x = data(samples=600)[0]
    assert np.allclose(nets[0].scores(x), layered_scores(nets[0], x), rtol=1e-9)


def test_the_program_of_a_network_with_images():
    program = program_module.compile_network(network("lenet"), FEATURES, training=True)
    assert program.on_images
    convolution = [Kind.CONV, Kind.RELU, Kind.MAX_POOL]
    dense = [Kind.FLATTEN, Kind.DENSE, Kind.RELU, Kind.DENSE]
    assert program.kinds.tolist() == [*convolution, *convolution, *dense]
    images_and_window = program.rows[0, Column.CHANNELS : Column.PADDING + 2]
    assert images_and_window.tolist() == [2, 9, 8, 4, 9, 8, 3, 3, 1, 1, 1, 1]
    starts = program.rows[:, Column.PARAMS]
    assert starts.tolist() == [0, 76, 76, 76, 298, 298, 298, 298, 438, 438]
    for name in ("flatten first", "dropout, dense"):
        assert not program_module.compile_network(network(name), FEATURES).on_images
    used = program_module.compile_network(network("dropout, dense"), FEATURES)
    assert Kind.DROPOUT not in used.kinds  # outside of training
