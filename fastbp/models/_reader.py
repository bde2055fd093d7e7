"""Reads a model's TOML file, strictly: what is not understood is an error that says where it is.

A run's config.toml is such a file too. It has more tables, which say what was computed on what;
they are no part of the model.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from fastbp._checks import as_dtype, as_shape
from fastbp._files import read_toml
from fastbp._hints import meant
from fastbp.layers import BUILT_IN
from fastbp.layers.data import INSIDE
from fastbp.layers.initializers import initializer
from fastbp.layers.rules import HOW_TRAINED

from ._keys import KEYS, PARTS, Part, chosen
from .model import PROBLEMS, TAKES, Model, placed

NAMED: dict[str, Path] = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
TABLES = ("network", "training")
OF_A_RUN = ("fastbp", "data", "computation")  # tables and keys that ``train`` adds
NETWORK = ("model", "input_shape", "init", "dtype", "layers")
MOST_LAYERS = 1000


def read(source: str) -> Model:
    """A model by its name, one of ``NAMED``, or from a TOML file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError, TypeError
        If it is no TOML, or no such model; the message has file, layer and key.

    Examples
    --------
    >>> model = fb.models.read("dense")
    >>> net = model.build(features=784, classes=10)
    >>> net.outputs
    10
    """
    path = NAMED.get(source, Path(source))
    written = read_toml(path)
    try:
        return _model(written, source, path.stem)
    except PROBLEMS as problem:
        raise placed(problem, source) from None


def _model(written: dict[str, Any], source: str, name: str) -> Model:
    _refuse_unknown(written, (*TABLES, *OF_A_RUN), TABLES)
    if "network" not in written:
        raise ValueError("'network' is missing: a table with layers = [{type = \"Linear\"}, …]")
    network = _table(written, "network")
    training = _table(written, "training")
    settings = _training(training) | {"name": network.get("model", name), "source": source}
    settings["layers"] = tuple(_layers(network))
    for key in ("init", "dtype"):
        if key in network:
            settings[key] = _text(network[key], f"network: {key}")
    if "input_shape" in network:
        settings["input_shape"] = _in("network", lambda: as_shape(network["input_shape"]))
    model = Model(**settings)
    _text(model.name, "network: model")
    _in("network", lambda: (initializer(model.init), as_dtype(model.dtype)))
    _in("training", model.fit_arguments)  # which makes its parts, and so checks their settings
    return model


def _layers(network: dict[str, Any]) -> list[dict[str, Any]]:
    _refuse_unknown(network, NETWORK, NETWORK, "network: ")
    return _checked_rows(network.get("layers"), "network")


def _checked_rows(rows: Any, where: str) -> list[dict[str, Any]]:
    """A list of layers, as they are written."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f'{where}: layers: expected a list of tables, [{{type = "Linear"}}, …]')
    if not 1 <= len(rows) <= MOST_LAYERS:
        raise ValueError(f"{where}: layers: expected 1 to {MOST_LAYERS} of them, got {len(rows)}")
    for place, row in enumerate(rows, 1):
        _in(f"layer {place}", lambda row=row: _check_layer(row))
    return rows


def _check_layer(row: dict[str, Any]) -> None:
    """Refuse an unknown type, and settings that it has not, or lacks; values are its own matter."""
    kind = row.get("type")
    if not isinstance(kind, str) or kind not in BUILT_IN:
        hint = meant(kind, BUILT_IN)
        raise ValueError(f"type: expected {', '.join(BUILT_IN)}; got {kind!r}{hint}")
    parameters = inspect.signature(BUILT_IN[kind]).parameters
    given = set(row) - {"type", *HOW_TRAINED}
    if unknown := given - set(parameters):
        known = ", ".join((*parameters, *HOW_TRAINED))
        raise ValueError(f"{kind} has no setting {min(unknown)!r}; it has {known}")
    left_out = {TAKES.get(kind), "outputs" if kind == "Linear" else None}
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given | left_out:
            raise ValueError(f"{kind}: {name!r} is missing")
    if INSIDE in row:
        _checked_rows(row[INSIDE], kind)


def _training(training: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model that its training table gives."""
    parts = [(part, training.get(part.name, getattr(Model, part.name))) for part in PARTS]
    for part, name in parts:
        chosen(part.known, name, f"training: {part.name}")
    settings = [key for part, name in parts for key in part.parameters(name)]
    known = (*(part.name for part in PARTS), *KEYS, *settings)
    _refuse_unknown(training, known, known, "training: ")
    found = {
        name: key.setting.check(training[name], f"training: {name}", None)
        for name, key in KEYS.items()
        if name in training
    }
    for part, name in parts:
        found |= {part.name: name, part.options: _options(training, part, name)}
    return found


def _options(training: dict[str, Any], part: Part, name: str) -> dict[str, Any]:
    """Those of a part; its constructor checks their values, but for those that are truths."""
    found = {}
    for key, parameter in part.parameters(name).items():
        if key in training:
            found[key] = training[key]
            if isinstance(parameter.default, bool) and not isinstance(found[key], bool):
                raise TypeError(f"training: {key}: expected true or false, got {found[key]!r}")
        elif parameter.default is parameter.empty:
            raise ValueError(f"training: {name}: {key!r} is missing")
    return found


def _table(written: dict[str, Any], name: str) -> dict[str, Any]:
    table = written.get(name, {})
    if not isinstance(table, dict):
        raise TypeError(f"{name}: expected a table, [{name}]; got {table!r}")
    return table


def _refuse_unknown(
    table: dict[str, Any], allowed: Collection[str], named: Iterable[str], where: str = ""
) -> None:
    if unknown := set(table) - set(allowed):
        name, known = min(unknown), ", ".join(named)
        raise ValueError(f"{where}unknown key {name!r}; known are {known}{meant(name, named)}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a text, got {value!r}")
    return value


def _in(where: str, check: Any) -> Any:
    """What a check gives; its errors say where it was."""
    try:
        return check()
    except PROBLEMS as problem:
        raise placed(problem, where) from None
