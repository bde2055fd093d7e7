"""A share of the training data that is kept back: it judges the network, and never trains it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_number
from fastbp.datasets import as_data, is_shards
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.tabular.split import kept_back

from .feeding import Feed, InMemory
from .samples import Data, as_samples, check_columns
from .weighting import ClassWeight, no_classes, weighted, weights_of_classes

if TYPE_CHECKING:
    from fastbp.datasets import Shards

KEPT_BACK = 1_000_003  # beside a seed: rows are drawn from another sequence than an epoch's order


class Parts(NamedTuple):
    """What is trained on, and what judges it."""

    train: Feed
    validation: Feed | None
    rows: np.ndarray | None  # of the data, where a share of it is kept back


def parted(
    net: Sequential,
    data: Data,
    loss: Loss,
    validation: Data | float | None,
    weights: tuple[ClassWeight | None, npt.ArrayLike | None],
    seed: int,
    batch_size: int,
) -> Parts:
    """Training and validation data, of which the latter are others, or a share of the former.

    Data on disk that fit into the memory that they may take are read once, as a Dataset.

    Raises
    ------
    ValueError
        If a share leaves no sample of some class, or none at all, on either side.
    """
    share = _as_share(validation)
    if is_shards(data) and _on_disk().rows_within(data, net, batch_size) < len(data):
        return _stored(net, data, loss, share or validation, weights, seed, batch_size)
    samples = as_samples(net, _in_memory(data), loss, "train")
    samples = weighted(samples, *weights)
    if share is None:
        other = judging(net, validation, loss)
        return Parts(InMemory(samples), other, None)
    kept = kept_rows(len(samples.x), samples.classes(), share, seed)
    others = np.ones(len(samples.x), bool)
    others[kept] = False
    train = samples.rows(np.flatnonzero(others))
    if train.weights is not None and not train.weights.any():
        raise ValueError(f"validation: a share of {share:g} leaves no sample of weight above 0")
    return Parts(InMemory(train), InMemory(samples.rows(kept)), kept)


def _on_disk() -> Any:
    """What trains on data on disk: who has none need not import it."""
    return import_module("fastbp.training.stored")


def _as_share(validation: Any) -> float | None:
    """A share of the training data; None where it is data of its own, or none at all."""
    if isinstance(validation, (int, np.integer)):
        raise TypeError(
            f"validation: expected a Dataset or (x, y), got {type(validation).__name__}; a share "
            "of the training data is a float, 0.1 for a tenth"
        )
    if isinstance(validation, (float, np.floating)):
        return as_number(validation, "validation", above=0, below=1)
    return None


def judging(net: Sequential, validation: Any, loss: Loss | None) -> Feed | None:
    """Data of their own that judge, wherever they are."""
    if validation is None:
        return None
    validation = as_data(validation, "validation")
    if is_shards(validation):
        check_columns(net, validation, "validation")
        rows = _on_disk().rows_within(validation, net, 1)
        if rows < len(validation):
            stored: Feed = _on_disk().Stored(validation, net, loss, "validation", rows)
            return stored
    return InMemory(as_samples(net, _in_memory(validation), loss, "validation"))


def _stored(
    net: Sequential,
    data: Shards,
    loss: Loss,
    validation: Any,
    weights: tuple[ClassWeight | None, npt.ArrayLike | None],
    seed: int,
    batch_size: int,
) -> Parts:
    """Data that stay on disk; of a share each block of them gives about that much."""
    of_classes, of_samples = weights
    if of_samples is not None:
        raise ValueError("sample_weight: data on disk have none; class_weight= weighs classes")
    check_columns(net, data, "train")
    on_disk = _on_disk()
    other: Feed | None
    if isinstance(validation, float):
        data, kept = data.split(validation, seed)
        rows = on_disk.rows_within(data, net, batch_size)
        other = on_disk.Stored(kept, net, loss, "validation", min(rows, len(kept)))
    else:
        rows = on_disk.rows_within(data, net, batch_size)
        other = judging(net, validation, loss)
    train = on_disk.Stored(data, net, loss, "train", rows)
    if of_classes is not None:
        if train.head.classes() is None:
            raise no_classes(train.head)
        if not len(data.survey.counts):
            raise ValueError("class_weight: of data on disk labels are weighed, 0, 1, …; not rows")
        counts = np.zeros(max(2, train.head.outputs), np.int64)
        counts[: data.classes] = data.survey.counts
        train = train.weighing(weights_of_classes(counts, of_classes))
    return Parts(train, other, None)


def _in_memory(data: Any) -> Any:
    """Data on disk, read; all else as it is."""
    return data.dataset() if is_shards(data) else data


def kept_rows(count: int, classes: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """The rows that ``fit(..., validation=share, seed=seed)`` keeps back; see ``kept_back``."""
    return kept_back(count, classes, share, np.random.default_rng([seed, KEPT_BACK]))
