"""What the figures share: checks, colours, axes, grids of pictures.

Styles are set on the objects themselves. Matplotlib's ``rcParams`` belong to the whole
process: changing them here would alter a user's own figures, and race between threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# Okabe and Ito's palette for colour-blind readers, without its yellow, too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
BLUE, GREEN, INK, DIM, PALE = COLOURS[0], COLOURS[2], "#222222", "#6B6B6B", "#DDDDDD"
TITLE, LABEL, TICK, SMALL = 11.0, 9.5, 9.0, 8.0  # points
WIDTH = 7.0  # inches: 1050 pixels in a saved picture
DOTS, ON_PAGE = (
    150,
    100,
)  # pixels an inch: of a picture, and of a notebook's page, which has it finer
WRITTEN = 20  # classes, at most, whose names and counts are all written
LONGEST = 28  # characters of a name; a longer one would squeeze the axes away


def shaped(thing: str, array: NDArray[Any], *sizes: int | str) -> NDArray[Any]:
    """Return the array if `sizes` is its shape; a name stands for any size."""
    fixed = {k: want for k, want in enumerate(sizes) if isinstance(want, int)}
    if array.ndim != len(sizes) or any(array.shape[k] != want for k, want in fixed.items()):
        wanted = ", ".join(map(str, sizes)) + "," * (len(sizes) == 1)
        raise ValueError(f"{thing}: expected shape ({wanted}), got {array.shape}")
    return array


def floats(thing: str, values: ArrayLike) -> Floats:
    """Return `values` as floats of whatever shape."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{thing}: expected numbers, got {type(values).__name__}") from None


def numbers(thing: str, values: ArrayLike, *sizes: int | str) -> Floats:
    """Return `values` as floats of that shape."""
    return shaped(thing, floats(thing, values), *sizes)


def names(given: Sequence[str] | None, classes: int) -> list[str]:
    """Return the names of the classes, cut to `LONGEST`."""
    if given is not None and len(given) != classes:
        raise ValueError(f"class_names: expected {classes} names, got {len(given)}")
    return [cut(str(name)) for name in (range(classes) if given is None else given)]


def cut(name: str) -> str:
    """Return a name on one line, and at most `LONGEST` characters of it."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "…"


def grouped(number: float, _: object = None) -> str:
    """Return a whole number with its thousands set apart, as in 60 000."""
    return f"{number:,.0f}".replace(",", "\u2009")


def new_figure(
    title: str, x: str = "", y: str = "", size: tuple[float, float] = (WIDTH, 3.6)
) -> tuple[Figure, Axes]:
    """Return a figure with one empty axes in the common style; `x`, `y` say what is measured."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    vars(figure)["_repr_png_"] = partial(_in_notebook, figure)
    ax = figure.add_subplot(facecolor="white")
    heading = {"size": TITLE, "weight": "bold", "color": INK, "parse_math": False}
    figure.suptitle(
        fill(title, int(9.5 * size[0]), break_on_hyphens=False), x=0.01, ha="left", **heading
    )
    dress(ax, x, y)
    return figure, ax


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG, `DOTS` an inch; savefig draws it twice, and gives the same."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn, dots = BytesIO(), figure.dpi
    figure.dpi = DOTS
    try:
        FigureCanvasAgg(figure).print_png(drawn)
    finally:
        figure.dpi = dots
    return drawn.getvalue()


def _in_notebook(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """What a notebook shows, and how wide: without pyplot nothing else would tell it to."""
    return png(figure), {"width": round(ON_PAGE * figure.get_figwidth())}


def dress(ax: Axes, x: str, y: str) -> None:
    """Give axes the common style, and their names, which say what is measured."""
    ax.set_xlabel(x, size=LABEL, color=INK, parse_math=False)
    ax.set_ylabel(y, size=LABEL, color=INK, parse_math=False)
    ax.tick_params(labelsize=TICK, color=DIM, labelcolor=INK, length=3, width=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(DIM)
    ax.set_axisbelow(True)


def legend(ax: Axes, **options: Any) -> None:
    """Add a legend in the common style."""
    box = ax.legend(**options, fontsize=SMALL, title_fontsize=SMALL)
    box.get_frame().set(edgecolor=PALE, facecolor="white", alpha=0.9)
    for text in box.get_texts():
        text.set(parse_math=False, color=INK)


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
    head = 0.2 * max(title.count("\n") + 1 if title else 0 for title in titles) / inch
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
    across = 0.085 * max(map(len, shown)) < side / len(shown)  # inches of the longest name
    ax.set_xticks(ticks, shown, rotation=0 if across else 90, parse_math=False)
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
    ax.set(xlim=(0, 100), xticks=range(0, 101, 20), ylim=(len(shown) - 0.4, -0.6))
    if picture is not None:
        halves = figure.add_gridspec(1, 2, width_ratios=(2, 3))
        ax.set_subplotspec(halves[1])
        left = figure.add_subplot(halves[0])
        left.imshow(picture, cmap="gray_r", interpolation="nearest")
        left.set_axis_off()
    return figure
