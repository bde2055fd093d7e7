"""Activations and losses that users write: a value, and its gradient by hand, as plain functions.

    @fb.activation
    def swish(x):
        return x / (1 + math.exp(-x))

    @swish.gradient
    def swish_gradient(x, y):            # dy/dx from input and output
        s = 1 / (1 + math.exp(-x))
        return y + s * (1 - y)

``swish()`` then is a layer. An activation is a function of one number; a loss is one of a row of
scores and its class (or row of values). The gradient is compared with numeric derivatives when it
is defined. The numba backend compiles both, and its engine calls them; the others call them as they
stand.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import backends
from ._user_functions import Plain, as_function, each, on_arrays
from .derivatives import TensorCheck, compare, derivatives
from .layers import Layer, as_rows
from .losses import Loss, MSELoss

DEFINED: dict[str, type["UserActivation"]] = {}  # by name, for loading
PROBES = (-2.5, -0.75, 0.3, 1.2, 4.0)  # where a saved network remembers an activation's values
POINTS = np.linspace(-6.03, 6.01, 121)  # where an activation's gradient is checked
ROWS = (6, 5)  # of normal scores, on which a loss's is
STEP, TOLERANCE = 1e-5, 1e-6


class GradientError(ValueError):
    """A gradient is not that of its function; the message says where."""


def activation(function: Callable[[float], float]) -> type["UserActivation"]:
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
    kind = type(function.__name__, (UserActivation,), _names(function))
    DEFINED[function.__name__] = kind
    return kind


def loss(
    function: Callable[..., float] | None = None, *, values: bool = False
) -> "type[UserLoss] | Callable[[Callable[..., float]], type[UserLoss]]":
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
    """
    if function is None:
        return lambda function: loss(function, values=values)  # type: ignore[return-value]
    function = as_function(function, "loss", ("x", "target" if values else "label"))
    return type(function.__name__, (UserLoss,), {**_names(function), "values": values})


def _names(function: FunctionType) -> dict[str, Any]:
    """What a class needs to be found again, by pickle too, where the function was."""
    return {
        "value": staticmethod(function),
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "_code": {},
    }


class _Defined:
    """What a user's activation and loss have in common: a value, a gradient, code for both."""

    value: ClassVar[Callable[..., Any]]
    slope: ClassVar[Callable[..., Any] | None] = None
    arguments: ClassVar[tuple[str, ...]]
    what: ClassVar[str]
    _code: ClassVar[dict[Any, Any]]

    @classmethod
    def gradient(cls, function: Any = None, *, check: bool = True) -> Any:
        """Take this function for the gradient, after comparing it with numeric derivatives.

        Parameters
        ----------
        function : callable
            ``slope = function(x, y)`` of an activation, from its input and output;
            ``function(x, label, dx)`` of a loss, which fills the row dx.
        check : bool
            False leaves out the comparison, for a gradient that is meant to be another.

        Raises
        ------
        GradientError
            If it is not the derivative of the value.
        """
        if function is None:
            return lambda function: cls.gradient(function, check=check)
        checked = as_function(function, f"gradient of {cls.what} {cls.__name__}", cls.arguments)
        if check:
            cls._check(checked)
        cls.slope = staticmethod(checked)
        cls._code.clear()
        return function

    @classmethod
    def _check(cls, gradient: FunctionType) -> None:
        raise NotImplementedError

    @classmethod
    def code(cls, dtype: np.dtype) -> Any:
        """What computes it on the active backend: compiled there, or else called as it stands."""
        backend = backends.active()
        key = backend.name, dtype
        if key not in cls._code:
            can_compile = hasattr(backend.kernels, "compile_activation")
            cls._code[key] = cls._compile(backend.kernels, dtype) if can_compile else cls._plain()
        return cls._code[key]

    @classmethod
    def _compile(cls, kernels: Any, dtype: np.dtype) -> Any:
        raise NotImplementedError

    @classmethod
    def _plain(cls) -> Any:
        return Plain(on_arrays(cls.value), on_arrays(cls.slope))

    @classmethod
    def _wrong(cls, where: str, found: TensorCheck) -> GradientError:
        return GradientError(
            f"{cls.what} {cls.__name__}: its gradient is not its derivative: {where} it is "
            f"{found.analytic:.6g}, and numerically {found.numeric:.6g}; if it is meant to be "
            f"another, define it with @{cls.__name__}.gradient(check=False)"
        )

    def _needs_gradient(self) -> None:
        if self.slope is None:
            name = type(self).__name__
            raise TypeError(
                f"{self.what} {name} has no gradient yet: define it with @{name}.gradient"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class UserActivation(_Defined, Layer):
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
        self.x = self._input(x)
        self.y = np.empty_like(self.x)
        self.code(self.x.dtype).forward(as_rows(self.x), as_rows(self.y))
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY ∘ gradient(X, Y)."""
        dy = self._gradient(dy)
        dx = np.empty_like(dy)
        self.code(dy.dtype).backward(*map(as_rows, (self.x, self.y, dy, dx)))
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


class UserLoss(_Defined, Loss):
    """A loss that ``fb.loss`` made: the mean of value(x, target) over the batch's rows."""

    values: ClassVar[bool] = False
    arguments, what = ("x", "target", "dx"), "loss"

    def __init__(self) -> None:
        self._needs_gradient()

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """Classes as for the built-in losses, or (rows, outputs) values as for MSELoss."""
        check = MSELoss.check_target if self.values else Loss.check_target
        return check(self, target, rows, outputs, dtype)  # type: ignore[arg-type]

    def compute(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean over the rows, and each row's gradient divided by their number."""
        dx, row = np.empty_like(x), self.code(x.dtype).row
        total = sum(row(x[r], target[r], dx[r]) for r in range(len(x)))
        dx *= dx.dtype.type(1 / len(x))
        return float(total) / len(x), dx

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
