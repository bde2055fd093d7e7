"""The formulas of layers and losses as text: templates, and the quantities that go into them.

A formula is written twice, once with names and once with numbers: "{0}·{1}" becomes "I1·w1" and
"0.05·0.25". Each function says which formula gives which quantity; the numbers are computed
elsewhere, by the layers and losses themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastbp.layers import ELU, Layer, LeakyReLU, Linear, LogSoftmax, ReLU, Sigmoid, Tanh
from fastbp.losses import CrossEntropyLoss, HingeLoss, Loss, MSELoss


class Formula(NamedTuple):
    """A template, and the names of the quantities in it."""

    template: str
    names: tuple[str, ...]

    def write(self, text: Callable[[str], str]) -> str:
        """The formula with something in place of each quantity."""
        return self.template.format(*map(text, self.names))


def d(name: str) -> str:
    """The loss's derivative by a quantity."""
    return f"dl/d{name}"


def _sum(template: str, groups: Sequence[Sequence[str]], rest: Sequence[str] = ()) -> Formula:
    """The sum of a template over groups of names, plus the rest of the names."""
    size = len(groups[0])
    slots = range(size * len(groups) + len(rest))
    terms = [
        template.format(*(f"{{{slot}}}" for slot in slots[k * size : (k + 1) * size]))
        for k in range(len(groups))
    ]
    terms += [f"{{{slot}}}" for slot in slots[size * len(groups) :]]
    return Formula(" + ".join(terms), (*(name for group in groups for name in group), *rest))


def linear_forward(x: Sequence[str], w: Sequence[str], b: str | None) -> Formula:
    """Y = X·W + b, one unit of it."""
    return _sum("{}·{}", list(zip(x, w, strict=True)), () if b is None else (b,))


def linear_backward(y: Sequence[str], w: Sequence[str]) -> Formula:
    """dl/dX = dl/dY·Wᵀ, one input of it."""
    return _sum("{}·{}", list(zip(map(d, y), w, strict=True)))


def forward(layer: Layer, x: Sequence[str], unit: int, value: float) -> Formula:
    """What an activation does to one of its inputs, whose value decides between two cases."""
    if isinstance(layer, Sigmoid):
        return Formula("1 / (1 + e^−{0})", (x[unit],))
    if isinstance(layer, Tanh):
        return Formula("tanh {0}", (x[unit],))
    if isinstance(layer, ReLU):
        return Formula("max({0}, 0)", (x[unit],))
    if isinstance(layer, ELU):
        template = "{0}, which is above 0" if value > 0 else f"{layer.alpha:g}·(e^{{0}} − 1)"
        return Formula(template, (x[unit],))
    if isinstance(layer, LeakyReLU):
        template = "{0}, which is above 0" if value > 0 else f"{layer.negative_slope:g}·{{0}}"
        return Formula(template, (x[unit],))
    total = _sum("e^{}", [(name,) for name in x])
    return Formula(f"{{{len(x)}}} − log({total.template})", (*total.names, x[unit]))


def backward(layer: Layer, x: Sequence[str], y: Sequence[str], unit: int, value: float) -> Formula:
    """The derivative by one of an activation's inputs, from those by its outputs."""
    dy = d(y[unit])
    if isinstance(layer, Sigmoid):
        return Formula("{0}·{1}·(1 − {1})", (dy, y[unit]))
    if isinstance(layer, Tanh):
        return Formula("{0}·(1 − {1}²)", (dy, y[unit]))
    if isinstance(layer, ReLU):
        return Formula("{0}, for {1} > 0" if value > 0 else "0, for {1} ≤ 0", (dy, x[unit]))
    if isinstance(layer, ELU):
        if value > 0:
            return Formula("{0}, for {1} > 0", (dy, x[unit]))
        return Formula(f"{{0}}·({{1}} + {layer.alpha:g})", (dy, y[unit]))
    if isinstance(layer, LeakyReLU):
        slope = f"{{0}}·{layer.negative_slope:g}, for {{1}} ≤ 0"
        return Formula("{0}, for {1} > 0" if value > 0 else slope, (dy, x[unit]))
    total = _sum("{}", [(d(name),) for name in y])
    own = len(total.names)
    return Formula(f"{{{own}}} − e^{{{own + 1}}}·({total.template})", (*total.names, dy, y[unit]))


EXPLAINED: tuple[type[Layer], ...] = (Linear, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, LogSoftmax)


def loss_value(loss: Loss, o: Sequence[str], wanted: Sequence[str], right: int) -> Formula:
    """What is minimised, of outputs o: against wanted values, or the right class's number."""
    if isinstance(loss, MSELoss):
        squares = _sum("({} − {})²", list(zip(o, wanted, strict=True)))
        if len(o) == 1:
            return squares
        return Formula(f"({squares.template}) / {len(o)}", squares.names)
    if isinstance(loss, HingeLoss):
        wrong = [(name, o[right]) for name in o if name != o[right]]
        return _sum("max(0, {} − {} + 1)", wrong) if wrong else Formula("0", ())
    if isinstance(loss, CrossEntropyLoss):
        total = _sum("e^{}", [(name,) for name in o])
        return Formula(f"log({total.template}) − {{{len(o)}}}", (*total.names, o[right]))
    return Formula("−{0}", (o[right],))


def loss_gradient(
    loss: Loss, o: Sequence[str], wanted: Sequence[str], right: int, unit: int, value: float
) -> Formula:
    """The loss's derivative by one output; its value decides where there are two cases."""
    if isinstance(loss, MSELoss):
        template = "2·({0} − {1})" + (f" / {len(o)}" if len(o) > 1 else "")
        return Formula(template, (o[unit], wanted[unit]))
    if isinstance(loss, HingeLoss):
        if unit == right:
            others = [(d(name),) for name in o if name != o[right]]
            total = _sum("{}", others) if others else Formula("0", ())
            return Formula(f"−({total.template})", total.names)
        template = "1, for {0} − {1} + 1 > 0" if value else "0, for {0} − {1} + 1 ≤ 0"
        return Formula(template, (o[unit], o[right]))
    if isinstance(loss, CrossEntropyLoss):
        total = _sum("e^{}", [(name,) for name in o])
        template = f"e^{{{len(o)}}} / ({total.template}) − {int(unit == right)}"
        return Formula(template, (*total.names, o[unit]))
    return Formula("−1, the right class" if unit == right else "0, a wrong class", ())
