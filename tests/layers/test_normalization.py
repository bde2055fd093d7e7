"""BatchNorm1d, LayerNorm, Scale and Standardize: PyTorch's values, what they refuse, both modes."""

import json
from pathlib import Path

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb

TORCH = json.loads((Path(__file__).parents[1] / "data/torch_norms.json").read_text("utf-8"))
NEAR = {"rtol": 1e-9, "atol": 1e-9}
RUNNING = ("running_mean", "running_var")
MAKE = {
    "batch": lambda: fb.BatchNorm1d(4),
    "batch, no parameters": lambda: fb.BatchNorm1d(4, affine=False, momentum=None),
    "layer": lambda: fb.LayerNorm(4),
    "layer, no parameters": lambda: fb.LayerNorm(4, elementwise_affine=False),
    "scale": lambda: fb.Scale(4),
    "standardize": lambda: fb.Standardize([1.0, 2.0, 3.0, 4.0], [0.5, 2.0, 1.0, 3.0]),
}


def layer_of(case):
    """The layer, alone in a network, with the parameters of the data."""
    columns = len(TORCH["b"])
    net = fb.Sequential(getattr(fb, case["name"])(columns, **case["settings"]), dtype="float64")
    (layer,) = net.layers
    for name in layer.parameter_shapes():
        setattr(layer, name, TORCH[name])
    return net, layer


@for_each("case", TORCH["layers"])
def test_forward_and_backward_are_pytorchs(backend, case):
    net, layer = layer_of(case)
    first, second = np.array(TORCH["x"])
    net.forward(first)
    np.testing.assert_allclose(net.forward(second), case["y"], **NEAR)
    np.testing.assert_allclose(net.backward(TORCH["dy"], input_gradient=True), case["dx"], **NEAR)
    for name in ("dw", "db", *RUNNING):
        if name in case:
            np.testing.assert_allclose(getattr(layer, name), case[name], **NEAR)
    net.eval()
    np.testing.assert_allclose(net.forward(first), case["used"], **NEAR)
    used = net.backward(TORCH["dy"], input_gradient=True)
    np.testing.assert_allclose(used, case["used_dx"], **NEAR)
    for name in RUNNING:
        if name in case:
            np.testing.assert_allclose(getattr(layer, name), case[name], **NEAR)


@for_each("fused", [True, False])
@for_each("case", TORCH["layers"])
def test_sixty_steps_are_pytorchs(backend, case, fused):
    columns = len(TORCH["b"])
    norm = getattr(fb, case["name"])(columns, **case["settings"])
    layers = fb.Linear(4, columns), norm, fb.Tanh(), fb.Linear(columns, 3)
    net = fb.Sequential(*layers, dtype="float64")
    vectors = [TORCH[name] for name in norm.parameter_shapes()]
    net.params = np.concatenate([TORCH["start"], *vectors, TORCH["end"]])
    settings = {name: TORCH[name] for name in ("epochs", "batch_size", "seed")}
    data = np.array(TORCH["samples"]), np.array(TORCH["labels"])
    optimizer = fb.Adam(0.01)
    fb.fit(net, data, loss=fb.CrossEntropyLoss(), optimizer=optimizer, fused=fused, **settings)
    np.testing.assert_allclose(net.params, case["trained"]["params"], **NEAR)
    for name in RUNNING:
        if name in case:
            np.testing.assert_allclose(getattr(norm, name), case["trained"][name], **NEAR)
    if isinstance(norm, fb.BatchNorm1d):
        assert norm.num_batches_tracked == 60


@for_each("name", MAKE)
def test_gradients_are_the_numeric_ones(backend, dtype, name, rng):
    net = fb.Sequential(
        fb.Linear(3, 4), MAKE[name](), fb.Tanh(), fb.Linear(4, 3), dtype=dtype, init="glorot"
    )
    x, y = rng.normal(size=(7, 3)), rng.integers(3, size=7)
    for mode in (True, False):
        check = fb.gradcheck(net.train(mode), fb.CrossEntropyLoss(), x, y)
        assert check, str(check)


@for_each("name", MAKE)
def test_files_copies_and_scores_in_every_way(backend, dtype, name, rng, tmp_path):
    net = fb.Sequential(fb.Linear(5, 4), MAKE[name](), fb.Linear(4, 3), seed=2, dtype=dtype)
    x, y = rng.normal(3, 2, (40, 5)), rng.integers(3, size=40)
    fb.fit(net, (x, y), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=2, batch_size=8)
    net.save(tmp_path / "net.safetensors")
    loaded = fb.load(tmp_path / "net.safetensors")
    want = loaded.eval().forward(x)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for other in (net, loaded, net.copy(), net.frozen()):
        assert [layer.state() for layer in other.layers] == [layer.state() for layer in net.layers]
        assert np.array_equal(other.buffers, net.buffers)
        many = other.scores(np.tile(x, (20, 1)).astype(dtype))
        one = other.scores(x[:1].astype(dtype))
        for got in (many[:40], other.scores(x), one):
            np.testing.assert_allclose(got, want[: len(got)], tolerance, tolerance)


