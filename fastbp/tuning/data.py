"""What all trials are trained on, and what judges them all alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastbp._arrays import as_array
from fastbp._checks import as_number
from fastbp.datasets import Dataset, Shards, as_data, rows_of
from fastbp.training.checkpoint import digest_of
from fastbp.training.samples import as_two
from fastbp.training.validation import kept_rows

BESIDE = 64  # bytes beside a sample for each of its scores, where it is seen whether all have room


def parted(train: Any, y: Any, validation: Any, seed: int, as_is: bool) -> tuple[Any, Any]:
    """What is trained on, and what judges: other data, or a share of the rows that is kept back.

    Data are Datasets, unless they go ``as_is`` to networks that somebody builds.
    """
    data = _opened(train if y is None else (train, y), "train")
    if isinstance(validation, float | np.floating):
        if isinstance(data, Shards):
            return data.split(float(validation), seed)
        data = as_dataset(data, "train")
        share = as_number(validation, "search validation", above=0, below=1)
        kept = kept_rows(len(data), None if data.values else data.y, share, seed)
        others = np.ones(len(data), bool)
        others[kept] = False
        return rows_of(data, np.flatnonzero(others)), rows_of(data, kept)
    if validation is None or isinstance(validation, int | np.integer):
        raise TypeError(
            f"search validation: expected (x, y), a Dataset, or a share, 0.2 for a fifth; got "
            f"{validation!r}"
        )
    other = _opened(validation, "validation")
    if not as_is and not isinstance(data, Shards):
        data = as_dataset(data, "train")
    if not as_is and not isinstance(other, Shards):
        other = as_dataset(other, "validation", data.classes)
    return data, other


def _opened(data: Any, name: str) -> Any:
    """Data in memory, if they have room there as a whole; others stay where they are."""
    data = as_data(data, name)
    whole = isinstance(data, Shards) and data.rows_within(BESIDE * data.targets, 1) == len(data)
    return data.dataset() if whole else data


def as_dataset(data: Any, name: str, classes: int | None = None) -> Dataset:
    """Samples and targets as a Dataset: of whole numbers classes, else values."""
    if isinstance(data, Dataset):
        return data
    x, y = as_two(data, name)
    y = np.asarray(y)
    if y.dtype.kind == "f" or y.ndim == 2:
        return Dataset(x, y, values=True, name=name)
    return Dataset(x, y.astype(int) if y.dtype == bool else y, classes or None, name=name)


def is_of_values(data: Any) -> bool:
    """Whether targets are values."""
    if isinstance(data, Dataset | Shards):
        return data.values
    y = np.asarray(as_two(data, "train")[1])
    return bool(y.dtype.kind == "f")


def digest(data: Any) -> str:
    """A number for samples, targets and weights: others have another one."""
    if isinstance(data, Shards):
        return digest_of([np.array(data.marks())], data.scale)
    if not isinstance(data, Dataset):
        return digest_of(as_array(part, "train") for part in as_two(data, "train"))
    parts = (data.x, data.y, data.sample_weight)
    return digest_of((part for part in parts if part is not None), data.scale)
