"""Checkpoints: all that a training run needs to go on, in one file, bit for bit.

The file is a safetensors file, which is data only: reading it executes nothing. The network is in
it as its own file is, beside the optimiser's memory, the best epoch's parameters, the losses and
the rates; the rest is JSON in the metadata. It is written beside the old one and moved over it.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp._checks import as_flag, as_number
from fastbp._files import StrPath, write_atomically
from fastbp._hints import Guessed
from fastbp.layers.data import as_data
from fastbp.losses import LOSSES, Loss
from fastbp.network import Sequential
from fastbp.optimizers import OPTIMIZERS, Optimizer
from fastbp.schedules import SCHEDULES
from fastbp.storage import packed, to_bytes

from .feeding import Feed
from .history import History
from .stopping import Best, EarlyStopping

if TYPE_CHECKING:
    from .loop import Run

FORMAT, VERSION = "fastbp checkpoint", 2
SIDE = 1024  # words in a row of the square that a digest takes the data for


class Checkpoint(Guessed):
    """Where and how often a training run is kept, so that it can go on: see ``fb.resume``.

    Parameters
    ----------
    path : path
        A file; .safetensors is what it is.
    every : "epoch" or float
        After each epoch, or after the first one that ends so many seconds after the last time;
        and at the end in any case, be it Ctrl-C or an error: as the last finished epoch left it.
    keep_best : bool
        Whether the best epoch's parameters are kept too: by what early stopping monitors, else by
        the validation loss, or without validation data the training loss.

    Examples
    --------
    >>> keep = fb.Checkpoint("run.safetensors", every=60)
    >>> history = fb.fit(net, x, y, epochs=3, checkpoint=keep)
    >>> fb.resume("run.safetensors").net.predict(x[:2]).shape
    (2,)
    """

    def __init__(self, path: StrPath, every: str | float = "epoch", keep_best: bool = True) -> None:
        if not isinstance(path, (str, bytes)) and not hasattr(path, "__fspath__"):
            raise TypeError(f"Checkpoint path: expected a path, got {path!r:.60}")
        self.path = path
        self.seconds = 0.0 if every == "epoch" else as_number(every, "Checkpoint every", above=0)
        self.keep_best = as_flag(keep_best, "Checkpoint keep_best")
        self.mark = ""  # of the call that writes it, where somebody looks for that

    @property
    def settings(self) -> dict[str, Any]:
        """But for the path, by the constructor's names."""
        return {"every": self.seconds or "epoch", "keep_best": self.keep_best}

    def keep(self, data: bytes) -> None:
        """Write what a run left."""
        write_atomically(self.path, lambda file: file.write(data))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"Checkpoint({str(self.path)!r}, {settings})"


def as_checkpoint(checkpoint: Any) -> Checkpoint:
    """A Checkpoint from itself or a path."""
    return checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)


def digest(data: Feed) -> str:
    """A number for training data: other samples, targets or weights have another one."""
    return digest_of(data.marks(), data.head.scale)


def digest_of(arrays: Iterable[np.ndarray], scale: float = 1.0) -> str:
    """A number for arrays that are taken times ``scale``.

    It is that of sums, down and across, over the data's words in rows: to hash all of the data
    takes as long as a part of an epoch. What differs in one place, or in its order, has others.
    """
    import hashlib

    found = hashlib.blake2b(digest_size=16)
    for part in arrays:
        array = np.ascontiguousarray(part)
        found.update(f"{array.dtype.str}{array.shape}{scale!r}".encode())
        flat = array.reshape(-1).view(np.uint8)
        whole = len(flat) // (8 * SIDE) * (8 * SIDE)
        words = flat[:whole].view(np.uint64).reshape(-1, SIDE)
        for sums in (words.sum(axis=0), words.sum(axis=1), flat[whole:]):
            found.update(sums.data)
    return found.hexdigest()


def identity(net: Sequential, optimizer: Optimizer, loss: Loss, data: Feed) -> dict[str, str]:
    """What a checkpoint goes with."""
    import json

    rows = [as_data(layer) for layer in net.layers]
    return {
        "network": json.dumps([rows, str(net.dtype), net.input_shape], default=str),
        "optimizer": type(optimizer).__name__,
        "loss": repr(loss),
        "data set": digest(data),
    }


def check_same(history: History, found: dict[str, str]) -> None:
    """Refuse to go on with what another network, optimiser, loss or data set began."""
    for what, other in history.state.get("of", found).items():
        if found[what] != other:
            shown = "" if what in ("network", "data set") else f": {other}, not {found[what]}"
            raise ValueError(f"fit history: the checkpoint is of another {what}{shown}")
    history.state["of"] = found


