"""Arguments that several commands share, and what they mean."""

import argparse
import math
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from fastbp import backends, datasets
from fastbp._checks import as_number
from fastbp.datasets import Dataset, Shards, Table
from fastbp.meaning import meaning_of
from fastbp.network import Sequential
from fastbp.runs import MODEL
from fastbp.storage import load

USAGE, FAILURE = 2, 1  # exit codes
BETWEEN = "   "  # columns of a table, at least
FOLDED = 16  # letters of its first column, at least, where figures stay whole


class UsageError(ValueError):
    """Options that do not go together: wrong usage, not a failure."""


def whole(least: int) -> Callable[[str], int]:
    """An argument type: a whole number of at least `least`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number >= {least}, got {text!r}")
        return number

    return parse


def number(text: str) -> int | float:
    """An argument type: a number, whole where it is written so."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")


def within(**limits: float | None) -> Callable[[str], float]:
    """An argument type: a finite number within the limits that ``as_number`` knows."""

    def parse(text: str) -> float:
        try:
            return as_number(number(text), "", **limits)
        except ValueError as problem:
            expected = str(problem).removeprefix(": ").partition(", got")[0]
            raise argparse.ArgumentTypeError(f"{expected}, got {text!r}") from None

    return parse


positive = within(above=0)


def add_data(parser: argparse.ArgumentParser, classes_alone: bool = False) -> None:
    """--data and how to read it; --classes alone may say of a table that its label is no value."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a table (.csv, .tsv, .parquet), an .npz or a folder of IDX files "
        "(default: the MNIST that comes with fastbp)",
    )
    parser.add_argument("--label", help="a table's label column (default: found by its name)")
    alone: dict[str, Any] = {"nargs": "?", "const": True} if classes_alone else {}
    parser.add_argument(
        "--classes",
        type=whole(2),
        metavar="N",
        help="number of classes (default: from the data)"
        + "; alone: a table's label has classes, though it looks like values" * classes_alone,
        **alone,
    )
    parser.add_argument(
        "--scale", type=positive, help="factor on every value (default: 1/255 for bytes, else 1)"
    )


def add_memory(parser: argparse.ArgumentParser) -> None:
    """--memory, with which data stay on disk, and --copy."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="read --data, a folder of .npz, .npy or .parquet files, in blocks, within so much "
        "memory, as 500MB or 1GB",
    )
    parser.add_argument(
        "--copy",
        metavar="FOLDER",
        help="where a copy of such data lies meanwhile, if they have to be decoded; no: nowhere "
        "(default: a temporary folder)",
    )


def is_on_disk(args: argparse.Namespace) -> bool:
    """Whether data are to stay on disk."""
    if args.memory is None and args.copy is not None:
        raise UsageError("--copy goes with --memory, data that stay on disk")
    return args.memory is not None


def load_shards(args: argparse.Namespace, values: bool | None, made: Table | None = None) -> Shards:
    """The data on disk that the arguments name; of a table by the one that was made before."""
    if args.data is None:
        raise UsageError("--memory goes with --data of a folder")
    classes = None if args.classes is True else args.classes
    said: dict[str, Any] = {"values": values, "classes": classes, "table": made}
    if args.copy is not None:
        said["copy"] = args.copy != "no" and args.copy
    for name in ("label", "scale", "drop", "category", "number"):
        if (given := getattr(args, name, None)) is not None:
            said[name] = given
    return datasets.shards(args.data, memory=args.memory, **said)


def add_backend(
    parser: argparse.ArgumentParser, default: str = "FASTBP_BACKEND, else the fastest there is"
) -> None:
    """--backend."""
    parser.add_argument(
        "--backend",
        choices=("auto", *backends.AUTOMATIC),
        help=f"what computes (default: {default})",
    )


