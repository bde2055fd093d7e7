"""How much each sample counts: weights of samples and of classes, as one weight a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array
from fastbp._checks import as_count, as_number, as_training_weights

from .samples import Samples

ClassWeight = str | Mapping[int, float] | npt.ArrayLike


def weighted(
    samples: Samples, class_weight: ClassWeight | None, sample_weight: npt.ArrayLike | None
) -> Samples:
    """The samples with the weights of fit's arguments; a Dataset's own where there are none.

    Raises
    ------
    TypeError, ValueError
        If weights are not as ``fit`` describes them.
    """
    weights = samples.weights
    if sample_weight is not None:
        weights = as_training_weights(sample_weight, "sample_weight", len(samples.x))
    if class_weight is not None:
        of_classes = _of_classes(samples, class_weight)
        weights = of_classes if weights is None else weights * of_classes
        if not weights.any():
            raise ValueError("class_weight: with sample_weight all weights are 0")
    return samples._replace(weights=weights)


def _of_classes(samples: Samples, class_weight: ClassWeight) -> np.ndarray:
    """The weight of each sample's class."""
    labels = samples.classes()
    if labels is None:
        raise no_classes(samples)
    counts = np.bincount(labels, minlength=max(2, samples.outputs))
    return weights_of_classes(counts, class_weight)[labels]


def no_classes(samples: Samples) -> ValueError:
    """The error of targets that have none to weigh."""
    return ValueError(
        f"class_weight: the targets are {samples.meaning}, which have no classes; give each "
        "sample a weight, sample_weight="
    )


def weights_of_classes(counts: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
    """The weight of each class, of which so many samples are there."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight: expected 'balanced', a dict or an array, got {class_weight!r}"
            )
        weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(class_weight, Mapping):
        weights = _of_mapping(class_weight, counts)
    else:
        weights = _of_array(class_weight, counts)
    found: np.ndarray = weights
    if not found[counts > 0].any():
        raise ValueError("class_weight: the classes that occur all have weight 0")
    return found


def _of_mapping(given: Mapping[Any, Any], counts: np.ndarray) -> np.ndarray:
    weights = np.ones(len(counts))
    for label, weight in given.items():
        number = as_count(label, "class_weight class", least=0)
        if number >= len(counts) or not counts[number]:
            raise ValueError(f"class_weight: class {label} does not occur among the targets")
        weights[number] = as_number(weight, f"class_weight[{label}]", least=0)
    return weights


def _of_array(given: npt.ArrayLike, counts: np.ndarray) -> np.ndarray:
    array = as_array(given, "class_weight")
    if array.shape != counts.shape:
        raise ValueError(
            f"class_weight: expected one weight for each of {len(counts)} classes; got shape "
            f"{array.shape}"
        )
    return np.array([as_number(weight, "class_weight", least=0) for weight in array])


def sums(weights: np.ndarray | None, order: np.ndarray, batch_size: int) -> np.ndarray:
    """What each batch counts in an epoch's mean: its samples, or the sum of their weights."""
    starts = np.arange(0, len(order), batch_size)
    if weights is None:
        return np.diff(np.append(starts, len(order))).astype(np.float64)
    found: np.ndarray = np.add.reduceat(weights[order], starts)
    return found
