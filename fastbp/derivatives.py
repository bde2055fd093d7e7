"""Numeric derivatives, and hand-written ones against them.

Central differences in float64, one coordinate at a time:

    dl/dθ ≈ (l(θ + ε) - l(θ - ε)) / 2ε        error = |a - n| / max(|a|, |n|, floor)

where a is the hand-written and n the numeric derivative. The floor keeps two things from counting
as errors: derivatives a thousand times smaller than the tensor's largest, and what the rounding of
the loss alone does to n. Where a kink (ReLU at 0, the hinge at its margin) lies between θ - ε and
θ + ε there is no derivative: such coordinates are counted, not compared.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

TOLERANCE = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-3}


@dataclass(frozen=True)
class TensorCheck:
    """The comparison for one parameter tensor, or for the input."""

    name: str  # "0.w", "0.b", ..., "x"
    checked: int  # coordinates compared
    kinks: int  # coordinates left out
    worst: float  # the largest relative error
    index: tuple[int, ...]  # where it is
    analytic: float  # the hand-written derivative there
    numeric: float  # and the numeric one


class Numeric(NamedTuple):
    """Numeric derivatives at the chosen coordinates of one tensor."""

    derivative: np.ndarray
    kink: np.ndarray  # whether θ ± ε straddles one
    noise: float  # how far rounding alone can move a derivative


def derivatives(values: np.ndarray, epsilon: float) -> Numeric:
    """From a function's values (3, n) at θ - ε, θ and θ + ε, for n coordinates."""
    left, right = (values[1] - values[0]) / epsilon, (values[2] - values[1]) / epsilon
    noise = 8 * np.finfo(np.float64).eps * np.max(np.abs(values), initial=0) / epsilon
    # A smooth loss has left ≈ right up to ε·l''; across a kink they differ at once.
    size = np.maximum(np.abs(left), np.abs(right))
    kink = np.abs(left - right) > 1e-2 * np.maximum(size, np.max(size, initial=0) * 1e-2) + noise
    return Numeric((left + right) / 2, kink, float(noise))


def compare(
    name: str, shape: tuple[int, ...], chosen: np.ndarray, analytic: np.ndarray, numeric: Numeric
) -> TensorCheck:
    """The hand-written derivatives of one tensor against the numeric ones where `chosen`."""
    if not len(chosen):
        return TensorCheck(name, 0, 0, 0.0, (), 0.0, 0.0)
    hand, n = analytic.reshape(-1)[chosen].astype(np.float64), numeric.derivative
    floor = max(
        1e-3 * float(np.max(np.abs(n))),
        numeric.noise / TOLERANCE[np.dtype(np.float64)],
        np.finfo(np.float64).tiny,  # where the loss is 0 all around, 0 is right
    )
    error = np.abs(hand - n) / np.maximum(np.maximum(np.abs(hand), np.abs(n)), floor)
    error[np.isnan(error)] = np.inf  # a NaN gradient is as wrong as can be
    error[numeric.kink] = 0
    worst, kinks = int(np.argmax(error)), int(np.count_nonzero(numeric.kink))
    index = tuple(int(i) for i in np.unravel_index(chosen[worst], shape))
    return TensorCheck(
        name,
        len(chosen) - kinks,
        kinks,
        float(error[worst]),
        index,
        float(hand[worst]),
        float(n[worst]),
    )
