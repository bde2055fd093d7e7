"""Before something is measured: what ran before is at rest, and every processor is awake."""

import time
from hashlib import sha256
from threading import Thread

from fastbp import threads

REST = 0.2  # seconds: threads of a library that ran before spin a while, then sleep
# Seconds of work on every processor. Some that slept run at a fraction of their speed for as long
# as 10 ms: a short epoch, and a matter of the machine, not of a library.
AWAKE = 0.05
WORK = bytes(1 << 20)  # which takes a millisecond, without Python's lock


def settle() -> None:
    """Wait until nothing else runs, and leave every processor at its speed."""
    time.sleep(REST)
    until = time.perf_counter() + AWAKE
    helpers = [Thread(target=_work, args=(until,)) for _ in range(threads.available())]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()


def _work(until: float) -> None:
    while time.perf_counter() < until:
        sha256(WORK).digest()
