"""Values beside what was predicted, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import style
from .style import BLUE, DIM, PALE, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN = 5000  # samples, at most, that have a dot
TENTHS = 10  # of the samples, from the lowest predictions to the highest, whose means are drawn
SIZE = (6.0, 4.4)  # inches


def true_by_predicted(true: ArrayLike, predicted: ArrayLike, *, name: str = "value") -> Figure:
    """Draw a dot for each sample, which is on the diagonal where the prediction is right.

    Of more than 5 000 samples as many are drawn, evenly from first to last; the figures in the
    title are of all.

    Parameters
    ----------
    true, predicted : (n,) array
        Values, and what was predicted, in the same unit.
    name : str
        What they are.

    Raises
    ------
    ValueError
        When the arrays differ in length or are empty, or a number is not finite.

    Examples
    --------
    >>> figure = fb.plots.true_by_predicted([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], name="price")
    """
    y, said = _both(true, predicted)
    spread = np.square(y - y.mean()).sum()
    r2 = f"{1 - np.square(said - y).sum() / spread:.4f}" if spread else "not defined"
    figure, ax = style.new_figure(
        f"R² {r2}: {_count(y)}", f"{style.cut(name)}, predicted", f"{style.cut(name)}, true", SIZE
    )
    _dots(ax, said, y)
    ax.axline((said.mean(), said.mean()), slope=1, color=DIM, linewidth=1.0, linestyle=":")
    return figure


def residuals(true: ArrayLike, predicted: ArrayLike, *, name: str = "value") -> Figure:
    """Draw true minus predicted by what was predicted, and its mean in each tenth of the samples.

    A good model's dots have no shape: their mean is near 0 everywhere, and they are as wide at
    the left as at the right.

    Parameters
    ----------
    true, predicted, name
        As of ``true_by_predicted``.

    Raises
    ------
    ValueError
        As there.

    Examples
    --------
    >>> figure = fb.plots.residuals([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], name="price")
    """
    y, said = _both(true, predicted)
    rest = y - said
    title = f"Residuals: RMSE {np.sqrt(np.square(rest).mean()):.6g}, {_count(y)}"
    what = style.cut(name)
    figure, ax = style.new_figure(title, f"{what}, predicted", "true minus predicted", SIZE)
    _dots(ax, said, rest)
    ax.axhline(0, color=DIM, linewidth=1.0, linestyle=":")
    parts = np.array_split(np.argsort(said, kind="stable"), min(TENTHS, len(said)))
    means = np.array([(said[part].mean(), rest[part].mean()) for part in parts])
    ax.plot(*means.T, "o-", color=style.COLOURS[1], linewidth=1.8, label="mean of a tenth")
    style.legend(ax)
    return figure


def _both(true: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    y = style.numbers("true values", true, "n")
    said = style.numbers("predictions", predicted, len(y))
    if not (len(y) and np.isfinite(y).all() and np.isfinite(said).all()):
        raise ValueError("values: expected finite numbers, got none, NaN or infinity")
    return y, said


def _count(y: Floats) -> str:
    drawn = f"{style.grouped(DRAWN)} of " if len(y) > DRAWN else ""
    return f"{drawn}{style.grouped(len(y))} samples"


def _dots(ax: Axes, x: Floats, y: Floats) -> None:
    shown = np.linspace(0, len(x) - 1, min(len(x), DRAWN)).astype(int)
    alpha = float(np.clip(150 / len(shown), 0.15, 0.8))
    dots: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 4, "markeredgewidth": 0}
    ax.grid(color=PALE, linewidth=0.7)
    ax.plot(x[shown], y[shown], **dots, color=BLUE, alpha=alpha, label="_samples")
