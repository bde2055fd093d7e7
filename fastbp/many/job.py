"""A job: one network to train, and how; and its training, wherever that happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy.typing as npt

from fastbp._files import StrPath
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule
from fastbp.training import (
    Callback,
    Checkpoint,
    Data,
    DivergenceError,
    EarlyStopping,
    Epoch,
    History,
    fit,
)
from fastbp.training.assessment import Metric
from fastbp.training.callbacks import Hooks, Watcher
from fastbp.training.weighting import ClassWeight

OWN = ("net", "train", "error", "done")  # fields that are no arguments of fit's by their name


@dataclass
class Job:
    """One network to train, and how: the arguments of ``fit``, but for the data.

    ``history`` fills while it trains; where a worker of an executor trains it, when it ends.
    ``done`` says whether it came to its end, and ``error`` what went wrong, if that was an error: a
    DivergenceError of a run that diverged.

    Examples
    --------
    >>> job = fb.Job(net, "cross-entropy", fb.Adam(0.01), epochs=3, validation=0.2)
    >>> (history,) = fb.fit_many([job], (x, y))
    >>> len(history["val_loss"])
    3
    """

    net: Sequential
    loss: Loss | str | None = None
    optimizer: Optimizer | str | None = None
    epochs: int = 10
    batch_size: int | None = None
    seed: int = 0
    callbacks: Watcher | Sequence[Watcher] = ()
    history: History = field(default_factory=History)
    error: Exception | None = None
    train: Data | None = None  # of this job alone; left out, fit_many's
    validation: Data | float | None = None  # likewise
    validate_every: int = 1
    metrics: str | Mapping[str, Metric] | None = "epoch"
    class_weight: ClassWeight | None = None
    sample_weight: npt.ArrayLike | None = None
    shuffle: bool = True
    schedule: Schedule | str | Callable[[int], float] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    l2: float = 0.0
    early_stopping: EarlyStopping | bool | None = None
    max_seconds: float | None = None
    checkpoint: Checkpoint | StrPath | None = None
    fused: bool = True
    done: bool = False

    @property
    def divergence(self) -> DivergenceError | None:
        """The error, if it is one; None of others."""
        return self.error if isinstance(self.error, DivergenceError) else None

    def arguments(self) -> dict[str, Any]:
        """Those of ``fit`` that they are, by its names, but for network and data."""
        names = (each.name for each in fields(self) if each.name not in OWN)
        return {name: getattr(self, name) for name in names}


def check_jobs(jobs: Sequence[Job], train: Data | None) -> None:
    """Refuse what is no job or has no data, and jobs that would train one thing twice at a time."""
    seen: set[int] = set()
    for number, job in enumerate(jobs):
        if not isinstance(job, Job):
            raise TypeError(
                f"fit_many: expected Job objects, got {type(job).__name__} as {number}; write "
                "fb.fit_many([fb.Job(net), ...], (x, y))"
            )
        if job.train is None and train is None:
            raise TypeError(f"fit_many: job {number} has no data to train on, and all share none")
        own = [
            part for part in (job.net, job.optimizer) if isinstance(part, Sequential | Optimizer)
        ]
        if any(id(part) in seen for part in own):
            raise ValueError(f"fit_many: job {number} shares its net or optimizer with another")
        seen |= {*map(id, own)}


class _Stopped(Exception):  # noqa: N818 - not an error: somebody else's
    """Raised inside a run when all are to stop."""


class _StopWhen(Callback):
    def __init__(self, asked: Callable[[], bool]) -> None:
        self.asked = asked

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        if self.asked():
            raise _Stopped

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        if self.asked():
            raise _Stopped


def train_job(
    job: Job, train: Data | None, validation: Data | None, stop: Callable[[], bool]
) -> None:
    """Train it in this thread alone, until its end, an error, or ``stop`` says True."""
    job.error, job.done = None, False
    data: Any = train if job.train is None else job.train
    try:
        if stop():
            return
        own = job.arguments()
        watchers = Hooks(job.callbacks).watchers
        own |= {"callbacks": (*watchers, _StopWhen(stop)), "threads": 1}
        if job.validation is None:
            own["validation"] = validation
        fit(job.net, data, **own)
    except _Stopped:
        return
    except Exception as problem:
        job.error = problem
    job.done = True
