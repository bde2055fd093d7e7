"""What a model's training table says: parts that have settings of their own, and single keys.

The model file's reader, the command line and a run's config.toml have them from these tables.
"""

import inspect
from typing import Any, NamedTuple

from fastbp._checks import as_number
from fastbp._hints import meant
from fastbp._settings import Count, Number, Setting, Word
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS
from fastbp.schedules import SCHEDULES

NONE = "none"  # of schedules, and of metrics


def chosen(known: dict[str, Any], name: Any, what: str) -> Any:
    """What has that name; an error that lists the names, if nothing has."""
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"{what}: expected {', '.join(known)}; got {name!r}{meant(name, known)}")
    return known[name]


class Part(NamedTuple):
    """A part of training that has settings of its own."""

    name: str  # of the key, and of Model's attribute
    options: str  # Model's attribute for its settings
    known: dict[str, Any]  # name -> class, or None where there is to be none
    what: str
    said: str  # what it means

    def parameters(self, name: str) -> dict[str, inspect.Parameter]:
        """The settings of one, but for the rate, which is a key of its own."""
        kind = self.known[name]
        parameters = {} if kind is None else inspect.signature(kind).parameters
        return {name: each for name, each in parameters.items() if name != "lr"}

    def settings(self) -> dict[str, dict[str, Any]]:
        """Of each setting its default in everything that has it."""
        found: dict[str, dict[str, Any]] = {}
        for name in self.known:
            for setting, parameter in self.parameters(name).items():
                found.setdefault(setting, {})[name] = parameter.default
        return found


class ClassWeight(Setting):
    """ "balanced", or a weight for each class."""

    def check(self, value: Any, name: str, obj: Any) -> str | list[float]:
        """The word, or the weights."""
        if isinstance(value, str) and value == "balanced":
            return value
        if not isinstance(value, list) or not value:
            raise ValueError(f"{name}: expected 'balanced' or a weight a class, got {value!r}")
        return [as_number(weight, name, least=0) for weight in value]


class Key(NamedTuple):
    """A single key: what it may be, and what it means."""

    setting: Setting
    said: str


PARTS = (
    Part(
        "loss",
        "loss_options",
        LOSSES,
        "loss",
        "of scores; nll of LogSoftmax, which is added; bce tells two classes apart by one output; "
        "mse, l1 and huber of 1 for the class, 0 for others, or with --values of the values",
    ),
    Part("optimizer", "options", OPTIMIZERS, "optimiser", "how parameters follow the gradient"),
    Part(
        "schedule",
        "schedule_options",
        {NONE: None, **SCHEDULES},
        "schedule",
        "what the rate is multiplied by, step by step",
    ),
)
KEYS: dict[str, Key] = {
    "lr": Key(Number(above=0), "learning rate"),
    "batch_size": Key(Count(), "samples a step"),
    "epochs": Key(Count(), "times through the data"),
    "seed": Key(Count(least=0), "of the weights and the order of the samples"),
    "validation": Key(
        Number(above=0, below=1),
        "the share of the training data that is kept back, to judge each epoch by",
    ),
    "early_stopping": Key(
        Count(), "end after so many epochs without a better val_loss, and keep the best network"
    ),
    "class_weight": Key(
        ClassWeight(), "balanced, or a weight for each class: what its samples count"
    ),
    "clip_norm": Key(Number(above=0), "the most that the norm of all gradients may be"),
    "clip_value": Key(Number(above=0), "the most that each gradient may be"),
    "l2": Key(Number(least=0), "λ of the penalty λ/2·Σw² in the loss"),
    "max_seconds": Key(Number(above=0), "end when they are over"),
    "metrics": Key(
        Word("epoch", "running", NONE),
        "judge the training data after each epoch, by its steps' own scores, or not",
    ),
}
