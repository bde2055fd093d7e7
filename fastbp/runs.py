"""The folder of a training run: its settings, its model and its history.

``config.toml`` has the settings, ``history.csv`` the epochs, ``loss_by_iteration.npz`` each batch's
loss, ``model.safetensors`` the network, ``checkpoint.safetensors`` what it takes to go on; see
``recording``. An experiment keeps a network when it is finished, all at once, with ``run.json``
for what is known besides, the other files' digests among it; one that diverged has no model.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from ._files import TEMPORARY, read_toml, write_atomically, write_rows
from ._version import __version__
from .backends import Backend
from .datasets import Dataset, Shards
from .ensemble import Ensemble
from .models import Model
from .network import Sequential
from .storage import load
from .training import DivergenceError, Epoch, History
from .training.history import ALIASES, COLUMNS

LONGEST_NAME = 50  # letters; of four bytes each, with time and number, fewer than 255 bytes
CONFIG, MODEL = "config.toml", "model.safetensors"
HISTORY, LOSSES = "history.csv", "loss_by_iteration.npz"
FILES = (HISTORY, LOSSES, MODEL)
PARTIAL = re.compile(r"\.run-[0-9a-f]{8}")  # names of what is not kept yet


def new_folder(name: str) -> Path:
    """Make runs/TIME-NAME, with a number where another run started in the same second.

    A name may come out of a file: what is no letter, figure, dot or line becomes a line, and it
    is cut where it is longer than names of folders go.
    """
    name = re.sub(r"[^\w.+-]", "-", name)[:LONGEST_NAME].rstrip("-")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    number = 1
    while True:
        folder = Path("runs", name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        return folder


def named_folder(path: Path) -> Path:
    """Make the folder that was asked for, unless it is there and empty.

    Raises
    ------
    ValueError
        If there is something in it.
    """
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise ValueError(f"--output {path}: the folder is not empty; name a new one")
    return path


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A folder that goes if the block leaves nothing in it."""
    try:
        yield folder
    finally:
        with suppress(OSError):  # there is something in it
            folder.rmdir()


def config_of(
    model: Model,
    path: str | None,
    train: Dataset | Shards,
    test: Dataset | Shards | None,
    backend: Backend,
    networks: int = 1,
) -> bytes:
    """A config.toml: everything that determines the run. train --model reads it again.

    Of several networks it has their number.
    """
    data = {
        "path": path or "MNIST, embedded",
        "train_samples": len(train),
        "test_samples": 0 if test is None else len(test),
        "features": train.features,
        **({"values": train.targets} if train.values else {"classes": train.classes}),
        "scale": train.scale,
    }
    computation: dict[str, Any] = {"backend": backend.name, "detail": backend.detail}
    if networks > 1:
        computation["networks"] = networks
    settings = {"fastbp": __version__, "data": data, **model.as_data()}
    settings["computation"] = computation
    return tomli_w.dumps(settings).encode("utf-8", "replace")  # names of files may be any bytes


def networks_in(config: Path) -> int:
    """How many networks a run trained, as its config.toml has it."""
    found = _said(config, "computation").get("networks", 1)
    if not isinstance(found, int) or found < 1:
        raise ValueError(f"{config}: computation.networks: expected a whole number, got {found!r}")
    return found


def is_tested(folder: Path) -> bool:
    """Whether rows of a run's table were kept to test with, as its config.toml has it."""
    return bool(_said(folder / CONFIG, "data").get("test_samples", 1))


def _said(config: Path, table: str) -> dict[str, Any]:
    """A table of a run's config.toml; nothing where there is none."""
    found = read_toml(config).get(table, {}) if config.is_file() else {}
    return found if isinstance(found, dict) else {}


def write_losses(folder: Path, history: History, error: DivergenceError | None = None) -> None:
    """Write the loss of every batch of every finished epoch, and of one that diverged."""
    losses = history.loss_by_iteration
    if error is not None:
        losses = np.concatenate([losses, error.losses])
    _write_arrays(folder / LOSSES, {"loss": losses})


