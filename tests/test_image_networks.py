"""Networks on images: what goes in, their gradients, copies and files, and what is refused."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from for_each import for_each
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

import fastbp as fb

SHAPE = (2, 8, 9)
NEAR = {"float32": {"rtol": 1e-4, "atol": 1e-5}, "float64": {"rtol": 1e-11, "atol": 1e-13}}


def layers():
    """A small LeNet with every layer of images."""
    return (
        fb.Conv2d(2, 4, 3, padding=1),
        fb.ReLU(),
        fb.MaxPool2d(2),
        fb.Conv2d(4, 5, (2, 3)),
        fb.Tanh(),
        fb.AvgPool2d(2, 1),
        fb.Dropout(0.25),
        fb.Flatten(),
        fb.Linear(10, 7),
        fb.Sigmoid(),
        fb.Linear(7, 3),
    )


def network(dtype="float32", seed=0):
    return fb.Sequential(*layers(), input_shape=SHAPE, seed=seed, dtype=dtype)


def batch(n=6, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *SHAPE)), rng.integers(0, 3, n)


def fit(net, data, **options):
    settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.1), "epochs": 2} | options
    return fb.fit(net, data, **settings)


# What goes in


def test_samples_are_images_or_rows_of_their_numbers(backend, dtype):
    net, (x, y) = network(dtype).eval(), batch(1030)
    rows = x.reshape(len(x), -1)
    want = net.forward(x)
    assert want.shape == (len(x), 3)
    assert np.array_equal(net.forward(rows), want)
    data = fb.datasets.Dataset(rows, y, 3)
    for some in (x, rows, data):
        np.testing.assert_allclose(net.scores(some), want, **NEAR[dtype.name])
        assert np.array_equal(net.predict(some), net.scores(some).argmax(axis=1))
        np.testing.assert_allclose(net.predict_proba(some).sum(axis=1), 1, rtol=1e-5)
    for one in (x[:1], rows[:1], x[:1].astype(dtype), rows[:1].astype(dtype)):
        np.testing.assert_allclose(net.scores(one), want[:1], **NEAR[dtype.name])
        assert net.predict(one) == want[0].argmax()
        assert net.predict_proba(one).shape == (1, 3)
        assert net.frozen().predict(one) == want[0].argmax()
    accuracy = (want.argmax(axis=1) == y).mean()
    for some in ((x, y), (rows, y), data):
        assert fb.evaluate(net, some).accuracy == pytest.approx(accuracy)


def test_fit_takes_images_and_rows_alike(backend, dtype):
    x, y = batch(20)
    nets = [network(dtype) for _ in range(3)]
    rows = x.reshape(20, -1)
    for net, data in zip(nets, [(x, y), (rows, y), fb.datasets.Dataset(rows, y, 3)], strict=True):
        fit(net, data, validation=data)
        assert np.array_equal(net.params, nets[0].params)


@pytest.mark.parametrize("method", ["forward", "scores"])
def test_the_arrangement_in_memory_does_not_matter(backend, method):
    net, (x, _) = network().eval(), batch()
    want = getattr(net, method)(x)
    read_only = x.copy()
    read_only.setflags(write=False)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    for other in (
        np.asfortranarray(x),
        np.moveaxis(last, -1, 1),
        np.repeat(x, 2, axis=3)[..., ::2],
        x[::-1].copy()[::-1],
        read_only,
        x.tolist(),
        x.astype(">f8"),
        np.asfortranarray(x.reshape(6, -1)),
    ):
        assert np.array_equal(getattr(net, method)(other), want)


def test_pixels_of_a_dataset_are_scaled(backend, dtype, rng):
    pixels = rng.integers(0, 256, (700, math.prod(SHAPE)), dtype=np.uint8)
    data = fb.datasets.Dataset(pixels, rng.integers(0, 3, 700), scale=1 / 255)
    net = network(dtype)
    want = net.scores((pixels / 255).reshape(700, *SHAPE))
    np.testing.assert_allclose(net.scores(data), want, **NEAR[dtype.name])
    scaled = fb.datasets.Dataset((pixels / 255).astype(dtype), data.y, 3)
    other = network(dtype)
    fit(net, data)
    fit(other, scaled)
    np.testing.assert_allclose(net.params, other.params, **NEAR[dtype.name])


def test_an_empty_batch_goes_through(backend, dtype):
    net = network(dtype)
    assert net.forward(np.empty((0, *SHAPE))).shape == (0, 3)
    assert net.backward(np.empty((0, 3)), input_gradient=True).shape == (0, *SHAPE)
    assert not net.grads.any()
    assert net.predict(np.empty((0, *SHAPE))).shape == (0,)


def test_images_may_come_out(backend, dtype, rng):
    """Without Flatten: feature maps."""
    net, (x, _) = fb.Sequential(*layers()[:3], input_shape=SHAPE, dtype=dtype), batch()
    maps = net.forward(x)
    assert maps.shape == (6, 4, 4, 4)
    assert np.array_equal(net.scores(x), maps)
    assert net.backward(rng.normal(size=maps.shape), input_gradient=True).shape == x.shape
    assert net.outputs == 64


# Gradients


@pytest.mark.parametrize("loss", [fb.HingeLoss(), fb.CrossEntropyLoss(), fb.MSELoss()], ids=repr)
def test_gradients_of_a_whole_network(backend, loss):
    check = fb.gradcheck(network("float64"), loss, *batch(4))
    assert check, str(check)
    names = [tensor.name for tensor in check.tensors]
    assert names == ["0.w", "0.b", "3.w", "3.b", "8.w", "8.b", "10.w", "10.b", "x"]
    assert sum(tensor.kinks for tensor in check.tensors) < 20


WINDOWED = [
    fb.Conv2d(2, 3, 1),
    fb.Conv2d(2, 3, 3, 2, 1),
    fb.Conv2d(2, 1, (2, 4), (3, 1), (0, 2)),
    fb.Conv2d(2, 17, (8, 9)),
    fb.MaxPool2d(2),
    fb.MaxPool2d(3, 2, 1),
    fb.MaxPool2d((1, 4), (2, 3)),
    fb.AvgPool2d(2),
    fb.AvgPool2d(3, 1, 1),
    fb.AvgPool2d((3, 2), (4, 1)),
]


@for_each("layer", WINDOWED)
def test_gradients_of_each_layer(backend, layer):
    """In the first place, and behind another one."""
    layer = eval(repr(layer), vars(fb))
    between = fb.Sequential(
        fb.Conv2d(2, 2, 1), fb.Tanh(), layer, fb.Flatten(), input_shape=SHAPE, dtype="float64"
    )
    alone = fb.Sequential(
        eval(repr(layer), vars(fb)), fb.Sigmoid(), fb.Flatten(), input_shape=SHAPE, dtype="float64"
    )
    for net in (between, alone):
        x, _ = batch(2)
        y = np.random.default_rng(0).normal(size=(2, net.outputs))
        check = fb.gradcheck(net, fb.MSELoss(), x, y, most=60)
        assert check, str(check)
        assert check.tensors[-1].checked == 60


# Parameters and shapes


def test_parameters_are_views_in_order(backend):
    net = network()
    net.params[...] = np.arange(net.params.size)
    first, second = net.layers[0], net.layers[3]
    assert net.params.size == 4 * 2 * 9 + 4 + 5 * 4 * 6 + 5 + 77 + 24
    assert first.w.tolist() == np.arange(72).reshape(4, 2, 3, 3).tolist()
    assert first.b.tolist() == [72, 73, 74, 75]
    assert second.w.shape == (5, 4, 2, 3)
    assert (second.w[0, 0, 0, 0], second.b[-1]) == (76, 200)
    for each in (first, second):
        assert np.shares_memory(each.w, net.params)
        assert np.shares_memory(each.b, net.params)
        assert np.shares_memory(each.dw, net.grads)
        assert np.shares_memory(each.db, net.grads)
    x, _ = batch()
    net = network()
    net.grads[...] = np.nan
    net.backward(np.ones_like(net.forward(x)))
    assert np.isfinite(net.grads).all()


@pytest.mark.parametrize(
    ("init", "bound"),
    [("uniform", 1 / math.sqrt(6 * 15)), ("glorot", math.sqrt(6 / (6 * 15 + 50 * 15)))],
)
def test_start_of_a_convolution_is_by_its_fans(init, bound):
    """As PyTorch has it: a window's inputs, and the outputs that an input has a part in."""
    net = fb.Sequential(fb.Conv2d(6, 50, (3, 5)), input_shape=(6, 9, 9), init=init)
    w = net.layers[0].w
    assert abs(w).max() <= bound
    assert abs(w).max() > 0.99 * bound
    assert abs(w.mean()) < 0.05 * bound
    same = fb.Sequential(fb.Conv2d(6, 50, (3, 5), init=init), input_shape=(6, 9, 9), init="he")
    assert np.array_equal(same.params, net.params)


