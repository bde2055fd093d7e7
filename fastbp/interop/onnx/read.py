"""What layer a node is: the way back from ``written``, and from what other exporters write."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import numpy as np
from onnx import AttributeProto, NodeProto, helper

from fastbp import layers
from fastbp.layers import Layer, Shape
from fastbp.layers.weighted import Weighted

Arrays = dict[str, np.ndarray]


class Found(NamedTuple):
    """A layer, and its numbers."""

    layer: Layer
    arrays: Arrays = {}  # noqa: RUF012 - nobody changes it
    with_last: bool = False  # it stands for the last layer and this node, which go together
    inside: tuple[Found, ...] = ()  # of one that is made of others


@dataclass
class Op:
    """A node of a chain: what flows through it is its only input that is no constant."""

    node: NodeProto
    constants: dict[int, np.ndarray]  # by the number of the input
    shape: Shape | None  # of a sample before it; None where any fits
    last: Found | None  # the layer before
    batch: int = 0  # how many samples shapes speak of
    attributes: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.attributes = {each.name: _value(each) for each in self.node.attribute}

    def refuse(self, reason: str) -> NoReturn:
        """Say why; the chain says of which node."""
        raise ValueError(reason)

    def need(self, true: bool, reason: str) -> None:
        """Refuse, unless something is so."""
        if not true:
            self.refuse(reason)

    def constant(self, place: int, what: str) -> np.ndarray:
        """The constant that comes in at a place."""
        self.need(place in self.constants, f"its {what} is no constant")
        return self.constants[place]

    def vector(self, place: int, what: str) -> np.ndarray:
        """The constant as a number for each column, or for each channel or number of an image."""
        array = self.constant(place, what)
        if self.shape is None:
            self.need(array.ndim == 1 or array.shape[:-1] == (1,), f"its {what} is {array.shape}")
            return array.reshape(-1)
        if array.size == 1:
            return np.repeat(array.reshape(-1), self.shape[0])
        behind = array.shape[1:] if array.ndim > len(self.shape) else array.shape
        channels = (self.shape[0], *[1] * (len(self.shape) - 1))
        fits = behind in (self.shape, channels) and array.size == math.prod(behind)
        self.need(fits, f"its {what} is {array.shape}, samples are {self.shape}")
        return array.reshape(-1)

    def is_first(self) -> None:
        """Refuse a constant where the samples should be."""
        self.need(0 not in self.constants, "expected the samples as its first input")


def _value(attribute: AttributeProto) -> Any:
    """An attribute: text, and what a float32 was before it was one, as 0.1."""
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return float(str(np.float32(value))) if isinstance(value, float) else value


Read = Callable[[Op], Found | None]


def plain(kind: type[Layer], **named: str) -> Read:
    """A layer whose settings are attributes of these names, where they are said."""

    def read(op: Op) -> Found:
        known = {name: op.attributes[a] for a, name in named.items() if a in op.attributes}
        return Found(kind(**known))

    return read


def nothing(op: Op) -> None:
    """A node that does nothing in use."""


def cast(op: Op) -> None:
    """Nothing, where it is one of real numbers to others."""
    kind = helper.tensor_dtype_to_np_dtype(op.attributes["to"])
    op.need(kind in (np.float32, np.float64), f"expected float32 or float64, got {kind}")


def clip(op: Op) -> Found:
    """ReLU, if it only takes what is above 0."""
    ends = [op.attributes.get(name, op.constants.get(k)) for k, name in ((1, "min"), (2, "max"))]
    no_end = ends[1] is None or np.isposinf(ends[1])
    op.need(ends[0] is not None and not np.any(ends[0]) and bool(no_end), "expected 0 to infinity")
    return Found(layers.ReLU())


def gemm(op: Op) -> Found:
    """Linear: alpha·X·W + beta·b, of which W may be transposed."""
    said = op.attributes
    op.is_first()
    op.need(not said.get("transA"), "transA is of the samples; expected X·W")
    w = op.constant(1, "W")
    w = (w.T if said.get("transB") else w) * w.dtype.type(said.get("alpha", 1))
    found = _linear(op, w)
    b = op.constants.get(2)
    return found if b is None else with_bias(op, found, b * b.dtype.type(said.get("beta", 1)))


def matmul(op: Op) -> Found:
    """Linear without b, which may be added next."""
    op.is_first()
    return _linear(op, op.constant(1, "W"))


def _linear(op: Op, w: np.ndarray) -> Found:
    op.need(w.ndim == 2, f"expected W (inputs, outputs), got {w.shape}")
    return Found(layers.Linear(w.shape[0], w.shape[1], bias=False), {"w": w})


def add(op: Op) -> Found:
    """The b of the layer before, or what is added to the samples."""
    place = 1 if 1 in op.constants else 0
    if op.last is not None and isinstance(op.last.layer, Weighted) and not op.last.layer.bias:
        return with_bias(op, op.last, op.constant(place, "b"))._replace(with_last=True)
    mean = -op.vector(place, "summand")
    return Found(layers.Standardize(mean, np.ones(len(mean))), {"mean": mean})


def with_bias(op: Op, found: Found, b: np.ndarray) -> Found:
    """The same layer, with a b."""
    is_dense = isinstance(found.layer, layers.Linear)
    w, said = found.arrays["w"], found.layer.said() | {"bias": True}
    shape = (w.shape[1],) if is_dense else (w.shape[0], 1, 1)
    try:
        full = np.broadcast_to(b, shape if b.ndim <= len(shape) else (1, *shape))
    except ValueError:
        op.refuse(f"expected b {shape}, got {b.shape}")
    return Found(type(found.layer)(**said), {"w": w, "b": full.reshape(-1)})


def subtract(op: Op) -> Found:
    """Standardize, whose deviation may come next."""
    op.is_first()
    mean = op.vector(1, "mean")
    return Found(layers.Standardize(mean, np.ones(len(mean))), {"mean": mean})


def divide(op: Op) -> Found:
    """The deviation of the Standardize before, or one of its own."""
    op.is_first()
    std = op.vector(1, "deviation")
    last = op.last
    joins = last is not None and last.arrays.keys() == {"mean"}
    mean = last.arrays["mean"] if last is not None and joins else np.zeros_like(std)
    op.need(len(mean) == len(std), f"{len(std)} deviations of {len(mean)} columns")
    return Found(layers.Standardize(mean, std), {"mean": mean, "std": std}, joins)


def scaler(op: Op) -> Found:
    """Standardize, of scikit-learn's StandardScaler: (X - offset)·scale."""
    mean, scale = (np.array(op.attributes[name], np.float32) for name in ("offset", "scale"))
    op.need(mean.shape == scale.shape and bool(scale.all()), "expected a scale for each offset")
    std = 1 / scale
    return Found(layers.Standardize(mean, std), {"mean": mean, "std": std})


