"""What same_results.py computes: trainings of small networks that take every way of the engines."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import fastbp as fb

Data = fb.datasets.Dataset | tuple[np.ndarray, np.ndarray]


class Setting(NamedTuple):
    """One training: two epochs, the second with what the optimiser remembers of the first."""

    layers: Callable[[], list[fb.Layer] | fb.Sequential]
    loss: Callable[[], Any]
    optimizer: Callable[[], Any]
    batch: int
    data: str = "pixels"  # of DATA
    dtype: str = "float32"
    shape: tuple[int, ...] | None = None  # of an image
    samples: int = 300  # most batch sizes leave a smaller last batch
    layered: bool = False  # layer by layer too

    def net(self) -> fb.Sequential:
        """The network with its starting weights."""
        made = self.layers()
        if isinstance(made, fb.Sequential):
            return made
        return fb.Sequential(*made, input_shape=self.shape, seed=1, dtype=self.dtype)


def dense(kind: Callable[[], fb.Layer], *sizes: int) -> Callable[[], list[fb.Layer]]:
    """Makes dense layers of these sizes, an activation between each two."""

    def layers() -> list[fb.Layer]:
        found: list[fb.Layer] = []
        for inputs, outputs in pairwise(sizes):
            found += [fb.Linear(inputs, outputs), kind()]
        return found[:-1]

    return layers


def images(kind: Callable[[], fb.Layer], *between: Callable[[], fb.Layer]) -> Callable[[], Any]:
    """Makes these layers on images (2, 9, 11), then Flatten and a dense layer for 5 classes."""

    def before() -> list[fb.Layer]:
        found = [fb.Conv2d(2, 5, (3, 2), stride=(1, 2), padding=1), kind()]
        return [*found, *(make() for make in between), fb.Flatten()]

    def layers() -> list[fb.Layer]:
        return [*before(), fb.Linear(fb.Sequential(*before(), input_shape=SHAPE).outputs, 5)]

    return layers


def lenet() -> fb.Sequential:
    """The named model."""
    return fb.models.read("lenet").build(features=784, classes=10, seed=1)


@fb.activation
def softsign(x: float) -> float:
    return x / (1 + abs(x))


@softsign.gradient
def softsign_gradient(x: float, y: float) -> float:
    return (1 - abs(y)) ** 2


@cache
def data(name: str, samples: int) -> Data:
    """So many samples: MNIST's, mostly zeros, or made ones without a zero."""
    if name.startswith("pixels"):
        pixels = fb.datasets.mnist()[0].first(samples)
        return pixels if name == "pixels" else pixels.batch(slice(None), name[len("pixels") :])
    rng = np.random.default_rng([7, samples])
    labels = rng.integers(5, size=samples)
    if name == "bytes":
        x = rng.integers(1, 256, (samples, 37)).astype(np.uint8)
        return fb.datasets.Dataset(x, labels, classes=5, scale=1 / 255)
    x = rng.normal(size=(samples, *(SHAPE if name.startswith("images") else (37,))))
    if name.startswith("values"):
        return x.astype(np.float32), np.sin(x[:, :3]).astype(np.float32)
    return x.astype(name.partition("-")[2]), labels


SHAPE = (2, 9, 11)
HINGE, CROSS, NLL, MSE = fb.HingeLoss, fb.CrossEntropyLoss, fb.NLLLoss, fb.MSELoss
TANH, RELU, SIGMOID, ELU = fb.Tanh, fb.ReLU, fb.Sigmoid, fb.ELU
NET, SMALL = (784, 40, 24, 10), (37, 19, 5)  # of pixels and of other data
F32, F64, I32, I64 = "rows-float32", "rows-float64", "images-float32", "images-float64"


def sgd(lr: float = 0.01, *args: Any) -> Callable[[], Any]:
    return lambda: fb.SGD(lr, *args)


def adam(kind: Any = fb.Adam, *args: float) -> Callable[[], Any]:
    return lambda: kind(*args)


def with_dropout(p: float) -> Callable[[], list[fb.Layer]]:
    return lambda: [fb.Linear(784, 40), fb.ReLU(), fb.Dropout(p), fb.Linear(40, 10)]


def log_softmax(*sizes: int) -> Callable[[], list[fb.Layer]]:
    return lambda: [*dense(TANH, *sizes)(), fb.LogSoftmax()]


