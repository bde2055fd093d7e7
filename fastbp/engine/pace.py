"""How many threads run an engine's steps, and how many steps at a time: by what is measured."""

import math
import time

from fastbp import threads as thread_counts
from fastbp._counted import counted

CHUNK_SECONDS = 0.02  # between two looks at signals, progress and the number of threads
# A trial of a number of threads: short at first, later this share of the time since the start, so
# that it costs a short run little, and does not mislead a long one on a busy machine.
FIRST_TRIAL, TRIAL_SHARE = 0.002, 0.02
# Of several threads it is longer, and of its chunks, at least so many, the fastest counts: an idle
# processor takes milliseconds to be there, above all a virtual machine's, and to reach its speed.
FIRST_TRIAL_OF_SEVERAL, TRIAL_CHUNKS = 0.006, 3
BESIDE_SECONDS = 0.003  # between two looks at whether others still read
RETRY_SECONDS, FIRST_RETRY = 0.5, 0.05  # after which what was slower is tried again: soon at first


class Threads:
    """How many threads run the next chunk of steps, and how many steps it has.

    A number that was asked for is kept. Otherwise as many as there are processors begin, and one
    thread is measured against them soon, and again and again: what is slower is tried every half
    second, and more often at first. While a thread reads what is trained on next, one of them makes
    way for it: threads that wait for one that is not running get nowhere.
    """

    def __init__(self, asked: int | None, most: int) -> None:
        self.most = max(1, min(thread_counts.count(asked), most))
        self.choices = {self.most} if thread_counts.requested(asked) else {1, self.most}
        self.pace: dict[int, float] = {}  # seconds a step, by number of threads
        self.tried: dict[int, float] = {}  # when
        self.trying = 0  # threads of the trial that the chunk belongs to which runs, if it does
        self.trial: list[tuple[int, float]] = []  # steps and seconds of each of its chunks
        self.makes_way = False  # whether the chunk that runs has a thread less, and tells nothing
        self.started = time.perf_counter()

    def next_chunk(self, steps: int) -> tuple[int, int]:
        """How many of so many steps make the next chunk, and its threads."""
        now, choices = time.perf_counter(), sorted(self.choices, reverse=True)
        self.makes_way = len(choices) > 1 and bool(self.pace) and thread_counts.is_beside()
        if self.makes_way:
            best = min(choices, key=self._known_pace)
            count = math.ceil(BESIDE_SECONDS / self.pace[best])
            return min(steps, count), min(best, self.most - 1)
        if not self.trial:  # else one is going on, and others wait for its end
            self.trying = next((each for each in choices if self._is_due(each, now)), 0)
        threads = self.trying or min(choices, key=self._known_pace)
        if threads not in self.pace:
            return 1, threads
        wanted = self._trial_seconds(threads, now) / TRIAL_CHUNKS if self.trying else CHUNK_SECONDS
        chunks = math.ceil(steps / max(1, wanted / self.pace[threads]))
        return math.ceil(steps / chunks), threads  # no small rest, whose pace would mislead

    def took(self, threads: int, steps: int, seconds: float) -> None:
        """Learn from a chunk; but the very first one only tells how many steps make a trial."""
        if self.makes_way:
            return
        if threads not in self.pace:
            self.pace[threads] = seconds / steps
            return
        now = time.perf_counter()
        self.trial.append((steps, seconds))
        if self.trying:
            lasted = sum(each for _, each in self.trial)
            if len(self.trial) < TRIAL_CHUNKS or lasted < self._trial_seconds(threads, now) / 2:
                return
        self.pace[threads] = min(each / count for count, each in self.trial)
        self.tried[threads], self.trial = now, []

    def _is_due(self, threads: int, now: float) -> bool:
        """Whether a trial of so many threads begins or goes on."""
        if len(self.choices) == 1:
            return False
        tried = self.tried.get(threads, -1e9 if threads == self.most else self.started)
        return now - tried > min(RETRY_SECONDS, max(FIRST_RETRY, tried - self.started))

    def _known_pace(self, threads: int) -> float:
        return self.pace.get(threads, math.inf)

    def _trial_seconds(self, threads: int, now: float) -> float:
        least = FIRST_TRIAL if threads == 1 else FIRST_TRIAL_OF_SEVERAL
        return min(CHUNK_SECONDS, max(least, TRIAL_SHARE * (now - self.started)))

    def __str__(self) -> str:
        used = min(self.choices, key=self._known_pace)
        return counted(used, "thread")
