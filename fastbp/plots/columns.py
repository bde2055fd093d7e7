"""What a model makes of a table's columns, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import style
from .style import BLUE, DIM, INK, PALE, SMALL, TICK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def importances(
    names: Sequence[str],
    means: ArrayLike,
    deviations: ArrayLike,
    *,
    measure: str = "score",
    most: int = 20,
) -> Figure:
    """Draw how much each column is worth, as bars from the greatest on.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    means, deviations : (columns,) array
        The mean loss without it, and its standard deviation.
    measure : str
        What is lost.
    most : int
        How many columns at most.

    Raises
    ------
    ValueError
        When the arrays have wrong shapes, there is no column, a number is not finite or a
        deviation is negative, or ``most`` is not positive.

    Examples
    --------
    >>> figure = fb.plots.importances(["age", "job"], [0.2, 0.05], [0.02, 0.01], measure="accuracy")
    """
    mean = style.numbers("means", means, len(names))
    deviation = style.numbers("deviations", deviations, len(names))
    if not (len(mean) and np.isfinite([mean, deviation]).all() and (deviation >= 0).all()):
        raise ValueError("importances: expected finite means, and deviations of at least 0")
    if most < 1:
        raise ValueError(f"importances: expected most >= 1, got {most}")
    shown = np.argsort(-mean, kind="stable")[:most]
    count = f"{len(shown)} of {style.grouped(len(mean))} columns" if len(mean) > most else "Columns"
    title, what = f"{count} by their importance", f"loss of {measure}, if a column is shuffled"
    figure, ax = style.new_figure(title, what, "", (style.WIDTH, 0.9 + 0.28 * max(len(shown), 4)))
    ax.xaxis.grid(color=PALE, linewidth=0.7)
    ax.axvline(0, color=DIM, linewidth=0.8)
    places = range(len(shown))
    bars: dict[str, Any] = {"ecolor": DIM, "capsize": 2.5, "height": 0.7}
    ax.barh(places, mean[shown], xerr=deviation[shown], color=BLUE, **bars)
    ax.set_yticks(places, [style.cut(names[k]) for k in shown], parse_math=False)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    low, high = (mean - deviation)[shown].min(), (mean + deviation)[shown].max()
    margin = 0.02 * (max(high, 0) - min(low, 0)) or 1.0
    ax.set_xlim(min(low, 0) - margin * (low < 0), max(high, 0) + margin)
    for k, value in zip(places, mean[shown], strict=True):
        ax.annotate(
            f"{value:.3g}",
            (1.01, k),
            xycoords=("axes fraction", "data"),
            va="center",
            size=SMALL,
            color=INK,
            annotation_clip=False,
        )
    ax.tick_params(axis="y", length=0, labelsize=TICK)
    return figure
