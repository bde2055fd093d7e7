"""What a table is trained with, where nobody says it: models/table.toml, by its rows and label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import models, runs
from fastbp.datasets import Dataset, Shards
from fastbp.models import Model

NAME = "table"
LEAST = 8  # rows of each class, or of values, so that a share can be kept back
ROWS = 200_000  # that are trained on in all epochs together, within the limits below
EPOCHS = 16, 64  # at least, even of very many rows; at most, even of few
SMALL = 1_000  # below so many rows there are
SMALL_BATCH = 64  # steps enough in smaller batches,
SMALL_EPOCHS, SMALL_NETWORKS = 32, 10  # and more networks are worth more than more epochs
OF_VALUES: dict[str, Any] = {"loss": "mse", "loss_options": {}, "lr": 0.07}
OF_FEW_VALUES: dict[str, Any] = {"batch_size": 16, "lr": 0.008}  # more steps yet, each shorter
VALUES_ACTIVATION = "mish"
NETWORKS = 5  # that are trained side by side, and are one model
NETWORK_ROWS = 500_000  # that all of them have together, at most


def model_for(rows: int, values: bool) -> Model:
    """The model for a table of so many rows to train on, of classes or of values.

    Examples
    --------
    >>> recipe.model_for(rows=40_000, values=True).epochs
    16
    """
    model = models.read(NAME)
    if values:
        model = models.described(model, activation=VALUES_ACTIVATION, **OF_VALUES)
    least, most = EPOCHS
    epochs = min(max(ROWS // rows, least), most)
    if rows < SMALL:
        epochs = SMALL_EPOCHS
        model = replace(model, **{"batch_size": SMALL_BATCH} | (OF_FEW_VALUES if values else {}))
    return replace(model, epochs=epochs, early_stopping=epochs)


def networks_for(given: Mapping[str, Any], rows: int) -> int:
    """How many networks are trained, where nobody says.

    Several of the table's own model, of few rows more, of very many fewer; those of a run, whose
    config.toml is the ``model``; one of any other.
    """
    model = given.get("model")
    if model in (None, NAME):
        return SMALL_NETWORKS if rows < SMALL else min(max(NETWORK_ROWS // rows, 1), NETWORKS)
    return 1 if isinstance(model, Model) or model in models.NAMED else runs.networks_in(Path(model))


def completed(given: Mapping[str, Any], train: Dataset | Shards) -> dict[str, Any]:
    """What is given, and what that leaves to the table: how it is trained, what judges each epoch.

    Where another ``model`` is given it says all.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if said.get("model", NAME) != NAME:
        return said
    model = model_for(len(train), train.values)
    smallest = len(train) if train.values else int(_counts(train).min())
    if smallest < LEAST and "validation" not in said:
        model = replace(model, validation=None, early_stopping=None)
    elif "epochs" in said:
        model = replace(model, early_stopping=said["epochs"])
    return said | {"model": model}


def _counts(train: Dataset | Shards) -> np.ndarray:
    """The rows of each class; of data on disk, of those too that are kept back."""
    return train.survey.counts if isinstance(train, Shards) else np.bincount(train.y)
