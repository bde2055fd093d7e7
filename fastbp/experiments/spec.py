"""What an experiment is, as data: networks, what is drawn, what is claimed, what was reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from fastbp import models

from .claims import Claim


@dataclass(frozen=True)
class Network(models.Setting):
    """One network and how it is trained: all that its result depends on, but the seed.

    Equal networks are one network: several figures that show it share one training.
    """

    pixels_over: float = 255  # the network sees pixels / this

    @property
    def size(self) -> str:
        """Its layers in short, as in 784-800-100-10, or the model's name."""
        return self.model or "-".join(map(str, self.sizes))

    @cached_property
    def multiply_adds(self) -> int:
        """Those of a forward pass of one sample: about how much work it is."""
        return sum(models.multiply_adds(self.build(seed=0)))

    @property
    def key(self) -> str:
        """A name for it that holds all its settings: that of its folder."""
        parts = [self.size, *([] if self.model else [self.activation]), self.loss]
        parts += [f"rate{self.lr:g}", f"batch{self.batch_size}", f"epochs{self.epochs}"]
        return "_".join([*parts, str(self.init), f"pixels-over-{self.pixels_over:g}"])


@dataclass(frozen=True)
class Variant:
    """A network as one experiment's figures and tables call it, and what the report says of it."""

    label: str
    network: Network
    # "loss", "train_accuracy", "test_accuracy" (as fractions), "minutes"; what is printed, if any
    reported: dict[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Figure:
    """A figure to draw: its kind, one of those in figures.py; the report's number for it."""

    kind: str
    number: str = ""  # as in "figure 9"
    of: tuple[str, ...] = ()  # the labels of the variants in it; all if empty
    title: str = ""
    least: float = 0.0  # epochs before this accuracy is reached are left out


@dataclass(frozen=True)
class Experiment:
    """A row of the reports.

    Attributes
    ----------
    name : str
        What the command line calls it.
    row : str
        The row of the reports' list that it reproduces, as in "B.1".
    reported : str
        What the report says came out, in a sentence.
    choices : tuple of str
        What the report leaves open, what was chosen, and why.
    """

    name: str
    row: str
    title: str
    setting: str
    reported: str
    variants: tuple[Variant, ...] = ()
    figures: tuple[Figure, ...] = ()
    claims: tuple[Claim, ...] = ()
    choices: tuple[str, ...] = ()

    def variant(self, label: str) -> Variant:
        """The variant of that label."""
        return next(variant for variant in self.variants if variant.label == label)

    def shown(self, figure: Figure) -> tuple[Variant, ...]:
        """The variants that a figure shows."""
        return tuple(map(self.variant, figure.of)) if figure.of else self.variants
