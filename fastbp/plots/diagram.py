"""A network: a small one drawn as circles and lines, with numbers on both; any, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, DIM, INK, PALE, SMALL, WIDTH, cut, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Edge = tuple[int, int, int]  # column it starts in, unit there, unit in the next column
ACROSS, DOWN, RADIUS = 3.3, 1.35, 0.55  # inches between columns and units, and of a circle
TEXT_SIZE = 7.5  # points


def network(
    columns: Sequence[Sequence[str]], edges: Mapping[Edge, str], *, title: str, note: str = ""
) -> Figure:
    """Draw a small network as circles in columns, with texts in them and on the lines between.

    Parameters
    ----------
    columns : sequence of sequence of str
        From the inputs to the outputs, the text in each unit's circle.
    edges : mapping of (column, unit, unit of the next column) to str
        The lines, and the text on each.
    title, note : str
        Above and below the drawing.

    Examples
    --------
    >>> figure = fb.plots.network([["x"], ["y"]], {(0, 0, 0): "w"}, title="One weight")
    """
    known = {(column, unit) for column, texts in enumerate(columns) for unit in range(len(texts))}
    for column, start, end in edges:
        if not {(column, start), (column + 1, end)} <= known:
            raise ValueError(f"edges: there are no such units, {(column, start, end)}")
    tallest = max(map(len, columns))
    size = (ACROSS * (len(columns) - 1) + 1.5, DOWN * tallest + 0.65)
    figure, ax = new_figure(title, size=(max(size[0], 4.5), size[1]))
    ax.set_axis_off()
    places = [
        [(ACROSS * column, DOWN * (unit - (len(units) - 1) / 2)) for unit in range(len(units))]
        for column, units in enumerate(columns)
    ]
    for (column, start, end), text in edges.items():
        crossed = min(map(len, columns[column : column + 2])) > 1
        at = (0.32, 0.68)[start % 2] if crossed else 0.5  # texts of neighbours keep apart
        _edge(ax, places[column][start], places[column + 1][end], text, at)
    for units, spots in zip(columns, places, strict=True):
        for text, spot in zip(units, spots, strict=True):
            _unit(ax, text, spot)
    bottom = DOWN * (tallest - 1) / 2 + RADIUS + 0.1
    ax.text(-RADIUS, bottom + 0.1, note, size=SMALL, color=DIM, parse_math=False)
    right = ACROSS * (len(columns) - 1) + RADIUS + 0.05
    ax.set(xlim=(-RADIUS - 0.05, right), ylim=(bottom + 0.2, -bottom), aspect="equal")
    return figure


def layers(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...] | None],
    parameters: Sequence[int],
    *,
    title: str = "Layers",
) -> Figure:
    """Draw layers from top to bottom, each as a bar as long as its output has digits.

    Parameters
    ----------
    names : sequence of str
        What each layer is.
    shapes : sequence of tuple of int, or None
        Of one sample behind each; None where it is not known, which has no bar.
    parameters : sequence of int
        How many each has.
    title : str
        Above the drawing.

    Raises
    ------
    ValueError
        When there is no layer, or the lists differ in length.

    Examples
    --------
    >>> figure = fb.plots.layers(["Linear(4, 8)", "ReLU()"], [(8,), (8,)], [40, 0])
    """
    if not len(names) or len({len(names), len(shapes), len(parameters)}) > 1:
        raise ValueError(
            f"layers: expected names, shapes and parameters of each layer, got {len(names)}, "
            f"{len(shapes)} and {len(parameters)}"
        )
    figure, ax = new_figure(title, size=(WIDTH, 0.6 + 0.3 * max(len(names), 2)))
    ax.set_axis_off()
    sizes = [0 if shape is None else prod(shape) for shape in shapes]
    longest = np.log10(1 + max(sizes)) or 1.0
    for place, (name, shape, size, count) in enumerate(
        zip(names, shapes, sizes, parameters, strict=True)
    ):
        ax.barh(place, np.log10(1 + size) / longest, color=BLUE if count else PALE, height=0.7)
        said = "any" if shape is None else " × ".join(map(str, shape))
        said += f"   {count:,} parameters" if count else ""
        indent = "  " * ((len(name) - len(name.lstrip())) // 2)
        for x, text in ((-0.75, indent + cut(name)), (1.03, said)):
            ax.text(x, place, text, va="center", size=SMALL, color=INK, parse_math=False)
    ax.set(xlim=(-0.75, 1.85), ylim=(len(names) - 0.4, -0.6))
    return figure


def _unit(ax: Axes, text: str, spot: tuple[float, float]) -> None:
    from matplotlib.patches import Circle

    circle = Circle(spot, RADIUS, facecolor="white", edgecolor=BLUE, linewidth=1.4, zorder=3)
    ax.add_patch(circle)
    ax.text(
        *spot,
        text,
        ha="center",
        va="center",
        size=TEXT_SIZE,
        color=INK,
        zorder=4,
        parse_math=False,
        linespacing=1.25,
    )


def _edge(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str, at: float
) -> None:
    """A line with its text along it, at a share of its length."""
    (x0, y0), (x1, y1) = start, end
    ax.plot([x0, x1], [y0, y1], color=PALE, linewidth=1.4, zorder=1, solid_capstyle="butt")
    angle = -float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))  # the y axis points down
    style: dict[str, Any] = {"ha": "center", "va": "center", "size": TEXT_SIZE, "color": INK}
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    x, y = x0 + at * (x1 - x0), y0 + at * (y1 - y0)
    ax.text(x, y, text, rotation=angle, bbox=box, zorder=2, parse_math=False, **style)
