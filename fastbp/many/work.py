"""What runs in a worker: a few jobs, by the caller's terms, with the data that it has."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastbp import backends
from fastbp._version import __version__
from fastbp.layers.nesting import every_layer
from fastbp.training import resume
from fastbp.training.stopping import Snapshot

from .job import Job, train_job
from .packing import pack_error, pack_outcome, settings_of, unpacked
from .sending import Parcel, open_parcel

LOOK_EVERY = 0.1  # seconds between two looks at whether all are to stop
ORPHAN_EVERY = 0.5  # seconds between two looks at whether a worker's parent is alive


class UnfitWorkerError(RuntimeError):
    """A worker that would compute something else than the caller, or nothing; it is named."""


class Terms(NamedTuple):
    """What must be the same in a worker, so that its networks are the same, bit for bit."""

    fastbp: str
    Python: str
    NumPy: str
    backend: str

    @classmethod
    def of_here(cls, backend: str) -> Terms:
        """Those of this process."""
        python, numpy = platform.python_version_tuple()[:2], np.__version__.split(".")[:2]
        return cls(__version__, ".".join(python), ".".join(numpy), backend)


class Order(NamedTuple):
    """What a worker is to do."""

    terms: Terms
    jobs: list[bytes]
    at_once: int  # how many of them train at a time, in threads
    stop: Any  # a function: whether all are to stop
    is_child: bool = False  # whether the worker's process is of no use without its parent


class Report(NamedTuple):
    """What a worker did."""

    worker: str
    detail: str  # of its backend
    outcomes: list[bytes]
    seconds: float  # that it took for a job, in the mean


class Gone(NamedTuple):
    """Says that all are to stop when a file that was there is gone."""

    path: str

    def __call__(self) -> bool:
        """Whether it is gone."""
        return not Path(self.path).exists()


_told: set[str] = set()


class Told(NamedTuple):
    """Says that all are to stop when somebody told this process of Dask so, or is gone."""

    name: str

    def __call__(self) -> bool:
        """Whether it was told, it ends, or nobody waits for the task of this thread any more."""
        if self.name in _told:
            return True
        worker = sys.modules["distributed"].get_worker()
        if worker.status.name in ("closing", "closed"):
            return True
        task = worker.state.tasks.get(worker.get_current_task())
        return task is not None and task.state == "cancelled"


def tell(name: str) -> None:
    """Let those of that name stop."""
    _told.add(name)


def work(order: Order, data: Any) -> Report:
    """Train an order's jobs with the parcel's data, or with what is in it.

    Raises
    ------
    UnfitWorkerError
        Before anything is trained.
    NoParcelError
        Where the parcel's file is not to be found.
    """
    if order.is_child:
        _end_with_parent()
    agree(order.terms)
    of_file = isinstance(data, Parcel)
    things = open_parcel(data) if of_file else data
    never = of_file and data.content is not None  # the file is another machine's
    stop = _seldom((lambda: False) if never else order.stop)
    started = time.perf_counter()
    with _deaf():
        outcomes = list(_trained(order, lambda each: _train(each, things, stop)))
    took = (time.perf_counter() - started) / len(order.jobs)
    return Report(name(), backends.active().detail, outcomes, took)


@cache
def _end_with_parent() -> None:
    """Let this process end soon after its parent, which may be killed, and says nothing then."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:  # on Windows it stays
            time.sleep(ORPHAN_EVERY)
        os._exit(1)

    threading.Thread(target=watch, name="fastbp-parent", daemon=True).start()


def _trained(order: Order, train: Callable[[bytes], bytes]) -> Iterator[bytes]:
    if order.at_once == 1:
        return map(train, order.jobs)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(order.at_once, "fastbp") as pool:
        return pool.map(train, order.jobs)


def _train(data: bytes, things: Any, stop: Callable[[], bool]) -> bytes:
    try:
        job = unpacked(data, things)
        before = settings_of(job.net)
        go_on(job)
    except Exception as problem:  # what it is made of is not to be found here
        return pack_error(problem)
    train_job(job, things[0], things[1], stop)
    if job.error is not None:
        import traceback

        where = "".join(traceback.format_tb(job.error.__traceback__))
        job.error.add_note(f"in {name()}:\n{where}")
    return pack_outcome(job, before)


def go_on(job: Job) -> None:
    """Begin where a worker that died left the checkpoint of this job of this call, if it did."""
    rule: Any = job.checkpoint
    if rule is None:
        return
    try:
        going = resume(rule.path, {type(layer) for layer in every_layer(job.net.layers)})
    except (OSError, ValueError):  # none, or what another program wrote
        return
    if going.mark != rule.mark:
        return
    Snapshot.of(going.net).restore(job.net)
    job.net.meaning = going.net.meaning
    job.history, job.epochs = going.history, going.arguments["epochs"]
    job.optimizer = going.arguments["optimizer"]


_agreed: Terms | None = None


def agree(terms: Terms) -> None:
    """Compute by a caller's terms from here on, or refuse."""
    global _agreed
    if terms == _agreed and backends.active().name == terms.backend:
        return
    here = Terms.of_here(terms.backend)
    differs = [
        f"{what} {own} and not {theirs}"
        for what, own, theirs in zip(Terms._fields, here, terms, strict=True)
        if own != theirs
    ]
    if differs:
        raise UnfitWorkerError(
            f"fit_many: worker {name()} has {', '.join(differs)}, so its networks could differ; "
            "install the same there as here"
        )
    try:
        backends.use_backend(terms.backend)
    except backends.BackendError as problem:
        raise UnfitWorkerError(
            f"fit_many: worker {name()}: {problem}; build it there, or choose one that all have, "
            'here: fb.use_backend("numpy")'
        ) from None
    _agreed = terms


def name() -> str:
    """Where this is: Dask's address of the worker, if it is one, the machine and the process."""
    import socket

    here = f"{socket.gethostname()}, process {os.getpid()}"
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        try:
            return f"{distributed.get_worker().address} ({here})"
        except ValueError:  # another executor's
            pass
    return here


def _seldom(asked: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, asked ten times a second at most."""
    last = [-LOOK_EVERY, False]

    def ask() -> bool:
        now = time.monotonic()
        if now - last[0] >= LOOK_EVERY:
            last[:] = now, asked()
        return bool(last[1])

    return ask


@contextmanager
def _deaf() -> Iterator[None]:
    """No Ctrl-C while it works: a terminal sends it to all processes, and the caller answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
