"""When training ends before its last epoch, and whose parameters it leaves."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastbp._counted import counted
from fastbp._hints import Guessed
from fastbp._settings import Count, Flag, Number, Setting, Word
from fastbp.layers.nesting import every_layer
from fastbp.network import Sequential
from fastbp.schedules import rises

from .history import ALIASES, Epoch


class Monitor(Setting):
    """The name of a history's column."""

    def check(self, value: Any, name: str, obj: Any) -> str:
        """The column's own name, where it has others."""
        if not isinstance(value, str) or not value:
            raise TypeError(f"{name}: expected a column of the history, got {value!r}")
        return ALIASES.get(value, value)


class EarlyStopping(Guessed):
    """Ends training after some epochs without progress; the network is then that of the best one.

    Parameters
    ----------
    monitor : str
        The history's column that tells progress: "val_loss", "val_accuracy", "train_loss", …, or
        one of your own metrics.
    patience : int
        After so many epochs in a row without progress training ends, >= 0; 0 is as 1. Epochs
        without validation don't count.
    min_delta : float
        Progress is what is better than the best so far by more than this, >= 0.
    restore_best : bool
        Whether the network is left with the parameters, buffers and states of the best epoch,
        however training ends; else with those of the last.
    mode : {"auto", "min", "max"}
        Which way the column gets better. By itself up for accuracy and R² and down for losses and
        errors; of your own metrics it must be said.

    Examples
    --------
    >>> stop = fb.EarlyStopping(patience=5)
    >>> rate = fb.Adam(lr=0.05)
    >>> history = fb.fit(net, x, y, validation=0.2, epochs=200, optimizer=rate, early_stopping=stop)
    >>> history.stopped
    'no better val_loss in 5 epochs after epoch ...'
    """

    monitor = Monitor()
    patience = Count(least=0)
    min_delta = Number(least=0)
    restore_best = Flag()
    mode = Word("auto", "min", "max")

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str = "auto",
    ) -> None:
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.restore_best, self.mode = restore_best, mode
        rises(self.monitor, mode, "EarlyStopping monitor")

    @property
    def settings(self) -> dict[str, Any]:
        """By the constructor's names."""
        names = ("monitor", "patience", "min_delta", "restore_best", "mode")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        mode = "" if self.mode == "auto" else f", mode={self.mode!r}"
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"min_delta={self.min_delta:g}, restore_best={self.restore_best}{mode})"
        )


def as_early_stopping(value: Any) -> EarlyStopping | None:
    """What fit's argument stands for."""
    if value is None or value is False:
        return None
    if value is True:
        return EarlyStopping()
    if isinstance(value, EarlyStopping):
        return value
    raise TypeError(
        f"fit early_stopping: expected EarlyStopping(...), got {value!r:.60}; write "
        "early_stopping=fb.EarlyStopping(patience=10)"
    )


class Snapshot(NamedTuple):
    """A network as it was after some epoch."""

    params: np.ndarray
    buffers: np.ndarray
    states: list[dict[str, int]]  # of every layer

    @classmethod
    def of(cls, net: Sequential) -> Snapshot:
        """As it is."""
        states = [layer.state() for layer in every_layer(net.layers)]
        return cls(net.params.copy(), net.buffers.copy(), states)

    def restore(self, net: Sequential) -> None:
        """As it was."""
        net.params, net.buffers = self.params, self.buffers
        for layer, state in zip(every_layer(net.layers), self.states, strict=True):
            layer.set_state(state)


class Best:
    """The best epoch so far, by a column of the history, and the network as it was then.

    Attributes
    ----------
    value, epoch : float, int
        NaN and 0 before the first.
    waited : int
        Epochs since then.
    snapshot : Snapshot or None
    """

    def __init__(self, rule: EarlyStopping) -> None:
        self.rule, self.value, self.epoch, self.waited = rule, math.nan, 0, 0
        self.snapshot: Snapshot | None = None

    def goes_on(self) -> None:
        """Let training that ended for want of progress, and is to go on, have patience again."""
        if self.reason:
            self.waited = 0

    def seen(self, record: Epoch, net: Sequential) -> None:
        """Take an epoch into account."""
        value = record[self.rule.monitor]
        if math.isnan(value):
            return
        sign = 1 if rises(self.rule.monitor, self.rule.mode) else -1
        if self.epoch and not sign * (value - self.value) > self.rule.min_delta:
            self.waited += 1
            return
        self.value, self.epoch, self.waited = value, record.epoch, 0
        if self.rule.restore_best:
            self.snapshot = Snapshot.of(net)

    def restore(self, net: Sequential) -> None:
        """Leave the network as it was in the best epoch, if it is known."""
        if self.snapshot is not None:
            self.snapshot.restore(net)

    @property
    def reason(self) -> str:
        """Why training ends now; "" while it goes on."""
        if self.waited < max(self.rule.patience, 1):
            return ""
        epochs = counted(self.waited, "epoch")
        return f"no better {self.rule.monitor} in {epochs} after epoch {self.epoch}"
