"""Schedules that watch a column of the history, and slow down when it comes to a halt."""

import math

import numpy as np

from fastbp._settings import Count, Number, Word

from .base import Schedule, Span, State

__all__ = ["Adaptive", "ReduceOnPlateau"]

RISE, FALL = ("accuracy", "r2"), ("loss", "mae")  # what good columns end in


def rises(column: str, mode: str = "auto", who: str = "monitor") -> bool:
    """Whether more is better of a column of the history.

    Raises
    ------
    ValueError
        If the mode is "auto" and the column's name does not say it.
    """
    kind = column.rpartition("_")[2]
    if mode == "auto" and kind not in RISE + FALL:
        raise ValueError(
            f"{who} {column!r}: whether more of it is better is not known; add mode='max' or 'min'"
        )
    return kind in RISE if mode == "auto" else mode == "max"


class _Watching(Schedule):
    """A factor that is the same in all steps of an epoch, and falls between epochs."""

    monitor: str
    mode = Word("auto", "min", "max")

    def __init__(self, monitor: str, mode: str) -> None:
        self.monitor, self.mode = monitor, mode
        rises(monitor, mode, f"{type(self).__name__} monitor")

    def start(self) -> State:
        """Factor 1; no epoch yet."""
        return {"factor": 1.0, "waited": 0.0}

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """The state's."""
        return np.full(steps.shape, state["factor"])

    def _gain(self, state: State, value: float) -> float:
        """How much better a value is than the best before it; NaN if it is none."""
        sign = 1.0 if rises(self.monitor, self.mode) else -1.0
        if not math.isfinite(value):
            return math.nan
        return sign * (value - state["best"]) if "best" in state else math.inf


class ReduceOnPlateau(_Watching):
    """Multiplies the rate where a column of the history got no better for some epochs.

    PyTorch's ReduceLROnPlateau: an epoch is better where it beats the best by more than
    threshold·|best|; of negative figures PyTorch's own threshold would count losses as gains.

    Parameters
    ----------
    factor : float
        What the rate is multiplied by, from above 0 to below 1.
    patience : int
        How many epochs in a row may be no better; the next is one too many.
    threshold : float
        >= 0.
    cooldown : int
        For how many epochs after a fall none is counted.
    minimum : float
        The least factor, in all, from 0 to 1.
    monitor : str
        A column of the history.
    mode : {"auto", "min", "max"}
        Whether less or more of it is better; auto knows accuracy, r2, loss and mae.

    Examples
    --------
    >>> plateau = fb.schedules.ReduceOnPlateau(patience=3)
    >>> history = fb.fit(net, x, y, validation=0.2, epochs=20, schedule=plateau)
    """

    name = "plateau"
    factor = Number(above=0, below=1)
    patience = Count(least=0)
    threshold = Number(least=0)
    cooldown = Count(least=0)
    minimum = Number(least=0, most=1)

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        minimum: float = 0.0,
        monitor: str = "val_loss",
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, mode)
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.cooldown, self.minimum = cooldown, minimum

    def start(self) -> State:
        """Factor 1; no epoch yet, and no cooling down."""
        return super().start() | {"cooling": 0.0}

    def watched(self, state: State, value: float) -> State:
        """Better, or one more that was not; after too many of them the factor falls."""
        state = dict(state)
        if self._gain(state, value) > self.threshold * abs(state.get("best", 0.0)):
            state |= {"best": value, "waited": 0.0}
        else:
            state["waited"] += 1
        if state["cooling"]:
            state |= {"cooling": state["cooling"] - 1, "waited": 0.0}
        if state["waited"] > self.patience:
            least = min(self.minimum, state["factor"])
            state["factor"] = max(state["factor"] * self.factor, least)
            state |= {"cooling": float(self.cooldown), "waited": 0.0}
        return state


class Adaptive(_Watching):
    """Divides the rate where the training loss fell too little in so many epochs in a row.

    scikit-learn's "adaptive": an epoch counts where it is not better than the best by at least the
    tolerance. (Its ``n_iter_no_change`` is one less than the patience here: it waits for one more.)

    Parameters
    ----------
    divisor : float
        What the rate is divided by, > 1.
    patience : int
        After how many epochs without progress, >= 1.
    tolerance : float
        >= 0.
    monitor : str
        A column of the history.
    mode : {"auto", "min", "max"}
        Whether less or more of it is better; auto knows accuracy, r2, loss and mae.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=20, schedule=fb.schedules.Adaptive())
    """

    name = "adaptive"
    divisor = Number(above=1)
    patience = Count()
    tolerance = Number(least=0)

    def __init__(
        self,
        divisor: float = 5.0,
        patience: int = 2,
        tolerance: float = 1e-4,
        monitor: str = "train_loss",
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, mode)
        self.divisor, self.patience, self.tolerance = divisor, patience, tolerance

    def watched(self, state: State, value: float) -> State:
        """Progress, or one more without; after enough of them the factor falls."""
        state, gain = dict(state), self._gain(state, value)
        state["waited"] = 0.0 if gain >= self.tolerance else state["waited"] + 1
        if gain > 0:
            state["best"] = value
        if state["waited"] >= self.patience:
            state |= {"factor": state["factor"] / self.divisor, "waited": 0.0}
        return state
