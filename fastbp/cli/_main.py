"""From arguments to a command, and from what goes wrong to one line and an exit code."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from fastbp import __version__

from . import bench, evaluate, experiment, explain, gradcheck, info, predict, train
from ._arguments import FAILURE, INTERRUPTED, USAGE

COMMANDS = (train, evaluate, predict, experiment, explain, gradcheck, bench, info)

EXAMPLES = """\
examples:
  python -m fastbp train                                train the 784-800-100-10 net on MNIST
  python -m fastbp train --hidden 128 --epochs 3        a smaller net, for less time
  python -m fastbp evaluate runs/NAME/model.safetensors
  python -m fastbp predict runs/NAME/model.safetensors --index 8
  python -m fastbp experiment all                       reproduce both reports
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and where to find help; leave with exit code 2."""
        self.exit(USAGE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # one line each, like errors
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever started us: nobody wants to read it
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115 - for the whole process
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        return FAILURE
    finally:
        _drop_what_cannot_be_written()


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
    except (ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError) as problem:
        if os.environ.get("FASTBP_TRACEBACK"):
            raise
        _say(f"error: {_one_line(problem)}")
        return FAILURE


def _parser() -> Parser:
    parser = Parser(
        allow_abbrev=False,
        prog="python -m fastbp",
        description="Train small neural networks on a CPU, with every gradient written by hand.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastbp {__version__}")
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
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return " ".join(str(problem).split()) or type(problem).__name__


def _say(line: str) -> None:
    print(f"fastbp: {line}", file=sys.stderr)  # noqa: T201


def _show_warning(message: Warning | str, *_: object) -> None:
    _say(f"warning: {' '.join(str(message).split())}")