def _write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def write(
    folder: Path, model: Sequential | Ensemble, histories: Sequence[History], config: bytes
) -> None:
    """Write the folder of a run at once; of several networks one model, and all histories.

    Then history.csv begins with a column ``network``, from 1, and loss_by_iteration.npz has an
    array for each, ``loss_1`` and so on.
    """
    write_atomically(folder / CONFIG, lambda file: file.write(config))
    model.save(folder / MODEL)
    if isinstance(model, Sequential):
        histories[0].to_csv(folder / HISTORY)
        write_losses(folder, histories[0])
        return
    rows = [
        {"network": number} | row
        for number, history in enumerate(histories, 1)
        for row in history.rows()
    ]
    losses = {f"loss_{n}": history.loss_by_iteration for n, history in enumerate(histories, 1)}
    write_rows(folder / HISTORY, [*rows[0]], rows)
    _write_arrays(folder / LOSSES, losses)


@dataclass(frozen=True)
class Run:
    """A training that is finished, or that diverged."""

    folder: Path
    history: History
    error: str  # how it diverged; "" if it did not

    def net(self) -> Sequential:
        """The trained network."""
        return load(self.folder / MODEL)


def keep(
    folder: Path, net: Sequential, history: History, error: DivergenceError | None = None
) -> Run:
    """Write a run: into a folder beside its own, which is renamed when it is whole."""
    partial = folder.with_name(f".run-{os.urandom(4).hex()}")
    partial.mkdir(parents=True)
    try:
        history.to_csv(partial / HISTORY)
        write_losses(partial, history, error)
        if error is None:
            net.save(partial / MODEL)
        about: dict[str, Any] = {"path": history.path, "error": str(error or "")}
        about["sha256"] = _digests(partial, about["error"])
        text = json.dumps(about, indent=2) + "\n"
        write_atomically(partial / "run.json", lambda file: file.write(text), "w")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Run(folder, history, about["error"])


def _digests(folder: Path, error: str) -> dict[str, str]:
    """Of each file of a run but run.json, which holds them."""
    names = FILES[:-1] if error else FILES
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def _check_files(folder: Path, kept: dict[str, str], error: str) -> None:
    for name, digest in _digests(folder, error).items():
        if kept[name] != digest:
            raise ValueError(f"{name} is damaged")


def remove_leftovers(root: Path) -> None:
    """Remove what a process that was killed had begun to write under a folder."""
    for path in list(root.rglob(".*")):
        if TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
        elif PARTIAL.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def read(folder: Path) -> Run | None:
    """The run in a folder; None if it is not there.

    Raises
    ------
    OSError
        If a file in it cannot be read.
    ValueError
        If a file in it is missing or damaged.
    """
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / "run.json").read_text("utf-8"))
        if "sha256" in about:
            _check_files(folder, about["sha256"], about["error"])
        elif not about["error"]:  # of a version that kept none: the model tells by itself
            load(folder / MODEL)
        with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
            epochs = [_epoch(row) for row in csv.DictReader(file)]
        with np.load(folder / LOSSES, allow_pickle=False) as arrays:
            losses = arrays["loss"]
        if not all(isinstance(about[name], str) for name in ("path", "error")):
            raise ValueError("run.json: expected texts as path and error")
        history = History(epochs, [losses], about["path"])
        return Run(folder, history, about["error"])
    except FileNotFoundError as problem:
        name = Path(problem.filename).name
        raise ValueError(f"{folder}: not a whole run ({name} is missing)") from problem
    except (OSError, MemoryError):  # it may be whole
        raise
    except Exception as problem:  # of whatever kind: so many formats, so many errors
        raise ValueError(f"{folder}: not a whole run ({_reason(problem)})") from problem


def _reason(problem: Exception) -> str:
    if isinstance(problem, KeyError):
        return f"run.json has no {problem}"
    return (
        str(problem) if str(problem).endswith("is damaged") else f"run.json is damaged: {problem}"
    )


def _epoch(row: dict[str, str]) -> Epoch:
    values = {"train_accuracy": math.nan, "val_accuracy": math.nan}
    values |= {ALIASES.get(name, name): float(value) for name, value in row.items()}
    own = {name: values.pop(name) for name in [*values] if name not in COLUMNS}
    return Epoch(**values | {"epoch": int(row["epoch"]), "metrics": own})  # type: ignore[arg-type]
