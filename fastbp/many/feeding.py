"""Gives a crew jobs as it has room for them, and takes results as they come."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .crews import Crew
from .job import Job
from .sending import NoParcelError

if TYPE_CHECKING:
    from concurrent.futures import Future

TASK = 1.0  # seconds that a task is to take, so that sending it costs little
TURN = 0.01  # seconds that the caller has for a task, so many workers there are: longer tasks, then
LOOK_EVERY = 0.1  # seconds within which Ctrl-C is answered
LINGER = 10.0  # seconds that are waited for tasks that were told to stop
SUSPECT = 2  # deaths from which a job is trained with no other beside it
MOST_BREAKS = 6  # deaths in a row, with no result between them, from which nothing will come


class Feeder:
    """The jobs on their way: those that wait, and the tasks that a crew has."""

    def __init__(self, crew: Crew, jobs: Sequence[Job]) -> None:
        self.crew, self.jobs = crew, jobs
        self.waiting = deque(range(len(jobs)))
        self.flying: dict[Future[Any], list[int]] = {}
        self.ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self.deaths: Counter[int] = Counter()  # of workers, by the job that they had
        self.broken: set[Future[Any]] = set()  # tasks of a pool that has been replaced
        self.breaks = 0  # since the last result
        self.seconds = 0.0  # that a job takes
        self.failed: list[int] = []  # before they were sent

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the crew begin, and whatever happens, stop and leave nothing behind."""
        try:
            self.crew.begin()
            yield
        finally:
            self.drain()
            self.crew.close()

    def results(self, cancelled: Callable[[], bool]) -> Iterator[int]:
        """The numbers of jobs, as they are finished, until all are, or somebody cancels."""
        while (self.waiting or self.flying or self.failed) and not cancelled():
            self._fill()
            while self.failed:
                yield self.failed.pop(0)
            if not self.flying:
                continue
            try:
                task = self.ended.get(timeout=LOOK_EVERY)
            except Empty:
                self.crew.check()
                continue
            yield from self._landed(task)

    def drain(self) -> None:
        """Stop all, and take what still comes within a while."""
        from concurrent.futures import wait

        self.crew.stop()
        for task in self.flying:
            task.cancel()
        done, _ = wait(self.flying, timeout=LINGER)
        for task in done:
            if not task.cancelled() and task.exception() is None:
                self.crew.take(self.flying[task], task.result())

    def _fill(self) -> None:
        while self.waiting and len(self.flying) < self.crew.window and self._may_begin():
            numbers = self._next()
            packed = []
            for number in [*numbers]:
                try:
                    packed.append(self.crew.packed(number))
                except TypeError as problem:
                    self._fail(number, problem)
                    numbers.remove(number)
            if numbers:
                self._submit(numbers, packed)

    def _may_begin(self) -> bool:
        """Whether the next job may train beside those that do."""
        if not self.flying:
            return True
        flying = (number for numbers in self.flying.values() for number in numbers)
        return self.deaths[self.waiting[0]] < SUSPECT and not any(
            self.deaths[number] >= SUSPECT for number in flying
        )

    def _next(self) -> list[int]:
        """The jobs of the next task: so many that it takes some time, and all end together."""
        crew = self.crew
        size = crew.at_once
        if self.seconds:
            size = max(size, min(jobs_of(self.seconds, len(self.waiting), crew.lanes), crew.most))
        numbers = [self.waiting.popleft()]
        while self.waiting and len(numbers) < size and not self.deaths[numbers[0]]:
            numbers.append(self.waiting.popleft())
        return numbers

    def _submit(self, numbers: list[int], packed: list[Any]) -> None:
        try:
            task = self.crew.submit(packed)
        except self.crew.deaths as death:  # it broke before it had this
            self._renew(death)
            task = self.crew.submit(packed)
        self.flying[task] = numbers
        task.add_done_callback(self.ended.put)

    def _landed(self, task: Future[Any]) -> Iterator[int]:
        """The jobs of a task that ended, if they are finished."""
        numbers = self.flying.pop(task)
        try:
            report = task.result()
        except NoParcelError:
            self.crew.lacks_data()
            self.waiting.extendleft(reversed(numbers))
        except self.crew.deaths as death:
            self._died(task, numbers, death)
        except ImportError as problem:
            if (problem.name or "").split(".")[0] != "fastbp":
                raise
            text = f"fit_many: a worker has no fastbp as it is here: {problem}"
            raise RuntimeError(text) from None
        else:
            self.breaks = 0
            took = self.crew.take(numbers, report)
            self.seconds = took if not self.seconds else (self.seconds + took) / 2
            yield from numbers

    def _died(self, task: Future[Any], numbers: list[int], death: BaseException) -> None:
        """The worker died: its jobs run again, but for one that kills each that has it."""
        if task not in self.broken:
            self._renew(death)
        self.broken.discard(task)
        for number in reversed(numbers):
            self.deaths[number] += self.crew.blame(death)
            if len(numbers) == 1 and self.deaths[number] >= self.crew.patience:
                text = f"{self.deaths[number]} workers died that trained it: {death}"
                self._fail(number, RuntimeError(text))
            else:
                self.waiting.appendleft(number)

    def _renew(self, death: BaseException) -> None:
        self.breaks += 1
        if self.breaks > MOST_BREAKS:
            raise RuntimeError(
                f"fit_many: workers die before they finish anything ({death}); if this is a "
                'script, its start belongs below if __name__ == "__main__":'
            ) from death
        self.broken |= {*self.flying}
        self.crew.renew(death)

    def _fail(self, number: int, problem: Exception) -> None:
        job = self.jobs[number]
        job.error, job.done = problem, True
        self.failed.append(number)


def jobs_of(seconds: float, waiting: int, lanes: int) -> int:
    """How many jobs that take so long make a task: one of TASK seconds, and all end together."""
    fair = -(-waiting // (2 * lanes))
    return min(int(max(TASK, TURN * lanes) / seconds), fair)
