"""Activations that users write."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.derivatives import compare, derivatives
from fastbp.kernels.numbers import Kind
from fastbp.layers import Layer, as_rows

from .defined import STEP, TOLERANCE, Defined, GradientError, names
from .functions import as_function, each, on_arrays

DEFINED: dict[str, type[UserActivation]] = {}  # by name, for loading
PROBES = (-2.5, -0.75, 0.3, 1.2, 4.0)  # where a saved network remembers an activation's values
POINTS = np.linspace(-6.03, 6.01, 121)  # where a gradient is checked


def activation(function: Callable[[float], float]) -> type[UserActivation]:
    """Define an activation by its value, a function of one number.

    Parameters
    ----------
    function : callable
        ``y = function(x)`` for one number x. It may use ``math`` and NumPy's functions of one
        number, ``if`` and loops, and other functions of the same kind; the numba backend must be
        able to compile it.

    Returns
    -------
    type
        A layer type of the function's name. Decorate the gradient with its ``gradient``, and make
        layers by calling it.

    Raises
    ------
    TypeError
        If it is no function of one argument.

    Examples
    --------
    >>> @fb.activation
    ... def square(x):
    ...     return x * x
    >>> @square.gradient
    ... def square_gradient(x, y):
    ...     return 2 * x
    >>> net = fb.Sequential(fb.Linear(784, 100), square(), fb.Linear(100, 10))
    """
    function = as_function(function, "activation", ("x",))
    kind = type(function.__name__, (UserActivation,), names(function))
    DEFINED[function.__name__] = kind
    return kind


class UserActivation(Defined, Layer):
    """A layer that ``fb.activation`` made: Y = value(X), element by element.

    Parameters
    ----------
    values : list of float, optional
        The values at PROBES when the network was saved.

    Raises
    ------
    TypeError
        If the gradient has not been defined.
    ValueError
        If the values are others now.
    """

    settings = ("values",)
    arguments, what = ("x", "y"), "activation"
    kind = Kind.USER

    def __init__(self, values: list[float] | None = None) -> None:
        self._needs_gradient()
        if values is not None and not np.allclose(values, self.values, 1e-5, 1e-7, equal_nan=True):
            raise ValueError(
                f"activation {type(self).__name__} is defined differently here: at x = {PROBES} "
                f"it is {self.values}; when the network was saved it was {values}"
            )

    @property
    def values(self) -> list[float]:
        """The values at PROBES, by which a loaded network knows its activation."""
        return each(on_arrays(self.value), np.array(PROBES)).tolist()

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = value(X)."""
        x = self._input(x)
        y = np.empty_like(x)
        self.code(x.dtype).forward(as_rows(x), as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ gradient(X, Y)."""
        dy = self._gradient(dy)
        x, y = self._kept
        dx = np.empty_like(dy)
        self.code(dy.dtype).backward(*map(as_rows, (x, y, dy, dx)))
        return dx

    @classmethod
    def _compile(cls, kernels: Any, dtype: np.dtype) -> Any:
        return kernels.compile_activation(cls.value, cls.slope, dtype)

    @classmethod
    def _check(cls, gradient: FunctionType) -> None:
        value = on_arrays(cls.value)
        values = np.stack([each(value, POINTS + step) for step in (-STEP, 0.0, STEP)])
        hand = each(on_arrays(gradient), POINTS, values[1])
        with np.errstate(all="ignore"):
            numeric = derivatives(values[:, np.isfinite(values).all(axis=0)], STEP)
        inside = np.flatnonzero(np.isfinite(values).all(axis=0))
        found = compare("y", (len(inside),), np.arange(len(inside)), hand[inside], numeric)
        if not found.checked:
            raise GradientError(f"activation {cls.__name__}: no derivative between -6 and 6")
        if not found.worst <= TOLERANCE:
            at = inside[found.index[0]]
            raise cls._wrong(f"at x = {POINTS[at]:.4g} (y = {values[1, at]:.6g})", found)
