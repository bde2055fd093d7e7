"""How good a model of a table is on rows whose label is known, beside guessing the same for all."""

from typing import Any

import numpy as np

from fastbp.datasets import Classes, Dataset, Values
from fastbp.ensemble import Ensemble
from fastbp.network import Sequential

from .unseen import Unseen


def measured(net: Sequential | Ensemble | Unseen, data: Dataset) -> dict[str, Any]:
    """Figures of a model with a Table, on samples that were made by it.

    Returns
    -------
    dict
        Of classes: ``accuracy``, ``balanced_accuracy`` (the mean recall of those that occur),
        ``auc`` where there are two, ``baseline`` (the accuracy of always saying the most frequent
        one) and ``classes`` with each one's samples, precision and recall. Of values ``r2``,
        ``mae`` and ``rmse`` in their unit, and both of ``baseline``, the mean that was trained on.
        What does not apply is NaN.
    """
    assert net.table is not None
    label = net.table.label
    if isinstance(label, Classes):
        predicted = net.predict(data)
        found = of_classes(data.y, predicted, len(label.names))
        for row, name in zip(found["classes"], label.names, strict=True):
            row["class"] = name
        if len(label.names) == 2:
            found["auc"] = area(data.y == 1, net.predict_proba(data)[:, 1])
        return found
    return of_values(label, label.decode(data.y), label.told(net.predict(data)))


def of_classes(y: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, Any]:
    """Of labels and predictions, both from 0."""
    matrix = np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes)
    right, samples, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore"):
        precision, recall = right / said, right / samples
    each = [
        {"class": c, "samples": int(samples[c]), "precision": float(precision[c])}
        | {"recall": float(recall[c])}
        for c in range(classes)
    ]
    return {
        "accuracy": float(right.sum() / len(y)),
        "balanced_accuracy": float(np.nanmean(recall)),
        "baseline": float(samples.max() / len(y)),
        "errors": int(len(y) - right.sum()),
        "classes": each,
        "confusion": matrix.tolist(),
    }


def of_values(label: Values, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Of values in their own unit."""
    spread = np.square(y - y.mean()).sum()
    errors, of_mean = predicted - y, label.mean - y
    return {
        "r2": float(1 - np.square(errors).sum() / spread) if spread else float("nan"),
        **_distances(errors),
        "baseline": _distances(of_mean),
    }


def _distances(errors: np.ndarray) -> dict[str, float]:
    return {"mae": float(np.abs(errors).mean()), "rmse": float(np.sqrt(np.square(errors).mean()))}


def area(yes: np.ndarray, score: np.ndarray) -> float:
    """The area under the ROC curve: how often a yes has the higher score; equal ones are half."""
    count = int(yes.sum())
    others = len(yes) - count
    if not count or not others:
        return float("nan")
    _, places, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[places]  # from 1; the mean of those that are equal
    return float((ranks[yes].sum() - count * (count + 1) / 2) / (count * others))
