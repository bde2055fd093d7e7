"""What each layer is in NumPy: a table from its type to the call of its function.

A writer gets the layer and the shape of what comes in; it tells the function's name, arrays by
their names in the model, and what else the function takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastbp import layers
from fastbp.kernels.numbers import Column
from fastbp.layers import Layer, Shape


class Call(NamedTuple):
    """A function of ``mathematics``, and what it takes behind x."""

    function: str
    arrays: dict[str, np.ndarray] = {}  # noqa: RUF012 - which nobody changes
    others: tuple[Any, ...] = ()


Writer = Callable[[Any, Shape], Call | None]


def _elementwise(function: str, *settings: str) -> Writer:
    """A function of x and some of the layer's settings."""

    def write(layer: Layer, before: Shape) -> Call:
        return Call(function, others=tuple(getattr(layer, name) for name in settings))

    return write


def _weighted(layer: Any) -> dict[str, np.ndarray]:
    """W and b, which is 0 where there is none."""
    outputs = layer.w.shape[1 if isinstance(layer, layers.Linear) else 0]
    return {"w": layer.w, "b": layer.b if layer.bias else np.zeros(outputs, layer.w.dtype)}


def _along(before: Shape, *vectors: np.ndarray) -> list[np.ndarray]:
    """Vectors of columns, of channels or of all numbers, as they meet images."""
    shapes = (before, (before[0], *(1 for _ in before[1:])))
    return [vector.reshape(shapes[vector.size == before[0]]) for vector in vectors]


def _standardize(layer: layers.Standardize, before: Shape) -> Call:
    return Call(
        "standardize",
        dict(zip(("mean", "std"), _along(before, layer.mean, layer.std), strict=True)),
    )


def _batch_norm(layer: layers.BatchNorm1d, before: Shape) -> Call:
    arrays = {"running_mean": layer.running_mean, "running_var": layer.running_var}
    arrays |= _learned(layer, layer.affine, layer.num_features)
    each = dict(zip(arrays, _along(before, *arrays.values()), strict=True))
    return Call("batch_norm", each, (layer.eps,))


def _layer_norm(layer: layers.LayerNorm, before: Shape) -> Call:
    learned = _learned(layer, layer.elementwise_affine, layer.normalized_shape)
    return Call("layer_norm", learned, (layer.eps,))


def _learned(layer: Any, learned: bool, count: int) -> dict[str, np.ndarray]:
    """W and b, which are 1 and 0 where they are not learned."""
    if learned:
        return {"w": layer.w, "b": layer.b}
    return {"w": np.ones(count, layer.dtype), "b": np.zeros(count, layer.dtype)}


def _windows(layer: Any) -> tuple[Any, Any, Any]:
    """Kernel, stride and border, ((above, below), (left, right))."""
    columns = layer.columns()
    kernel, stride = (
        (columns[first], columns[first + 1]) for first in (Column.KERNEL, Column.STRIDE)
    )
    return kernel, stride, (*zip(*layer.border_sizes(), strict=True),)


def _conv(layer: layers.Conv2d, before: Shape) -> Call:
    return Call("conv2d", _weighted(layer), (*_windows(layer)[1:], layer.groups))


def _pool(function: str) -> Writer:
    return lambda layer, before: Call(function, others=_windows(layer))


def _nothing(layer: Layer, before: Shape) -> None:
    """Dropout, which is for training; and Residual, whose sum is no function."""


WRITERS: dict[type[Layer], Writer] = {
    layers.Linear: lambda layer, before: Call("linear", _weighted(layer)),
    layers.ReLU: _elementwise("relu"),
    layers.ELU: _elementwise("elu", "alpha"),
    layers.Tanh: _elementwise("tanh"),
    layers.Sigmoid: _elementwise("sigmoid"),
    layers.LeakyReLU: _elementwise("leaky_relu", "negative_slope"),
    layers.SELU: _elementwise("selu"),
    layers.SiLU: _elementwise("silu"),
    layers.Mish: _elementwise("mish"),
    layers.Softplus: _elementwise("softplus", "beta", "threshold"),
    layers.GELU: lambda layer, before: Call("gelu_tanh" if layer.approximate == "tanh" else "gelu"),
    layers.LogSoftmax: _elementwise("log_softmax"),
    layers.Dropout: _nothing,
    layers.Scale: lambda layer, before: Call("scale", {"w": layer.w}),
    layers.Standardize: _standardize,
    layers.BatchNorm1d: _batch_norm,
    layers.BatchNorm2d: _batch_norm,
    layers.LayerNorm: _layer_norm,
    layers.Conv2d: _conv,
    layers.MaxPool2d: _pool("max_pool2d"),
    layers.AvgPool2d: _pool("avg_pool2d"),
    layers.Flatten: _elementwise("flatten"),
    layers.Residual: _nothing,
}
