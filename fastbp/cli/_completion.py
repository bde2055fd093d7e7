"""``--print-completion SHELL``: a script by which a shell completes the command's words."""

import argparse
import sys
from typing import Any

from fastbp._extras import missing

SHELLS = ("bash", "zsh", "tcsh")
FILES = ("MODEL", "PATH", "FILE", "IMAGE")  # what arguments are called that name a file
NAME = "fastbp"  # of the installed command, which shells know, as they do not know python -m


class PrintCompletion(argparse.Action):
    """Print the script for the parser that has this option, and leave."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """Write it to stdout, exit code 0."""
        try:
            import shtab
        except ModuleNotFoundError:
            raise missing("--print-completion", "shtab", "completion") from None
        _name_files(parser, shtab.FILE, shtab.DIRECTORY)
        parser.prog = NAME
        sys.stdout.write(shtab.complete(parser, shell=values))
        parser.exit()


def _name_files(parser: argparse.ArgumentParser, file: Any, folder: Any) -> None:
    """Mark what names files and folders, in all commands, as shtab wants it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _name_files(command, file, folder)
        elif action.metavar in FILES:
            action.complete = file  # type: ignore[attr-defined]
        elif action.metavar == "DIR":
            action.complete = folder  # type: ignore[attr-defined]
