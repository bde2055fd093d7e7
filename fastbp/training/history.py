"""How a training run went: its epochs, its losses and rates, and where it ended if it diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastbp._above import Above
from fastbp._counted import counted
from fastbp._files import StrPath, write_rows
from fastbp._hints import meant, refuse
from fastbp.pages import notebook, paragraph

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LISTED = 5  # epochs, at most, that a notebook lists
DRAWN = ("loss", "accuracy")  # what is drawn by epoch


class DivergenceError(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the message says where.

    ``losses`` are those of the epoch that was not finished, up to where it ended.

    Examples
    --------
    >>> try:
    ...     fb.fit(net, 1e8 * x, 1e8 * x[:, :3], loss="mse", optimizer=fb.SGD(lr=1e6))
    ... except fb.DivergenceError as error:
    ...     print("a lower rate, or standardised data:", len(error.losses) > 0)
    a lower rate, or standardised data: True
    """

    def __init__(self, message: str, losses: npt.ArrayLike = ()) -> None:
        super().__init__(message)
        self.losses = np.asarray(losses, np.float64)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: a row of history.csv.

    Accuracies are NaN where scores are values, and R² and MAE where they are not; those of the
    validation data where there are none, or in epochs without validation. See ``evaluate`` for
    each. ``epoch["val_loss"]`` finds a column by its name, those of your own metrics too.
    """

    epoch: int  # from 1
    train_loss: float  # mean over the epoch's samples, while the parameters moved
    train_accuracy: float  # this and the others after the epoch, unless metrics="running"
    val_accuracy: float
    seconds: float  # of training alone, without evaluation
    train_r2: float = math.nan
    val_r2: float = math.nan
    train_mae: float = math.nan
    val_mae: float = math.nan
    val_loss: float = math.nan
    lr: float = math.nan  # the learning rate of the last step
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)

    # Their names before validation had a loss.
    test_accuracy = property(lambda self: self.val_accuracy)
    test_r2 = property(lambda self: self.val_r2)
    test_mae = property(lambda self: self.val_mae)

    @property
    def of_values(self) -> bool:
        """Whether scores are values."""
        return not (math.isnan(self.train_mae) and math.isnan(self.val_mae))

    def __getitem__(self, column: str) -> float:
        """A figure by the name of its column."""
        name = ALIASES.get(column, column)
        if name in self.metrics:
            return self.metrics[name]
        if name not in COLUMNS:
            known = [*COLUMNS, *self.metrics]
            raise KeyError(f"{column!r}: expected one of {', '.join(known)}{meant(column, known)}")
        value: float = getattr(self, name)
        return value


OF_CLASSES = ("train_accuracy", "val_loss", "val_accuracy")
OF_VALUES = ("train_r2", "train_mae", "val_loss", "val_r2", "val_mae")
COLUMNS = ("epoch", "train_loss", *dict.fromkeys(OF_CLASSES + OF_VALUES), "lr", "seconds")
ALIASES = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "test_loss": "val_loss",
    "test_accuracy": "val_accuracy",
    "test_r2": "val_r2",
    "test_mae": "val_mae",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
}


@dataclass(repr=False)
class History:
    """How a training run went.

    Attributes
    ----------
    epochs : list of Epoch
        One for each finished epoch.
    losses : list of (steps,) float64 ndarray
        The loss of every batch, epoch by epoch.
    rates : list of (steps,) float64 ndarray
        The learning rate of every step, likewise.
    path : str
        How it was computed: backend and loop.
    stopped : str
        Why it ended before its last epoch; "" if it did not.
    validation_rows : (rows,) int64 ndarray or None
        Those of the training data that ``fit(..., validation=share)`` kept back.
    state : dict
        What schedule and early stopping remember, for a run that goes on.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=3, validation=0.2)
    >>> len(history["val_accuracy"]), len(history.loss_by_iteration)
    (3, 6)
    >>> history.best().epoch in (1, 2, 3)
    True
    >>> frame = history.to_dataframe()  # a row an epoch
    """

    epochs: list[Epoch] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    path: str = ""
    rates: list[np.ndarray] = field(default_factory=list)
    stopped: str = ""
    validation_rows: np.ndarray | None = None
    state: dict[str, Any] = field(default_factory=dict)

    if not TYPE_CHECKING:  # which knows all names that there are

        def __getattr__(self, name):
            refuse(self, name)

    @property
    def loss_by_iteration(self) -> np.ndarray:
        """The loss of every batch of every finished epoch, (iterations,) float64."""
        return np.concatenate(self.losses) if self.losses else np.empty(0)

    @property
    def lr_by_iteration(self) -> np.ndarray:
        """The learning rate of every step of every finished epoch, (iterations,) float64."""
        return np.concatenate(self.rates) if self.rates else np.empty(0)

    @property
    def seconds(self) -> float:
        """Time spent training, without evaluation."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is known of each epoch: of values no accuracy, but R² and MAE."""
        figures = OF_VALUES if any(epoch.of_values for epoch in self.epochs) else OF_CLASSES
        own = dict.fromkeys(name for epoch in self.epochs for name in epoch.metrics)
        return "epoch", "train_loss", *figures, *own, "lr", "seconds"

    def rows(self) -> list[dict[str, float]]:
        """What is known of each epoch, by the names of columns."""
        return [{name: epoch[name] for name in self.columns} for epoch in self.epochs]

    def __getitem__(self, column: str) -> list[float]:
        """One column over the epochs, e.g. ``history["val_accuracy"]``; "loss" is train_loss."""
        if not isinstance(column, str):
            raise TypeError(f"History: expected the name of a column, got {column!r}")
        if not self.epochs:
            return []
        return [epoch[column] for epoch in self.epochs]

    def __len__(self) -> int:
        """How many epochs are finished."""
        return len(self.epochs)

    def __bool__(self) -> bool:
        return True  # a history without epochs is one

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.columns

    def items(self) -> Iterable[tuple[str, list[float]]]:
        """The names of the columns, and each over the epochs."""
        return self.to_dict().items()

    def to_dict(self) -> dict[str, list[float]]:
        """Every column over the epochs."""
        return {name: self[name] for name in self.columns}

    def to_dataframe(self) -> pd.DataFrame:
        """The same as a pandas DataFrame, one row an epoch."""
        import pandas as pd

        return pd.DataFrame(self.to_dict())

    def to_csv(self, path: StrPath) -> None:
        """Write one row an epoch, under the names of ``columns``."""
        write_rows(path, self.columns, self.rows())

    def plot(self, what: str = "loss") -> Figure:
        """Draw the loss by epoch, of training and validation, or the "accuracy" of classes.

        In a notebook the figure shows itself; ``fb.plots.save`` writes it. ``fb.plots`` draws the
        loss and the rate of every step.

        Raises
        ------
        ValueError
            If it is neither, or there is nothing to draw.
        """
        if what not in DRAWN:
            hint = meant(what, DRAWN)
            raise ValueError(
                f"History.plot: expected one of {', '.join(DRAWN)}; got {what!r}{hint}"
            )
        figure: Figure = getattr(Above.plots(), f"{what}_by_epoch")(self)
        return figure

    def by_epoch(self, what: str) -> dict[str, np.ndarray]:
        """The "loss" or the "accuracy" of training and validation, (epochs,) each, where known.

        Raises
        ------
        KeyError
            If there are no such columns.
        ValueError
            If no epoch has a finite one.
        """
        found = {part: np.array(self[f"{part}_{what}"], float) for part in ("train", "val")}
        found = {part: values for part, values in found.items() if np.isfinite(values).any()}
        if not found:
            raise ValueError(f"History: no epoch has a finite {what}")
        return found

    def best(self) -> Epoch:
        """The epoch of the least validation loss, or, without any, of the least training loss.

        Raises
        ------
        ValueError
            If there is no epoch.
        """
        if not self.epochs:
            raise ValueError("History.best: there are no epochs")
        watched = "val_loss" if not np.isnan(self["val_loss"]).all() else "train_loss"
        losses = np.nan_to_num(self[watched], nan=math.inf, posinf=math.inf)
        return self.epochs[int(np.argmin(losses))]

    def _repr_html_(self) -> str:
        """What a notebook shows: the losses as lines, the last epochs and the best one."""
        title = f"History: {counted(len(self), 'epoch')}"
        if not self.epochs:
            return notebook.shown(title)
        columns = [name for name in self.columns if not np.isnan(self[name]).all()]
        listed = {epoch.epoch: epoch for epoch in (self.best(), *self.epochs[-LISTED:])}
        rows = [
            [str(number), *(f"{epoch[name]:.6g}" for name in columns[1:])]
            for number, epoch in sorted(listed.items())
        ]
        losses = {name: self[name] for name in ("train_loss", "val_loss")}
        notes = [
            f"{self.seconds:.3g} s of training",
            f"the least loss in epoch {self.best().epoch}",
        ]
        notes += filter(None, (self.path, self.stopped))
        return notebook.shown(
            title,
            notebook.sparkline(losses),
            notebook.tabled(columns, rows),
            paragraph("; ".join(notes)),
        )

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epochs)"
        known = {name: v for name, v in self.rows()[-1].items() if not math.isnan(v)}
        del known["epoch"]
        figures = ", ".join(f"{name}={value:.6g}" for name, value in known.items())
        return f"History({counted(len(self), 'epoch')}; the last: {figures})"
