"""What a network looks at, as pictures: weights of units, filters, and what filters make of one.

Numbers of both signs are red and blue with white in between, which colour-blind readers tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import style
from .style import DIM, INK, PALE, SMALL, TICK, WIDTH, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST, GAP = 0.85, 0.05  # of a picture in a row, and between pictures, in inches
HEADING = 0.3  # inches above each row of feature maps


def first_layer_weights(
    w: ArrayLike, image_shape: tuple[int, int], *, most: int = 64, label: str = "incoming weight"
) -> Figure:
    """Draw the incoming weights of units as pictures, those of largest norm first.

    All share one scale with zero in its middle. It ends at the 99.5th percentile of the
    magnitudes drawn, so that a few weights don't fade all others.

    Parameters
    ----------
    w : (inputs, units) array
        Weights of the first layer.
    image_shape : (rows, cols)
        Shape of an input picture; rows × cols = inputs.
    most : int
        How many units at most.
    label : str
        What the numbers are: their gradient can be drawn too.

    Raises
    ------
    ValueError
        When the shapes disagree, a weight is not finite, or `most` is not positive.

    Examples
    --------
    >>> figure = fb.plots.first_layer_weights(np.eye(16)[:, :4], (4, 4))
    """
    weights = _finite("weights", style.numbers("weights", w, math.prod(image_shape), "units"))
    order = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")
    pictures, what = weights.T[order].reshape(-1, *image_shape), "units, largest norm first"
    scale = _signed(pictures[: max(most, 1)])
    figure, ax = style.tiles(pictures, [""] * len(order), what, most, **scale)
    style.colour_bar(figure, ax, label, extend="both", extendfrac=0.03)
    return figure


def filters(
    w: ArrayLike, *, most: int = 32, title: str = "Filters", label: str = "weight"
) -> Figure:
    """Draw the filters of a convolution: a column for each, a row for each channel it looks at.

    All share one scale with zero in its middle, as in `first_layer_weights`.

    Parameters
    ----------
    w : (out_channels, in_channels, rows, cols) array
        Weights of a ``Conv2d``, or their gradient.
    most : int
        How many filters and how many channels at most.
    title, label : str
        Of the figure, and what the numbers are.

    Raises
    ------
    ValueError
        When the array has not four dimensions, a weight is not finite, or `most` is not positive.

    Examples
    --------
    >>> figure = fb.plots.filters(np.random.default_rng(0).normal(size=(6, 1, 5, 5)))
    """
    sizes = ("out_channels", "in_channels", "rows", "cols")
    weights = _finite("weights", style.numbers("weights", w, *sizes))
    shown = weights[: max(most, 0), : max(most, 0)]
    if not shown.size:
        raise ValueError(f"filters: expected at least one to draw, got most={most}")
    out, channels, rows, cols = shown.shape
    inch = min((WIDTH - 0.9) / out, LARGEST)
    tall = min(max(rows / cols, 0.2), 5.0)
    size = (max(out * inch + 0.5, 3.5), max(channels * tall * inch + 0.75, 2.2))
    figure, ax = style.new_figure(title, "filter", "channel" if channels > 1 else "", size)
    scale = _signed(shown)
    for k, c in np.ndindex(out, channels):
        box = (k + 0.04, k + 0.96, (c + 0.96) * tall, (c + 0.04) * tall)
        ax.imshow(shown[k, c], extent=box, interpolation="nearest", **scale)
    _bare(ax, out, channels * tall)
    ax.set_xticks(np.arange(out) + 0.5, [str(k + 1) for k in range(out)])
    if channels > 1:
        places = (np.arange(channels) + 0.5) * tall
        ax.set_yticks(places, [str(c + 1) for c in range(channels)])
    style.colour_bar(figure, ax, label, extend="both", extendfrac=0.03)
    if shown.shape != weights.shape:
        ax.set_xlabel(f"filter: {out} of {len(weights)}, on {channels} of {weights.shape[1]}")
    return figure


def feature_maps(stages: Sequence[tuple[str, ArrayLike]], *, most: int = 16) -> Figure:
    """Draw what the layers make of one picture: a row of maps for each.

    Each row has a scale of its own: from white to black where nothing is negative, else blue and
    red with white for zero.

    Parameters
    ----------
    stages : sequence of (str, (channels, rows, cols) array)
        From the picture itself on, each layer's name and its output for it.
    most : int
        How many maps of a layer at most.

    Raises
    ------
    ValueError
        When there is no stage, one has not three dimensions, a number is not finite, or `most` is
        not positive.

    Examples
    --------
    >>> figure = fb.plots.feature_maps([("picture", np.eye(4)[None]), ("maps", np.ones((2, 2, 2)))])
    """
    drawn = [
        (name, _finite(name, style.numbers(name, maps, "channels", "rows", "cols")))
        for name, maps in stages
    ]
    if not drawn or most < 1:
        raise ValueError(f"feature maps: expected at least one, got {len(drawn)}, most={most}")
    heights = [_inches(maps[:most]) * maps.shape[1] / maps.shape[2] for _, maps in drawn]
    total = sum(heights) + HEADING * len(drawn)
    title = "What the layers make of one picture"
    figure, ax = style.new_figure(title, size=(WIDTH, total + 0.45))
    top = 0.0
    for (name, maps), height in zip(drawn, heights, strict=True):
        top += HEADING
        text = f"{name}: {' × '.join(map(str, maps.shape))}"
        text += f", the first {most}" if len(maps) > most else ""
        ax.text(0.0, top - 0.06, text, size=SMALL, color=INK, parse_math=False)
        _row(ax, maps[:most], top, height)
        top += height
    _bare(ax, WIDTH - 0.2, total)
    return figure


def _row(ax: Axes, maps: Floats, top: float, height: float) -> None:
    """Draw the maps of a layer side by side, from `top` downwards, in inches."""
    from matplotlib.patches import Rectangle

    inch = _inches(maps)
    scale = (
        _signed(maps, 100)
        if maps.min() < 0
        else {"cmap": "gray_r", "vmin": 0.0, "vmax": maps.max() or 1.0}
    )
    for k, picture in enumerate(maps):
        box = (k * inch, (k + 1) * inch - GAP, top + height - GAP, top)
        ax.imshow(picture, extent=box, interpolation="nearest", **scale)
        frame = (k * inch, top), inch - GAP, height - GAP
        ax.add_patch(Rectangle(*frame, fill=False, edgecolor=PALE, linewidth=0.6))


def _inches(maps: Floats) -> float:
    """How wide each picture of a row is, with the gap behind it."""
    return min((WIDTH - 0.2) / len(maps), LARGEST)


def _bare(ax: Axes, right: float, bottom: float) -> None:
    """An axes that shows no more than what is drawn in it."""
    ax.set(xlim=(0, right), ylim=(bottom, 0), aspect="equal", anchor="NW", xticks=(), yticks=())
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=TICK, labelcolor=DIM)


def _finite(thing: str, values: Floats) -> Floats:
    if not (values.size and np.isfinite(values).all()):
        raise ValueError(f"{thing}: expected finite values, got none, NaN or infinity")
    return values


def _signed(values: Floats, percent: float = 99.5) -> dict[str, Any]:
    """Colours with zero in the middle, that end where so much of the magnitudes does."""
    limit = float(np.percentile(np.abs(values), percent)) or 1.0
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
