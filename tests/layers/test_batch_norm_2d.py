"""BatchNorm2d beside its definition: what PyTorch's values do not say."""

import numpy as np
import pytest

import fastbp as fb


def on(layer, *shape, **options):
    return fb.Sequential(layer, input_shape=shape, **options).layers[0]


def test_each_channel_has_mean_0_and_variance_1(backend, dtype, rng):
    layer = on(fb.BatchNorm2d(3, eps=0), 3, 5, 7, dtype=dtype)
    y = layer.forward(rng.normal(50, 3, (4, 3, 5, 7)).astype(dtype)).astype(float)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, rtol=1e-5)


def test_a_single_image_will_do_unless_it_is_one_pixel(backend, rng):
    layer = on(fb.BatchNorm2d(2), 2, 1, 3)
    assert layer.forward(rng.normal(size=(1, 2, 1, 3))).shape == (1, 2, 1, 3)
    layer = on(fb.BatchNorm2d(2), 2, 1, 1)
    with pytest.raises(ValueError, match="expected at least 2 values of each channel in a batch"):
        layer.forward(np.ones((1, 2, 1, 1)))
    layer.training = False
    assert layer.forward(np.ones((1, 2, 1, 1))).shape == (1, 2, 1, 1)


def test_fit_takes_batches_of_one_image_but_not_of_one_pixel(backend, rng):
    def fit(*size, batch_size):
        net = fb.Sequential(
            fb.BatchNorm2d(1), fb.Flatten(), fb.Linear(size[0] * size[1], 2), input_shape=(1, *size)
        )
        data = rng.normal(size=(5, size[0] * size[1])), rng.integers(2, size=5)
        settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.1), "epochs": 1}
        return fb.fit(net, data, batch_size=batch_size, **settings)

    assert np.isfinite(fit(2, 2, batch_size=4).losses[0]).all()
    with pytest.raises(ValueError, match="needs at least 2 samples in each batch"):
        fit(1, 1, batch_size=4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fb.Sequential(fb.BatchNorm2d(3)), r"takes images of a known size"),
        (lambda: on(fb.BatchNorm2d(3), 2, 4, 4), r"takes images \(3, h, w\), but \(2, 4, 4\) come"),
        (
            lambda: on(fb.BatchNorm2d(3), 3),
            r"takes images \(channels, h, w\), but rows \(3,\) come",
        ),
        (lambda: fb.BatchNorm2d(0), "BatchNorm2d num_features: expected at least 1, got 0"),
        (lambda: fb.BatchNorm2d(2, momentum=2), "BatchNorm2d momentum: expected at most 1, got 2"),
    ],
)
def test_what_it_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_nan_stays_nan_in_its_channel_alone(backend):
    x = np.ones((2, 2, 2, 2))
    x[1, 1, 0, 0] = np.nan
    y = on(fb.BatchNorm2d(2), 2, 2, 2, dtype="float64").forward(x)
    assert np.isfinite(y[:, 0]).all()
    assert np.isnan(y[:, 1]).all()


def test_a_frozen_one_still_keeps_running_averages(backend, rng):
    made = []
    for fused in (True, False):
        net = fb.Sequential(
            *(fb.Conv2d(1, 2, 2), fb.BatchNorm2d(2), fb.Flatten(), fb.Linear(18, 2)),
            input_shape=(1, 4, 4),
            dtype="float64",
        )
        net.layers[1].trainable = False
        rng = np.random.default_rng(3)
        data = rng.normal(size=(40, 16)), rng.integers(2, size=40)
        settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.1), "epochs": 2}
        fb.fit(net, data, batch_size=20, fused=fused, **settings)
        made.append(net)
        np.testing.assert_array_equal(net.layers[1].w, 1)
        assert net.layers[1].num_batches_tracked == 4
    np.testing.assert_allclose(made[0].params, made[1].params, rtol=1e-9)
    np.testing.assert_allclose(made[0].buffers, made[1].buffers, rtol=1e-9)
