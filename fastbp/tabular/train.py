"""``fb.train``: from a table to a model of it, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastbp import models, runs
from fastbp._files import StrPath
from fastbp._hints import nearest
from fastbp.datasets import Dataset
from fastbp.ensemble import Ensemble
from fastbp.models import KEYS
from fastbp.network import Sequential
from fastbp.training import History, fit

from .data import Asked
from .folds import cross_validated
from .measures import measured
from .several import Several
from .task import Task, task_of


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """What ``fb.train`` came to.

    Attributes
    ----------
    model : Sequential or Ensemble
        With its Table: ``model.predict(frame)`` gives classes' names, or values in their unit.
    report : dict
        See ``report_of``.
    histories : list of History
        One for each network.
    """

    model: Any
    report: dict[str, Any]
    histories: list[History]

    @property
    def history(self) -> History:
        """How the training went; of several networks, that of the first."""
        return self.histories[0]

    def save(self, path: StrPath) -> None:
        """Write the model to a .safetensors file, which ``fb.load`` reads."""
        self.model.save(path)

    def __repr__(self) -> str:
        judged = next((part for part in ("test", "validation", "cv") if part in self.report), "")
        lines = [f"Trained({self.model!r:.200}, {len(self.history)} epochs)"]
        if judged:
            found = self.report[judged]
            lines.append(f"  {judged}: {said(found.get('mean', found))}")
        return "\n".join(lines)


def said(found: Mapping[str, Any]) -> str:
    """The figures of ``measured`` in a line, beside the baseline."""
    if "accuracy" in found:
        return (
            f"accuracy {100 * found['accuracy']:.2f} % "
            f"(most frequent class {100 * found['baseline']:.2f} %), "
            f"balanced {100 * found['balanced_accuracy']:.2f} %"
        )
    return f"R² {found['r2']:.4f}, MAE {found['mae']:.6g} (the mean {found['baseline']['mae']:.6g})"


def train(
    data: Any,
    label: str | int | None = None,
    *,
    test: Any = None,
    test_share: float | None = None,
    values: bool | None = None,
    classes: int | None = None,
    drop: Any = (),
    category: Any = (),
    number: Any = (),
    ensemble: int | None = None,
    cv: int | None = None,
    output: StrPath | None = None,
    progress: bool = False,
    threads: int | None = None,
    **settings: Any,
) -> Trained:
    """Train a model of a table: ``python -m fastbp train`` as one call, with the same numbers.

    Parameters
    ----------
    data : path, DataFrame, or mapping of columns
        As ``fb.datasets.table`` takes them.
    label : str or int, optional
        The column to predict; default: the one that is called label, class, target, y or so.
    test : path or DataFrame, optional
        Another table to test with. Left out, a seventh of the rows, of each class alike.
    test_share : float, optional
        Another share of the rows to test with.
    values : bool, optional
        Whether the label are values, or, if False, classes; left out, as it looks.
    classes : int, optional
        How many classes are expected.
    drop, category, number : column or list of columns, optional
        Those that are left out, taken as words, or taken as numbers.
    ensemble : int, optional
        How many networks are trained side by side, from seeds that follow each other; where they
        are several the model is an ``Ensemble``. Left out, one. One share of the rows judges the
        epochs of all.
    cv : int, optional
        Cross-validate with so many parts first; ``report["cv"]`` has what it found. The model that
        is returned is trained on all rows then, unless ``test`` or ``test_share`` is given.
    output : path, optional
        A new folder for the run: settings, histories and model.
    progress : bool, default False
        Show how the training goes; of one network.
    threads : int, optional
        How many threads train: of several networks one each.
    **settings
        What model, and how it is trained, by the names of the command's options: ``model``,
        ``hidden``, ``activation``, ``epochs``, ``batch_size``, ``optimizer``, ``lr``, ``loss``,
        ``schedule``, ``validation``, ``early_stopping``, ``seed``, ``dtype`` and the others. What
        is left out is chosen by the table.

    Returns
    -------
    Trained
        ``model``, ``report``, ``history``.

    Raises
    ------
    ValueError, TypeError, OSError
        If the table cannot be read or learned from, or a setting does not fit.
    DivergenceError
        If a network diverges.

    Examples
    --------
    >>> trained = fb.train("people.csv", "income", ensemble=5)
    >>> trained.report["test"]["accuracy"]
    >>> trained.model.predict(new_people)
    >>> trained.save("model.safetensors")
    """
    if isinstance(data, Sequential | Ensemble | Dataset):
        raise TypeError(f"train: expected a table, got {data!r:.60}; write fb.fit(net, x, y)")
    asked = Asked(label, test, test_share, values, classes, drop, category, number)
    task = task_of(data, asked, checked(settings), networks=ensemble, all_rows=cv is not None)
    if output is None:
        return _train(task, cv, progress, threads)
    with runs.emptied(runs.named_folder(Path(output))) as folder:
        trained = _train(task, cv, progress, threads)
        runs.write(folder, trained.model, trained.histories, task.config())
    return trained


def _train(task: Task, cv: int | None, progress: bool, threads: int | None) -> Trained:
    crossed = None if cv is None else cross_validated(task, cv, threads)
    if task.networks > 1:
        several = Several(task)
        several.fit(threads=threads)
        model: Sequential | Ensemble = several.together()
        histories = [job.history for job in several.jobs]
    else:
        model = task.build()[0]
        how = task.arguments() | {"progress": progress, "threads": threads}
        histories = [fit(model, task.train, **how)]
    return Trained(model, report_of(task, model, histories, crossed), histories)


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose names there are, those of single keys with values that they may have.

    Raises
    ------
    TypeError, ValueError
        If there is no such setting, or it cannot have that value.
    """
    known = models.known_settings()
    for name in settings:
        if name not in known:
            near = nearest(name, known)
            advice = f"; did you mean {near!r}?" if near else f"; it has {', '.join(known)}"
            raise TypeError(f"train: there is no setting {name!r}{advice}")
    return {
        name: KEYS[name].setting.check(value, name, None) if name in KEYS else value
        for name, value in settings.items()
        if value is not None
    }


def report_of(
    task: Task,
    model: Sequential | Ensemble,
    histories: list[History],
    crossed: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What a training came to, as figures that JSON has.

    Returns
    -------
    dict
        ``rows`` that were trained on, ``networks`` and ``seeds``; of each network ``epochs``,
        ``seconds`` and why it ``stopped``. ``test`` and ``validation`` are what
        ``fastbp.tabular.measures.measured`` finds for those rows, where there are any, and ``cv``
        what ``cross_validated`` found.
    """
    found: dict[str, Any] = {
        "rows": len(task.train),
        "networks": task.networks,
        "seeds": task.seeds,
        "epochs": [len(history) for history in histories],
        "seconds": [history.seconds for history in histories],
        "stopped": [history.stopped for history in histories],
    }
    if task.test is not None:
        found["test"] = measured(model, task.test)
    if (judge := task.validation()) is not None:
        found["validation"] = measured(model, judge)
    return found if crossed is None else found | {"cv": crossed}
