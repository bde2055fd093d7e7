"""Which rows train and which judge: of each class alike. Nothing else splits rows by classes.

It knows no table and no network, so that ``fit`` keeps rows back by it too.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np


def every_nth(
    classes: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """So many rows, spread evenly over all rows in an order by class, and by chance within it.

    Parameters
    ----------
    classes : (n,) int64
        From 0; of values all are alike.
    size : int
    rng : Generator

    Returns
    -------
    order : (n,) int64
        All rows, by chance.
    chosen : (size or fewer,) int64
        Without those that are the only ones of their class.
    """
    order = rng.permutation(len(classes))
    by_class = _by_class(order, classes)
    chosen = by_class[((np.arange(size) + 0.5) * len(classes) / size).astype(int)]
    return order, chosen[np.bincount(classes)[classes[chosen]] > 1]


def folds(classes: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All rows in so many parts, of each class alike: each row in one, each part in order.

    Of all rows in an order by class, and by chance within it, each part has every ``count``-th.
    """
    by_class = _by_class(rng.permutation(len(classes)), classes)
    return [np.sort(by_class[start::count]) for start in range(count)]


def _by_class(order: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return order[np.argsort(classes[order], kind="stable")]


def kept_back(
    count: int, classes: np.ndarray | None, share: float, rng: np.random.Generator
) -> np.ndarray:
    """The rows of a share, in order: of each class alike, as near as whole numbers allow.

    Raises
    ------
    ValueError
        If that leaves no row of some class, or none at all, on either side.
    """
    groups = [np.arange(count)]
    if classes is not None:
        groups = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    counts = _shares([len(rows) for rows in groups], share)
    for number, (rows, part) in enumerate(zip(groups, counts, strict=True)):
        if not 0 < part < len(rows):
            side = "to train on" if part else "to validate with"
            of_class = "" if classes is None else f" of class {classes[rows[0]]}"
            raise ValueError(
                f"validation: a share of {share:g} leaves no sample{of_class} {side}: there "
                f"{'is 1' if len(rows) == 1 else f'are {len(rows)}'}; take another share, or "
                "validation data of your own"
            )
        groups[number] = rng.permutation(rows)[:part]
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
