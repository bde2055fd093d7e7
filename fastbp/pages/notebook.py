"""What an object is in a notebook: a title, tables, a line, notes.

Colours are those of whatever is around, light or dark; nothing is loaded. Where a notebook takes
the style away, as it does of strangers, tables and text stay. Every text is escaped.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from . import Table, escape, lines, paragraph, style, table

SIZE = (240, 48)  # of a sparkline, in pixels
STROKES = ("", ' stroke-dasharray="4 3"', ' stroke-dasharray="1 3"')  # one after another


def shown(title: str, *parts: str) -> str:
    """The whole of it; parts are markup, empty ones are none."""
    look = f"<style>\n{style('notebook.css')}</style>"
    heading = f"<p><strong>{escape(title)}</strong></p>"
    return f'<div class="fastbp">\n{lines((look, heading, *parts))}\n</div>'


def listed(facts: Mapping[str, object]) -> str:
    """A table of names and what each is."""
    return table([["", ""], *([name, str(value)] for name, value in facts.items())], numbers=False)


def tabled(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head."""
    body: Table = [[*row] for row in rows]
    return table([[*head], *body])


def sparkline(curves: Mapping[str, Sequence[float]]) -> str:
    """Curves over the same steps as small lines, in one scale; "" where there is nothing to draw.

    What is not finite is left out.
    """
    points = {name: _finite(values) for name, values in curves.items()}
    points = {name: found for name, found in points.items() if len(found) > 1}
    if not points:
        return ""
    levels = [y for found in points.values() for _, y in found]
    low, high, last = min(levels), max(levels), max(len(values) for values in curves.values()) - 1
    width, height = SIZE
    drawn = []
    for dash, found in zip(STROKES, points.values(), strict=False):
        places = (
            f"{2 + (width - 4) * x / last:.1f},"
            f"{height - 2 - (height - 4) * (y - low) / ((high - low) or 1):.1f}"
            for x, y in found
        )
        drawn.append(
            f'<polyline points="{" ".join(places)}" fill="none" stroke="currentColor" '
            f'stroke-width="1.5"{dash} />'
        )
    words = ", ".join(points) + f" from {low:.4g} to {high:.4g}"
    picture = (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(words)}">\n{lines(drawn)}\n</svg>'
    )
    named = ("", " (dashed)", " (dotted)")
    legend = ", ".join(name + mark for name, mark in zip(points, named, strict=False))
    return picture + paragraph(f"{legend}: from {low:.4g} to {high:.4g}")


def _finite(values: Sequence[float]) -> list[tuple[int, float]]:
    return [(x, y) for x, y in enumerate(values) if math.isfinite(y)]
