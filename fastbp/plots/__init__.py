"""Every figure of fastbp: plain arrays in, a Matplotlib `Figure` out.

Matplotlib is imported when the first figure is made. Figures are made without pyplot: no
display, no global state, nothing to close, and several threads may draw at once.

>>> figure = fb.plots.loss_by_epoch({"train": [0.9, 0.4, 0.2]})
>>> path = fb.plots.save(figure, "loss.png")
"""

from .columns import importances
from .diagram import layers, network
from .figures import (
    accuracy_by_epoch,
    class_probabilities,
    confusion_matrix,
    loss_by_epoch,
    loss_by_iteration,
    misclassified,
    rate_by_iteration,
    sample_digits,
    save,
)
from .judged import calibration_curve, roc_curve
from .searched import scores_by_parameter
from .statistics import running_statistics
from .values import residuals, true_by_predicted
from .weights import feature_maps, filters, first_layer_weights

__all__ = [
    "accuracy_by_epoch",
    "calibration_curve",
    "class_probabilities",
    "confusion_matrix",
    "feature_maps",
    "filters",
    "first_layer_weights",
    "importances",
    "layers",
    "loss_by_epoch",
    "loss_by_iteration",
    "misclassified",
    "network",
    "rate_by_iteration",
    "residuals",
    "roc_curve",
    "running_statistics",
    "sample_digits",
    "save",
    "scores_by_parameter",
    "true_by_predicted",
]
