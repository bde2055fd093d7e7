"""A user's function, with other functions in place of some that it names."""

from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any


def rebind(
    function: FunctionType,
    replace: dict[Any, Any],
    wrap: Callable[[FunctionType], Any] = lambda function: function,
) -> FunctionType:
    """A copy of a function that finds ``replace[value]`` where it names a value.

    Plain functions that it names are copied too, and wrapped.
    """
    return _Rebinding(replace, wrap).copy(function)


class _Rebinding:
    """Remembers what was copied, because functions may name each other."""

    def __init__(self, replace: dict[Any, Any], wrap: Callable[[FunctionType], Any]) -> None:
        self.replace, self.wrap = replace, wrap
        self.wrapped: dict[FunctionType, Any] = {}

    def copy(self, function: FunctionType) -> FunctionType:
        space = dict(function.__globals__)
        cells = tuple(CellType() for _ in function.__closure__ or ())
        copy = FunctionType(
            function.__code__, space, function.__name__, function.__defaults__, cells
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        self.wrapped[function] = self.wrap(copy)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = self._value(original.cell_contents)
        for name in _names_in(function.__code__) & space.keys():
            space[name] = self._value(space[name])
        return copy

    def _value(self, value: Any) -> Any:
        if isinstance(value, FunctionType):
            if value not in self.wrapped:
                self.copy(value)
            return self.wrapped[value]
        try:
            return self.replace.get(value, value)
        except TypeError:  # not hashable, so nothing that is replaced
            return value


def _names_in(code: CodeType) -> set[str]:
    """The names that a function uses, and those of functions within it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
