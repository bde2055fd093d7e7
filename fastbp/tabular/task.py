"""A training on a table of which everything is checked, and nothing is done yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastbp import datasets, models, runs
from fastbp._checks import as_count
from fastbp.backends import active
from fastbp.datasets import Dataset, Table
from fastbp.ensemble import MOST_NETWORKS
from fastbp.losses import PoissonNLLLoss
from fastbp.models import Model
from fastbp.network import Sequential

from . import recipe
from .data import Asked, Prepared, prepare


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained on which rows of a table, and how.

    Attributes
    ----------
    data : path or table
        As it was given.
    asked : Asked
        What was said of its columns and rows.
    given : mapping
        What was said of the model and of how it is trained.
    prepared : Prepared
    model : Model
        Fitted to the rows that are trained on.
    networks : int
        How many are trained, from seeds that follow each other.
    """

    data: Any
    asked: Asked
    given: Mapping[str, Any]
    prepared: Prepared
    model: Model
    networks: int
    called: Callable[[str], str]

    @property
    def train(self) -> Dataset:
        """What is trained on, with the rows that are kept back of it."""
        return self.prepared.train

    @property
    def test(self) -> Dataset | None:
        """What is tested with, if anything is."""
        return self.prepared.test

    @property
    def source(self) -> str:
        """What the table is called."""
        return datasets.name_of(self.data)

    @property
    def of_counts(self) -> bool:
        """Whether scores are logarithms of the label's values."""
        return self.model.loss == PoissonNLLLoss.name

    @property
    def seeds(self) -> list[int]:
        """Of each network."""
        return [self.model.seed + number for number in range(self.networks)]

    def build(self) -> list[Sequential]:
        """The networks, with their starting parameters."""
        outputs = self.model.outputs_for(self.train)
        return [self.model.build(self.train.features, outputs, seed) for seed in self.seeds]

    def arguments(self) -> dict[str, Any]:
        """How a network is trained on ``train``, of which it keeps back a share by its own seed.

        Without a share the rows that are tested with judge its epochs.
        """
        judge = {} if self.test is None else {"validation": self.test}
        return judge | self.model.fit_arguments()

    def config(self) -> bytes:
        """The run's config.toml."""
        is_file = isinstance(self.data, str | os.PathLike)
        path = os.fspath(self.data) if is_file else "a table in memory"
        return runs.config_of(
            self.model, path, self.train, self.test, active(), networks=self.networks
        )

    def on(self, train: Dataset) -> Task:
        """The same on other rows, for which the model is chosen anew."""
        model = _model(self.given, train, self.called)
        return replace(self, prepared=replace(self.prepared, train=train, test=None), model=model)


def task_of(
    data: Any,
    asked: Asked,
    given: Mapping[str, Any],
    *,
    networks: int | None = None,
    all_rows: bool = False,
    limit: int | None = None,
    called: Callable[[str], str] = str,
    tell: Callable[[Table], None] | None = None,
) -> Task:
    """Read a table, and choose and check what is trained on it.

    Parameters
    ----------
    data, asked, all_rows, tell
        As ``prepare``'s.
    given : mapping
        The model, by its name, and its settings; None for what is not said.
    networks : int, optional
        Left out, as ``recipe.networks_for`` says.
    limit : int, optional
        How many rows are trained on, at most.
    called : function
        Makes of a setting's name what messages call it.

    Raises
    ------
    ValueError, TypeError, OSError
        If anything does not fit.
    """
    if networks is not None and as_count(networks, "ensemble") > MOST_NETWORKS:
        raise ValueError(f"ensemble: expected at most {MOST_NETWORKS} networks, got {networks}")
    prepared = prepare(data, asked, counts=_of_counts(given), all_rows=all_rows, tell=tell)
    if limit is not None:
        prepared = replace(prepared, train=prepared.train.first(limit), rows=prepared.rows[:limit])
    model = _model(given, prepared.train, called)
    if networks is None:
        networks = recipe.networks_for(given, len(prepared.train))
    return Task(data, asked, given, prepared, model, networks, called)


def _of_counts(given: Mapping[str, Any]) -> bool:
    """Whether scores are logarithms of counts, which cannot be standardised."""
    loss, model = given.get("loss"), given.get("model")
    if loss is None and model is not None:
        loss = (model if isinstance(model, Model) else models.read(model)).loss
    return bool(loss == PoissonNLLLoss.name)


def _model(given: Mapping[str, Any], train: Dataset, called: Callable[[str], str]) -> Model:
    """The model that is asked for, fitted to what is trained on."""
    model = models.asked_for(recipe.completed(given, train), called)
    return model.fitted(train.features, model.outputs_for(train))


def classes_of(data: Dataset) -> np.ndarray:
    """The class of each sample; of values all are alike."""
    return np.zeros(len(data), np.int64) if data.values else data.y
