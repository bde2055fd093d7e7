"""Going on from a checkpoint: what it holds, as what ``fit`` takes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastbp._above import FitOptions
from fastbp._files import StrPath, naming, open_regular
from fastbp.layers import Layer
from fastbp.layers.sizes import MOST_BYTES
from fastbp.losses import LOSSES
from fastbp.network import Sequential
from fastbp.optimizers import OPTIMIZERS, Optimizer
from fastbp.schedules import SCHEDULES
from fastbp.storage import PROBLEMS, from_file, read_header, read_tensors

from .checkpoint import FORMAT, VERSION, Checkpoint
from .fitting import fit
from .history import COLUMNS, Epoch, History
from .stopping import Best, EarlyStopping, Snapshot

OPTIONS = {*FitOptions.__annotations__} - {"loss", "optimizer", "history"}  # kept apart, as parts


@dataclass
class Resumed:
    """What a checkpoint holds: a training run that goes on.

    Attributes
    ----------
    net : Sequential
        As the last epoch left it.
    best : Sequential or None
        As the best epoch left it, where that was kept.
    history : History
    arguments : dict
        Of ``fb.fit``, beside network and data: loss, optimiser, history, the epochs that are left
        and what else could be kept. Callbacks, metrics and schedules of your own, and validation
        data that were no share of the training data, are given to ``fit`` again.
    mark : str
        Of the call of ``fit_many`` whose worker wrote it; "" of all others.

    Examples
    --------
    >>> going = fb.resume("run.safetensors")
    >>> history = going.fit(train)
    >>> history = fb.fit(going.net, train, **going.arguments)  # which is the same
    """

    net: Sequential
    best: Sequential | None
    history: History
    arguments: dict[str, Any]
    mark: str = ""

    def fit(self, train: Any, y: Any = None, **changes: Any) -> History:
        """Go on, with the checkpoint's arguments but for what is named."""
        return fit(self.net, train, y, **self.arguments | changes)


def resume(
    path: StrPath, layers: Iterable[type[Layer]] = (), most_bytes: int = MOST_BYTES
) -> Resumed:
    """Read a checkpoint that ``fit(..., checkpoint=path)`` wrote.

    Parameters
    ----------
    path : path
    layers, most_bytes
        As ``fb.load``'s.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or no checkpoint; the message has the path and the reason.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=2, checkpoint="run.safetensors")
    >>> going = fb.resume("run.safetensors")
    >>> going.history.epochs[-1].epoch
    2
    """
    with naming(path), open_regular(path) as file:
        try:
            header = read_header(file)
            metadata = header.pop("__metadata__", {})
            if metadata.get("format") != FORMAT:
                raise ValueError("it is no checkpoint")
            if metadata.get("version") != str(VERSION):
                raise ValueError(f"its version is {metadata.get('version')!r}, not '{VERSION}'")
            about, tensors = json.loads(metadata["training"]), read_tensors(file)
            found = _resumed(about, tensors, tuple(layers), most_bytes)
            found.mark = str(about.get("mark", ""))
            found.arguments["checkpoint"] = Checkpoint(path, **about["checkpoint"])
        except PROBLEMS as problem:
            reason = f"{problem} is missing" if isinstance(problem, KeyError) else problem
            raise ValueError(f"{path}: cannot go on from it: {reason}") from problem
    return found


def _resumed(
    about: dict[str, Any],
    tensors: dict[str, np.ndarray],
    layers: tuple[type[Layer], ...],
    most_bytes: int,
) -> Resumed:
    net = from_file(io.BytesIO(tensors["network"].tobytes()), layers, most_bytes)
    if not isinstance(net, Sequential):
        raise ValueError("it holds several networks")
    optimizer: Optimizer = _made(about["optimizer"], OPTIMIZERS)
    optimizer.steps = about["optimizer"]["steps"]
    optimizer.memory = tuple(np.array(tensors[f"memory.{i}"]) for i in range(optimizer.states))
    history = _history(about, tensors)
    arguments = _arguments(about["arguments"], len(history), history.stopped)
    arguments |= {"optimizer": optimizer, "history": history}
    for name, known in (("loss", LOSSES), ("schedule", SCHEDULES)):
        if about[name] is not None:
            arguments[name] = _made(about[name], known)
    best = None
    if (kept := about["best"]) is not None:
        found = _best(kept, tensors)
        if kept["of_stopping"]:
            arguments["early_stopping"] = found.rule
        history.state["best" if kept["of_stopping"] else "kept"] = found
        if found.snapshot is not None:
            best = net.copy()
            found.snapshot.restore(best)
    return Resumed(net, best, history, arguments)


def _made(described: dict[str, Any], known: dict[str, type]) -> Any:
    """A loss, an optimiser or a schedule from its name and settings."""
    return known[described["name"]](**described["settings"])


def _arguments(kept: dict[str, Any], done: int, stopped: str) -> dict[str, Any]:
    """Those of fit, with the epochs that are left: none where early stopping ended it."""
    if unknown := {*kept} - OPTIONS:
        raise ValueError(f"fit has no arguments {sorted(unknown)}")
    arguments = kept | {"epochs": 0 if stopped else max(kept["epochs"] - done, 0)}
    if isinstance(weights := kept.get("class_weight"), dict):
        arguments["class_weight"] = {int(label): weight for label, weight in weights.items()}
    return arguments


def _history(about: dict[str, Any], tensors: dict[str, np.ndarray]) -> History:
    """As it was, with the state of the schedule, and what the run is of."""
    ends = np.cumsum(tensors["steps"])[:-1]
    losses, rates = (np.split(tensors[name], ends) for name in ("losses", "rates"))
    kept = about["history"]
    epochs = [_epoch(row) for row in kept["epochs"]]
    if not len(epochs) == len(losses) == len(rates):
        raise ValueError("its history is not whole")
    rows = tensors.get("validation_rows")
    state = {name: about["state"][name] for name in ("schedule", "of")}
    if not all(isinstance(each, dict) for each in state.values()):
        raise ValueError("its state is none")
    return History(epochs, losses, kept["path"], rates, kept["stopped"], rows, state)


def _epoch(row: dict[str, Any]) -> Epoch:
    own = {name: float(value) for name, value in row["metrics"].items()}
    figures = {name: float(row[name]) for name in COLUMNS}
    return Epoch(**figures | {"epoch": int(row["epoch"]), "metrics": own})  # type: ignore[arg-type]


def _best(kept: dict[str, Any], tensors: dict[str, np.ndarray]) -> Best:
    """The best epoch so far, and the network as it was then, where that was kept."""
    found = Best(EarlyStopping(**kept["rule"]))
    found.value, found.epoch = float(kept["value"]), int(kept["epoch"])
    found.waited = int(kept["waited"])
    if kept["states"] is not None:
        found.snapshot = Snapshot(tensors["best.params"], tensors["best.buffers"], kept["states"])
    return found