def multiply(op: Op) -> Found:
    """Scale."""
    place = 1 if 1 in op.constants else 0
    rows = op.shape is None or len(op.shape) == 1
    op.need(rows, "images times numbers are no layer of fastbp")
    w = op.vector(place, "factor")
    return Found(layers.Scale(len(w)), {"w": w})


def batch_norm(op: Op) -> Found:
    """BatchNorm1d, or of images BatchNorm2d."""
    op.need(not op.attributes.get("training_mode"), "it is in training; export it as in use")
    names = {1: "w", 2: "b", 3: "running_mean", 4: "running_var"}
    arrays = {name: op.constant(place, name) for place, name in names.items()}
    is_images = op.shape is not None and len(op.shape) == 3
    kind = layers.BatchNorm2d if is_images else layers.BatchNorm1d
    return Found(kind(len(arrays["w"]), eps=op.attributes.get("epsilon", 1e-5)), arrays)


def layer_norm(op: Op) -> Found:
    """LayerNorm, over rows."""
    w = op.constant(1, "w")
    op.need(op.shape is None or len(op.shape) == 1, "expected rows, fastbp's LayerNorm is of those")
    op.need(op.attributes.get("axis", -1) in (-1, 1), "expected axis -1")
    b = op.constants.get(2, np.zeros_like(w))
    eps = op.attributes.get("epsilon", 1e-5)
    return Found(layers.LayerNorm(len(w), eps=eps), {"w": w, "b": b})


def log_softmax(op: Op) -> Found:
    """LogSoftmax, over rows."""
    softmax(op)
    return Found(layers.LogSoftmax())


def softmax(op: Op) -> None:
    """No layer: what it makes of scores is ``predict_proba``; over rows too."""
    op.need(op.attributes.get("axis", -1) in (-1, 1), "expected axis -1")
    op.need(op.shape is None or len(op.shape) == 1, "expected rows")
