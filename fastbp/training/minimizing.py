"""Networks that SciPy minimises the loss of: by gradients of all samples at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastbp._checks import as_count, as_flag, as_number, check_kind
from fastbp._extras import missing
from fastbp.layers.rules import trained_pieces
from fastbp.losses import Loss
from fastbp.network import Sequential

from .exclusive import check_trainable, exclusively
from .gradient import Objective
from .history import DivergenceError
from .samples import Data, as_samples

METHODS = ("L-BFGS-B", "BFGS", "CG")  # SciPy's that make the best of a gradient
TOO_LARGE = 1e100  # what a loss that is no number counts as: the step there was too long


@dataclass(frozen=True)
class Minimum:
    """What ``minimize`` found.

    Attributes
    ----------
    loss : float
        At the parameters that the network has now, the L2 term included.
    iterations, evaluations : int
        Of the method, and of loss and gradient over all samples.
    converged : bool
        Whether the method ended by itself.
    message : str
        How it ended, in SciPy's words.
    losses : (iterations + 1,) ndarray
        At first, and after each iteration.
    """

    loss: float
    iterations: int
    evaluations: int
    converged: bool
    message: str
    losses: np.ndarray


def minimize(
    net: Sequential,
    data: Data,
    loss: Loss,
    *,
    method: str = "L-BFGS-B",
    l2: float = 0.0,
    decay_biases: bool = True,
    max_iterations: int = 1000,
    tolerance: float | None = None,
    threads: int | None = None,
) -> Minimum:
    """Minimise the mean loss of all samples with SciPy: for small networks, to the end.

    It is that of the network as in use, so that Dropout drops nothing and BatchNorm's running
    averages stay: see ``loss_and_gradient``.
    Layers that are not trainable stay as they are; ``lr_factor`` has no part in it.

    Parameters
    ----------
    net : Sequential
        Goes on from its parameters, and gets the best that were found, whatever ends the search.
        float64 networks come closer to a minimum: where the loss falls by less than the rounding
        of its gradient, the search ends.
    data : Dataset or (x, y)
        Samples and labels, or values, as ``fit`` takes them.
    loss : Loss
    method : {"L-BFGS-B", "BFGS", "CG"}
        One of ``scipy.optimize.minimize``'s. BFGS keeps a matrix of parameters by parameters.
    l2 : float
        λ >= 0 in loss + λ/2·Σθ², as an optimiser's ``weight_decay``.
    decay_biases : bool
        False leaves biases and what norms learn out of that sum.
    max_iterations : int
        At most so many.
    tolerance : float, optional
        SciPy's ``tol``, > 0: smaller is closer. Left out, the method's own.
    threads : int, optional
        As ``loss_and_gradient``'s; the results are the same, bit for bit, for any number.

    Returns
    -------
    Minimum

    Raises
    ------
    ModuleNotFoundError
        Without SciPy: ``pip install 'fastbp[scipy]'``.
    DivergenceError
        If the loss is NaN or infinite at the start.
    ValueError, TypeError
        When network, data and loss do not fit together, or all layers are frozen.
    RuntimeError
        When the network is being trained already.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 3), dtype="float64")
    >>> found = fb.minimize(net, (x, y), fb.CrossEntropyLoss(), l2=1e-3)
    >>> found.converged, found.iterations
    """
    for part, kind in ((net, Sequential), (loss, Loss)):
        check_kind(part, kind, "minimize")
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"minimize method: expected {', '.join(METHODS)}; got {method!r}")
    l2, decay_biases = as_number(l2, "l2", least=0), as_flag(decay_biases, "decay_biases")
    options = {"maxiter": as_count(max_iterations, "max_iterations")}
    tolerance = None if tolerance is None else as_number(tolerance, "tolerance", above=0)
    search = _search()
    with exclusively(net):
        check_trainable(net, "minimize")
        samples = as_samples(net, data, loss, "data")
        target = _Target(Objective(net, samples, loss, threads), l2, decay_biases)
        target.objective.samples.write_on(net)
        target.check_start()
        try:
            found = search(
                target,
                target.best_at,
                method=method,
                jac=True,
                tol=tolerance,
                options=options,
                callback=target.iterated,
            )
        finally:
            target.put(target.best_at)
            net.params[...] = target.objective.net.params
    losses = np.array(target.losses)
    return Minimum(
        target.best, len(losses) - 1, target.count, bool(found.success), str(found.message), losses
    )


def _search() -> Any:
    """SciPy's minimize."""
    try:
        from scipy.optimize import minimize as search
    except ModuleNotFoundError as problem:
        raise missing("minimize", "SciPy", "scipy") from problem
    return search


class _Target:
    """What SciPy calls: the loss and its gradient at the parameters that are trained."""

    def __init__(self, objective: Objective, l2: float, decay_biases: bool) -> None:
        self.objective, self.l2, net = objective, l2, objective.net
        self.pieces = trained_pieces(net.vectors, net.layers, decay_biases)
        self.count, self.best, self.best_at = 0, math.inf, self._of(net.params)
        self.losses: list[float] = []

    def _of(self, vector: np.ndarray) -> np.ndarray:
        return np.concatenate([vector[part] for part, _ in self.pieces]).astype(np.float64)

    def put(self, x: np.ndarray) -> None:
        """Give the objective's network these parameters, as its dtype has them."""
        start = 0
        for part, _ in self.pieces:
            size = part.stop - part.start
            self.objective.net.params[part] = x[start : start + size]
            start += size

    def check_start(self) -> None:
        """The loss at first, which must be a number."""
        value, _ = self(self.best_at)
        if value >= TOO_LARGE:
            raise DivergenceError(
                "minimize: the loss is NaN or infinite at the network's parameters; check them, "
                "or the scale of the data"
            )
        self.losses.append(value)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.put(x)
        self.count += 1
        value, gradient = self.objective()
        params = self.objective.net.params
        if not math.isfinite(value):
            return TOO_LARGE, np.zeros(len(x))
        for part, rule in self.pieces:
            if self.l2 and rule.decays:
                decayed = params[part].astype(np.float64)
                value += self.l2 / 2 * float(decayed @ decayed)
                gradient[part] += self.l2 * params[part]
        if value < self.best:
            self.best, self.best_at = value, np.array(x)
        return value, self._of(gradient)

    def iterated(self, intermediate_result: Any) -> None:
        """Note how far it came; SciPy knows what to give by the argument's name."""
        self.losses.append(float(intermediate_result.fun))
