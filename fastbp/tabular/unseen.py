"""What networks say of rows that they were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastbp.datasets import Dataset, rows_of
from fastbp.ensemble import Ensemble
from fastbp.network import Sequential


def together(nets: Sequence[Sequential]) -> Any:
    """Networks as one model: the only one itself, of several an Ensemble."""
    return nets[0] if len(nets) == 1 else Ensemble(nets)


class Unseen:
    """Networks that kept back different rows, as a model of those: each is told by who kept it.

    So each row is judged by networks that it did not train: by fewer than those that are one model
    for others, and a little worse.

    Parameters
    ----------
    nets : sequence of Sequential
    kept : sequence of (n,) int64
        The rows that each kept back.
    train : Dataset
        What all were trained on.

    Attributes
    ----------
    rows : Dataset
        Those that some network kept back. ``predict`` and ``predict_proba`` are of them alone.
    """

    def __init__(
        self, nets: Sequence[Sequential], kept: Sequence[np.ndarray], train: Dataset
    ) -> None:
        self.nets, self.kept, self.train, self.table = nets, kept, train, train.table
        aside = np.zeros((len(nets), len(train)), bool)
        for number, rows in enumerate(kept):
            aside[number, rows] = True
        rows = np.flatnonzero(aside.any(axis=0))
        self.rows = self._named(rows)
        groups, places = np.unique(aside[:, rows], axis=1, return_inverse=True)
        self._groups = [
            (self._model_of(group), np.flatnonzero(places == number))
            for number, group in enumerate(groups.T)
        ]

    def _model_of(self, group: np.ndarray) -> Any:
        """Those that kept a row back."""
        return together([net for net, did in zip(self.nets, group, strict=True) if did])

    def parts(self) -> Iterator[tuple[Sequential, Dataset]]:
        """Each network, and what it kept back."""
        for net, rows in zip(self.nets, self.kept, strict=True):
            yield net, self._named(rows)

    def predict(self, rows: Dataset) -> np.ndarray:
        """What is said of ``rows``, which are this object's; see ``Ensemble.predict``."""
        return self._joined(rows, lambda model, part: model.predict(part))

    def predict_proba(self, rows: Dataset) -> np.ndarray:
        """See ``Ensemble.predict_proba``."""
        return self._joined(rows, lambda model, part: model.predict_proba(part))

    def _joined(self, rows: Dataset, say: Callable[[Any, Dataset], np.ndarray]) -> np.ndarray:
        said = [(places, say(model, rows_of(rows, places))) for model, places in self._groups]
        found = np.empty((len(rows), *said[0][1].shape[1:]), said[0][1].dtype)
        for places, part in said:
            found[places] = part
        return found

    def _named(self, rows: np.ndarray) -> Dataset:
        name = f"{self.train.name.removesuffix(' train')} validation"
        return replace(rows_of(self.train, rows), name=name)
