"""scikit-learn's multi-layer perceptrons, with the same numbers, trained by fastbp."""

from .estimators import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
