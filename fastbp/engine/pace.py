"""How many threads run an engine's steps, and how many steps at a time: by what is measured."""

import math
import time

from fastbp import threads as thread_counts
from fastbp._counted import counted

CHUNK_SECONDS = 0.02  # between two looks at signals, progress and the number of threads
# A trial of a number of threads: short at first, later this share of the time since the start, so
# that it costs a short run little, and does not mislead a long one on a busy machine.
FIRST_TRIAL, TRIAL_SHARE = 0.002, 0.04
LEAST_STEPS = 2  # of a trial: a single one is too much like a first
RETRY_SECONDS, FIRST_RETRY = 0.5, 0.05  # after which what was slower is tried again: soon at first


class Threads:
    """How many threads run the next chunk of steps, and how many steps it has.

    A number that was asked for is kept. Otherwise one thread and as many as there are processors
    are measured against each other, again and again: what is slower is tried every half second,
    and more often at first.
    """

    def __init__(self, asked: int | None, most: int) -> None:
        self.most = max(1, min(thread_counts.count(asked), most))
        self.choices = {self.most} if thread_counts.requested(asked) else {1, self.most}
        self.pace: dict[int, float] = {}  # seconds a step, by number of threads
        self.tried: dict[int, float] = {}  # when
        self.trial = 0.0  # seconds that the trial which is going on has lasted
        self.started = time.perf_counter()

    def next_chunk(self, steps: int) -> tuple[int, int]:
        """How many of so many steps make the next chunk, and its threads."""
        now = time.perf_counter()
        seconds = self._trial_seconds(now)
        for threads in sorted(self.choices):
            tried = self.tried.get(threads, -1e9)
            if now - tried > min(RETRY_SECONDS, max(FIRST_RETRY, tried - self.started)):
                break
        else:
            threads = min(self.choices, key=lambda number: self.pace[number])
            seconds = CHUNK_SECONDS
        if threads not in self.pace:
            return 1, threads
        wanted = max(LEAST_STEPS, seconds / self.pace[threads])
        chunks = math.ceil(steps / wanted)
        return math.ceil(steps / chunks), threads  # no small rest, whose pace would mislead

    def took(self, threads: int, steps: int, seconds: float) -> None:
        """Learn from a chunk; but the very first one only tells how many steps make a trial."""
        now = time.perf_counter()
        if threads in self.pace:
            self.trial += seconds
            if self.trial > self._trial_seconds(now) / 2:
                self.tried[threads] = now
                self.trial = 0.0
        self.pace[threads] = seconds / steps

    def _trial_seconds(self, now: float) -> float:
        return min(CHUNK_SECONDS, max(FIRST_TRIAL, TRIAL_SHARE * (now - self.started)))

    def __str__(self) -> str:
        used = min(self.choices, key=lambda number: self.pace.get(number, 0))
        return counted(used, "thread")