def test_he_start_of_a_convolution():
    net = fb.Sequential(fb.Conv2d(6, 50, (3, 5)), input_shape=(6, 9, 9), init="he")
    assert net.layers[0].w.std() == pytest.approx(math.sqrt(2 / 90), rel=0.05)
    assert not net.layers[0].b.any()


TABLE = """\
layer                                             output        parameters
--------------------------------------------------------------------------
Conv2d(2, 4, kernel=3, stride=1, padding=1)       (n, 4, 8, 9)          76
ReLU()                                            (n, 4, 8, 9)           0
MaxPool2d(kernel=2, stride=2, padding=0)          (n, 4, 4, 4)           0
Conv2d(4, 5, kernel=(2, 3), stride=1, padding=0)  (n, 5, 3, 2)         125
Tanh()                                            (n, 5, 3, 2)           0
AvgPool2d(kernel=2, stride=1, padding=0)          (n, 5, 2, 1)           0
Dropout(0.25, seed=9)                             (n, 5, 2, 1)           0
Flatten()                                         (n, 10)                0
Linear(10, 7)                                     (n, 7)                77
Sigmoid()                                         (n, 7)                 0
Linear(7, 3)                                      (n, 3)                24
--------------------------------------------------------------------------
302 parameters, float32, 0.00 MB"""


