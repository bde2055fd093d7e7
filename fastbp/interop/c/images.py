"""Layers of images in C: a sample is its channels, one after another, each row by row."""

from __future__ import annotations

from string import Template
from typing import Any

from fastbp import layers
from fastbp.kernels.numbers import Column
from fastbp.layers import Shape

from .numbers import padded
from .step import Step

_CONV = """\
float s[$SUMS], row[$WIDE] = {0.0f};
int o, c, i, j, k;
for (o = 0; o < $OC; o++)
    for (i = 0; i < $OH; i++) {
        for (j = 0; j < $SUMS; j++)
            s[j] = $start;
        for (c = 0; c < $IC; c++)
            for (k = 0; k < $KH; k++) {
                const int r = $r;$skip
                for (j = 0; j < $W; j++)
                    row[$from] = x[($channel * $H + r) * $W + j];
                for (j = 0; j < $SUMS; j++)
                    s[j] += $terms;
            }
        for (j = 0; j < $OW; j++)
            y[(o * $OH + i) * $OW + j] = s[j];
    }"""

_POOL = """\
int c, i, j, k, l;
for (c = 0; c < $IC; c++)
    for (i = 0; i < $OH; i++)
        for (j = 0; j < $OW; j++) {
            float found = $start;
            for (k = 0; k < $KH; k++)
                for (l = 0; l < $KW; l++) {
                    const int r = $r, t = $t;$skip
                    $each
                }
            y[(c * $OH + i) * $OW + j] = found$end;
        }"""


def _sizes(layer: Any, before: Shape, behind: Shape) -> dict[str, Any]:
    """Sizes by the letters that the bodies have for them, and r and t, places in the image."""
    columns = layer.columns()
    (kh, kw), (sh, sw), (top, left) = (
        (columns[first], columns[first + 1])
        for first in (Column.KERNEL, Column.STRIDE, Column.PADDING)
    )
    sizes = {"IC": before[0], "H": before[1], "W": before[2], "KH": kh, "KW": kw}
    sizes |= {"OC": behind[0], "OH": behind[1], "OW": behind[2]}
    return sizes | {"r": _place("i", sh, "k", top), "t": _place("j", sw, "l", left)}


def _place(window: str, stride: int, inside: str, before: int) -> str:
    """A row or column of the image, by those of the output and of the window."""
    start = window if stride == 1 else f"{window} * {stride}"
    return f"{start} + {inside}" + (f" - {before}" if before else "")


def conv(layer: layers.Conv2d, before: Shape, behind: Shape) -> Step:
    """A row of an output channel is summed at a time, from a row of the image with its border.

    Both are local arrays of fixed sizes, of whose loops compilers make vectors.
    """
    sizes = _sizes(layer, before, behind)
    columns, sums = layer.columns(), padded(behind[2])
    left, stride = columns[Column.PADDING + 1], columns[Column.STRIDE + 1]
    sizes |= {"IC": before[0] // layer.groups, "SUMS": sums}
    sizes["WIDE"] = max(left + before[2], (sums - 1) * stride + sizes["KW"])
    sizes["from"] = f"j + {left}" if left else "j"
    step = "j" if stride == 1 else f"j * {stride}"
    each = (f"$n_w[o][c][k][{at}] * row[{step} + {at}]" for at in range(sizes["KW"]))
    sizes["terms"] = ("\n" + " " * 24 + "+ ").join(each).replace(" + 0]", "]")
    of_group = layer.out_channels // layer.groups
    sizes["channel"] = "c" if layer.groups == 1 else f"(o / {of_group} * {sizes['IC']} + c)"
    sizes["start"] = "$n_b[o]" if layer.bias else "0.0f"
    outside = f"r < 0 || r >= {sizes['H']}"
    sizes["skip"] = _outside(outside, 16) if layer.has_border() else ""
    constants = [("w", layer.w), *([("b", layer.b)] if layer.bias else [])]
    body = Template(_CONV).substitute(sizes)
    return Step(body, in_place=False, constants=constants, sums=sums + sizes["WIDE"])


def max_pool(layer: layers.MaxPool2d, before: Shape, behind: Shape) -> Step:
    """The maximum of a window; NaN stays."""
    each = "const float v = $v;\n" + " " * 20 + "found = v > found || v != v ? v : found;"
    return _pool(layer, before, behind, {"start": "-INFINITY", "each": each, "end": ""})


def avg_pool(layer: layers.AvgPool2d, before: Shape, behind: Shape) -> Step:
    """The mean of a window, the zeros around the image among it."""
    said = {"start": "0.0f", "each": "found += $v;", "end": " / ($KH * $KW)"}
    return _pool(layer, before, behind, said)


def _pool(layer: Any, before: Shape, behind: Shape, said: dict[str, str]) -> Step:
    sizes = _sizes(layer, before, behind) | {"skip": ""}
    if layer.has_border():
        outside = f"r < 0 || r >= {sizes['H']} || t < 0 || t >= {sizes['W']}"
        sizes["skip"] = _outside(outside, 20)
    sizes["v"] = f"x[(c * {sizes['H']} + r) * {sizes['W']} + t]"
    body = Template(Template(_POOL).safe_substitute(said)).substitute(sizes)
    return Step(body, in_place=False)


def _outside(condition: str, indent: int) -> str:
    """Leave out what is not in the image."""
    return f"\n{' ' * indent}if ({condition})\n{' ' * (indent + 4)}continue;"
