"""Tables on the command line: which files are some, how they are split, and how they are read."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from fastbp import datasets, models
from fastbp.cli import _arguments
from fastbp.datasets import Table
from fastbp.losses import PoissonNLLLoss
from fastbp.tabular.data import Asked, Prepared, prepare

OVERRIDES = ("drop", "category", "number")  # of what columns are guessed to be
SPLIT = ("test", "test_share")


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


def names(text: str) -> list[str]:
    """An argument type: columns, with commas between."""
    import csv

    return [name.strip() for name in next(csv.reader([text]), [])]


def is_table(args: argparse.Namespace) -> bool:
    """Whether --data is a table, and no rows of pixels; --scale says that it is numbers alone."""
    if args.data is None or args.scale is not None or not datasets.is_table_file(args.data):
        return False
    path = Path(args.data)
    of_text = not path.suffix.lower().startswith(".p")  # Parquet
    return not (of_text and path.is_file() and datasets.holds_pictures(path))


def check_options(args: argparse.Namespace) -> None:
    """Refuse what is said of a table where there is none."""
    given = [name for name in (*OVERRIDES, *SPLIT) if getattr(args, name) is not None]
    if given and not is_table(args):
        option = "--" + given[0].replace("_", "-")
        raise ValueError(f"{option} goes with --data of a table: a .csv, .tsv or .parquet file")
    if args.test is not None and args.test_share is not None:
        raise ValueError("--test and --test-share: give one of them")


def load(args: argparse.Namespace, made: Table | None = None) -> Prepared:
    """Rows to train on and to test with; by a Table that was made before, or by one that is told.

    Raises
    ------
    ValueError
        As ``fastbp.datasets.table``; the message has the file's path.
    """
    asked = Asked(
        args.label,
        args.test,
        args.test_share,
        True if args.values else False if args.classes else None,
        None if args.classes is True else args.classes,
        *(getattr(args, name) or () for name in OVERRIDES),
    )
    tell = None if args.quiet else _tell
    return prepare(args.data, asked, made=made, counts=_of_counts(args), tell=tell)


def _of_counts(args: argparse.Namespace) -> bool:
    """Whether scores are logarithms of counts, which cannot be standardised."""
    named = models.read(args.model).loss if args.model else None
    return (args.loss or named) == PoissonNLLLoss.name


def _tell(made: Table) -> None:
    """What was guessed, on stderr."""
    with suppress(OSError):
        sys.stderr.write(f"{made}\n")
        sys.stderr.flush()
