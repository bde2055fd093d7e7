"""What fit_many's executors cost: processes beside threads, data on their way, tiny jobs.

    python bench/many.py               # processes and threads
    python bench/many.py --dask        # and Dask's workers

Times are medians of some repeats, taken in turn, and so are ratios, each of one round: how fast a
machine is at a time changes more than what is compared. With each stands what is promised of it.
Processes are those of concurrent.futures and, where it is installed, of loky; Dask's workers look
at nothing in between (docs/dask.md).
"""

import argparse
import functools
import logging
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

import fastbp as fb

CORES = 2
RNG = np.random.default_rng(0)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def sized(count: int, inputs: int, hidden: int, classes: int, **options: Any) -> list[fb.Job]:
    """Jobs of networks with one hidden layer."""
    nets = (
        fb.Sequential(fb.Linear(inputs, hidden), fb.Tanh(), fb.Linear(hidden, classes), seed=k)
        for k in range(count)
    )
    return [fb.Job(net, "cross-entropy", "adam", seed=k, **options) for k, net in enumerate(nets)]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds that it takes, and what it returns."""
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def many(make: Callable[[], list[fb.Job]], data: Any, executor: Any) -> float:
    """The seconds of fit_many."""
    jobs = make()
    took, _ = timed(lambda: fb.fit_many(jobs, data, executor=executor, threads=CORES))
    assert all(job.done and job.error is None for job in jobs)
    return took


def one_by_one(make: Callable[[], list[fb.Job]], data: Any) -> float:
    """The seconds of fit on each job, one after another in one thread."""
    return timed(lambda: [fb.fit_many([job], data, threads=1) for job in make()])[0]


def compared(
    make: Callable[[], list[fb.Job]], data: Any, who: dict[str, Any], repeats: int
) -> dict[str, list[float]]:
    """The seconds of each, taken in turn."""
    rounds = [{name: many(make, data, each) for name, each in who.items()} for _ in range(repeats)]
    return {name: [each[name] for each in rounds] for name in who}


def ratio(some: list[float], others: list[float]) -> float:
    """The median of those of each round."""
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dask", action="store_true", help="measure Dask's workers too")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with ExitStack() as stack:
        context = multiprocessing.get_context("spawn")
        who = {
            "threads": None,
            "processes": stack.enter_context(ProcessPoolExecutor(CORES, context)),
        }
        with suppress(ImportError):
            from loky import get_reusable_executor

            who["loky"] = get_reusable_executor(CORES)
        if args.dask:
            import dask
            from distributed import Client, LocalCluster
            from scale import QUIET

            dask.config.set(QUIET)
            quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
            cluster = LocalCluster(n_workers=CORES, threads_per_worker=1, **quiet)
            who["dask"] = stack.enter_context(Client(stack.enter_context(cluster)))
        measure(who, args.repeats)


def measure(who: dict[str, Any], repeats: int) -> None:
    """Print what there is to know."""
    train, test = fb.datasets.mnist()
    images = train.first(6000)
    for name, executor in who.items():  # they import, and load what they compute with
        many(lambda: sized(8, 784, 16, 10, epochs=1), images, executor)
        took = many(lambda: sized(2, 784, 1, 10, epochs=1), train, executor)
        say(f"{name:10} begins, and trains two smallest networks on MNIST: {took:.2f} s")

    found = compared(lambda: sized(64, 784, 64, 10, epochs=6), images, who, repeats)
    say("64 jobs, 784-64-10, 6 000 images, 6 epochs; throughput of threads' (promised 0.9)")
    for name, took in found.items():
        say(f"  {name:10} {statistics.median(took):7.2f} s  {ratio(found['threads'], took):.2f}")

    table = RNG.normal(size=(150, 4)).astype(np.float32), RNG.integers(0, 3, 150)
    make = functools.partial(sized, 1000, 4, 16, 3, epochs=7)
    own = statistics.median(one_by_one(make, table) for _ in range(2))
    found = compared(make, table, who, max(1, repeats // 2))
    say(f"1 000 jobs, 4-16-3, 150 rows, {own:.1f} ms each; of the time that all take one after")
    say("another in one thread (promised at most 2)")
    for name, took in found.items():
        say(f"  {name:10} {statistics.median(took):7.2f} s  {statistics.median(took) / own:.2f}")

    if "dask" in who:
        client = who["dask"]
        took = min(
            timed(lambda: client.scatter([[train, test]], broadcast=True, hash=False))[0]
            for _ in range(repeats)
        )
        say(f"scatter of MNIST to {CORES} workers: {took:.2f} s (promised 1)")


if __name__ == "__main__":
    main()
