"""Who trains: threads of this process, or the workers of an executor."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastbp import threads as thread_counts
from fastbp.backends import active

from .job import Job, train_job
from .packing import Packer, take_outcome
from .sending import Parcel, remove_parcel, write_parcel
from .work import Gone, Order, Report, Terms, work

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

MOST = 64  # jobs in a task


class Crew:
    """Those who train: they are given tasks, each of a few jobs.

    Attributes
    ----------
    lanes : int
        How many tasks run at a time.
    at_once : int
        How many networks of a task train at a time, each in one thread.
    window : int
        How many tasks they have at a time, those included that wait.
    most : int
        How many jobs a task has at most.
    deaths : tuple of exception classes
        What a task ends with whose worker died.
    patience : int
        How often a job's worker may die before the job is to blame.
    """

    lanes, at_once, window, most, patience = 1, 1, 1, MOST, 3
    deaths: tuple[type[BaseException], ...] = ()

    def __init__(self, jobs: Sequence[Job], train: Any, validation: Any) -> None:
        self.jobs, self.train, self.validation = jobs, train, validation

    def begin(self) -> None:
        """Get ready; whatever is raised from here on, ``close`` is called."""

    def packed(self, number: int) -> Any:
        """A job as ``submit`` takes it."""
        raise NotImplementedError

    def submit(self, packed: list[Any]) -> Future[Any]:
        """Give them a task."""
        raise NotImplementedError

    def take(self, numbers: list[int], report: Any) -> float:
        """Put what came of a task into its jobs; the seconds that one took, in the mean."""
        raise NotImplementedError

    def blame(self, death: BaseException) -> int:
        """How many workers died."""
        return 1

    def renew(self, death: BaseException) -> None:
        """Go on after a worker died."""

    def check(self) -> None:
        """Look whether they are still there; ConnectionError if not."""

    def lacks_data(self) -> None:
        """Take note that a worker could not find the data."""

    def stop(self) -> None:
        """Let all tasks end as soon as they can."""

    def close(self) -> None:
        """Leave nothing behind."""


class Threads(Crew):
    """Threads of this process: the jobs themselves are trained, and nothing is sent."""

    most = 1

    def __init__(
        self,
        jobs: Sequence[Job],
        train: Any,
        validation: Any,
        executor: Executor | None,
        threads: int | None,
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        super().__init__(jobs, train, validation)
        self.lanes = thread_counts.count(threads)
        # Others' pools may have more threads than there are processors.
        self.window = len(jobs) if executor is None else self.lanes
        self.own = ThreadPoolExecutor(self.lanes, "fastbp") if executor is None else None
        self.executor: Executor = self.own or executor  # type: ignore[assignment]
        self.stopped = threading.Event()

    def packed(self, number: int) -> Job:
        """Itself."""
        return self.jobs[number]

    def submit(self, packed: list[Job]) -> Future[Any]:
        """Train one."""
        data = self.train, self.validation
        return self.executor.submit(train_job, packed[0], *data, self.stopped.is_set)

    def take(self, numbers: list[int], report: Any) -> float:
        """They have it."""
        return 0.0

    def stop(self) -> None:
        """Within a tenth of a second, or an epoch."""
        self.stopped.set()

    def close(self) -> None:
        """Wait for the threads."""
        if self.own is not None:
            self.own.shutdown()


class Workers(Crew):
    """What workers elsewhere have in common: jobs are sent, and results come back."""

    def __init__(self, jobs: Sequence[Job], train: Any, validation: Any) -> None:
        super().__init__(jobs, train, validation)
        self.packer = Packer(jobs, train, validation)
        self.terms, self.detail = Terms.of_here(active().name), active().detail
        self.told: set[str] = set()  # workers of which something was said

    def packed(self, number: int) -> bytes:
        """Its bytes."""
        return self.packer.packed(number)

    def take(self, numbers: list[int], report: Report) -> float:
        """By the order in which they were sent."""
        for number, outcome in zip(numbers, report.outcomes, strict=True):
            take_outcome(outcome, self.jobs[number], self.packer.train_of(number))
        if report.detail != self.detail and report.worker not in self.told:
            self.told.add(report.worker)
            warnings.warn(
                f"fit_many: worker {report.worker} computes with {self.terms.backend} "
                f"{report.detail}, and here it is {self.detail}: what it trains differs in rounding"
                + "; FASTBP_CPU sets a level that all have"
                * (self.terms.backend == "cython"),
                RuntimeWarning,
                stacklevel=2,
            )
        return report.seconds


class Pool(Workers):
    """Processes of a pool, on this machine or elsewhere."""

    def __init__(
        self,
        jobs: Sequence[Job],
        train: Any,
        validation: Any,
        executor: Executor,
        threads: int | None,
    ) -> None:
        from concurrent.futures import BrokenExecutor

        super().__init__(jobs, train, validation)
        self.deaths = (BrokenExecutor,)
        self.executor, self.own = executor, None
        workers = _workers(executor)
        self.is_local = _is_local(executor)
        if self.is_local:
            # A number from the environment is one of threads in a process: it idles no process.
            cores = thread_counts.count(threads)
            most = cores if threads else max(cores, thread_counts.available())
            self.lanes = min(workers, most)
            self.at_once = max(1, cores // self.lanes)
        else:  # who starts several on a machine has one for each of its cores
            self.lanes = min(workers, threads or workers)
        # A second task for each waits there, where that is not one more that runs.
        self.window = 2 * self.lanes if self.lanes == workers else self.lanes
        self.parcel = Parcel("", "")
        self.owed = 0  # tasks that are to bring the data along

    def begin(self) -> None:
        """Put the data where all processes of this machine see them."""
        self.packer.check_data()
        self.parcel = write_parcel(self.packer.things)

    def submit(self, packed: list[bytes]) -> Future[Any]:
        """Without the data, but for machines that do not see their file."""
        parcel = self.parcel
        if self.owed:
            self.owed -= 1
            parcel = parcel._replace(content=Path(parcel.path).read_bytes())
        order = Order(self.terms, packed, self.at_once, Gone(parcel.path), self.is_local)
        return self.executor.submit(work, order, parcel)

    def lacks_data(self) -> None:
        """The next task brings them."""
        self.owed += 1

    def renew(self, death: BaseException) -> None:
        """Make a pool like the one that broke."""
        self._leave()
        self.executor = self.own = like(self.executor)

    def stop(self) -> None:
        """Workers miss the file."""
        if self.parcel.path:
            remove_parcel(self.parcel.path)

    def close(self) -> None:
        """Leave no process of ours."""
        self._leave()

    def _leave(self) -> None:
        """A pool that is ours ends; loky's belongs to whoever asks for it next."""
        from concurrent.futures import ProcessPoolExecutor

        if isinstance(self.own, ProcessPoolExecutor):
            self.own.shutdown(cancel_futures=True)


