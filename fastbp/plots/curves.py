"""Curves over iterations and epochs: their axes, their lines, and the texts at their ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .style import COLOURS, INK, PALE, TICK, Floats, cut, floats, grouped, shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

End = tuple[float, float, str]  # a curve's last finite x and y, and the text beside it

DASHES = ("-", "--", ":")  # of the palette's first, second and third round
LINE = 1.4 * TICK / 72 / 2.6  # of text, as a share of the axes of a curve, 2.6 inches high
DRAWN_WHOLE, BINS = 5000, 1500  # a longer curve is drawn as the range of each of its bins
SAME = 0.003  # of what the curves span: less than the width of a line
HUGE = 1e100  # such losses count as infinite; Matplotlib's scales overflow near 1e300


def curves(
    thing: str, series: Mapping[str, ArrayLike], repeated: bool = False
) -> dict[str, Floats]:
    """Return label -> curve, NaN where it is not below `HUGE`; at least one value is.

    Where a curve may be `repeated`, every one comes back as (times, n).
    """
    found = {}
    for label, values in series.items():
        name = f"{thing} {str(label)!r}" if label != "" else thing
        y = floats(name, values)
        y = shaped(name, y, *("times", "n")[0 if repeated and y.ndim == 2 else 1 :])
        if not y.size:
            raise ValueError(f"{name}: expected at least one value, got none")
        y = np.where(np.abs(y) < HUGE, y, np.nan)
        found[str(label)] = np.atleast_2d(y) if repeated else y
    if not any(np.isfinite(y).any() for y in found.values()):
        raise ValueError(f"{thing}: expected at least one finite value, got none")
    return found


def count_axis(ax: Axes, last: int) -> None:
    """Let the x axis count 1, 2, … `last` in whole numbers, with a grid to read y from."""
    margin = 0.012 * (last - 1) or 0.5
    ax.set_xlim(1 - margin, last + margin)
    ax.locator_params(axis="x", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    ax.xaxis.set_major_formatter(grouped)
    ax.yaxis.grid(color=PALE, linewidth=0.7)


def span(series: Iterable[Floats]) -> tuple[float, float]:
    """Return the least and the greatest finite value of several curves."""
    values = np.concatenate([np.ravel(y) for y in series])
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


def look(position: int, above: int = 0) -> dict[str, Any]:
    """Return colour and dash of the line at `position`; the first 21 differ.

    One that lies on others, so many of them, has gaps through which they are seen.
    """
    rounds, place = divmod(position, len(COLOURS))
    dash = (0, (4, 4 * above)) if above else DASHES[rounds % len(DASHES)]
    return {"color": COLOURS[place], "linestyle": dash}


def below(lines: Sequence[Floats]) -> list[int]:
    """Of each line, how many before it cannot be told from it: it would hide them."""
    low, high = span(lines)
    near = SAME * (high - low)
    return [
        sum(
            len(line) == len(other) and np.allclose(line, other, rtol=0, atol=near, equal_nan=True)
            for other in lines[:k]
        )
        for k, line in enumerate(lines)
    ]


def epoch_lines(ax: Axes, series: Mapping[str, Floats], number: str) -> None:
    """Draw curves (times, epochs) on a scaled y axis: their means, and bands from least to most."""
    count_axis(ax, max(y.shape[1] for y in series.values()))
    ends, bands = [], {label: band(runs) for label, runs in series.items()}
    above = below([mean for mean, _, _ in bands.values()])
    for k, (label, runs) in enumerate(series.items()):
        mean, low, high = bands[label]
        x = np.arange(1.0, len(mean) + 1)
        style = look(k, above[k]) | {"marker": "o", "markersize": 4 if len(mean) <= 30 else 1}
        ax.plot(x, mean, **style, linewidth=1.8, clip_on=False, label=label)
        if len(runs) > 1:
            ax.fill_between(x, low, high, color=look(k)["color"], alpha=0.2, linewidth=0)
        ends.append(end(label, x, mean, len(mean), number))
    end_labels(ax, ends)


def band(runs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean, least and greatest of the finite values in each column, NaN without any."""
    finite = np.isfinite(runs)
    count = finite.sum(axis=0)
    mean = np.where(finite, runs, 0.0).sum(axis=0) / np.maximum(count, 1)
    low, high = (
        np.where(finite, runs, np.inf).min(axis=0),
        np.where(finite, runs, -np.inf).max(axis=0),
    )
    return tuple(np.where(count > 0, y, np.nan) for y in (mean, low, high))  # type: ignore[return-value]


