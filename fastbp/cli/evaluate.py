"""``python -m fastbp evaluate``: how good a saved model is."""

import argparse

import numpy as np

import fastbp as fb
from fastbp.cli import _arguments
from fastbp.datasets import Dataset
from fastbp.network import Sequential
from fastbp.runs import confusion

HELP = "measure a saved model on the test or training data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="a model.safetensors that train wrote")
    _arguments.add_data(parser)
    parser.add_argument(
        "--split", choices=("test", "train"), default="test", help="(default: %(default)s)"
    )
    _arguments.add_backend(parser)
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the accuracy, overall and by class."""
    backend = _arguments.choose_backend(args)
    net = fb.load(args.model)
    train, test = _arguments.load_data(args)
    data = test if args.split == "test" else train
    _arguments.check_features(args.model, net, data)
    if net.outputs is not None and net.outputs < data.classes:
        raise ValueError(
            f"{args.model}: knows {net.outputs} classes, but the data has {data.classes}"
        )
    if net.outputs is not None and net.outputs > data.classes:  # a test set may lack a class
        data = fb.datasets.Dataset(
            data.x, data.y, net.outputs, data.scale, data.image_shape, data.name
        )
    matrix = confusion(data, _predictions(net, data))
    samples, right = np.bincount(data.y, minlength=data.classes), np.diag(matrix)
    if args.json:
        _arguments.print_json(
            {
                "model": args.model,
                "data": data.name,
                "backend": backend.name,
                "samples": len(data),
                "errors": int(len(data) - right.sum()),
                "accuracy": float(right.sum() / len(data)),
                "confusion": matrix.tolist(),
            }
        )
        return 0
    names = [*map(str, range(len(matrix))), "all"]
    counts = zip(names, [*samples, len(data)], [*right, right.sum()], strict=True)
    rows = [
        [name, f"{n:,}", f"{n - good:,}", f"{100 * good / n:.2f} %" if n else "-"]
        for name, n, good in counts
    ]
    _arguments.print_table(
        f"{args.model} on {data.name}", ["class", "samples", "errors", "accuracy"], rows
    )
    return 0


def _predictions(net: Sequential, data: Dataset) -> np.ndarray:
    """The classes; -1, which is wrong, for samples whose scores are no numbers; that is said."""
    scores = net.scores(data)
    lost = np.isnan(scores).any(axis=1)
    if lost.any():
        _arguments.tell(
            f"warning: {lost.sum():,} of {len(data):,} samples have scores that are no numbers; "
            "they count as errors"
        )
    return np.where(lost, -1, scores.argmax(axis=1))
