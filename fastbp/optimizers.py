"""Optimisers: how the parameters follow the gradient.

Conventions are PyTorch's: weight decay adds decay·θ to the gradient (AdamW shrinks θ instead), and
momentum collects gradients, not steps. Rates and all other numbers may be changed at any time; they
are checked like the constructor's, and count from the next step on.

What an optimiser remembers belongs to the network that it steps: for another network it starts
afresh. ``reset`` forgets it. A pickled or copied optimiser keeps what it remembers, for the first
network that it steps then.
"""

from typing import TYPE_CHECKING

import numpy as np

from ._optimizer import Optimizer as Optimizer
from ._settings import Number
from .backends import kernels
from .kernels.numbers import OptimizerKind, Setting

if TYPE_CHECKING:
    from .network import Sequential


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
    """

    name = "sgd"
    momentum = Number(least=0, below=1)
    weight_decay = Number(least=0)

    def __init__(
        self, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(lr)
        self.momentum, self.weight_decay = momentum, weight_decay
        self.nesterov = nesterov

    @property
    def nesterov(self) -> bool:
        """Whether the step looks ahead; without momentum there is nothing to look ahead along."""
        return self._nesterov

    @nesterov.setter
    def nesterov(self, wanted: bool) -> None:
        if not isinstance(wanted, (bool, np.bool_)):
            raise TypeError(f"SGD nesterov: expected True or False, got {wanted!r}")
        if wanted and not self.momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self._nesterov = bool(wanted)

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
        """η, μ and λ."""
        return {
            **super().numbers(),
            Setting.MU: self.momentum,
            Setting.DECAY: self.weight_decay,
        }

    def update(self, net: "Sequential") -> None:
        """Call sgd_step, momentum_step or nesterov_step."""
        if self.plain:
            kernels().sgd_step(net.grads, self.lr, net.params)
            return
        step = kernels().nesterov_step if self._looks_ahead else kernels().momentum_step
        step(net.grads, self.lr, self.momentum, self.weight_decay, net.params, *self.memory)

    def __repr__(self) -> str:
        parts = [f"lr={self.lr:g}"]
        parts += [f"momentum={self.momentum:g}"] if self.momentum else []
        parts += ["nesterov=True"] if self.nesterov else []
        parts += [f"weight_decay={self.weight_decay:g}"] if self.weight_decay else []
        return f"SGD({', '.join(parts)})"


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): steps scaled by running means of the gradient and its square.

    Parameters
    ----------
    lr : float
    beta1, beta2 : float
        How slowly the two means forget; from 0 to below 1.
    epsilon : float
        Added to the root, > 0.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    """

    states = 2
    kind, name = OptimizerKind.ADAM, "adam"
    beta1, beta2 = Number(least=0, below=1), Number(least=0, below=1)
    epsilon = Number(above=0)
    weight_decay = Number(least=0)

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay = weight_decay

    def update(self, net: "Sequential") -> None:
        """Call adam_step."""
        kernels().adam_step(net.grads, *self._settings(), net.params, *self.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, β1, β2, ε and λ."""
        return {
            **super().numbers(),
            Setting.BETA1: self.beta1,
            Setting.BETA2: self.beta2,
            Setting.EPSILON: self.epsilon,
            Setting.DECAY: self.weight_decay,
        }

    def _settings(self) -> tuple[float, ...]:
        return self.lr, self.beta1, self.beta2, self.epsilon, self.weight_decay, float(self.steps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): θ shrinks by η·λ each step."""

    kind, name = OptimizerKind.ADAMW, "adamw"

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay)

    def update(self, net: "Sequential") -> None:
        """Call adamw_step."""
        kernels().adamw_step(net.grads, *self._settings(), net.params, *self.memory)


class NAdam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016), as PyTorch's.

    θ ← θ - η·((1 - μ)/(1 - Π)·g + μ'/(1 - Π·μ')·m) / (√v' + ε), where m and v are Adam's, v' is
    corrected for the step t, μ = β1·(1 - 0.96^(t·ψ)/2), μ' that of step t + 1, and Π the product of
    all μ up to step t.

    Parameters
    ----------
    lr : float
    beta1, beta2 : float
        How slowly the two means forget; from 0 to below 1.
    epsilon : float
        Added to the root, > 0.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    momentum_decay : float
        ψ >= 0.
    """

    kind, name = OptimizerKind.NADAM, "nadam"
    momentum_decay = Number(least=0)

    def __init__(
        self,
        lr: float = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay)
        self.momentum_decay = momentum_decay

    def update(self, net: "Sequential") -> None:
        """Call nadam_step."""
        *rates, step = self._settings()
        kernels().nadam_step(net.grads, *rates, self.momentum_decay, step, net.params, *self.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, β1, β2, ε, λ and ψ."""
        return {**super().numbers(), Setting.MU_DECAY: self.momentum_decay}


class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012): steps scaled by a running mean of the gradient's square.

    v ← α·v + (1 - α)·g², m ← μ·m + g / (√v + ε), θ ← θ - η·m; as PyTorch's, but never centred.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    alpha : float
        How slowly the mean forgets; from 0 to below 1.
    epsilon : float
        ε, added to the root, > 0.
    momentum : float
        μ, from 0 to below 1.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    """

    states = 2
    kind, name = OptimizerKind.RMSPROP, "rmsprop"
    alpha, momentum = Number(least=0, below=1), Number(least=0, below=1)
    epsilon = Number(above=0)
    weight_decay = Number(least=0)

    def __init__(
        self,
        lr: float = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.alpha, self.epsilon = alpha, epsilon
        self.momentum, self.weight_decay = momentum, weight_decay

    def update(self, net: "Sequential") -> None:
        """Call rmsprop_step."""
        rates = self.lr, self.alpha, self.epsilon, self.momentum, self.weight_decay
        kernels().rmsprop_step(net.grads, *rates, net.params, *self.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, α, ε, μ and λ."""
        return {
            **super().numbers(),
            Setting.BETA2: self.alpha,
            Setting.EPSILON: self.epsilon,
            Setting.MU: self.momentum,
            Setting.DECAY: self.weight_decay,
        }


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): steps scaled by the root of the sum of all squared gradients.

    v ← v + g², θ ← θ - η/(1 + (t - 1)·d)·g / (√v + ε) in step t, as PyTorch's.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    lr_decay : float
        d >= 0.
    epsilon : float
        ε, added to the root, > 0.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    initial_accumulator_value : float
        What v starts from, >= 0.
    """

    states = 1
    kind, name = OptimizerKind.ADAGRAD, "adagrad"
    epsilon = Number(above=0)
    lr_decay, weight_decay = Number(least=0), Number(least=0)
    initial_accumulator_value = Number(least=0)

    def __init__(
        self,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.lr_decay, self.epsilon, self.weight_decay = lr_decay, epsilon, weight_decay
        self.initial_accumulator_value = initial_accumulator_value

    @property
    def first_memory(self) -> float:  # type: ignore[override]
        """What v starts from."""
        return self.initial_accumulator_value

    def update(self, net: "Sequential") -> None:
        """Call adagrad_step."""
        rates = self.lr, self.lr_decay, self.epsilon, self.weight_decay, float(self.steps)
        kernels().adagrad_step(net.grads, *rates, net.params, *self.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, d, ε and λ."""
        return {
            **super().numbers(),
            Setting.LR_DECAY: self.lr_decay,
            Setting.EPSILON: self.epsilon,
            Setting.DECAY: self.weight_decay,
        }


# By the names that text has for them.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    value.name: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
}
