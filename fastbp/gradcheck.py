"""Hand-written gradients against numeric ones.

Central differences in float64, one coordinate at a time:

    dl/dθ ≈ (l(θ + ε) - l(θ - ε)) / 2ε        error = |a - n| / max(|a|, |n|, floor)

where a is the hand-written and n the numeric derivative. The floor keeps two things from counting
as errors: derivatives a thousand times smaller than the tensor's largest, and what the rounding of
the loss alone does to n. Where a kink (ReLU at 0, the hinge at its margin) lies between θ - ε and
θ + ε there is no derivative: such coordinates are counted, not compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._checks import as_count, as_number
from .losses import Loss
from .network import Sequential

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


@dataclass(frozen=True)
class GradientCheck:
    """What ``gradcheck`` found; true if every gradient holds."""

    tensors: tuple[TensorCheck, ...]
    tolerance: float

    @property
    def worst(self) -> float:
        """The largest relative error of all."""
        return max((tensor.worst for tensor in self.tensors), default=0.0)

    def __bool__(self) -> bool:
        return all(t.worst <= self.tolerance and t.checked for t in self.tensors)

    def __str__(self) -> str:
        lines = [f"{'tensor':<10} {'checked':>8} {'kinks':>6} {'worst error':>12}"]
        for t in self.tensors:
            lines.append(f"{t.name:<10} {t.checked:>8} {t.kinks:>6} {t.worst:>12.2e}")
            if not t.worst <= self.tolerance:
                lines.append(
                    f"  WRONG at {t.name}{list(t.index)}: hand-written {t.analytic:.9g}, "
                    f"numeric {t.numeric:.9g}"
                )
            elif not t.checked:
                lines.append("  WRONG: every coordinate lies on a kink, so nothing was compared")
        verdict = "all gradients hold" if self else "GRADIENTS ARE WRONG"
        return "\n".join([*lines, f"{verdict} (tolerance {self.tolerance:g})"])


def gradcheck(
    net: Sequential,
    loss: Loss,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    epsilon: float = 1e-5,
    tolerance: float | None = None,
    most: int = 200,
    seed: int = 0,
) -> GradientCheck:
    """Compare a network's hand-written gradients with numeric ones.

    Parameters
    ----------
    net : Sequential
        Your own layers may be part of it. It is left as it was.
    loss : Loss
    x, y
        A small batch and its labels (or values, for MSELoss).
    epsilon : float
        The step ε.
    tolerance : float, optional
        The relative error that is still right: 1e-6 for float64 and 1e-3 for float32 networks.
    most : int
        Coordinates compared in each tensor; larger tensors are sampled.
    seed : int
        Of that sample.

    Returns
    -------
    GradientCheck
        True if all gradients hold; printed, a table with the worst error of each tensor.
    """
    epsilon = as_number(epsilon, "epsilon", above=0)
    most = as_count(most, "most")
    x = net.as_input(x, "x", np.dtype(np.float64))
    tolerance = (
        TOLERANCE[net.dtype] if tolerance is None else as_number(tolerance, "tolerance", above=0)
    )
    analytic = _analytic(net.copy(), loss, x, y)
    numeric_net, x = net.astype(np.float64), x.copy()
    rng = np.random.default_rng(seed)
    tensors = []
    for name, tensor in [*_tensors(numeric_net, numeric_net.params), ("x", x)]:
        chosen = rng.permutation(tensor.size)[:most]
        numeric = _numeric(numeric_net, loss, x, y, tensor, chosen, epsilon)
        tensors.append(compare(name, tensor.shape, chosen, analytic[name], numeric))
    return GradientCheck(tuple(tensors), tolerance)


def _analytic(
    net: Sequential, loss: Loss, x: np.ndarray, y: npt.ArrayLike
) -> dict[str, np.ndarray]:
    net.grads[...] = np.nan  # what backward forgets to write must not look right
    _, gradient = loss(net.forward(x), y)
    dx = net.backward(gradient, input_gradient=True)
    return dict(_tensors(net, net.grads)) | {"x": np.asarray(dx)}


def _tensors(net: Sequential, flat: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors in params or grads: not the layers' own, which a backward may have replaced."""
    start = 0
    for position, layer in enumerate(net.layers):
        for name, shape in layer.parameter_shapes().items():
            end = start + int(np.prod(shape))
            yield f"{position}.{name}", flat[start:end].reshape(shape)
            start = end


class Numeric(NamedTuple):
    """Numeric derivatives at the chosen coordinates of one tensor."""

    derivative: np.ndarray
    kink: np.ndarray  # whether θ ± ε straddles one
    noise: float  # how far rounding alone can move a derivative


def _numeric(
    net: Sequential,
    loss: Loss,
    x: np.ndarray,
    y: npt.ArrayLike,
    tensor: np.ndarray,
    chosen: np.ndarray,
    epsilon: float,
) -> Numeric:
    flat = tensor.reshape(-1)
    values = np.empty((3, len(chosen)))
    for column, coordinate in enumerate(chosen):
        start = flat[coordinate]
        for row, step in enumerate((-epsilon, 0.0, epsilon)):
            flat[coordinate] = start + step
            values[row, column] = loss(net.forward(x), y)[0]
        flat[coordinate] = start
    return derivatives(values, epsilon)


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
