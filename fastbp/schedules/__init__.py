"""Schedules: what the learning rate is multiplied by, in each step of a run.

``optimizer.lr`` itself stays as it is set, and may be changed at any time: the factor comes on top,
of everything that the rate scales. Lengths are in epochs and may be fractions; after t epochs the
numbers are those that PyTorch has after t of its steps.

Whatever a module names in its ``__all__`` is there: a new schedule is a class in one of them.

>>> fb.fit(net, train, validation=0.1, epochs=20, schedule=fb.schedules.Cosine(warm_up=2))
>>> fb.fit(net, train, validation=0.1, schedule=fb.schedules.ReduceOnPlateau(patience=3))
>>> fb.fit(net, train, schedule=lambda step: 1 / (1 + 0.001 * step))
"""

import inspect
from typing import TYPE_CHECKING, Any

from fastbp._hints import meant, missing

from .base import *
from .base import OfSteps, Schedule, Span
from .base import checked_factors as checked_factors
from .by_progress import *
from .by_progress import rises as rises
from .by_step import *

# By the names that text has for them.
SCHEDULES: dict[str, type[Schedule]] = {
    value.name: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Schedule) and value.name
}

__all__ = ["SCHEDULES", "Schedule", "Span", *(kind.__name__ for kind in SCHEDULES.values())]


def as_schedule(schedule: Any) -> Schedule | None:
    """A schedule, from itself, its name, or a function of the step; None of None.

    Raises
    ------
    TypeError
        If it is none of these, or a name of one that must be told more.
    ValueError
        If no schedule has that name.
    """
    if schedule is None or isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            hint = meant(schedule, SCHEDULES)
            raise ValueError(f"schedule: expected one of {known}; got {schedule!r}{hint}")
        return _by_name(SCHEDULES[schedule])
    if isinstance(schedule, type) or not callable(schedule):
        example = f"{schedule.__name__}(...)" if _is_schedule(schedule) else "Cosine(warm_up=2)"
        raise TypeError(
            f"schedule: expected an object such as fb.schedules.{example}, a name "
            f"({', '.join(SCHEDULES)}) or a function step -> factor; got {schedule!r:.60}"
        )
    return OfSteps(schedule)


def _is_schedule(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Schedule)


def _by_name(kind: type[Schedule]) -> Schedule:
    parameters = inspect.signature(kind).parameters.values()
    needed = [f"{p.name}=..." for p in parameters if p.default is p.empty]
    if needed:
        raise TypeError(
            f"schedule {kind.name!r}: it must be told more; "
            f"write fb.schedules.{kind.__name__}({', '.join(needed)})"
        )
    return kind()


if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.schedules")
