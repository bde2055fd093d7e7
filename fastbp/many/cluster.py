"""Dask's workers, on this machine or on others, as who trains."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fastbp._extras import missing

from .crews import Workers
from .job import Job
from .work import Order, Told, agree, tell, work

if TYPE_CHECKING:
    from concurrent.futures import Future

CONNECT = 9  # seconds within which a scheduler answers, or there is none
ATTEMPTS = 5  # to become a scheduler's client
PATIENCE = 10  # seconds that a result may be on its way before its client is looked at
LOOK_EVERY = 2.0  # seconds between two looks at how many workers there are
SPARE = 8  # tasks that wait beside those that run, from which a cluster knows that it may grow
# What Dask says of tasks that are lost with the scheduler; all others were lost with their data.
GONE = "does not answer any more"
LOST = {
    "scheduler-connection-lost": GONE,
    "scheduler-restart": "was restarted",
}


class Cluster(Workers):
    """The workers of a Dask scheduler, each of which trains as many networks as it has threads."""

    def __init__(
        self, jobs: Sequence[Job], train: Any, validation: Any, executor: Any, threads: int | None
    ) -> None:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        super().__init__(jobs, train, validation)
        self.client = getattr(executor, "_client", executor)
        if self.client.asynchronous:
            raise TypeError("fit_many executor: expected a Client with asynchronous=False")
        self.options = getattr(executor, "_kwargs", {})  # which workers, what they must have
        self.deaths, self.killed = (KilledWorker, FutureCancelledError), KilledWorker
        self.cancelled = FutureCancelledError
        self.gone = (OSError, FutureCancelledError)
        self.threads, self.looked, self.is_lost = threads, 0.0, False
        self.tasks: dict[Any, None] = {}  # Dask's futures, which it forgets with the last reference
        self.data: list[Any] = []  # Dask's future of them
        scheduler = self.client.scheduler
        self.address = scheduler.address if scheduler else "its address"

    def begin(self) -> None:
        """Send the data to all workers that there are."""
        self.packer.check_data()
        self._scatter()
        self._look()

    def submit(self, packed: list[bytes]) -> Future[Any]:
        """The data are at the worker, or come from another one."""
        from concurrent.futures import Future

        order = Order(self.terms, packed, self.at_once, Told(self.packer.mark))
        found = self.client.submit(work, order, *self.data, pure=False, **self.options)
        task: Future[Any] = Future()
        task.set_running_or_notify_cancel()
        self.tasks[found] = None
        found.add_done_callback(partial(self._settle, task))
        return task

    def _settle(self, task: Future[Any], found: Any) -> None:
        self.tasks.pop(found, None)
        try:
            task.set_result(self._result_of(found))
        except BaseException as problem:  # all that there is, a cancelled one's too
            closed = self._is_closed()
            task.set_exception(self.cancelled(found.key, "client-closed") if closed else problem)

    def _result_of(self, found: Any) -> Any:
        """What Dask has at a worker; a client that is closed meanwhile would never answer.

        All clients of a process have one thread between them in which this is called.
        """
        while not self._is_closed():
            with suppress(TimeoutError):
                return found.result(timeout=PATIENCE)
        raise self.cancelled(found.key, "client-closed")

    def _is_closed(self) -> bool:
        return self.client.status in ("closing", "closed")

    def blame(self, death: BaseException) -> int:
        """Dask has tried several workers before it says that they were killed."""
        return self.patience if isinstance(death, self.killed) else 1

    def renew(self, death: BaseException) -> None:
        """Send the data again, if they were lost; ConnectionError if the scheduler was."""
        if isinstance(death, self.killed):
            return
        with self._answering():
            raise death
        self._scatter()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What Dask says of a scheduler that is gone, in our words; other deaths are none."""
        if self._is_closed():
            raise self._lost(f"client of the scheduler at {self.address} was closed")
        try:
            yield
        except self.gone as problem:
            said = LOST.get(getattr(problem, "reason", ""))
            if said is None and not isinstance(problem, OSError):
                return
            raise self._lost(f"scheduler at {self.address} {said or GONE}") from problem

    def _lost(self, what: str) -> ConnectionError:
        self.is_lost = True
        return ConnectionError(
            f"fit_many: the Dask {what}; {sum(job.done for job in self.jobs)} of "
            f"{len(self.jobs)} jobs are done, and have their results"
        )

    def check(self) -> None:
        """Look how many workers there are now."""
        if time.monotonic() - self.looked >= LOOK_EVERY:
            self._look()

    def stop(self) -> None:
        """Tell every worker's process, unless they have nothing of ours any more."""
        if self.tasks and self.client.status == "running" and not self.is_lost:
            with suppress(OSError):
                self.client.run(tell, self.packer.mark, on_error="ignore")

    def close(self) -> None:
        """Leave no task and no data."""
        if self.client.status == "running":
            with suppress(OSError):
                self.client.cancel([*self.tasks, *self.data], force=True)

    def _look(self) -> None:
        with self._answering():
            running = sum(self.client.nthreads().values())
        self.lanes = max(1, min(running, self.threads or running))
        # A second task waits at each, where that is not one more that runs.
        self.window = 2 * self.lanes + SPARE
        if self.threads is not None:
            fewer = self.threads < running
            self.window = self.threads if fewer else max(self.threads, 2 * self.lanes)
        self.looked = time.monotonic()

    def _scatter(self) -> None:
        """Data to all workers; the first that there is has agreed, and is waited for."""
        with self._answering():
            self.client.submit(agree, self.terms, pure=False, **self.options).result()
            things = [self.packer.things]
            self.data = self.client.scatter(things, broadcast=True, hash=False)


