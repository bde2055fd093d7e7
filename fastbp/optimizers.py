"""Optimisers: how the parameters follow the gradient.

Conventions are PyTorch's: weight decay adds decay·θ to the gradient (AdamW shrinks θ instead), and
momentum collects gradients, not steps. What an optimiser remembers belongs to the network it first
stepped; ``reset`` forgets it.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ._checks import as_number
from .backends import kernels
from .kernels.numbers import OptimizerKind, Setting

if TYPE_CHECKING:
    from .network import Sequential


class Optimizer:
    """What all optimisers share: a learning rate, and vectors they remember between steps."""

    states: ClassVar[int] = 0  # how many vectors
    kind: ClassVar[OptimizerKind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # on the command line and in models
    first_memory: float = 0.0  # what fills the vectors at first

    def __init__(self, lr: float) -> None:
        self.lr = as_number(lr, f"{type(self).__name__} lr", above=0)
        self.steps = 0
        self.memory: tuple[np.ndarray, ...] = ()

    def step(self, net: "Sequential") -> None:
        """Move the network's parameters by the gradients of its last backward pass."""
        self.remember(net)
        self.steps += 1
        self.update(net)

    def update(self, net: "Sequential") -> None:
        """One call of the optimiser's kernel."""
        raise NotImplementedError

    def remember(self, net: "Sequential") -> None:
        """Make the vectors to remember for this network, if there are none yet."""
        if not self.memory:
            first = self.first_memory
            self.memory = tuple(np.full_like(net.params, first) for _ in range(self.states))
        for vector in self.memory:
            if vector.shape != net.params.shape or vector.dtype != net.params.dtype:
                raise ValueError(
                    f"{self!r} remembers a network of {vector.size} {vector.dtype} parameters; got "
                    f"one of {net.params.size} {net.params.dtype}: make a new one, or reset() it"
                )

    def numbers(self) -> dict[Setting, float]:
        """The real numbers that an engine must know of it."""
        return {Setting.LR: self.lr}

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.steps, self.memory = 0, ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.lr:g})"


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

    def __init__(
        self, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(lr)
        self.momentum = _below_one(momentum, "SGD momentum")
        self.nesterov = bool(nesterov)
        self.weight_decay = as_number(weight_decay, "SGD weight_decay", least=0)
        if self.nesterov and not self.momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")

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
        return OptimizerKind.NESTEROV if self.nesterov else OptimizerKind.MOMENTUM

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
        step = kernels().nesterov_step if self.nesterov else kernels().momentum_step
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

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        name = type(self).__name__
        self.beta1, self.beta2 = (
            _below_one(beta1, f"{name} beta1"),
            _below_one(beta2, f"{name} beta2"),
        )
        self.epsilon = as_number(epsilon, f"{name} epsilon", above=0)
        self.weight_decay = as_number(weight_decay, f"{name} weight_decay", least=0)

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
        self.momentum_decay = as_number(momentum_decay, "NAdam momentum_decay", least=0)

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

    def __init__(
        self,
        lr: float = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.alpha = _below_one(alpha, "RMSprop alpha")
        self.epsilon = as_number(epsilon, "RMSprop epsilon", above=0)
        self.momentum = _below_one(momentum, "RMSprop momentum")
        self.weight_decay = as_number(weight_decay, "RMSprop weight_decay", least=0)

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

    def __init__(
        self,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.lr_decay = as_number(lr_decay, "Adagrad lr_decay", least=0)
        self.epsilon = as_number(epsilon, "Adagrad epsilon", above=0)
        self.weight_decay = as_number(weight_decay, "Adagrad weight_decay", least=0)
        name = "Adagrad initial_accumulator_value"
        self.initial_accumulator_value = as_number(initial_accumulator_value, name, least=0)

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


def _below_one(number: float, name: str) -> float:
    number = as_number(number, name, least=0)
    if number >= 1:
        raise ValueError(f"{name}: expected a number below 1, got {number:g}")
    return number
