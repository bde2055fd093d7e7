"""What the figures of `fastbp.plots` share: checks, colours, axes, curves, grids of pictures.

Styles are set on the objects themselves. Matplotlib's ``rcParams`` belong to the whole
process: changing them here would alter a user's own figures, and race between threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
End = tuple[float, float, str]  # a curve's last finite x and y, and the text beside it

# Okabe and Ito's palette for colour-blind readers, without its yellow, too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":")  # of the palette's first, second and third round
BLUE, GREEN, INK, DIM, PALE = COLOURS[0], COLOURS[2], "#222222", "#6B6B6B", "#DDDDDD"
TITLE, LABEL, TICK, SMALL = 11.0, 9.5, 9.0, 8.0  # points
WIDTH = 7.0  # inches: 1050 pixels in a saved picture
WRITTEN = 20  # classes, at most, whose names and counts are all written
LINE = 1.4 * TICK / 72 / 2.6  # of text, as a share of the axes of a curve, 2.6 inches high
LONGEST = 28  # characters of a name; a longer one would squeeze the axes away
DRAWN_WHOLE, BINS = 5000, 1500  # a longer curve is drawn as the range of each of its bins
HUGE = 1e100  # such losses count as infinite; Matplotlib's scales overflow near 1e300


def shaped(thing: str, array: NDArray[Any], *sizes: int | str) -> NDArray[Any]:
    """Return the array if `sizes` is its shape; a name stands for any size."""
    fixed = {k: want for k, want in enumerate(sizes) if isinstance(want, int)}
    if array.ndim != len(sizes) or any(array.shape[k] != want for k, want in fixed.items()):
        wanted = ", ".join(map(str, sizes)) + "," * (len(sizes) == 1)
        raise ValueError(f"{thing}: expected shape ({wanted}), got {array.shape}")
    return array


def numbers(thing: str, values: ArrayLike, *sizes: int | str) -> Floats:
    """Return `values` as floats of that shape."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{thing}: expected numbers, got {type(values).__name__}") from None
    return shaped(thing, array, *sizes)


