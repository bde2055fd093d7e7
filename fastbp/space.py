"""What ``fb.search`` draws settings from, by the names that NumPy, SciPy and Ray have for it.

>>> space = {
...     "lr": fb.space.loguniform(1e-4, 1e-1),
...     "hidden": [(32,), (64, 32)],  # a list is what to choose from
...     "batch_size": fb.space.lograndint(16, 257),
... }

A distribution of ``scipy.stats`` is taken too, and a table of one name, ``{"loguniform": [1e-4,
1e-1]}``, as files have it. What is no list is fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ._checks import as_count, as_number

__all__ = ["choice", "lograndint", "loguniform", "randint", "uniform"]

Space = dict[str, "Distribution"]


class Distribution(Protocol):
    """What one setting is drawn from."""

    def draw(self, rng: np.random.Generator) -> Any:
        """A value, of Python's own kinds where it is a number."""


@dataclass(frozen=True)
class Range:
    """Numbers of a range: from ``low`` on, below ``high``."""

    name: str  # of the function that makes it
    low: float
    high: float

    @property
    def is_log(self) -> bool:
        """Whether equal ratios, not equal differences, are equally likely."""
        return self.name.startswith("log")

    @property
    def is_whole(self) -> bool:
        """Whether numbers are whole."""
        return self.name.endswith("randint")

    def draw(self, rng: np.random.Generator) -> float:
        """A number."""
        if self.name == "randint":
            return int(rng.integers(int(self.low), int(self.high)))
        if not self.is_log:
            return float(rng.uniform(self.low, self.high))
        found = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        found = min(max(found, self.low), self.high)  # but for rounding it is there
        return min(int(found), int(self.high) - 1) if self.is_whole else found

    def __repr__(self) -> str:
        return f"{self.name}({self.low!r}, {self.high!r})"


@dataclass(frozen=True)
class Choice:
    """One of some values, each as likely as another."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """One of them."""
        return self.values[int(rng.integers(len(self.values)))]

    def __repr__(self) -> str:
        return f"choice({[*self.values]!r})"


@dataclass(frozen=True)
class Foreign:
    """A distribution of SciPy's, or of whoever else has ``rvs``."""

    distribution: Any

    def draw(self, rng: np.random.Generator) -> Any:
        """A number, from SciPy's own generators of numbers."""
        found = self.distribution.rvs(random_state=rng)
        return found.item() if isinstance(found, np.generic | np.ndarray) else found

    def __repr__(self) -> str:
        kind = getattr(getattr(self.distribution, "dist", None), "name", None)
        numbers = getattr(self.distribution, "args", ()), getattr(self.distribution, "kwds", {})
        return f"{kind}{numbers}" if kind else repr(self.distribution)


def uniform(low: float, high: float) -> Range:
    """Numbers from ``low`` to ``high``, each as likely as another.

    Examples
    --------
    >>> fb.space.uniform(0, 0.5)
    uniform(0.0, 0.5)
    """
    return _range("uniform", low, high)


def loguniform(low: float, high: float) -> Range:
    """Numbers from ``low`` to ``high``, above 0, whose logarithms are each as likely as another.

    Examples
    --------
    >>> found = fb.search({"lr": fb.space.loguniform(1e-3, 0.1)}, x, y, n_trials=2, epochs=1)
    >>> 1e-3 <= found.best_params["lr"] <= 0.1
    True
    """
    return _range("loguniform", low, high)


def randint(low: int, high: int) -> Range:
    """Whole numbers from ``low`` on, below ``high``, as NumPy's and SciPy's.

    Examples
    --------
    >>> fb.space.randint(1, 9)
    randint(1, 9)
    """
    return _range("randint", low, high)


def lograndint(low: int, high: int) -> Range:
    """Whole numbers from ``low`` on, above 0, below ``high``: as of ``loguniform``, cut down.

    Examples
    --------
    >>> fb.space.lograndint(16, 257)
    lograndint(16, 257)
    """
    return _range("lograndint", low, high)


