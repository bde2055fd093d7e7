"""Jobs as bytes, and results as bytes that are put into the jobs."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import fields
from typing import Any, NamedTuple

from fastbp._memory import in_words
from fastbp.datasets import Dataset, Shards
from fastbp.layers.nesting import every_layer
from fastbp.meaning import Meaning
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.training import History
from fastbp.training.checkpoint import as_checkpoint
from fastbp.training.stopping import Snapshot

from .data import shared
from .job import Job
from .sending import dumps

SHAREABLE = ("train", "validation", "sample_weight")  # fields whose data several jobs may have
LARGE = 10_000_000  # bytes of one field that is no data, from which something is wrong
Settings = dict[str, Any]


class Shared(NamedTuple):
    """Stands in a job's bytes for data that are in the parcel."""

    number: int


class Packer:
    """Makes bytes of jobs.

    Attributes
    ----------
    things : list
        What is to go into the parcel: data for all, and those that several jobs have of their own.
    """

    def __init__(self, jobs: Sequence[Job], train: Any, validation: Any) -> None:
        import uuid

        self.jobs, self.mark = jobs, uuid.uuid4().hex
        self.things = [train, validation]
        self.places: dict[Any, Shared] = {}
        self.alone: dict[Any, Any] = {}  # what a single job has
        for key, whose in _owners(jobs).items():
            thing, name, _ = whose[0]
            thing = shared(thing, name, [job.net for *_, job in whose])
            if len(whose) == 1:
                self.alone[key] = thing
            else:
                self.places[key] = Shared(len(self.things))
                self.things.append(thing)

    def packed(self, number: int) -> bytes:
        """A job's bytes.

        Raises
        ------
        TypeError
            Which names what cannot be sent.
        """
        job = self.jobs[number]
        found = {each.name: getattr(job, each.name) for each in fields(job)}
        for name in SHAREABLE:
            key = _key(found[name])
            found[name] = self.places.get(key, self.alone.get(key))
        if job.checkpoint is not None:
            found["checkpoint"] = rule = copy(as_checkpoint(job.checkpoint))
            rule.path, rule.mark = os.path.abspath(rule.path), f"{self.mark}-{number}"
        data = _as_bytes(found, f"job {number}'s ")
        if len(data) > LARGE:
            self._warn_of_large(number, found)
        return data

    def train_of(self, number: int) -> Any:
        """What a job is trained on."""
        key = _key(self.jobs[number].train)
        place = self.places.get(key, Shared(0))
        return self.alone.get(key) or self.things[place.number]

    def check_data(self) -> None:
        """Refuse data that cannot be sent; TypeError names them."""
        names = {0: "train", 1: "validation"}
        for number, thing in enumerate(self.things):
            _as_bytes({names.get(number, "data of a job"): thing}, "", [])

    def _warn_of_large(self, number: int, found: Settings) -> None:
        for name in {*found} - {"net", "optimizer", "history", *SHAREABLE}:
            if (size := len(dumps(found[name]))) > LARGE:
                warnings.warn(
                    f"fit_many: job {number}'s {name} are {in_words(size)}, which go to a worker "
                    "with each such job; data belong in train or validation",
                    RuntimeWarning,
                    stacklevel=2,
                )


def _owners(jobs: Sequence[Job]) -> dict[Any, list[tuple[Any, str, Job]]]:
    """Data of jobs' own, each with its jobs, and what it is to them."""
    found: dict[Any, list[tuple[Any, str, Job]]] = {}
    for job in jobs:
        for name in SHAREABLE:
            if (thing := getattr(job, name)) is not None:
                found.setdefault(_key(thing), []).append((thing, name, job))
    return found


def _key(thing: Any) -> Any:
    """What is the same for the same data; pairs are made anew of the same arrays."""
    return tuple(map(id, thing)) if isinstance(thing, tuple) else id(thing)


def _as_bytes(parts: Settings, whose: str, buffers: Any = None) -> bytes:
    """Named parts, pickled; the error names the first one that cannot be."""
    try:
        return dumps(parts, buffers)
    except Exception as problem:
        for name, part in parts.items():
            try:
                dumps(part, None if buffers is None else [])
            except Exception as why:
                raise TypeError(
                    f"fit_many: {whose}{name} cannot be sent to a worker: {why}"
                ) from why
        raise TypeError(
            f"fit_many: {whose}parts cannot be sent to a worker: {problem}"
        ) from problem


def unpacked(data: bytes, things: Sequence[Any]) -> Job:
    """The job of such bytes, with the parcel's data."""
    found = pickle.loads(data)
    for name in SHAREABLE:
        if isinstance(found[name], Shared):
            found[name] = things[found[name].number]
    return Job(**found)


class Outcome(NamedTuple):
    """What came of a job where it was trained."""

    numbers: Snapshot
    settings: list[Settings]  # of each layer: those that callbacks changed
    meaning: Meaning | None
    optimizer: Settings | None
    history: History
    error: Exception | None
    done: bool


def settings_of(net: Sequential) -> list[Settings]:
    """Plain values that layers have as attributes."""
    return [
        {name: value for name, value in vars(layer).items() if _is_setting(name, value)}
        for layer in every_layer(net.layers)
    ]


def _is_setting(name: str, value: Any) -> bool:
    return not name.startswith("_") and isinstance(value, bool | int | float)


def pack_outcome(job: Job, before: list[Settings]) -> bytes:
    """A trained job's, whose layers had such settings before."""
    changed = [
        {name: value for name, value in after.items() if was.get(name) != value}
        for was, after in zip(before, settings_of(job.net), strict=True)
    ]
    optimizer = job.optimizer.__getstate__() if isinstance(job.optimizer, Optimizer) else None
    return dumps(
        Outcome(
            Snapshot.of(job.net),
            changed,
            job.net.meaning,
            optimizer,
            job.history,
            _sendable(job.error),
            job.done,
        )
    )


def pack_error(error: Exception) -> bytes:
    """That of a job that could not begin."""
    return dumps(_sendable(error))


def _sendable(error: Exception | None) -> Exception | None:
    """The error, or where its class cannot be sent, its text."""
    try:
        pickle.loads(dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def take_outcome(data: bytes, job: Job, train: Any) -> None:
    """Let a job be as if it had been trained here, on these data."""
    found: Outcome | Exception = pickle.loads(data)
    if isinstance(found, Exception):
        job.error, job.done = found, True
        return
    found.numbers.restore(job.net)
    for layer, changed in zip(every_layer(job.net.layers), found.settings, strict=True):
        for name, value in changed.items():
            setattr(layer, name, value)
    job.net.meaning = found.meaning
    table = train.table if isinstance(train, Dataset | Shards) else None
    if found.meaning is not None and table is not None:
        job.net.table = table
    if found.optimizer is not None and isinstance(job.optimizer, Optimizer):
        vars(job.optimizer).update(found.optimizer)
    vars(job.history).update(vars(found.history))
    job.error, job.done = found.error, found.done
