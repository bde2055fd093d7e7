"""How many threads compute."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ._checks import as_count
from .backends import active


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
    """The number asked for: the argument, else FASTBP_NUM_THREADS, else None."""
    if threads is not None:
        return as_count(threads, "threads")
    text = os.environ.get("FASTBP_NUM_THREADS")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"FASTBP_NUM_THREADS: expected a whole number of at least 1, got {text!r}")
    return int(text)


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