def _workers(executor: Executor) -> int:
    """How many it has; executors say it by these names, or not at all."""
    for name in ("num_workers", "_max_workers"):
        found = getattr(executor, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return 1


def _is_local(executor: Executor) -> bool:
    """Whether its workers are processes of this machine."""
    from concurrent.futures import ProcessPoolExecutor

    return isinstance(executor, ProcessPoolExecutor) or _loky(executor) is not None


def _loky(executor: Executor) -> Any:
    """The package, loky or joblib's copy of it, if the executor is of it."""
    package = sys.modules.get(type(executor).__module__.rpartition(".")[0])
    return package if hasattr(package, "get_reusable_executor") else None


def like(executor: Any) -> Any:
    """A new pool that is as another was; RuntimeError where nobody knows how to make one."""
    from concurrent.futures import ProcessPoolExecutor

    if not _is_local(executor):
        raise RuntimeError(
            f"fit_many: {type(executor).__name__} is broken, for a worker died, and only "
            "ProcessPoolExecutor and loky can be made anew; finished jobs have their results"
        )
    settings = {
        "max_workers": executor._max_workers,
        "initializer": executor._initializer,
        "initargs": executor._initargs,
    }
    loky = _loky(executor)
    if loky is not None:
        return loky.get_reusable_executor(**settings)
    per_child = getattr(executor, "_max_tasks_per_child", None)
    return ProcessPoolExecutor(
        **settings, mp_context=executor._mp_context, max_tasks_per_child=per_child
    )
