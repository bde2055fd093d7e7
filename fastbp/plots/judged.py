"""How far probabilities of classes can be trusted, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import style
from .curves import look
from .style import BLUE, DIM, INK, PALE, SMALL, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CURVES = 10  # classes that have a curve each
MOST_BINS = 100  # of probabilities
SQUARE = (5.4, 4.8)  # inches, for axes of which both go from 0 to 100 %


def roc_curve(
    labels: ArrayLike, probabilities: ArrayLike, *, class_names: Sequence[str] | None = None
) -> Figure:
    """Draw what share of a class is found against what share of the others is taken for it.

    Of two classes the second has a curve, of more each one, against all others. The area under it
    (AUC) is how often a sample of the class has a higher probability of it than one of the others.

    Parameters
    ----------
    labels : (n,) integer array
        True classes.
    probabilities : (n, classes) array
        Of 2 to 10 classes; scores do as well.
    class_names : sequence of str, optional
        Names of the classes; their numbers otherwise.

    Raises
    ------
    ValueError
        When the arrays have wrong shapes, there are more classes, a probability is not finite, or
        all samples are of one class.

    Examples
    --------
    >>> figure = fb.plots.roc_curve([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    """
    p = style.numbers("probabilities", probabilities, "n", "classes")
    true = style.numbers("labels", labels, len(p)).astype(int)
    if not 2 <= p.shape[1] <= MOST_CURVES or not np.isfinite(p).all():
        got = f"{p.shape[1]} of them" if np.isfinite(p).all() else "NaN or infinity"
        raise ValueError(f"ROC curves: expected 2 to {MOST_CURVES} finite columns, got {got}")
    names, two = style.names(class_names, p.shape[1]), p.shape[1] == 2
    curves = {k: roc_points(true == k, p[:, k]) for k in range(two, len(names)) if k in true}
    if not 2 <= len(np.unique(true)) == len(curves) + two:
        raise ValueError("ROC curves: expected samples of two classes or more, and no others")
    areas = {k: float(np.trapezoid(found, false)) for k, (false, found) in curves.items()}
    title = f"ROC curve, area {areas[1]:.4f}" if two else "ROC curves, each class against the rest"
    figure, ax = _square(
        title,
        f"share of the {'others' if two else 'rest'} taken for it (%)",
        f"share of {names[1] if two else 'the class'} found (%)",
    )
    for place, (k, (false, found)) in enumerate(curves.items()):
        label = f"{areas[k]:.4f}  {names[k]}"
        ax.plot(100 * false, 100 * found, **look(place), linewidth=1.8, label=label, clip_on=False)
    if not two:
        style.legend(ax, loc="lower right", title="area")
    return figure


def roc_points(yes: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """The curve: false positives and true ones, each as a share, at every different score."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.cumsum(yes[order])[ends]
    false = ends + 1 - found
    with np.errstate(invalid="ignore"):  # of classes of which all samples are, or none
        return np.append(0, false) / false[-1], np.append(0, found) / found[-1]


def calibration_curve(
    right: ArrayLike, probabilities: ArrayLike, *, bins: int = 10, what: str = "the predicted class"
) -> Figure:
    """Draw how often what has a probability comes true: on the diagonal it may be believed.

    The range 0..1 has equal bins. A dot is a bin's mean probability and the share that came true;
    bars count its samples. The title has the mean distance from the diagonal (the expected
    calibration error of Naeini, Cooper and Hauskrecht 2015).

    Parameters
    ----------
    right : (n,) array of bool
        Whether it came true.
    probabilities : (n,) array
        What it had been given, in 0..1.
    bins : int
        How many, 100 at most.
    what : str
        Whose probability it is.

    Raises
    ------
    ValueError
        When the arrays differ in length or are empty, a probability is not in 0..1, or
        there are no bins, or too many.

    Examples
    --------
    >>> figure = fb.plots.calibration_curve([1, 0, 1, 1], [0.9, 0.3, 0.8, 0.6])
    """
    p = style.numbers("probabilities", probabilities, "n")
    came = style.numbers("right", right, len(p))
    if not (len(p) and (p >= 0).all() and (p <= 1).all()):
        raise ValueError("calibration: expected probabilities in 0..1, got none or others")
    if not 1 <= bins <= MOST_BINS:
        raise ValueError(f"calibration: expected 1 to {MOST_BINS} bins, got {bins}")
    counts, mean, share = calibration(came, p, bins)
    drawn = counts > 0
    off = float((counts * abs(share - mean))[drawn].sum() / len(p))
    figure, ax = _square(f"Calibration: {100 * off:.1f} % off on average", "", "came true (%)")
    parts = figure.add_gridspec(2, 1, height_ratios=(4, 1))
    ax.set_subplotspec(parts[0])
    ax.plot(100 * mean[drawn], 100 * share[drawn], "o-", color=BLUE, linewidth=1.8, clip_on=False)
    ax.tick_params(labelbottom=False)
    below = figure.add_subplot(parts[1], sharex=ax, facecolor="white")
    style.dress(below, f"probability of {style.cut(what)} (%)", "samples")
    edges = np.linspace(0, 100, bins + 1)
    bars = below.bar(edges[:-1], counts, width=100 / bins, align="edge", color=PALE, edgecolor=DIM)
    said = [style.grouped(count) if count else "" for count in counts]
    below.bar_label(bars, said, size=SMALL, color=INK, padding=1)
    below.set(yticks=(), ylim=(0, 1.5 * counts.max()))
    return figure


def calibration(came: Floats, p: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    """Of each bin the samples, their mean probability, and the share that came true."""
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    counts = np.bincount(place, minlength=bins).astype(float)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(place, each, bins) / counts for each in (p, came))
    return counts, mean, share


def _square(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """A figure of which both axes go from 0 to 100 %, and the diagonal."""
    figure, ax = style.new_figure(title, x, y, SQUARE)
    ax.grid(color=PALE, linewidth=0.7)
    ax.axline((0, 0), (100, 100), color=DIM, linewidth=1.0, linestyle=":")
    ax.set(xlim=(0, 100), ylim=(0, 100))
    return figure, ax
