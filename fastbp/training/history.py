"""How a training run went: its epochs, its losses, and where it ended if it diverged."""

import math
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import numpy.typing as npt

from fastbp._files import StrPath, write_atomically


class DivergenceError(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the message says where.

    ``losses`` are those of the epoch that was not finished, up to where it ended.
    """

    def __init__(self, message: str, losses: npt.ArrayLike = ()) -> None:
        super().__init__(message)
        self.losses = np.asarray(losses, np.float64)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: a row of history.csv.

    Accuracies are NaN where scores are values, and R² and MAE where they are not; those of the
    validation data where there are none. See ``evaluate`` for each.
    """

    epoch: int  # from 1
    train_loss: float  # mean over the epoch's samples, while the parameters moved
    train_accuracy: float  # this and the others after the epoch
    test_accuracy: float
    seconds: float  # of training alone, without evaluation
    train_r2: float = math.nan
    test_r2: float = math.nan
    train_mae: float = math.nan
    test_mae: float = math.nan

    @property
    def of_values(self) -> bool:
        """Whether scores are values."""
        return not math.isnan(self.train_mae)


OF_CLASSES = ("epoch", "train_loss", "train_accuracy", "test_accuracy", "seconds")
OF_VALUES = (
    *("epoch", "train_loss", "train_r2", "test_r2", "train_mae", "test_mae"),
    "seconds",
)


@dataclass
class History:
    """How a training run went.

    Attributes
    ----------
    epochs : list of Epoch
        One for each finished epoch.
    losses : list of (steps,) float64 ndarray
        The loss of every batch, epoch by epoch.
    path : str
        How it was computed: backend and loop.
    """

    epochs: list[Epoch] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    path: str = ""

    @property
    def loss_by_iteration(self) -> np.ndarray:
        """The loss of every batch of every finished epoch, (iterations,) float64."""
        return np.concatenate(self.losses) if self.losses else np.empty(0)

    @property
    def seconds(self) -> float:
        """Time spent training, without evaluation."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is known of each epoch: of values no accuracy, but R² and MAE."""
        return OF_VALUES if any(epoch.of_values for epoch in self.epochs) else OF_CLASSES

    def rows(self) -> list[dict[str, float]]:
        """What is known of each epoch, by the names of columns."""
        return [{name: getattr(epoch, name) for name in self.columns} for epoch in self.epochs]

    def __getitem__(self, column: str) -> list[float]:
        """One column over the epochs, e.g. ``history["test_accuracy"]``."""
        return [getattr(epoch, column) for epoch in self.epochs]

    def to_csv(self, path: StrPath) -> None:
        """Write one row an epoch: epoch, train_loss, train_accuracy, test_accuracy, seconds.

        Of values train_r2, test_r2, train_mae and test_mae stand in place of the accuracies.
        """
        import csv

        def write(file: TextIO) -> None:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows(row.values() for row in self.rows())

        write_atomically(path, write, "w")
