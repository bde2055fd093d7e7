"""Tables on the command line: which files are some, how they are split, and how they are read."""

import argparse
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import datasets, models
from fastbp.cli import _arguments
from fastbp.datasets import Classes, Dataset, Table, Values
from fastbp.losses import PoissonNLLLoss
from fastbp.tabular.split import every_nth

TEST_SHARE = 1 / 7  # as fastbp.datasets.load has it
VALIDATION = 0.15  # of the rest, which judges each epoch
LEAST = 8  # rows of each class, or of values, so that a share can be kept back
# What a table is trained with where neither the options nor a model say it.
DEFAULTS: dict[str, Any] = {
    "hidden": (64, 64),
    "activation": "relu",
    "init": "he",
    "batch_size": 32,
    "epochs": 50,
}
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


def load(args: argparse.Namespace, made: Table | None = None) -> tuple[Dataset, Dataset]:
    """Rows to train on and to test with; by a Table that was made before, or by one that is told.

    Raises
    ------
    ValueError
        As ``fastbp.datasets.table``; the message has the file's path.
    """
    frame = datasets.as_frame(args.data)
    try:
        frame, label = datasets.labelled(frame, args.label if made is None else made.label.name)
        target = datasets.fit_label(frame[label], _is_values(args)) if made is None else made.label
        rows, others = _parts(args, len(frame), _codes(target, frame[label]))
        if made is None:
            said = {name: getattr(args, name) or () for name in OVERRIDES}
            values = isinstance(target, Values)
            _, made = datasets.fit_table(frame, label, rows=rows, values=values, **said)
            _check_classes(args, made)
            if isinstance(target, Values) and _of_counts(args):  # whose exp(score) has a unit
                made = replace(made, label=Values(label, 0.0, 1.0))
            if not args.quiet:
                _tell(made)
        name = Path(args.data).resolve().name
        train = made.dataset(frame.iloc[rows], f"{name} train")
        if args.test is not None:
            return train, made.dataset(args.test)
        return train, made.dataset(frame.iloc[others], f"{name} test")
    except datasets.DataError:
        raise
    except ValueError as problem:
        raise ValueError(f"{args.data}: {problem}") from None


def _is_values(args: argparse.Namespace) -> bool | None:
    """What the options say of the label, if anything."""
    return True if args.values else False if args.classes else None


def _of_counts(args: argparse.Namespace) -> bool:
    """Whether scores are logarithms of counts, which cannot be standardised."""
    named = models.read(args.model).loss if args.model else None
    return (args.loss or named) == PoissonNLLLoss.name


def _check_classes(args: argparse.Namespace, made: Table) -> None:
    if isinstance(made.label, Classes) and args.classes not in (None, True, len(made.label.names)):
        raise ValueError(f"--classes {args.classes}: {made.label.name!r} has {made.label.said()}")


def _codes(target: Classes | Values, column: Any) -> np.ndarray:
    """The class of each row; of values all are alike."""
    return target.encode(column) if isinstance(target, Classes) else np.zeros(len(column), int)


def _parts(
    args: argparse.Namespace, count: int, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, in a random order, and those of each class alike to test with.

    The only row of a class is never one of those.
    """
    size = 0 if args.test is not None else max(1, round(count * (args.test_share or TEST_SHARE)))
    order, test = every_nth(classes, size, np.random.default_rng(0))
    if args.test is not None:
        return order, test
    train = order[~np.isin(order, test)]
    if not len(train) or not len(test):
        raise ValueError(f"{count} rows are too few to train and to test: name a --test FILE")
    return train, test


def _tell(made: Table) -> None:
    """What was guessed, on stderr."""
    with suppress(OSError):
        sys.stderr.write(f"{made}\n")
        sys.stderr.flush()


def set_defaults(args: argparse.Namespace, train: Dataset) -> None:
    """What the options leave to the table: how it is trained, and what judges each epoch."""
    if args.model is not None:
        return
    defaults = DEFAULTS | {"loss": "mse" if train.values else "cross-entropy"}
    if args.optimizer is None:
        defaults |= {"optimizer": "adam", "lr": 0.001}
    smallest = len(train) if train.values else int(np.bincount(train.y).min())
    if args.validation is None and smallest >= LEAST:
        defaults |= {"validation": VALIDATION}
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def unit(table: Table | None) -> float:
    """How much of the label's unit 1 is, in what a network learns."""
    return table.label.std if table is not None and isinstance(table.label, Values) else 1.0
