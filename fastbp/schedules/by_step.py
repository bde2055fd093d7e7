"""Schedules that are formulas of the step."""

import numpy as np

from fastbp._settings import Count, Number, Word

from .base import Schedule, Span, State

__all__ = ["Cosine", "CosineLog", "Exponential", "InverseScaling", "OneCycle", "Step"]


class Step(Schedule):
    """γ^⌊t/s⌋ after t epochs: a fall every s epochs. PyTorch's StepLR.

    Parameters
    ----------
    step_size : float
        s, in epochs, > 0.
    gamma : float
        γ > 0.

    Examples
    --------
    >>> step = fb.schedules.Step(2, gamma=0.5)
    >>> history = fb.fit(net, x, y, epochs=4, batch_size=30, schedule=step)
    >>> (history.lr_by_iteration[::2] / history.lr_by_iteration[0]).round(3)
    array([1. , 1. , 0.5, 0.5])
    """

    name = "step"
    step_size = Number(above=0)
    gamma = Number(above=0)

    def __init__(self, step_size: float, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """γ^⌊t/s⌋."""
        return self.gamma ** np.floor(steps / (self.step_size * span.steps_per_epoch))


class Exponential(Schedule):
    """γ^t after t epochs, smoothly within each. PyTorch's ExponentialLR at each epoch's start.

    Parameters
    ----------
    gamma : float
        γ > 0: what is left of the rate after an epoch.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=4, batch_size=30, schedule=fb.schedules.Exponential(0.5))
    >>> (history.lr_by_iteration[::2] / history.lr_by_iteration[0]).round(3)
    array([1.   , 0.5  , 0.25 , 0.125])
    """

    name = "exponential"
    gamma = Number(above=0)

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """γ^t."""
        return self.gamma ** (steps / span.steps_per_epoch)


class Cosine(Schedule):
    """m + (1 - m)·(1 + cos πp)/2, where p goes from 0 to 1; once, or again and again.

    Without a period once, until the run's end: PyTorch's CosineAnnealingLR. With one it starts
    again from 1 whenever it is over: CosineAnnealingWarmRestarts. Before that the rate may rise:
    step k, from 0, of a warm-up of W steps has the factor (k + 1)/(W + 1), so that the step after
    it has 1. PyTorch says this by LinearLR(start_factor=1/(W + 1), total_iters=W) in SequentialLR.

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    Parameters
    ----------
    warm_up : float
        Its length, in epochs, >= 0.
    period : float, optional
        The length of the first fall, in epochs, > 0; at least one step.
    mult : float
        How many times as long as the last each fall is, >= 1.
    minimum : float
        m from 0 to 1.

    Examples
    --------
    >>> fb.fit(net, train, epochs=20, schedule=fb.schedules.Cosine(warm_up=2))
    """

    name = "cosine"
    warm_up = Number(least=0)
    period = Number(above=0, none=True)
    mult = Number(least=1)
    minimum = Number(least=0, most=1)

    def __init__(
        self,
        warm_up: float = 0.0,
        period: float | None = None,
        mult: float = 1.0,
        minimum: float = 0.0,
    ) -> None:
        self.warm_up, self.period, self.mult, self.minimum = warm_up, period, mult, minimum

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """The warm-up's, then the cosine's."""
        warm_up = self.warm_up * span.steps_per_epoch
        after = np.maximum(steps - warm_up, 0.0)
        if self.period is None:
            part = np.minimum(after / max(span.steps - warm_up, 1.0), 1.0)
        else:
            part = self._part_of_fall(after / max(self.period * span.steps_per_epoch, 1.0))
        fall = self.minimum + (1 - self.minimum) * (1 + np.cos(np.pi * part)) / 2
        return np.where(steps < warm_up, (steps + 1) / (warm_up + 1), fall)

    def _part_of_fall(self, time: np.ndarray) -> np.ndarray:
        """How far each time, of which the first fall takes 1, is within its fall, from 0 to 1."""
        if self.mult == 1:
            return time % 1.0

        def start(fall: np.ndarray) -> np.ndarray:
            return (self.mult**fall - 1) / (self.mult - 1)

        fall = np.floor(np.log1p(time * (self.mult - 1)) / np.log(self.mult))
        fall -= start(fall) > time  # where rounding took it to the next
        fall += start(fall + 1) <= time
        return (time - start(fall)) / self.mult**fall


class OneCycle(Schedule):
    """From 1/d up to 1 over a share of the run's steps, then down to 1/(d·f) over the others.

    PyTorch's OneCycleLR, whose ``max_lr`` is the optimiser's rate here; momentum stays as it is, as
    with PyTorch's cycle_momentum=False.

    Source: Smith and Topin, Super-Convergence, 2018.

    Parameters
    ----------
    pct_start : float
        The share in which it rises, from 0 to below 1.
    div_factor, final_div_factor : float
        d and f, > 0.
    anneal : {"cos", "linear"}
        How it goes from one to the next.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=4, batch_size=30, schedule=fb.schedules.OneCycle())
    >>> (history.lr_by_iteration[::2] / history.lr_by_iteration[0]).round(3)
    array([ 1.   , 24.299, 13.9  ,  1.916])
    """

    name = "one-cycle"
    pct_start = Number(least=0, below=1)
    div_factor = Number(above=0)
    final_div_factor = Number(above=0)
    anneal = Word("cos", "linear")

    def __init__(
        self,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal: str = "cos",
    ) -> None:
        self.pct_start, self.anneal = pct_start, anneal
        self.div_factor, self.final_div_factor = div_factor, final_div_factor

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """Up until step pct_start·steps - 1, and down until the last."""
        top, last = self.pct_start * span.steps - 1, span.steps - 1
        first, end = 1 / self.div_factor, 1 / (self.div_factor * self.final_div_factor)
        rising = steps <= top
        part = np.where(rising, steps / (top or 1.0), (steps - top) / (last - top))
        part = np.minimum(part, 1.0)
        if self.anneal == "cos":
            part = (1 - np.cos(np.pi * part)) / 2
        return np.where(rising, first + (1 - first) * part, 1 + (end - 1) * part)


class CosineLog(Schedule):
    """½·(1 - cos(2π·log₂(1 + (2ⁿ - 1)·t))), where t goes from 0 to 1 over the run.

    n waves from 0 up to 1 and down again, each twice as long as the one before.

    Parameters
    ----------
    waves : int
        n, from 1 to 1023.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=4, batch_size=30, schedule=fb.schedules.CosineLog(2))
    >>> (history.lr_by_iteration / history.lr_by_iteration.max()).round(2)
    array([0.  , 0.99, 0.33, 0.07, 0.72, 1.  , 0.66, 0.19])
    """

    name = "cosine-log"
    waves = Count(least=1, below=1024)

    def __init__(self, waves: int) -> None:
        self.waves = waves

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """The formula with t = step/steps."""
        waves = np.log2(1 + (2.0**self.waves - 1) * (steps / span.steps))
        return (1 - np.cos(2 * np.pi * waves)) / 2


class InverseScaling(Schedule):
    """(k + 1)^-p in step k, from 0. scikit-learn's "invscaling", which counts samples.

    Parameters
    ----------
    power : float
        p >= 0.

    Examples
    --------
    >>> history = fb.fit(net, x, y, epochs=4, batch_size=30, schedule=fb.schedules.InverseScaling())
    >>> (history.lr_by_iteration[::2] / history.lr_by_iteration[0]).round(3)
    array([1.   , 0.577, 0.447, 0.378])
    """

    name = "inverse-scaling"
    power = Number(least=0)

    def __init__(self, power: float = 0.5) -> None:
        self.power = power

    def factors(self, steps: np.ndarray, span: Span, state: State) -> np.ndarray:
        """(k + 1)^-p."""
        return (steps + 1.0) ** -self.power
