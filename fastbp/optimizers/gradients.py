"""What engines take in an optimiser's place where nothing is to be moved."""

from fastbp.kernels.numbers import OptimizerKind

from .base import Optimizer, Part

__all__ = ["Gradients"]


class Gradients(Optimizer):
    """No step: the sum of all gradients, each times ``lr``, its batch's share of the samples.

    The sum is its memory. That of layers which are not trained stays 0.
    """

    states = 1
    kind = OptimizerKind.GRADIENT

    def update(self, part: Part) -> None:
        """Add the gradients, whatever factors the layers' rates have."""
        total = part.memory[0]
        total += part.rate * part.grads