def choice(values: Iterable[Any]) -> Choice:
    """One of some values; a list as it is means the same.

    Examples
    --------
    >>> fb.space.choice(["relu", "tanh"])
    choice(['relu', 'tanh'])
    """
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise TypeError(f"choice: expected a list of values, got {values!r:.60}")
    found = values.tolist() if isinstance(values, np.ndarray) else [*values]
    if not found:
        raise ValueError("choice: expected at least one value, got none")
    return Choice(tuple(found))


BY_NAME: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (choice, lograndint, loguniform, randint, uniform)
}


def _range(name: str, low: Any, high: Any) -> Range:
    if name.endswith("randint"):
        first, end = (as_count(each, name, least=-(2**63)) for each in (low, high))
        found = Range(name, first, end)
    else:
        found = Range(name, as_number(low, f"{name} low"), as_number(high, f"{name} high"))
    if found.is_log and found.low <= 0:
        raise ValueError(f"{name}: expected a low above 0, got {low}")
    if found.low >= found.high:
        raise ValueError(f"{name}: expected low below high, got {low} and {high}")
    return found


def as_space(space: Any) -> Space:
    """What each setting is drawn from, by its name.

    Raises
    ------
    TypeError, ValueError
        If it is no mapping of names, or says nothing, or a range is none; the message has the name.
    """
    if not isinstance(space, Mapping):
        raise TypeError(
            f"search space: expected a dict of settings, got {type(space).__name__}; write "
            '{"lr": fb.space.loguniform(1e-4, 0.1)}'
        )
    if not space:
        raise ValueError("search space: expected at least one setting, got none")
    return {_name(name): _distribution(name, value) for name, value in space.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"search space: expected names of settings, got {name!r:.60}")
    return name


def _distribution(name: str, value: Any) -> Distribution:
    if isinstance(value, Range | Choice):
        return value
    if hasattr(value, "rvs"):
        return Foreign(value)
    try:
        if isinstance(value, Mapping):
            return _from_table(value)
        if isinstance(value, list | tuple | range | np.ndarray | set | frozenset):
            return choice(sorted(value) if isinstance(value, set | frozenset) else value)
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"search space: {name}: {problem}") from None
    return Choice((value,))


def _from_table(table: Mapping[str, Any]) -> Any:
    """As files have it: {loguniform = [0.001, 0.1]}."""
    known = ", ".join(BY_NAME)
    if len(table) != 1 or next(iter(table)) not in BY_NAME:
        raise ValueError(f"expected a table of one name, of {known}; got {dict(table)!r:.60}")
    ((kind, numbers),) = table.items()
    if not isinstance(numbers, list | tuple):
        raise TypeError(f"{kind}: expected a list, got {numbers!r:.60}")
    if kind == "choice":
        return choice(numbers)
    if len(numbers) != 2:
        raise ValueError(f"{kind}: expected [low, high], got {numbers!r:.60}")
    return BY_NAME[kind](*numbers)


def size_of(space: Space) -> int | None:
    """How many settings there are; None where they have no end."""
    if not all(isinstance(each, Choice) for each in space.values()):
        return None
    return math.prod(len(each.values) for each in space.values() if isinstance(each, Choice))


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Every setting once, those of the last name changing fastest.

    Raises
    ------
    ValueError
        If some name is drawn from what has no end.
    """
    for name, each in space.items():
        if not isinstance(each, Choice):
            raise ValueError(
                f"search method 'grid': expected a list of values as {name}, got {each!r}; take "
                "method='random', or name the values"
            )
    values = [each.values for each in space.values() if isinstance(each, Choice)]
    for chosen in itertools.product(*values):
        yield dict(zip(space, chosen, strict=True))


def drawn(space: Space, seed: int, number: int) -> dict[str, Any]:
    """The settings of that number, which depend on nothing but space, seed and number."""
    rng = np.random.default_rng([seed, number])
    return {name: each.draw(rng) for name, each in space.items()}
