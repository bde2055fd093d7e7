"""How good a model of a table is, as it is printed: beside guessing the same for all."""

import sys
from typing import Any

import numpy as np

from fastbp.cli import _arguments
from fastbp.tabular.task import Task

JUDGED = ("test", "validation", "cv")  # parts of a training's report that say how good it is


def judged(report: dict[str, Any] | None) -> dict[str, Any]:
    """The parts of a training's report that say how good the model is."""
    return {name: report[name] for name in JUDGED if name in report} if report else {}


def print_report(report: dict[str, Any] | None, task: Task | None) -> None:
    """What a training on a table came to: cross-validated, and on rows that it was tested with."""
    if report is None or task is None:
        return
    if "cv" in report:
        print_crossed(report["cv"], f"{task.source}, {report['rows']:,} rows")
    if "test" in report:
        assert task.test is not None
        print_measured(f"{task.test.name}, {len(task.test):,} rows", report["test"])
    elif (rows := task.validation()) is not None:
        print_measured(f"{rows.name}, {len(rows):,} rows", report["validation"])
    sys.stdout.write("\n")


def print_measured(title: str, found: dict[str, Any]) -> None:
    """What ``measured`` found: of classes by their names, or of values in their unit."""
    baseline = found["baseline"]
    if "classes" not in found:
        rows = [["model", *_of_values(found)], ["the mean", "0", *_of_values(baseline)[-2:]]]
        _arguments.print_table(title, ["", "R²", "MAE", "RMSE"], rows)
        return
    rows = [
        [str(row["class"]), f"{row['samples']:,}", share(row["precision"]), share(row["recall"])]
        for row in found["classes"]
    ]
    _arguments.print_table(title, ["class", "rows", "precision", "recall"], rows)
    facts = {
        "accuracy": f"{share(found['accuracy'])}, {found['errors']:,} errors",
        "the most frequent class": share(baseline),
        "balanced accuracy": share(found["balanced_accuracy"]),
    }
    if "auc" in found:
        facts["area under the ROC curve"] = f"{found['auc']:.4f}"
    _arguments.print_facts("", facts)


def print_crossed(crossed: dict[str, Any], of: str) -> None:
    """What ``cross_validated`` found: a row a part, and their mean beside the baseline."""
    mean, std, folds = crossed["mean"], crossed["std"], crossed["folds"]
    names = [name for name in NAMES if name in mean]
    rows = [
        [str(number), f"{fold['samples']:,}", *(_said(name, fold[name]) for name in names)]
        for number, fold in enumerate(folds, 1)
    ]
    rows.append(["mean ± std", "", *(f"{_said(n, mean[n])} ± {_said(n, std[n])}" for n in names)])
    if isinstance(mean["baseline"], dict):
        known = {"r2": 0.0} | mean["baseline"]
        rows.append(["the mean", "", *(_said(name, known[name]) for name in names)])
    else:
        chance = {"accuracy": mean["baseline"]}
        told = (_said(name, chance[name]) if name in chance else "" for name in names)
        rows.append(["the most frequent class", "", *told])
    title = f"{of}, cross-validated with {len(folds)} parts"
    _arguments.print_table(title, ["part", "rows", *(NAMES[name] for name in names)], rows)


def crossed_facts(crossed: dict[str, Any] | None) -> dict[str, str]:
    """The same as one fact."""
    if crossed is None:
        return {}
    mean, std = crossed["mean"], crossed["std"]
    name = "accuracy" if "accuracy" in mean else "r2"
    told = f"{_said(name, mean[name])} ± {_said(name, std[name])}, {len(crossed['folds'])} parts"
    return {f"cross-validated {NAMES[name]}": told}


NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "auc": "AUC",
    "r2": "R²",
    "mae": "MAE",
    "rmse": "RMSE",
}


def _said(name: str, value: float) -> str:
    if "accuracy" in name:
        return share(value)
    return f"{value:.4f}" if name in ("auc", "r2") else f"{value:.6g}"


def _of_values(found: dict[str, Any]) -> list[str]:
    return [_said(name, found[name]) for name in ("r2", "mae", "rmse") if name in found]


def share(value: float) -> str:
    """Per cent; a class that never occurs has none."""
    return "-" if np.isnan(value) else f"{100 * value:.2f} %"
