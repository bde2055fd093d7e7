"""Layers on images and sixty steps of networks with them are PyTorch's.

data/make_torch_images.py wrote down what PyTorch computes, in float64.
"""

import json
from pathlib import Path

import numpy as np
from for_each import for_each

import fastbp as fb

with np.load(Path(__file__).parent / "data/torch_images.npz") as file:
    ARRAYS = dict(file)
TORCH = json.loads(str(ARRAYS["cases"]))
NEAR = {"rtol": 1e-9, "atol": 1e-9}
LAYERS = list(enumerate(TORCH["layers"]))
NETWORKS = list(enumerate(TORCH["networks"], len(LAYERS)))


def made(name, arguments, settings):
    """The layer of a case; JSON has no tuples."""
    arguments = [tuple(a) if isinstance(a, list) else a for a in arguments]
    return getattr(fb, name)(*arguments, **settings)


def arrays_of(number):
    start = f"{number} "
    return {name[len(start) :]: a for name, a in ARRAYS.items() if name.startswith(start)}


def numbered(arrays, name):
    return [arrays[f"{name}{i}"] for i in range(len(arrays)) if f"{name}{i}" in arrays]


@for_each(("number", "case"), LAYERS)
def test_a_layer(backend, number, case):
    *layer, shape = case
    want = arrays_of(number)
    layer = fb.Sequential(made(*layer), input_shape=shape[1:], dtype="float64").layers[0]
    names = list(layer.parameter_shapes())
    for name, parameter in zip(names, numbered(want, "parameter"), strict=True):
        setattr(layer, name, parameter)
    np.testing.assert_allclose(layer.forward(want["x"]), want["y"], **NEAR)
    np.testing.assert_allclose(layer.backward(want["dy"]), want["dx"], **NEAR)
    for name, gradient in zip(names, numbered(want, "gradient"), strict=True):
        np.testing.assert_allclose(getattr(layer, f"d{name}"), gradient, **NEAR)
    for name, kept in zip(layer.buffer_shapes(), numbered(want, "buffer"), strict=True):
        np.testing.assert_allclose(getattr(layer, name), kept, **NEAR)
    layer.training = False
    np.testing.assert_allclose(layer.forward(want["x"]), want["used"], **NEAR)


@for_each("fused", [True, False])
@for_each(("number", "layers"), NETWORKS)
def test_sixty_steps(backend, number, layers, fused):
    want = arrays_of(number)
    net = fb.Sequential(
        *(made(*layer) for layer in layers),
        fb.Flatten(),
        fb.Linear(inputs_of(layers), 3),
        input_shape=TORCH["shape"],
        dtype="float64",
    )
    net.params[...] = want["start"]
    data = want["x"].reshape(len(want["x"]), -1), want["labels"]
    optimizer = fb.SGD(0.05, momentum=0.5)
    fb.fit(
        net, data, loss=fb.CrossEntropyLoss(), optimizer=optimizer, fused=fused, **TORCH["training"]
    )
    np.testing.assert_allclose(net.params, want["params"], **NEAR)
    np.testing.assert_allclose(net.buffers, want["buffers"], **NEAR)


def inputs_of(layers):
    shape = tuple(TORCH["shape"])
    for layer in layers:
        shape = made(*layer).output_shape(shape)
    return int(np.prod(shape))
