"""One finished training run on MNIST, which many tests look at, and a table of numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command_line import Result, run

import fastbp as fb


@pytest.fixture(autouse=True)
def same_backend_as_the_commands() -> Iterator[None]:
    """What a test computes by itself must equal to the last digit what a command computed."""
    with fb.use_backend("auto"):
        yield


@dataclass(frozen=True)
class Training:
    """A finished run of ``train``."""

    folder: Path
    result: Result

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A small net, trained on 2001 samples of MNIST: 126 batches an epoch, the last of one."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    result = run(
        *"train --limit 2001 --hidden 32,16 --activation elu --epochs 3".split(),
        *"--loss cross-entropy --batch-size 16 --lr 0.05 --init glorot --seed 7 --json".split(),
        "--output",
        folder,
        cwd=folder.parent,
    )
    assert result.code == 0, result.err
    return Training(folder, result)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file of 140 samples with five features, which are no pictures, in three classes."""
    rng = np.random.default_rng(5)
    labels = np.arange(140) % 3
    values = rng.normal(size=(140, 5)) + 4 * np.eye(5)[labels]
    path = tmp_path_factory.mktemp("table") / "flowers.csv"
    columns = np.column_stack([values, labels])
    np.savetxt(path, columns, delimiter=",", header="a,b,c,d,e,kind", comments="", fmt="%.6f")
    return path


@pytest.fixture(scope="session")
def table_model(table: Path) -> Path:
    """A model for the table."""
    folder = table.parent / "run"
    result = run(
        *("train", "--data", table, "--ensemble", 1, "--output", folder),
        *"--label kind --hidden 8 --epochs 5 --lr 0.1 --init glorot --no-plots --quiet".split(),
        cwd=table.parent,
    )
    assert result.code == 0, result.err
    return folder / "model.safetensors"
