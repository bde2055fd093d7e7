"""A small network with one sample, as a TOML file writes it down, to be explained step by step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp._files import read_toml
from fastbp._hints import meant
from fastbp.layers import Layer, Linear
from fastbp.losses import Loss, MSELoss
from fastbp.network import Sequential

from .activations import EXPLAINED as ACTIVATIONS
from .losses import OF_CLASSES, OF_VALUES

WORKED_EXAMPLE = Path(__file__).with_name("worked_example.toml")
LOSSES: dict[str, type[Loss]] = {
    "squared-error": MSELoss,  # as report B calls it
    **{loss.name: loss for loss in (*OF_CLASSES, *OF_VALUES)},
}
EXPLAINED: tuple[type[Layer], ...] = (Linear, *ACTIVATIONS)
LAYERS = {layer.__name__: layer for layer in EXPLAINED}
PROBLEMS = (ValueError, TypeError, OverflowError)
KEYS = {"title", "inputs", "target", "loss", "rate", "layer", "reported"}
DIGITS = re.compile(r"[-−]?\d{1,30}(\.\d{1,30})?", re.ASCII)
NO_BIAS = "none"  # in place of a number: this unit has no bias
WIDEST, MOST_LAYERS = 8, 12  # more would be no explanation any more


class WrittenDown(Layer):
    """Y = X to so many digits, as one writes it down; the derivative does not know of it."""

    settings = ("digits",)

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Round."""
        self.y = np.round(self._input(x), self.digits)
        return self.y

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """Pass the gradient on."""
        return self._gradient(dy)


@dataclass
class Example:
    """A network, one sample, and what somebody reported of it: quantity -> digits as printed."""

    net: Sequential  # float64
    inputs: np.ndarray  # (1, inputs)
    target: np.ndarray  # (1, outputs) values, or (1,) a class
    loss: Loss
    rate: float
    title: str = "A small network"
    reported: Mapping[str, str] = field(default_factory=dict)
    without_bias: frozenset[tuple[int, int]] = frozenset()  # (layer, unit)


def read_example(path: str | Path) -> Example:
    """Read a network that is written down like worked_example.toml.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no TOML, or not such a network; the message has the path and the reason.
    """
    written = read_toml(path)
    try:
        return _example(written)
    except PROBLEMS as problem:
        raise ValueError(f"{path}: {problem}") from problem


def _example(written: dict[str, Any]) -> Example:
    if unknown := set(written) - KEYS:
        raise ValueError(f"unknown key {min(unknown)!r}; known are {', '.join(sorted(KEYS))}")
    if missing := {"inputs", "target", "loss", "rate", "layer"} - set(written):
        raise ValueError(f"{min(missing)!r} is missing")
    if written["loss"] not in LOSSES:
        hint = meant(written["loss"], LOSSES)
        raise ValueError(f"loss: expected {', '.join(LOSSES)}; got {written['loss']!r}{hint}")
    inputs = np.array([_numbers(written["inputs"], "inputs")])
    net, without_bias = _network(written["layer"], inputs.shape[1])
    rate = _number(written["rate"], "rate")
    if rate <= 0:
        raise ValueError(f"rate: expected a number above 0, got {rate:g}")
    loss = LOSSES[written["loss"]]()
    outputs = net.forward(inputs).shape[1]
    target = loss.check_target(_target(written["target"], loss), 1, outputs, net.dtype)
    title, reported = written.get("title", Example.title), written.get("reported", {})
    if not isinstance(title, str):
        raise TypeError(f"title: expected a text, got {title!r}")
    return Example(net, inputs, target, loss, rate, title, _reported(reported), without_bias)


