"""What a search over settings found, as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import as_count
from . import style
from .style import BLUE, COLOURS, DIM, PALE, SMALL, TICK, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 12  # settings, at most, that have axes
ACROSS = 3  # axes beside each other
SIZE = (2.6, 2.3)  # inches of one
WORDS = 8  # values, at most, that are words on an axis
LETTERS = 24  # beside each other, of the longest; more are turned
SPREAD = 0.22  # of dots of one word, to both sides


def scores_by_parameter(
    parameters: Mapping[str, Sequence[Any]],
    scores: ArrayLike,
    *,
    metric: str = "score",
    epochs: Sequence[int] | None = None,
    best: int | None = None,
    log: Sequence[str] = (),
) -> Figure:
    """Draw each trial's score by each of its settings, one axes a setting, a dot a trial.

    Dots of trials that were trained for fewer epochs than others are paler; the best one has a
    ring.

    Parameters
    ----------
    parameters : mapping of name to (trials,) sequence
        Numbers have their place; other values stand side by side.
    scores : (trials,) array
        NaN where a trial failed.
    metric : str
        What the score is.
    epochs : (trials,) sequence, optional
        That each was trained for.
    best : int, optional
        The number of the best one.
    log : sequence of str
        The names whose axes are logarithmic.

    Raises
    ------
    ValueError
        When there is no setting, shapes differ, no score is finite, or `best` is not among them.

    Examples
    --------
    >>> tried = {"lr": [0.1, 0.01, 0.001], "hidden": [(8,), (16,), (8,)]}
    >>> figure = fb.plots.scores_by_parameter(tried, [0.7, 0.9, 0.8], best=1, log=["lr"])
    """
    if not isinstance(parameters, Mapping):
        raise TypeError(f"parameters: expected a mapping, got {type(parameters).__name__}")
    y = style.numbers("scores", scores, "trials")
    if not np.isfinite(y).any():
        raise ValueError("scores: expected at least one finite score, got none")
    ringed = None if best is None else _among(best, len(y))
    names = [*parameters][:MOST]
    if not names:
        raise ValueError("parameters: expected at least one setting, got none")
    for name in names:
        if len(parameters[name]) != len(y):
            raise ValueError(
                f"parameters {name}: expected {len(y)} values, got {len(parameters[name])}"
            )
    trained = np.ones(len(y)) if epochs is None else style.numbers("epochs", epochs, len(y))
    across, down = min(ACROSS, len(names)), -(-len(names) // ACROSS)
    failed = int((~np.isfinite(y)).sum())
    title = f"{metric} by setting, {len(y)} trials" + f", {failed} failed" * bool(failed)
    size = max(across * SIZE[0] + 0.4, 4.5), down * SIZE[1] + 0.6
    figure, first = style.new_figure(title, size=size)
    first.remove()
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for ax, name in zip(grid.flat, names, strict=False):
        style.dress(ax, style.cut(name), metric if ax in grid[:, 0] else "")
        _dots(ax, _places(ax, [*parameters[name]], name in log), y, trained, ringed)
    for ax in grid.flat[len(names) :]:
        ax.remove()
    return figure


def _among(best: int, trials: int) -> int:
    """The best one's number, if it is one of theirs."""
    number = as_count(best, "best", least=0)
    if number >= trials:
        raise ValueError(f"best: expected a trial's number, below {trials}, got {number}")
    return number


def _dots(ax: Axes, x: Floats, y: Floats, trained: Floats, best: int | None) -> None:
    ax.grid(color=PALE, linewidth=0.7)
    whole = trained == trained.max()
    dots: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 5, "markeredgewidth": 0}
    ax.plot(x[~whole], y[~whole], **dots, color=DIM, alpha=0.35, label="_fewer epochs")
    ax.plot(x[whole], y[whole], **dots, color=BLUE, alpha=0.75, label="_all epochs")
    if best is not None:
        ring: dict[str, Any] = {"markersize": 10, "markerfacecolor": "none", "markeredgewidth": 1.6}
        ax.plot(x[best], y[best], "o", **ring, markeredgecolor=COLOURS[1], label="_best")


def _places(ax: Axes, values: list[Any], is_log: bool) -> Floats:
    """Where each value stands on the axis, which is prepared for it."""
    are_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    different = sorted(set(values)) if are_numbers else [*dict.fromkeys(map(_word, values))]
    if are_numbers and (is_log or len(different) > WORDS):
        if is_log:
            ax.set_xscale("log")
        return np.array(values, float)
    words = [_word(each) for each in different]
    number = {word: place for place, word in enumerate(words)}
    found = np.array([number[_word(value)] for value in values], float)
    for place in range(len(words)):  # beside each other, that none hides another
        same = np.flatnonzero(found == place)
        if len(same) > 1:
            found[same] += np.linspace(-SPREAD, SPREAD, len(same))
    size = SMALL if len(words) > 3 else TICK
    wide = max(map(len, words)) * len(words) > LETTERS
    turned: dict[str, Any] = {"rotation": 30, "ha": "right"} if wide else {}
    ax.set_xticks(range(len(words)), map(style.cut, words), size=size, parse_math=False, **turned)
    ax.set_xlim(-0.6, len(words) - 0.4)
    return found


def _word(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    return "-".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
