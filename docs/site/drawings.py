"""Drawings, made of numbers when the site is built: each for light pages and for dark ones."""

import itertools
import json
import math

import matplotlib
import numpy as np
import pages
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastbp.datasets import mnist

INK = {"light": "#30343a", "dark": "#d0d4da"}
FINAL = (784, 800, 100, 10)  # the reports' last network
OURS, FIRST, SECOND, FAINT = "#2f7ed8", "#e07b39", "#3a9a5b", "#9aa3ad"
matplotlib.rcParams["svg.hashsalt"] = "fastbp"  # the same numbers, the same file
matplotlib.rcParams["svg.fonttype"] = "none"


def drawn(name: str, said: str) -> str:
    """What a Markdown page says to show a drawing, in the colours that its reader has."""
    return "\n".join(
        f"```{{image}} /reference/{name}-{mode}.svg\n:class: only-{mode}\n:alt: {said}\n```"
        for mode in INK
    )


def make() -> None:
    """Draw them all."""
    for name, (draw, height) in DRAWINGS.items():
        for mode, ink in INK.items():
            _draw(f"{name}-{mode}.svg", draw, height, ink)


def _draw(name: str, draw, height: float, ink: str) -> None:
    colours = {f"axes.{key}": ink for key in ("edgecolor", "labelcolor", "titlecolor")}
    colours |= {"text.color": ink, "xtick.color": ink, "ytick.color": ink, "font.size": 11}
    with matplotlib.rc_context(colours):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.subplots()
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        path = pages.REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def peers(axes: Axes) -> None:
    """How many times as long the others take, by setting."""
    settings = json.loads((pages.DOCS / "peers.json").read_text("utf-8"))["settings"]
    rows = np.arange(len(settings))
    for offset, (name, colour) in enumerate((("PyTorch", FIRST), ("JAX", SECOND))):
        times = [_times(each["peers"], name) for each in settings.values()]
        axes.barh(rows + 0.36 * offset, times, height=0.34, color=colour, label=name)
    axes.axvline(1, color=OURS, label="fastbp")
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100, 200], [1, 2, 5, 10, 20, 50, 100, 200])
    axes.set_yticks(rows + 0.18, list(settings))
    axes.invert_yaxis()
    axes.set_xlabel("times as long as fastbp")
    axes.legend(frameon=False, loc="lower right")


def _times(measured: list[dict], name: str) -> float:
    def best(wanted: str) -> float:
        return min((p["median"] for p in measured if p["name"] == wanted), default=np.nan)

    return best(name) / best("fastbp")


def passes(axes: Axes) -> None:
    """What a step moves through memory for the weights of 784-800-100-10, in MB of float32."""
    megabytes = sum(map(math.prod, itertools.pairwise(FINAL))) * 4 / 1e6
    apart, fused = ("dW written", "dW read", "W read", "W written"), ("W read", "W written")
    for row, moved in enumerate((apart, fused)):
        for at, name in enumerate(moved):
            colour = FIRST if "dW" in name else FAINT
            axes.barh(row, megabytes, left=at * megabytes, height=0.5, color=colour, ec="white")
            axes.text((at + 0.5) * megabytes, row, name, ha="center", va="center", color="black")
        axes.text(len(moved) * megabytes + 0.1, row, f"{len(moved) * megabytes:.1f}", va="center")
    axes.set_yticks([0, 1], ["gradient,\nthen step", "fused"])
    axes.set_xlim(0, 4.6 * megabytes)
    axes.invert_yaxis()
    axes.set_xlabel("MB that a step moves for its weights")


def pixels(axes: Axes) -> None:
    """How often each pixel of MNIST is not zero; a part of the pictures says it."""
    pictures = mnist()[0].first(6000).x.reshape(-1, 28, 28) > 0
    shown = axes.imshow(pictures.mean(axis=0), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{pictures.mean():.0%} of all pixels are not zero")
    axes.figure.colorbar(shown, ax=axes, format="{x:.0%}")


def orders(axes: Axes) -> None:
    """How far a float32 sum is off, if so many threads each add a part of it."""
    numbers = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    exact = math.fsum(numbers.tolist())
    threads = np.arange(1, 17)
    parts = ([p.cumsum(dtype=np.float32)[-1] for p in np.array_split(numbers, n)] for n in threads)
    sums = np.array([np.cumsum(each, dtype=np.float32)[-1] for each in parts])
    axes.bar(threads, sums.astype(float) - exact, color=OURS)
    axes.axhline(0, color=FAINT)
    axes.set_xticks(threads)
    axes.set_xlabel("threads that each add a part")
    axes.set_ylabel("sum, minus the exact one")


DRAWINGS = {
    "peers": (peers, 6.4),
    "passes": (passes, 2.2),
    "pixels": (pixels, 3.6),
    "orders": (orders, 2.8),
}
