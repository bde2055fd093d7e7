"""A network as plain data, for the engines that run whole epochs: one row of integers a layer.

Columns of a row (``fastbp.kernels.numbers.Column``): what kind of layer it is, its inputs, its
outputs, and where its parameters (w, then b) start in the flat vector; then, on images, the sizes
of images and windows; then, of dropout, what its masks come from; then how many parameters that are
vectors and how many buffers it has, and where those start in theirs. Every backend's engine reads
the same program. What a row says about its layer the layer says itself. A Residual is two rows
around those of its layers: a FORK, where its shortcut starts, and an ADD, where it ends.

With convolution, pooling or BatchNorm2d a program has two parts: rows on images, and after FLATTEN
rows on rows. Without them images are no different from rows, and Flatten is nothing.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp.backends import active
from fastbp.custom import UserActivation, UserLoss
from fastbp.kernels.numbers import Column, Kind, Value
from fastbp.layers import BUILT_IN, BatchNorm2d, Layer, Shape
from fastbp.layers.nesting import every_layer
from fastbp.losses import Loss

if TYPE_CHECKING:
    from fastbp.network import Sequential


WINDOWS = (Kind.CONV, Kind.MAX_POOL, Kind.AVG_POOL)
SIZES = (  # of images before a layer and behind it
    Column.CHANNELS,
    Column.HEIGHT,
    Column.IMAGE_WIDTH,
    Column.OUT_CHANNELS,
    Column.OUT_HEIGHT,
    Column.OUT_IMAGE_WIDTH,
)


class NotExpressible(Exception):  # noqa: N818 - no error: the layered loop takes over
    """A program cannot say this; the message says what."""


class Program(NamedTuple):
    """What an engine runs."""

    rows: np.ndarray  # (layers, COLUMNS) int64
    values: np.ndarray  # (layers, VALUE_COLUMNS) float64
    layers: tuple[Layer, ...]  # the layer of each row
    dtype: np.dtype

    @property
    def kinds(self) -> np.ndarray:
        """What each row is."""
        return self.rows[:, Column.KIND]

    @property
    def on_images(self) -> bool:
        """Whether it has rows on images."""
        return Kind.FLATTEN in self.kinds.tolist()

    @property
    def lowest(self) -> int:
        """The first row that takes steps."""
        trained = [row for row, layer in enumerate(self.layers) if layer.is_trained]
        return min(trained, default=len(self.layers))

    def read_layers(self, decay_biases: bool = True) -> None:
        """Take over from the layers what may have changed: their numbers, and their steps."""
        for row, values, layer in zip(self.rows, self.values, self.layers, strict=True):
            for column, integer in layer.columns().items():
                row[column] = integer
            for place, number in layer.numbers().items():
                values[place] = number
            row[Column.FROZEN] = not layer.trainable
            values[Value.LR_FACTOR] = layer.lr_factor
            values[Value.BIAS_LR_FACTOR] = layer.bias_lr_factor
            values[Value.DECAYS] = decay_biases or "w" not in layer.undecayed
            values[Value.BIAS_DECAYS] = decay_biases or "b" not in layer.undecayed


def compile_network(net: "Sequential", inputs: int, training: bool = False) -> Program:
    """The program of a network whose samples have `inputs` columns; dropout is for training."""
    compiler = _Compiler(net.layers, training)
    shape = compiler.add(net.layers, net.input_shape or (inputs,))
    if len(shape) > 1:
        raise NotExpressible(f"images {shape} come out of it")
    if compiler.on_images and not active().can("images"):
        raise NotExpressible(f"the {active().name} engine has no rows on images")
    if not compiler.rows:
        raise NotExpressible("it computes nothing")
    values = np.zeros((len(compiler.rows), Value.VALUE_COLUMNS))
    program = Program(np.array(compiler.rows), values, tuple(compiler.layers), net.dtype)
    program.read_layers()
    return program


class _Compiler:
    """Makes the rows of layers, one after another, and of those inside them."""

    def __init__(self, layers: Sequence[Layer], training: bool) -> None:
        self.on_images = any(
            kind_of(layer, BUILT_IN, "layer") in WINDOWS or isinstance(layer, BatchNorm2d)
            for layer in every_layer(layers)
        )
        self.training = training
        self.rows: list[np.ndarray] = []
        self.layers: list[Layer] = []  # the layer of each row
        self.start = self.first_buffer = 0  # of the next layer

    def add(self, layers: Sequence[Layer], shape: Shape) -> Shape:
        """The rows of layers for samples of this shape; returns the shape behind them."""
        for layer in layers:
            kind, behind = kind_of(layer, BUILT_IN, "layer"), layer.output_shape(shape) or shape
            if kind == Kind.ADD:
                self._add_residual(layer, shape)
            elif not self._is_idle(kind, shape):
                self._add_row(kind, layer, shape, behind)
            self.start += sum(math.prod(s) for s in layer.parameter_shapes().values())
            self.first_buffer += sum(math.prod(s) for s in layer.buffer_shapes().values())
            shape = behind
        return shape

    def _is_idle(self, kind: int, shape: Shape) -> bool:
        """Whether a layer of a kind does nothing here."""
        if kind == Kind.FLATTEN:
            return not self.on_images or len(shape) == 1
        return kind == Kind.DROPOUT and not self.training

    def _add_residual(self, layer: Layer, shape: Shape) -> None:
        """A FORK, the rows of the layers inside, and an ADD."""
        fork = self._add_row(Kind.FORK, layer, shape, shape)
        self.add(layer.layers, shape)
        end = self._add_row(Kind.ADD, layer, shape, shape)
        self.rows[fork][Column.PARTNER], self.rows[end][Column.PARTNER] = end, fork

    def _add_row(self, kind: int, layer: Layer, shape: Shape, behind: Shape) -> int:
        self.rows.append(_row(kind, shape, behind, self.start, self.first_buffer))
        self.layers.append(layer)
        return len(self.rows) - 1


def _row(kind: int, shape: Shape, behind: Shape, start: int, first_buffer: int) -> np.ndarray:
    """A layer's row, but for what only the layer knows."""
    row = np.zeros(Column.COLUMNS, np.int64)
    row[Column.KIND] = kind
    row[Column.INPUTS], row[Column.OUTPUTS] = math.prod(shape), math.prod(behind)
    row[Column.PARAMS], row[Column.FIRST_BUFFER] = start, first_buffer
    if len(shape) == len(behind) == 3:
        row[list(SIZES)] = *shape, *behind
    return row


def kind_of(part: Any, known: Mapping[str, type], what: str) -> int:
    """What engines know a layer, a loss or an optimiser by."""
    # A subclass of what is built in is a user's own, which may do anything.
    if type(part) in known.values() or {UserActivation, UserLoss} & {*type(part).__bases__}:
        return int(part.kind)
    raise NotExpressible(f"{part!r} is no built-in {what}")


def user_code(program: Program, loss: Loss | None = None) -> tuple[list[Any], list[int]]:
    """The machine code of functions that users wrote, and its addresses for an engine's choices.

    The loss's address comes first, and then two for each row; 0 for what is built in.
    """
    parts = [loss, *program.layers]
    addresses, codes = [[0], *([0, 0] for _ in program.layers)], []
    for position, part in enumerate(parts):
        if isinstance(part, (UserActivation, UserLoss)):
            if not active().can("user_code"):
                raise NotExpressible(
                    f"{part!r} is a user's own function, which only the numba backend fuses"
                )
            codes.append(part.code(program.dtype))
            addresses[position] = codes[-1].addresses
    return codes, [address for group in addresses for address in group]
