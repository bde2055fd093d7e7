"""scikit-learn's multi-layer perceptrons, with the same numbers, trained by fastbp.

>>> from fastbp.sklearn import MLPClassifier, MLPRegressor

in place of ``from sklearn.neural_network import MLPClassifier, MLPRegressor``; and ``search`` has a
GridSearchCV and a RandomizedSearchCV that train the networks side by side.
"""

from ._extras import check_version as _check_version

_LEAST = (1, 9)  # whose numbers they are, and whose helpers they call

_check_version("fastbp.sklearn", "scikit-learn", "scikit-learn", "sklearn", _LEAST)

from .interop.sklearn import (  # noqa: E402 - what it needs comes first
    MLPClassifier,
    MLPRegressor,
    search,
)

__all__ = ["MLPClassifier", "MLPRegressor", "search"]
