"""What each layer is in C: a table from a layer's type to what writes its step.

A writer gets the layer and how many numbers, and of what shape, go in and come out. None stands for
layers that do nothing to a sample in use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastbp import layers
from fastbp.layers import Layer, Shape

from .images import avg_pool, conv, max_pool
from .numbers import literal, padded
from .step import Step, each_column

Writer = Callable[[Any, Shape, Shape], Step | None]


def _elementwise(function: str, *settings: str) -> Writer:
    """A function of FUNCTIONS for each number, with some of the layer's settings."""

    def write(layer: Layer, before: Shape, behind: Shape) -> Step:
        values = "".join(f", {literal(getattr(layer, name))}" for name in settings)
        call = f"$p_{function}(x[$i]{values})"
        return Step(each_column(math.prod(before), 1, call), functions=(function,))

    return write


def _gelu(layer: layers.GELU, before: Shape, behind: Shape) -> Step | None:
    function = "gelu_tanh" if layer.approximate == "tanh" else "gelu"
    return _elementwise(function)(layer, before, behind)


def _linear(layer: layers.Linear, before: Shape, behind: Shape) -> Step:
    """Sums in a local array, which nothing else can be: compilers make vectors of its loops."""
    outputs = padded(layer.outputs)
    wide = np.zeros((layer.inputs + 1, outputs), np.float32)
    wide[:-1, : layer.outputs] = layer.w
    constants = [("w", wide[:-1])]
    if layer.bias:
        wide[-1, : layer.outputs] = layer.b
        constants.append(("b", wide[-1]))
    four = " + ".join(f"x[i{add}] * $n_w[i{add}][o]" for add in ("", " + 1", " + 2", " + 3"))
    four = four.replace("] + x[i + 2]", "]\n                + x[i + 2]")
    lines = [f"float s[{outputs}];", "int i, o;", f"for (o = 0; o < {outputs}; o++)"]
    lines.append(f"    s[o] = {'$n_b[o]' if layer.bias else '0.0f'};")
    rest = layer.inputs % 4
    if layer.inputs >= 4:
        lines.append(f"for (i = 0; i < {layer.inputs - rest}; i += 4)")
        lines += [f"    for (o = 0; o < {outputs}; o++)", f"        s[o] += {four};"]
    if rest:
        lines.append(f"for (i = {layer.inputs - rest}; i < {layer.inputs}; i++)")
        lines += [f"    for (o = 0; o < {outputs}; o++)", "        s[o] += x[i] * $n_w[i][o];"]
    lines += [f"for (o = 0; o < {layer.outputs}; o++)", "    y[o] = s[o];"]
    return Step("\n".join(lines), in_place=False, constants=constants, sums=outputs)


def _standardize(layer: layers.Standardize, before: Shape, behind: Shape) -> Step:
    count = len(layer.mean)
    body = each_column(count, math.prod(before) // count, "(x[$i] - $n_mean[c]) / $n_std[c]")
    return Step(body, constants=[("mean", layer.mean), ("std", layer.std)])


def _scale(layer: layers.Scale, before: Shape, behind: Shape) -> Step:
    return Step(each_column(before[0], 1, "x[$i] * $n_w[c]"), constants=[("w", layer.w)])


def _batch_norm(layer: layers.BatchNorm1d, before: Shape, behind: Shape) -> Step:
    """The running averages in one factor, w / sqrt(variance + eps); the mean goes first."""
    affine = layer.as_affine()
    assert affine is not None
    constants, call = [("mean", layer.running_mean), ("factor", affine[0])], ""
    if layer.affine:
        constants.append(("b", layer.b))
        call = " + $n_b[c]"
    each = math.prod(before) // layer.num_features
    call = f"(x[$i] - $n_mean[c]) * $n_factor[c]{call}"
    return Step(each_column(layer.num_features, each, call), constants=constants)


def _layer_norm(layer: layers.LayerNorm, before: Shape, behind: Shape) -> Step:
    count = layer.normalized_shape
    learned = " * $n_w[i] + $n_b[i]" if layer.elementwise_affine else ""
    body = f"""\
float mean = 0.0f, variance = 0.0f, rate;
int i;
for (i = 0; i < {count}; i++)
    mean += x[i];
mean /= {count}.0f;
for (i = 0; i < {count}; i++)
    variance += (x[i] - mean) * (x[i] - mean);
variance /= {count}.0f;
rate = 1.0f / sqrtf(variance + {literal(layer.eps)});
for (i = 0; i < {count}; i++)
    x[i] = (x[i] - mean) * rate{learned};"""
    constants = [("w", layer.w), ("b", layer.b)] if learned else []
    return Step(body, constants=constants)


def _log_softmax(layer: layers.LogSoftmax, before: Shape, behind: Shape) -> Step:
    (count,) = before
    body = f"""\
float most = x[0], sum = 0.0f;
int i;
for (i = 1; i < {count}; i++)
    most = x[i] > most ? x[i] : most;
for (i = 0; i < {count}; i++)
    sum += expf(x[i] - most);
sum = logf(sum);
for (i = 0; i < {count}; i++)
    x[i] = (x[i] - most) - sum;"""
    return Step(body)


def _add(layer: layers.Residual, before: Shape, behind: Shape) -> Step:
    """The shortcut is added to what the layers inside made."""
    return Step(each_column(math.prod(before), 1, "x[$i] + shortcut[$i]"))


def _nothing(layer: Layer, before: Shape, behind: Shape) -> None:
    """Flatten, whose numbers stay where they are, and Dropout, which is for training."""


WRITERS: dict[type[Layer], Writer] = {
    layers.Linear: _linear,
    layers.ReLU: _elementwise("relu"),
    layers.ELU: _elementwise("elu", "alpha"),
    layers.Tanh: _elementwise("tanh"),
    layers.Sigmoid: _elementwise("sigmoid"),
    layers.LeakyReLU: _elementwise("leaky_relu", "negative_slope"),
    layers.SELU: _elementwise("selu"),
    layers.SiLU: _elementwise("silu"),
    layers.Mish: _elementwise("mish"),
    layers.Softplus: _elementwise("softplus", "beta", "threshold"),
    layers.GELU: _gelu,
    layers.LogSoftmax: _log_softmax,
    layers.Dropout: _nothing,
    layers.Scale: _scale,
    layers.Standardize: _standardize,
    layers.BatchNorm1d: _batch_norm,
    layers.BatchNorm2d: _batch_norm,
    layers.LayerNorm: _layer_norm,
    layers.Conv2d: conv,
    layers.MaxPool2d: max_pool,
    layers.AvgPool2d: avg_pool,
    layers.Flatten: _nothing,
    layers.Residual: _add,
}
