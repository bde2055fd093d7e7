"""How each layer is written: as a node of its own name where ONNX has one, else of simple ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from fastbp.layers import Layer, Shape

from .graph import Graph

HAVE_LAYER_NORM, HAVE_MISH, HAVE_GELU = 17, 18, 20  # the first opsets that do
ALWAYS = 20.0  # a threshold of Softplus from which on X and log(1 + exp(X)) are the same


class Site(NamedTuple):
    """A layer, by its name, and where it is written.

    ``through`` writes layers one after another: (graph, layers, x, shape, within) -> y.
    """

    graph: Graph
    layer: Any
    name: str
    shape: Shape | None  # of a sample before it
    through: Callable[[Graph, Iterable[Layer], str, Shape | None, str], str]

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of this layer."""
        return self.graph.node(op, *inputs, within=self.name, **attributes)

    def array(self, name: str) -> str:
        """A parameter or buffer, by the name that it has in model files."""
        return self.graph.constant(getattr(self.layer, name), f"{self.name}.{name}")

    def numbers(self, array: Any, name: str) -> str:
        """Another constant; names that begin with a digit are those of parameters."""
        return self.graph.numbers(array, f"{name} of {self.name}")

    def vectors(self, columns: int) -> tuple[str, str]:
        """The w and b of a norm, 1 and 0 where they are not learned."""
        if self.layer.parameter_shapes():
            return self.array("w"), self.array("b")
        return self.numbers(np.ones(columns), "ones"), self.numbers(np.zeros(columns), "zeros")


Write = Callable[[Site, str], str]


def plain(op: str, **named: str) -> Write:
    """One node, whose attributes are the layer's settings of these names."""

    def write(site: Site, x: str) -> str:
        return site.node(op, x, **{a: getattr(site.layer, name) for a, name in named.items()})

    return write


def nothing(site: Site, x: str) -> str:
    """What does nothing in use: no node."""
    return x


def linear(site: Site, x: str) -> str:
    """Gemm, X·W + b, or MatMul without b."""
    if site.layer.bias:
        return site.node("Gemm", x, site.array("w"), site.array("b"))
    return site.node("MatMul", x, site.array("w"))


def convolution(site: Site, x: str) -> str:
    """Conv, whose W has the same axes."""
    arrays = [site.array(name) for name in site.layer.parameter_shapes()]
    return site.node("Conv", x, *arrays, **_window(site), group=site.layer.groups)


def max_pool(site: Site, x: str) -> str:
    """MaxPool, around whose images is -∞ too."""
    return site.node("MaxPool", x, **_window(site))


def avg_pool(site: Site, x: str) -> str:
    """AveragePool, the padding's zeros among the numbers."""
    return site.node("AveragePool", x, **_window(site), count_include_pad=1)


def _window(site: Site) -> dict[str, Any]:
    before, behind = site.layer.border_sizes()
    stride, kernel = (_two(getattr(site.layer, name)) for name in ("stride", "kernel"))
    return {"kernel_shape": kernel, "strides": stride, "pads": [*before, *behind]}


def _two(size: Any) -> list[int]:
    return [*size] if isinstance(size, tuple) else [size, size]


def batch_norm(site: Site, x: str) -> str:
    """BatchNormalization, by the running averages."""
    averages = site.array("running_mean"), site.array("running_var")
    arrays = *site.vectors(site.layer.num_features), *averages
    return site.node("BatchNormalization", x, *arrays, epsilon=site.layer.eps)


def layer_norm(site: Site, x: str) -> str:
    """LayerNormalization, or before opset 17 what it stands for."""
    w, b = site.vectors(site.layer.normalized_shape)
    if site.graph.opset >= HAVE_LAYER_NORM:
        return site.node("LayerNormalization", x, w, b, axis=-1, epsilon=site.layer.eps)
    centered = site.node("Sub", x, site.node("ReduceMean", x, axes=[-1]))
    variance = site.node("ReduceMean", site.node("Mul", centered, centered), axes=[-1])
    variance = site.node("Add", variance, site.numbers(site.layer.eps, "eps"))
    normed = site.node("Div", centered, site.node("Sqrt", variance))
    return site.node("Add", site.node("Mul", normed, w), b)


def scale(site: Site, x: str) -> str:
    """X·w."""
    return site.node("Mul", x, site.array("w"))


def standardize(site: Site, x: str) -> str:
    """(X - mean) / std, whose numbers are shaped like channels, or like the whole image."""
    mean, std = site.array("mean"), site.array("std")
    shape = site.shape
    if shape is not None and len(shape) == 3:
        known = site.layer.inputs
        axes = shape if known == math.prod(shape) else (known, 1, 1)
        wanted = site.graph.constant(np.array(axes, np.int64), f"shape of {site.name}")
        mean, std = (site.node("Reshape", array, wanted) for array in (mean, std))
    return site.node("Div", site.node("Sub", x, mean), std)


def residual(site: Site, x: str) -> str:
    """X + layers(X)."""
    inside = site.through(site.graph, site.layer.layers, x, site.shape, f"{site.name}.")
    return site.node("Add", x, inside)


def silu(site: Site, x: str) -> str:
    """X·sigmoid(X)."""
    return site.node("Mul", x, site.node("Sigmoid", x))


def mish(site: Site, x: str) -> str:
    """Mish, or before opset 18 X·tanh(softplus(X))."""
    if site.graph.opset >= HAVE_MISH:
        return site.node("Mish", x)
    return site.node("Mul", x, site.node("Tanh", site.node("Softplus", x)))


def softplus(site: Site, x: str) -> str:
    """Softplus(β·X) / β, but X above the threshold."""
    beta, threshold = site.layer.beta, site.layer.threshold
    inside = x if beta == 1 else site.node("Mul", x, site.numbers(beta, "beta"))
    y = site.node("Softplus", inside)
    if beta != 1:
        y = site.node("Div", y, site.numbers(beta, "beta"))
    if threshold >= ALWAYS:
        return y
    above = site.node("Greater", inside, site.numbers(threshold, "threshold"))
    return site.node("Where", above, x, y)


def gelu(site: Site, x: str) -> str:
    """Gelu, or before opset 20 X·(1 + erf(X / √2)) / 2 or what approximates it."""
    if site.graph.opset >= HAVE_GELU:
        return site.node("Gelu", x, approximate=site.layer.approximate)
    if site.layer.approximate == "none":
        known = site.node("Erf", site.node("Div", x, site.numbers(math.sqrt(2), "root")))
    else:
        cube = site.node("Mul", site.node("Mul", x, x), x)
        inner = site.node("Add", x, site.node("Mul", cube, site.numbers(0.044715, "share")))
        root = site.numbers(math.sqrt(2 / math.pi), "root")
        known = site.node("Tanh", site.node("Mul", inner, root))
    chance = site.node("Mul", x, site.node("Add", known, site.numbers(1, "one")))
    return site.node("Mul", chance, site.numbers(0.5, "half"))
