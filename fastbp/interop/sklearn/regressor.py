"""MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from .base import BEYOND, Perceptron


class MLPRegressor(RegressorMixin, Perceptron):
    """scikit-learn's MLPRegressor, trained by fastbp.

    It has scikit-learn's parameters, attributes and methods; the same ``random_state`` gives the
    same numbers but for rounding. Their documentation is that of
    ``sklearn.neural_network.MLPRegressor``; what follows is there besides.

    Parameters
    ----------
    loss : str
        Also "absolute_error", and "huber": half the square of an error up to 1, and from there its
        size less a half. Both are averaged over outputs.
    activation, batch_norm, dropout, dtype, n_threads
        As MLPClassifier's.

    Examples
    --------
    >>> from fastbp.sklearn import MLPRegressor
    >>> regressor = MLPRegressor(random_state=1).fit(x, y)
    >>> regressor.score(x, y)
    """

    _parameter_constraints: dict[str, list[Any]] = (
        neural_network.MLPRegressor._parameter_constraints
        | BEYOND
        | {"loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber"})]}
    )

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        batch_norm: bool = False,
        dropout: float = 0.0,
        dtype: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch; the parameters are fit's."""
        self._train(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The values of each sample: (n,) of one output, else (n, outputs)."""
        found = self._outputs(X)
        return found.ravel() if found.shape[1] == 1 else found

    def _encoded(self, y: Any) -> np.ndarray:
        return np.asarray(y)

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        return self._validated(X, y, reset)

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"
