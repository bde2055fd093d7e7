"""The pictures of a training run."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastbp import plots
from fastbp.datasets import Dataset
from fastbp.engine.scores import stages
from fastbp.images import Conv2d
from fastbp.layers import Linear
from fastbp.network import Sequential
from fastbp.training import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_run(
    folder: Path, net: Sequential, history: History, test: Dataset, batch_size: int
) -> None:
    """Draw what a run came to; pictures of samples and weights only where samples are pictures."""
    probabilities = net.predict_proba(test)
    predictions = probabilities.argmax(axis=1)
    matrix = confusion(test, predictions)
    accuracies = {"train": history["train_accuracy"], "test": history["test_accuracy"]}
    figures = {
        "loss_by_iteration": plots.loss_by_iteration(
            history.loss_by_iteration, batch_size=batch_size
        ),
        "accuracy_by_epoch": plots.accuracy_by_epoch(accuracies),
        "confusion_matrix": plots.confusion_matrix(matrix),
    }
    if test.image_shape is not None:
        wrong = np.flatnonzero(predictions != test.y)
        figures["misclassified"] = plots.misclassified(
            test.images(wrong), test.y[wrong], predictions[wrong], probabilities[wrong]
        )
        figures |= pictures_of_weights(net, test, test.image_shape)
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")


def pictures_of_weights(
    net: Sequential, test: Dataset, image_shape: tuple[int, int]
) -> "dict[str, Figure]":
    """Name -> figure: filters and feature maps of convolutions, or the first layer's weights."""
    convolutions = [layer for layer in net.layers if isinstance(layer, Conv2d)]
    figures = {}
    for number, layer in enumerate(convolutions, 1):
        assert layer.w is not None  # it is part of a network
        figures[f"filters_{number}"] = plots.filters(layer.w, title=f"Filters of {layer!r}")
    if convolutions:
        figures["feature_maps"] = plots.feature_maps(stages(net, test))
    first = next((layer for layer in net.layers if layer.parameter_shapes()), None)
    if isinstance(first, Linear) and first.inputs == test.features:
        assert first.w is not None
        figures["first_layer_weights"] = plots.first_layer_weights(first.w, image_shape)
    return figures


def confusion(data: Dataset, predictions: np.ndarray) -> np.ndarray:
    """Counts (classes, classes): rows are the true classes, columns the predicted ones."""
    pairs = data.y * data.classes + predictions
    return np.bincount(pairs, minlength=data.classes**2).reshape(data.classes, data.classes)
