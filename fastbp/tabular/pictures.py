"""The pictures of a model of a table: how good it is, what it makes of columns, how it was trained.

A model is whatever has ``table``, ``predict`` and ``predict_proba``: a network, or several as one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import plots
from fastbp.datasets import Classes, Dataset, Values
from fastbp.plots.judged import MOST_CURVES

from .importance import Importances, permutation_importance
from .unseen import Unseen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPEATS = 5  # of each column's shuffling
MOST_ROWS = 1000  # that are shuffled
ROWS = 10_000  # in all, of all columns, each time
MOST_COLUMNS = 200  # of more each would have too few


def of_judging(model: Any, test: Dataset) -> dict[str, Figure]:
    """Name -> figure: what is taken for what and how surely, or values beside predictions."""
    label = model.table.label
    if isinstance(label, Values):
        found = label.decode(test.y), label.told(model.predict(test))
        return {
            "true_by_predicted": plots.true_by_predicted(*found, name=label.name),
            "residuals": plots.residuals(*found, name=label.name),
        }
    return _of_classes(label, test.y, model.predict(test), model.predict_proba(test))


def _of_classes(
    label: Classes, y: np.ndarray, predicted: np.ndarray, chances: np.ndarray
) -> dict[str, Figure]:
    names = [*map(str, label.names)]
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, (y, predicted), 1)
    figures = {"confusion_matrix": plots.confusion_matrix(matrix, names)}
    if len(names) <= MOST_CURVES and len(np.unique(y)) > 1:
        figures["roc_curve"] = plots.roc_curve(y, chances, class_names=names)
    if len(names) == 2:
        right, chance, what = y == 1, chances[:, 1], names[1]
    else:
        right, chance, what = predicted == y, chances.max(axis=1), "the predicted class"
    chance = np.clip(chance, 0, 1)  # a softmax may be above 1 by a rounding
    return figures | {"calibration_curve": plots.calibration_curve(right, chance, what=what)}


def importances_of(model: Any, test: Dataset) -> Importances | None:
    """What columns are worth, on some of the rows; None where that says nothing or takes long.

    Of networks that kept back different rows, to each of them on its own.
    """
    columns = len(model.table.columns)
    if columns > MOST_COLUMNS:
        return None
    rows = min(ROWS // columns, MOST_ROWS)
    parts = [*model.parts()] if isinstance(model, Unseen) else [(model, test)]
    each = [
        permutation_importance(net, data, repeats=-(-REPEATS // len(parts)), most_rows=rows)
        for net, data in parts
    ]
    found = replace(
        each[0],
        score=float(np.mean([one.score for one in each])),
        importances=np.concatenate([one.importances for one in each], axis=1),
    )
    return found if np.isfinite(found.importances).all() else None


def of_importances(found: Importances) -> Figure:
    """The figure of them."""
    scale, measure = (100, "accuracy (%)") if found.measure == "accuracy" else (1, found.measure)
    return plots.importances(
        found.columns,
        scale * found.importances_mean,
        scale * found.importances_std,
        measure=measure,
    )


@contextmanager
def letters_may_lack() -> Iterator[None]:
    """No warning where Matplotlib's font lacks a letter of somebody's words."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield
