"""Several networks from several seeds, trained side by side, each on rows of its own choice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import runs
from fastbp.many import Job, fit_many
from fastbp.network import Sequential
from fastbp.recording import signals_held_back
from fastbp.training import Callback, DivergenceError, Epoch, History

from .result import Result
from .task import Task
from .unseen import together

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
    seconds : float
        That the training took.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.jobs = jobs_of(task)
        self.seconds = 0.0

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
        started = time.perf_counter()
        try:
            fit_many(self.jobs, threads=threads)
        finally:
            self.seconds = time.perf_counter() - started
        raise_divergence(self.jobs, self.task)

    def finished(self) -> list[Job]:
        """Those that did not diverge, and have an epoch that is finished."""
        return [job for job in self.jobs if job.divergence is None and job.history.epochs]

    def recorded(
        self, folder: Path, watch: Watch | None = None, threads: int | None = None
    ) -> None:
        """``fit``, and networks that have finished epochs are written, however it ends."""
        try:
            self.fit(watch, threads)
        finally:
            with signals_held_back():
                self._write(folder)

    def _write(self, folder: Path) -> None:
        if jobs := self.finished():
            model, histories = together([job.net for job in jobs]), [job.history for job in jobs]
            runs.write(folder, model, histories, self.task.config())

    def result(self, crossed: dict[str, Any] | None = None) -> Result:
        """What came of all of them."""
        task, jobs = self.task, self.jobs
        return Result(
            together([job.net for job in jobs]),
            task.train,
            task.test,
            [job.history for job in jobs],
            task.seeds,
            task.model.batch_size,
            self.seconds,
            crossed,
        )


def jobs_of(task: Task) -> list[Job]:
    """A job for each network, as it would be alone with its seed, which keeps its own rows back."""
    return [
        Job(net, train=task.train, **task.arguments() | {"seed": seed})
        for net, seed in zip(task.build(), task.seeds, strict=True)
    ]


def raise_divergence(jobs: Sequence[Job], task: Task, where: str = "") -> None:
    """Say which network diverged first, if one did."""
    for number, job in enumerate(jobs):
        if (problem := job.divergence) is not None:
            name = f"network {number + 1} of {len(jobs)}, seed {task.seeds[number]}"
            raise DivergenceError(f"{where}{name}: {problem}", problem.losses) from problem
