"""Optimisers: how the parameters follow the gradient."""

from ._checks import as_number
from .backends import kernels
from .network import Sequential


class SGD:
    """Plain minibatch stochastic gradient descent: θ ← θ - η·dl/dθ.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0.
    """

    def __init__(self, lr: float) -> None:
        self.lr = as_number(lr, "SGD lr", above=0)

    def step(self, net: Sequential) -> None:
        """Move the network's parameters by the gradients of its last backward pass."""
        kernels().sgd_step(net.grads, self.lr, net.params)

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr:g})"
