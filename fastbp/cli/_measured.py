"""How good a model of a table is, as it is printed: beside guessing the same for all."""

import sys
from math import isnan
from typing import Any

from fastbp._counted import counted
from fastbp.cli import _arguments
from fastbp.tabular.result import NAMES, Result, as_said, share

JUDGED = ("test", "validation", "cv")  # parts of a training's report that say how good it is


def judged(report: dict[str, Any] | None) -> dict[str, Any]:
    """The parts of a training's report that say how good the model is."""
    return {name: report[name] for name in JUDGED if name in report} if report else {}


def flat(report: dict[str, Any]) -> dict[str, float]:
    """The figures by the names that one network's have, test_accuracy, val_r2."""
    return {
        f"{short}_{figure}": report[part][figure]
        for part, short in (("test", "test"), ("validation", "val"))
        for figure in ("accuracy", "r2", "mae")
        if figure in report.get(part, ())
    }


def print_report(result: Result) -> None:
    """What a training on a table came to: cross-validated, and on rows that it was tested with."""
    found = result.figures
    if "cv" in found:
        source = result.train.name.removesuffix(" train")
        print_crossed(found["cv"], f"{source}, {found['rows']:,} rows")
    if result.judged is not None:
        _, rows = result.judged
        part = found["validation"] if result.test is None else found["test"]
        print_measured(f"{rows.name}, {counted(len(rows), 'row')}", part)
    sys.stdout.write("\n")


def print_measured(title: str, found: dict[str, Any]) -> None:
    """What ``measured`` found: of classes by their names, or of values in their unit."""
    baseline = found["baseline"]
    if "classes" not in found:
        mean = ["-" if isnan(found["r2"]) else "0", *_of_values(baseline)]
        rows = [["model", *_of_values(found)], ["the mean", *mean]]
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
        facts["area under the ROC curve"] = as_said("auc", found["auc"])
    _arguments.print_facts("", facts)


def print_crossed(crossed: dict[str, Any], of: str) -> None:
    """What ``cross_validated`` found: a row a part, and their mean beside the baseline."""
    mean, std, folds = crossed["mean"], crossed["std"], crossed["folds"]
    names = [name for name in NAMES if name in mean]
    rows = [
        [str(number), f"{fold['samples']:,}", *(as_said(name, fold[name]) for name in names)]
        for number, fold in enumerate(folds, 1)
    ]
    rows.append(
        ["mean ± std", "", *(f"{as_said(n, mean[n])} ± {as_said(n, std[n])}" for n in names)]
    )
    if isinstance(mean["baseline"], dict):
        known = {"r2": 0.0} | mean["baseline"]
        rows.append(["the mean", "", *(as_said(name, known[name]) for name in names)])
    else:
        chance = {"accuracy": mean["baseline"]}
        told = (as_said(name, chance[name]) if name in chance else "" for name in names)
        rows.append(["the most frequent class", "", *told])
    title = f"{of}, cross-validated with {len(folds)} parts"
    _arguments.print_table(title, ["part", "rows", *(NAMES[name] for name in names)], rows)


def _of_values(found: dict[str, Any]) -> list[str]:
    return [as_said(name, found[name]) for name in ("r2", "mae", "rmse") if name in found]
