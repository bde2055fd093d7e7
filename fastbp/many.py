"""Several networks at once: one thread each, the data shared, each as if it were alone."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from . import threads as thread_counts
from ._files import StrPath
from .backends import active
from .losses import Loss
from .network import Sequential
from .optimizers import Optimizer
from .schedules import Schedule
from .training import (
    Callback,
    Checkpoint,
    Data,
    DivergenceError,
    EarlyStopping,
    Epoch,
    History,
    fit,
)
from .training.assessment import Metric
from .training.callbacks import Hooks, Watcher
from .training.weighting import ClassWeight

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass
class Job:
    """One network to train, and how: the arguments of ``fit``, but for the data.

    ``history`` fills while it trains. ``error`` is the DivergenceError of a run that diverged.
    """

    net: Sequential
    loss: Loss | str | None = None
    optimizer: Optimizer | str | None = None
    epochs: int = 10
    batch_size: int | None = None
    seed: int = 0
    callbacks: Watcher | Sequence[Watcher] = ()
    history: History = field(default_factory=History)
    error: DivergenceError | None = None
    train: Data | None = None  # of this job alone; left out, fit_many's
    validation: Data | float | None = None  # likewise
    validate_every: int = 1
    metrics: str | Mapping[str, Metric] | None = "epoch"
    class_weight: ClassWeight | None = None
    sample_weight: npt.ArrayLike | None = None
    shuffle: bool = True
    schedule: Schedule | str | Callable[[int], float] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    l2: float = 0.0
    early_stopping: EarlyStopping | bool | None = None
    max_seconds: float | None = None
    checkpoint: Checkpoint | StrPath | None = None
    fused: bool = True

    def arguments(self) -> dict[str, Any]:
        """Those of ``fit`` that they are, by its names, but for network and data."""
        names = (each.name for each in fields(self) if each.name not in ("net", "error", "train"))
        return {name: getattr(self, name) for name in names}


class _Stopped(Exception):  # noqa: N818 - not an error: somebody else's
    """Raised inside the other runs when one fails or Ctrl-C is pressed."""


class _StopWhen(Callback):
    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        if self.event.is_set():
            raise _Stopped

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        if self.event.is_set():
            raise _Stopped


def fit_many(
    jobs: Sequence[Job],
    train: Data | None = None,
    *,
    validation: Data | None = None,
    threads: int | None = None,
) -> list[History]:
    """Train several networks side by side.

    Each is trained by one thread, so any mix of architectures, losses, optimisers, rates and seeds
    goes, and each result is the same, bit for bit, as that of ``fit`` on it alone.

    Parameters
    ----------
    jobs : sequence of Job
        Their callbacks are called in the threads that train them.
    train, validation : Dataset or (x, y)
        Shared by all that have none of their own, not copied.
    threads : int, optional
        How many networks train at a time: FASTBP_NUM_THREADS or every processor if left out.

    Returns
    -------
    list of History
        In the order of the jobs. A network that diverges doesn't stop the others: its job has the
        ``error``, and its history ends there.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when all have stopped; the jobs' histories hold the finished epochs.
    ValueError, TypeError
        When a job does not fit the data; all are stopped.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, to keep `import fastbp` light

    jobs = list(jobs)
    _check(jobs, train)
    at_once = thread_counts.count(threads)
    active()  # chosen here, once, not by whichever thread is first
    stop = threading.Event()
    with ThreadPoolExecutor(at_once, "fastbp") as pool:
        runs = [pool.submit(_train, job, train, validation, stop) for job in jobs]
        try:
            _wait(runs)
        finally:
            stop.set()
            for run in runs:
                run.cancel()
    return [job.history for job in jobs]


def _check(jobs: list[Job], train: Data | None) -> None:
    """Refuse what is no job or has no data, and jobs that would train one thing twice at a time."""
    for number, job in enumerate(jobs):
        if not isinstance(job, Job):
            raise TypeError(
                f"fit_many: expected Job objects, got {type(job).__name__} as {number}; write "
                "fb.fit_many([fb.Job(net), ...], (x, y))"
            )
        if job.train is None and train is None:
            raise TypeError(f"fit_many: job {number} has no data to train on, and all share none")
        for other in jobs[:number]:
            shared = other.optimizer is job.optimizer and isinstance(job.optimizer, Optimizer)
            if other.net is job.net or shared:
                raise ValueError(f"fit_many: job {number} shares its net or optimizer with another")


def _train(job: Job, train: Data | None, validation: Data | None, stop: threading.Event) -> None:
    data: Any = train if job.train is None else job.train
    try:
        own = job.arguments()
        watchers = Hooks(job.callbacks).watchers
        own |= {"callbacks": (*watchers, _StopWhen(stop)), "threads": 1}
        if job.validation is None:
            own["validation"] = validation
        fit(job.net, data, **own)
    except DivergenceError as divergence:
        job.error = divergence
    except _Stopped:
        pass


def _wait(runs: Sequence["Future[None]"]) -> None:
    """Until all are done; the first failure is raised. Ctrl-C is answered ten times a second."""
    from concurrent.futures import FIRST_EXCEPTION, wait

    pending = set(runs)
    while pending:
        done, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
        for run in done:
            run.result()