def iteration_lines(ax: Axes, runs: Mapping[str, Floats], half: int) -> None:
    """Draw raw losses pale and their running means strong, and scale both axes."""
    ends, running = [], [running_mean(y, half) for y in runs.values()]
    means = [mean for _, mean in running]
    above = below(means)
    for k, (label, y) in enumerate(runs.items()):
        long, pale = len(y) > DRAWN_WHOLE, 0.3 / len(runs) ** 0.5
        raw = envelope(y) if long else (np.arange(1.0, len(y) + 1), y)
        if long:  # whose range alone is a block, where batches without a loss are among them
            pale /= 2
            ax.fill_between(*middle_half(y), color=look(k)["color"], alpha=pale, linewidth=0)
        x, mean = running[k]
        ax.plot(*raw, **look(k), linewidth=0.6, alpha=pale, label=f"{label} raw")
        ax.plot(x, mean, **look(k, above[k]), linewidth=1.8, zorder=3, label=f"{label} mean")
        ends.append(end(label, x, mean, len(y), "{:.3g}"))
    count_axis(ax, max(map(len, runs.values())))
    loss_axis(ax, means, span(runs.values())[1])
    end_labels(ax, ends)


def rate_lines(ax: Axes, runs: Mapping[str, Floats]) -> None:
    """Draw rates as they are, and scale both axes."""
    ends, above = [], below([*runs.values()])
    for k, (label, y) in enumerate(runs.items()):
        x = np.arange(1.0, len(y) + 1)
        line = envelope(y) if len(y) > DRAWN_WHOLE else (x, y)
        ax.plot(*line, **look(k, above[k]), label=label)
        ends.append(end(label, x, y, len(y), "{:.3g}"))
    count_axis(ax, max(map(len, runs.values())))
    values = np.concatenate([*runs.values()])
    top = float(np.nanmax(values))
    if np.nanmin(values) > 0 and np.nanmedian(values) < 0.11 * top:
        loss_axis(ax, [values], top)
    else:
        ax.set_ylim(0.0, 1.05 * top or 1.0)
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
    rows = _bins(y)
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    both = np.sort(np.stack([lowest, highest], axis=1), axis=1)
    x = np.arange(len(rows))[:, None] * rows.shape[1] + both + 1.0
    return x.ravel(), np.take_along_axis(rows, both, axis=1).ravel()


def middle_half(y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the middle of each bin, as x, and its first and third quartile, NaN without any."""
    rows = _bins(y)
    ordered, size = np.sort(rows, axis=1), rows.shape[1]  # NaN comes last
    last = np.isfinite(rows).sum(axis=1) - 1
    low, high = (
        np.take_along_axis(ordered, np.rint(share * np.maximum(last, 0)).astype(int)[:, None], 1)
        for share in (0.25, 0.75)
    )
    return np.arange(len(rows)) * size + (size + 1) / 2, low[:, 0], high[:, 0]


def _bins(y: Floats) -> Floats:
    """Return about `BINS` rows of a curve, the last filled up with NaN."""
    size = -(-len(y) // BINS)
    return np.pad(y, (0, -len(y) % size), constant_values=np.nan).reshape(-1, size)


def end(label: str, x: Floats, y: Floats, length: int, number: str) -> End:
    """Return the last finite point of a curve of `length` values and the text beside it."""
    name, finite = cut(label), np.isfinite(y)
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
