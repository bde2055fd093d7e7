"""What all schedules share: settings, what they may watch, and what fit asks of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastbp._checks import as_number
from fastbp._hints import Guessed

__all__ = ["Schedule", "Span"]

State = dict[str, float]


class Span(NamedTuple):
    """How long a run is: what lengths in epochs are counted by.

    Examples
    --------
    >>> fb.schedules.Span(steps_per_epoch=100, steps=2000)
    Span(steps_per_epoch=100, steps=2000)
    """

    steps_per_epoch: int
    steps: int  # of the whole run, all of its epochs


class Schedule(Guessed):
    """What the optimiser's rate is multiplied by, step by step.

    A schedule remembers nothing itself: what it has seen of a run is the run's state, which ``fit``
    keeps and hands to it. So one serves any number of runs, also at the same time. For one of your
    own override ``factors``, or give ``fit`` a function of the step.

    Attributes
    ----------
    monitor : str or None
        The column of the history that it watches, if it does.

    Examples
    --------
    >>> class Sawtooth(fb.schedules.Schedule):
    ...     def factors(self, steps, span, state):
    ...         return 1 - (steps % span.steps_per_epoch) / span.steps_per_epoch
    >>> history = fb.fit(net, x, y, epochs=2, batch_size=15, schedule=Sawtooth())
    >>> history.lr_by_iteration / history.lr_by_iteration[0]
    array([1.  , 0.75, 0.5 , 0.25, 1.  , 0.75, 0.5 , 0.25])
    """

    name: ClassVar[str] = ""  # on the command line and in models
    monitor: Any = None

    def start(self) -> State:
        """What is known before the first epoch."""
        return {}

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """Factors (steps,) float64 of ``optimizer.lr`` for steps of the run, counted from 0."""
        raise NotImplementedError

    def watched(self, state: State, value: float) -> State:
        """The state after an epoch that brought the monitored column to a value; NaN is none."""
        return state

    @property
    def settings(self) -> dict[str, Any]:
        """Those that are not as they come, by the constructor's names."""
        parameters = inspect.signature(type(self)).parameters.values()
        found = {p.name: (getattr(self, p.name), p.default) for p in parameters}
        return {name: value for name, (value, default) in found.items() if value != default}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({settings})"


class OfSteps(Schedule):
    """A function of the step, counted from 0 over the whole run, which gives the factor."""

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """What the function says, called once a step."""
        return np.array([self._factor(int(step)) for step in steps], np.float64)

    def _factor(self, step: int) -> float:
        factor = self.function(step)
        try:
            return float(factor)
        except (TypeError, ValueError):
            raise TypeError(
                f"{self!r}: expected a number as the factor of step {step}, got {factor!r:.60}"
            ) from None

    def __repr__(self) -> str:
        return f"schedule {getattr(self.function, '__qualname__', repr(self.function))}"


def checked_factors(schedule: Schedule, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
    """The factors of a schedule, if they are such.

    Raises
    ------
    ValueError
        If they are not as many as steps, or one is negative, NaN or infinite.
    """
    with np.errstate(all="ignore"):  # what comes of it is said below
        factors = np.ascontiguousarray(schedule.factors(steps, span, state), np.float64)
    if factors.shape != steps.shape:
        raise ValueError(
            f"{schedule!r}: expected factors of shape {steps.shape}, one a step; "
            f"got {factors.shape}"
        )
    wrong = np.flatnonzero(~(np.isfinite(factors) & (factors >= 0)))
    if wrong.size:
        as_number(factors[wrong[0]], f"{schedule!r}: factor of step {steps[wrong[0]]}", least=0)
    return factors
