"""One step of gradient descent on a small network, explained: every number with its formula.

The numbers are those of the layers, the loss and the optimiser themselves; formulas.py says how
each is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fastbp.layers import Linear
from fastbp.network import Sequential
from fastbp.optimizers import SGD

from . import activations, formulas, losses
from .example import Example, WrittenDown
from .formulas import Formula, d

SIGNIFICANT = 7  # digits of a number for which no others are reported


@dataclass(frozen=True)
class Quantity:
    """A number that occurs, and how it is made."""

    name: str
    value: float
    formula: str  # with names; "" for what is given
    numbers: str  # with numbers
    reported: str | None  # its digits as printed, where it is reported

    @property
    def text(self) -> str:
        """The value: to the reported digits, where it is reported."""
        if self.reported is None:
            return f"{self.value + 0.0:.{SIGNIFICANT}g}".replace("-", "−")
        decimals = len(self.reported.partition(".")[2])
        return f"{self.value:.{decimals}f}".replace("-", "−")

    @property
    def matches(self) -> bool:
        """Whether it is what is reported, to every printed digit."""
        return self.reported is None or self.text == self.reported.replace("-", "−")


@dataclass
class Explanation:
    """The quantities in the order in which they are computed, under headings."""

    title: str
    stages: list[list[str]]  # the names of the inputs, and of each layer's outputs
    weights: dict[int, list[list[str]]]  # a Linear's position -> its weights' names, as in w
    biases: dict[int, list[str | None]]
    reported: dict[str, str]
    sections: dict[str, list[Quantity]] = field(default_factory=dict)
    by_name: dict[str, Quantity] = field(default_factory=dict)

    def add(self, section: str, name: str, value: float, formula: Formula | None = None) -> None:
        """Add a quantity to a section."""
        written = formula.write(lambda name: name) if formula else ""
        numbers = formula.write(self._number) if formula and formula.template != "{0}" else ""
        quantity = Quantity(name, float(value), written, numbers, self.reported.get(name))
        self.sections.setdefault(section, []).append(quantity)
        self.by_name[name] = quantity

    def _number(self, name: str) -> str:
        text = self.by_name[name].text
        return f"({text})" if text.startswith("−") else text

    @property
    def compared(self) -> list[Quantity]:
        """The quantities that are reported."""
        return [q for q in self.by_name.values() if q.reported is not None]


GIVEN, FORWARD, LOSS, BACKWARD, UPDATE = "Given", "Forward", "Loss", "Backward", "Update"


def explain(example: Example) -> Explanation:
    """Compute one step, and say how.

    Raises
    ------
    ValueError
        If something is reported that does not occur.
    """
    net = example.net.copy()
    weights, biases = _parameter_names(net, example)
    stages = _stage_names(net, example.inputs.shape[1])
    told = Explanation(example.title, stages, weights, biases, dict(example.reported))
    _given(told, net, example)
    outputs = _forward(told, net, example.inputs)
    gradient = _loss(told, example, outputs)
    _backward(told, net, gradient)
    _update(told, net, example.rate)
    if unknown := set(told.reported) - set(told.by_name):
        names = ", ".join(told.by_name)
        raise ValueError(f"reported: there is no {min(unknown)!r}; there are {names}")
    return told


def _stage_names(net: Sequential, inputs: int) -> list[list[str]]:
    """I, then h before and H after each hidden layer's activation, then o' before and o after.

    Units are counted through all hidden layers; a single output has no number.
    """
    linear = [k for k, layer in enumerate(net.layers) if isinstance(layer, Linear)]
    last = max(linear, default=-1)
    after_last = [
        k for k, layer in enumerate(net.layers) if k > last and not isinstance(layer, WrittenDown)
    ]
    stages = [[f"I{unit + 1}" for unit in range(inputs)]]
    hidden = 0
    for position, layer in enumerate(net.layers):
        if isinstance(layer, WrittenDown):
            names = stages[-1]
        elif isinstance(layer, Linear) and position != linear[-1]:
            names = [f"h{hidden + unit + 1}" for unit in range(layer.outputs)]
            hidden += layer.outputs
        elif isinstance(layer, Linear):
            numbers = [str(unit + 1) for unit in range(layer.outputs)]
            numbers = numbers if layer.outputs > 1 else [""]
            names = [f"o{number}{chr(39) * len(after_last)}" for number in numbers]
        elif linear and position > linear[-1]:
            names = [name.removesuffix("'") for name in stages[-1]]
        elif stages[-1][0].startswith("h"):
            names = [name.replace("h", "H") for name in stages[-1]]
        else:
            names = [f"{name}'" for name in stages[-1]]
        stages.append(names)
    return stages


def _parameter_names(
    net: Sequential, example: Example
) -> tuple[dict[int, list[list[str]]], dict[int, list[str | None]]]:
    """w1, w2, … row by row and b1, b2, … unit by unit, through all layers."""
    weights: dict[int, list[list[str]]] = {}
    biases: dict[int, list[str | None]] = {}
    w = b = 0
    for position, layer in enumerate(net.layers):
        if isinstance(layer, Linear):
            rows, columns = layer.inputs, layer.outputs
            weights[position] = [
                [f"w{w + i * columns + j + 1}" for j in range(columns)] for i in range(rows)
            ]
            w += rows * columns
            biases[position] = []
            for unit in range(columns):
                exists = (position, unit) not in example.without_bias
                b += exists
                biases[position].append(f"b{b}" if exists else None)
    return weights, biases


def _parameters(told: Explanation, net: Sequential) -> Iterator[tuple[str, float, float]]:
    """Each parameter's name, value and gradient."""
    for position, rows in told.weights.items():
        layer = net.layers[position]
        assert isinstance(layer, Linear)
        for i, row in enumerate(rows):
            for j, name in enumerate(row):
                yield name, layer.w[i, j], layer.dw[i, j]
        for j, bias in enumerate(told.biases[position]):
            if bias is not None:
                yield bias, layer.b[j], layer.db[j]  # type: ignore[index]