SETTINGS = {
    "tanh-hinge": Setting(dense(TANH, *NET), HINGE, sgd(), 8, layered=True),
    "sigmoid-cross-entropy": Setting(dense(SIGMOID, *NET), CROSS, sgd(0.1), 64, layered=True),
    "relu-float64": Setting(dense(RELU, *NET), HINGE, sgd(), 33, dtype="float64", layered=True),
    "relu-batch-1": Setting(dense(RELU, *NET), CROSS, sgd(), 1),
    "tanh-batch-513": Setting(dense(TANH, *NET), CROSS, sgd(0.1), 513, samples=1200),
    "relu-batch-513": Setting(dense(RELU, *NET), HINGE, sgd(), 513, samples=1200),
    "elu": Setting(dense(ELU, *NET), CROSS, sgd(0.05), 33),
    "elu-half": Setting(dense(lambda: ELU(0.5), *NET), HINGE, sgd(), 8, layered=True),
    "elu-float64": Setting(dense(lambda: ELU(1.7), *SMALL), CROSS, sgd(), 8, F64, "float64"),
    "margin-small": Setting(dense(TANH, *NET), lambda: HINGE(0.1), sgd(), 33),
    "margin-large": Setting(dense(RELU, *SMALL), lambda: HINGE(5.0), sgd(), 64, F32),
    "nll": Setting(log_softmax(*NET), NLL, sgd(0.1), 33, layered=True),
    "nll-float64": Setting(log_softmax(*SMALL), NLL, sgd(0.1), 8, F64, "float64"),
    "mse-values": Setting(dense(TANH, 37, 19, 3), MSE, sgd(0.1), 33, "values", layered=True),
    "mse-labels": Setting(dense(SIGMOID, *NET), MSE, sgd(0.5), 64),
    "mse-float64": Setting(dense(ELU, 37, 19, 3), MSE, sgd(0.1), 8, "values", "float64"),
    "momentum": Setting(dense(TANH, *NET), CROSS, sgd(0.01, 0.9), 33, layered=True),
    "nesterov": Setting(dense(RELU, *NET), CROSS, sgd(0.01, 0.9, True), 8, layered=True),
    "decay": Setting(dense(TANH, *NET), HINGE, sgd(0.01, 0.0, False, 1e-3), 64),
    "nesterov-decay": Setting(dense(TANH, *SMALL), CROSS, sgd(0.01, 0.8, True, 1e-3), 8, F32),
    "momentum-float64": Setting(dense(TANH, *SMALL), CROSS, sgd(0.1, 0.9), 1, F64, "float64"),
    "adam": Setting(dense(TANH, *NET), CROSS, adam(), 64, layered=True),
    "adam-decay": Setting(dense(RELU, *SMALL), HINGE,
                          adam(fb.Adam, 3e-3, 0.8, 0.99, 1e-6, 1e-3), 33, F32),
    "adam-float64": Setting(dense(SIGMOID, *SMALL), CROSS, adam(), 8, F64, "float64"),
    "adamw": Setting(dense(RELU, *NET), CROSS, adam(fb.AdamW), 33, layered=True),
    "adamw-batch-513": Setting(dense(TANH, *NET), HINGE, adam(fb.AdamW), 513, samples=1200),
    "pixels-as-float32": Setting(dense(TANH, *NET), HINGE, sgd(), 8, "pixelsfloat32"),
    "pixels-as-float64": Setting(dense(RELU, *NET), HINGE, sgd(), 64, "pixelsfloat64"),
    "dense-bytes": Setting(dense(TANH, *SMALL), HINGE, sgd(), 8, "bytes"),
    "dense-float32": Setting(dense(RELU, *SMALL), CROSS, sgd(0.1), 33, F32),
    "dense-float64": Setting(dense(TANH, *SMALL), CROSS, sgd(0.1), 64, F64),
    "widens": Setting(dense(RELU, 37, 50, 90, 5), CROSS, sgd(0.05), 33, F32),
    "widens-from-pixels": Setting(dense(TANH, 784, 30, 200, 10), HINGE, sgd(), 64),
    "large": Setting(dense(TANH, 784, 300, 100, 10), HINGE, sgd(), 8),  # threads share its layers
    "one-layer": Setting(dense(TANH, 784, 10), CROSS, sgd(0.1), 8, layered=True),
    "one-layer-dense": Setting(dense(TANH, 37, 5), HINGE, sgd(), 33, F32),
    "dropout": Setting(with_dropout(0.5), CROSS, sgd(0.1), 33, layered=True),
    "dropout-adam-float64": Setting(with_dropout(0.2), HINGE, adam(), 64, dtype="float64"),
    "own-activation": Setting(dense(softsign, *SMALL), CROSS, sgd(0.1), 8, F32, layered=True),
    "lenet": Setting(lenet, CROSS, sgd(0.01), 32, shape=(1, 28, 28), samples=100),
    "convolution": Setting(images(TANH), HINGE, sgd(), 8, I32, shape=SHAPE, layered=True),
    "max-pool": Setting(images(RELU, lambda: fb.MaxPool2d(3, stride=2, padding=1)), CROSS,
                        sgd(0.05), 33, I32, shape=SHAPE, layered=True),
    "average-pool": Setting(images(ELU, lambda: fb.AvgPool2d((2, 3), stride=1, padding=(1, 0))),
                            CROSS, sgd(0.05, 0.9), 64, I32, shape=SHAPE, layered=True),
    "images-float64": Setting(images(RELU, lambda: fb.MaxPool2d(2), lambda: fb.Conv2d(5, 4, 2)),
                              CROSS, adam(), 8, I64, "float64", SHAPE),
    "images-batch-1": Setting(images(SIGMOID, lambda: fb.AvgPool2d(2)), HINGE, sgd(), 1, I32,
                              shape=SHAPE),
    "images-batch-513": Setting(images(TANH, lambda: fb.Dropout(0.3)), CROSS, adam(fb.AdamW), 513,
                                I64, shape=SHAPE, samples=1200),
}  # fmt: skip
