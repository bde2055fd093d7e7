"""Functions that users wrote, called as they stand where nothing compiles them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from fastbp.kernels._rebind import rebind


def as_function(function: Any, what: str, arguments: tuple[str, ...]) -> FunctionType:
    """A plain function of so many arguments; what Numba compiled is taken back."""
    function = getattr(function, "py_func", function)
    wanted = f"({', '.join(arguments)})"
    if not isinstance(function, FunctionType):
        raise TypeError(f"{what}: expected a function {wanted}, got {function!r}")
    code = function.__code__
    if code.co_argcount != len(arguments) or code.co_kwonlyargcount or code.co_flags & 0x0C:
        raise TypeError(f"{what} {function.__name__}: expected a function of {wanted} alone")
    return function


class Plain:
    """Calls a user's functions as they stand, whole arrays at once where they can take them."""

    def __init__(self, value: Callable[..., Any], slope: Callable[..., Any]) -> None:
        self.value, self.slope = value, slope

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """y = value(x)."""
        y[...] = each(self.value, x)

    def backward(self, x: np.ndarray, y: np.ndarray, dy: np.ndarray, dx: np.ndarray) -> None:
        """dx = dy ∘ slope(x, y)."""
        np.multiply(dy, each(self.slope, x, y), out=dx)

    def row(self, x: np.ndarray, target: Any, dx: np.ndarray) -> float:
        """A loss of one row, which also fills dx."""
        with np.errstate(all="ignore"):
            self.slope(x, target, dx)
            return float(self.value(x, target))


def each(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """The function of every element: of the arrays, or one by one where it cannot take those."""
    with np.errstate(all="ignore"):  # as in machine code
        try:
            result = np.asarray(function(*(array.copy() for array in arrays)))
            if result.dtype.kind in "fiub" and result.shape in ((), arrays[0].shape):
                return np.broadcast_to(result, arrays[0].shape)
        except (TypeError, ValueError):  # e.g. `if x > 0`, of which an array has no one answer
            pass
        rows = zip(*(array.astype(np.float64).ravel() for array in arrays), strict=True)
        return np.array([function(*row) for row in rows], np.float64).reshape(arrays[0].shape)


def on_arrays(function: Any) -> FunctionType:
    """A user's function with NumPy's exp for math's, and so on: they take arrays and overflow."""
    both = [name for name in dir(math) if isinstance(getattr(np, name, None), np.ufunc)]
    replace: dict[Any, Any] = {getattr(math, name): getattr(np, name) for name in both}
    replace[math] = ModuleType("math")
    vars(replace[math]).update(vars(math), **{name: getattr(np, name) for name in both})
    return rebind(function, replace)