def test_the_summary_has_the_shapes(capsys):
    net = fb.Sequential(*layers()[:6], fb.Dropout(0.25, 9), *layers()[7:], input_shape=SHAPE)
    net.summary()
    assert capsys.readouterr().out == TABLE + "\n"
    assert (net.inputs, net.outputs) == (144, 3)


def test_repr_is_how_to_make_it():
    net = network()
    again = eval(repr(net), vars(fb))
    assert repr(again) == repr(net)
    assert again.input_shape == SHAPE
    assert repr(again).endswith("Linear(7, 3), input_shape=(2, 8, 9))")


# Copies and files


COPIES = {
    "copy": lambda net: net.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "astype": lambda net: net.astype(net.dtype),
}


@for_each("how", COPIES)
def test_a_copy_is_the_same_network_and_shares_nothing(backend, dtype, how):
    net, (x, y) = network(dtype), batch(20)
    fit(net, (x, y), epochs=1)
    clone = COPIES[how](net)
    assert repr(clone) == repr(net)
    assert clone.input_shape == SHAPE
    assert np.array_equal(clone.scores(x), net.scores(x))
    assert not np.shares_memory(clone.params, net.params)
    assert np.shares_memory(clone.layers[0].w, clone.params)
    params = net.params.copy()
    fit(clone, (x, y), epochs=1)
    assert np.array_equal(net.params, params)
    fit(net, (x, y), epochs=1)
    assert np.array_equal(net.params, clone.params)


