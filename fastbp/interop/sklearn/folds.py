"""A search's folds: its fits share them, each taken from the data and converted once."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score, _score

from .base import Perceptron
from .samples import as_finite

MOST_KEPT = 1 << 27  # bytes of all folds; what is larger is taken anew for each fit


class _Fold(NamedTuple):
    x: np.ndarray  # to train on, in the dtype to train in
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


class Folds:
    """Those of one search."""

    def __init__(self) -> None:
        self.known: dict[Any, tuple[Any, _Fold]] = {}
        self.bytes = 0

    def fit_and_score(self, estimator: Any, X: Any, y: Any, **given: Any) -> dict[str, Any]:
        """What scikit-learn's ``_fit_and_score`` finds, which sees to errors and all that is rare.

        It checks, indexes and converts again for each fit, and asks first what all that may be.
        """
        if _is_plain(estimator, X, y, given):
            with suppress(Exception):  # it comes again
                return self._found(estimator, X, y, given)
            estimator = clone(estimator)
        found: dict[str, Any] = _fit_and_score(estimator, X, y, **given)
        return found

    def _found(self, estimator: Any, X: Any, y: Any, given: dict[str, Any]) -> dict[str, Any]:
        began = time.time()
        estimator.set_params(**clone(given["parameters"], safe=False))
        fold = self._fold(X, y, given["train"], given["test"], estimator.dtype)
        estimator.fit(fold.x, fold.y)
        fitted = time.time()

        def scores(x: np.ndarray, y: np.ndarray) -> Any:
            return _score(estimator, x, y, given["scorer"], {}, given["error_score"])

        found = {"fit_error": None, "test_scores": scores(fold.x_test, fold.y_test)}
        found |= {"fit_time": fitted - began, "score_time": time.time() - fitted}
        if given["return_train_score"]:
            found["train_scores"] = scores(X[given["train"]], fold.y)
        return found | {"n_test_samples": len(fold.y_test)}

    def _fold(self, X: Any, y: Any, train: Any, test: Any, dtype: Any) -> _Fold:
        key = id(train), id(test), dtype
        if key in self.known:
            return self.known[key][1]
        x = X[train]
        converted = as_finite(x, dtype or x.dtype, None)
        fold = _Fold(x if converted is None else converted, y[train], X[test], y[test])
        size = sum(part.nbytes for part in fold)
        if self.bytes + size <= MOST_KEPT:
            self.bytes += size
            self.known[key] = (train, test), fold  # which no others have the ids of meanwhile
        return fold


def _is_plain(estimator: Any, X: Any, y: Any, given: dict[str, Any]) -> bool:
    """Whether it is about arrays, and a network that draws the same again and nobody watches."""
    return (
        isinstance(estimator, Perceptron)
        and type(estimator).fit is Perceptron.fit
        and type(X) is type(y) is np.ndarray
        and type(estimator.random_state) in (int, type(None))
        and not (given["fit_params"] or given["score_params"] or given["verbose"] > 1)
        and not any(hasattr(each, "_skl_callbacks") for each in (estimator, given["caller"]))
    )
