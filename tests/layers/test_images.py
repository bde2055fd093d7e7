"""The layers of images against their mathematics, written out window by window in float64."""

import re

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb

TOLERANCE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-12, "atol": 1e-13}}

# images (n, channels, h, w); window: kernel, stride, padding
SETTINGS = {
    "1x1": ((3, 2, 5, 4), (1, 1, 0)),
    "one pixel": ((2, 17, 1, 1), (1, 1, 0)),
    "one pixel, padded": ((2, 3, 1, 1), (2, 2, 1)),
    "2 by 2": ((3, 3, 6, 8), (2, 2, 0)),
    "2 by 2, odd": ((17, 1, 7, 5), (2, 2, 0)),
    "3 by 2, overlap": ((4, 3, 9, 7), (3, 2, 1)),
    "5x5": ((2, 2, 7, 11), (5, 1, 2)),
    "2x3": ((1, 2, 5, 7), ((2, 3), (1, 2), (1, 0))),
    "gaps": ((2, 4, 8, 7), (2, 3, 0)),
    "whole image": ((3, 2, 4, 6), ((4, 6), 1, 0)),
    "empty batch": ((0, 2, 4, 4), (3, 1, 1)),
}


EVERY_SETTING = for_each("setting", SETTINGS.values())


def pair(n):
    return n if isinstance(n, tuple) else (n, n)


def windows_of(shape, window):
    """(i, j, rows, columns) of each window on the padded image."""
    (tall, wide), (down, right), (top, left) = map(pair, window)
    h, w = (shape[2] + 2 * top - tall) // down + 1, (shape[3] + 2 * left - wide) // right + 1
    for i, j in np.ndindex(h, w):
        yield i, j, slice(i * down, i * down + tall), slice(j * right, j * right + wide)


def behind(shape, window, channels=None):
    last = list(windows_of(shape, window))[-1]
    return shape[0], channels or shape[1], last[0] + 1, last[1] + 1


def padded(x, window, value=0.0):
    top, left = pair(window[2])
    return np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=value)


def inside(x, window):
    (top, left), (h, w) = pair(window[2]), x.shape[2:]
    return x[:, :, top : h - top, left : w - left]


def on(layer, shape, dtype):
    """A layer in a network for images of this shape."""
    return fb.Sequential(layer, input_shape=shape[1:], dtype=dtype).layers[0]


def assert_close(actual, expected, dtype):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, **TOLERANCE[dtype.name])


# Forward and backward


@EVERY_SETTING
def test_convolution(backend, dtype, setting, rng):
    shape, window = setting
    layer = on(fb.Conv2d(shape[1], 3, *window), shape, dtype)
    layer.b[...] = rng.normal(size=3)
    w, b = layer.w.astype(float), layer.b.astype(float)
    x = rng.normal(size=shape).astype(dtype)
    dy = rng.normal(size=behind(shape, window, 3)).astype(dtype)
    x64, dy64 = padded(x.astype(float), window), dy.astype(float)
    y, dw, dx = np.empty(dy.shape), np.zeros(w.shape), np.zeros_like(x64)
    for i, j, rows, columns in windows_of(shape, window):
        seen = x64[:, :, rows, columns]
        y[:, :, i, j] = np.einsum("nckl,ockl->no", seen, w) + b
        dw += np.einsum("nckl,no->ockl", seen, dy64[:, :, i, j])
        dx[:, :, rows, columns] += np.einsum("no,ockl->nckl", dy64[:, :, i, j], w)
    assert_close(layer.forward(x), y, dtype)
    layer.dw[...], layer.db[...] = np.nan, np.nan
    assert_close(layer.backward(dy), inside(dx, window), dtype)
    assert_close(layer.dw, dw, dtype)
    assert_close(layer.db, dy64.sum(axis=(0, 2, 3)), dtype)


