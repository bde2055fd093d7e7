"""The signals that ask a program to end: each ends a command as Ctrl-C does."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fastbp.recording import STOPPING

INTERRUPTED = 130  # exit code after Ctrl-C; a signal's is 128 and its number
REPEATED = 1.0  # seconds in which the same is said twice: a lost terminal's shell sends SIGHUP too


class Stopped(KeyboardInterrupt):
    """One of the signals came. Whatever keeps finished work after Ctrl-C does so now."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a command ends with that was stopped like this."""
    return stop.code if isinstance(stop, Stopped) else INTERRUPTED


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let the signals raise Stopped in the block, but for those that somebody handles or ignores.

    So does nohup with SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = -REPEATED

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= REPEATED:
            raise Stopped(number)

    ours = [number for number in STOPPING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