def _given(told: Explanation, net: Sequential, example: Example) -> None:
    for name, value in zip(told.stages[0], example.inputs[0], strict=True):
        told.add(GIVEN, name, value)
    for name, value, _ in _parameters(told, net):
        told.add(GIVEN, name, value)
    for name, value in zip(_wanted(told, example), example.target.ravel(), strict=True):
        told.add(GIVEN, name, value)
    told.add(GIVEN, "η", example.rate)


def _wanted(told: Explanation, example: Example) -> list[str]:
    """What the target is called: values y, or the number of the right class."""
    if type(example.loss) not in losses.OF_VALUES:
        return ["class"]
    count = len(told.stages[-1])
    return [f"y{unit + 1}" for unit in range(count)] if count > 1 else ["y"]


def _forward(told: Explanation, net: Sequential, x: np.ndarray) -> np.ndarray:
    for position, layer in enumerate(net.layers):
        before, names, values = told.stages[position], told.stages[position + 1], x[0]
        x = layer.forward(x)
        rounded = net.layers[position + 1 : position + 2]
        shown = rounded[0].forward(x) if rounded and isinstance(rounded[0], WrittenDown) else x
        for unit, name in enumerate(names):
            if isinstance(layer, WrittenDown):
                continue  # shown with the layer before it
            if isinstance(layer, Linear):
                column = [row[unit] for row in told.weights[position]]
                formula = formulas.linear_forward(before, column, told.biases[position][unit])
            else:
                formula = activations.forward(layer, before, unit, values[unit])
            told.add(FORWARD, name, shown[0, unit], formula)
    return x


def _loss(told: Explanation, example: Example, outputs: np.ndarray) -> np.ndarray:
    loss, target = example.loss, example.target
    value, gradient = loss(outputs, target)
    o, wanted, of_values = told.stages[-1], _wanted(told, example), target.ndim == 2
    right = 0 if of_values else int(target[0])
    away = (outputs - target)[0].tolist() if of_values else []
    told.add(LOSS, "l", value, losses.value(loss, o, wanted, right, away))
    others = [unit for unit in range(len(o)) if unit != right]
    for unit in (*others, right):  # the hinge's by the right class is a sum of the others
        found = float(gradient[0, unit])
        formula = losses.gradient(loss, o, wanted, right, unit, found, away)
        told.add(LOSS, d(o[unit]), found, formula)
    return gradient


def _backward(told: Explanation, net: Sequential, dy: np.ndarray) -> None:
    for position in reversed(range(len(net.layers))):
        layer, x, y = net.layers[position], told.stages[position], told.stages[position + 1]
        dx = layer.backward(dy)
        if isinstance(layer, Linear):
            _linear_backward(told, layer, position, x, y)
            if position == 0:
                break  # the inputs do not move
        for unit, name in enumerate(x):
            if isinstance(layer, Linear):
                formula = formulas.linear_backward(y, told.weights[position][unit])
            elif isinstance(layer, WrittenDown):
                continue
            else:
                before = told.by_name[name].value
                formula = activations.backward(layer, x, y, unit, before)
            told.add(BACKWARD, d(name), dx[0, unit], formula)
        dy = dx


def _linear_backward(
    told: Explanation, layer: Linear, position: int, x: Sequence[str], y: Sequence[str]
) -> None:
    assert layer.dw is not None
    assert layer.db is not None
    for i, row in enumerate(told.weights[position]):
        for j, name in enumerate(row):
            told.add(BACKWARD, d(name), layer.dw[i, j], Formula("{0}·{1}", (d(y[j]), x[i])))
    for j, bias in enumerate(told.biases[position]):
        if bias is not None:
            told.add(BACKWARD, d(bias), layer.db[j], Formula("{0}", (d(y[j]),)))


def _update(told: Explanation, net: Sequential, rate: float) -> None:
    SGD(lr=rate).step(net)
    for name, value, _ in _parameters(told, net):
        told.add(UPDATE, f"new {name}", value, Formula("{0} − {1}·{2}", (name, "η", d(name))))


def as_text(told: Explanation) -> str:
    """The explanation as lines: quantity, formula, numbers, value, and what is reported."""
    lines = [told.title]
    for section, quantities in told.sections.items():
        width = max(len(quantity.name) for quantity in quantities)
        lines += ["", section]
        for q in quantities:
            ways = dict.fromkeys(way for way in (q.formula, q.numbers, q.text) if way)
            lines.append(f"  {q.name:<{width}} = {' = '.join(ways)}")
            if q.reported is not None:
                lines[-1] += "   as reported" if q.matches else f"   REPORTED: {q.reported}"
    if told.compared:
        same = sum(quantity.matches for quantity in told.compared)
        lines += ["", f"{same} of {len(told.compared)} reported numbers match to every digit"]
    return "\n".join(lines) + "\n"
