"""A network as plain data, for the engines that run whole epochs: one row of integers a layer.

Columns of a row: what kind of layer it is, its inputs, its outputs, and where its parameters
(w, then b) start in the flat vector. Every backend's engine reads the same program.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .custom import UserActivation, UserLoss
from .layers import ELU, Layer, Linear, LogSoftmax, ReLU, Sigmoid, Tanh
from .losses import CrossEntropyLoss, HingeLoss, Loss, MSELoss, NLLLoss
from .optimizers import SGD, Adam, AdamW, Optimizer

if TYPE_CHECKING:
    from .network import Sequential

# In the order of the enums in kernels/program.pxd. A subclass is a user's own layer: not listed.
KINDS: tuple[type[Layer], ...] = (Linear, ReLU, ELU, Tanh, Sigmoid, LogSoftmax)
LOSSES: tuple[type[Loss], ...] = (HingeLoss, CrossEntropyLoss, NLLLoss, MSELoss)
LINEAR, ELEMENTWISE = 0, range(1, 5)  # kinds
USER, USER_LOSS = len(KINDS), len(LOSSES)  # functions that users wrote
PLAIN, MOMENTUM, NESTEROV, ADAM, ADAMW = range(5)


class Program(NamedTuple):
    """What an engine runs."""

    rows: np.ndarray  # (layers, 4) int64: kind, inputs, outputs, start of the parameters
    alphas: np.ndarray  # (layers,) float64: ELU's α, 0 for other layers


class NotExpressible(Exception):  # noqa: N818 - no error: the layered loop takes over
    """A program cannot say this; the message says what."""


def compile_network(net: "Sequential", inputs: int) -> Program:
    """The program of a network whose samples have `inputs` columns."""
    rows, start, columns = [], 0, inputs
    for layer in net.layers:
        kind, outputs = _kind(layer), layer.outputs_for(columns) or columns
        rows.append((kind, columns, outputs, start))
        start += sum(int(np.prod(shape)) for shape in layer.parameter_shapes().values())
        columns = outputs
    alphas = [getattr(layer, "alpha", 0.0) for layer in net.layers]
    return Program(np.array(rows, np.int64), np.array(alphas))


def _kind(layer: Layer) -> int:
    """Which of KINDS it is, or USER."""
    if UserActivation in type(layer).__bases__:
        return USER
    if type(layer) not in KINDS:
        raise NotExpressible(f"{layer!r} is no built-in layer")
    return KINDS.index(type(layer))


def loss_number(loss: Loss) -> int:
    """Which of LOSSES it is, or USER_LOSS."""
    if UserLoss in type(loss).__bases__:
        return USER_LOSS
    if type(loss) not in LOSSES:
        raise NotExpressible(f"{loss!r} is no built-in loss")
    return LOSSES.index(type(loss))


def optimizer_settings(optimizer: Optimizer) -> tuple[int, list[float]]:
    """Which optimiser it is (the enum in kernels/program.pxd), and lr, μ or β1, β2, ε, decay."""
    if type(optimizer) is SGD:
        kind = PLAIN if optimizer.plain else NESTEROV if optimizer.nesterov else MOMENTUM
        return kind, [optimizer.lr, optimizer.momentum, 0.0, 0.0, optimizer.weight_decay]
    if type(optimizer) in (Adam, AdamW):
        o: Adam = optimizer  # type: ignore[assignment]
        kind = ADAM if type(optimizer) is Adam else ADAMW
        return kind, [o.lr, o.beta1, o.beta2, o.epsilon, o.weight_decay]
    raise NotExpressible(f"{optimizer!r} is no built-in optimiser")


def user_code(
    kernels: Any, net: "Sequential", loss: Loss | None = None
) -> tuple[list[Any], list[int]]:
    """The machine code of functions that users wrote, and its addresses for an engine's choices.

    The loss's address comes first, and then two for each layer; 0 for what is built in.
    """
    parts, addresses = [loss, *net.layers], [[0], *([0, 0] for _ in net.layers)]
    codes = []
    for position, part in enumerate(parts):
        if isinstance(part, (UserActivation, UserLoss)):
            if not hasattr(kernels, "compile_activation"):
                raise NotExpressible(
                    f"{part!r} is a user's own function, which only the numba backend fuses"
                )
            codes.append(part.code(net.dtype))
            addresses[position] = codes[-1].addresses
    return codes, [address for group in addresses for address in group]
