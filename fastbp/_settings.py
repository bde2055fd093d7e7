"""Settings: attributes that are checked whenever they are set, by a constructor or later.

What is fixed decides the shapes of a network's arrays: it stays as it is once its layer is part of
a network. The others are numbers, which may change at any time and count from the next step on.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import as_array
from ._checks import as_count, as_flag, as_number, as_pair
from ._hints import meant

MOST = 2**31 - 1  # of the sizes that windows have: all of their products fit 64 bits


class Setting:
    """An attribute that is checked whenever it is set."""

    fixed = False
    name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> Any: ...

    def __set__(self, obj: Any, value: Any) -> None:
        checked = self.check(value, f"{type(obj).__name__} {self.name}", obj)
        bound = vars(obj).get("_bound")  # of a layer that is part of a network
        if bound is not None:
            if self.fixed and vars(obj).get(self.name) not in (None, checked):
                raise AttributeError(
                    f"{obj!r}.{self.name}: it is fixed, for the layer is part of a network, whose "
                    "arrays have their sizes; make a new layer and a new network"
                )
            bound.changed()
        vars(obj)[self.name] = checked

    def check(self, value: Any, name: str, obj: Any) -> Any:
        """The value as it is kept."""
        raise NotImplementedError


class Number(Setting):
    """A finite number within limits, as ``as_number`` has them; or None, if it may be."""

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> float: ...

    def __init__(
        self,
        *,
        above: float | None = None,
        least: float | None = None,
        below: float | None = None,
        most: float | None = None,
        none: bool = False,
    ) -> None:
        self.limits = {"above": above, "least": least, "below": below, "most": most}
        self.none = none

    def check(self, value: Any, name: str, obj: Any) -> float | None:
        """The value as a float."""
        if value is None and self.none:
            return None
        return as_number(value, name, **self.limits)


class Weights(Setting):
    """A number from 0 on, or one for each output, which nobody can change in place; or None."""

    def check(self, value: Any, name: str, obj: Any) -> float | np.ndarray | None:
        """The value as a float, or as a read-only array of them."""
        if value is None:
            return None
        if not isinstance(value, (list, tuple, np.ndarray)):
            return as_number(value, name, least=0)
        array = as_array(value, name)
        if array.ndim != 1 or array.dtype.kind not in "fiu" or not array.size:
            raise ValueError(f"{name}: expected a number or one for each output; got {value!r}")
        weights = np.array([as_number(each, name, least=0) for each in array])
        weights.flags.writeable = False
        return weights


class Count(Setting):
    """A whole number; or None, where somebody else may choose it when a network is made."""

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> int: ...

    def __init__(
        self, *, least: int = 1, below: int | None = None, fixed: bool = False, none: bool = False
    ) -> None:
        self.least, self.below, self.fixed, self.none = least, below, fixed, none

    def check(self, value: Any, name: str, obj: Any) -> int | None:
        """The value as an int."""
        if value is None and self.none and vars(obj).get("_bound") is None:
            return None
        count = as_count(value, name, least=self.least)
        if self.below is not None and count >= self.below:
            power = f"2**{self.below.bit_length() - 1}"
            raise ValueError(f"{name}: expected a number below {power}, got {value}")
        return count


class Pair(Setting):
    """A whole number for rows and columns alike, or two."""

    fixed = True

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def check(self, value: Any, name: str, obj: Any) -> int | tuple[int, int]:
        """One int where both are the same."""
        pair = as_pair(value, name, least=self.least)
        if max(pair) > MOST:
            raise ValueError(f"{name}: expected at most {MOST}, got {max(pair)}")
        return pair[0] if pair[0] == pair[1] else pair


class Padding(Pair):
    """A Pair from 0 on, or "same"; "valid" is another word for 0."""

    def __init__(self) -> None:
        super().__init__(least=0)

    def check(self, value: Any, name: str, obj: Any) -> Any:
        """One int where both are the same, or "same"."""
        if not isinstance(value, str):
            return super().check(value, name, obj)
        if value not in ("same", "valid"):
            raise ValueError(
                f"{name}: expected a whole number, two of them, 'same' or 'valid', got {value!r}"
            )
        return value if value == "same" else 0


class Flag(Setting):
    """True or False."""

    def __init__(self, *, fixed: bool = False) -> None:
        self.fixed = fixed

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> bool: ...

    def check(self, value: Any, name: str, obj: Any) -> bool:
        """The value as a bool."""
        return as_flag(value, name)


class Word(Setting):
    """One of a few words."""

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> str: ...

    def __init__(self, *words: str) -> None:
        self.words = words

    def check(self, value: Any, name: str, obj: Any) -> str:
        """The word itself."""
        if not isinstance(value, str) or value not in self.words:
            known = " or ".join(map(repr, self.words))
            raise ValueError(f"{name}: expected {known}, got {value!r}{meant(value, self.words)}")
        return str(value)