@contextmanager
def opened(executor: Any) -> Iterator[Any]:
    """An executor as it is, or of a scheduler's address a client, which is closed in the end.

    Raises
    ------
    ModuleNotFoundError
        Without Dask.
    ConnectionError
        If nobody answers there, within nine seconds, or somebody who is no scheduler.
    ValueError
        If it is no address.
    """
    if not isinstance(executor, str):
        yield executor
        return
    with _connected(executor) as client:
        yield client


def _connected(address: str) -> Any:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    try:
        from distributed import Client
    except ImportError:
        raise missing("fit_many's executor", "Dask", "dask") from None
    try:
        with ThreadPoolExecutor(1) as pool:  # for in a notebook a loop runs in this thread
            pool.submit(asyncio.run, _answered(address)).result()
        return _introduced(partial(Client, address, timeout=CONNECT, set_as_default=False))
    except OSError as problem:
        text = f"fit_many: no Dask scheduler answers at {address!r} within {CONNECT} s"
        raise ConnectionError(f"{text}: {problem}" if str(problem) else text) from None
    except ValueError as problem:
        raise ValueError(
            f"fit_many executor: expected a scheduler's address, like 'tcp://10.0.0.1:8786', got "
            f"{address!r}: {problem}"
        ) from None
    except Exception as problem:  # whatever becomes of bytes that are none of Dask's
        raise ConnectionError(
            f"fit_many: who answers at {address!r} is no Dask scheduler; its dashboard has another "
            f"port than the scheduler, 8786 as a rule ({type(problem).__name__}: {problem})"
        ) from None


def _introduced(connect: Callable[[], Any]) -> Any:
    """A client, if need be by another attempt.

    What a scheduler tells all its clients at this moment comes with its first words to a new one,
    which asserts that it gets nothing else.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(AssertionError):
            return connect()
    return connect()


async def _answered(address: str) -> None:
    """Wait for a scheduler's first words, for which a Client has all the time in the world."""
    import asyncio

    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(address, timeout=CONNECT), CONNECT)
    await comm.close()


def is_of_dask(executor: Any) -> bool:
    """Whether it is a Dask client or the executor of one."""
    distributed = sys.modules.get("distributed")  # who has one has imported it
    client = getattr(executor, "_client", executor)
    return distributed is not None and isinstance(client, distributed.Client)
