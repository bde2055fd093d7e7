"""docs/coming_from.md, whose tables are made of what fastbp says itself, and README's small one.

    python tests/coming_from.py

writes them anew, below what stands there by hand.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp._guesses import NAMES, OPTIONS
from fastbp.training.parts import ELSEWHERE
from fastbp.tuning.search import ELSEWHERE as OF_SEARCH

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs/coming_from.md", ROOT / "README.md"
MADE = "<!-- python tests/coming_from.py makes what follows. -->\n"
BEGIN, END = "<!-- words: begin -->\n", "<!-- words: end -->\n"

# What the three libraries call what everybody does first. Ours last: each piece of code runs.
WORDS = (
    ("scikit-learn", "Keras", "PyTorch", "fastbp"),
    ("`MLPClassifier((8,))`", "`Dense(8)`, …", "`nn.Linear(4, 8)`, …",
     "`fb.Sequential(fb.Linear(4, 8), fb.ReLU(), fb.Linear(8, 3))`"),
    ("`fit(x, y)`", "`compile(…)`, `fit(x, y)`", "a loop", "`net.fit(x, y, epochs=5)`"),
    ("`learning_rate_init=`", "`learning_rate=`", "`lr=`", "`fb.Adam(lr=0.01)`"),
    ("`max_iter=`, `batch_size=`", "`epochs=`, `batch_size=`", "`DataLoader`",
     "`net.fit(x, y, epochs=5, batch_size=32)`"),
    ("`early_stopping=True`", "`EarlyStopping`", "–",
     "`net.fit(x, y, validation=0.2, early_stopping=fb.EarlyStopping())`"),
    ("`predict(x)`", "`predict(x).argmax(1)`", "`net(x).argmax(1)`", "`net.predict(x)`"),
    ("`predict_proba(x)`", "`predict(x)`", "`net(x).softmax(1)`", "`net.predict_proba(x)`"),
    ("`score(x, y)`", "`evaluate(x, y)`", "–", "`net.score(x, y)`, `net.evaluate(x, y)`"),
    ("`loss_curve_`", '`history.history["loss"]`', "–", '`history["loss"]`, `history.plot()`'),
    ("`coefs_`", "`get_weights()`", "`parameters()`", "`net.params`, `net[0].w`, `net[0].b`"),
    ("`StandardScaler()`", "`Normalization()`", "–", "`fb.Standardize.of(x)`, a layer"),
    ("`random_state=0`", "`set_random_seed(0)`", "`manual_seed(0)`",
     "`fb.Sequential(fb.Linear(4, 3), seed=0)`, `net.fit(x, y, seed=0)`"),
    ("`joblib.dump`, `load`", "`save`, `load_model`", "`torch.save`, `load`",
     "`net.save(path)`, `fb.load(path)`"),
)  # fmt: skip

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
    "Found": "What `search` returns",
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
        "state": {"0.weight": net[0].w.T, "0.bias": net[0].b},
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
        "searched": searched(),
    }


@cache
def searched() -> Any:
    """A search of one network."""
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    return fb.search({"hidden": [(2,)]}, x, y, method="grid", epochs=1)


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
    of_search = {name: f"write {said}" for name, said in OF_SEARCH.items()}
    parts += table("An argument of `search`", "here", grouped(of_search))
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


def words() -> str:
    """The small table of README and of the page."""
    head, *rows = ("| " + " | ".join(row) + " |" for row in WORDS)
    return "\n".join([head, "|" + "---|" * len(WORDS[0]), *rows]) + "\n"


def with_words(text: str) -> str:
    """A document whose small table is made anew."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + words() + END + rest.partition(END)[2]


def page() -> str:
    """All of it: what stands there by hand, and the tables."""
    by_hand = PAGE.read_text("utf-8").partition(MADE)[0]
    return with_words(by_hand) + MADE + "\n" + made()


def readme() -> str:
    """README with its table."""
    return with_words(README.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    README.write_text(readme(), "utf-8")
