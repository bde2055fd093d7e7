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
from fastbp.many import Job
from fastbp.models import KEYS
from fastbp.network import Sequential
from fastbp.recording import kept, recorded
from fastbp.training import History, fit

from .data import Asked
from .folds import checked_folds, cross_validated
from .result import Result, said
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
        See ``Result.figures``.
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
    plots: bool = True,
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
        How many networks are trained side by side, from seeds that follow each other, each as it
        would be alone; where they are several the model is an ``Ensemble``. Left out, five, of few
        rows ten, of very many fewer; of a ``model`` that is named one, of a run's config.toml as
        many as it had.
    cv : int, optional
        Cross-validate with so many parts first, with as many networks for each part;
        ``report["cv"]`` has what it found. The model that is returned is trained on all rows then,
        unless ``test`` or ``test_share`` is given.
    output : path, optional
        A new folder for all that the command leaves: settings, histories, model, pictures, page.
    plots : bool, default True
        Whether that folder gets pictures and page.
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
    >>> trained = fb.train("people.csv", "income", test_share=0.2)
    >>> trained.report["test"]["accuracy"]
    >>> trained.model.predict(frame)
    >>> trained.save("model.safetensors")
    """
    if isinstance(data, Sequential | Ensemble | Dataset):
        raise TypeError(f"train: expected a table, got {data!r:.60}; write fb.fit(net, x, y)")
    asked = Asked(label, test, test_share, values, classes, drop, category, number)
    task = task_of(data, asked, checked(settings), networks=ensemble, all_rows=cv is not None)
    if cv is not None:
        checked_folds(task, cv)
    if output is None:
        return _told(_train(task, cv, progress, threads))
    with runs.emptied(runs.named_folder(Path(output))) as folder:
        result = _train(task, cv, progress, threads, folder)
        if plots:
            result.write_page(folder)
        return _told(result)


def _train(
    task: Task, cv: int | None, progress: bool, threads: int | None, folder: Path | None = None
) -> Result:
    """Cross-validate and train; in a folder, if there is one."""
    crossed = None if cv is None else cross_validated(task, cv, threads)
    several = Several(task)
    if task.networks == 1:
        _train_one(task, several.jobs[0], progress, threads, folder)
    elif folder is None:
        several.fit(threads=threads)
    else:
        several.recorded(folder, threads=threads)
    return several.result(crossed)


def _told(result: Result) -> Trained:
    return Trained(result.model, result.figures, result.histories)


def _train_one(
    task: Task, job: Job, progress: bool, threads: int | None, folder: Path | None
) -> None:
    """By as many threads as are of use, which side by side would be one."""
    how = task.arguments() | {"history": job.history, "progress": progress}
    if folder is None:
        fit(job.net, task.train, **how, threads=threads)
    else:
        config = task.config()
        recorded(folder, job.net, task.train, kept(how, folder), config, threads=threads)


def checked(settings: Mapping[str, Any], who: str = "train") -> dict[str, Any]:
    """Settings whose names there are, those of single keys with values that they may have.

    ``who`` begins the messages.

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
            raise TypeError(f"{who}: there is no setting {name!r}{advice}")
    return {
        name: KEYS[name].setting.check(value, name, None) if name in KEYS else value
        for name, value in settings.items()
        if value is not None
    }