def add_plot(
    parser: argparse.ArgumentParser, default: str, what: str, metavar: str = "FILE"
) -> None:
    """--plot, which goes to ``default`` if it says no other place."""
    parser.add_argument(
        "--plot",
        type=Path,
        nargs="?",
        const=Path(default),
        metavar=metavar,
        help=f"draw {what} (default{' file' if metavar == 'FILE' else ''}: {default})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def model_path(named: str | Path) -> Path:
    """The file of a model that is named, or of a run's folder the one in it."""
    path = Path(named)
    if path.is_dir() and not (path / MODEL).exists():
        raise ValueError(f"{path}: a folder without a {MODEL}, which train leaves in its own")
    return path / MODEL if path.is_dir() else path


def load_model(args: argparse.Namespace) -> Any:
    """The network, or the ensemble, that ``args.model`` names."""
    return load(model_path(args.model))


def load_data(args: argparse.Namespace, values: bool = False) -> tuple[Dataset, Dataset]:
    """The training and test data that the arguments name: of classes, or of values."""
    if args.data is None:
        if args.label or args.classes or args.scale:
            raise UsageError("--label, --classes and --scale go with --data")
        if values:
            raise UsageError("values come with --data; the MNIST that comes with fastbp has none")
        return datasets.mnist()
    if args.classes is True:
        raise UsageError("--classes alone goes with --data of a table")
    return datasets.load(args.data, values=values, **_reading(args))


def _reading(args: argparse.Namespace) -> dict[str, Any]:
    """How what is no table is read."""
    return {"label": args.label, "classes": args.classes, "scale": args.scale}


def add_split(parser: argparse.ArgumentParser) -> None:
    """--split, of what train splits or is split already."""
    parser.add_argument(
        "--split",
        choices=("test", "train"),
        help="that part alone (default: test; of a .csv the whole file)",
    )


def load_data_for(args: argparse.Namespace, net: Sequential) -> Dataset:
    """What the arguments name, as a trained network takes it: the whole file, or a split."""
    values = not meaning_of(net).is_classes
    if net.table is not None:
        check_of_table(args)
        return net.table.dataset(args.data)
    found = []
    if args.data is not None and args.split is None and datasets.is_table_file(args.data):
        found = datasets.read(Path(args.data), values=values, **_reading(args))
    if len(found) == 1:
        data = found[0]
    else:
        train, test = load_data(args, values)
        data = train if args.split == "train" else test
    check_features(args.model, net, data)
    return data


def check_of_table(args: argparse.Namespace) -> None:
    """Refuse what is no table, for a model that learned from one."""
    if args.data is None or args.split is not None:
        told = "name one, --data FILE, of which every row counts"
        raise ValueError(f"{args.model}: learned from a table; {told}")


def check_features(model: str, net: Sequential, data: Dataset) -> None:
    """Refuse data that does not fit a model, by the names that the user gave both."""
    if net.inputs in (None, data.features):
        return
    takes = f"{net.inputs} features"
    if net.input_shape is not None and len(net.input_shape) == 3:
        takes = f"images {'x'.join(map(str, net.input_shape))}, {takes}"
    has = str(data.features)
    if data.image_shape is not None:
        has = f"images {'x'.join(map(str, data.image_shape))}, {has}"
    raise ValueError(f"{model}: takes {takes}, but {data.name} has {has}")


def choose_backend(args: argparse.Namespace) -> backends.Backend:
    """Make the backend that the arguments name the active one, and return it."""
    if args.backend:
        backends.use_backend(args.backend)
    chosen = backends.active()
    if chosen.name == "numba" and getattr(args, "quiet", False):
        backends.quiet()
    return chosen


def tell(line: str) -> None:
    """Say something on stderr, whether or not somebody still listens there."""
    with suppress(OSError):
        sys.stderr.write(f"fastbp: {line}\n")
        sys.stderr.flush()


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout; what is no finite number is null."""
    import json

    sys.stdout.write(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout; the first column is text, the others are right-aligned figures.

    The first is folded before figures are. Where it is too narrow for the words of all columns,
    each row becomes lines of its own.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    words = [
        [word for cell in cells for word in cell.split()]
        for cells in zip(columns, *rows, strict=True)
    ]
    longest = [max(map(len, each), default=0) for each in words]
    figures = [max(map(len, cells)) for cells in zip(*rows, strict=True)][1:] if rows else []
    whole = [min(longest[0], FOLDED), *map(max, longest[1:], figures)]
    room = console.width - len(BETWEEN) * (len(columns) + 1)
    if sum(longest) > room:
        print_facts(title, {})
        for first, *others in rows:
            print_facts(first, dict(zip(columns[1:], others, strict=True)))
        return
    sys.stdout.write(f"{title}\n")  # not the table's own: it would be folded to the table's width
    table = Table(box=box.SIMPLE_HEAD)
    widths = whole if sum(whole) <= room else longest
    for position, (column, least) in enumerate(zip(columns, widths, strict=True)):
        side: Literal["left", "right"] = "right" if position else "left"
        table.add_column(column, justify=side, overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_facts(title: str, facts: dict[str, str]) -> None:
    """Print names and values on stdout, a line each; long values are never cut."""
    width = max(map(len, facts), default=0)
    lines = [f"{title}\n"] if title else []
    lines += [f"  {name:<{width}}  {value}\n" for name, value in facts.items()]
    sys.stdout.writelines(lines)
