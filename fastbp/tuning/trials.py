"""A trial: settings, and what a network that is trained by them comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastbp import outcome
from fastbp.training import History

WAITING, FINISHED, STOPPED, FAILED = "waiting", "finished", "stopped", "failed"


@dataclass
class Trial:
    """Settings, and what a network that is trained by them comes to.

    Attributes
    ----------
    number : int
        From 0, in the order in which they were drawn.
    params : dict
        What was drawn.
    state : str
        "waiting", "finished", "stopped" where halving stopped it before its last epoch, or
        "failed", of which ``error`` says how.
    metric, score : str, float
        The history's column that tells how good it is, and what it has of the network that is kept;
        NaN where there is none.
    epochs, seconds : int, float
        That it was trained for, without evaluation.
    rung : int
        Of halving, how often it went on.
    """

    number: int
    params: dict[str, Any]
    state: str = WAITING
    metric: str = ""
    score: float = math.nan
    epochs: int = 0
    seconds: float = 0.0
    rung: int = 0
    error: str = ""

    @property
    def value(self) -> float:
        """The score."""
        return self.score

    def row(self) -> dict[str, Any]:
        """A row of the table of results."""
        figures = {self.metric: self.score, "epochs": self.epochs, "seconds": self.seconds}
        return {"trial": self.number, **self.params, **figures, "state": self.state} | {
            "error": self.error
        }

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={shown(value)}" for name, value in self.params.items())
        if self.state == FAILED:
            return f"Trial {self.number} ({params}): failed, {self.error}"
        found = f"{self.metric} {self.score:.6g} after {self.epochs} epochs"
        said = f", {self.state}" if self.state != FINISHED else ""
        return f"Trial {self.number} ({params}): {found}{said}"


def shown(value: Any) -> str:
    """A setting in few letters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def score_of(history: History, metric: str) -> float:
    """What the column says of the network that is kept; of epochs without it, what it said last.

    Raises
    ------
    ValueError
        If it never said anything.
    """
    if metric not in history.columns:
        known = ", ".join(history.columns[1:])
        raise ValueError(f"search metric: expected one of {known}; got {metric!r}")
    kept = outcome.kept(history)
    found = [value for value in (*history[metric], kept[metric]) if not math.isnan(value)]
    if not found:
        raise ValueError(f"search metric: no epoch has a {metric}")
    return float(found[-1])


def best_first(trials: list[Trial], rises: bool) -> list[Trial]:
    """Those that did not fail, the best first; of equals, the one that was drawn first."""
    good = [trial for trial in trials if not math.isnan(trial.score)]
    return sorted(good, key=lambda trial: (-trial.score if rises else trial.score, trial.number))
