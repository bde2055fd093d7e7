"""scikit-learn's multi-layer perceptrons, with the same numbers, trained by fastbp.

>>> from fastbp.sklearn import MLPClassifier, MLPRegressor

in place of ``from sklearn.neural_network import MLPClassifier, MLPRegressor``; and ``search`` has a
GridSearchCV and a RandomizedSearchCV that train the networks side by side.
"""

from importlib.metadata import PackageNotFoundError as _NotFound
from importlib.metadata import version as _version

_LEAST = (1, 9)  # whose numbers they are, and whose helpers they call

try:
    _found = _version("scikit-learn")
except _NotFound:
    raise ModuleNotFoundError(
        "fastbp.sklearn needs scikit-learn, which is not installed: pip install 'fastbp[sklearn]'"
    ) from None
if tuple(int(part) for part in _found.split(".")[:2]) < _LEAST:
    raise ImportError(
        f"fastbp.sklearn needs scikit-learn 1.9 or later, found {_found}: "
        "pip install --upgrade 'fastbp[sklearn]'"
    )

from .interop.sklearn import (  # noqa: E402 - what it needs comes first
    MLPClassifier,
    MLPRegressor,
    search,
)

__all__ = ["MLPClassifier", "MLPRegressor", "search"]
