"""Several networks from several seeds, trained side by side on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fastbp.ensemble import Ensemble
from fastbp.many import Job, fit_many
from fastbp.network import Sequential
from fastbp.training import Callback, DivergenceError, Epoch, History

from .task import Task

Watch = Callable[[int, Job], Sequence[Callback]]


class LastEpoch(Callback):
    """Lets a network that is stopped within an epoch be what the one before left.

    Where early stopping keeps the best epoch's numbers, it is that.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.numbers: tuple[np.ndarray, np.ndarray] | None = None

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Copy its numbers."""
        self.numbers = net.params.copy(), net.buffers.copy()

    def on_train_end(self, net: Sequential) -> None:
        """Give it its numbers back."""
        best = self.history.state.get("best")
        if self.numbers is not None and (best is None or best.snapshot is None):
            net.params[...], net.buffers[...] = self.numbers


class Several:
    """The networks of a task, and how their training goes.

    Attributes
    ----------
    jobs : list of Job
        Each has a network, and its history.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.jobs = jobs_of(task)

    def fit(self, watch: Watch | None = None, threads: int | None = None) -> None:
        """Train all of them; ``watch`` gives callbacks for each, which its thread calls.

        Raises
        ------
        DivergenceError
            When a network diverged, after all others ended.
        KeyboardInterrupt
            After Ctrl-C, when all have stopped.
        """
        for number, job in enumerate(self.jobs):
            others = watch(number, job) if watch else ()
            job.callbacks = (LastEpoch(job.history), *others)
        fit_many(self.jobs, threads=threads)
        raise_divergence(self.jobs, self.task)

    def finished(self) -> list[Job]:
        """Those that did not diverge, and have an epoch that is finished."""
        return [job for job in self.jobs if job.error is None and job.history.epochs]

    def together(self) -> Ensemble:
        """All of them as one model."""
        return Ensemble([job.net for job in self.jobs])


def jobs_of(task: Task) -> list[Job]:
    """A job for each network, on the same rows; each has its own optimiser and history."""
    train, validation = task.parts
    jobs = []
    for net, seed in zip(task.build(), task.seeds, strict=True):
        arguments = task.model.fit_arguments() | {"seed": seed, "validation": validation}
        jobs.append(Job(net, train=train, **arguments))
    return jobs


def raise_divergence(jobs: Sequence[Job], task: Task, where: str = "") -> None:
    """Say which network diverged first, if one did."""
    for number, job in enumerate(jobs):
        if job.error is not None:
            name = f"network {number + 1} of {len(jobs)}, seed {task.seeds[number]}"
            raise DivergenceError(f"{where}{name}: {job.error}", job.error.losses) from job.error
