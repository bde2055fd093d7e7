"""How a training run went: its epochs, its losses, and where it ended if it diverged."""

from dataclasses import astuple, dataclass, field, fields
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
    """What one epoch came to: a row of history.csv."""

    epoch: int  # from 1
    train_loss: float  # mean over the epoch's samples, while the parameters moved
    train_accuracy: float  # after the epoch; NaN where the targets are no classes
    test_accuracy: float  # after the epoch; NaN without validation data
    seconds: float  # of training alone, without evaluation


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

    def __getitem__(self, column: str) -> list[float]:
        """One column over the epochs, e.g. ``history["test_accuracy"]``."""
        return [getattr(epoch, column) for epoch in self.epochs]

    def to_csv(self, path: StrPath) -> None:
        """Write one row an epoch: epoch, train_loss, train_accuracy, test_accuracy, seconds."""
        import csv

        def write(file: TextIO) -> None:
            writer = csv.writer(file)
            writer.writerow([column.name for column in fields(Epoch)])
            writer.writerows(astuple(epoch) for epoch in self.epochs)

        write_atomically(path, write, "w")
