"""Runs numbered tasks in processes of their own, so that a crash or a hang is a finding.

A task is made once in each process, by a function that can be pickled, and is then called with
number after number. It returns what it found, or None. A process that dies, waits, or whose memory
grows is a finding too: the number that it was at is known, and another process goes on behind it.
"""

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, NamedTuple

Task = Callable[[int], str | None]

PAGE = os.sysconf("SC_PAGE_SIZE")
DONE = -1


class Found(NamedTuple):
    """A finding, and the number of the task that led to it."""

    number: int
    what: str


@dataclass(frozen=True)
class Limits:
    """What a task may take."""

    seconds: float = 5
    memory: int = 3 << 30  # bytes of addresses
    growth: int = 200 << 20  # bytes that stay when it has ended


@dataclass
class Worker:
    """A process, the numbers that it works through, and where it is."""

    make: Callable[[], Task]
    numbers: Sequence[int]
    limits: Limits
    position: int = 0
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Go on at `position`, in a new process."""
        context = multiprocessing.get_context("spawn")
        self.at = context.RawArray("d", 2)  # a position, and when its task began
        self.at[0] = self.position
        self.pipe, other = context.Pipe(duplex=False)
        arguments = (self.make, self.numbers, self.position, self.limits, self.at, other)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        other.close()

    def look(self) -> Iterator[Found]:
        """What was found since the last look; starts anew what has died or waits."""
        alive = self.process.is_alive()  # asked first: what it said before its end comes now
        with suppress(EOFError, OSError):  # the end of what a dead one said
            while self.pipe.poll():
                number, what = self.pipe.recv()
                if number == DONE:
                    self.position = len(self.numbers)
                    self.process.join()
                    return
                yield Found(number, what)
        waiting = time.time() - self.at[1] if self.at[1] else 0.0
        if alive and waiting > self.limits.seconds:
            self.process.kill()
            self.process.join()
            yield self._lost(f"took more than {self.limits.seconds:g} s")
        elif not alive:
            yield self._lost(f"ended the process: {ending(self.process.exitcode or 0)}")

    def _lost(self, what: str) -> Found:
        self.position = int(self.at[0])
        if not self.at[1]:
            raise RuntimeError(f"the process could not begin: it {what}")
        found = Found(self.numbers[self.position], what)
        self.position += 1
        if not self.finished:
            self.start()
        return found

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.position >= len(self.numbers)


def run(
    make: Callable[[], Task], numbers: Sequence[int], limits: Limits, processes: int = 2
) -> Iterator[Found]:
    """Call the task with each number, in several processes; yield what is found."""
    parts = [numbers[first::processes] for first in range(processes)]
    workers = [Worker(make, part, limits) for part in parts if part]
    try:
        while working := [worker for worker in workers if not worker.finished]:
            connection.wait([worker.pipe for worker in working], timeout=0.2)
            for worker in working:
                yield from worker.look()
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def ending(code: int) -> str:
    """What an exit code says."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _work(
    make: Callable[[], Task],
    numbers: Sequence[int],
    position: int,
    limits: Limits,
    at: Any,
    pipe: Any,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's matter
    faulthandler.enable(os.fdopen(os.dup(2), "w"))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain there of damaged files
    strict_warnings()
    task = make()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for place in range(position, len(numbers)):
        at[0], at[1] = place, time.time()
        before = resident()
        what = call(task, numbers[place])
        grown = resident() - before
        if what is None and grown > limits.growth:
            what = f"{grown >> 20} MB of memory were not given back"
        if what is not None:
            pipe.send((numbers[place], what))
    pipe.send((DONE, ""))


def strict_warnings() -> None:
    """Let NumPy's warnings be errors: they tell of a number that nobody checked."""
    warnings.simplefilter("error", RuntimeWarning)
    warnings.filterwarnings("ignore", ".*parameters are NaN or infinite", RuntimeWarning)


def call(task: Task, number: int) -> str | None:
    """What a task finds; an exception that it lets out is a finding."""
    try:
        return task(number)
    except BaseException as problem:
        return raised(problem)


def raised(problem: BaseException) -> str:
    """An exception in a line: its type, its text, and where it came from."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    where = f", {os.path.basename(code.co_filename)}:{trace.tb_lineno}" if code and trace else ""
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text:.200}{where}"


def resident() -> int:
    """Bytes of memory that this process has now; 0 where nothing tells."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def peak() -> int:
    """Bytes of memory that it had at most since `forget_peak`."""
    try:
        with open("/proc/self/status", "rb") as file:
            line = next(line for line in file if line.startswith(b"VmHWM"))
        return int(line.split()[1]) << 10
    except (OSError, StopIteration):
        return 0


def forget_peak() -> None:
    """Let `peak` begin anew."""
    with suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
        file.write(b"5")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
