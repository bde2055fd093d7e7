"""Losses that users write."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, overload

import numpy as np
import numpy.typing as npt

from fastbp.derivatives import compare, derivatives
from fastbp.kernels.numbers import LossKind
from fastbp.losses import Loss, ValuesLoss
from fastbp.losses.base import Computed, Given
from fastbp.meaning import Meaning

from .defined import STEP, TOLERANCE, Defined, names
from .functions import Plain, as_function, on_arrays

ROWS = (6, 5)  # of normal scores, on which a gradient is checked


@overload
def loss(function: Callable[..., float], *, values: bool = False) -> type[UserLoss]: ...


@overload
def loss(*, values: bool = False) -> Callable[[Callable[..., float]], type[UserLoss]]: ...


def loss(function: Callable[..., float] | None = None, *, values: bool = False) -> Any:
    """Define a loss by its value, a function of one row.

    Parameters
    ----------
    function : callable
        ``function(x, label)`` for the scores of one sample, (outputs,), and its class; it returns
        the sample's loss.
    values : bool
        The target is a row of values, (outputs,), instead of a class: ``function(x, target)``.

    Returns
    -------
    type
        A loss type of the function's name. Decorate the gradient, ``gradient(x, label, dx)``, which
        fills dx, with its ``gradient``, and make losses by calling it.

    Raises
    ------
    TypeError
        If it is no function of two arguments.

    Examples
    --------
    >>> @fb.loss(values=True)
    ... def cubed(x, target):
    ...     total = 0.0
    ...     for j in range(len(x)):
    ...         total += abs(x[j] - target[j]) ** 3
    ...     return total
    >>> @cubed.gradient
    ... def cubed_gradient(x, target, dx):
    ...     for j in range(len(x)):
    ...         dx[j] = 3 * (x[j] - target[j]) * abs(x[j] - target[j])
    >>> cubed()([[3.0]], [[1.0]])
    (np.float64(8.0), array([[12.]]))
    """
    if function is None:
        return lambda function: loss(function, values=values)
    function = as_function(function, "loss", ("x", "target" if values else "label"))
    return type(function.__name__, (UserLoss,), {**names(function), "values": values})


class UserLoss(Defined, Loss):
    """A loss that ``fb.loss`` made: the mean of value(x, target) over the batch's rows."""

    values: ClassVar[bool] = False
    arguments, what = ("x", "target", "dx"), "loss"
    kind = LossKind.USER_LOSS

    def __init__(self) -> None:
        self._needs_gradient()

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """Classes as for the built-in losses, or (rows, outputs) values as for MSELoss."""
        check = ValuesLoss.check_target if self.values else Loss.check_target
        return check(self, target, rows, outputs, dtype)  # type: ignore[arg-type]

    def meaning(self, outputs: int) -> Meaning:
        """As for the built-in losses of classes or of values."""
        return Meaning.VALUES if self.values else Meaning.CLASSES

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """The mean over the rows, and each row's gradient times its share of the weights."""
        weights = np.ones(len(x)) if weights is None else weights
        dx, row, total = np.zeros_like(x), self.code(x.dtype).row, 0.0
        for r in np.flatnonzero(weights):
            total += weights[r] * row(x[r], target[r], dx[r])
            dx[r] *= dx.dtype.type(weights[r] / weights.sum())
        return float(total) / (weights.sum() or 1), dx

    @classmethod
    def _compile(cls, kernels: Any, dtype: np.dtype) -> Any:
        return kernels.compile_loss(cls.value, cls.slope, cls.values, dtype)

    @classmethod
    def _check(cls, gradient: FunctionType) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=ROWS)
        target = rng.normal(size=ROWS) if cls.values else rng.integers(0, ROWS[1], ROWS[0])
        plain, dx = Plain(on_arrays(cls.value), on_arrays(gradient)), np.full(ROWS, np.nan)
        values = np.empty((3, x.size))
        for r, j in np.ndindex(ROWS):
            for at, step in enumerate((-STEP, 0.0, STEP)):
                row = x[r].copy()
                row[j] += step
                values[at, r * ROWS[1] + j] = plain.row(row, target[r], dx[r])
        for r in range(len(x)):
            dx[r] = np.nan  # what the gradient forgets to fill must not look right
            plain.row(x[r].copy(), target[r], dx[r])
        found = compare("dx", ROWS, np.arange(x.size), dx, derivatives(values, STEP))
        if not found.worst <= TOLERANCE:
            r, j = found.index
            numbers = np.array2string(x[r], precision=3)
            raise cls._wrong(f"at dx[{j}] of x = {numbers}, {cls._named(target[r])}", found)

    @classmethod
    def _named(cls, target: Any) -> str:
        if cls.values:
            return f"target {np.array2string(target, precision=3)}"
        return f"label {target}"
