"""Stochastic gradient descent."""

from fastbp._checks import as_flag
from fastbp._settings import Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import OptimizerKind, Setting

from .base import Optimizer, Part

__all__ = ["SGD"]


class SGD(Optimizer):
    """Minibatch stochastic gradient descent: θ ← θ - η·dl/dθ, with momentum if asked for.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    momentum : float
        μ in v ← μ·v + g, θ ← θ - η·v; from 0 to below 1.
    nesterov : bool
        θ ← θ - η·(g + μ·v) instead.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    decay_biases : bool
        False spares biases and what norms learn: λ is 0 for them.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.SGD(lr=0.1, momentum=0.9), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    name = "sgd"
    momentum = Number(least=0, below=1)

    def __init__(
        self,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases)
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def nesterov(self) -> bool:
        """Whether the step looks ahead; without momentum there is nothing to look ahead along."""
        return self._nesterov

    @nesterov.setter
    def nesterov(self, wanted: bool) -> None:
        wanted = as_flag(wanted, "SGD nesterov")
        if wanted and not self.momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self._nesterov = wanted

    @property
    def plain(self) -> bool:
        """Whether θ ← θ - η·dl/dθ is all of it."""
        return not (self.momentum or self.weight_decay)

    @property
    def states(self) -> int:  # type: ignore[override]
        """One vector, v, unless plain."""
        return 0 if self.plain else 1

    @property
    def kind(self) -> OptimizerKind:  # type: ignore[override]
        """Which of the three ways of a step it takes."""
        if self.plain:
            return OptimizerKind.PLAIN
        return OptimizerKind.NESTEROV if self._looks_ahead else OptimizerKind.MOMENTUM

    @property
    def _looks_ahead(self) -> bool:
        """Nesterov's step, unless its momentum was set to 0 since: then both are the same."""
        return self.nesterov and self.momentum > 0

    def numbers(self) -> dict[Setting, float]:
        """η, λ and μ."""
        return super().numbers() | {Setting.MU: self.momentum}

    def update(self, part: Part) -> None:
        """Call sgd_step, momentum_step or nesterov_step."""
        if self.plain:
            kernels().sgd_step(part.grads, part.lr, part.params)
            return
        step = kernels().nesterov_step if self._looks_ahead else kernels().momentum_step
        step(part.grads, part.lr, self.momentum, part.decay, part.params, *part.memory)

    def __repr__(self) -> str:
        parts = [f"lr={self.lr:g}"]
        parts += [f"momentum={self.momentum:g}"] if self.momentum else []
        parts += ["nesterov=True"] if self.nesterov else []
        parts += [f"weight_decay={self.weight_decay:g}"] if self.weight_decay else []
        parts += [] if self.decay_biases else ["decay_biases=False"]
        return f"SGD({', '.join(parts)})"
