"""A network before it has parameters, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastbp._checks import as_dtype, as_number
from fastbp.datasets import Dataset, Shards
from fastbp.layers import BUILT_IN, Conv2d, Linear, LogSoftmax, Shape
from fastbp.layers.data import INSIDE, as_data, from_data
from fastbp.layers.nesting import places
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.schedules import Schedule
from fastbp.training import EarlyStopping

from ._keys import KEYS, NONE, PARTS, Part, chosen

# What a layer takes, which it need not be told where layers come before it.
TAKES = {
    "Linear": "inputs",
    "Conv2d": "in_channels",
    "BatchNorm1d": "num_features",
    "BatchNorm2d": "num_features",
    "LayerNorm": "normalized_shape",
    "Scale": "num_features",
}
NTK = "ntk"  # a rate by a layer's inputs, in place of an lr_factor
PROBLEMS = (ValueError, TypeError, OverflowError)  # what wrong settings of layers come to
ON_IMAGES = ("Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d")


@dataclass(frozen=True)
class Model:
    """A network before it has parameters, and how it is trained.

    Attributes
    ----------
    name : str
        Of the model, as in "lenet".
    layers : tuple of dict
        Each layer's ``type`` and settings. ``inputs`` and ``in_channels`` may be left out, and the
        ``outputs`` of the last Linear, in the network and in a Residual. The ``lr_factor`` of a
        Linear may be "ntk", which stands for 1/√inputs of W, and 1 of b.
    input_shape : (channels, height, width), optional
        Of one sample, for networks on images.
    init, dtype, loss, optimizer, schedule : str
        By their names.
    options, loss_options, schedule_options : dict
        Settings of the optimiser beside its rate, of the loss and of the schedule.
    validation, class_weight, clip_norm, clip_value, l2, max_seconds
        As ``fit`` takes them; None for what is not said.
    early_stopping : int, optional
        The patience.
    metrics : {"epoch", "running", "none"}
    source : str
        What error messages call it: the name, or the file.

    Examples
    --------
    >>> model = fb.models.read("lenet")
    >>> net = model.build(features=784, classes=10, seed=0)
    >>> history = fb.fit(net, train.first(32), **model.fit_arguments() | {"epochs": 1})
    """

    name: str
    layers: tuple[dict[str, Any], ...]
    input_shape: Shape | None = None
    init: str = "uniform"
    dtype: str = "float32"
    loss: str = "cross-entropy"
    optimizer: str = "sgd"
    lr: float = 0.01
    batch_size: int = 32
    epochs: int = 10
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    loss_options: dict[str, Any] = field(default_factory=dict)
    schedule: str = NONE
    schedule_options: dict[str, Any] = field(default_factory=dict)
    validation: float | None = None
    early_stopping: int | None = None
    class_weight: str | list[float] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    l2: float | None = None
    max_seconds: float | None = None
    metrics: str = "epoch"

    def fitted(self, features: int, classes: int) -> Model:
        """The model with every size filled in, for samples of so many numbers and so many classes.

        A model for the negative log-likelihood that has no LogSoftmax at its end gets one.

        Raises
        ------
        ValueError, TypeError
            If the layers don't fit each other or the data, or a setting is wrong; the message has
            the model's source and the layer's position, from 1.
        """
        try:
            return replace(self, layers=tuple(self._fitted_rows(features, classes)))
        except PROBLEMS as problem:
            raise placed(problem, self.source) from None

    def build(self, features: int, classes: int, seed: int | None = None) -> Sequential:
        """The network, with its starting parameters; see ``fitted`` for arguments and errors."""
        rows = self.fitted(features, classes).layers
        try:
            return Sequential(
                *(from_data(row, BUILT_IN) for row in rows),
                input_shape=self.input_shape,
                init=self.init,
                seed=self.seed if seed is None else seed,
                dtype=self.dtype,
            )
        except PROBLEMS as problem:
            raise placed(problem, self.source) from None

    def outputs_for(self, train: Dataset | Shards) -> int:
        """How many scores the loss takes for such data.

        Raises
        ------
        ValueError
            If it does not go with them.
        """
        loss, kind = self.make_loss(), "values" if train.values else "classes"
        try:
            outputs = train.targets if train.values else loss.outputs_for(train.classes)
            some = train.head if isinstance(train, Shards) else train
            loss.check_target(some.y, len(some), outputs, as_dtype(self.dtype))
        except (TypeError, ValueError) as problem:
            advice = "" if train.values else "; --values reads them as numbers"
            raise ValueError(
                f"loss {self.loss} does not go with data of {kind}: {problem}{advice}"
            ) from None
        return outputs

    def make_loss(self) -> Loss:
        """What is minimised."""
        loss: Loss = self._made(PARTS[0])
        return loss

    def make_optimizer(self) -> Optimizer:
        """How."""
        optimizer: Optimizer = self._made(PARTS[1], lr=self.lr)
        return optimizer

    def make_schedule(self) -> Schedule | None:
        """What the rate is multiplied by, if anything."""
        schedule: Schedule | None = self._made(PARTS[2])
        return schedule

    def _made(self, part: Part, **more: Any) -> Any:
        kind = chosen(part.known, getattr(self, part.name), f"{self.source}: {part.name}")
        return None if kind is None else kind(**more, **getattr(self, part.options))

    def fit_arguments(self) -> dict[str, Any]:
        """How it is trained: what ``fit`` takes beside the network, the data and who watches.

        Loss, optimiser and schedule are made anew. Where no share of the training data is kept
        back there is no ``validation`` among them.
        """
        names = {*KEYS} - {"lr", "early_stopping", "metrics"}
        found = {name: value for name in names if (value := getattr(self, name)) is not None}
        patience = self.early_stopping
        return found | {
            "loss": self.make_loss(),
            "optimizer": self.make_optimizer(),
            "schedule": self.make_schedule(),
            "early_stopping": None if patience is None else EarlyStopping(patience=patience),
            "metrics": None if self.metrics == NONE else self.metrics,
        }

    def as_data(self) -> dict[str, Any]:
        """The model as the tables of its TOML file."""
        network: dict[str, Any] = {"model": self.name}
        if self.input_shape is not None:
            network["input_shape"] = list(self.input_shape)
        network |= {"init": self.init, "dtype": self.dtype, "layers": list(self.layers)}
        names = [*(part.name for part in PARTS), *KEYS]
        training = {n: value for n in names if (value := getattr(self, n)) is not None}
        for part in PARTS:
            training |= getattr(self, part.options)
        return {"network": network, "training": training}

    def _fitted_rows(self, features: int, classes: int) -> list[dict[str, Any]]:
        rows, shape = _filled_rows(self.layers, self._start(features), classes)
        if len(shape) > 1:
            raise ValueError(f"images {_size(shape)} come out of it: end with Flatten and Linear")
        if shape != (classes,):
            raise ValueError(
                f"{shape[0]} scores come out of it, but there are {classes} classes or values"
            )
        if self.loss == "nll" and rows[-1]["type"] != LogSoftmax.__name__:
            rows.append(as_data(LogSoftmax()))
        return rows

    def _start(self, features: int) -> Shape:
        """The shape of a sample."""
        if self.input_shape is None:
            return (features,)
        if math.prod(self.input_shape) != features:
            size = math.prod(self.input_shape)
            raise ValueError(
                f"takes images {_size(self.input_shape)}, which are {size} numbers, but the data "
                f"has {features} features"
            )
        return self.input_shape


def placed(problem: Exception, where: str) -> ValueError | TypeError:
    """The same problem, and where it was."""
    kind = TypeError if isinstance(problem, TypeError) else ValueError
    return kind(f"{where}: {problem}")


def multiply_adds(net: Sequential) -> list[int]:
    """Those of a forward pass of one sample, of each layer that has weights.

    Examples
    --------
    >>> fb.models.multiply_adds(net)  # 4·8 + 8·3
    [32, 24]
    """
    return [
        # Each number that comes out takes as many as one unit, or one filter, has weights.
        math.prod(shape or ())
        * layer.w.size
        // (layer.outputs if isinstance(layer, Linear) else layer.out_channels)
        for _, layer, _, shape in places(net.layers, net.input_shape)
        if isinstance(layer, (Linear, Conv2d)) and layer.w is not None
    ]


def _filled_rows(
    rows: Sequence[dict[str, Any]], shape: Shape, outputs: int
) -> tuple[list[dict[str, Any]], Shape]:
    """Rows with every size filled in, for samples of this shape, and the shape behind them.

    The last Linear has so many outputs, unless it says so itself.
    """
    found, last = [], max((k for k, row in enumerate(rows) if _is_linear(row)), default=0)
    for position, row in enumerate(rows):
        try:
            row = _filled(row, shape, outputs if position == last else None)
            shape = from_data(row, BUILT_IN).output_shape(shape) or shape
        except PROBLEMS as problem:
            raise placed(problem, f"layer {position + 1}") from None
        found.append(row)
    return found, shape


def _is_linear(row: dict[str, Any]) -> bool:
    return bool(row["type"] == "Linear")


def _filled(row: dict[str, Any], shape: Shape, outputs: int | None) -> dict[str, Any]:
    """A layer's row with the sizes that follow from what comes in, and from the data."""
    kind = row["type"]
    if INSIDE in row:  # of which comes out what goes in
        row = row | {INSIDE: _filled_rows(row[INSIDE], shape, shape[0])[0]}
    if kind == "Linear" and len(shape) > 1:
        raise ValueError(f"Linear takes rows, but images {_size(shape)} come in: put Flatten first")
    if kind in ON_IMAGES and len(shape) == 1:
        raise ValueError(
            f"{kind} takes images, but rows of {shape[0]} numbers come in: the network needs "
            "input_shape = [channels, rows, columns]"
        )
    if kind in TAKES:
        row = {TAKES[kind]: shape[0]} | row
    if kind == "Linear" and outputs is not None:
        row = {"outputs": outputs} | row
    if kind == "Linear" and row.get("lr_factor") == NTK:
        row = row | _by_inputs(shape[0], row.get("bias_lr_factor", 1.0))
    names = ("type", *BUILT_IN[kind].settings)
    return {name: row[name] for name in names if name in row} | row


def _by_inputs(inputs: int, of_bias: Any) -> dict[str, float]:
    """Factors of the rates in the neural tangent parametrisation, which takes W as V/√inputs."""
    root = math.sqrt(inputs)
    of_bias = as_number(of_bias, "Linear bias_lr_factor", least=0)
    return {"lr_factor": 1 / root, "bias_lr_factor": of_bias * root}


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape))
