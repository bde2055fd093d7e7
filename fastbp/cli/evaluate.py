"""``python -m fastbp evaluate``: how good a saved model is."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import fastbp as fb
from fastbp import plots
from fastbp._counted import counted
from fastbp.cli import _arguments, _measured
from fastbp.datasets import Classes, Dataset
from fastbp.meaning import Meaning, meaning_of
from fastbp.network import Sequential
from fastbp.tabular.data import unit
from fastbp.tabular.measures import measured
from fastbp.training import Evaluation
from fastbp.training.answers import confusion, predicted_classes

HELP = "measure a saved model on the test or training data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="a model.safetensors that train wrote, or its folder"
    )
    _arguments.add_data(parser)
    _arguments.add_memory(parser)
    _arguments.add_split(parser)
    _arguments.add_backend(parser)
    what = "the confusion matrix, or of values the true by the predicted ones"
    _arguments.add_plot(parser, "evaluation.png", what)
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the accuracy, overall and by class; or of values R² and mean absolute error."""
    backend = _arguments.choose_backend(args)
    net = _arguments.load_model(args)
    if _arguments.is_on_disk(args):
        return _evaluate_shards(args, net, backend.name)
    data = _arguments.load_data_for(args, net)
    about = {"model": args.model, "data": data.name, "backend": backend.name, "samples": len(data)}
    if args.plot:
        plots.save(net.evaluate(data).plot(), args.plot)
        about["plot"] = str(args.plot)
    if net.table is not None:
        return _evaluate_table(args, net, data, about)
    if data.values:
        return _tell_rows(args, net, fb.evaluate(net, data), about)
    classes = 2 if net.meaning is Meaning.TWO_CLASSES else net.outputs
    if classes is not None and classes < data.classes:
        raise ValueError(f"{args.model}: knows {classes} classes, but the data has {data.classes}")
    if classes is not None and classes > data.classes:  # a test set may lack a class
        data = replace(data, classes=classes)
    matrix = confusion(data.y, _predictions(net, data), data.classes)
    samples = np.bincount(data.y, minlength=data.classes)
    return _tell_classes(args, matrix, samples, about)


def _tell_classes(
    args: argparse.Namespace,
    matrix: np.ndarray,
    samples: np.ndarray,
    about: dict[str, Any],
    names: Sequence[object] = (),
) -> int:
    """How often each class is found: a line for each, of so many samples."""
    right, total = np.diag(matrix), int(samples.sum())
    if args.json:
        _arguments.print_json(
            about
            | {
                "errors": int(total - right.sum()),
                "accuracy": float(right.sum() / total),
                "confusion": matrix.tolist(),
            }
        )
        return 0
    classes = [*map(str, names or range(len(matrix))), "all"]
    counts = zip(classes, [*samples, total], [*right, right.sum()], strict=True)
    rows = [
        [name, f"{n:,}", f"{n - good:,}", f"{100 * good / n:.2f} %" if n else "-"]
        for name, n, good in counts
    ]
    _arguments.print_table(
        f"{args.model} on {about['data']}", ["class", "samples", "errors", "accuracy"], rows
    )
    return 0


def _evaluate_table(
    args: argparse.Namespace, net: Sequential, data: Dataset, about: dict[str, Any]
) -> int:
    """Of classes by their names, or of values in their unit."""
    found = measured(net, data)
    if args.json:
        _arguments.print_json(about | found)
        return 0
    title = f"{args.model} on {data.name}, {counted(len(data), 'row')}"
    _measured.print_measured(title, found)
    return 0


def _evaluate_shards(args: argparse.Namespace, net: Any, backend: str) -> int:
    """Of data on disk, all of them, in one pass."""
    data = _arguments.load_shards(args, not meaning_of(net).is_classes, net.table)
    about = {"model": args.model, "data": data.name, "backend": backend, "samples": len(data)}
    found = fb.evaluate(net, data)
    if args.plot:
        plots.save(found.plot(), args.plot)
        about["plot"] = str(args.plot)
    if data.values:
        return _tell_rows(args, net, found, about)
    label = None if net.table is None else net.table.label
    matrix, counts = found.confusion_matrix, data.survey.counts
    samples = np.pad(counts, (0, len(matrix) - len(counts)))  # the data may lack a class
    names = label.names if isinstance(label, Classes) else ()
    return _tell_classes(args, matrix, samples, about, names)


def _tell_rows(
    args: argparse.Namespace, net: Sequential, found: Evaluation, about: dict[str, Any]
) -> int:
    """Of values R² and MAE; of labels, each a question, the share of right answers."""
    figures = {"accuracy": found.accuracy}
    shown = {"accuracy": f"{100 * found.accuracy:.2f} %"}
    if meaning_of(net).is_values:
        mae = found.mae * unit(net.table)
        figures = {"r2": found.r2, "mae": mae}
        shown = {"R²": f"{found.r2:.4f}", "MAE": f"{mae:.6g}"}
    if args.json:
        _arguments.print_json(about | figures)
    else:
        title, row = f"{args.model} on {about['data']}", [f"{about['samples']:,}", *shown.values()]
        _arguments.print_table(title, ["samples", *shown], [row])
    return 0


def _predictions(net: Sequential, data: Dataset) -> np.ndarray:
    """The classes; -1, which is wrong, for samples whose scores are no numbers; that is said."""
    found = predicted_classes(net.scores(data), meaning_of(net))
    lost = found < 0
    if lost.any():
        _arguments.tell(
            f"warning: {lost.sum():,} of {len(data):,} samples have scores that are no numbers; "
            "they count as errors"
        )
    return found
