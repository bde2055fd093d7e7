"""What a search came to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastbp._above import Above
from fastbp._counted import counted
from fastbp._files import StrPath, write_rows
from fastbp._hints import Guessed
from fastbp.network import Sequential
from fastbp.pages import notebook
from fastbp.space import Range, Space

from .store import Store
from .trials import FAILED, Trial, best_first, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED = 10  # trials, at most, that a notebook lists


class Found(Guessed):
    """What a search came to.

    Attributes
    ----------
    trials : list of Trial
        In the order in which they were drawn.
    metric : str
        The history's column that tells how good they are.
    folder : Path or None
        Where it is kept.
    """

    def __init__(self, trials: list[Trial], rises: bool, store: Store, space: Space) -> None:
        self.trials, self.rises, self.store, self.space = trials, rises, store, space
        self.metric = trials[0].metric

    @property
    def folder(self) -> Path:
        """Where it is kept; one for the time being goes with this object."""
        return self.store.folder

    @property
    def best_trial(self) -> Trial:
        """That of the best score, of those that were not stopped; of equals the first."""
        return self.ranked()[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """The settings of the best trial."""
        return dict(self.best_trial.params)

    @property
    def best_score(self) -> float:
        """The score of the best trial."""
        return self.best_trial.score

    @cached_property
    def best_model(self) -> Sequential:
        """The network of the best trial."""
        return self.model(self.best_trial)

    def model(self, trial: Trial | int) -> Sequential:
        """The network of a trial, or of its number, as its training left it.

        Raises
        ------
        ValueError
            If it failed.
        """
        trial = self.trials[trial] if isinstance(trial, int) else trial
        if trial.state == FAILED:
            raise ValueError(f"search: trial {trial.number} failed: {trial.error}")
        return self.store.model(trial)

    def ranked(self) -> list[Trial]:
        """Trials from the best on: those that were trained longest come first."""
        furthest = {trial.rung for trial in self.trials}
        return [
            trial
            for rung in sorted(furthest, reverse=True)
            for trial in best_first([t for t in self.trials if t.rung == rung], self.rises)
        ]

    def rows(self) -> list[dict[str, Any]]:
        """The table of results, one row a trial, in the order of ``trials``."""
        return [trial.row() for trial in self.trials]

    def to_dataframe(self) -> Any:
        """The same as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.rows())

    def to_csv(self, path: StrPath) -> None:
        """Write the same."""
        rows = self.rows()
        write_rows(path, [*rows[0]], rows)

    def plot(self) -> Figure:
        """Draw the score by each setting that was varied.

        Raises
        ------
        ValueError
            If no trial has a score.
        """
        names = [
            name for name in self.space if len({repr(t.params[name]) for t in self.trials}) > 1
        ]
        names = names or [*self.space]
        logs = [name for name in names if isinstance(one := self.space[name], Range) and one.is_log]
        figure: Figure = Above.plots().scores_by_parameter(
            {name: [trial.params[name] for trial in self.trials] for name in names},
            [trial.score for trial in self.trials],
            metric=self.metric,
            epochs=[trial.epochs for trial in self.trials],
            best=self.best_trial.number,
            log=logs,
        )
        return figure

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __repr__(self) -> str:
        return f"Found({counted(len(self), 'trial')}; the best is {self.best_trial!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the best trials."""
        rows = [trial.row() for trial in self.ranked()[:LISTED]]
        columns = [name for name in rows[0] if name != "error"]
        body = [[shown(row[name]) for name in columns] for row in rows]
        return notebook.shown(repr(self), notebook.tabled(columns, body))
