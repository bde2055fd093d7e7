"""What is measured of a training run: one number from its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastbp.training import History


@dataclass(frozen=True)
class Measure:
    """One number of a run, and how it is written.

    ``higher_is_better`` says which of two wins. ``images`` names the images whose number bounds
    how exact an accuracy is: "test", or none.
    """

    name: str
    of: Callable[[History], float]
    scale: float = 1.0
    unit: str = ""
    digits: int = 2
    higher_is_better: bool = True
    images: str = ""

    def text(self, value: float, sign: str = "") -> str:
        """The value as it is written, with its unit."""
        return f"{value * self.scale:{sign}.{self.digits}f}{self.unit}"

    def number(self, value: float) -> str:
        """The value as it is written, without its unit."""
        return f"{value * self.scale:.{self.digits}f}"


def _percent(name: str, of: Callable[[History], float], images: str = "") -> Measure:
    return Measure(name, of, 100.0, " %", images=images)


def _last(column: str) -> Callable[[History], float]:
    return lambda history: history[column][-1]


TRAIN_ACCURACY = _percent("train accuracy", _last("train_accuracy"))
TEST_ACCURACY = _percent("test accuracy", _last("test_accuracy"), "test")
LOSS = Measure("loss of the last epoch", _last("train_loss"), digits=4, higher_is_better=False)
SECONDS = Measure(
    "training time", lambda history: history.seconds, unit=" s", higher_is_better=False
)


def accuracy_after(epochs: int) -> Measure:
    """The test accuracy after so many epochs, or after the last if there are fewer."""
    return _percent(
        f"test accuracy after epoch {epochs}",
        lambda history: history["test_accuracy"][:epochs][-1],
        "test",
    )


def _roughness(history: History) -> float:
    """How much the test accuracy jumps between epochs, over the second half of the run."""
    values = np.array(history["test_accuracy"])
    late = values[len(values) // 2 :] if len(values) > 3 else values
    return float(np.abs(np.diff(late)).mean()) if len(late) > 1 else 0.0


ROUGHNESS = _percent("mean change of test accuracy between late epochs", _roughness)


def loss_off(reported: float) -> Measure:
    """By how much the loss of the last epoch differs from a reported one."""
    return Measure(
        f"difference of the loss from {reported:g}",
        lambda history: abs(history["train_loss"][-1] - reported),
        digits=4,
        higher_is_better=False,
    )
