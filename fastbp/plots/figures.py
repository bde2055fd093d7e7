"""Figures of a training, of predictions and of data; and how a figure becomes a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fastbp._files import StrPath, write_atomically
from fastbp.training import History

from . import curves as _curves
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = Mapping[str, ArrayLike]  # label -> values


def _by_epoch(series: Curves | History, what: str) -> Curves:
    return series.by_epoch(what) if isinstance(series, History) else series


def loss_by_iteration(
    losses: ArrayLike | Curves | History, *, title: str | None = None, batch_size: int | None = None
) -> Figure:
    """Draw the loss of every batch, pale, and its running mean, strong.

    The y axis is logarithmic once the running means span a decade. What is not finite, or
    beyond 1e100, is a gap. Of more than 5 000 losses the pale line shows the range of each
    of 1 500 bins, and a band its middle half.

    Parameters
    ----------
    losses : (iterations,) array, mapping of label to such arrays, or History
        Mean loss of each batch, in order.
    title : str, optional
        Title of the figure.
    batch_size : int, optional
        Samples in a batch, named at the axis.

    Raises
    ------
    ValueError
        When a curve is empty or has not one dimension, or no value is finite.

    Examples
    --------
    >>> figure = fb.plots.loss_by_iteration([2.3, 1.9, 1.1, 0.8])
    """
    losses = losses.loss_by_iteration if isinstance(losses, History) else losses
    runs = _curves.curves("losses", losses if isinstance(losses, Mapping) else {"": losses})
    half = int(float(f"{max(map(len, runs.values())) ** 0.6 / 2:.0e}"))  # one digit, then zeros
    long = max(map(len, runs.values())) > _curves.DRAWN_WHOLE
    pale = "all batches, and their middle half" if long else "every batch"
    what = f"iteration (pale: {pale}; strong: mean within ±{style.grouped(half)})"
    measured = "mean loss of a batch" + (f" of {batch_size}" if batch_size else "")
    figure, ax = style.new_figure(title or "Loss by iteration", what, measured)
    _curves.iteration_lines(ax, runs, half)
    return figure


def accuracy_by_epoch(series: Curves | History, *, title: str | None = None) -> Figure:
    """Draw accuracies by epoch in per cent; the last ones stand beside their lines.

    Parameters
    ----------
    series : mapping of label to (epochs,) or (runs, epochs) array, or History
        Accuracies as fractions, from the first epoch on: ``{"train": [0.91, 0.95]}``.
        Lengths may differ. NaN or None is a gap. Of several runs the mean is drawn, and a band
        from the least to the greatest.
    title : str, optional
        Title of the figure.

    Raises
    ------
    ValueError
        When a curve is empty, has more dimensions or leaves 0..1, or no value is finite.

    Examples
    --------
    >>> figure = fb.plots.accuracy_by_epoch({"train": [0.91, 0.95], "test": [0.9, 0.93]})
    """
    runs = _curves.curves("accuracies", _by_epoch(series, "accuracy"), repeated=True)
    low, top = _curves.span(runs.values())
    if low < 0 or top > 1:
        raise ValueError(f"accuracies: expected fractions in 0..1, got {low:g}..{top:g}")
    figure, ax = style.new_figure(title or "Accuracy by epoch", "epoch", "accuracy (%)")
    margin = max(6 * (top - low), 0.2)
    ax.set_ylim(max(100 * low - margin, 0.0), min(100 * top + margin, 100.0))
    _curves.epoch_lines(ax, {label: 100 * y for label, y in runs.items()}, "{:.2f} %")
    return figure


def loss_by_epoch(series: Curves | History, *, title: str | None = None) -> Figure:
    """Draw the mean loss by epoch; the y axis is logarithmic once it spans a decade.

    Parameters
    ----------
    series : mapping of label to (epochs,) or (runs, epochs) array, or History
        Losses from the first epoch on. Lengths may differ. NaN, infinity or None is a gap. Of
        several runs the mean is drawn, and a band from the least to the greatest.
    title : str, optional
        Title of the figure.

    Raises
    ------
    ValueError
        When a curve is empty or has not one dimension, or no value is finite.

    Examples
    --------
    >>> figure = fb.plots.loss_by_epoch({"train": [0.9, 0.4, 0.2]})
    """
    runs = _curves.curves("losses", _by_epoch(series, "loss"), repeated=True)
    figure, ax = style.new_figure(title or "Loss by epoch", "epoch", "mean loss of an epoch")
    _curves.loss_axis(ax, runs.values(), _curves.span(runs.values())[1])
    _curves.epoch_lines(ax, runs, "{:.3g}")
    return figure


def rate_by_iteration(rates: ArrayLike | Curves | History, *, title: str | None = None) -> Figure:
    """Draw the learning rate of every step.

    The y axis is logarithmic where half of the rates are a tenth of the greatest or less. Of more
    than 5 000 rates the line shows the range of each of 1 500 bins.

    Parameters
    ----------
    rates : (iterations,) array, mapping of label to such arrays, or History
        The rate of each step, in order.
    title : str, optional
        Title of the figure.

    Raises
    ------
    ValueError
        When a curve is empty or has not one dimension, or no value is finite.

    Examples
    --------
    >>> figure = fb.plots.rate_by_iteration([0.1, 0.1, 0.01])
    """
    rates = rates.lr_by_iteration if isinstance(rates, History) else rates
    runs = _curves.curves("rates", rates if isinstance(rates, Mapping) else {"": rates})
    figure, ax = style.new_figure(title or "Learning rate by iteration", "iteration", "rate")
    _curves.rate_lines(ax, runs)
    return figure


def confusion_matrix(matrix: ArrayLike, class_names: Sequence[str] | None = None) -> Figure:
    """Draw which classes are taken for which; the colour is left to the errors.

    The diagonal, which would outshine all else, is grey. Every other cell is coloured by its
    share of the samples of its true class. Up to 20 classes the counts stand in the cells.

    Parameters
    ----------
    matrix : (classes, classes) array
        Counts. Row: the true class. Column: the predicted one.
    class_names : sequence of str, optional
        Names of the classes; their numbers otherwise.

    Raises
    ------
    ValueError
        When the matrix is not square, holds no counts, or the names are too few or many.

    Examples
    --------
    >>> figure = fb.plots.confusion_matrix([[9, 1], [2, 8]], ["cat", "dog"])
    """
    counts = style.numbers("confusion matrix", matrix, "classes", len(np.atleast_1d(matrix)))
    bad = counts[~(np.isfinite(counts) & (counts >= 0) & (counts == np.rint(counts)))]
    if bad.size or not counts.any():
        got = bad[0] if bad.size else "only zeros"
        raise ValueError(f"confusion matrix: expected counts, got {got}")
    right, total = style.grouped(np.trace(counts)), style.grouped(counts.sum())
    title = f"Accuracy {100 * np.trace(counts) / counts.sum():.2f} %: {right} of {total} correct"
    return style.confusions(counts, style.names(class_names, len(counts)), title)


def misclassified(
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    probabilities: ArrayLike | None = None,
    *,
    places: ArrayLike | None = None,
    most: int = 30,
) -> Figure:
    """Draw the samples whose prediction is wrong, each titled "#number  true → predicted".

    Parameters
    ----------
    images : (k, rows, cols) array
        Any samples; those that are classified rightly are left out.
    labels, predictions : (k,) integer arrays
        True and predicted classes.
    probabilities : (k,) or (k, classes) array, optional
        Probability of the predicted class, or of every class; written in the titles. The
        most confident mistakes then come first.
    places : (k,) integer array, optional
        The samples' numbers in their data set, if not 0, 1, …
    most : int
        How many pictures at most.

    Raises
    ------
    ValueError
        When the arrays have wrong shapes or differ in length, or `most` is not positive.

    Examples
    --------
    >>> figure = fb.plots.misclassified(np.zeros((2, 4, 4)), [3, 8], [8, 8])
    """
    pictures = style.shaped("images", np.asarray(images), "k", "rows", "cols")
    true = style.numbers("labels", labels, len(pictures)).astype(int)
    taken = style.numbers("predictions", predictions, len(true)).astype(int)
    wrong = np.flatnonzero(true != taken)
    if not wrong.size:
        figure, ax = style.new_figure("No sample is misclassified", size=(5.0, 0.6))
        ax.set_axis_off()
        return figure
    values, what, note = [""] * len(true), "misclassified samples", "true → predicted class"
    if probabilities is not None:
        sizes = (len(true), "classes")[: max(np.ndim(probabilities), 1)]
        p = style.numbers("probabilities", probabilities, *sizes)
        p = p if p.ndim == 1 else p[np.arange(len(p)), taken]
        wrong = wrong[np.argsort(-p[wrong], kind="stable")]
        values, what = [f"  {100 * value:.0f} %" for value in p], f"{what}, surest first"
        note += " and the probability the network gave it"
    numbers = style.numbers("places", np.arange(len(true)) if places is None else places, len(true))
    titles = [f"#{numbers[k]:.0f}\n{true[k]} → {taken[k]}{values[k]}" for k in wrong]
    return style.tiles(pictures[wrong], titles, what, most, f"#sample, {note}")[0]


def sample_digits(images: ArrayLike, labels: ArrayLike, *, most: int = 25) -> Figure:
    """Draw the first samples of a data set, each titled with its label.

    Parameters
    ----------
    images, labels : (k, rows, cols) array, (k,) integer array
        Pictures and their classes, k > 0.
    most : int
        How many pictures at most.

    Raises
    ------
    ValueError
        When there is no picture, the arrays differ in length, or `most` is not positive.

    Examples
    --------
    >>> figure = fb.plots.sample_digits(test.images(range(4)), test.y[:4])
    """
    pictures = style.shaped("images", np.asarray(images), "k", "rows", "cols")
    true = style.numbers("labels", labels, len(pictures)).astype(int)
    return style.tiles(pictures, [str(k) for k in true], "samples and their labels", most)[0]


def class_probabilities(
    image: ArrayLike | None,
    probabilities: ArrayLike,
    *,
    label: int | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw a sample beside the probabilities of its classes, the true class green.

    Parameters
    ----------
    image : (rows, cols) array or None
        The sample; None when it is no picture.
    probabilities : (classes,) array
        Values in 0..1 with the sum 1, not their logarithms. Of more than 20 classes the 20
        most probable ones are drawn.
    label : int, optional
        The true class.
    class_names : sequence of str, optional
        Names of the classes; their numbers otherwise.

    Raises
    ------
    ValueError
        When the values are no probabilities, or label, names or a shape don't fit them.

    Examples
    --------
    >>> figure = fb.plots.class_probabilities(None, [0.7, 0.2, 0.1], label=0)
    """
    p = style.numbers("probabilities", probabilities, "classes")
    if not ((p >= 0).all() and abs(p.sum() - 1) < 1e-3):
        raise ValueError(f"probabilities: expected none below 0 and sum 1, got sum {p.sum():g}")
    if label is not None and not 0 <= label < len(p):
        raise ValueError(f"label: expected a class in 0..{len(p) - 1}, got {label}")
    picture = None if image is None else style.numbers("image", image, "rows", "cols")
    return style.bars(picture, p, style.names(class_names, len(p)), label)


def save(figure: Figure, path: StrPath) -> Path:
    """Write a figure as a PNG, 150 dots an inch, all at once or not at all; return the path.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : path-like
        A name that ends in ``.png``, in a folder that exists.

    Raises
    ------
    ValueError
        When the name does not end in ``.png``.
    OSError
        When the file cannot be written. Nothing is left behind.

    Examples
    --------
    >>> path = fb.plots.save(fb.plots.loss_by_epoch({"train": [0.9, 0.4]}), "loss.png")
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"figure path: expected a name that ends in .png, got {target.name!r}")
    drawn = style.png(figure)
    write_atomically(target, lambda file: file.write(drawn))
    return target
