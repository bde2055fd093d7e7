"""Optimisers: how the parameters follow the gradient.

Conventions are PyTorch's: weight decay adds decay·θ to the gradient (AdamW shrinks θ instead), and
momentum collects gradients, not steps. Rates and all other numbers may be changed at any time; they
are checked like the constructor's, and count from the next step on.

What an optimiser remembers belongs to the network that it steps: for another network it starts
afresh. ``reset`` forgets it. A pickled or copied optimiser keeps what it remembers, for the first
network that it steps then.
"""

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._settings import Count, Number
from .backends import kernels
from .kernels.numbers import OptimizerKind, Setting

if TYPE_CHECKING:
    from .network import Sequential


class Optimizer:
    """What all optimisers share: a learning rate, and vectors they remember between steps.

    Attributes
    ----------
    steps : int
        Taken with the network that it remembers.
    memory : tuple of (parameters,) ndarray
        What it remembers of them: ``states`` vectors.
    """

    states: ClassVar[int] = 0  # how many vectors
    kind: ClassVar[OptimizerKind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # on the command line and in models

    lr = Number(above=0)
    steps = Count(least=0)
    _net: "weakref.ref[Sequential] | None" = None  # whose memory it is; None for whoever comes

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.steps = 0
        self.memory: tuple[np.ndarray, ...] = ()

    def step(self, net: "Sequential") -> None:
        """Move the network's parameters by the gradients of its last backward pass."""
        if not net.params.flags.writeable:
            raise ValueError(
                f"{self!r}: the parameters are read-only, for the network is frozen (train a "
                "copy, net.copy()) or an engine is in the middle of an epoch"
            )
        self.remember(net)
        self.steps += 1
        self.update(net)

    def update(self, net: "Sequential") -> None:
        """One call of the optimiser's kernel."""
        raise NotImplementedError

    def remember(self, net: "Sequential") -> None:
        """Make the vectors to remember for this network, all 0, if there are none of it yet."""
        if self._net is None or self._net() is not net:
            if self._net is not None:
                self.reset()
            self._net = weakref.ref(net)
        params, states = net.params, self.states
        if not self.memory:
            self.memory = tuple(np.zeros_like(params) for _ in range(states))
        if not states:  # what it remembers is kept for when it is wanted again
            return
        if len(self.memory) != states or len({id(vector) for vector in self.memory}) != states:
            raise ValueError(
                f"{self!r}.memory: expected {states} vectors, each its own; got "
                f"{len(self.memory)}: reset() it"
            )
        for vector in self.memory:
            if not (
                type(vector) is np.ndarray
                and (vector.shape, vector.dtype) == (params.shape, params.dtype)
                and vector.flags.carray
            ):
                raise ValueError(
                    f"{self!r}.memory: expected {params.dtype} vectors {params.shape}, as the "
                    f"network's parameters; got {getattr(vector, 'dtype', type(vector).__name__)} "
                    f"{np.shape(vector)}: make a new one, or reset() it"
                )

    def numbers(self) -> dict[Setting, float]:
        """The real numbers that an engine must know of it."""
        return {Setting.LR: self.lr}

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.steps, self.memory, self._net = 0, (), None

    def __getstate__(self) -> dict[str, Any]:
        """Pickled and copied with a memory of its own."""
        memory = tuple(np.array(vector) for vector in self.memory)
        return vars(self) | {"memory": memory, "_net": None}

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


# By the names that text has for them.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    value.name: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
}
