"""What users' activations and losses have in common: a value, a gradient that holds, code."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from types import FunctionType
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

from fastbp import backends
from fastbp.derivatives import TensorCheck

from .functions import Plain, as_function, on_arrays

Function = TypeVar("Function", bound=Callable[..., Any])
STEP, TOLERANCE = 1e-5, 1e-6  # of the comparison with numeric derivatives


class GradientError(ValueError):
    """A gradient is not that of its function; the message says where.

    Examples
    --------
    >>> @fb.activation
    ... def cube(x):
    ...     return x * x * x
    >>> try:
    ...     cube.gradient(lambda x, y: 2 * x * x)
    ... except fb.GradientError as error:
    ...     print("wrong")
    wrong
    """


def names(function: FunctionType) -> dict[str, Any]:
    """What a class needs to be found again, by pickle too, where the function was."""
    return {
        "value": staticmethod(function),
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "_code": {},
    }


class Defined:
    """What a user's activation and loss have in common: a value, a gradient, code for both."""

    value: ClassVar[Callable[..., Any]]
    slope: ClassVar[Callable[..., Any] | None] = None
    arguments: ClassVar[tuple[str, ...]]
    what: ClassVar[str]
    _code: ClassVar[dict[Any, Any]]

    @overload
    @classmethod
    def gradient(cls, function: Function, *, check: bool = True) -> Function: ...

    @overload
    @classmethod
    def gradient(cls, *, check: bool = True) -> Callable[[Function], Function]: ...

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
            cls._code[key] = (
                cls._compile(backend.kernels, dtype) if backend.can("user_code") else cls._plain()
            )
        return cls._code[key]

    @classmethod
    def _compile(cls, kernels: Any, dtype: np.dtype) -> Any:
        raise NotImplementedError

    @classmethod
    def _plain(cls) -> Any:
        return Plain(on_arrays(cls.value), on_arrays(cls.slope))

    @classmethod
    def _wrong(cls, where: str, found: TensorCheck) -> GradientError:
        written = "NaN, or not written" if isnan(found.analytic) else f"{found.analytic:.6g}"
        return GradientError(
            f"{cls.what} {cls.__name__}: its gradient is not its derivative: {where} it is "
            f"{written}, and numerically {found.numeric:.6g}; if it is meant to be "
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
