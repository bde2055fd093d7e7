"""The plain chain by names: dense layers with one activation between them, as text describes it."""

import itertools
from collections.abc import Sequence
from typing import Any

from .initializers import Initializer
from .layers import ELU, Layer, Linear, LogSoftmax, ReLU, Sigmoid, Tanh
from .losses import CrossEntropyLoss, HingeLoss, Loss, NLLLoss
from .network import Sequential

ACTIVATIONS: dict[str, type[Layer]] = {"relu": ReLU, "elu": ELU, "tanh": Tanh, "sigmoid": Sigmoid}
LOSSES: dict[str, type[Loss]] = {
    "hinge": HingeLoss,
    "cross-entropy": CrossEntropyLoss,
    "nll": NLLLoss,
}


def dense_layers(sizes: Sequence[int], activation: str, loss: str) -> list[Layer]:
    """Linear layers of these sizes with an activation between them, ended as the loss wants it.

    The scores have no activation; the negative log-likelihood wants LogSoftmax on them.
    """
    layers: list[Layer] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs), ACTIVATIONS[activation]()]
    layers.pop()
    return [*layers, LogSoftmax()] if loss == "nll" else layers


def dense_network(
    sizes: Sequence[int], activation: str, loss: str, *, init: str | Initializer, **options: Any
) -> Sequential:
    """The network of those layers; options are Sequential's."""
    return Sequential(*dense_layers(sizes, activation, loss), init=init, **options)