@EVERY_SETTING
def test_max_pooling(backend, dtype, setting, rng):
    shape, window = setting
    layer = on(fb.MaxPool2d(*window[:2], min_padding(window)), shape, dtype)
    window = (*window[:2], min_padding(window))
    x = rng.integers(-3, 4, shape).astype(dtype)  # with maxima that are met twice
    dy = rng.normal(size=behind(shape, window)).astype(dtype)
    x64, dy64 = padded(x.astype(float), window, -np.inf), dy.astype(float)
    y, dx = np.empty(dy.shape), np.zeros_like(x64)
    for i, j, rows, columns in windows_of(shape, window):
        for n, c in np.ndindex(*shape[:2]):
            seen = x64[n, c, rows, columns]
            first = np.unravel_index(seen.argmax(), seen.shape)
            y[n, c, i, j] = seen[first]
            dx[n, c, rows, columns][first] += dy64[n, c, i, j]
    assert_close(layer.forward(x), y, dtype)
    assert_close(layer.backward(dy), inside(dx, window), dtype)


@EVERY_SETTING
def test_average_pooling_counts_the_padding(backend, dtype, setting, rng):
    shape, window = setting
    window = (*window[:2], min_padding(window))
    layer = on(fb.AvgPool2d(*window), shape, dtype)
    x = rng.normal(size=shape).astype(dtype)
    dy = rng.normal(size=behind(shape, window)).astype(dtype)
    x64, size = padded(x.astype(float), window), np.prod(pair(window[0]))
    y, dx = np.empty(dy.shape), np.zeros_like(x64)
    for i, j, rows, columns in windows_of(shape, window):
        y[:, :, i, j] = x64[:, :, rows, columns].sum(axis=(2, 3)) / size
        dx[:, :, rows, columns] += dy[:, :, i : i + 1, j : j + 1] / size
    assert_close(layer.forward(x), y, dtype)
    assert_close(layer.backward(dy), inside(dx, window), dtype)


