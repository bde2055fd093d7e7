"""docs/coming_from.md, whose tables are made of what fastbp says itself.

    python tests/coming_from.py

writes them anew, below what stands there by hand.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp._guesses import NAMES, OPTIONS
from fastbp.training.parts import ELSEWHERE

PAGE = Path(__file__).resolve().parents[1] / "docs/coming_from.md"
MADE = "<!-- python tests/coming_from.py makes what follows. -->\n"

# What works by two names, and is the same.
BOTH = {
    "net(x)": "net.scores(x)",
    "net.fit(x, y)": "fb.fit(net, x, y)",
    "net.evaluate(x, y)": "fb.evaluate(net, (x, y))",
    "net.score(x, y)": "fb.evaluate(net, (x, y)).accuracy",
    'net.evaluate(x, y)["accuracy"]': "net.evaluate(x, y).accuracy",
    "net.predict(x[0])": "net.predict(x[:1])[0]",
    "len(net)": "len(net.layers)",
    "net[0]": "net.layers[0]",
    "list(net)": "list(net.layers)",
    "net[:1]": "fb.Sequential(*net.copy().layers[:1])",
    "fb.Sequential([fb.Linear(4, 3), fb.ReLU()])": "fb.Sequential(fb.Linear(4, 3), fb.ReLU())",
    "fb.Sequential.load(path)": "fb.load(path)",
    "fb.Linear(in_features=4, out_features=3)": "fb.Linear(4, 3)",
    "fb.Conv2d(1, 6, kernel_size=5)": "fb.Conv2d(1, 6, 5)",
    "fb.Adam(learning_rate=0.01, eps=1e-6)": "fb.Adam(lr=0.01, epsilon=1e-6)",
    "layer.weight": "layer.w",
    "layer.in_features": "layer.inputs",
    "layer.requires_grad": "layer.trainable",
    "optimizer.learning_rate": "optimizer.lr",
}
OF = {
    "fastbp": "`fb.`",
    "fastbp.datasets": "`fb.datasets.`",
    "Sequential": "A network's",
    "Layer": "A layer's",
    "Loss": "A loss's",
    "Optimizer": "An optimiser's",
    "Schedule": "A schedule's",
    "Dataset": "A Dataset's",
    "History": "A history's",
    "Evaluation": "What `evaluate` returns",
}


def surroundings() -> dict[str, Any]:
    """What is spoken of, in a folder with files of these names."""
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    net = fb.Sequential(fb.Linear(4, 3), fb.ReLU())
    net.save("net.safetensors")
    for name in ("data.csv", "iris.csv"):
        Path(name).write_text("label,a\n" + "0,1.5\n1,2.5\n" * 10)
    sizes = dict.fromkeys(("inputs", "outputs", "columns", "channels", "kernel", "k", "classes"), 3)
    history = net.copy().fit(x, y, epochs=1)
    net.forward(x)
    return sizes | {
        "fb": fb,
        "np": np,
        "net": net,
        "layer": net[0],
        "x": x,
        "y": y,
        "name": "numpy",
        "scores": net.scores(x),
        "gradient": np.ones((60, 3)),
        "array": net.params.copy(),
        "path": "net.safetensors",
        "in_channels": 1,
        "out_channels": 2,
        "optimizer": fb.SGD(0.1),
        "data": fb.datasets.Dataset(x, y),
        "found": net.evaluate(x, y),
        "history": history,
        "counts": np.eye(3, dtype=int),
        "f1_score": max,
        "schedule": fb.schedules.Cosine(),
    }


def made() -> str:
    """The tables."""
    parts = ["## Two names for the same", *table("other name", "here", BOTH.items())]
    parts += ["", "## Written in another way", ""]
    parts += ["fastbp says the same where one of these is tried."]
    for of, names in NAMES.items():
        parts += table(OF[of], "here", grouped(names))
    for of, names in OPTIONS.items():
        parts += table(f"An option of `{of}`", "here", grouped(names))
    fit = {name: f"write {said}" for name, said in ELSEWHERE.items()}
    parts += table("An argument of `fit`", "here", grouped(fit))
    return "\n".join(parts) + "\n"


def grouped(names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names, of which those that have one answer stand together."""
    for said in dict.fromkeys(names.values()):
        yield "`, `".join(name for name in names if names[name] == said), said


def table(left: str, right: str, rows: Any) -> Iterator[str]:
    """A table's lines."""
    yield from ("", f"| {left} | {right} |", "|---|---|")
    for name, said in rows:
        code = f"`{said}`" if BOTH.get(name) == said else said.replace("*", r"\*")
        yield f"| `{name}` | {code} |"


def page() -> str:
    """All of it: what stands there by hand, and the tables."""
    return PAGE.read_text("utf-8").partition(MADE)[0] + MADE + "\n" + made()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
