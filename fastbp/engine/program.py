"""A network as plain data, for the engines that run whole epochs: one row of integers a layer.

Columns of a row: what kind of layer it is, its inputs, its outputs, and where its parameters
(w, then b) start in the flat vector; then, of convolution and pooling, the sizes of images and
windows; then, of dropout, what its masks come from. Every backend's engine reads the same program.

With such layers a program has two parts: rows on images, and after FLATTEN rows on rows. Without
them images are no different from rows, and Flatten is nothing.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp.backends import active
from fastbp.custom import UserActivation, UserLoss
from fastbp.layers import (
    ELU,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Shape,
    Sigmoid,
    Tanh,
)
from fastbp.losses import CrossEntropyLoss, HingeLoss, Loss, MSELoss, NLLLoss
from fastbp.optimizers import SGD, Adam, AdamW, Optimizer

if TYPE_CHECKING:
    from fastbp.network import Sequential

# In the order of the enums in kernels/program.pxd. A subclass is a user's own layer: not listed.
KINDS: tuple[type[Layer], ...] = (
    Linear, ReLU, ELU, Tanh, Sigmoid, LogSoftmax, Dropout, Conv2d, MaxPool2d, AvgPool2d, Flatten,
)  # fmt: skip
BUILT_IN: dict[str, type[Layer]] = {kind.__name__: kind for kind in KINDS}
LOSSES: tuple[type[Loss], ...] = (HingeLoss, CrossEntropyLoss, NLLLoss, MSELoss)
LINEAR, ELEMENTWISE = 0, range(1, 5)  # kinds
DROPOUT, CONV, MAX_POOL, AVG_POOL, FLATTEN = range(6, 11)
USER, USER_LOSS = len(KINDS), len(LOSSES)  # functions that users wrote
PLAIN, MOMENTUM, NESTEROV, ADAM, ADAMW = range(5)
WITH_IMAGES = {"cython", "numba"}
COLUMNS, SEED, MASKS = 18, 16, 17  # of a program's row, as in kernels/program.pxd


class Program(NamedTuple):
    """What an engine runs."""

    rows: np.ndarray  # (layers, COLUMNS) int64
    values: np.ndarray  # (layers,) float64: ELU's α, Dropout's p, 0 for other layers
    layers: tuple[Layer, ...]  # the layer of each row
    dtype: np.dtype

    @property
    def on_images(self) -> bool:
        """Whether it has rows on images."""
        return bool((self.rows[:, 0] == FLATTEN).any())

    def set_masks(self) -> None:
        """Take over the number of dropout's next step."""
        self.rows[:, MASKS] = [getattr(layer, "step", 0) for layer in self.layers]


class NotExpressible(Exception):  # noqa: N818 - no error: the layered loop takes over
    """A program cannot say this; the message says what."""


def compile_network(net: "Sequential", inputs: int, training: bool = False) -> Program:
    """The program of a network whose samples have `inputs` columns; dropout is for training."""
    rows, layers, start = [], [], 0
    shape: Shape = net.input_shape or (inputs,)
    on_images = any(isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d)) for layer in net.layers)
    for layer in net.layers:
        kind, behind = _kind(layer), layer.output_shape(shape) or shape
        idle = (kind == FLATTEN and (not on_images or len(shape) == 1)) or (
            kind == DROPOUT and not training
        )
        if not idle:
            sizes = math.prod(shape), math.prod(behind), start
            seed = getattr(layer, "seed", 0)
            rows.append((kind, *sizes, *_images(layer, shape, behind), seed, 0))
            layers.append(layer)
        start += sum(math.prod(s) for s in layer.parameter_shapes().values())
        shape = behind
    if len(shape) > 1:
        raise NotExpressible(f"images {shape} come out of it")
    if active().name not in WITH_IMAGES and any(DROPOUT <= row[0] <= FLATTEN for row in rows):
        raise NotExpressible(f"the {active().name} engine has no such rows yet")
    if not rows:
        raise NotExpressible("it computes nothing")
    values = [getattr(layer, "alpha", getattr(layer, "p", 0.0)) for layer in layers]
    return Program(np.array(rows, np.int64), np.array(values), tuple(layers), net.dtype)


def _images(layer: Layer, shape: Shape, behind: Shape) -> tuple[int, ...]:
    """Images before and behind a window, and the window; zeros for other layers."""
    if not isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d)):
        return (0,) * 12
    window = (layer._kernel, layer._stride, layer._padding)
    return (*shape, *behind, *(int(n) for pair in window for n in pair))


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
    kernels: Any, program: Program, loss: Loss | None = None
) -> tuple[list[Any], list[int]]:
    """The machine code of functions that users wrote, and its addresses for an engine's choices.

    The loss's address comes first, and then two for each row; 0 for what is built in.
    """
    parts = [loss, *program.layers]
    addresses, codes = [[0], *([0, 0] for _ in program.layers)], []
    for position, part in enumerate(parts):
        if isinstance(part, (UserActivation, UserLoss)):
            if not hasattr(kernels, "compile_activation"):
                raise NotExpressible(
                    f"{part!r} is a user's own function, which only the numba backend fuses"
                )
            codes.append(part.code(program.dtype))
            addresses[position] = codes[-1].addresses
    return codes, [address for group in addresses for address in group]
