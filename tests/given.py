"""What documents and docstrings take for granted, and where their examples run."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from documents import ROOT

import fastbp as fb
from fastbp.layers import activations


@contextmanager
def surroundings(folder: Path, whole: bool = False) -> Iterator[None]:
    """A folder to run in, where what takes long is short; MNIST is some of it, if not whole."""
    some = tuple(data if whole else data.first(100) for data in fb.datasets.mnist())
    config = folder / "runs/NAME/config.toml"  # what commands say that they go on with
    config.parent.mkdir(parents=True)
    shutil.copy(ROOT / "fastbp/models/lenet.toml", config)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FASTBP_NUM_THREADS", "1")  # others may compute beside it
        patch.syspath_prepend(str(folder))
        patch.setattr(fb.datasets, "mnist", wraps(fb.datasets.mnist)(lambda: some))
        patch.setattr(fb, "train", wraps(fb.train)(partial(fb.train, epochs=2, ensemble=1)))
        patch.setattr(
            fb, "use_backend", wraps(fb.use_backend)(lambda name: nullcontext())
        )  # Numba's: tests/custom
        yield
    sys.modules.pop("net", None)  # the module that some write, and import


def names(document: str = "") -> dict[str, Any]:
    """What is spoken of without saying where it comes from; some pages have more."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    train, test = fb.datasets.mnist()
    net = fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3))
    found = {"__name__": "__main__", "fb": fb, "np": np, "x": x, "y": y, "weights": rng.random(60)}
    return found | {"train": train, "test": test, "net": net} | MORE.get(document, dict)()


def of_samples() -> dict[str, Any]:
    """Training data that the network takes."""
    rng = np.random.default_rng(0)
    return {"train": fb.datasets.Dataset(rng.normal(size=(60, 4)), np.arange(60) % 3)}


def of_readme() -> dict[str, Any]:
    """What a layer's source takes for granted, and what PyTorch's users have."""
    return dict(vars(activations)) | of_torch()


def of_torch() -> dict[str, Any]:
    """A module, and a loader of data."""
    if find_spec("torch") is None:
        return {}
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"), np.arange(60) % 3
    loader = DataLoader(
        TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=16, shuffle=True
    )
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    return {"torch": torch, "nn": torch.nn, "module": module, "loader": loader}


def of_tables() -> dict[str, Any]:
    """A table, also as people.csv in the folder."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(18, 80, 90), "job": rng.choice(["a", "b"], 90)})
    frame["income"] = np.where(frame["age"] + 20 * (frame["job"] == "a") > 55, "much", "little")
    frame.to_csv("people.csv", index=False)
    return {"frame": frame}


MORE = {
    "README.md": of_readme,
    "docs/c.md": lambda: {
        "net": fb.Sequential(fb.Linear(17, 64), fb.Tanh(), fb.Linear(64, 6)),
        "x": np.ones((1, 17)),
    },
    "docs/onnx.md": of_tables,
    "docs/schedules.md": lambda: {"net": fb.Sequential(fb.Linear(784, 10))},
    "docs/tables.md": of_tables,
    "fb.": lambda: of_tables() | of_samples(),
    "fb.datasets": of_tables,
    "fb.schedules": of_samples,
    "fb.torch": lambda: of_samples() | of_torch(),
}