@pytest.mark.parametrize("fused", [True, False])
def test_a_batch_of_one_has_no_variance(backend, fused, rng):
    net = fb.Sequential(fb.Linear(3, 4), fb.BatchNorm1d(4), fb.Linear(4, 2))
    with pytest.raises(ValueError, match=r"BatchNorm1d\(4, .*expected at least 2 .*got 1"):
        net.forward(np.ones((1, 3)))
    net.eval().forward(np.ones((1, 3)))
    before, data = net.params.copy(), (rng.normal(size=(9, 3)), rng.integers(2, size=9))
    for size in (1, 2, 4, 8):
        with pytest.raises(ValueError, match=r"layer 1, BatchNorm1d\(4.*choose another batch_size"):
            fb.fit(
                net,
                data,
                loss=fb.HingeLoss(),
                optimizer=fb.SGD(0.1),
                batch_size=size,
                fused=fused,
            )
    assert np.array_equal(net.params, before)
    for size in (3, 7, 9, 100):
        fb.fit(
            net,
            data,
            loss=fb.HingeLoss(),
            optimizer=fb.SGD(0.1),
            batch_size=size,
            epochs=1,
            fused=fused,
        )


@pytest.mark.parametrize("fused", [True, False])
def test_a_batch_that_diverges_moves_no_running_average(backend, fused):
    x = np.arange(24.0).reshape(8, 3)
    net = fb.Sequential(
        fb.Linear(3, 4), fb.BatchNorm1d(4), fb.Linear(4, 2), fb.Scale(2), dtype="float32"
    )
    net.layers[3].w = [np.nan, 1]
    before = net.buffers.copy()
    with pytest.raises(fb.DivergenceError):
        fb.fit(
            net,
            (x, np.zeros((8, 2))),
            loss=fb.MSELoss(),
            optimizer=fb.SGD(0.1),
            batch_size=8,
            fused=fused,
        )
    assert np.array_equal(net.buffers, before)


def test_the_mode_counts_and_a_frozen_network_stays(backend, rng):
    net = fb.Sequential(fb.BatchNorm1d(3), dtype="float64")
    x = rng.normal(5, 2, (50, 3))
    assert np.allclose(net.forward(x).mean(axis=0), 0)
    (norm,) = net.layers
    assert np.allclose(norm.running_mean, 0.1 * x.mean(axis=0))
    assert np.allclose(norm.running_var, 0.9 + 0.1 * x.var(axis=0, ddof=1))
    before = net.buffers.copy()
    assert not np.allclose(net.eval().forward(x).mean(axis=0), 0)
    net.scores(x)
    assert np.array_equal(net.buffers, before)
    with pytest.raises(ValueError, match=r"running averages are read-only.*net\.eval\(\)"):
        net.train().frozen().forward(x)
    assert net.frozen().eval().forward(x).shape == (50, 3)


def test_statistics_are_right_far_from_zero(backend, dtype, rng):
    x = (rng.normal(size=(1000, 70)) + 1e4).astype(dtype)
    net = fb.Sequential(fb.BatchNorm1d(70, momentum=1.0), dtype=dtype)
    net.forward(x)
    eps, (norm,) = np.finfo(dtype).eps, net.layers
    wide = x.astype(np.longdouble)
    np.testing.assert_allclose(norm.running_mean, wide.mean(axis=0).astype(dtype), 16 * eps)
    np.testing.assert_allclose(norm.running_var, wide.var(axis=0, ddof=1).astype(dtype), 1e3 * eps)


def test_nan_and_extremes(backend, dtype):
    x = np.array([[1.0, -2.0, 3.0, np.nan], [0.0, 5.0, -1e4, 1.0], [7.0, 5.0, 1e4, 2.0]])
    for make in (fb.BatchNorm1d, fb.LayerNorm, fb.Scale):
        y = fb.Sequential(make(4), dtype=dtype).forward(x)
        assert np.isnan(y[0, 3])
        assert np.isfinite(y[1:, :3]).all()
    assert np.isfinite(
        fb.Sequential(fb.BatchNorm1d(2), dtype=dtype).forward([[3, 1], [3, 2]])
    ).all()


