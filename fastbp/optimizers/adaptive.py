"""Steps scaled by what the gradient's squares come to, in a running mean or in all."""

from fastbp._hints import Also
from fastbp._settings import Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import OptimizerKind, Setting

from .base import Optimizer, Part

__all__ = ["Adagrad", "RMSprop"]


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
    decay_biases : bool
        False spares biases and what norms learn: λ is 0 for them.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.RMSprop(lr=0.01), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    states = 2
    kind, name = OptimizerKind.RMSPROP, "rmsprop"
    alpha, momentum = Number(least=0, below=1), Number(least=0, below=1)
    epsilon, eps = Number(above=0), Also("epsilon")

    def __init__(
        self,
        lr: float = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases)
        self.alpha, self.epsilon, self.momentum = alpha, epsilon, momentum

    def update(self, part: Part) -> None:
        """Call rmsprop_step."""
        rates = part.lr, self.alpha, self.epsilon, self.momentum, part.decay
        kernels().rmsprop_step(part.grads, *rates, part.params, *part.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, λ, α, ε and μ."""
        return super().numbers() | {
            Setting.BETA2: self.alpha,
            Setting.EPSILON: self.epsilon,
            Setting.MU: self.momentum,
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
    decay_biases : bool
        False spares biases and what norms learn: λ is 0 for them.

    Examples
    --------
    >>> history = fb.fit(net, x, y, optimizer=fb.Adagrad(lr=0.1), epochs=20)
    >>> history["train_loss"][-1] < history["train_loss"][0]
    True
    """

    states = 1
    kind, name = OptimizerKind.ADAGRAD, "adagrad"
    epsilon, eps = Number(above=0), Also("epsilon")
    lr_decay, initial_accumulator_value = Number(least=0), Number(least=0)

    def __init__(
        self,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        decay_biases: bool = True,
    ) -> None:
        super().__init__(lr, weight_decay, decay_biases)
        self.lr_decay, self.epsilon = lr_decay, epsilon
        self.initial_accumulator_value = initial_accumulator_value

    @property
    def first_memory(self) -> float:  # type: ignore[override]
        """What v starts from."""
        return self.initial_accumulator_value

    def update(self, part: Part) -> None:
        """Call adagrad_step."""
        rates = part.lr, self.lr_decay, self.epsilon, part.decay, float(self.steps)
        kernels().adagrad_step(part.grads, *rates, part.params, *part.memory)

    def numbers(self) -> dict[Setting, float]:
        """η, λ, d and ε."""
        return super().numbers() | {
            Setting.LR_DECAY: self.lr_decay,
            Setting.EPSILON: self.epsilon,
        }
