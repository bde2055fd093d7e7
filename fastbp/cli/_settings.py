"""The losses' and optimisers' settings on the command line, as their constructors have them."""

import argparse
import inspect
from dataclasses import replace
from typing import Any, NamedTuple

from fastbp.losses import LOSSES
from fastbp.models import Model
from fastbp.optimizers import OPTIMIZERS


class _Part(NamedTuple):
    """A part of a model that has settings of its own."""

    attribute: str  # of Model: which one it is
    options: str  # of Model: its settings
    known: dict[str, type]
    what: str

    def parameters(self, name: str) -> dict[str, Any]:
        """The settings of one beside its rate, and their defaults."""
        parameters = inspect.signature(self.known[name]).parameters.values()
        return {p.name: p.default for p in parameters if p.name != "lr"}

    def settings(self) -> dict[str, dict[str, Any]]:
        """Of each setting its default in everything that has it."""
        found: dict[str, dict[str, Any]] = {}
        for name in self.known:
            for setting, default in self.parameters(name).items():
                found.setdefault(setting, {})[name] = default
        return found


PARTS = (
    _Part("loss", "loss_options", LOSSES, "loss"),
    _Part("optimizer", "options", OPTIMIZERS, "optimiser"),
)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each; what is true or false has two, --nesterov and --no-nesterov."""
    for part in PARTS:
        group = parser.add_argument_group(
            f"settings of the {part.what}", "(default: the model's, else as named)"
        )
        for name, defaults in part.settings().items():
            if isinstance(next(iter(defaults.values())), bool):
                flag = argparse.BooleanOptionalAction
                group.add_argument(_option(name), action=flag, help=_said(defaults))
            else:
                group.add_argument(_option(name), type=float, metavar="X", help=_said(defaults))


def with_settings(model: Model, args: argparse.Namespace) -> Model:
    """The model, its loss and optimiser with the settings that the arguments name.

    Raises
    ------
    ValueError
        If the loss or the optimiser has no such setting, or refuses its value.
    """
    for part in PARTS:
        given = {name: v for name in part.settings() if (v := getattr(args, name)) is not None}
        chosen = getattr(model, part.attribute)
        has = part.parameters(chosen)
        for name in given:
            if name not in has:
                known = ", ".join(map(_option, has)) or "none"
                raise ValueError(f"{chosen} has no {_option(name)}; it has {known}")
        options = getattr(model, part.options) | given
        model = replace(model, **{part.options: options})
    model.make_loss()  # which checks them, before anything is computed or written
    model.make_optimizer()
    return model


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _said(defaults: dict[str, Any]) -> str:
    """Which losses or optimisers have a setting, and what it is there."""
    by_value: dict[str, list[str]] = {}
    for name, default in defaults.items():
        text = f"{default:g}" if isinstance(default, float) else "none"
        text = ("on" if default else "off") if isinstance(default, bool) else text
        by_value.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)} {text}" for text, names in by_value.items())
