"""Every code block of README and the documents runs, or is what it seems to be."""

import shutil
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import documents
import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.layers import activations

# The page that shows what comes of all of MNIST; the others get some of it.
WHOLE = ("docs/tutorials/1_mnist.md",)
CHECKS = {"sh": documents.check_shell, "toml": documents.check_toml}
UNCHECKED = ("", "text", "c")  # what is printed; C: see test_c.py


@pytest.mark.filterwarnings("ignore")  # of few epochs, and what is made for the example
@pytest.mark.parametrize("document", documents.documents())
def test_code_of(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(fb, "use_backend", lambda name: None)  # Numba's: tests/custom
    monkeypatch.setattr(fb, "train", partial(fb.train, epochs=2, ensemble=1))
    if document not in WHOLE:
        some = tuple(data.first(200) for data in fb.datasets.mnist())
        monkeypatch.setattr(fb.datasets, "mnist", lambda: some)
    a_run(tmp_path / "runs/NAME")
    names = taken_for_granted() | OWN.get(document, dict)()
    for block in documents.blocks((documents.ROOT / document).read_text("utf-8")):
        if block.language == "python":
            documents.run_python(block, names, document)
        elif block.language not in UNCHECKED:
            CHECKS[block.language](block)
    sys.modules.pop("net", None)  # the module that one page writes, and imports


def a_run(folder: Path) -> None:
    """What commands say that they go on with."""
    folder.mkdir(parents=True)
    shutil.copy(documents.ROOT / "fastbp/models/lenet.toml", folder / "config.toml")


def taken_for_granted() -> dict[str, Any]:
    """What pages speak of without saying where it comes from."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    train, test = fb.datasets.mnist()
    net = fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3))
    names = {"__name__": "__main__", "fb": fb, "np": np, "x": x, "y": y, "weights": rng.random(60)}
    return names | {"train": train, "test": test, "net": net}


def of_readme() -> dict[str, Any]:
    """What a layer's source takes for granted, and what PyTorch's users have."""
    return dict(vars(activations)) | of_torch()


def of_torch() -> dict[str, Any]:
    if find_spec("torch") is None:
        return {}
    from torch import nn, tensor
    from torch.utils.data import DataLoader, TensorDataset

    x, y = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"), np.arange(60) % 3
    loader = DataLoader(TensorDataset(tensor(x), tensor(y)), batch_size=16, shuffle=True)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return {"nn": nn, "module": module, "loader": loader}


def of_tables() -> dict[str, Any]:
    """A table, also as people.csv in the folder that the page runs in."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 80, 90), "job": rng.choice(["a", "b"], 90)})
    frame["income"] = np.where(frame["age"] + 20 * (frame["job"] == "a") > 55, "much", "little")
    frame.to_csv("people.csv", index=False)
    return {"frame": frame}


def of_schedules() -> dict[str, Any]:
    return {"net": fb.Sequential(fb.Linear(784, 10))}


def of_c() -> dict[str, Any]:
    return {
        "net": fb.Sequential(fb.Linear(17, 64), fb.Tanh(), fb.Linear(64, 6)),
        "x": np.ones((1, 17)),
    }


OWN = {
    "docs/schedules.md": of_schedules,
    "README.md": of_readme,
    "docs/c.md": of_c,
    "docs/onnx.md": of_tables,
    "docs/tables.md": of_tables,
}
