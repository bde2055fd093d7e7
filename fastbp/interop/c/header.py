"""A header: the comment at its top, sizes and names, functions, and what a program calls."""

from __future__ import annotations

import textwrap
from string import Template

from fastbp._version import __version__
from fastbp.datasets._columns import Number
from fastbp.interop.exported import Exported
from fastbp.meaning import Meaning

from .functions import functions
from .meaning import predictions
from .names import comment, text
from .sample import Way
from .step import indented, named
from .together import TOGETHER

_TOP = """\
/* $p: a neural network, written by fastbp $version.

$layers

   In:  $taken numbers, float$columns.
   Out: $outputs scores, float, whose meaning is: $meaning.

   It needs C99 or C++11, and math.h (link with -lm). No function allocates, keeps anything from
   one call to the next, or writes to anything but its output: they may run at once, on several
   threads. A call takes about $stack bytes of stack.

   #include <stdio.h>
   #include "$file"

   int main(void)
   {
       const float x[$P_INPUTS] = {0.0f};
$example
       return 0;
   } */
"""

_CALLS = {
    Meaning.CLASSES: """\
float p[$P_CLASSES];
$p_predict_proba(x, p);
printf("%s, %g\\n", $p_class_names[$p_predict(x)], p[$p_predict(x)]);""",
    Meaning.LABELS: """\
int answers[$P_OUTPUTS];
$p_predict(x, answers);
printf("%d\\n", answers[0]);""",
    Meaning.VALUES: """\
float y[$P_OUTPUTS];
$p_predict(x, y);
printf("%g\\n", y[0]);""",
}
_CALLS[Meaning.TWO_CLASSES] = _CALLS[Meaning.CLASSES]
_CALLS[Meaning.COUNTS] = _CALLS[Meaning.VALUES]

_ENCODE = """\
/* A table's numbers as the network takes them: less their median, by their spread, and smoothly
   clipped at 3; what is missing, NaN, is 0. */
static inline void $p_encode(const float *x, float *in)
{
$body
}
"""

_COLUMN = """\
z = ((double)x[$k] - $center) / $scale;
z = z < -1e6 ? -1e6 : z > 1e6 ? 1e6 : z;
in[$place] = z != z ? 0.0f : (float)(z / sqrt(1.0 + z * z / 9.0));"""


def header(about: Exported, name: str, file: str) -> str:
    """The text of a header, whose names begin with `name`."""
    several = len(about.nets) > 1
    ways, layers = [], []
    for number, net in enumerate(about.nets):
        own = f"{name}_net{number}" if several else name
        ways.append(Way(name, own, net.layers, net.input_shape or (about.inputs,)))
        layers += [*ways[-1].text, _run(about, ways[-1])]
    predicted, used = predictions(about.meaning, about.values)
    called = {*used}.union(*(way.functions for way in ways))
    if several:
        called |= {*TOGETHER[about.meaning].functions}

    def filled(template: str) -> str:
        return named(template.strip("\n") + "\n", name)

    parts = [
        _top(about, name, file, ways),
        filled("#ifndef $P_H\n#define $P_H\n\n#include <math.h>"),
        filled(_sizes(about)),
        _class_names(about, name),
        *map(filled, functions(called)),
        *layers,
        *([filled(_around(about))] if several or about.columns else []),
        filled(predicted),
        "#endif\n",
    ]
    return "\n".join(part for part in parts if part)


def _sizes(about: Exported) -> str:
    """Macros for the sizes of what goes in and comes out."""
    sizes = {"INPUTS": about.taken, "OUTPUTS": about.outputs}
    if about.classes:
        sizes["CLASSES"] = len(about.classes)
    if len(about.nets) > 1:
        sizes["NETWORKS"] = len(about.nets)
    return "\n".join(f"#define $P_{what} {size}" for what, size in sizes.items())


def _class_names(about: Exported, name: str) -> str:
    if not about.classes:
        return ""
    names = ",\n    ".join(map(text, about.classes))
    sizes = f"[{name.upper()}_CLASSES]"
    return f"static const char *const {name}_class_names{sizes} = {{\n    {names}\n}};\n"


def _run(about: Exported, way: Way) -> str:
    """The function of a network: scores itself, where nothing is done around it."""
    if len(about.nets) > 1 or about.columns:
        return way.function(f"{way.own}_run", "const float *x, float *y")
    sizes = {what: f"{way.prefix.upper()}_{what}" for what in ("INPUTS", "OUTPUTS")}
    takes = f"const float x[{sizes['INPUTS']}], float y[{sizes['OUTPUTS']}]"
    return "/* The scores of a sample. */\n" + way.function(f"{way.prefix}_scores", takes)


def _around(about: Exported) -> str:
    """The function scores of a table, or of several networks."""
    lines, given, encode = [], "x", ""
    if about.columns:
        encode, given = _encode(about.columns), "in"
        lines += [f"float in[{about.inputs}];", "$p_encode(x, in);"]
    if len(about.nets) == 1:
        lines += [f"$p_run({given}, y);"]
        told = ""
    else:
        together = TOGETHER[about.meaning]
        lines.insert(0, f"float s[$P_NETWORKS * $P_OUTPUTS]{together.beside};\nint o{together.k};")
        lines += [
            f"$p_net{number}_run({given}, s + {number} * $P_OUTPUTS);"
            for number in range(len(about.nets))
        ]
        lines.append(together.end)
        told = together.before.lstrip("\n") + "\n"
    body = indented("\n".join(lines))
    return (
        f"{encode}{told}/* The scores of a sample. */\n"
        "static inline void $p_scores(const float x[$P_INPUTS], float y[$P_OUTPUTS])\n"
        f"{{\n{body}\n}}"
    )


def _encode(columns: tuple[Number, ...]) -> str:
    """What a table's numbers become, each as ``fastbp.datasets`` encodes it."""
    lines, place = ["double z;"] * any(column.scale for column in columns), 0
    for k, column in enumerate(columns):
        if column.scale:
            numbers = {"center": repr(float(column.center)), "scale": repr(float(column.scale))}
            lines.append(Template(_COLUMN).substitute(numbers, k=k, place=place))
        else:
            lines.append(f"in[{place}] = 0.0f;")
        place += 1
        if column.gaps:
            lines.append(f"in[{place}] = x[{k}] != x[{k}];")
            place += 1
    return _ENCODE.replace("$body", indented("\n".join(lines)))


def _top(about: Exported, name: str, file: str, ways: list[Way]) -> str:
    """The comment at the top."""
    lines = [f"   {comment(line)}" if line else "" for line in about.described.splitlines()]
    return Template(named(_TOP, name)).substitute(
        version=__version__,
        layers="\n".join(lines),
        taken=about.taken,
        columns=comment(f": {about.names}") if about.names else "",
        outputs=about.outputs,
        meaning=about.meaning,
        stack=f"{_stack(about, ways):,}",
        file=comment(file),
        example=textwrap.indent(named(_CALLS[about.meaning], name), " " * 7),
    )


def _stack(about: Exported, ways: list[Way]) -> int:
    """Bytes, about: buffers, a layer's own sums, and what is around them."""
    buffers = max(sum(way.buffers.values()) + way.sums for way in ways)
    around = about.inputs * bool(about.columns) + about.outputs * (1 + 2 * len(ways))
    return -(-4 * (buffers + around) // 100) * 100
