"""scikit-learn's multi-layer perceptrons, with the same numbers, trained by fastbp."""

from . import search
from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "search"]
