"""Whole epochs on a compiled backend's engine, without going back to Python for each batch.

The engine runs a chunk of steps at a time, in one thread or several. Its results are bitwise the
same for every number of threads, so the number may change from chunk to chunk: unless told,
``Threads`` measures what is faster at the moment, which also answers a busy machine.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from . import threads as thread_counts
from .backends import active
from .losses import Loss
from .network import Sequential
from .optimizers import Optimizer
from .program import PLAIN, NotExpressible, compile_network, loss_number, optimizer_settings
from .sharing import splits

CHUNK_SECONDS = 0.02  # between two looks at signals, progress and the number of threads
RETRY_SECONDS = 0.5  # after which a number of threads that was slower is tried again

# Share of the data's blocks (of BLOCK inputs in a row; see kernels/batch.pxd) that are not all
# zero, up to which leaving out the others pays.
BLOCK, CHUNK, MOST_USED = 4, 64, 0.6

# Parts that an exchanged sum is made of: the most threads there can be. It may depend on anything
# but the number of threads.
SEGMENTS, SMALL_BATCH_SEGMENTS = 8, 4

SOURCES = {"uint8": 0, "float32": 1, "float64": 2}  # as in kernels/batch.pxd
SPLIT, PLAN_COLUMNS = 0, 10  # of a plan's row, as in kernels/program.pxd
LR = 2  # in the settings
THREADS, SPARSE, STEPS_BEFORE = 1, 5, 9  # in the choices
GIVE_UP, SPINS = 16, 17  # words of `sync`: ends every wait; turns of waiting before yielding


class Engine:
    """One training run: its program, its workspace, its threads.

    Parameters
    ----------
    net : Sequential
        Read by ``load`` and written by ``store``.
    x : (n, inputs) uint8, float32 or float64
        The samples; the network sees x * scale.
    target : (n,) int64 labels or (n, outputs) values of the network's dtype

    Raises
    ------
    NotExpressible
        If the backend has no engine, or the program cannot express network, loss or optimiser.
    """

    def __init__(
        self,
        net: Sequential,
        x: np.ndarray,
        target: np.ndarray,
        scale: float,
        loss: Loss,
        optimizer: Optimizer,
        batch_size: int,
        threads: int | None,
    ) -> None:
        self.kernels = active().kernels
        if not hasattr(self.kernels, "train_steps"):
            raise NotExpressible(f"the {active().name} backend has no engine")
        kind, rates = optimizer_settings(optimizer)
        self.net, self.optimizer, self.batch_size = net, optimizer, min(batch_size, len(x))
        self.program = compile_network(net, x.shape[1])
        self.data = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
        is_labels = target.ndim == 1
        self.labels = target if is_labels else np.zeros(1, np.int64)
        self.values = np.zeros((1, 1), net.dtype) if is_labels else target
        self.segments = SMALL_BATCH_SEGMENTS if self.batch_size < 64 else SEGMENTS
        self.threads = Threads(threads, self._most_threads())
        self.sync = np.zeros(24, np.int64)
        start, stride = self._lay_out(x.shape[1])
        # The order of both is that of the enums in kernels/program.pxd.
        margin = getattr(loss, "margin", 0.0)
        self.settings = np.array([scale, margin, *rates, *self.program.alphas])
        choices = {
            "loss": loss_number(loss),
            "threads": 1,  # set for each chunk
            "batch": self.batch_size,
            "source": SOURCES[str(x.dtype)],
            "features": x.shape[1],
            "sparse": kind == PLAIN and self._is_sparse(x),
            "x": start,
            "x stride": stride,
            "optimizer": kind,
            "steps before": 0,  # set for each epoch
            "segments": self.segments,
            "states": self.optimizer.states,
        }
        self.choices = np.array(list(choices.values()), np.int64)

    def _lay_out(self, features: int) -> tuple[int, int]:
        """Make the workspace; returns where the buffers for batches start, and how far apart.

        A buffer has room for the batch's samples, or for as many entries if all of it is used.
        """
        rows, dtype = self.program.rows, self.net.dtype
        self.plan = np.zeros((self.threads.most, len(rows), PLAN_COLUMNS), np.int64)
        self.plan[:, :, SPLIT] = splits(rows, self.batch_size)
        size = self.kernels.engine_plan(
            rows, self.batch_size, self.optimizer.states, self.segments, self.net.params, self.plan
        )
        blocks = features // BLOCK + features % BLOCK
        entries = self.batch_size * blocks
        words = entries + 2 * blocks * (self.batch_size // CHUNK + 1)
        stride = _whole_pages(entries * BLOCK + -(-4 * words // dtype.itemsize))
        start = _whole_pages(size)
        self.work = _aligned(start + 2 * stride * self.threads.most, dtype)
        return start, stride

    def epoch(self, order: np.ndarray, report: Callable[[int, float], None]) -> np.ndarray:
        """Train on all samples in this order; returns each batch's loss.

        The losses end with the first that is NaN or infinite; its batch moved nothing. After
        every chunk `report` is called with the steps done and the latest loss; what it raises
        ends the epoch there. The network has the new parameters in any case.
        """
        steps = -(-len(order) // self.batch_size)
        losses = np.empty(steps)
        self.settings[LR] = self.optimizer.lr
        self.choices[STEPS_BEFORE] = self.optimizer.steps
        self.optimizer.remember(self.net)
        if not np.isfinite(self.net.params).all():
            self.choices[SPARSE] = False  # 0 * inf must be seen
        vectors = (self.net.params, *self.optimizer.memory)
        for part, vector in enumerate(vectors):
            self.kernels.engine_pack(self.program.rows, self.plan[0], part, vector, self.work)
        done = 0
        try:
            while done < steps:
                count, threads = self.threads.next_chunk()
                last = min(done + count, steps)
                started = time.perf_counter()
                stopped = self._run(order, losses, done, last, threads)
                self.threads.took(threads, last - done, time.perf_counter() - started)
                if stopped < last:
                    return losses[: stopped + 1]
                done = last
                report(done, losses[done - 1])
        finally:
            self.optimizer.steps += done
            for part, vector in enumerate(vectors):
                self.kernels.engine_unpack(self.program.rows, self.plan[0], part, self.work, vector)
        return losses

    def _run(
        self, order: np.ndarray, losses: np.ndarray, first: int, last: int, threads: int
    ) -> int:
        """Run the steps first..last with so many threads; returns the first step not done."""
        self.choices[THREADS] = threads
        self.sync[:] = 0
        # With fewer processors than threads, waiting keeps the one waited for from running.
        self.sync[SPINS] = 2000 if threads <= thread_counts.available() else 0

        def work(thread: int) -> int:
            done: int = self.kernels.train_steps(
                self.program.rows, self.plan[thread], self.settings, self.choices, self.data,
                self.labels, self.values, order, thread, first, last,
                self.work, losses, self.sync,
            )  # fmt: skip
            return done

        helpers = [
            threading.Thread(target=work, args=(thread,), daemon=True)
            for thread in range(1, threads)
        ]
        try:
            for helper in helpers:
                helper.start()
            return work(0)
        except BaseException:  # Ctrl-C or no more threads: those that wait must not wait for ever
            self.sync[GIVE_UP] = 1
            raise
        finally:
            for helper in helpers:
                if helper.ident is not None:
                    helper.join()

    def _most_threads(self) -> int:
        """One thread, if no layer is shared."""
        return self.segments if any(splits(self.program.rows, self.batch_size)) else 1

    def _is_sparse(self, x: np.ndarray) -> bool:
        """Whether it pays to leave out the data's zeros, by what some samples hold of them."""
        whole = x.shape[1] // BLOCK * BLOCK
        if self.program.rows[0, 0] != 0 or not whole:
            return False  # the first layer is not dense, or small
        some = x[np.linspace(0, len(x) - 1, min(len(x), 500)).astype(int), :whole]
        return bool((some != 0).reshape(-1, BLOCK).any(axis=1).mean() < MOST_USED)


