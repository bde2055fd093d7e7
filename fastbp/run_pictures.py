"""The pictures of a training run: how it went, what is mistaken for what, what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import plots
from .datasets import Dataset
from .explain.stages import stages
from .layers import Conv2d, Linear
from .layers.nesting import every_layer
from .network import Sequential
from .training import History
from .training.answers import confusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    folder: Path, net: Sequential, history: History, test: Dataset, batch_size: int, judge: str
) -> None:
    """Draw what a run came to; pictures of samples and weights only where samples are pictures.

    What judged its epochs is called ``judge``: the test data, or what was kept back for it.
    """
    figures = {}
    if not test.values:
        probabilities = net.predict_proba(test)
        matrix = confusion(test.y, probabilities.argmax(axis=1), test.classes)
        figures["confusion_matrix"] = plots.confusion_matrix(matrix)
        if test.image_shape is not None:
            figures["misclassified"] = mistakes(test, probabilities)[0]
    if test.image_shape is not None:
        figures |= pictures_of_weights(net, test, test.image_shape)
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")
    draw_training(folder, net, history, batch_size, judge)


def draw_training(
    folder: Path, net: Sequential, history: History, batch_size: int, judge: str
) -> None:
    """Draw of a run what its history and its network say alone."""
    figures = pictures_of_training([history], batch_size, judge) | pictures_of_norms(net)
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")


def pictures_of_training(
    histories: Sequence[History], batch_size: int, judge: str
) -> dict[str, Figure]:
    """Name -> figure: losses, accuracies where there are classes, and the rate if it moved.

    Of several networks that were trained alike there are means and ranges, and the first one's
    losses of batches and rates.
    """

    def by_epoch(figure: str) -> dict[str, np.ndarray]:
        found = {"train": _together(histories, f"train_{figure}")}
        found[judge] = _together(histories, f"val_{figure}")
        return {name: values for name, values in found.items() if np.isfinite(values).any()}

    losses, rates = histories[0].loss_by_iteration, histories[0].lr_by_iteration
    figures = {
        "loss_by_iteration": plots.loss_by_iteration(losses, batch_size=batch_size),
        "loss_by_epoch": plots.loss_by_epoch(by_epoch("loss")),
    }
    if not histories[0].epochs[-1].of_values:
        figures["accuracy_by_epoch"] = plots.accuracy_by_epoch(by_epoch("accuracy"))
    if np.ptp(rates) > 0:
        figures["rate_by_iteration"] = plots.rate_by_iteration(rates)
    return figures


def _together(histories: Sequence[History], column: str) -> np.ndarray:
    """A column of each, (networks, epochs); NaN where one had stopped before."""
    found = np.full((len(histories), max(map(len, histories))), np.nan)
    for row, history in zip(found, histories, strict=True):
        row[: len(history)] = history[column]
    return found


def mistakes(test: Dataset, probabilities: np.ndarray, most: int = 30) -> tuple[Figure, int]:
    """The test images that are taken for something else, and how many they are."""
    predictions = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != test.y)
    figure = plots.misclassified(
        test.images(wrong),
        test.y[wrong],
        predictions[wrong],
        probabilities[wrong],
        places=wrong,
        most=most,
    )
    return figure, len(wrong)


def pictures_of_weights(
    net: Sequential, test: Dataset, image_shape: tuple[int, int]
) -> dict[str, Figure]:
    """Name -> figure: filters and feature maps of convolutions, or the first layer's weights."""
    figures = {
        f"filters_{number}": plots.filters(layer.w, title=f"Filters of {layer!r}")
        for number, layer in convolutions(net)
    }
    if figures:
        figures["feature_maps"] = plots.feature_maps(stages(net, test))
    first = next((layer for layer in every_layer(net.layers) if layer.parameter_shapes()), None)
    if isinstance(first, Linear) and first.inputs == test.features:
        assert first.w is not None
        figures["first_layer_weights"] = plots.first_layer_weights(first.w, image_shape)
    return figures


def pictures_of_norms(net: Sequential) -> dict[str, Figure]:
    """Name -> figure: the running statistics of batch norms, counted from 1."""
    norms = [layer for layer in every_layer(net.layers) if "running_mean" in layer.buffer_shapes()]
    return {
        f"running_statistics_{number}": plots.running_statistics(
            layer.running_mean, layer.running_var, title=f"Running statistics of {layer!r}"
        )
        for number, layer in enumerate(norms, 1)
    }


def convolutions(net: Sequential) -> list[tuple[int, Any]]:
    """The layers with filters, counted from 1."""
    layers = every_layer(net.layers)
    return list(enumerate((layer for layer in layers if isinstance(layer, Conv2d)), 1))
