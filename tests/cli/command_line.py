"""Runs commands: here, or as users do, in a process of its own, where that makes a difference."""

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from fastbp import backends
from fastbp.cli import main

FASTBP = (sys.executable, "-m", "fastbp")
LIMIT = 60  # seconds after which a command counts as hanging
SOON = 3  # seconds from Ctrl-C to the end: 2, and one for a busy machine

TENSORS = {"checkpoint.safetensors", "loss_by_iteration.npz", "model.safetensors"}
ALWAYS = {"config.toml", "history.csv"} | TENSORS
PLOTS = {"loss_by_iteration.png", "loss_by_epoch.png", "accuracy_by_epoch.png"}
PLOTS |= {"confusion_matrix.png"}
PICTURE_PLOTS = {"misclassified.png", "first_layer_weights.png"}  # where samples are pictures
TABLE_PLOTS = {"rate_by_iteration.png", "roc_curve.png", "calibration_curve.png", "importance.png"}
OF_TABLE = TABLE_PLOTS | {"report.html"}


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; anything beside it is an error."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def environment(**changes: str | None) -> dict[str, str]:
    """This environment without what would change a command's output; None removes a name."""
    # Unbuffered output would hide what happens when Python flushes it at its end.
    removed = {"FASTBP_BACKEND", "FASTBP_NUM_THREADS", "FASTBP_TRACEBACK"}
    removed |= {"COLUMNS", "PYTHONUNBUFFERED"}
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return {name: value for name, value in (kept | changes).items() if value is not None}


def run(*args: object, cwd: Path, env: dict[str, str | None] | None = None) -> Result:
    """Run a command to its end in this process, which is as it was before, and no terminal."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(contextlib.chdir(cwd))
        enter(patch.dict(os.environ, environment(**env or {}), clear=True))
        enter(patch("os.get_terminal_size", side_effect=OSError("no terminal")))
        enter(patch.object(backends, "in_use", None))
        enter(warnings.catch_warnings())
        warnings.simplefilter("default")  # pytest's would make errors of them
        out = enter(contextlib.redirect_stdout(_stream()))
        err = enter(contextlib.redirect_stderr(_stream()))
        try:
            code = main([str(argument) for argument in args])
        except SystemExit as end:
            code = end.code
    return _result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def _stream() -> io.TextIOWrapper:
    """What a process has for stdout where that is a pipe."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _result(code: int, out: str, err: str) -> Result:
    """Without what Numba says when it compiles what no earlier command has."""
    lines = err.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("fastbp: Numba compiles ")]
    return Result(code, out, "".join(kept))


def run_process(
    *args: object,
    cwd: Path,
    env: dict[str, str | None] | None = None,
    program: Sequence[str] = FASTBP,
) -> Result:
    """Run a command to its end in a process of its own."""
    done = subprocess.run(
        [*program, *map(str, args)],
        cwd=cwd,
        env=environment(**env or {}),
        timeout=LIMIT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return _result(done.returncode, done.stdout, done.stderr)


def run_script(script: str, *args: object, cwd: Path, **arguments: Any) -> Result:
    """Run Python code that prepares something and then calls ``main``, which it is given."""
    script = f"import sys\nfrom fastbp.cli import main\n{script}"
    return run_process(*args, cwd=cwd, program=(sys.executable, "-c", script), **arguments)


def _hear_ctrl_c() -> None:
    """What was started in the background, as these tests may be, is deaf to it otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(*args: object, cwd: Path, **streams: Any) -> Iterator[subprocess.Popen]:
    """Start a command in a process group of its own, so that signals reach nobody else."""
    process = subprocess.Popen(
        [*FASTBP, *map(str, args)],
        cwd=cwd,
        env=environment(),
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
        stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()  # of no effect on one that has ended, as all should have


def wait_until(condition: Callable[[], object], process: subprocess.Popen) -> None:
    """Wait for a condition, as long as the process runs."""
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def press_ctrl_c(
    process: subprocess.Popen, number: signal.Signals = signal.SIGINT
) -> tuple[str, str, int]:
    """Send what a terminal sends, or another signal; give stdout, stderr and exit code."""
    process.send_signal(number)
    pressed = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - pressed < SOON
    return out.decode(), err.decode(), process.returncode


class Terminal:
    """A command whose stderr is a terminal of so many columns."""

    def __init__(self, process: subprocess.Popen, screen: int) -> None:
        self.process, self.screen = process, screen
        self.shown = ""  # with all its control sequences

    def wait_for(self, text: str) -> None:
        """Read until the terminal has shown a text."""
        while text not in self.shown:
            assert self._read(), f"{text!r} was not shown: {self.shown}"

    def wait_for_end(self) -> tuple[str, int]:
        """Read until the command has ended; give its stdout and exit code."""
        while self._read():
            pass
        out, _ = self.process.communicate(timeout=LIMIT)
        return out.decode(), self.process.returncode

    def _read(self) -> bool:
        try:
            received = os.read(self.screen, 65536)
        except OSError:  # how Linux says that nobody is there any more
            received = b""
        self.shown += received.decode("utf-8", "replace")
        return bool(received)

    @property
    def lines(self) -> list[str]:
        """All that was ever shown, without colours and movements of the cursor."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown)
        return [line.rstrip() for line in re.split(r"[\r\n]+", text)]


@contextmanager
def in_terminal(columns: int, *args: object, cwd: Path) -> Iterator[Terminal]:
    """Start a command with its stderr in a terminal of so many columns."""
    screen, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with started(*args, cwd=cwd, stderr=stderr) as process:
            os.close(stderr)  # the process has its own; the screen ends when that is closed
            yield Terminal(process, screen)
    finally:
        os.close(screen)


def assert_error(result: Result, *parts: str, code: int = 1) -> None:
    """Assert that a command failed with exactly one line, which has these parts."""
    assert result.code == code, result
    assert result.out == ""
    assert_one_line(result.err, "error: ", *parts)


def assert_one_line(text: str, *parts: str) -> None:
    """Assert that a text is exactly one line, which has these parts."""
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    for part in parts:
        assert part in text


def names(folder: Path) -> set[str]:
    """The names in a folder, hidden ones too."""
    return {path.name for path in folder.iterdir()}


def read_config(folder: Path) -> dict[str, Any]:
    """The settings that a run kept."""
    with (folder / "config.toml").open("rb") as file:
        return tomllib.load(file)


def read_history(folder: Path) -> list[dict[str, str]]:
    """The rows of history.csv."""
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_losses(folder: Path) -> np.ndarray:
    """The loss of every batch."""
    with np.load(folder / "loss_by_iteration.npz", allow_pickle=False) as file:
        assert file.files == ["loss"]
        return file["loss"]


def is_whole_png(path: Path) -> bool:
    """Tell whether a file is a PNG picture from its first byte to its last."""
    from PIL import Image

    signature = path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with Image.open(path) as image:
        image.load()  # reads all of it
    return signature
