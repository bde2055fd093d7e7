"""What the report says of a model of a table, before it is HTML: figures, classes, columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastbp.datasets import Classes, Dataset, Table, Values
from fastbp.pages import Table as Cells
from fastbp.pages import escape

from .importance import Importances

Card = tuple[str, str, str]  # what, its value, and what to compare it with


def headline(label: Classes | Values, found: dict[str, Any]) -> list[Card]:
    """The figures of ``measured``, each beside guessing the same for all."""
    if isinstance(label, Values):
        mean = found["baseline"]
        return [
            ("R²", _number(found["r2"]), "always the mean: 0"),
            ("mean absolute error", f"{found['mae']:.6g}", f"always the mean: {mean['mae']:.6g}"),
            ("RMSE", f"{found['rmse']:.6g}", f"always the mean: {mean['rmse']:.6g}"),
        ]
    often = max(found["classes"], key=lambda row: row["samples"])["class"]
    by_chance = f"always {often}: {_share(1 / sum(row['samples'] > 0 for row in found['classes']))}"
    cards = [
        ("accuracy", _share(found["accuracy"]), f"always {often}: {_share(found['baseline'])}"),
        ("balanced accuracy", _share(found["balanced_accuracy"]), by_chance),
    ]
    if "auc" in found:
        cards.append(("area under the ROC curve", _number(found["auc"]), "by chance: 0.5"))
    return cards


def by_class(found: dict[str, Any]) -> Cells:
    """A row a class: how many there are, how many of those said are right, and how many found."""
    rows = [
        [str(row["class"]), f"{row['samples']:,}", _share(row["precision"]), _share(row["recall"])]
        for row in found["classes"]
    ]
    return [["class", "rows", "precision", "recall"], *rows]


def columns(table: Table, train: Dataset, worth: Importances | None) -> tuple[list[str], Cells]:
    """Head and rows, as markup: each column, what it was taken for, and what it is worth."""
    losses = [""] * len(table.columns) if worth is None else [*_losses(worth)]
    rows = [
        [column.name, column.kind, said, loss]
        for column, said, loss in zip(table.columns, _said(table, train), losses, strict=True)
    ]
    rows += [[name, "left out", why, ""] for name, why in table.left_out.items()]
    rows.append([table.label.name, "label", table.label.said(), ""])
    lost = "" if worth is None else f"loss of {worth.measure} if shuffled"
    return ["column", "taken for", "what is learned", lost], [[*map(escape, row)] for row in rows]


def _said(table: Table, train: Dataset) -> Iterator[str]:
    """What becomes of each column, and how much of it was missing or rare where it was trained."""
    start = 0
    for column in table.columns:
        end = start + len(column.places())
        parts = [column.said()]
        if column.gaps:
            parts.append(f"missing in {_share(float(train.x[:, end - 1].mean()))} of the rows")
        if column.kind == "category":
            rare = float(train.x[:, end - 1 - column.gaps].mean())
            parts += [f"other, rare words in {_share(rare)} of the rows"] if rare else []
        yield "; ".join(parts)
        start = end


def _losses(worth: Importances) -> Iterator[str]:
    """Mean and deviation of each column's."""
    of_classes = worth.measure == "accuracy"
    for mean, std in zip(worth.importances_mean, worth.importances_std, strict=True):
        yield f"{100 * mean:.1f} ± {100 * std:.1f} %" if of_classes else f"{mean:.3f} ± {std:.3f}"


def _share(value: float) -> str:
    """Per cent, of a share that may be none."""
    return "–" if np.isnan(value) else f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"