REFUSED = [
    (lambda: fb.BatchNorm1d(0), ValueError, "BatchNorm1d num_features: expected at least 1"),
    (lambda: fb.BatchNorm1d(3, eps=-1.0), ValueError, "BatchNorm1d eps: expected at least 0"),
    (lambda: fb.BatchNorm1d(3, momentum=2.0), ValueError, "momentum: expected at most 1"),
    (lambda: fb.BatchNorm1d(3, affine=1), TypeError, "affine: expected True or False, got 1"),
    (lambda: fb.LayerNorm((3, 4)), TypeError, "LayerNorm normalized_shape: expected a whole"),
    (lambda: fb.LayerNorm(3, elementwise_affine="no"), TypeError, "expected True or False"),
    (lambda: fb.Scale("3"), TypeError, "Scale num_features: expected a whole number"),
    (lambda: fb.Standardize([1, np.nan], [1, 1]), ValueError, "mean: expected finite .*nan at 1"),
    (lambda: fb.Standardize([1, 2], [1, 0]), ValueError, "std: expected .* above 0, got 0.0 at 1"),
    (lambda: fb.Standardize([1, 2], [np.inf, 1]), ValueError, "std: expected .* got inf at 0"),
    (lambda: fb.Standardize([1, 2], [1]), ValueError, "2 means and 1 deviations"),
    (lambda: fb.Standardize(3.0, 1.0), ValueError, "mean: expected a number for each column"),
    (lambda: fb.Standardize.of([[1, np.nan]]), ValueError, "NaN or infinite ones in column 1"),
    (lambda: fb.Standardize.of([1, 2]), ValueError, "Standardize.of: expected samples"),
    (
        lambda: fb.Sequential(fb.Standardize([0], [1e-60]), dtype="float32"),
        ValueError,
        "std: expected .* above 0, got 0.0 at 0",
    ),
    (
        lambda: fb.Sequential(fb.Linear(2, 3), fb.BatchNorm1d(4)),
        ValueError,
        "layer 1: BatchNorm1d.* takes 4 columns, but 3 come in",
    ),
    (
        lambda: fb.Sequential(fb.LayerNorm(4), input_shape=(1, 2, 2)),
        ValueError,
        r"images \(1, 2, 2\) come in: put Flatten\(\)",
    ),
    (
        lambda: fb.Sequential(fb.Standardize([0, 0], [1, 1]), input_shape=(3, 2, 2)),
        ValueError,
        r"2 means and deviations, but images \(3, 2, 2\) come in",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_what_they_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_sizes_are_fixed_and_numbers_are_not():
    net = fb.Sequential(fb.BatchNorm1d(3), fb.LayerNorm(3))
    for layer, name, value in ((0, "num_features", 4), (0, "affine", False)):
        with pytest.raises(AttributeError, match="it is fixed"):
            setattr(net.layers[layer], name, value)
    net.layers[0].momentum, net.layers[0].eps, net.layers[1].eps = None, 0.5, 0.25
    assert repr(net.layers[0]) == "BatchNorm1d(3, eps=0.5, momentum=None, affine=True)"


def test_standardize_of_samples(backend, dtype, rng, tmp_path):
    x = rng.normal(size=(5000, 3)) * [1e-3, 1, 1e3] + [5, 0, -1e5]
    x[:, 1] = 7.7
    layer = fb.Standardize.of(x)
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), 1e-12)
    np.testing.assert_allclose(layer.std, [x[:, 0].std(), 1, x[:, 2].std()], 1e-9)
    net = fb.Sequential(layer, dtype="float64")
    y = net.forward(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(y.std(axis=0), [1, 0, 1], atol=1e-10)
    net.save(tmp_path / "net.safetensors")
    loaded = fb.load(tmp_path / "net.safetensors")
    assert np.array_equal(loaded.forward(x), y)
    assert repr(loaded) == "Sequential(Standardize(3 columns))"


def test_standardize_of_data_sets_and_images(backend, rng):
    pixels = rng.integers(0, 256, (30, 2 * 3 * 4)).astype("uint8")
    labels = rng.integers(2, size=30)
    data = fb.datasets.Dataset(pixels, labels, 2, scale=1 / 255)
    layer = fb.Standardize.of(data)
    np.testing.assert_allclose(layer.mean, pixels.mean(axis=0) / 255, 1e-12)
    images = pixels.reshape(30, 2, 3, 4) / 255
    layer = fb.Standardize.of(images)
    np.testing.assert_allclose(layer.std, images.std(axis=(0, 2, 3)), 1e-12)
    net = fb.Sequential(
        layer, fb.Flatten(), fb.Linear(24, 2), input_shape=(2, 3, 4), dtype="float64"
    )
    net.forward(images)
    standard = net.layers[0].y
    np.testing.assert_allclose(standard.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    for fused in (True, False):
        history = fb.fit(
            net, data, loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=1, fused=fused
        )
        assert np.isfinite(history.losses[0]).all()
