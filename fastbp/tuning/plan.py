"""Which settings are tried, and how long each is trained before the poor ones are stopped."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from fastbp._checks import as_count, as_number
from fastbp.space import Space, drawn, grid, size_of

METHODS = ("random", "grid", "halving")
TRIALS = 20  # where nobody says
MOST_TRIALS = 100_000
REPEATED = 1000  # settings in a row, that were drawn before, after which there are no others


class Rung(NamedTuple):
    """How many trials go on, and up to which share of their epochs."""

    trials: int
    share: float

    def until(self, epochs: int) -> int:
        """The last of so many epochs."""
        return max(1, round(self.share * epochs))


def settings_of(space: Space, method: str, n_trials: int | None, seed: int) -> list[dict[str, Any]]:
    """The settings of each trial.

    Raises
    ------
    ValueError, TypeError
        If there is no such method, or the space has no such settings.
    """
    if method not in METHODS:
        raise ValueError(f"search method: expected one of {', '.join(METHODS)}; got {method!r}")
    if method == "grid":
        if n_trials is not None:
            raise ValueError("search: n_trials does not go with method='grid', which tries all")
        return _bounded(space)
    count = TRIALS if n_trials is None else as_count(n_trials, "search n_trials")
    if count > MOST_TRIALS:
        raise ValueError(f"search n_trials: expected at most {MOST_TRIALS:,}, got {count:,}")
    size = size_of(space)
    return [*grid(space)] if size is not None and size <= count else _different(space, count, seed)


def _bounded(space: Space) -> list[dict[str, Any]]:
    size = size_of(space)
    if size is not None and size > MOST_TRIALS:
        raise ValueError(
            f"search: the grid has {size:,} settings, at most {MOST_TRIALS:,} are tried; take "
            "method='random'"
        )
    return [*grid(space)]


def _different(space: Space, count: int, seed: int) -> list[dict[str, Any]]:
    """As many settings as are asked for, none twice; more of them begin with the same."""
    found: dict[str, dict[str, Any]] = {}
    number = missed = 0
    while len(found) < count and missed < REPEATED:
        params = drawn(space, seed, number)
        key = json.dumps(params, default=repr)
        missed = missed + 1 if key in found else 0
        found.setdefault(key, params)
        number += 1
    return [*found.values()]


def rungs(method: str, trials: int, epochs: int, factor: float, min_epochs: int) -> list[Rung]:
    """One for all that is trained to its end; of halving from few epochs to all.

    Each has 1/factor of the trials of the one before, which are trained for factor times as many
    epochs: successive halving (Jamieson and Talwalkar 2016, Non-stochastic Best Arm
    Identification and Hyperparameter Optimization).
    """
    if method != "halving":
        return [Rung(trials, 1.0)]
    factor = as_number(factor, "search factor", above=1)
    least = as_count(min_epochs, "search min_epochs")
    if least > epochs:
        raise ValueError(f"search min_epochs: expected at most the {epochs} epochs, got {least}")
    last = math.floor(min(math.log(trials, factor), math.log(epochs / least, factor)) + 1e-9)
    return [
        Rung(max(1, math.floor(trials / factor**place + 1e-9)), factor ** (place - last))
        for place in range(last + 1)
    ]