def _network(rows: Any, inputs: int) -> tuple[Sequential, frozenset[tuple[int, int]]]:
    """The network, and which units of which layers have no bias."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("layer: expected [[layer]] tables")
    if not 1 <= len(rows) <= MOST_LAYERS:
        raise ValueError(f"layer: expected 1 to {MOST_LAYERS} layers, got {len(rows)}")
    layers: list[Layer] = []
    numbers: dict[int, tuple[np.ndarray, list[float | None]]] = {}
    for place, row in enumerate(rows, 1):
        try:
            made, parameters = _layer(dict(row))
        except PROBLEMS as problem:
            raise ValueError(f"layer {place}: {problem}") from None
        if parameters:
            numbers[len(layers)] = parameters
        layers += made
    net = Sequential(*layers, dtype="float64")
    if net.inputs not in (None, inputs):
        raise ValueError(
            f"inputs: the first Linear has {net.inputs} rows of w, got {inputs} inputs"
        )
    without = set()
    for position, (w, b) in numbers.items():
        layer = net.layers[position]
        assert isinstance(layer, Linear)
        assert layer.w is not None
        layer.w[...] = w
        if layer.b is not None:
            layer.b[...] = [value or 0.0 for value in b]
        without |= {(position, unit) for unit, value in enumerate(b) if value is None}
    return net, frozenset(without)


def _layer(row: dict[str, Any]) -> tuple[list[Layer], tuple[np.ndarray, list[float | None]] | None]:
    """The layers of one table, a rounding one among them; and w and b of a Linear."""
    kind, digits, parameters = row.pop("type", None), row.pop("digits", None), None
    if kind not in LAYERS:
        raise ValueError(f"type: expected {', '.join(LAYERS)}; got {kind!r}{meant(kind, LAYERS)}")
    if kind == "Linear":
        w, b = _weights(row.pop("w", None)), row.pop("b", None)
        if row.get("bias") is False:
            if b is not None:
                raise ValueError("bias = false, so that there is no b")
            b = [NO_BIAS] * w.shape[1]
        bias = _bias([0] * w.shape[1] if b is None else b, w.shape[1])
        row |= {"inputs": w.shape[0], "outputs": w.shape[1]}
        parameters = w, bias
    if unknown := set(row) - set(LAYERS[kind].settings):
        raise ValueError(f"unknown key {min(unknown)!r} for {kind}")
    layers = [LAYERS[kind](**row)]
    if digits is not None:
        if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 15:
            raise ValueError(f"digits: expected a whole number from 0 to 15, got {digits!r}")
        layers.append(WrittenDown(digits))
    return layers, parameters


def _weights(w: Any) -> np.ndarray:
    if not isinstance(w, list) or not w or not all(isinstance(row, list) for row in w):
        raise ValueError("w: expected a list of rows, one for each input")
    rows = [_numbers(row, "w") for row in w]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("w: expected rows of equal length")
    if max(len(rows), len(rows[0])) > WIDEST:
        raise ValueError(
            f"w: at most {WIDEST} × {WIDEST} can be explained, got {len(w)} × {len(w[0])}"
        )
    return np.array(rows)


def _bias(b: Any, units: int) -> list[float | None]:
    if not isinstance(b, list) or len(b) != units:
        raise ValueError(f"b: expected a list of {units}, one for each column of w")
    return [None if value == NO_BIAS else _number(value, "b") for value in b]


def _numbers(values: Any, name: str) -> list[float]:
    if not isinstance(values, list) or not 1 <= len(values) <= WIDEST:
        raise ValueError(f"{name}: expected a list of 1 to {WIDEST} numbers")
    return [_number(value, name) for value in values]


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not abs(value) < 1e6:
        raise ValueError(f"{name}: expected a number below a million, got {value!r}")
    return float(value)


def _target(target: Any, loss: Loss) -> np.ndarray:
    if type(loss) in OF_VALUES:
        return np.array([_numbers(target, "target")])
    if isinstance(target, bool) or not isinstance(target, int):
        raise TypeError(f"target: expected the number of the right class, got {target!r}")
    return np.array([target])


def _reported(reported: Any) -> dict[str, str]:
    if not isinstance(reported, dict):
        raise TypeError("reported: expected a table of texts")
    for name, digits in reported.items():
        if not isinstance(digits, str) or not DIGITS.fullmatch(digits):
            raise ValueError(f"reported: expected digits as text for {name}, got {digits!r}")
    return reported
