"""A network's Python file: its mathematics, the network, what its scores mean, and its numbers."""

from __future__ import annotations

import base64
import inspect
import re
import textwrap
from string import Template
from types import FunctionType

import numpy as np

from fastbp._version import __version__
from fastbp.interop.exported import Exported
from fastbp.layers import Layer, Shape
from fastbp.layers.nesting import short
from fastbp.meaning import Meaning

from . import mathematics
from .layers import WRITERS

WIDE = 96  # letters of a line of numbers
FUNCTIONS: dict[str, FunctionType] = {
    name: value for name, value in vars(mathematics).items() if isinstance(value, FunctionType)
}

_TOP = '''\
"""$name: a neural network, written by fastbp $version; it needs NumPy alone.

$layers

    import $name
    $name.predict(x)  # of x, (n, $taken) numbers$columns

    python $name.py samples.csv  # rows of numbers, without their names; - for standard input
"""

$imports

import numpy as np
'''

_NETWORK = '''\
def $function(x):
    """$told"""
    p = PARAMETERS
$lines
    return x
'''

_TOGETHER = '''\
def scores(x):
    """$told"""
    x = $given
    found = np.stack([$calls]).astype(float)
    return $mean(found).astype($type)
'''

_MEANS = {
    Meaning.CLASSES: "mean_of_classes",
    Meaning.TWO_CLASSES: "mean_of_yes",
    Meaning.LABELS: "mean_of_yes",
    Meaning.VALUES: "mean_of_values",
    Meaning.COUNTS: "log_mean",
}

_PREDICT = {
    Meaning.CLASSES: '''\
def predict_proba(x):
    """The probability of each class, (n, $chances)."""
    return softmax(scores(x))


def predict(x):
    """The most probable class of each sample, a number: CLASSES has the names."""
    return scores(x).argmax(axis=1)
''',
    Meaning.TWO_CLASSES: '''\
def predict_proba(x):
    """The probabilities of both classes, (n, 2)."""
    yes = scores(x)
    return sigmoid(np.hstack([-yes, yes]))


def predict(x):
    """The class of each sample, 0 or 1: CLASSES has the names."""
    return (scores(x)[:, 0] > 0).astype(int)
''',
    Meaning.LABELS: '''\
def predict_proba(x):
    """The probability of each yes, (n, $chances)."""
    return sigmoid(scores(x))


def predict(x):
    """1 for yes, 0 for no, (n, $chances)."""
    return (scores(x) > 0).astype(int)
''',
    Meaning.VALUES: '''\
def predict(x):
    """The values of each sample, in their own unit, (n, $outputs)."""
    return $value
''',
}
_PREDICT[Meaning.COUNTS] = _PREDICT[Meaning.VALUES]

_END = '''\
def array(shape, text):
    """Numbers that were written as base64, little end first."""
    return np.frombuffer(base64.b64decode(text), "$dtype").reshape(shape)


PARAMETERS = {
$arrays
}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    samples = np.loadtxt(sys.stdin if sys.argv[1] == "-" else sys.argv[1], delimiter=",", ndmin=2)
    for answer in predict(samples):
        print($answer)
'''


class Code:
    """A network as lines of code.

    Attributes
    ----------
    lines : list of str
        What becomes of x.
    arrays : dict
        By the names that they have in a model's file.
    """

    def __init__(self, layers: tuple[Layer, ...], shape: Shape, within: str) -> None:
        self.lines: list[str] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._through(layers, shape, within)

    def _through(self, layers: tuple[Layer, ...], shape: Shape, within: str) -> None:
        for position, layer in enumerate(layers):
            name = f"{within}{position}"
            told = f"# {name}: {short(layer)}"
            if layer.layers:
                kept = f"kept_{name.replace('.', '_')}"
                self.lines.append(f"{kept} = x")
                self._through(layer.layers, shape, f"{name}.")
                self.lines.append(f"x = {kept} + x  {told}")
            call = WRITERS[type(layer)](layer, shape)
            if call is not None:
                self.arrays |= {f"{name}.{what}": array for what, array in call.arrays.items()}
                given = [f'p["{name}.{what}"]' for what in call.arrays]
                given += map(repr, call.others)
                self.lines.append(f"x = {call.function}({', '.join(['x', *given])})  {told}")
            shape = layer.output_shape(shape) or shape


