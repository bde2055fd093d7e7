"""A search on its way: rung by rung, all trials of a rung side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastbp.many import Job, fit_many
from fastbp.training.loop import ASKED

from .jobs import CARRIED, PROBLEMS, Maker
from .plan import Rung
from .store import Store
from .trials import FAILED, FINISHED, STOPPED, Trial, best_first, score_of

Watch = Callable[[Trial], object]
# What fails again when it is tried again; all else may have come of where it was trained.
LASTING = (ValueError, TypeError, ArithmeticError, LookupError)


@dataclass
class Run:
    """Trials, and how they are trained.

    Attributes
    ----------
    trials : list of Trial
    plan : list of Rung
    rises : bool
        Whether a higher score is better.
    how : dict
        Of ``fit_many``: data, and where networks are trained.
    """

    maker: Maker
    trials: list[Trial]
    plan: list[Rung]
    rises: bool
    store: Store
    watch: Sequence[Watch]
    how: dict[str, Any]

    def train(self) -> None:
        """Train what the folder does not have yet.

        Raises
        ------
        ValueError
            If all trials failed.
        """
        going = self.trials
        for place, rung in enumerate(self.plan):
            going = going if place == 0 else best_first(going, self.rises)[: rung.trials]
            self._train_rung(sorted(going, key=lambda trial: trial.number), place)
        if all(trial.state == FAILED for trial in self.trials):
            count, first = len(self.trials), self.trials[0]
            raise ValueError(f"search: all {count} trials failed; the first: {first.error}")

    def _train_rung(self, going: list[Trial], place: int) -> None:
        """Train those that go on, up to the rung's epoch."""
        jobs: list[tuple[Trial, Job]] = []
        for trial in going:
            if self.store.read(trial, place):
                self._tell(trial)
            else:
                self._begin(trial, place, jobs)
        if not jobs:
            return
        waiting = {id(job): (trial, job) for trial, job in jobs}

        def ended(job: Job) -> None:
            self._end(*waiting.pop(id(job)), place)

        try:
            fit_many([job for _, job in jobs], **self.how, errors="keep", on_result=ended)
        finally:
            for trial, job in waiting.values():  # of which some ended while all were stopped
                if job.done:
                    self._end(trial, job, place)

    def _begin(self, trial: Trial, place: int, jobs: list[tuple[Trial, Job]]) -> None:
        """Make its job, unless it needs none or cannot be made."""
        try:
            until = self.plan[place].until(self.maker.epochs(trial.params))
            start = self._start(trial, place)
            if start is not None and (trial.state == FINISHED or trial.epochs >= until):
                trial.rung = place
                self._keep(trial, start.read_bytes())
                return
            jobs.append((trial, self.maker.job(trial.params, until, start)))
        except PROBLEMS as problem:
            self._fail(trial, place, problem)

    def _start(self, trial: Trial, place: int) -> Path | None:
        """The checkpoint from which it goes on: that of the rung before, if it is whole."""
        if place and self.store.is_whole(trial.number, place - 1):
            return self.store.checkpoint(trial.number, place - 1)
        return None

    def _end(self, trial: Trial, job: Job, place: int) -> None:
        """Keep what it came to."""
        if job.error is not None:
            self._fail(trial, place, job.error)
            return
        history, data = job.history, job.history.state.pop(CARRIED)
        trial.rung, trial.epochs, trial.seconds = place, len(history), history.seconds
        try:
            trial.score = score_of(history, trial.metric)
        except ValueError as problem:
            self._fail(trial, place, problem)
            return
        goes_on = history.stopped == ASKED and place + 1 < len(self.plan)
        trial.state = STOPPED if goes_on else FINISHED
        self._keep(trial, data)

    def _fail(self, trial: Trial, place: int, problem: BaseException) -> None:
        trial.state, trial.rung, trial.score = FAILED, place, math.nan
        trial.error = " ".join(str(problem).split()) or type(problem).__name__
        if isinstance(problem, LASTING):
            self.store.write(trial, None)
        self._tell(trial)

    def _keep(self, trial: Trial, data: bytes) -> None:
        self.store.write(trial, data)
        self._tell(trial)

    def _tell(self, trial: Trial) -> None:
        for watch in self.watch:
            watch(trial)
