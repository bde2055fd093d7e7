"""From arguments to a command, and from what goes wrong to one line and an exit code."""

import argparse
import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

from fastbp import __version__
from fastbp._hints import nearest
from fastbp.models import SettingError

from . import bench, evaluate, experiment, explain, export, gradcheck, info, predict, sweep, train
from ._arguments import FAILURE, USAGE, UsageError, tell
from ._completion import SHELLS, PrintCompletion
from ._stopping import exit_code, stopped_by_signals

COMMANDS = (train, sweep, evaluate, predict, export, experiment, explain, gradcheck, bench, info)

OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LONGEST = 5000  # letters of an error: a name of a file may have 4096
# What may come of what a user gives, or of where it runs; whatever else comes is a bug, and shown.
FAILURES = (
    *(ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError),
    RuntimeError,  # no new thread, say
)

EXAMPLES = """\
examples:
  python -m fastbp train                                train the 784-800-100-10 net on MNIST
  python -m fastbp train --hidden 128 --epochs 3        a smaller net, for less time
  python -m fastbp evaluate runs/NAME/model.safetensors
  python -m fastbp predict runs/NAME/model.safetensors --index 8
  python -m fastbp experiment all                       reproduce both reports
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, which says what was meant, if it is near."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """A command refuses itself what it does not know: it knows what is like it."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = re.findall(r"(?<!\w)--[\w-]+", self.format_usage())
            near = nearest(unknown[0].partition("=")[0], options)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(near)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print the error and where to find help; leave with exit code 2."""
        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            message += _meant(nearest(choice[1], re.findall(r"[\w.-]+", choice[2])))
        self.exit(USAGE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def print_help(self, file: Any = None) -> None:
        """Print the help; argparse's own way keeps to itself that it could not."""
        (file or sys.stdout).write(self.format_help())


def _meant(name: str) -> str:
    return f"; did you mean {name}?" if name else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # one line each, like errors
    _prepare_streams()
    try:
        with stopped_by_signals():
            return _run(arguments)
    except KeyboardInterrupt as stop:
        tell("stopped")
        return exit_code(stop)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        return FAILURE
    finally:
        _drop_what_cannot_be_written()


def _prepare_streams() -> None:
    """Let whatever is written be written: to nobody, or with ? for letters that are not there."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us: nobody wants to read it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the whole process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(arguments: Sequence[str] | None) -> int:
    try:
        try:
            args = _parser().parse_args(arguments)
            code: int = args.run(args)
            return code
        finally:
            sys.stdout.flush()  # after --help too, while a failure can still be told
    except BrokenPipeError:
        raise
    except FAILURES as problem:
        if os.environ.get("FASTBP_TRACEBACK"):
            raise
        tell(f"error: {_one_line(problem)}")
        return USAGE if isinstance(problem, UsageError | SettingError) else FAILURE


def _parser() -> Parser:
    parser = Parser(
        allow_abbrev=False,
        prog="python -m fastbp",
        description="Train small neural networks on a CPU, with every gradient written by hand.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastbp {__version__}")
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=PrintCompletion,
        help="print a script by which a shell completes the words of the command fastbp",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(
            name, allow_abbrev=False, help=module.HELP, description=f"{module.HELP}."
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _drop_what_cannot_be_written() -> None:
    """Output that failed once must not fail again, with a traceback, when Python exits."""
    for stream in (sys.stdout, sys.stderr):
        if not _can_be_flushed(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _can_be_flushed(stream: TextIO) -> bool:
    """Whether what was written to a stream is written; what could not be stays in its buffer."""
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _one_line(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename  # all that is written has one, but for what is printed
        if name is None and (problem.errno in OF_WRITING or not _can_be_flushed(sys.stdout)):
            name = "standard output"
        return problem.strerror if name is None else f"{name}: {problem.strerror}"
    if isinstance(problem, MemoryError):
        return f"out of memory ({problem})" if str(problem) else "out of memory"
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _show_warning(message: Warning | str, *_: object) -> None:
    tell(f"warning: {' '.join(str(message).split())}")
