"""Processes that are as new ones but for what takes long to import: forks of one that did.

Nothing of fastbp is imported here: each process takes it from a folder of its own.
"""

import functools
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

METHOD = multiprocessing.get_context("forkserver")
PREPARED = "numba_at_hand"


@functools.cache
def _start_server() -> None:
    """Start what all come from, if nothing else has; it knows no folder of tests by itself."""
    METHOD.set_forkserver_preload([PREPARED])
    with patch.dict(os.environ, PYTHONPATH=str(Path(__file__).parent)):
        forkserver.ensure_running()


class Fork:
    """A process that runs Python code with this environment, in this folder."""

    def __init__(self, code: str, folder: Path, environment: Mapping[str, str]) -> None:
        _start_server()
        self._printed = Path(tempfile.mkdtemp(dir=folder))
        arguments = code, folder, self._printed, dict(environment)
        self._process = METHOD.Process(target=_run, args=arguments)
        self._process.start()

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; what it has written to stdout and stderr."""
        self._process.join(timeout)
        out, err = (path.read_text() for path in _files(self._printed))
        return out, err

    @property
    def returncode(self) -> int | None:
        """How it ended; None if it has not."""
        return self._process.exitcode


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "stdout", folder / "stderr"


def _run(code: str, folder: Path, printed: Path, environment: dict[str, str]) -> None:
    from numba.core import config

    for number, path in enumerate(_files(printed), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # What Python and libraries have read of another environment when they started.
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.path.insert(0, environment["PYTHONPATH"])
    tempfile.tempdir = None
    config.reload_config()
    exec(compile(code, "<code of a test>", "exec"), {"__name__": "__main__"})