def program(about: Exported, name: str) -> str:
    """The text of a file that is imported as `name`."""
    networks, arrays = _networks(about)
    data = [f"CLASSES = {about.classes!r}\n"] if about.classes else []
    if about.columns:
        rows = [(c.name, c.center, c.scale, c.gaps) for c in about.columns]
        lines = "".join(f"    {row!r},\n" for row in rows)
        data.append(f"COLUMNS = [  # name, median, spread, and whether there were gaps\n{lines}]\n")
    predict = Template(_PREDICT[about.meaning]).substitute(
        chances=about.chances, outputs=about.outputs, value=_value(about)
    )
    functions = _called("".join([*networks, predict]))
    end = Template(_END).substitute(
        dtype=_type(about).newbyteorder("<").str,
        arrays="\n".join(_written(*item) for item in arrays.items()),
        answer="CLASSES[answer]" if about.classes else "*np.atleast_1d(answer)",
    )
    parts = [*functions, *networks, *data, predict, end]
    return _top(about, name, "math." in "".join(functions)) + "\n\n" + "\n\n".join(parts)


def _type(about: Exported) -> np.dtype:
    return about.nets[0].dtype


def _networks(about: Exported) -> tuple[list[str], dict[str, np.ndarray]]:
    """The function scores, those of several networks before it, and all arrays."""
    shape, several = about.nets[0].input_shape or (about.inputs,), len(about.nets) > 1
    told = f"The scores of samples, (n, {about.outputs}); their meaning is: {about.meaning}."
    given = f"np.asarray(x, np.{_type(about)}).reshape(-1, {', '.join(map(str, shape))})"
    if about.columns:
        given = f"encode(np.reshape(x, (-1, {about.taken})), COLUMNS).astype(np.{_type(about)})"
    texts, calls = [], []
    arrays: dict[str, np.ndarray] = {}
    for number, net in enumerate(about.nets):
        code = Code(net.layers, shape, f"{number}." if several else "")
        lines = code.lines if several else [f"x = {given}", *code.lines]
        calls.append(f"network_{number}(x)")
        says = {"function": f"network_{number}", "told": f"The scores of network {number}."}
        says = says if several else {"function": "scores", "told": told}
        texts.append(
            Template(_NETWORK).substitute(says, lines=textwrap.indent("\n".join(lines), "    "))
        )
        arrays |= code.arrays
    if several:
        said = {"told": told, "given": given, "calls": ", ".join(calls)}
        said |= {"mean": _MEANS[about.meaning], "type": f"np.{_type(about)}"}
        texts.append(Template(_TOGETHER).substitute(said))
    return texts, arrays


def _value(about: Exported) -> str:
    """What is predicted, by the scores."""
    value = "np.exp(scores(x))" if about.meaning is Meaning.COUNTS else "scores(x)"
    unit = about.values
    if unit is not None:
        value = f"{value}.astype(float) * {unit.std!r} + {unit.mean!r}"
        if unit.low is not None:
            value = f"np.clip({value}, {unit.low!r}, {unit.high!r})"
    return value


def _called(text: str) -> list[str]:
    """The source of the functions that a text calls, and of those that they call, in order."""
    wanted: set[str] = set()
    left = [text]
    while left:
        found = {*re.findall(r"\b\w+(?=\()", left.pop())} & {*FUNCTIONS} - wanted
        wanted |= found
        left += [inspect.getsource(FUNCTIONS[name]) for name in found]
    return [inspect.getsource(value) for name, value in FUNCTIONS.items() if name in wanted]


def _written(name: str, numbers: np.ndarray) -> str:
    """An array's line in PARAMETERS."""
    little = numbers.astype(numbers.dtype.newbyteorder("<"))
    lines = textwrap.wrap(base64.b64encode(little.tobytes()).decode(), WIDE)
    text = "\n".join(f'        "{line}"' for line in lines)
    return f'    "{name}": array(\n        {numbers.shape},\n{text},\n    ),'


def _top(about: Exported, name: str, mathematical: bool) -> str:
    """The module's docstring and imports."""
    return Template(_TOP).substitute(
        name=name,
        version=__version__,
        layers=textwrap.indent(about.described, "    "),
        taken=about.taken,
        columns=f": {_plain(about.names)}" if about.names else "",
        imports="\n".join(["import base64", *["import math"] * mathematical, "import sys"]),
    )


def _plain(text: str) -> str:
    """What may stand in a docstring, on one line."""
    text = text.replace("\\", "/").replace('"', "'")
    return "".join(letter if letter.isprintable() else " " for letter in text)