def min_padding(window):
    """At most half of the window, as pools have it."""
    return tuple(min(p, k // 2) for p, k in zip(pair(window[2]), pair(window[0]), strict=True))


def test_flatten_changes_the_shape_alone(backend, dtype, rng):
    flatten = fb.Flatten()
    x = rng.normal(size=(4, 3, 5, 2)).astype(dtype)
    assert np.array_equal(flatten.forward(x), x.reshape(4, 30))
    assert np.array_equal(flatten.backward(x.reshape(4, 30)), x)
    assert flatten.forward(x[:, 0, 0]).shape == (4, 2)


ELEMENTWISE = list(parts.ACTIVATIONS.values())


@for_each("layer", ELEMENTWISE)
def test_elementwise_layers_take_images(backend, dtype, layer, rng):
    x, dy = rng.normal(size=(2, 3, 2, 5, 3)).astype(dtype)
    rows, images = layer(), layer()
    y, dx = rows.forward(x.reshape(3, 30)), rows.backward(dy.reshape(3, 30))
    assert np.array_equal(images.forward(x), y.reshape(x.shape))
    assert np.array_equal(images.backward(dy), dx.reshape(x.shape))


LAYERS = {
    "Conv2d": lambda: fb.Conv2d(2, 3, 3, 2, 1),
    "MaxPool2d": lambda: fb.MaxPool2d(3, 2, 1),
    "AvgPool2d": lambda: fb.AvgPool2d(3, 2, 1),
    "Flatten": fb.Flatten,
}
SHAPE = (4, 2, 7, 5)  # of what these take here


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request, dtype):
    return on(request.param(), SHAPE, dtype)


def arrangements(a):
    """The same numbers, otherwise arranged in memory."""
    read_only = a.copy()
    read_only.setflags(write=False)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    return {
        "Fortran": np.asfortranarray(a),
        "channels last": last,
        "strided": np.repeat(np.repeat(a, 2, axis=0), 3, axis=-1)[::2, ..., ::3],
        "backwards": a[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "list": a.tolist(),
        "other byte order": a.astype(a.dtype.newbyteorder()),
    }


def test_the_arrangement_in_memory_does_not_matter(backend, layer, dtype, rng):
    x = rng.normal(size=SHAPE).astype(dtype)
    y = layer.forward(x).copy()
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = layer.backward(dy).copy()
    others = arrangements(dy)
    for name, other in arrangements(x).items():
        assert np.array_equal(layer.forward(other), y), name
        assert np.array_equal(layer.backward(others[name]), dx), name


def test_nothing_that_goes_in_is_changed_and_outputs_are_new(backend, layer, dtype, rng):
    x = rng.normal(size=SHAPE).astype(dtype)
    before, y = x.copy(), layer.forward(x)
    kept, dy = y.copy(), np.ones_like(y)
    layer.backward(dy)
    layer.forward(-x)
    assert np.array_equal(x, before)
    assert np.array_equal(dy, np.ones_like(y))
    assert np.array_equal(y, kept)


def test_backward_overwrites_gradients_and_may_leave_dx_out(backend, dtype, rng):
    layer = on(fb.Conv2d(2, 3, 3), SHAPE, dtype)
    dy = rng.normal(size=layer.forward(rng.normal(size=SHAPE)).shape)
    layer.backward(dy)
    dw, db = layer.dw.copy(), layer.db.copy()
    layer.dw[...], layer.db[...] = np.nan, 5
    assert layer.backward_parameters(dy) is None
    assert np.array_equal(layer.dw, dw)
    assert np.array_equal(layer.db, db)


# Shapes: PyTorch's own, floor((size + 2·padding - kernel) / stride) + 1


@pytest.mark.parametrize(
    ("layer", "shape", "behind"),
    [
        (fb.Conv2d(1, 6, 5, padding=2), (1, 28, 28), (6, 28, 28)),
        (fb.Conv2d(6, 16, 5), (6, 14, 14), (16, 10, 10)),
        (fb.Conv2d(3, 8, 3, stride=2), (3, 8, 9), (8, 3, 4)),
        (fb.Conv2d(3, 8, (3, 5), (2, 1), (0, 1)), (3, 8, 9), (8, 3, 7)),
        (fb.Conv2d(1, 2, 7, padding=3), (1, 1, 1), (2, 1, 1)),
        (fb.MaxPool2d(2), (6, 28, 28), (6, 14, 14)),
        (fb.MaxPool2d(2), (6, 7, 5), (6, 3, 2)),
        (fb.MaxPool2d(3, 1), (2, 5, 5), (2, 3, 3)),
        (fb.MaxPool2d(3, 2, 1), (2, 8, 7), (2, 4, 4)),
        (fb.MaxPool2d((2, 3)), (2, 8, 9), (2, 4, 3)),
        (fb.AvgPool2d(2, (1, 2)), (2, 8, 9), (2, 7, 4)),
        (fb.AvgPool2d(2, 1, 1), (5, 1, 1), (5, 2, 2)),
        (fb.Flatten(), (16, 5, 5), (400,)),
        (fb.Flatten(), (7,), (7,)),
        (fb.ReLU(), (16, 5, 5), (16, 5, 5)),
        (fb.Dropout(), (16, 5, 5), (16, 5, 5)),
    ],
    ids=repr,
)
def test_the_shape_behind_a_layer(layer, shape, behind):
    assert layer.output_shape(shape) == behind
    net = fb.Sequential(layer, input_shape=shape)
    assert net.shapes == [behind]
    assert net.forward(np.zeros((2, *shape))).shape == (2, *behind)


def test_where_the_shape_is_open():
    assert fb.Flatten().output_shape(None) is None
    assert fb.Dropout().output_shape(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "Conv2d(1, 6, kernel=5, stride=1, padding=2)",
        "Conv2d(3, 4, kernel=(2, 3), stride=(1, 2), padding=(0, 1))",
        "MaxPool2d(kernel=2, stride=2, padding=0)",
        "MaxPool2d(kernel=(3, 2), stride=(2, 1), padding=(1, 0))",
        "AvgPool2d(kernel=3, stride=1, padding=1)",
        "Flatten()",
        "Dropout(0.25, seed=7)",
        "Dropout(0.5, seed=None)",
    ],
)
def test_repr_is_how_to_make_it(text):
    layer = eval(text, vars(fb))
    assert repr(layer) == text


def test_settings_may_be_left_out_or_numpys(rng):
    assert (
        repr(fb.Conv2d(np.int64(1), 2, np.int32(3)))
        == "Conv2d(1, 2, kernel=3, stride=1, padding=0)"
    )
    assert repr(fb.MaxPool2d((3, 3))) == "MaxPool2d(kernel=3, stride=3, padding=0)"
    assert repr(fb.AvgPool2d([2, 3])) == "AvgPool2d(kernel=(2, 3), stride=(2, 3), padding=0)"


# What is refused


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: fb.Conv2d(0, 3, 3), ValueError, "Conv2d in_channels: expected at least 1, got 0"),
        (lambda: fb.Conv2d(1, -3, 3), ValueError, "Conv2d out_channels: expected at least 1, got "),
        (lambda: fb.Conv2d(1.5, 3, 3), TypeError, "Conv2d in_channels: expected a whole number, "),
        (lambda: fb.Conv2d(1, 3, 0), ValueError, "Conv2d kernel: expected at least 1, got 0"),
        (lambda: fb.Conv2d(1, 3, 2.0), TypeError, "Conv2d kernel: expected a whole number, got 2."),
        (lambda: fb.Conv2d(1, 3, True), TypeError, "Conv2d kernel: expected a whole number, got T"),
        (lambda: fb.Conv2d(1, 3, "3"), TypeError, "Conv2d kernel: expected a whole number, got '3"),
        (lambda: fb.Conv2d(1, 3, None), TypeError, "Conv2d kernel: expected a whole number, got N"),
        (
            lambda: fb.Conv2d(1, 3, (3, 3, 3)),
            ValueError,
            "Conv2d kernel: expected a whole number or two, got (3, 3, 3)",
        ),
        (lambda: fb.Conv2d(1, 3, ()), ValueError, "Conv2d kernel: expected a whole number or two"),
        (lambda: fb.Conv2d(1, 3, (3, 0)), ValueError, "Conv2d kernel: expected at least 1, got 0"),
        (lambda: fb.Conv2d(1, 3, 3, 0), ValueError, "Conv2d stride: expected at least 1, got 0"),
        (lambda: fb.Conv2d(1, 3, 3, (1, -1)), ValueError, "Conv2d stride: expected at least 1, go"),
        (lambda: fb.Conv2d(1, 3, 3, 1, -1), ValueError, "Conv2d padding: expected at least 0, got"),
        (lambda: fb.Conv2d(1, 3, 3, 1, "full"), ValueError, "Conv2d padding: expected a whole num"),
        (
            lambda: fb.Conv2d(1, 3, 3, (1, 2), "same"),
            ValueError,
            "Conv2d padding: 'same' is for a stride of 1, got a stride of (1, 2)",
        ),
        (
            lambda: fb.Conv2d(6, 9, 3, groups=2),
            ValueError,
            "Conv2d groups: expected a divisor of in_channels 6 and of out_channels 9, got 2",
        ),
        (
            lambda: fb.Conv2d(6, 9, 3, groups=0),
            ValueError,
            "Conv2d groups: expected at least 1, go",
        ),
        (lambda: fb.Conv2d(1, 3, 3, bias=1), TypeError, "Conv2d bias: expected True or False, got"),
        (lambda: fb.Linear(1, 3, bias=None), TypeError, "Linear bias: expected True or False, got"),
        (lambda: fb.Conv2d(1, 3, 3, init="zero"), ValueError, "init: expected normal, uniform, gl"),
        (lambda: fb.MaxPool2d(0), ValueError, "MaxPool2d kernel: expected at least 1, got 0"),
        (lambda: fb.MaxPool2d(2, 1.0), TypeError, "MaxPool2d stride: expected a whole number"),
        (
            lambda: fb.MaxPool2d(3, 1, 2),
            ValueError,
            "MaxPool2d padding: expected at most half of the window 3x3, got 2",
        ),
        (
            lambda: fb.AvgPool2d((4, 1), 1, (2, 1)),
            ValueError,
            "AvgPool2d padding: expected at most half of the window 4x1, got (2, 1)",
        ),
        (lambda: fb.AvgPool2d((2, 2, 2)), ValueError, "AvgPool2d kernel: expected a whole number "),
    ],
)
def test_settings_are_checked(make, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        make()


def test_a_convolution_needs_a_network():
    text = (
        "Conv2d(1, 2, kernel=3, stride=1, padding=0) has no parameters yet: put it into a "
        "Sequential first"
    )
    with pytest.raises(RuntimeError, match=re.escape(text)):
        fb.Conv2d(1, 2, 3).forward(np.zeros((1, 1, 3, 3)))


@for_each("make", list(LAYERS.values())[:3])
@for_each(
    ("shape", "error", "text"),
    [
        ((4, 70), ValueError, " takes images (channels, h, w), but rows (70,) come in"),
        ((4, 7, 5), ValueError, " takes images (channels, h, w), but samples (7, 5) come in"),
        ((4, 1, 2, 7, 5), ValueError, " takes images (channels, h, w), but samples (1, 2, 7, 5) c"),
        ((70,), ValueError, ": expected a two-dimensional array, one sample a row; got shape (70"),
        ((4, 2, 0, 5), ValueError, ": expected at least one column, got shape (4, 2, 0, 5)"),
    ],
)
def test_only_images_go_in(dtype, make, shape, error, text):
    layer = on(make(), SHAPE, dtype)
    with pytest.raises(error, match="^" + re.escape(repr(layer) + text)):
        layer.forward(np.zeros(shape))


def test_the_channels_must_fit(dtype):
    layer = on(LAYERS["Conv2d"](), SHAPE, dtype)
    text = " takes images (2, h, w), but (3, 7, 5) come in"
    with pytest.raises(ValueError, match="^" + re.escape(repr(layer) + text)):
        layer.forward(np.zeros((4, 3, 7, 5)))


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (fb.Conv2d(1, 2, 5), (1, 1, 4, 9), ": its window of 5x5 is larger than the images (1, 4"),
        (fb.MaxPool2d((2, 5)), (1, 3, 2, 4), ": its window of 2x5 is larger than the images (3, "),
        (
            fb.AvgPool2d(5, 1, 1),
            (1, 3, 2, 9),
            ": its window of 5x5 is larger than the images (3, 2, 9), 4x11 with padding",
        ),
    ],
)
def test_the_window_must_fit(layer, shape, text):
    if isinstance(layer, fb.Conv2d):
        layer = on(layer, (1, 1, 9, 9), "float32")
    with pytest.raises(ValueError, match="^" + re.escape(repr(layer) + text)):
        layer.forward(np.zeros(shape))


