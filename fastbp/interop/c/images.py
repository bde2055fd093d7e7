"""Layers of images in C: a sample is its channels, one after another, each row by row."""

from string import Template
from typing import Any

from fastbp import layers
from fastbp.kernels.numbers import Column
from fastbp.layers import Shape

from .step import Step

_CONV = """\
float s[$OW];
int o, c, i, j, k, l;
for (o = 0; o < $OC; o++)
    for (i = 0; i < $OH; i++) {
        for (j = 0; j < $OW; j++)
            s[j] = $start;
        for (c = 0; c < $IC; c++)
            for (k = 0; k < $KH; k++) {
                const int r = $r;$skip
                const float *row = x + ($channel * $H + r) * $W;
                for (l = 0; l < $KW; l++) {
                    const float w = $$n_w[o][c][k][l];
                    for (j = 0; j < $OW; j++)
                        s[j] += $term;
                }
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
    """A row of an output channel is summed at a time."""
    sizes = _sizes(layer, before, behind)
    sizes["IC"] //= layer.groups
    place, of_group = sizes["t"], layer.out_channels // layer.groups
    sizes["channel"] = "c" if layer.groups == 1 else f"(o / {of_group} * {sizes['IC']} + c)"
    sizes["start"] = "$n_b[o]" if layer.bias else "0.0f"
    sizes["skip"], sizes["term"] = "", f"w * row[{place}]"
    if layer.has_border():
        sizes["skip"] = _outside(f"r < 0 || r >= {sizes['H']}", 16)
        sizes["term"] = f"{place} < 0 || {place} >= {sizes['W']} ? 0.0f : w * row[{place}]"
    constants = [("w", layer.w), *([("b", layer.b)] if layer.bias else [])]
    body = Template(_CONV).substitute(sizes)
    return Step(body, in_place=False, constants=constants, sums=behind[2])


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
