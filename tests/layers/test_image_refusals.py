"""What networks on images refuse, and how they say it."""

import re

import numpy as np
import pytest
from for_each import for_each
from test_image_networks import SHAPE, batch, fit, network

import fastbp as fb


@pytest.mark.parametrize(
    ("parts", "shape", "text"),
    [
        ((fb.Conv2d(1, 2, 3),), None,
         "layer 0: Conv2d(1, 2, kernel=3, stride=1, padding=0) takes images of a known size: "
         "name it, "
         "Sequential(..., input_shape=(channels, height, width))"),
        ((fb.ReLU(), fb.MaxPool2d(2)), None, "layer 1: MaxPool2d(kernel=2, stride=2, padding=0) "
        "takes images of a known"),
        ((fb.Conv2d(1, 2, 3), fb.Linear(72, 3)), (1, 8, 8),
         "layer 1: Linear(72, 3) takes 72 columns, but images (2, 6, 6) come in: put Flatten() "),
        ((fb.Conv2d(1, 2, 3), fb.LogSoftmax()), (1, 8, 8),
         "layer 1: LogSoftmax() takes rows, but images (2, 6, 6) come in: put Flatten() before it"),
        ((fb.Linear(64, 3),), (1, 8, 8),
         "layer 0: Linear(64, 3) takes 64 columns, but images (1, 8, 8) come in: put Flatten() b"),
        ((fb.Linear(64, 9), fb.Conv2d(1, 2, 3)), None,
         "layer 1: Conv2d(1, 2, kernel=3, stride=1, padding=0) takes images (channels, h, w), "
         "but rows (9,) come in"),
        ((fb.Flatten(), fb.AvgPool2d(2)), (1, 8, 8),
         "layer 1: AvgPool2d(kernel=2, stride=2, padding=0) takes images (channels, h, w), "
         "but rows (64,) come in"),
        ((fb.Conv2d(3, 2, 3),), (1, 8, 8),
         "layer 0: Conv2d(3, 2, kernel=3, stride=1, padding=0) takes images (3, h, w), "
         "but (1, 8, 8) come in"),
        ((fb.Conv2d(1, 6, 5), fb.MaxPool2d(2), fb.Conv2d(6, 9, 3)), (1, 8, 8),
         "layer 2: Conv2d(6, 9, kernel=3, stride=1, padding=0): its window of 3x3 is larger than "
         "the images (6, 2, 2)"),
        ((fb.AvgPool2d((3, 12), padding=(1, 1)),), (1, 8, 8),
         "layer 0: AvgPool2d(kernel=(3, 12), stride=(3, 12), "
         "padding=1): its window of 3x12 is larger than the "
         "images (1, 8, 8), 10x10 with padding"),
        ((fb.Conv2d(1, 2, 3), fb.Flatten(), fb.Linear(64, 3)), (1, 8, 8),
         "layer 2: Linear(64, 3) takes 64 columns, but 72 come in"),
    ],
)  # fmt: skip
def test_layers_must_fit(parts, shape, text):
    parts = [eval(repr(part), vars(fb)) for part in parts]
    with pytest.raises(ValueError, match="^Sequential, " + re.escape(text)):
        fb.Sequential(*parts, input_shape=shape)


@pytest.mark.parametrize(
    "shape", [(8, 8), (1, 8, 8, 1), (), 8, "188", {}, (1, 8, 2.5), (1, "8", 8), (1, True, 8)]
)
def test_input_shape_is_checked(shape):
    text = (
        "Sequential input_shape: expected (channels, height, width), three whole numbers; "
        f"got {shape!r}"
    )
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        fb.Sequential(fb.Flatten(), input_shape=shape)


@pytest.mark.parametrize("shape", [(0, 8, 8), (1, -8, 8)])
def test_input_shape_is_positive(shape):
    with pytest.raises(ValueError, match=r"^input_shape: expected at least 1, got "):
        fb.Sequential(fb.Flatten(), input_shape=shape)


USES = {
    "forward": lambda net, x: net.forward(x),
    "scores": lambda net, x: net.scores(x),
    "predict": lambda net, x: net.predict(x),
    "predict_proba": lambda net, x: net.predict_proba(x),
    "fit": lambda net, x: fit(net, (x, [0, 1])),
    "validation": lambda net, x: fit(net, batch(3), validation=(x, [0, 1])),
    "evaluate": lambda net, x: fb.evaluate(net, (x, [0, 1])),
    "gradcheck": lambda net, x: fb.gradcheck(net, fb.HingeLoss(), x, [0, 1]),
}


@for_each("use", USES)
@for_each(
    "shape", [(2, 2, 8, 8), (2, 1, 8, 9), (8, 9), (2, 143), (143,), (2, 9, 8), (2, 2, 72), ()]
)
def test_images_of_another_size_are_refused(use, shape):
    text = f"expected images (2, 8, 9), or rows of their 144 numbers; got shape {shape}"
    with pytest.raises(ValueError, match=re.escape(text)):
        USES[use](network(), np.zeros(shape))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shape", [(2, *SHAPE), (2, 144)])
def test_raw_pixels_are_refused_with_advice(use, shape):
    with pytest.raises(TypeError, match="got uint8, which looks like raw pixels; scale them first"):
        USES[use](network(), np.zeros(shape, np.uint8))


def test_a_dataset_of_other_images_is_refused():
    data = fb.datasets.Dataset(np.zeros((4, 100)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="expected 144 features, got Dataset"):
        network().predict(data)
    with pytest.raises(ValueError, match="train: the network takes 144 columns; got Dataset"):
        fit(network(), data)


@pytest.mark.parametrize("use", ["predict", "predict_proba", "fit", "evaluate"])
def test_images_that_come_out_are_no_scores(backend, use):
    net = fb.Sequential(fb.Conv2d(2, 3, 3), fb.ReLU(), input_shape=SHAPE)
    for x in (np.zeros((2, *SHAPE)), np.zeros((2, *SHAPE), np.float32)):
        with pytest.raises(ValueError, match=r"images \(3, 6, 7\) come out of .*end it in Flatten"):
            USES[use](net, x)
    with pytest.raises(ValueError, match="expected a two-dimensional array, one sample a row"):
        fb.HingeLoss()(net.forward(x), [0, 1])


@pytest.mark.parametrize("n", [5, 7])
def test_dy_must_have_the_shape_of_the_scores(n):
    net = network()
    net.forward(batch()[0])
    with pytest.raises(ValueError, match=re.escape("Linear(7, 3).backward: expected 6 rows, got")):
        net.backward(np.zeros((n, 3)))