def test_raw_pixels_and_what_is_no_number_are_refused(layer):
    with pytest.raises(TypeError, match=re.escape(f"{layer!r}: got uint8, which looks like raw ")):
        layer.forward(np.zeros(SHAPE, np.uint8))
    with pytest.raises(TypeError, match=re.escape(f"{layer!r}: expected real numbers, got dtype ")):
        layer.forward(np.zeros(SHAPE).astype(str))


def test_backward_needs_a_forward_and_a_dy_like_y(layer):
    with pytest.raises(RuntimeError, match=re.escape(f"{layer!r}: call forward before backward")):
        layer.backward(np.zeros(SHAPE))
    y = layer.forward(np.zeros(SHAPE))
    for wrong in (y[:3], y[:, :-1], y[..., :-1], y[0]):
        with pytest.raises(ValueError, match=re.escape(f"{layer!r}.backward: expected ")):
            layer.backward(wrong)


def test_what_goes_unsaid_is_left_out_and_the_rest_is_saved(tmp_path):
    first = fb.Conv2d(2, 4, (2, 3), padding="same", groups=2, bias=False)
    net = fb.Sequential(
        first, fb.Flatten(), fb.Linear(80, 3, bias=False), fb.Linear(3, 2), input_shape=(2, 4, 5)
    )
    names = [repr(layer) for layer in net.layers]
    assert names[0] == "Conv2d(2, 4, kernel=(2, 3), stride=1, padding='same', groups=2, bias=False)"
    assert names[2:] == ["Linear(80, 3, bias=False)", "Linear(3, 2)"]
    assert first.b is first.db is None
    assert first.w.shape == (4, 1, 2, 3)
    assert net.params.size == 4 * 6 + 80 * 3 + 3 * 2 + 2
    net.save(tmp_path / "net.safetensors")
    again = fb.load(tmp_path / "net.safetensors")
    assert [repr(layer) for layer in again.layers] == names
    np.testing.assert_array_equal(again.params, net.params)
