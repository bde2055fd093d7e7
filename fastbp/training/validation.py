"""A share of the training data that is kept back: it judges the network, and never trains it."""

from typing import NamedTuple

import numpy as np

from fastbp._checks import as_number
from fastbp.losses import Loss
from fastbp.network import Sequential

from .samples import Data, Samples, as_samples

KEPT_BACK = 1_000_003  # beside a seed: rows are drawn from another sequence than an epoch's order


class Parts(NamedTuple):
    """What is trained on, and what judges it."""

    train: Samples
    validation: Samples | None
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
        return Parts(samples, None, None)
    if isinstance(validation, (int, np.integer)):
        raise TypeError(
            f"validation: expected a Dataset or (x, y), got {type(validation).__name__}; a share "
            "of the training data is a float, 0.1 for a tenth"
        )
    if not isinstance(validation, (float, np.floating)):
        return Parts(samples, as_samples(net, validation, loss, "validation"), None)
    share = as_number(validation, "validation", above=0, below=1)
    kept = _kept_back(samples, share, np.random.default_rng([seed, KEPT_BACK]))
    others = np.ones(len(samples.x), bool)
    others[kept] = False
    train = samples.rows(np.flatnonzero(others))
    if train.weights is not None and not train.weights.any():
        raise ValueError(f"validation: a share of {share:g} leaves no sample of weight above 0")
    return Parts(train, samples.rows(kept), kept)


def _kept_back(samples: Samples, share: float, rng: np.random.Generator) -> np.ndarray:
    """The rows of a share, in order: of each class alike, as near as whole numbers allow."""
    labels, n = samples.classes(), len(samples.x)
    groups = [np.arange(n)]
    if labels is not None:
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    counts = _shares([len(rows) for rows in groups], share)
    for number, (rows, count) in enumerate(zip(groups, counts, strict=True)):
        if not 0 < count < len(rows):
            side = "to train on" if count else "to validate with"
            of_class = "" if labels is None else f" of class {labels[rows[0]]}"
            raise ValueError(
                f"validation: a share of {share:g} leaves no sample{of_class} {side}: there "
                f"{'is 1' if len(rows) == 1 else f'are {len(rows)}'}; take another share, or "
                "validation data of your own"
            )
        groups[number] = rng.permutation(rows)[:count]
    return np.sort(np.concatenate(groups))


def _shares(sizes: list[int], share: float) -> list[int]:
    """Whole numbers nearest to each size times share, whose sum is nearest to the share of all.

    The largest remainders are rounded up (Hamilton's method).
    """
    exact = np.array(sizes) * share
    counts = np.floor(exact).astype(int)
    missing = round(float(exact.sum())) - int(counts.sum())
    for place in np.argsort(counts - exact, kind="stable")[: max(missing, 0)]:
        counts[place] += 1
    return [int(count) for count in counts]
