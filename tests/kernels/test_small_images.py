"""Images of a few pixels: one row, one column, one channel, one window, one sample.

There the steps from one row, column, channel or image to the next coincide, and windows meet few
pixels or none: what tells cases apart by a step, or counts from an edge, shows here. The usual run
samples all these sizes; ``python tests/kernels/test_small_images.py`` goes through every one.
"""

import functools
import itertools

import numpy as np
import pytest
from for_each import for_each
from image_cases import ON_IMAGES, Images, make_image_case

import fastbp as fb
from fastbp.kernels import KERNELS, _numpy

SIZES, WINDOWS, FEW = (1, 2, 3, 4), (1, 2, 3), (1, 2, 3)
BATCHES = (1, 2, 16, 17)  # SAMPLES of the engines is 16
SAMPLED = 50  # cases of a kernel


@functools.cache
def every_images() -> list[tuple[int, Images]]:
    """All sizes of batch, images and windows that fit together."""
    found = []
    pairs = [itertools.product(values, repeat=2) for values in (SIZES, WINDOWS, FEW)]
    for n, size, kernel, stride, channels, filters in itertools.product(
        BATCHES, *map(list, pairs), FEW, FEW
    ):
        if kernel[0] <= size[0] and kernel[1] <= size[1]:
            padding = (size[0] - 1) % 3, (size[1] + 1) % 3
            found.append((n, Images(channels, size, filters, kernel, stride, padding)))
    return found


def compare(module, name, n, images, dtype, rng) -> None:
    """A kernel of a module against the reference in float64."""
    case = make_image_case(name, n, images, dtype, rng)
    right = {
        argument: value.astype(np.float64)
        if isinstance(value, np.ndarray) and value.dtype == dtype
        else value
        for argument, value in case.items()
    }
    getattr(module, name)(*case.values())
    getattr(_numpy, name)(*right.values())
    for output in KERNELS[name].outputs:
        most = np.abs(right[output]).max(initial=1)
        np.testing.assert_allclose(
            case[output],
            right[output],
            rtol=0,
            atol=200 * np.finfo(dtype).eps * most,
            err_msg=f"{name} {output} of {n} {images}",
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("name", ON_IMAGES)
def test_kernels_are_the_reference(compiled, name, dtype, rng):
    cases = every_images()
    for chosen in rng.choice(len(cases), SAMPLED, replace=False):
        compare(compiled, name, *cases[chosen], np.dtype(dtype), rng)


# Whole networks


def a_network(rng: np.random.Generator) -> fb.Sequential:
    """One of a few small image layers, in float64."""
    channels, *size = (int(rng.choice(sizes)) for sizes in (FEW, SIZES, SIZES))
    input_shape = shape = (channels, *size)
    layers = []
    for _ in range(rng.integers(1, 4)):
        padding = tuple(map(int, rng.integers(0, 3, 2)))
        room = [
            min(3, extent + 2 * border) for extent, border in zip(shape[1:], padding, strict=True)
        ]
        kernel = tuple(int(rng.integers(1, most, endpoint=True)) for most in room)
        stride = tuple(map(int, rng.choice([1, 1, 2, 3, 5], 2)))
        kind = rng.choice(["conv", "conv", "max", "avg", "relu", "tanh", "dropout"])
        if kind == "conv":
            layer = fb.Conv2d(shape[0], int(rng.choice(FEW)), kernel, stride, padding)
        elif kind in ("max", "avg"):
            pool = fb.MaxPool2d if kind == "max" else fb.AvgPool2d
            half = tuple(min(k // 2, border) for k, border in zip(kernel, padding, strict=True))
            fits = all(k <= e + 2 * b for k, e, b in zip(kernel, shape[1:], half, strict=True))
            layer = pool(kernel, stride, half) if fits else pool(1, stride)
        else:
            layer = {"relu": fb.ReLU, "tanh": fb.Tanh, "dropout": lambda: fb.Dropout(0.3)}[kind]()
        layers.append(layer)
        shape = layer.output_shape(shape)
    size = int(np.prod(shape))
    return fb.Sequential(
        *layers, fb.Flatten(), fb.Linear(size, 2), input_shape=input_shape, dtype="float64"
    )


def trained(net, x, y, backend, fused, batch_size):
    """What fit makes of a copy of it, and its scores."""
    net = net.copy()
    with fb.use_backend(backend):
        history = fb.fit(
            net, (x, y), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.1, momentum=0.5),
            epochs=2, batch_size=batch_size, fused=fused,
        )  # fmt: skip
        assert ("fused" in history.path) == fused
        return np.concatenate([net.params, net.scores(np.tile(x, (9, 1, 1, 1))).ravel()])


def compare_engines(seed: int) -> None:
    """Both engines against the reference's layered loop, on the network of a seed."""
    rng = np.random.default_rng([7, seed])
    net, batch_size = a_network(rng), int(rng.choice(BATCHES))
    n = int(rng.choice([1, 2, 17, 60]))
    x = rng.normal(size=(n, *net.input_shape))
    y = rng.integers(0, 2, n)
    right = trained(net, x, y, "numpy", False, batch_size)
    for backend in ("cython", "numba"):
        found = trained(net, x, y, backend, True, batch_size)
        np.testing.assert_allclose(
            found, right, rtol=1e-7, atol=1e-9,
            err_msg=f"{backend}, seed {seed}: {net!r}, {n} samples in batches of {batch_size}",
        )  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_networks_train_on_engines_as_layer_by_layer(part):
    for seed in range(part * 40, part * 40 + 40):
        compare_engines(seed)


if __name__ == "__main__":
    for backend in ("cython", "numba"):
        for number, (n, images) in enumerate(every_images()):
            for name in ON_IMAGES:
                for dtype in ("float32", "float64") if not number % 7 else ("float64",):
                    rng = np.random.default_rng(number)
                    compare(
                        fb.backends.load(backend).kernels, name, n, images, np.dtype(dtype), rng
                    )
        print(backend, number + 1, "sizes")  # noqa: T201
    for seed in range(160, 4000):
        compare_engines(seed)
    print("engines, seeds up to", seed)  # noqa: T201
