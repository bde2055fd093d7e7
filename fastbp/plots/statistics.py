"""What batch norms have seen, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from . import style
from .style import BLUE, DIM, PALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def running_statistics(
    mean: ArrayLike, variance: ArrayLike, *, title: str = "Running statistics"
) -> Figure:
    """Draw each column's running mean as a dot, and a standard deviation to both sides of it.

    Parameters
    ----------
    mean, variance : (columns,) array
        Of a ``BatchNorm1d``, or a ``BatchNorm2d``, whose columns are its channels.
    title : str
        Of the figure.

    Raises
    ------
    ValueError
        When the shapes disagree, a number is not finite, or a variance is negative.

    Examples
    --------
    >>> figure = fb.plots.running_statistics([0.0, 1.0], [1.0, 4.0])
    """
    centre = style.numbers("mean", mean, "columns")
    squares = style.numbers("variance", variance, len(centre))
    if not (len(centre) and np.isfinite(centre).all() and np.isfinite(squares).all()):
        raise ValueError("running statistics: expected finite values, got none, NaN or infinity")
    if squares.min() < 0:
        raise ValueError(f"variance: expected at least 0, got {squares.min():g}")
    measured = "mean, ± a standard deviation"
    figure, ax = style.new_figure(title, "column", measured)
    ax.axhline(0.0, color=PALE, linewidth=0.8)
    columns, deviation = np.arange(1, len(centre) + 1), np.sqrt(squares)
    ax.vlines(columns, centre - deviation, centre + deviation, color=DIM, linewidth=1.0, alpha=0.6)
    ax.plot(columns, centre, "o", color=BLUE, markersize=3.0 if len(centre) < 200 else 1.5)
    ax.margins(x=0.02)
    ax.locator_params(axis="x", integer=True)
    return figure
