"""scikit-learn's searches over settings, which train fastbp's perceptrons side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import parallel_config
from joblib.parallel import ThreadingBackend
from sklearn import config_context, model_selection
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline

from fastbp import threads as thread_counts

from .base import Perceptron
from .folds import Folds

__all__ = ["GridSearchCV", "RandomizedSearchCV"]


class _OneEach(ThreadingBackend):
    """Threads that each train one network, in one thread, and share the folds of a search."""

    def __init__(self) -> None:
        super().__init__()
        self.folds = Folds()

    def submit(self, func: Any, callback: Any = None) -> Any:
        func.items = [(self._own(call), *arguments) for call, *arguments in func.items]

        def alone() -> Any:
            with thread_counts.one_each():
                return func()

        return super().submit(alone, callback)

    def _own(self, call: Any) -> Callable[..., Any]:
        """What scikit-learn's wrapper calls, with its settings, or what finds the same faster.

        The wrapper sets Python's filters of warnings too, as other processes need, and puts them
        back. There is one list of them for all threads, which would undo each other's.
        """
        shares = call.function is _fit_and_score
        function = self.folds.fit_and_score if shares else call.function

        def configured(*args: Any, **kwargs: Any) -> Any:
            with config_context(**call.config):
                return function(*args, **kwargs)

        return configured


class _SideBySide:
    """Lets a search of scikit-learn's train in the threads of this process."""

    estimator: Any

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, as scikit-learn's does; the parameters are its."""
        if not isinstance(_last(self.estimator), Perceptron):
            raise TypeError(
                f"{type(self).__name__}: expected an MLPClassifier or MLPRegressor of "
                "fastbp.sklearn, or a Pipeline that ends in one, got "
                f"{self.estimator!r}; for others take sklearn.model_selection's"
            )
        with parallel_config(backend=_OneEach(), n_jobs=thread_counts.count()):
            return super().fit(X, y, **params)  # type: ignore[misc]


def _last(estimator: Any) -> Any:
    """What a pipeline ends in."""
    while isinstance(estimator, Pipeline) and estimator.steps:
        estimator = estimator.steps[-1][1]
    return estimator


class GridSearchCV(_SideBySide, model_selection.GridSearchCV):
    """scikit-learn's GridSearchCV of fastbp's perceptrons, whose networks train side by side.

    Parameters, attributes, methods and numbers are those of
    ``sklearn.model_selection.GridSearchCV``. Processes are not needed: each network is trained by
    one thread of this process, which all share the data.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Of fastbp.sklearn, or a Pipeline that ends in one.
    n_jobs : int, optional
        How many networks train at a time; FASTBP_NUM_THREADS or every processor, if left out.

    Raises
    ------
    TypeError
        If the estimator is another.

    Examples
    --------
    >>> from fastbp.sklearn import MLPClassifier, search
    >>> found = search.GridSearchCV(MLPClassifier(), {"alpha": [1e-4, 1e-2]}).fit(x, y)
    >>> found.best_params_
    """


class RandomizedSearchCV(_SideBySide, model_selection.RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV of fastbp's perceptrons, as ``GridSearchCV`` is.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from fastbp.sklearn import MLPClassifier, search
    >>> settings = {"alpha": loguniform(1e-5, 1)}
    >>> found = search.RandomizedSearchCV(MLPClassifier(), settings).fit(x, y)
    >>> found.cv_results_["mean_test_score"]
    """
