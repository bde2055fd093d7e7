"""What a table is trained with, where nobody says it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastbp.datasets import Dataset

VALIDATION = 0.15  # of the rows that are trained on, which judges each epoch
LEAST = 8  # rows of each class, or of values, so that a share can be kept back
DEFAULTS: dict[str, Any] = {
    "hidden": (64, 64),
    "activation": "relu",
    "init": "he",
    "batch_size": 32,
    "epochs": 50,
}


def completed(given: Mapping[str, Any], train: Dataset) -> dict[str, Any]:
    """What is given, and what that leaves to the table: how it is trained, what judges each epoch.

    Where a ``model`` is given it says all.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if "model" in said:
        return said
    defaults = DEFAULTS | {"loss": "mse" if train.values else "cross-entropy"}
    if "optimizer" not in said:
        defaults |= {"optimizer": "adam", "lr": 0.001}
    smallest = len(train) if train.values else int(np.bincount(train.y).min())
    if smallest >= LEAST:
        defaults |= {"validation": VALIDATION}
    return defaults | said
