"""Formulas as text: templates, and the quantities that go into them; and a Linear's.

A formula is written twice, once with names and once with numbers: "{0}·{1}" becomes "I1·w1" and
"0.05·0.25". Each function says which formula gives which quantity; the numbers are computed
elsewhere, by the layers and losses themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


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


def sum_of(template: str, groups: Sequence[Sequence[str]], rest: Sequence[str] = ()) -> Formula:
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
    return sum_of("{}·{}", list(zip(x, w, strict=True)), () if b is None else (b,))


def linear_backward(y: Sequence[str], w: Sequence[str]) -> Formula:
    """dl/dX = dl/dY·Wᵀ, one input of it."""
    return sum_of("{}·{}", list(zip(map(d, y), w, strict=True)))