def test_astype_and_frozen(backend):
    net, (x, y) = network("float64"), batch(20)
    single = net.astype("float32")
    assert single.forward(x).dtype == np.float32
    np.testing.assert_allclose(single.scores(x), net.scores(x), rtol=1e-3, atol=1e-5)
    frozen = net.frozen()
    assert np.array_equal(frozen.scores(x), net.scores(x))
    with pytest.raises(ValueError, match="read-only"):
        frozen.layers[0].w[...] = 0
    with pytest.raises(ValueError, match="is frozen"):
        fit(frozen, (x, y))


def test_a_pickle_holds_no_batch(backend):
    net, (x, _) = network(), batch(200)
    net.forward(x)
    assert len(pickle.dumps(net)) < net.params.nbytes + 3000


def test_a_network_comes_back_from_its_file(backend, dtype, tmp_path):
    net, (x, y) = network(dtype, seed=3), batch(20)
    path = tmp_path / "net.safetensors"
    net.save(path)
    again = fb.load(path)
    assert repr(again) == repr(net)
    assert again.input_shape == SHAPE
    assert np.array_equal(again.params, net.params)
    assert np.array_equal(again.scores(x), net.scores(x))
    for each in (net, again):
        fit(each, (x, y))
    assert np.array_equal(again.params, net.params)


def test_others_can_read_the_file(tmp_path):
    net = network()
    net.save(tmp_path / "net.safetensors")
    with safe_open(tmp_path / "net.safetensors", framework="numpy") as file:
        metadata = file.metadata()
        assert np.array_equal(file.get_tensor("3.w"), net.layers[3].w)
        assert file.get_tensor("3.w").shape == (5, 4, 2, 3)  # as PyTorch has it
    rows = json.loads(metadata["architecture"])
    assert json.loads(metadata["input_shape"]) == [2, 8, 9]
    assert rows[3] == {
        "type": "Conv2d",
        "in_channels": 4,
        "out_channels": 5,
        "kernel": [2, 3],
        "stride": 1,
        "padding": 0,
    }
    assert rows[5] == {"type": "AvgPool2d", "kernel": 2, "stride": 1, "padding": 0}
    assert rows[6] == {"type": "Dropout", "p": 0.25, "seed": net.layers[6].seed}
    assert rows[7] == {"type": "Flatten"}


CONV = {"type": "Conv2d", "in_channels": 1, "out_channels": 2, "kernel": 2}
METADATA = {"format": "fastbp", "version": "1", "dtype": "float32"}


def write(path, rows, tensors, **metadata):
    path.write_bytes(to_bytes(tensors, METADATA | {"architecture": json.dumps(rows)} | metadata))
    return path


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (None, "layer 0: Conv2d.* takes images of a known size"),
        ("[1, 1, 9]", "its window of 2x2 is larger than the images"),
        ("[3, 9, 9]", r"takes images \(1, h, w\), but \(3, 9, 9\) come in"),
        ("[9, 9]", "input_shape: expected"),
        ("9", "input_shape: expected"),
        ('"ab"', "input_shape: expected"),
        ("[1, 9, -9]", "input_shape: expected at least 1, got -9"),
        ("[1, 9", ""),
    ],
)
def test_a_file_with_wrong_images_is_refused(tmp_path, shape, reason):
    tensors = {"0.w": np.ones((2, 1, 2, 2), np.float32), "0.b": np.zeros(2, np.float32)}
    metadata = {} if shape is None else {"input_shape": shape}
    path = write(tmp_path / "net.safetensors", [CONV], tensors, **metadata)
    with pytest.raises(ValueError, match=f"^{path}: cannot load a network: .*{reason}"):
        fb.load(path)


def test_a_file_of_before_has_no_images_and_still_loads(tmp_path):
    tensors = {"0.w": np.ones((2, 3), np.float32), "0.b": np.zeros(3, np.float32)}
    rows = [{"type": "Linear", "inputs": 2, "outputs": 3}, {"type": "Tanh"}]
    net = fb.load(write(tmp_path / "net.safetensors", rows, tensors))
    assert net.input_shape is None
    np.testing.assert_allclose(net.scores([[1, 2]]), np.tanh([[3, 3, 3]]), rtol=1e-6)


