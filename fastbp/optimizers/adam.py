"""Adam and its kin: steps scaled by running means of the gradient and of its square."""

import math

from fastbp._hints import Also
from fastbp._settings import Flag, Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import OptimizerKind, Setting

from .base import Optimizer, Part

__all__ = ["Adam", "AdamW", "NAdam"]


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): steps scaled by running means of the gradient and its square.

    θ ← θ - η·m' / (√v' + ε), where m' = m / (1 - β1^t) and v' = v / (1 - β2^t) in step t.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    beta1, beta2 : float
        How slowly the two means forget; from 0 to below 1.
    epsilon : float
        Added to the root, > 0.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    decay_biases : bool
        False spares biases and what norms learn: λ is 0 for them.
    epsilon_outside : bool
        True adds ε outside of the correction, to √v: θ ← θ - η·√(1 - β2^t)·m' / (√v + ε), as in
        section 2 of the paper and in TensorFlow and scikit-learn; False as PyTorch.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.Adam(lr=0.01), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    states = 2
    kind, name = OptimizerKind.ADAM, "adam"
    beta1, beta2 = Number(least=0, below=1), Number(least=0, below=1)
    epsilon, eps = Number(above=0), Also("epsilon")
    epsilon_outside = Flag()

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
        epsilon_outside: bool = False,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.epsilon_outside = epsilon_outside

    def update(self, part: Part) -> None:
        """Call adam_step."""
        kernels().adam_step(part.grads, *self._settings(part), part.params, *part.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, λ, β1, β2 and ε, and where that stands."""
        return super().numbers() | {
            Setting.BETA1: self.beta1,
            Setting.BETA2: self.beta2,
            Setting.EPSILON: self.epsilon,
            Setting.EPSILON_OUTSIDE: self.epsilon_outside,
        }

    def _settings(self, part: Part) -> tuple[float, ...]:
        step = float(self.steps)
        # Beside √v' it is ε / √(1 - β2^t), which comes to the same.
        root = math.sqrt(1 - self.beta2**step) if self.epsilon_outside else 1.0
        return part.lr, self.beta1, self.beta2, self.epsilon / root, part.decay, step


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): θ shrinks by η·λ each step.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.AdamW(lr=0.01, weight_decay=0.1), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    kind, name = OptimizerKind.ADAMW, "adamw"

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        decay_biases: bool = True,
        epsilon_outside: bool = False,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay, decay_biases, epsilon_outside)

    def update(self, part: Part) -> None:
        """Call adamw_step."""
        kernels().adamw_step(part.grads, *self._settings(part), part.params, *part.memory)


class NAdam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016), as PyTorch's.

    θ ← θ - η·((1 - μ)/(1 - Π)·g + μ'/(1 - Π·μ')·m) / (√v' + ε), where m and v are Adam's, v' is
    corrected for the step t, μ = β1·(1 - 0.96^(t·ψ)/2), μ' that of step t + 1, and Π the product of
    all μ up to step t.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    beta1, beta2 : float
        How slowly the two means forget; from 0 to below 1.
    epsilon : float
        Added to the root, > 0.
    weight_decay : float
        λ >= 0 in g = dl/dθ + λ·θ.
    momentum_decay : float
        ψ >= 0.
    decay_biases, epsilon_outside : bool
        As Adam's.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.NAdam(lr=0.01), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
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
        decay_biases: bool = True,
        epsilon_outside: bool = False,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay, decay_biases, epsilon_outside)
        self.momentum_decay = momentum_decay

    def update(self, part: Part) -> None:
        """Call nadam_step."""
        *rates, step = self._settings(part)
        psi = self.momentum_decay
        kernels().nadam_step(part.grads, *rates, psi, step, part.params, *part.memory)

    def numbers(self) -> dict[Setting, float]:
        """Adam's, and ψ."""
        return super().numbers() | {Setting.MU_DECAY: self.momentum_decay}
