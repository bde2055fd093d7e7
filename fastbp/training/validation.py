"""A share of the training data that is kept back: it judges the network, and never trains it."""

from typing import NamedTuple

import numpy as np

from fastbp._checks import as_number
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.tabular.split import kept_back

from .feeding import Feed, InMemory
from .samples import Data, Samples, as_samples

KEPT_BACK = 1_000_003  # beside a seed: rows are drawn from another sequence than an epoch's order


class Parts(NamedTuple):
    """What is trained on, and what judges it."""

    train: Feed
    validation: Feed | None
    rows: np.ndarray | None  # of the data, where a share of it is kept back


def parted(
    net: Sequential, samples: Samples, validation: Data | float | None, loss: Loss, seed: int
) -> Parts:
    """Training and validation data, of which the latter are others, or a share of the former.

    Raises
    ------
    ValueError
        If a share leaves no sample of some class, or none at all, on either side.
    """
    if validation is None:
        return Parts(InMemory(samples), None, None)
    if isinstance(validation, (int, np.integer)):
        raise TypeError(
            f"validation: expected a Dataset or (x, y), got {type(validation).__name__}; a share "
            "of the training data is a float, 0.1 for a tenth"
        )
    if not isinstance(validation, (float, np.floating)):
        other = as_samples(net, validation, loss, "validation")
        return Parts(InMemory(samples), InMemory(other), None)
    share = as_number(validation, "validation", above=0, below=1)
    kept = kept_rows(len(samples.x), samples.classes(), share, seed)
    others = np.ones(len(samples.x), bool)
    others[kept] = False
    train = samples.rows(np.flatnonzero(others))
    if train.weights is not None and not train.weights.any():
        raise ValueError(f"validation: a share of {share:g} leaves no sample of weight above 0")
    return Parts(InMemory(train), InMemory(samples.rows(kept)), kept)


def kept_rows(count: int, classes: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """The rows that ``fit(..., validation=share, seed=seed)`` keeps back; see ``kept_back``."""
    return kept_back(count, classes, share, np.random.default_rng([seed, KEPT_BACK]))
