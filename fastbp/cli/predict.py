"""``python -m fastbp predict``: the classes' probabilities for one sample, or its values.

Of a table, a prediction for each row.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import datasets, pictures, plots
from fastbp.cli import _arguments, _predicted, _tables
from fastbp.meaning import meaning_of
from fastbp.network import Sequential

HELP = "show a model's probabilities for a picture or a sample of the data, or predict a table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="a model.safetensors that train wrote")
    parser.add_argument(
        "image",
        metavar="IMAGE",
        nargs="?",
        type=Path,
        help="a picture file, white on black as in MNIST; made grey and fitted where needed",
    )
    parser.add_argument(
        "--index", type=_arguments.whole(0), metavar="N", help="sample N of the data, from 0"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="of a table: where the predictions of all rows go, as CSV (default: standard output)",
    )
    parser.add_argument(
        "--keep",
        type=_tables.names,
        metavar="A,B",
        help="of a table: columns that are written before the predictions",
    )
    parser.add_argument("--invert", action="store_true", help="the picture is black on white")
    _arguments.add_split(parser)
    _arguments.add_data(parser)
    _arguments.add_backend(parser)
    _arguments.add_plot(parser, "prediction.png", "picture and probabilities")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the probabilities, the most probable class first."""
    given = (args.image, args.index, args.data)
    if (args.image is None) == (args.index is None) and (args.image or given == (None,) * 3):
        sys.stderr.write("python -m fastbp predict: error: name either an IMAGE or --index N\n")
        return 2
    _arguments.choose_backend(args)
    net = _arguments.load_model(args)
    if net.table is not None and args.index is None:
        _arguments.check_of_table(args)
        return _predict_table(args, net)
    for name in ("output", "keep"):
        if getattr(args, name) is not None:
            raise _arguments.UsageError(
                f"--{name} goes with all rows of a table that a model learned from"
            )
    if args.image is None and args.index is None:
        raise ValueError(f"{args.model}: name a sample of {args.data}, --index N")
    label: Any = None
    picture: np.ndarray | None
    if args.image is not None:
        x, picture = _read_picture(args.image, net, args.invert)
    else:
        x, picture, label = _sample(args, net)
    if not meaning_of(net).is_classes:
        return _predict_rows(args, net, x, label)
    return _predict_class(args, net, x, picture, label)


def _predict_class(
    args: argparse.Namespace, net: Sequential, x: Any, picture: np.ndarray | None, label: Any
) -> int:
    """Print the probabilities of a sample's classes, and draw them."""
    probabilities = net.predict_proba(x)[0]
    names = _predicted.names_of(net, len(probabilities))
    if label is not None and label >= len(names):
        raise ValueError(
            f"{args.model}: knows {len(names)} classes, but the sample is of class {label}"
        )
    known = bool(np.isfinite(probabilities).all())
    if not known:
        undrawn = ", and nothing drawn" if args.plot else ""
        _arguments.tell(f"warning: the probabilities are no numbers: nothing is predicted{undrawn}")
    plot = args.plot if known else None
    if plot:
        plots.save(plots.class_probabilities(picture, probabilities, label=label), plot)
    if args.json:
        _arguments.print_json(
            {
                "prediction": names[int(probabilities.argmax())] if known else None,
                "label": None if label is None else names[label],
                "probabilities": probabilities.tolist(),
                "plot": str(plot) if plot else None,
            }
        )
        return 0
    order = np.argsort(-probabilities, kind="stable")
    rows = [[str(names[c]), f"{100 * probabilities[c]:.2f} %"] for c in order]
    truth = None if label is None else names[label]
    title = f"{_named(args, truth, 'labelled')}: {names[order[0]] if known else 'no class'}"
    _arguments.print_table(title, ["class", "probability"], rows)
    if plot:
        sys.stdout.write(f"drawn in {plot}\n")
    return 0


def _predict_table(args: argparse.Namespace, net: Sequential) -> int:
    """Print what each row is, or write it into a file."""
    if args.image is not None or args.plot:
        raise _arguments.UsageError(
            f"{args.model}: of a table; --plot goes with one row, --index N"
        )
    frame = datasets.as_frame(args.data)
    try:
        found = _predicted.predicted(net, frame, args.keep or [])
    except ValueError as problem:
        raise ValueError(f"{args.data}: {problem}") from None
    if args.json:
        rows = {"predictions": json.loads(found.to_json(orient="records"))}
        _arguments.print_json(rows)
    if args.output is not None or not args.json:
        _predicted.write(found, args.output)
    return 0


def _named(args: argparse.Namespace, truth: Any, what: str) -> str:
    """The sample, and what it is where that is known."""
    name = str(args.image or f"sample {args.index}")
    return name if truth is None else f"{name}, {what} {truth}"


def _predict_rows(args: argparse.Namespace, net: Sequential, x: np.ndarray, truth: Any) -> int:
    """Print what each output says: a value, or no or yes and its probability."""
    if args.plot:
        raise ValueError(f"--plot: draws probabilities of classes; {args.model} predicts none")
    of_values = meaning_of(net).is_values
    found = net.predict(x)[0]
    if net.table is not None:
        found = net.table.label.told(found)
    probabilities = None if of_values else net.predict_proba(x)[0]
    if args.json:
        chances = None if probabilities is None else probabilities.tolist()
        report = {"prediction": found.tolist(), "label": truth, "probabilities": chances}
        _arguments.print_json(report | {"plot": None})
        return 0
    if probabilities is None:
        columns = ["output", "value"]
        rows = [[str(j), f"{value:.6g}"] for j, value in enumerate(np.atleast_1d(found))]
    else:
        columns, each = (
            ["label", "prediction", "probability"],
            zip(found, probabilities, strict=True),
        )
        rows = [[str(j), str(yes), f"{100 * p:.2f} %"] for j, (yes, p) in enumerate(each)]
    _arguments.print_table(_named(args, truth, "whose target is"), columns, rows)
    return 0


def _sample(args: argparse.Namespace, net: Sequential) -> tuple[np.ndarray, np.ndarray | None, Any]:
    if net.table is not None:
        _arguments.check_of_table(args)
        return _predicted.sample(net, args.data, args.index)
    data = _arguments.load_data_for(args, net)
    if args.index >= len(data):
        raise ValueError(f"--index {args.index}: {data.name} has samples 0 to {len(data) - 1}")
    x, y = data.batch([args.index])
    picture = None if data.image_shape is None else data.images([args.index])[0]
    return x, picture, y[0].tolist()


def _read_picture(path: Path, net: Sequential, invert: bool) -> tuple[np.ndarray, np.ndarray]:
    """A picture file as one row of grey values from 0 to 1, and as pixels."""
    picture, note = pictures.read(path, *_picture_size(net), invert=invert)
    if note:
        sys.stderr.write(f"fastbp: {path}: {note}\n")
    return picture.reshape(1, -1) / 255, picture


def _picture_size(net: Sequential) -> tuple[int, int]:
    """Rows and columns of a grey picture that the network takes."""
    if net.input_shape is not None and len(net.input_shape) == 3:
        channels, rows, columns = net.input_shape
        if channels != 1:
            raise ValueError(
                f"the model takes pictures of {channels} channels; only grey ones are read"
            )
        return rows, columns
    side = math.isqrt(net.inputs or 0)
    if side * side != net.inputs:
        raise ValueError(f"the model takes {net.inputs} inputs, which is no square picture")
    return side, side
