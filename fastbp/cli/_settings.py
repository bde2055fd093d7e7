"""How a model is trained, on the command line: an option for each key of its training table."""

import argparse
import functools
import inspect
from typing import Any

from fastbp import models
from fastbp._settings import Count, Number, Setting, Word
from fastbp.cli import _arguments
from fastbp.models import KEYS, PARTS

NAMES = (*(part.name for part in PARTS), *KEYS)


def add_training(parser: argparse.ArgumentParser) -> None:
    """What a model's parts are, and its single keys."""
    for part in PARTS:
        help_ = part.said + of_named(part.name)
        parser.add_argument(option(part.name), choices=part.known, help=help_)
    for name, key in KEYS.items():
        help_ = key.said + of_named(name)
        parser.add_argument(option(name), help=help_, **_type_of(key.setting))


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each of its parts' settings; what is a truth has two, --no-nesterov too."""
    for part in PARTS:
        group = parser.add_argument_group(
            f"settings of the {part.what}", "(default: the model's, else as named)"
        )
        for name, defaults in part.settings().items():
            default = next(iter(defaults.values()))
            how: dict[str, Any] = {"type": _arguments.number, "metavar": "X"}
            if isinstance(default, bool):
                how = {"action": argparse.BooleanOptionalAction}
            elif isinstance(default, str):
                how = {"metavar": "NAME"}
            group.add_argument(option(name), help=_said(defaults), **how)


def of_parts() -> tuple[str, ...]:
    """The names of all parts' settings."""
    return tuple(name for part in PARTS for name in part.settings())


def _type_of(setting: Setting) -> dict[str, Any]:
    """How argparse reads a key."""
    if isinstance(setting, Word):
        return {"choices": setting.words}
    if isinstance(setting, Count):
        return {"type": _arguments.whole(setting.least), "metavar": "N"}
    if isinstance(setting, Number):
        return {"type": _arguments.within(**setting.limits), "metavar": "X"}

    return {"type": _weights, "metavar": "balanced|1,2,…"}


def _weights(text: str) -> str | list[float]:
    """An argument type: "balanced", or a number for each class."""
    if text == "balanced":
        return text
    return [_arguments.within(least=0)(number) for number in text.split(",")]


def of_named(name: str) -> str:
    """What the named models have, for --help."""
    every = {model: getattr(read, name) for model, read in _named().items()}
    values = {model: value for model, value in every.items() if value is not None}
    if not values:
        return ""
    listed = ", ".join(f"{model} {value}" for model, value in values.items())
    return f" (default: the model's; {listed})"


@functools.cache
def _named() -> dict[str, models.Model]:
    """The named models; reading them for each option made half of a command's start."""
    return {name: models.read(name) for name in models.NAMED}


def option(name: str) -> str:
    """What a key is called on the command line."""
    return "--" + name.replace("_", "-")


def _said(defaults: dict[str, Any]) -> str:
    """Which parts have a setting, and what it is there."""
    by_value: dict[str, list[str]] = {}
    for name, default in defaults.items():
        by_value.setdefault(_shown(default), []).append(name)
    return "; ".join(f"{', '.join(names)} {text}".strip() for text, names in by_value.items())


def _shown(default: Any) -> str:
    """A default; nothing where there is none."""
    if default is None:
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    if default is inspect.Parameter.empty:
        return "(to be given)"
    return default if isinstance(default, str) else f"{default:g}"
