"""``fit_many``: several networks, by whoever an executor stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from fastbp.backends import active
from fastbp.training import Data, History
from fastbp.training.progress import progress_for

from .cluster import Cluster, is_of_dask, opened
from .crews import Crew, Pool, Threads
from .data import shared
from .feeding import Feeder
from .job import Job, check_jobs

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Executor

ERRORS = ("raise", "keep")


def fit_many(
    jobs: Sequence[Job],
    train: Data | None = None,
    *,
    validation: Data | None = None,
    threads: int | None = None,
    executor: Executor | str | Any | None = None,  # or a Client of Dask's, if that is installed
    errors: str | None = None,
    on_result: Callable[[Job], Any] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> list[History]:
    """Train several networks side by side.

    Each is trained by one thread, so any mix of architectures, losses, optimisers, rates and seeds
    goes, and each result is the same, bit for bit, as that of ``fit`` on it alone: whoever trains
    it, how many there are, and in whichever order.

    Parameters
    ----------
    jobs : sequence of Job
        Their callbacks are called where they are trained: in threads of this process, or in a
        worker, which has copies of them.
    train, validation : Dataset, Shards or (x, y), or what Dask has
        Shared by all that have none of their own, not copied; each worker gets them once. Where
        they have no room within their bound of memory, it reads them in blocks for each network.
    threads : int, optional
        How many networks train at a time on this machine: FASTBP_NUM_THREADS or every processor if
        left out. Processes share them; each trains one at least, unless it is this argument that
        is less. Dask's workers, and those that may be on other machines, train as many as they
        have threads; ``threads`` limits how many that are in all.
    executor : concurrent.futures.Executor, Dask client or str, optional
        Who trains, in place of threads: a ProcessPoolExecutor, loky's, mpi4py's MPIPoolExecutor, a
        Dask client or its ``get_executor()``, or the address of a Dask scheduler. A worker that
        dies loses nothing: its jobs begin again, from their last ``checkpoint`` if they have one.
        What is given stays open.
    errors : "raise" or "keep", optional
        Whether a job that fails ends all, or has its ``error`` and the others go on. Left out,
        threads of this process raise and executors keep. One that diverges never ends the others.
    on_result : function, optional
        Called with each job as it ends, here and in this thread; True cancels the rest.
    cancel : threading.Event, optional
        Once it is set, the rest is cancelled.
    progress : bool, default False
        Show a bar on a terminal, a line in a notebook: how many are done, and how many failed.

    Returns
    -------
    list of History
        In the order of the jobs. ``job.done`` says which ended, and ``job.error`` which of them by
        an error, where their history ends.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when all have stopped; jobs that are done are whole, and the histories of
        others hold the epochs that they finished.
    ValueError, TypeError
        When a job does not fit the data, where errors are raised; all are stopped. When data
        cannot be sent to a worker.
    ConnectionError
        When a Dask scheduler does not answer within ten seconds, or is gone in the middle. Jobs
        that were done before are whole.
    RuntimeError
        When a worker has another version of fastbp, Python or NumPy, or not this backend; or when
        workers die whatever they train. Jobs that were done before are whole.

    Examples
    --------
    >>> nets = [fb.Sequential(fb.Linear(4, 8), fb.ReLU(), fb.Linear(8, 3)) for _ in range(2)]
    >>> jobs = [fb.Job(net, seed=k) for k, net in enumerate(nets)]
    >>> [len(history) for history in fb.fit_many(jobs, (x, y))]
    [10, 10]

    In the workers of an executor, here two threads, else processes or machines:

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     histories = fb.fit_many(jobs, (x, y), executor=pool, on_result=lambda job: job.error)
    """
    jobs = list(jobs)
    check_jobs(jobs, train)
    errors = _checked(errors, executor, cancel)
    active()  # chosen here, once, not by whichever thread is first
    nets = [job.net for job in jobs]
    train, validation = shared(train, "train", nets), shared(validation, "validation", nets)
    for job in jobs:
        job.error, job.done = None, False
    with ExitStack() as stack:
        who = stack.enter_context(opened(executor))
        tell = stack.enter_context(_shown(jobs, progress))
        feeder = Feeder(_crew(jobs, train, validation, who, threads), jobs)
        stack.enter_context(feeder.working())
        for number in feeder.results(cancel.is_set if cancel else lambda: False):
            job = jobs[number]
            tell(job)
            if errors == "raise" and job.error is not None and job.divergence is None:
                raise job.error
            if on_result is not None and on_result(job) is True:
                break
    return [job.history for job in jobs]


def _checked(errors: str | None, executor: Any, cancel: Any) -> str:
    """What becomes of errors, by who trains if nobody says."""
    if errors is None:
        errors = "raise" if executor is None else "keep"
    if errors not in ERRORS:
        raise ValueError(f"fit_many errors: expected {' or '.join(ERRORS)}, got {errors!r}")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(f"fit_many cancel: expected a threading.Event, got {type(cancel).__name__}")
    return errors


@contextmanager
def _shown(jobs: Sequence[Job], wanted: bool) -> Iterator[Callable[[Job], None]]:
    """Who is told of each job that ends: a bar, or nobody."""
    if not wanted or not jobs:
        yield lambda job: None
        return
    bar, ended = progress_for(len(jobs), 1), []

    def tell(job: Job) -> None:
        ended.append(job.error is not None)
        bar.tell(len(ended), f"{sum(ended)} failed" if any(ended) else "")

    bar.what = "network"
    bar.tell(0, "")
    bar.on_train_begin(jobs[0].net)
    try:
        yield tell
    finally:
        bar.on_train_end(jobs[0].net)


def _crew(
    jobs: Sequence[Job], train: Any, validation: Any, executor: Any, threads: int | None
) -> Crew:
    """Who trains, by the executor; TypeError if it is none."""
    from concurrent.futures import Executor, ThreadPoolExecutor

    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return Threads(jobs, train, validation, executor, threads)
    if is_of_dask(executor):
        return Cluster(jobs, train, validation, executor, threads)
    if isinstance(executor, Executor):
        return Pool(jobs, train, validation, executor, threads)
    raise TypeError(
        "fit_many executor: expected one of concurrent.futures', e.g. ProcessPoolExecutor(), a "
        f"Dask client or the address of a scheduler; got {executor!r:.60}"
    )