# Layers of one's own


@fb.activation
def softsign(x):
    return x / (1 + abs(x))


@softsign.gradient
def softsign_gradient(x, y):
    return (1 - abs(y)) ** 2


class GlobalMean(fb.Layer):
    """The mean of each channel: images (n, c, h, w) become rows (n, c)."""

    def output_shape(self, shape):
        return shape[:1]

    def forward(self, x):
        self.shape = x.shape
        self.y = x.mean(axis=(2, 3))
        return self.y

    def backward(self, dy):
        return np.broadcast_to(dy[:, :, None, None], self.shape) / math.prod(self.shape[2:])


def test_functions_of_ones_own_take_images(backend, dtype, rng):
    x = rng.normal(size=(3, 2, 4, 5)).astype(dtype)
    layer = softsign()
    np.testing.assert_allclose(layer.forward(x), x / (1 + abs(x)), rtol=1e-6)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), 1 / (1 + abs(x)) ** 2, rtol=1e-5)
    net = fb.Sequential(
        fb.Conv2d(2, 3, 3),
        softsign(),
        fb.MaxPool2d(2),
        fb.Flatten(),
        softsign(),
        fb.Linear(27, 3),
        input_shape=SHAPE,
        dtype="float64",
    )
    assert fb.gradcheck(net, fb.CrossEntropyLoss(), *batch(4))
    fit(net, batch(20))


def test_a_layer_of_ones_own_may_end_the_images(backend, dtype):
    net = fb.Sequential(
        fb.Conv2d(2, 5, 3), fb.ReLU(), GlobalMean(), fb.Linear(5, 3), input_shape=SHAPE, dtype=dtype
    )
    assert net.shapes == [(5, 6, 7), (5, 6, 7), (5,), (3,)]
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), *batch(4))
    assert check, str(check)
    history = fit(net, batch(20))
    assert history.path.endswith(
        ("layered (GlobalMean() is no built-in layer)", "layered (the numpy backend has no engine)")
    )
    assert net.predict(batch(600)[0]).shape == (600,)


def test_several_networks_train_at_once_as_if_alone(backend):
    data = batch(40)
    dense = fb.Flatten(), fb.Linear(144, 9), fb.Dropout(0.5), fb.Linear(9, 3)

    def jobs():
        nets = [
            network(seed=1),
            network(seed=2),
            network("float64"),
            fb.Sequential(*(eval(repr(layer), vars(fb)) for layer in dense), input_shape=SHAPE),
        ]
        return [fb.Job(net, fb.HingeLoss(), fb.Adam(0.01), epochs=2, batch_size=8) for net in nets]

    alone, together = jobs(), jobs()
    for job in alone:
        fit(job.net, data, loss=job.loss, optimizer=job.optimizer, batch_size=8)
    fb.fit_many(together, data, threads=2)
    for one, many in zip(alone, together, strict=True):
        assert np.array_equal(one.net.params, many.net.params)


def test_it_learns(backend):
    """Where in the image a spot is: above, in the middle, below."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 300)
    x = rng.normal(0, 0.3, (300, 1, 9, 9))
    x[np.arange(300), 0, 3 * y + rng.integers(0, 3, 300), rng.integers(0, 9, 300)] += 3
    net = fb.Sequential(
        fb.Conv2d(1, 6, 3, padding=1),
        fb.ReLU(),
        fb.MaxPool2d(3),
        fb.Flatten(),
        fb.Linear(54, 3),
        input_shape=(1, 9, 9),
        seed=1,
    )
    history = fit(net, (x, y), optimizer=fb.SGD(0.1, momentum=0.9), epochs=15, batch_size=20)
    assert history["train_accuracy"][-1] > 0.97
