"""How many units in the last place (ulps) the compiled exp, tanh, ... are away from the truth.

The truth is computed in long double, over the whole range where a function is not constant: the
smallest subnormals, both zeros, and the numbers about overflow included.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from for_each import for_each

LONG = np.longdouble
pytestmark = [
    pytest.mark.parametrize("dtype", ["float32", "float64"]),
    pytest.mark.skipif(
        np.finfo(LONG).eps >= np.finfo(np.float64).eps, reason="long double is double here"
    ),
]

# An exp below this is taken for 0 by the native kernels; Numba's are subnormal there.
FLUSHED = {"float32": 2.5e-38, "float64": 5e-308}
OVERFLOW = {"float32": 88.72284, "float64": 709.782712893384}  # the largest x with a finite exp
# What is x·p(x) is flushed where p is.
FACTORS = {"exp": 1, "sigmoid": 1, "softplus": 1, "gelu": 40, "silu": 800, "mish": 800}


def gelu(x: np.ndarray) -> np.ndarray:
    """By math.erfc of the argument in double, and the slope there times what double lacks."""
    z = -x / np.sqrt(LONG(2))
    near = z.astype(np.float64)
    below = np.vectorize(math.erfc, otypes=[np.float64])(near).astype(LONG)
    lost = 2 / np.sqrt(4 * np.arctan(LONG(1))) * np.exp(-(near.astype(LONG) ** 2)) * (z - near)
    return x * (below - lost) / 2


TRUTH: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "gelu": gelu,
}
# Measured: at most 1.2 for exp, 1.4 for expm1, 2.5 for tanh and SiLU, 2.4 for the sigmoid, 3.5 for
# Mish, 1.9 for softplus and its log1p, 7.1 for GELU and the normal distribution's tail.
MOST_ULPS = {
    "exp": 1.5,
    "expm1": 1.5,
    "tanh": 3,
    "sigmoid": 3,
    "silu": 4,
    "mish": 5,
    "softplus": 3,
    "gelu": 8,
}
# By erf; and beta, and a threshold that nothing reaches.
NUMBERS = {"gelu": (0.0,), "softplus": (1.0, 1000.0)}


@lru_cache
def points(dtype: str) -> np.ndarray:
    """Numbers of every magnitude and evenly spaced ones, both signs, across the whole range."""
    info, end = np.finfo(dtype), OVERFLOW[dtype] + 25
    magnitudes = np.geomspace(float(info.tiny), end, 60_000)
    subnormal = np.arange(2_000) * float(info.smallest_subnormal)
    edge = np.float64(OVERFLOW[dtype]) * (1 + np.arange(-100, 101) * float(info.eps))
    positive = np.concatenate([magnitudes, subnormal, np.linspace(0, end, 120_001), edge])
    return np.concatenate([-positive, positive]).astype(dtype)


@lru_cache
def truth(function: str, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return TRUTH[function](points(dtype).astype(LONG))


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The error in units of the last place; an infinity must be met exactly."""
    with np.errstate(over="ignore"):
        rounded = np.abs(want).astype(got.dtype)
    finite = np.isfinite(rounded)
    error = np.where(got == want.astype(LONG), 0, np.inf).astype(LONG)
    error[~finite & (got == np.inf)] = 0
    error[finite] = np.abs(got[finite] - want[finite]) / np.spacing(rounded[finite]).astype(LONG)
    return error


def assert_precise(function: str, got: np.ndarray, want: np.ndarray) -> None:
    error = ulps(got, want)
    if function not in ("expm1", "tanh"):  # where nothing but a 0 is owed, the 0 is no error
        error[(np.abs(want) < FACTORS[function] * FLUSHED[got.dtype.name]) & (got == 0)] = 0
    worst = np.argmax(error)
    assert error[worst] <= MOST_ULPS[function], f"{got[worst]!r} instead of {want[worst]!r}"


def test_exp(compiled: Any, dtype: str) -> None:
    """log_softmax_backward is dy - exp(y)·sum(dy): with dy = (0, ..., 0, 1) it tells exp(y)."""
    y = np.append(points(dtype), np.zeros(1, dtype))[None]
    dy, dx = np.zeros_like(y), np.full_like(y, np.nan)
    dy[0, -1] = 1
    compiled.log_softmax_backward(y, dy, dx)
    assert_precise("exp", -dx[0, :-1], truth("exp", dtype))


def test_expm1_by_elu(compiled: Any, dtype: str) -> None:
    x, y = points(dtype)[None], np.full((1, points(dtype).size), np.nan, dtype)
    compiled.elu_forward(x, 1.0, y)
    negative = x[0] <= 0
    assert_precise("expm1", y[0, negative], truth("expm1", dtype)[negative])
    np.testing.assert_array_equal(y[0, ~negative], x[0, ~negative])


@for_each("function", ["tanh", "sigmoid", "silu", "mish", "softplus", "gelu"])
def test_functions_of_x(compiled: Any, dtype: str, function: str) -> None:
    x, y = points(dtype)[None], np.full((1, points(dtype).size), np.nan, dtype)
    getattr(compiled, f"{function}_forward")(x, *NUMBERS.get(function, ()), y)
    assert_precise(function, y[0], truth(function, dtype))


def exact_scores(dtype: str, rng: np.random.Generator) -> np.ndarray:
    """Scores whose differences have no rounding error, so that only the kernel's own is seen."""
    return (rng.integers(-(2**22), 2**22, (5_000, 10)) * 2.0**-17).astype(dtype)  # within ±32


def test_softmax(compiled: Any, dtype: str, rng: np.random.Generator) -> None:
    x, y = exact_scores(dtype, rng), np.full((5_000, 10), np.nan, dtype)
    compiled.softmax_forward(x, y)
    power = np.exp(x.astype(LONG) - x.max(axis=1, keepdims=True))
    error = ulps(y, power / power.sum(axis=1, keepdims=True))
    assert np.max(error) <= 8  # 1.5 for each exp, 0.5 for each of nine additions and a division


def test_log_softmax(compiled: Any, dtype: str, rng: np.random.Generator) -> None:
    x, y = exact_scores(dtype, rng), np.full((5_000, 10), np.nan, dtype)
    compiled.log_softmax_forward(x, y)
    shifted = x.astype(LONG) - x.max(axis=1, keepdims=True)
    want = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    # The logarithm of a sum near 1 keeps the sum's absolute error: ulps of 1 where y is small.
    error = np.abs(y - want) / np.spacing(np.maximum(np.abs(want), 1).astype(dtype))
    assert np.max(error) <= 4