class Threads:
    """How many threads run the next chunk of steps, and how many steps it has.

    A number that was asked for is kept. Otherwise one thread and as many as there are processors
    are measured against each other, again and again: what is slower is tried for one chunk
    every half second.
    """

    def __init__(self, asked: int | None, most: int) -> None:
        number = thread_counts.requested(asked)
        allowed = thread_counts.available() if number is None else number
        self.most = max(1, min(allowed, most))
        self.pace: dict[int, float] = {}  # seconds a step, by number of threads
        self.tried: dict[int, float] = {}  # when
        self.choices = {self.most} if number is not None else {1, self.most}

    def next_chunk(self) -> tuple[int, int]:
        """(steps, threads) of the next chunk."""
        now = time.perf_counter()
        for threads in self.choices:
            if now - self.tried.get(threads, -1e9) > RETRY_SECONDS:
                break
        else:
            threads = min(self.choices, key=lambda number: self.pace[number])
        pace = self.pace.get(threads)
        return (8 if pace is None else max(1, int(CHUNK_SECONDS / pace))), threads

    def took(self, threads: int, steps: int, seconds: float) -> None:
        """Learn from a chunk."""
        self.pace[threads] = seconds / steps
        self.tried[threads] = time.perf_counter()

    def __str__(self) -> str:
        used = min(self.choices, key=lambda number: self.pace.get(number, 0))
        return f"{used} thread{'s' if used > 1 else ''}"


def _whole_pages(elements: int) -> int:
    """Rounded up so that what follows starts on a page of its own."""
    return -(-elements // 1024) * 1024


def _aligned(elements: int, dtype: np.dtype) -> np.ndarray:
    """Zeros that start at a page."""
    raw = np.zeros(elements + 4096, dtype)
    start = -raw.ctypes.data % 4096 // raw.itemsize
    return raw[start : start + elements]
