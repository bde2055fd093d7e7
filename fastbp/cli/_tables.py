"""Tables on the command line: which files are some, how they are split, and how they are read."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from fastbp import models, runs
from fastbp.cli import _arguments, _settings
from fastbp.datasets import Table
from fastbp.tabular import data, task
from fastbp.tabular.data import Asked, Prepared, prepare
from fastbp.tabular.task import Task

OVERRIDES = ("drop", "category", "number")  # of what columns are guessed to be
MOST_TOLD = 50  # columns
SPLIT = ("test", "test_share")
MANY = ("ensemble", "cv")  # which train several networks


def add_table(parser: argparse.ArgumentParser) -> None:
    """What is said of a table's columns and rows."""
    group = parser.add_argument_group("a table's columns and rows (--data of a .csv, .tsv, …)")
    for name, what in (
        ("drop", "left out"),
        ("category", "words, whatever they look like"),
        ("number", "numbers, whatever they look like"),
    ):
        help_ = f"columns that are {what}, by name, with commas between"
        group.add_argument(f"--{name}", type=names, metavar="A,B", help=help_)
    test_help = "a table to test with (default: a seventh of the rows, of each class alike)"
    group.add_argument("--test", type=Path, metavar="FILE", help=test_help)
    share = _arguments.within(above=0, below=1)
    share_help = "the share of the rows to test with"
    group.add_argument("--test-share", type=share, metavar="X", help=share_help)
    ensemble_help = (
        "networks from so many seeds, trained side by side and kept as one model (default: 5, of "
        "few rows 10, of very many fewer; 1 of another --model, of a run's config.toml as many as "
        "it had)"
    )
    group.add_argument("--ensemble", type=_arguments.whole(1), metavar="N", help=ensemble_help)
    cv_help = (
        "cross-validate with so many parts first; then train on all rows, unless --test or "
        "--test-share says otherwise"
    )
    group.add_argument("--cv", type=_arguments.whole(2), metavar="K", help=cv_help)


def names(text: str) -> list[str]:
    """An argument type: columns, with commas between."""
    import csv

    return [name.strip() for name in next(csv.reader([text]), [])]


def is_table(args: argparse.Namespace) -> bool:
    """Whether --data is a table, and no rows of pixels; --scale says that it is numbers alone."""
    return args.data is not None and data.is_table(args.data, args.scale)


def check_options(args: argparse.Namespace) -> None:
    """Refuse what is said of a table where there is none."""
    on_disk = _arguments.is_on_disk(args)
    names = (*SPLIT, *MANY, "limit") if on_disk else (*OVERRIDES, *SPLIT, *MANY)
    given = [name for name in names if getattr(args, name) is not None]
    option = "--" + given[0].replace("_", "-") if given else ""
    if given and on_disk:
        raise _arguments.UsageError(f"{option} does not go with --memory, data that stay on disk")
    if given and not is_table(args):
        raise _arguments.UsageError(
            f"{option} goes with --data of a table: a .csv, .tsv or .parquet file"
        )
    if args.test is not None and args.test_share is not None:
        raise _arguments.UsageError("--test and --test-share: give one of them")


def asked(args: argparse.Namespace) -> Asked:
    """What the options say of a table's columns and rows."""
    return Asked(
        args.label,
        args.test,
        args.test_share,
        True if args.values else False if args.classes else None,
        None if args.classes is True else args.classes,
        *(getattr(args, name) or () for name in OVERRIDES),
    )


def task_of(args: argparse.Namespace) -> Task:
    """What the options say is trained on a table, and how; what was guessed of it is told."""
    return task.task_of(
        args.data,
        asked(args),
        {name: getattr(args, name) for name in models.known_settings()},
        networks=args.ensemble,
        all_rows=args.cv is not None,
        limit=args.limit,
        called=_settings.option,
        tell=None if args.quiet else _tell,
    )


def prepared_again(args: argparse.Namespace, made: Table | None) -> Prepared:
    """The rows of a run that goes on, by the Table that it made."""
    return prepare(args.data, asked(args), made=made, all_rows=not runs.is_tested(args.resume))


def _tell(made: Table) -> None:
    """What was guessed, on stderr, of a wide table the first columns alone."""
    header, *lines, label = str(made).splitlines()
    if more := max(len(lines) - MOST_TOLD, 0):
        lines[MOST_TOLD:] = [f"… and {more} more columns, which report.html and net.table have"]
    with suppress(OSError):
        sys.stderr.write("\n".join([header, *lines, label, ""]))
        sys.stderr.flush()
