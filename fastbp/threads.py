"""How many threads compute."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ._checks import as_count
from .backends import active

Result = TypeVar("Result")
BUSY = 1 / 3  # of the time that a thread reads, from which on others make way for it

_here = threading.local()  # what holds in the thread that looks
_readers: set[object] = set()  # one for each thread that is busy reading what is trained on next


def available() -> int:
    """Processors that this process may use: its affinity, under the quota of its control group."""
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return max(1, min(allowed, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no such group, or its quota is "max"
        return allowed


def requested(threads: int | None = None) -> int | None:
    """The number asked for: the argument, else FASTBP_NUM_THREADS or OMP_NUM_THREADS, else None.

    ``one_each`` asks for one.
    """
    if threads is not None:
        return as_count(threads, "threads")
    if getattr(_here, "alone", False):
        return 1
    text = os.environ.get("FASTBP_NUM_THREADS")
    if text and (not text.isdecimal() or int(text) < 1):
        raise ValueError(f"FASTBP_NUM_THREADS: expected a whole number of at least 1, got {text!r}")
    if not text:  # OpenMP's may be a list, one number a level of nesting, and is others' to check
        text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) else None


def count(threads: int | None = None) -> int:
    """How many threads may compute: the number asked for, else one for every processor."""
    return requested(threads) or available()


def run_together(
    work: Callable[[int], Result], threads: int, give_up: Callable[[], object]
) -> Result:
    """Call work(0), whose result is returned, and work(1) to work(threads - 1) beside it.

    When Ctrl-C or a thread that cannot start ends it early, ``give_up`` is called, which must make
    all of them return: they may be waiting for each other.
    """
    helpers = [
        threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(1, threads)
    ]
    try:
        for helper in helpers:
            helper.start()
        return work(0)
    except BaseException:
        give_up()
        raise
    finally:
        for helper in helpers:
            if helper.ident is not None:
                helper.join()


def holds_for_all(test: Callable[[int], bool], cases: Sequence[int], threads: int) -> bool:
    """Whether a test holds for every case; threads share them, and stop at the first that fails."""
    failed: list[int] = []

    def look(thread: int) -> None:
        for case in cases[thread::threads]:
            if failed or not test(case):
                failed.append(case)
                return

    run_together(look, threads, lambda: failed.append(0))
    return not failed


def is_beside() -> bool:
    """Whether a thread of this process is busy reading what another one trains on next."""
    return bool(_readers)


def ahead(making: Generator[Result, None, None]) -> Generator[Result, None, None]:
    """The same, each of which is made in a thread while the one before is in use."""
    from concurrent.futures import Future, ThreadPoolExecutor

    busy = True  # what waits for a disk, most of its time, needs no processor

    def made(token: object) -> Result | None:
        nonlocal busy
        began, worked = time.perf_counter(), time.thread_time()
        try:
            return next(making, None)
        finally:
            busy = time.thread_time() - worked > BUSY * (time.perf_counter() - began)
            _readers.discard(token)

    def begun() -> Future[Result | None]:
        token = object()
        if busy:
            _readers.add(token)
        return reader.submit(made, token)

    with ThreadPoolExecutor(1, "fastbp-reads") as reader:
        coming = begun()
        while (found := coming.result()) is not None:
            coming = begun()
            yield found


@contextmanager
def one_each() -> Iterator[None]:
    """Let what this thread begins compute in it alone, unless another number is asked for there.

    For work that is done side by side.
    """
    before, _here.alone = getattr(_here, "alone", False), True
    try:
        yield
    finally:
        _here.alone = before


@contextmanager
def limit_threads(threads: int | None = None) -> Iterator[None]:
    """Hold NumPy's matrix products to the number of threads that was asked for.

    The compiled kernels compute in the thread that calls them, so for them nothing changes.
    """
    number = requested(threads)
    if number is None or active().name != "numpy":
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(number, user_api="blas"):
        yield
