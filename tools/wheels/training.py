"""Short trainings in each dtype, told as JSON, by which emulate.py compares processors."""

import json
import sys

import numpy as np

import fastbp as fb

ROWS = 256


def networks() -> dict[str, fb.Sequential]:
    """One on rows, one on images."""
    lenet = [fb.Conv2d(1, 4, 5), fb.ReLU(), fb.MaxPool2d(2), fb.Flatten(), fb.Linear(576, 10)]
    return {
        "rows": fb.Sequential(fb.Linear(784, 64), fb.Tanh(), fb.Linear(64, 10), seed=0),
        "images": fb.Sequential(*lenet, input_shape=(1, 28, 28), init="glorot", seed=0),
    }


def trained(net: fb.Sequential, x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """Train; the losses, and eight rows of scores."""
    history = fb.fit(
        net, (x, y), loss=fb.CrossEntropyLoss(), optimizer=fb.Adam(0.001), epochs=2, batch_size=16,
        seed=0,
    )  # fmt: skip
    scores = net.scores(x[:8]).ravel().tolist()
    return {"path": history.path, "losses": history["loss"], "scores": scores}


def main() -> None:
    """Train each, and print what came of it."""
    train, _ = fb.datasets.mnist()
    x, y = train.batch(range(ROWS))
    told: dict[str, dict[str, object]] = {}
    for dtype in ("float32", "float64"):
        for name, net in networks().items():
            data = np.asarray(x, dtype).reshape(ROWS, *(net.input_shape or (-1,)))
            told[f"{name} {dtype}"] = trained(net.astype(dtype), data, y)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