class Moment(NamedTuple):
    """What moves while a run goes on, as it was after an epoch."""

    epochs: int  # that were finished
    network: bytes
    memory: tuple[np.ndarray, ...]
    steps: int
    stopped: str
    schedule: dict[str, Any]
    best: Best | None

    @classmethod
    def of(cls, run: Run, best: Best | None, lasting: bool) -> Moment:
        """As it is; ``lasting`` if more epochs may come before it is written."""
        optimizer, history = run.optimizer, run.history
        memory = optimizer.memory
        return cls(
            len(history.epochs),
            to_bytes(run.net),
            tuple(vector.copy() for vector in memory) if lasting else memory,
            optimizer.steps,
            history.stopped,
            history.state["schedule"],
            copy.copy(best) if lasting else best,
        )


class Writer:
    """Writes the checkpoints of a run."""

    def __init__(self, rule: Checkpoint, run: Run, arguments: dict[str, Any]) -> None:
        self.rule, self.run, self.arguments = rule, run, arguments
        self.written = time.monotonic()
        self.unwritten: Moment | None = None
        self.best = run.best
        if self.best is None and rule.keep_best:
            monitor = "train_loss" if run.validation is None else "val_loss"
            self.best = run.history.state.setdefault("kept", Best(EarlyStopping(monitor)))
        _described(run.optimizer, OPTIMIZERS, "checkpoint")

    def epoch_ended(self, last: bool) -> None:
        """Write what there is, if it is time."""
        run = self.run
        if self.best is not None and self.best is not run.best:
            self.best.seen(run.history.epochs[-1], run.net)
        due = last or time.monotonic() - self.written >= self.rule.seconds
        self.unwritten = Moment.of(run, self.best, lasting=not due)
        if due:
            self.write()

    def write(self) -> None:
        """Write what the last finished epoch left, unless it is written."""
        if self.unwritten is None:
            return
        self.rule.keep(_packed(self.rule, self.run, self.unwritten, self.arguments))
        self.written, self.unwritten = time.monotonic(), None


def _described(part: Any, known: Mapping[str, type[Any]], who: str) -> dict[str, Any]:
    """A loss, an optimiser or a schedule by its name and settings."""
    if known.get(getattr(part, "name", "")) is not type(part):
        raise ValueError(
            f"{who}: {part!r} is none of the built-in ones, {', '.join(known)}, whose settings a "
            "checkpoint can keep"
        )
    names = inspect.signature(type(part)).parameters
    settings = {name: getattr(part, name) for name in names}
    return {"name": part.name, "settings": settings}


def _or_none(part: Any, known: Mapping[str, type[Any]]) -> dict[str, Any] | None:
    """What can be kept; your own functions cannot, and are given to fit again."""
    try:
        return None if part is None else _described(part, known, "")
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    """What JSON does not know of itself."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _packed(rule: Checkpoint, run: Run, moment: Moment, arguments: dict[str, Any]) -> bytes:
    """The file."""
    history, best, done = run.history, moment.best, slice(moment.epochs)
    losses, rates = history.losses[done], history.rates[done]
    finished = History(history.epochs[done], losses, rates=rates)
    tensors = {
        "network": np.frombuffer(moment.network, np.uint8),
        "losses": finished.loss_by_iteration,
        "rates": finished.lr_by_iteration,
        "steps": np.array([*map(len, losses)]),
    }
    tensors |= {f"memory.{i}": vector for i, vector in enumerate(moment.memory)}
    if history.validation_rows is not None:
        tensors["validation_rows"] = history.validation_rows
    about: dict[str, Any] = {
        "arguments": arguments | {"epochs": run.epochs},
        "checkpoint": rule.settings,
        "loss": _or_none(run.loss, LOSSES),
        "optimizer": _described(run.optimizer, OPTIMIZERS, "checkpoint") | {"steps": moment.steps},
        "schedule": _or_none(run.schedule, SCHEDULES),
        "history": {
            "path": history.path,
            "stopped": moment.stopped,
            "epochs": [asdict(epoch) for epoch in finished.epochs],
        },
        "state": {"schedule": moment.schedule, "of": history.state["of"]},
        "best": None,
    }
    if best is not None:
        about["best"] = _about_best(best, run.best is not None)
        if about["best"]["states"] is not None:
            assert best.snapshot is not None
            tensors |= {"best.params": best.snapshot.params, "best.buffers": best.snapshot.buffers}
    if rule.mark:
        about["mark"] = rule.mark
    import json

    text = json.dumps(about, default=_plain)
    return packed(tensors, {"format": FORMAT, "version": str(VERSION), "training": text})


def _about_best(best: Best, of_stopping: bool) -> dict[str, Any]:
    """What is known of the best epoch beside its numbers."""
    return {
        "rule": best.rule.settings,
        "of_stopping": of_stopping,
        "value": best.value,
        "epoch": best.epoch,
        "waited": best.waited,
        "states": None if best.snapshot is None else best.snapshot.states,
    }