def curves(thing: str, series: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Return label -> curve, NaN where it is not below `HUGE`; at least one value is."""
    found = {}
    for label, values in series.items():
        name = f"{thing} {str(label)!r}" if label != "" else thing
        y = numbers(name, values, "n")
        if not y.size:
            raise ValueError(f"{name}: expected at least one value, got none")
        found[str(label)] = np.where(np.abs(y) < HUGE, y, np.nan)
    if not any(np.isfinite(y).any() for y in found.values()):
        raise ValueError(f"{thing}: expected at least one finite value, got none")
    return found


def names(given: Sequence[str] | None, classes: int) -> list[str]:
    """Return the names of the classes, cut to `LONGEST`."""
    if given is not None and len(given) != classes:
        raise ValueError(f"class_names: expected {classes} names, got {len(given)}")
    return [str(name)[:LONGEST] for name in (range(classes) if given is None else given)]


def grouped(number: float, _: object = None) -> str:
    """Return a whole number with its thousands set apart, as in 60 000."""
    return f"{number:,.0f}".replace(",", "\u2009")


def new_figure(
    title: str, x: str = "", y: str = "", size: tuple[float, float] = (WIDTH, 3.6)
) -> tuple[Figure, Axes]:
    """Return a figure with one empty axes in the common style; `x`, `y` say what is measured."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    ax = figure.add_subplot(facecolor="white")
    heading = {"size": TITLE, "weight": "bold", "color": INK, "parse_math": False}
    figure.suptitle(fill(title, int(9.5 * size[0])), x=0.01, ha="left", **heading)
    ax.set_xlabel(x, size=LABEL, color=INK)
    ax.set_ylabel(y, size=LABEL, color=INK)
    ax.tick_params(labelsize=TICK, color=DIM, labelcolor=INK, length=3, width=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(DIM)
    ax.set_axisbelow(True)
    return figure, ax


def count_axis(ax: Axes, last: int) -> None:
    """Let the x axis count 1, 2, … `last` in whole numbers, with a grid to read y from."""
    margin = 0.012 * (last - 1) or 0.5
    ax.set_xlim(1 - margin, last + margin)
    ax.locator_params(axis="x", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    ax.xaxis.set_major_formatter(grouped)
    ax.yaxis.grid(color=PALE, linewidth=0.7)


def span(series: Iterable[Floats]) -> tuple[float, float]:
    """Return the least and the greatest finite value of several curves."""
    values = np.concatenate(list(series))
    return float(np.nanmin(values)), float(np.nanmax(values))


def loss_axis(ax: Axes, read: Iterable[Floats], top: float) -> None:
    """Scale the y axis up to `top`, logarithmic if the curves to be read span a decade."""
    low, high = span(read)
    if low > 0 and high >= 10 * low:
        ax.set_yscale("log", nonpositive="clip")
        if high < 1e4 * low:  # beyond that, powers of ten are ticks enough
            ax.locator_params(axis="y", subs=(1.0, 2.0, 5.0))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
        ax.set_ylim(low / 2, top * 1.3)
    else:
        ax.set_ylim(min(0.0, 1.05 * low), max(0.0, 1.05 * top) or 1.0)


def look(position: int) -> dict[str, Any]:
    """Return colour and dash of the line at `position`; the first 21 differ."""
    rounds, place = divmod(position, len(COLOURS))
    return {"color": COLOURS[place], "linestyle": DASHES[rounds % len(DASHES)]}


def epoch_lines(ax: Axes, series: Mapping[str, Floats], number: str) -> None:
    """Draw curves that have one value an epoch on a scaled y axis."""
    count_axis(ax, max(map(len, series.values())))
    ends = []
    for k, (label, y) in enumerate(series.items()):
        x = np.arange(1.0, len(y) + 1)
        style = look(k) | {"marker": "o", "markersize": 4 if len(y) <= 30 else 1}
        ax.plot(x, y, **style, linewidth=1.8, clip_on=False, label=label)
        ends.append(end(label, x, y, len(y), number))
    end_labels(ax, ends)


def iteration_lines(ax: Axes, runs: Mapping[str, Floats], half: int) -> None:
    """Draw raw losses pale and their running means strong, and scale both axes."""
    ends, means = [], []
    for k, (label, y) in enumerate(runs.items()):
        raw = envelope(y) if len(y) > DRAWN_WHOLE else (np.arange(1.0, len(y) + 1), y)
        x, mean = running_mean(y, half)
        ax.plot(*raw, **look(k), linewidth=0.6, alpha=0.3 / len(runs) ** 0.5, label=f"{label} raw")
        ax.plot(x, mean, **look(k), linewidth=1.8, zorder=3, label=f"{label} mean")
        ends.append(end(label, x, mean, len(y), "{:.3g}"))
        means.append(mean)
    count_axis(ax, max(map(len, runs.values())))
    loss_axis(ax, means, span(runs.values())[1])
    end_labels(ax, ends)


def running_mean(y: Floats, half: int) -> tuple[Floats, Floats]:
    """Return about `BINS` iterations, and at each the mean of the finite losses within `half`."""
    last = [*np.flatnonzero(np.isfinite(y))[-1:], len(y) - 1]  # never left out
    places = np.union1d(np.arange(0, len(y), max(len(y) // BINS, 1)), last)[:, None]
    offsets = np.arange(-half, half + 1)  # as far back as ahead: a steep start stays steep
    parts = y[np.minimum(np.maximum(places + offsets, 0), len(y) - 1)]
    used = np.isfinite(parts) & (abs(offsets) <= places) & (places + offsets < len(y))
    count = np.maximum(used.sum(axis=1, keepdims=True), 1)
    mean = (np.where(used, parts, 0.0) / count).sum(axis=1)  # divided first: no overflow
    return places[:, 0] + 1.0, np.where(np.isfinite(y[places[:, 0]]), mean, np.nan)


def envelope(y: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest point of each bin, as x and y of one line."""
    size = -(-len(y) // BINS)
    rows = np.pad(y, (0, -len(y) % size), constant_values=np.nan).reshape(-1, size)
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    both = np.sort(np.stack([lowest, highest], axis=1), axis=1)
    x = np.arange(len(rows))[:, None] * size + both + 1.0
    return x.ravel(), np.take_along_axis(rows, both, axis=1).ravel()


def end(label: str, x: Floats, y: Floats, length: int, number: str) -> End:
    """Return the last finite point of a curve of `length` values and the text beside it."""
    name = label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
    finite = np.isfinite(y)
    if not finite.any():
        return 1.0, np.nan, f"{name}: never finite"
    at, value = float(x[finite][-1]), float(y[finite][-1])
    if at < length:
        return at, value, f"{name}: not finite from {grouped(at + 1)} on".strip(": ")
    return at, value, f"{number.format(value)}  {name}".strip()


def end_labels(ax: Axes, ends: Sequence[End]) -> None:
    """Write the text of each end right of the scaled axes, level with it where there is room."""
    points = (ax.transScale + ax.transLimits).transform([(x, y) for x, y, _ in ends])
    levels = spread(np.clip(np.nan_to_num(points[:, 1]), 0.0, 1.0), LINE)
    style: dict[str, Any] = {"va": "center", "fontsize": TICK, "color": INK, "parse_math": False}
    style |= {"textcoords": "axes fraction", "annotation_clip": False}
    for k, ((x, y, text), level) in enumerate(zip(ends, levels, strict=True)):
        leader: dict[str, Any] = {"arrowstyle": "-", "linestyle": ":", "color": look(k)["color"]}
        leader |= {"relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 3, "linewidth": 1.0}
        ax.plot([x], [y], "o", color=look(k)["color"], markersize=4, clip_on=False, zorder=4)
        if np.isnan(y):  # drawn nowhere, so nothing to point to
            leader["visible"], y = False, ax.get_ylim()[0]
        ax.annotate(text, (x, y), xytext=(1.04, level), arrowprops=leader, **style)


def spread(levels: Floats, gap: float) -> Floats:
    """Move levels in 0..1 as little as possible so that neighbours lie `gap` apart."""
    order, n = np.argsort(levels, kind="stable"), range(len(levels))
    steps = gap * np.arange(len(levels))
    loose = levels[order] - steps  # now isotonic regression, in its min-max form
    tight = [max(min(loose[a : b + 1].mean() for b in n[k:]) for a in n[: k + 1]) for k in n]
    moved = np.empty_like(levels)
    moved[order] = np.clip(tight, 0.0, 1.0 - steps[-1]) + steps
    return moved


def tiles(
    images: NDArray[Any], titles: Sequence[str], what: str, most: int, note: str = "", **scale: Any
) -> tuple[Figure, Axes]:
    """Return a figure with the first `most` of images (k, rows, cols) in one axes, for speed."""
    count, rows, cols = len(images[: max(most, 0)]), *images.shape[1:]
    if not count:
        raise ValueError(f"{what}: expected at least one to draw, got {len(images)}, most={most}")
    ink = {"cmap": "gray_r", "vmin": images[:count].min(), "vmax": images[:count].max()} | scale
    widest = 8 if max(map(len, titles)) > 3 else 10
    across = min(range(min(5, count), min(widest, count) + 1), key=lambda n: (-count % n, -n))
    down, inch = -(-count // across), min(WIDTH / across, 1.1)
    tall = min(max(rows / cols, 0.2), 5.0)
    head = 0.2 / inch if any(titles) else 0.0
    height = down * (tall + head)
    size = (max(across * inch, 5.0), height * inch + (0.45 if note else 0.3))
    figure, ax = new_figure(f"{grouped(count)} of {grouped(len(images))} {what}", size=size)
    for k in range(count):
        left, top = k % across, k // across * (tall + head) + head
        box = (left + 0.04, left + 0.96, top + 0.92 * tall, top)
        ax.imshow(images[k], extent=box, interpolation="nearest", **ink)
        ax.text(left + 0.5, top - 0.02, titles[k], ha="center", va="bottom", size=SMALL, color=INK)
    ax.set(xlim=(0, across), ylim=(height, 0), aspect="equal", anchor="NW", xticks=(), yticks=())
    ax.set_xlabel(note, size=SMALL, color=DIM, loc="left")
    ax.spines[:].set_visible(False)
    return figure, ax


def colour_bar(figure: Figure, ax: Axes, text: str, **options: Any) -> None:
    """Add a colour bar for the picture drawn last in `ax`, and the width it takes."""
    figure.set_figwidth(figure.get_figwidth() + 0.9)
    bar = figure.colorbar(ax.images[-1], ax=ax, shrink=0.75, pad=0.02, aspect=25, **options)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=TICK, color=DIM, labelcolor=INK)
    bar.set_label(text, size=LABEL, color=INK)


def confusions(counts: Floats, names: Sequence[str], title: str) -> Figure:
    """Return the figure of a confusion matrix."""
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(share, np.nan)
    top = max(float(np.nanmax(share, initial=0.0)), 0.01)
    side = min(max(0.46 * len(counts), 3.6), WIDTH - 1)
    figure, ax = new_figure(title, "predicted class", "true class", (side + 0.5, side + 0.7))
    ax.imshow(share, cmap="Reds", vmin=0.0, vmax=top)
    ax.set_facecolor(PALE)  # seen where the picture is blank, on the diagonal
    ticks = range(0, len(counts), -(-len(counts) // WRITTEN))
    shown = [names[k] for k in ticks]
    ax.set_xticks(ticks, shown, rotation=90 if max(map(len, shown)) > 3 else 0, parse_math=False)
    ax.set_yticks(ticks, shown, parse_math=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    colour_bar(figure, ax, "errors (% of the true class)")
    for i, j in np.argwhere(counts) if len(counts) <= WRITTEN else ():
        ink = "white" if share[i, j] > 0.55 * top else INK
        ax.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", size=SMALL, color=ink)
    return figure


def bars(picture: Floats | None, p: Floats, names: Sequence[str], label: int | None) -> Figure:
    """Return the figure of a sample and its likeliest classes, the true one always among them."""
    shown = np.sort(np.argsort(-p - (np.arange(len(p)) == label), kind="stable")[:WRITTEN])
    title = f"Predicted {names[int(p.argmax())]} ({100 * p.max():.1f} %)"
    title += "" if label is None else f", true {names[label]}"
    size = (WIDTH if picture is not None else 4.5, 0.9 + 0.25 * max(len(shown), 6))
    figure, ax = new_figure(title, "probability (%)", "class", size)
    ax.xaxis.grid(color=PALE, linewidth=0.7)
    values = [f"{100 * p[k]:.1f}{'  true class' if k == label else ''}" for k in shown]
    drawn = ax.barh(range(len(shown)), 100 * p[shown], color=np.where(shown == label, GREEN, BLUE))
    ax.bar_label(drawn, values, padding=3, size=SMALL, color=INK)
    ax.set_yticks(range(len(shown)), [names[k] for k in shown], parse_math=False)
    ax.set(xlim=(0, 125), xticks=range(0, 101, 20), ylim=(len(shown) - 0.4, -0.6))
    if picture is not None:
        halves = figure.add_gridspec(1, 2, width_ratios=(2, 3))
        ax.set_subplotspec(halves[1])
        left = figure.add_subplot(halves[0])
        left.imshow(picture, cmap="gray_r", interpolation="nearest")
        left.set_axis_off()
    return figure
