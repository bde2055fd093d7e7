"""Ctrl-C before the command line can answer it: one line and its exit code, and no traceback."""

import os
import sys
from types import TracebackType


def _say_stopped(
    kind: type[BaseException], problem: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, problem, trace)
        return
    sys.stderr.write("fastbp: stopped\n")
    sys.stderr.flush()
    os._exit(130)  # Python itself would end with the signal


sys.excepthook = _say_stopped
