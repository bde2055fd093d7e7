"""scikit-learn's optimisers by fastbp's, and the rates that change between epochs."""

import copy
from typing import Any

import numpy as np

from fastbp.optimizers import SGD, Adam, Optimizer

SMALLEST_RATE, DIVISOR = 1e-6, 5.0  # of an adaptive rate
MOST_MOMENTUM = float(np.nextafter(1, 0))  # scikit-learn takes 1, which comes to the same


class Rates:
    """The optimiser of an estimator, kept from one ``partial_fit`` to the next.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Whose solver and its parameters are taken.
    factor : float
        What scikit-learn's gradient is of fastbp's.

    Attributes
    ----------
    learning_rate : float
    """

    def __init__(self, estimator: Any, factor: float) -> None:
        self.factor = factor
        self.learning_rate_init = self.learning_rate = float(estimator.learning_rate_init)
        self.schedule = estimator.learning_rate if estimator.solver == "sgd" else "constant"
        self.power_t = estimator.power_t
        if estimator.solver == "sgd":
            momentum = min(float(estimator.momentum), MOST_MOMENTUM)
            nesterov = bool(estimator.nesterovs_momentum) and momentum > 0
            rate = self.learning_rate * factor
            self.optimizer: Optimizer = SGD(rate, momentum, nesterov)
        else:
            # Its steps are of the size of the rate, whatever factor the gradient has; but not ε.
            self.optimizer = Adam(
                self.learning_rate,
                *(estimator.beta_1, estimator.beta_2, estimator.epsilon / factor),
                epsilon_outside=True,
            )

    def for_new_network(self) -> Optimizer:
        """The optimiser with what it remembers, for a copy of the network that it stepped."""
        self.optimizer = copy.copy(self.optimizer)
        return self.optimizer

    def epoch_ended(self, samples: int) -> None:
        """Change the rate, after so many samples."""
        if self.schedule == "invscaling":
            self._set(self.learning_rate_init / (samples + 1) ** self.power_t)

    def stops(self, message: str, verbose: bool) -> bool:
        """Whether training stops, where it makes no progress; if not, the rate is smaller now."""
        if self.schedule != "adaptive":
            tell(f"{message} Stopping.", verbose)
            return True
        if self.learning_rate <= SMALLEST_RATE:
            tell(f"{message} Learning rate too small. Stopping.", verbose)
            return True
        self._set(self.learning_rate / DIVISOR)
        tell(f"{message} Setting learning rate to {self.learning_rate:f}", verbose)
        return False

    def _set(self, rate: float) -> None:
        """scikit-learn's velocities have their rates in them, and fastbp's are multiplied by it."""
        for velocity in self.optimizer.memory:
            velocity *= self.learning_rate / rate
        self.learning_rate = rate
        self.optimizer.lr = rate * self.factor


def tell(message: str, verbose: Any) -> None:
    """Print it, if anybody wants to know."""
    if verbose:
        print(message)  # noqa: T201 - as scikit-learn does
