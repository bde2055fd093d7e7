"""Adam's steps in double precision are the exact quotients by the exact roots, bit for bit."""

from typing import Any

import numpy as np
import pytest
from for_each import for_each

LR, BETA1, BETA2, STEP = 0.3, 0.5, 0.25, 5000  # whose means are corrected by 1
EDGES = [0.0, 1e-320, 1e-201, 1e-199, 1e-8, 1.0, 1e199, 1e201, np.inf, np.nan]


def squares(n: int) -> np.ndarray:
    """Numbers of all sizes, and such whose digits are all ones or zeros."""
    rng = np.random.default_rng(n)
    found = np.ldexp(rng.random(n) + 1, rng.integers(-600, 600, n))
    found[::5] = np.nextafter(np.ldexp(1.0, rng.integers(-60, 60, len(found[::5]))), 0)
    found[1::5] = np.ldexp(1.0, rng.integers(-60, 60, len(found[1::5])))
    return found


@for_each("n", [1, 7, 8, 9, 127, 128, 129, 100_000])
@for_each("epsilon", [1e-8, 0.0, 1e-120, 1e120])
@for_each("edge", [None, *EDGES])
def test_steps_are_rounded_once(kernels: Any, edge: float | None, epsilon: float, n: int) -> None:
    if "cython" not in kernels.__name__ or (edge is not None and n > 1000):
        return
    v, rng = squares(n), np.random.default_rng(1)
    if edge is not None:
        v[-1] = v[n // 2] = edge
    m, params = rng.normal(size=n) * np.sqrt(np.minimum(v, 1e300)), rng.normal(size=n)
    m[n // 3] = 0 if edge is None else edge
    found, grads = params.copy(), np.zeros(n)
    with np.errstate(all="ignore"):
        kernels.adam_step(grads, LR, BETA1, BETA2, epsilon, 0.0, STEP, found, m, v)
        root = np.sqrt(v) + epsilon  # of the means that it leaves
        steps = LR * m / np.where(root == 0, np.inf, root)
        np.testing.assert_array_equal(found, params - steps)


def test_every_root_of_a_range_of_doubles_is_exact(kernels: Any) -> None:
    if "cython" not in kernels.__name__:
        pytest.skip("the processor's own")
    v = 1.0 + 3 * np.arange(1 << 18) / (1 << 18)
    m, params = np.full(len(v), 2.0), np.zeros(len(v))
    kernels.adam_step(np.zeros(len(v)), 1.0, BETA1, BETA2, 1e-50, 0.0, STEP, params, m, v)
    np.testing.assert_array_equal(params, -(m / np.sqrt(v)))
