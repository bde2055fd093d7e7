"""From settings to a job of ``fit_many``, which stops where it shall and brings back what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import models
from fastbp._checks import check_kind
from fastbp.many import Job
from fastbp.models import Model
from fastbp.network import Sequential
from fastbp.tabular import recipe
from fastbp.training import Callback, Checkpoint, Epoch, History, resume
from fastbp.training.callbacks import Hooks

CARRIED = "checkpoint"  # of a history's state
AT_THE_END = 1e9  # seconds: a checkpoint is written when the job ends, not before
Build = Callable[..., Any]
# What settings that do not go together, or with the data, come to.
PROBLEMS = (ValueError, TypeError, ArithmeticError, LookupError, OSError, MemoryError)
NOT_SETTINGS = {
    "net",
    "train",
    "validation",
    "history",
    "error",
    "checkpoint",
    "done",
}  # of a Job's fields


class Until(Callback):
    """Ends a training after an epoch, as if it went on after it."""

    def __init__(self, epoch: int, history: History) -> None:
        self.epoch, self.history = epoch, history

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> bool:
        """Whether it is that epoch; not where early stopping ends it by itself."""
        best = self.history.state.get("best")
        return epoch.epoch == self.epoch and not (best is not None and best.reason)


class Carried(Checkpoint):
    """A checkpoint that comes back with the history, from whatever process trained."""

    def __init__(self, history: History) -> None:
        super().__init__(CARRIED, every=AT_THE_END, keep_best=False)
        self.history = history

    def keep(self, data: bytes) -> None:
        """Let the history have what a run left."""
        self.history.state[CARRIED] = data


@dataclass(frozen=True)
class Maker:
    """Makes jobs of settings.

    Attributes
    ----------
    train : Dataset or (x, y)
    settings : mapping
        Those that all trials share.
    build : function, optional
        What makes the network of a trial, or its Job, of its settings.
    """

    train: Any
    settings: Mapping[str, Any]
    build: Build | None = None

    def model(self, params: Mapping[str, Any]) -> Model:
        """The model of a trial, fitted to the data."""
        given = dict(self.settings) | dict(params)
        if isinstance(given.get("hidden"), int | np.integer):
            given["hidden"] = (int(given["hidden"]),)
        if self.train.table is not None:
            given = recipe.completed(given, self.train)
        elif self.train.values:
            given = {"loss": "mse"} | given
        model = models.asked_for(given)
        return model.fitted(self.train.features, model.outputs_for(self.train))

    def epochs(self, params: Mapping[str, Any]) -> int:
        """How many a trial is trained for, where nothing stops it."""
        return (self.model(params) if self.build is None else self._built(params)).epochs

    def job(self, params: Mapping[str, Any], until: int, start: Path | None) -> Job:
        """The job that trains by those settings to an epoch, from the start or a checkpoint."""
        job = self._of_model(params) if self.build is None else self._built(params)
        if start is not None:
            going = resume(start)
            job.net, job.history = going.net, going.history
            job.optimizer = going.arguments["optimizer"]
            job.history.stopped = ""
        ends = [Until(until, job.history)] if until < job.epochs else []
        job.callbacks = (*Hooks(job.callbacks).watchers, *ends)
        job.epochs -= len(job.history)
        job.checkpoint = Carried(job.history)
        return job

    def _of_model(self, params: Mapping[str, Any]) -> Job:
        model = self.model(params)
        arguments = model.fit_arguments()
        arguments.pop("validation", None)  # which is the search's
        net = model.build(self.train.features, model.outputs_for(self.train))
        return Job(net, **arguments)

    def _built(self, params: Mapping[str, Any]) -> Job:
        """The Job that the user's function makes, or one of its network."""
        assert self.build is not None
        found = self.build(**params)
        if isinstance(found, Sequential):
            return Job(found, **self.settings)
        check_kind(found, Job, "search build")
        if self.settings:
            raise TypeError(
                f"search: {', '.join(self.settings)} go with a build that gives networks; it gives "
                "a Job, which says how it is trained"
            )
        if found.checkpoint is not None:
            raise ValueError("search build: expected a Job without a checkpoint, search keeps them")
        return found


def job_settings() -> tuple[str, ...]:
    """What may be said to all jobs, where a function makes the networks."""
    return tuple(each.name for each in fields(Job) if each.name not in NOT_SETTINGS)
