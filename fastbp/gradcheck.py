"""The gradients of a whole network against numeric ones; see derivatives.py for how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._checks import as_count, as_number, check_kind
from .derivatives import TOLERANCE, Numeric, TensorCheck, compare, derivatives
from .layers.nesting import named_layers
from .losses import Loss
from .network import Sequential
from .pages import notebook, paragraph


@dataclass(frozen=True, repr=False)
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

    @property
    def verdict(self) -> str:
        """In words."""
        return "all gradients hold" if self else "GRADIENTS ARE WRONG"

    def __repr__(self) -> str:
        return (
            f"GradientCheck({self.verdict}: {len(self.tensors)} tensors, worst error "
            f"{self.worst:.2e}, tolerance {self.tolerance:g})"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = [
            [t.name, f"{t.checked:,}", str(t.kinks), f"{t.worst:.2e}", self._fault(t)]
            for t in self.tensors
        ]
        head = ("tensor", "checked", "kinks", "worst error", "")
        tolerance = paragraph(f"tolerance {self.tolerance:g}")
        return notebook.shown(f"Gradients: {self.verdict}", notebook.tabled(head, rows), tolerance)

    def _fault(self, t: TensorCheck) -> str:
        """What is wrong with a tensor; "" if nothing is."""
        if not t.worst <= self.tolerance:
            return (
                f"WRONG at {t.name}{list(t.index)}: hand-written {t.analytic:.9g}, "
                f"numeric {t.numeric:.9g}"
            )
        if not t.checked:
            return "WRONG: every coordinate lies on a kink, so nothing was compared"
        return ""

    def __str__(self) -> str:
        lines = [f"{'tensor':<10} {'checked':>8} {'kinks':>6} {'worst error':>12}"]
        for t in self.tensors:
            lines.append(f"{t.name:<10} {t.checked:>8} {t.kinks:>6} {t.worst:>12.2e}")
            if fault := self._fault(t):
                lines.append(f"  {fault}")
        return "\n".join([*lines, f"{self.verdict} (tolerance {self.tolerance:g})"])


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

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3), dtype="float64")
    >>> bool(fb.gradcheck(net, fb.CrossEntropyLoss(), x, y))
    True
    """
    for part, kind in ((net, Sequential), (loss, Loss)):
        check_kind(part, kind, "gradcheck")
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
    for place, layer in named_layers(net.layers):
        for name, shape in layer.parameter_shapes().items():
            end = start + int(np.prod(shape))
            yield f"{place}.{name}", flat[start:end].reshape(shape)
            start = end


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
    values[1] = loss(net.forward(x), y)[0]  # at θ, which all coordinates share
    for column, coordinate in enumerate(chosen):
        start = flat[coordinate]
        for row, step in ((0, -epsilon), (2, epsilon)):
            flat[coordinate] = start + step
            values[row, column] = loss(net.forward(x), y)[0]
        flat[coordinate] = start
    return derivatives(values, epsilon)
