"""Cross-validation: each part of the rows tests what was trained on the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastbp._checks import as_count
from fastbp.datasets import Classes, Dataset, Table
from fastbp.many import fit_many

from .data import fit_to
from .measures import measured
from .several import jobs_of, raise_divergence
from .split import folds
from .task import Task, classes_of
from .unseen import together

FIGURES = ("accuracy", "balanced_accuracy", "auc", "r2", "mae", "rmse")


def cross_validated(task: Task, count: int, threads: int | None = None) -> dict[str, Any]:
    """How good models are that are trained like this on some of the rows, on the others.

    The rows that are trained on are shuffled by the model's seed and cut into so many parts, of
    each class alike. For each a Table is fitted to the rows of all others, which knows nothing of
    it but kinds of columns and names of classes, and as many networks as the task has are trained
    on them as they would be alone. All are trained side by side.

    Returns
    -------
    dict
        ``folds``, what ``measured`` found for each part, and ``rows``, ``mean`` and ``std``: the
        rows of each part, and of their figures the mean and the deviation. So have ``baseline``.

    Raises
    ------
    ValueError, TypeError
        If there are too few rows, of some class or in all.
    DivergenceError
        If a network diverges.
    """
    parts = checked_folds(task, count)
    tasks, tests = [], []
    for rows in parts:
        others = np.setdiff1d(np.arange(len(task.train)), rows)
        made = _table_of(task, others)
        tasks.append(task.on(_samples(task, made, others, "train")))
        tests.append(_samples(task, made, rows, "test"))
    jobs = [jobs_of(each) for each in tasks]
    fit_many([job for each in jobs for job in each], threads=threads)
    found = []
    for number, (each, own, test) in enumerate(zip(tasks, jobs, tests, strict=True), 1):
        raise_divergence(own, each, f"fold {number} of {count}: ")
        found.append({"samples": len(test)} | measured(together([job.net for job in own]), test))
    return {"folds": found, "rows": [rows.tolist() for rows in _of_frame(task, parts)]} | {
        name: _over(found, of) for name, of in (("mean", np.mean), ("std", np.std))
    }


def checked_folds(task: Task, count: int) -> list[np.ndarray]:
    """The rows of each part, from 0 among those that are trained on; or why there are too few."""
    count = as_count(count, "cv", least=2)
    classes, label = classes_of(task.train), task.prepared.table.label
    for number, rows in enumerate(np.bincount(classes)):
        if rows < count:
            of = f" of class {label.names[number]!r}" if isinstance(label, Classes) else ""
            there = "is only 1" if rows == 1 else f"are only {rows}"
            raise ValueError(f"cv: {count} parts need a row{of} each, but there {there}")
    return folds(classes, count, np.random.default_rng(task.model.seed))


def _table_of(task: Task, rows: np.ndarray) -> Table:
    """The Table of some of the rows that are trained on."""
    prepared = task.prepared
    made, asked = prepared.table, task.asked._replace(label=prepared.table.label.name)
    return fit_to(prepared.frame, prepared.rows[rows], asked, made.label, task.of_counts)


def _samples(task: Task, made: Table, rows: np.ndarray, part: str) -> Dataset:
    frame = task.prepared.frame.iloc[task.prepared.rows[rows]]
    return made.dataset(frame, f"{task.source} {part}")


def _of_frame(task: Task, parts: list[np.ndarray]) -> list[np.ndarray]:
    """Rows as the table has them."""
    index = task.prepared.frame.index.to_numpy()
    return [np.sort(index[task.prepared.rows[rows]]) for rows in parts]


def _over(found: list[dict[str, Any]], of: Any) -> dict[str, Any]:
    """A figure of all parts' figures, and of the baseline's."""
    figures: dict[str, Any] = {
        name: float(of([each[name] for each in found])) for name in FIGURES if name in found[0]
    }
    baselines = [each["baseline"] for each in found]
    if isinstance(baselines[0], dict):
        figures["baseline"] = {
            name: float(of([each[name] for each in baselines])) for name in baselines[0]
        }
    else:
        figures["baseline"] = float(of(baselines))
    return figures
