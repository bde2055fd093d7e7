"""What came of two trainings: the same but for rounding, or bit for bit."""

from typing import Any

import numpy as np

TOLERANCE = {"float32": 2e-3, "float64": 1e-9}


def agree(one: Any, other: Any, dtype: str = "float64") -> None:
    """Refuse two whose ``results()`` differ by more than rounding."""
    for a, b in zip(one.results(), other.results(), strict=True):
        scale = np.abs(b).max(initial=1e-12)
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * scale)


def same(one: Any, other: Any) -> None:
    """Refuse two whose ``results()`` differ in a bit."""
    for a, b in zip(one.results(), other.results(), strict=True):
        np.testing.assert_array_equal(a, b)
