"""The optimisers' settings on the command line, as their constructors have them."""

import argparse
import inspect
from dataclasses import replace
from typing import Any

from fastbp.models import Model
from fastbp.optimizers import OPTIMIZERS


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each; what is true or false has two, --nesterov and --no-nesterov."""
    group = parser.add_argument_group(
        "settings of the optimiser", "(default: the model's, else as named)"
    )
    for name, defaults in _settings().items():
        option, said = "--" + name.replace("_", "-"), _said(defaults)
        if isinstance(next(iter(defaults.values())), bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, help=said)
        else:
            group.add_argument(option, type=float, metavar="X", help=said)


def with_settings(model: Model, args: argparse.Namespace) -> Model:
    """The model, its optimiser with the settings that the arguments name.

    Raises
    ------
    ValueError
        If the optimiser has no such setting, or refuses its value.
    """
    given = {name: value for name in _settings() if (value := getattr(args, name)) is not None}
    has = _parameters(model.optimizer)
    for name in given:
        if name not in has:
            known = ", ".join("--" + each.replace("_", "-") for each in has)
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{model.optimizer} has no {option}; it has {known}")
    model = replace(model, options=model.options | given)
    model.make_optimizer()  # which checks them, before anything is computed or written
    return model


def _parameters(optimizer: str) -> dict[str, Any]:
    """An optimiser's settings beside its rate, and their defaults."""
    parameters = inspect.signature(OPTIMIZERS[optimizer]).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "lr"}


def _settings() -> dict[str, dict[str, Any]]:
    """Of each setting its default in every optimiser that has it."""
    found: dict[str, dict[str, Any]] = {}
    for optimizer in OPTIMIZERS:
        for name, default in _parameters(optimizer).items():
            found.setdefault(name, {})[optimizer] = default
    return found


def _said(defaults: dict[str, Any]) -> str:
    """Which optimisers have a setting, and what it is there."""
    by_value: dict[str, list[str]] = {}
    for optimizer, default in defaults.items():
        text = ("on" if default else "off") if isinstance(default, bool) else f"{default:g}"
        by_value.setdefault(text, []).append(optimizer)
    return "; ".join(f"{', '.join(names)} {text}" for text, names in by_value.items())
