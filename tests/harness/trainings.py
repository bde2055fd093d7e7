"""Trainings by two threads, of rows and of images, for a sanitizer to watch: tests/sanitize thread.

    python tests/harness/trainings.py

They share their work from the first step on, whatever the clock says of it; results must be those
of one thread, bit for bit.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import fastbp as fb
from fastbp.engine import sharing
from fastbp.layers import ACTIVATIONS
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS

Maker = Callable[[], Any]

ROWS, CLASSES = 96, 5


def dense() -> fb.Sequential:
    """A network on rows, wide enough for two threads to share it."""
    return fb.Sequential(
        *(fb.Linear(40, 96), fb.Tanh(), fb.Dropout(0.2), fb.Linear(96, 64), fb.ELU()),
        fb.Residual(fb.Linear(64, 96), fb.Tanh(), fb.Linear(96, 64)),
        fb.Linear(64, CLASSES),
    )


def images() -> fb.Sequential:
    """A network on images."""
    return fb.Sequential(
        *(fb.Conv2d(1, 6, 3, padding=1), fb.ReLU(), fb.MaxPool2d(2), fb.Conv2d(6, 8, 3)),
        *(
            fb.Residual(fb.Sigmoid(), fb.Conv2d(8, 8, 1)),
            fb.AvgPool2d(2),
            fb.Flatten(),
            fb.Linear(32, 24),
            fb.Tanh(),
        ),
        fb.Linear(24, CLASSES),
        input_shape=(1, 12, 12),
    )


def normed(make: Callable[[], fb.Sequential]) -> fb.Sequential:
    """The same kind of network with BatchNorm in it."""
    if make is dense:
        return fb.Sequential(
            *(fb.Linear(40, 96), fb.BatchNorm1d(96), fb.Tanh(), fb.Linear(96, 64)),
            *(fb.BatchNorm1d(64), fb.Linear(64, CLASSES)),
        )
    return fb.Sequential(
        *(fb.Conv2d(1, 6, 3), fb.BatchNorm2d(6), fb.ReLU(), fb.MaxPool2d(2), fb.Flatten()),
        *(fb.Linear(150, 24), fb.BatchNorm1d(24), fb.Linear(24, CLASSES)),
        input_shape=(1, 12, 12),
    )


def options() -> dict[str, Any]:
    """Whatever fit may be told besides."""
    weights = np.random.default_rng(1).integers(0, 3, ROWS)
    return {
        "sample_weight": weights,
        "schedule": fb.schedules.Exponential(0.5),
        "metrics": "running",
        "clip_norm": 0.1,
        "l2": 0.01,
    }


def whole_gradient(make: Callable[[], fb.Sequential], threads: int) -> np.ndarray:
    """That of many samples, of the network as in use."""
    net, rng = make(), np.random.default_rng(0)
    x = rng.random((13 * ROWS, net.inputs or 1)).astype(net.dtype)
    y = rng.integers(0, CLASSES, len(x))
    _, gradient = fb.loss_and_gradient(net, (x, y), fb.CrossEntropyLoss(), threads=threads)
    return gradient


def trained(
    make: Callable[[], fb.Sequential],
    threads: int,
    settings: dict[str, Any] | None = None,
    **makers: Maker,
) -> np.ndarray:
    """Its parameters after two epochs, with all that it predicts."""
    net = make()
    rng = np.random.default_rng(0)
    x = rng.random((ROWS, net.inputs or 1)).astype(net.dtype)
    made = {"loss": fb.HingeLoss, "optimizer": partial(fb.SGD, 0.01)} | makers
    chosen = {name: maker() for name, maker in made.items()}
    y = chosen["loss"].example_target(rng, ROWS, CLASSES)
    chosen |= {"batch_size": 16} | (settings or {})
    fb.fit(net, (x, y), epochs=2, threads=threads, **chosen)
    many = np.tile(x, (7, 1))
    return np.concatenate([net.params, net.scores(many, threads=threads).ravel()])


def cases() -> Iterator[tuple[str, Callable[[], fb.Sequential], dict[str, Maker]]]:
    """Every loss, optimiser and activation once, on both kinds of networks."""
    for make in (dense, images):
        for name, loss in LOSSES.items():
            if name != "nll":  # which wants LogSoftmax
                yield f"{make.__name__}, {name}", make, {"loss": loss}
        for name, optimizer in OPTIMIZERS.items():
            yield f"{make.__name__}, {name}", make, {"optimizer": partial(optimizer, lr=0.001)}
    for name, kind in ACTIVATIONS.items():

        def net(kind: type = kind) -> fb.Sequential:
            return fb.Sequential(
                fb.Linear(30, 64), kind(), fb.Linear(64, 64), kind(), fb.Linear(64, 5)
            )

        yield name, net, {}


def besides(make: Callable[[], fb.Sequential]) -> Iterator[tuple[str, Callable[..., np.ndarray]]]:
    """What else is the same for any number of threads."""
    norms = partial(normed, make)
    yield "all options", partial(trained, make, settings=options())
    yield "BatchNorm, all options", partial(trained, norms, settings=options())
    yield "BatchNorm in use", partial(whole_gradient, norms)
    large = partial(trained, make, settings={"batch_size": 70, "l2": 0.01})
    yield "a large batch", partial(large, loss=fb.CrossEntropyLoss, optimizer=fb.Adam)


def side_by_side(make: Callable[[], fb.Sequential]) -> list[np.ndarray]:
    """The same training in four threads at once, each shared by two."""
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(trained(make, 2))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main() -> int:
    """Train all; exit code 1 if a result depends on the number of threads."""
    sharing.FIRST = sharing.LATER = sharing.LEAST_WORK = (
        0  # never back to one thread because that is faster
    )
    wrong = 0
    with fb.use_backend("cython"):
        for name, make, settings in cases():
            same = np.array_equal(trained(make, 1, **settings), trained(make, 2, **settings))
            sys.stdout.write(f"{name}: {'the same' if same else 'NOT THE SAME'}\n")
            wrong += not same
        for make in (dense, images):
            for way, found in besides(make):
                same = np.array_equal(found(threads=1), found(threads=2))
                sys.stdout.write(f"{make.__name__}, {way}: {'the same' if same else 'NOT'}\n")
                wrong += not same
            alone = trained(make, 1)
            same = all(np.array_equal(alone, result) for result in side_by_side(make))
            sys.stdout.write(f"{make.__name__}, four at once: {'the same' if same else 'NOT'}\n")
            wrong += not same
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
