"""The way of a sample through a network, in C: a function for each layer, and one that calls them.

Two buffers take turns: a layer that cannot work in place reads one and writes the other. Where a
shortcut starts, what it carries is kept in a third, one for each that is inside another.
"""

from __future__ import annotations

import math

from fastbp.layers import Layer, Shape
from fastbp.layers.nesting import short

from .layers import WRITERS
from .names import comment
from .numbers import constant
from .step import indented, named


class Way:
    """A network in C.

    Attributes
    ----------
    text : list of str
        Constants and functions, layer by layer.
    calls : list of str
        What calls them, from ``x`` on.
    here : str
        Where the scores are in the end: in "x", which nobody may change, or in a buffer.
    buffers : dict
        The sizes of those that are used.
    sums : int
        Floats that a layer keeps on the stack besides, at most.
    functions : set of str
        Of one number, that are called.
    """

    def __init__(self, prefix: str, own: str, layers: tuple[Layer, ...], shape: Shape) -> None:
        self.prefix, self.own = prefix, own  # of the header's names, and of the network's in it
        self.text: list[str] = []
        self.calls: list[str] = []
        self.here, self.depth, self.sums = "x", 0, 0
        self.buffers: dict[str, int] = {}
        self.functions: set[str] = set()
        self._through(layers, shape, "")

    def _through(self, layers: tuple[Layer, ...], shape: Shape, within: str) -> None:
        for position, layer in enumerate(layers):
            behind = layer.output_shape(shape)
            assert behind is not None
            name, shortcut = f"{within}{position}", ""
            if layer.layers:
                shortcut = self._kept(shape)
                self.depth += 1
                self._through(layer.layers, shape, f"{name}_")
                self.depth -= 1
            self._step(name, layer, shape, behind, shortcut)
            shape = behind

    def _kept(self, shape: Shape) -> str:
        """Where a shortcut reads what comes in, whatever the layers beside it do."""
        return self.here if self.here == "x" else self._copied(f"kept{self.depth}", shape)

    def _copied(self, buffer: str, shape: Shape) -> str:
        size = math.prod(shape)
        self.buffers[buffer] = max(self.buffers.get(buffer, 0), size)
        self.calls.append(f"for (i = 0; i < {size}; i++)\n    {buffer}[i] = {self.here}[i];")
        return buffer

    def _step(self, name: str, layer: Layer, before: Shape, behind: Shape, shortcut: str) -> None:
        step = WRITERS[type(layer)](layer, before, behind)
        if step is None:
            return
        own = f"{self.own}_{name}"
        if step.in_place:
            if self.here == "x":
                self.here = self._copied("a", before)
            takes, given = "float *x", self.here
            if shortcut:
                takes, given = f"const float *shortcut, {takes}", f"{shortcut}, {given}"
        else:
            other = "b" if self.here == "a" else "a"
            self.buffers[other] = max(self.buffers.get(other, 0), math.prod(behind))
            takes, given = "const float *x, float *y", f"{self.here}, {other}"
            self.here = other
        body = named(step.body, self.prefix, own)
        self.text += [
            f"/* {name.replace('_', '.')}: {comment(short(layer))} */",
            *(constant(f"{own}_{what}", array) for what, array in step.constants),
            f"static inline void {own}({takes})\n{{\n{indented(body)}\n}}\n",
        ]
        self.functions |= {*step.functions}
        self.sums = max(self.sums, step.sums)
        self.calls.append(f"{own}({given});")

    def function(self, name: str, takes: str) -> str:
        """The function that runs a sample through all layers."""
        buffers = ", ".join(f"{buffer}[{size}]" for buffer, size in sorted(self.buffers.items()))
        lines = [f"float {buffers};"] if buffers else []
        lines += ["int i;", *self.calls]
        lines.append(f"for (i = 0; i < {self.prefix.upper()}_OUTPUTS; i++)")
        lines.append(f"    y[i] = {self.here}[i];")
        return f"static inline void {name}({takes})\n{{\n{indented(chr(10).join(lines))}\n}}\n"
