"""The formulas of activations: what each does to one of its inputs, and the derivative by it.

A template's {0} is the input, forward; backward {0} is the derivative by the output, {1} the input
and {2} the output. Some formulas have two cases, which the input decides between. σ is the sigmoid,
Φ the distribution of a standard normal number, and φ its density.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastbp.kernels._numpy import SELU_ALPHA, SELU_SCALE
from fastbp.layers import (
    ELU,
    GELU,
    SELU,
    Layer,
    LeakyReLU,
    LogSoftmax,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)

from .formulas import Formula, d, sum_of

ABOVE = "{0}, which is above 0"
PASSED_ON = "{0}, for {1} > 0"
OF_TANH = "√(2/π)·({x} + 0.044715·{x}³)"  # GELU's approximation


class Templates(NamedTuple):
    """Of an elementwise activation: made of the layer's own numbers, and of the input's value."""

    forward: Callable[[Any, float], str]
    backward: Callable[[Any, float], str]


def _gelu(layer: GELU, _: float) -> str:
    if layer.approximate == "none":
        return "{0}·Φ({0})"
    return f"{{0}}·(1 + tanh({OF_TANH.format(x='{0}')})) / 2"


def _gelu_back(layer: GELU, _: float) -> str:
    if layer.approximate == "none":
        return "{0}·(Φ({1}) + {1}·φ({1}))"
    tanh = f"tanh({OF_TANH.format(x='{1}')})"
    return (
        f"{{0}}·(1 + {tanh} + {{1}}·(1 − {tanh}²)·√(2/π)·(1 + 0.134145·{{1}}²)) / 2"  # 3·0.044715
    )


def _softplus(layer: Softplus, x: float) -> str:
    if layer.beta * x > layer.threshold:
        return f"{{0}}, for {layer.beta:g}·{{0}} > {layer.threshold:g}"
    if layer.beta == 1:
        return "log(1 + e^{0})"
    return f"log(1 + e^({layer.beta:g}·{{0}})) / {layer.beta:g}"


def _softplus_back(layer: Softplus, x: float) -> str:
    if layer.beta * x > layer.threshold:
        return f"{{0}}, for {layer.beta:g}·{{1}} > {layer.threshold:g}"
    return "{0}·σ({1})" if layer.beta == 1 else f"{{0}}·σ({layer.beta:g}·{{1}})"


ELEMENTWISE: dict[type[Layer], Templates] = {
    Sigmoid: Templates(lambda layer, x: "1 / (1 + e^−{0})", lambda layer, x: "{0}·{2}·(1 − {2})"),
    Tanh: Templates(lambda layer, x: "tanh {0}", lambda layer, x: "{0}·(1 − {2}²)"),
    ReLU: Templates(
        lambda layer, x: "max({0}, 0)",
        lambda layer, x: PASSED_ON if x > 0 else "0, for {1} ≤ 0",
    ),
    LeakyReLU: Templates(
        lambda layer, x: ABOVE if x > 0 else f"{layer.negative_slope:g}·{{0}}",
        lambda layer, x: PASSED_ON if x > 0 else f"{{0}}·{layer.negative_slope:g}, for {{1}} ≤ 0",
    ),
    ELU: Templates(
        lambda layer, x: ABOVE if x > 0 else f"{layer.alpha:g}·(e^{{0}} − 1)",
        lambda layer, x: PASSED_ON if x > 0 else f"{{0}}·({{2}} + {layer.alpha:g})",
    ),
    SELU: Templates(
        lambda layer, x: (
            f"{SELU_SCALE:.10g}·{{0}}, which is above 0"
            if x > 0
            else f"{SELU_SCALE:.10g}·{SELU_ALPHA:.10g}·(e^{{0}} − 1)"
        ),
        lambda layer, x: (
            f"{{0}}·{SELU_SCALE:.10g}, for {{1}} > 0"
            if x > 0
            else f"{{0}}·({{2}} + {SELU_SCALE * SELU_ALPHA:.10g})"
        ),
    ),
    GELU: Templates(_gelu, _gelu_back),
    SiLU: Templates(
        lambda layer, x: "{0}·σ({0})",
        lambda layer, x: "{0}·σ({1})·(1 + {1}·(1 − σ({1})))",
    ),
    Mish: Templates(
        lambda layer, x: "{0}·tanh(log(1 + e^{0}))",
        lambda layer, x: "{0}·(tanh(log(1 + e^{1})) + {1}·(1 − tanh(log(1 + e^{1}))²)·σ({1}))",
    ),
    Softplus: Templates(_softplus, _softplus_back),
}
EXPLAINED: tuple[type[Layer], ...] = (*ELEMENTWISE, LogSoftmax)


def forward(layer: Layer, x: Sequence[str], unit: int, value: float) -> Formula:
    """What an activation does to one of its inputs, of this value."""
    if type(layer) in ELEMENTWISE:
        return Formula(ELEMENTWISE[type(layer)].forward(layer, value), (x[unit],))
    total = sum_of("e^{}", [(name,) for name in x])
    return Formula(f"{{{len(x)}}} − log({total.template})", (*total.names, x[unit]))


def backward(layer: Layer, x: Sequence[str], y: Sequence[str], unit: int, value: float) -> Formula:
    """The derivative by one of an activation's inputs, of this value, from those by its outputs."""
    dy = d(y[unit])
    if type(layer) in ELEMENTWISE:
        return Formula(ELEMENTWISE[type(layer)].backward(layer, value), (dy, x[unit], y[unit]))
    total = sum_of("{}", [(d(name),) for name in y])
    own = len(total.names)
    return Formula(f"{{{own}}} − e^{{{own + 1}}}·({total.template})", (*total.names, dy, y[unit]))
