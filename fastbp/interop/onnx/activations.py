"""Activations that exporters write as several nodes: read by what those compute."""

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import NodeProto

from fastbp.layers import GELU, Layer, Mish, SiLU, Softplus

from .evaluated import evaluated

# Elementwise: what such activations are made of.
SIMPLE = {
    *("Abs", "Add", "Cast", "Div", "Erf", "Exp", "Greater", "Identity", "Log", "Max", "Min"),
    *("Mul", "Neg", "Pow", "Relu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh", "Where"),
}
MOST_NODES = 16  # that one activation is made of
FURTHEST = 64  # nodes in which these are, among others
PROBE = np.linspace(-6, 6, 241)[None]  # where both are compared
NEAR = 1e-5
KNOWN: tuple[Layer, ...] = (SiLU(), Mish(), GELU(), GELU("tanh"), Softplus())


class Activations:
    """Finds activations among nodes whose way forks and comes together again.

    Attributes
    ----------
    inside : set of str
        The values that nodes of those that were found make.
    """

    def __init__(
        self, nodes: Sequence[NodeProto], outputs: Sequence[str], dtype: np.dtype, opset: int
    ) -> None:
        self.nodes, self.dtype, self.opset = nodes, dtype, opset
        self.inside: set[str] = set()
        self._takers: dict[str, set[int]] = {name: {len(nodes)} for name in outputs}
        for place, node in enumerate(nodes):
            for name in node.input:
                self._takers.setdefault(name, set()).add(place)

    def at(
        self, x: str, start: int, constants: Mapping[str, np.ndarray]
    ) -> tuple[Layer, str] | None:
        """The activation of x that begins at a node, and what its last one makes; or None."""
        if len(self._takers.get(x, ())) < 2:
            return None
        values, places = [x], list[int]()
        for place, node in enumerate(self.nodes[start : start + FURTHEST], start):
            if not {*node.input} & {*values}:
                continue
            numbers = [constants.get(name) for name in node.input if name and name not in values]
            simple = all(number is not None and number.size == 1 for number in numbers)
            if not simple or node.op_type not in SIMPLE or len(places) == MOST_NODES:
                return None
            values.append(node.output[0])
            places.append(place)
            live = [value for value in values if not self._takers.get(value, set()) <= {*places}]
            if live == values[-1:] and (layer := self._same(places, values, constants)):
                self.inside.update(values[1:])
                return layer, values[-1]
        return None

    def _same(
        self, places: list[int], values: list[str], constants: Mapping[str, np.ndarray]
    ) -> Layer | None:
        """The activation that computes what nodes do, from the first value to the last."""
        nodes = [self.nodes[place] for place in places]
        used = {name: constants[name] for n in nodes for name in n.input if name in constants}
        try:
            probe = {values[0]: PROBE.astype(self.dtype)}
            made = evaluated(nodes, used | probe, self.opset)
        except ValueError:
            return None
        wanted = ((layer, layer.in_use().forward(PROBE)) for layer in KNOWN)
        found = (each for each, y in wanted if np.allclose(made, y, rtol=NEAR, atol=NEAR))
        layer = next(found, None)
        return None if layer is None else layer.unbound()
