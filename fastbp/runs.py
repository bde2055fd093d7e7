"""One trained network on disk: a folder that is there whole, or not at all.

``history.csv`` has the epochs, ``loss_by_iteration.npz`` each batch's loss, ``model.safetensors``
the network, ``run.json`` how it was computed. A network that diverged has no model.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from fastbp._files import write_atomically
from fastbp.network import Sequential
from fastbp.storage import load
from fastbp.training import DivergenceError, Epoch, History

from .spec import Network


@dataclass(frozen=True)
class Run:
    """A training that is finished, or that diverged."""

    folder: Path
    history: History
    error: str  # how it diverged; "" if it did not

    def net(self) -> Sequential:
        """The trained network."""
        return load(self.folder / "model.safetensors")


def folder_of(root: Path, network: Network, seed: int) -> Path:
    """Where a network's run of that seed lies."""
    return root / "networks" / network.key / f"seed-{seed}"


def keep(
    folder: Path, net: Sequential, history: History, error: DivergenceError | None = None
) -> Run:
    """Write a run: into a folder beside its own, which is renamed when it is whole."""
    partial = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}")
    partial.mkdir(parents=True)
    try:
        history.to_csv(partial / "history.csv")
        losses = history.loss_by_iteration
        if error is not None:
            losses = np.concatenate([losses, error.losses])
        write_atomically(
            partial / "loss_by_iteration.npz", lambda file: np.savez_compressed(file, loss=losses)
        )
        if error is None:
            net.save(partial / "model.safetensors")
        about = {"path": history.path, "error": str(error or "")}
        text = json.dumps(about, indent=2) + "\n"
        write_atomically(partial / "run.json", lambda file: file.write(text), "w")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Run(folder, history, about["error"])


def read(folder: Path) -> Run | None:
    """The run in a folder; None if it is not there.

    Raises
    ------
    ValueError
        If a file in it is missing or damaged.
    """
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / "run.json").read_text("utf-8"))
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            epochs = [_epoch(row) for row in csv.DictReader(file)]
        with np.load(folder / "loss_by_iteration.npz", allow_pickle=False) as arrays:
            losses = arrays["loss"]
        history = History(epochs, [losses], about["path"])
        run = Run(folder, history, about["error"])
        if not run.error and not (folder / "model.safetensors").is_file():
            raise ValueError("model.safetensors is missing")
    except (OSError, ValueError, KeyError, TypeError, EOFError) as problem:
        raise ValueError(
            f"{folder}: not a whole run ({problem}); remove that folder to train it again"
        ) from problem
    return run


def _epoch(row: dict[str, str]) -> Epoch:
    values = {column.name: float(row[column.name]) for column in fields(Epoch)}
    return Epoch(**values | {"epoch": int(row["epoch"])})  # type: ignore[arg-type]
