"""Data as workers get them: read here once, or told where they are, so that each reads its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastbp.datasets import Shards, as_data
from fastbp.network import Sequential
from fastbp.training import rows_within


def shared(data: Any, name: str, nets: Sequence[Sequential]) -> Any:
    """What several networks are trained on, or judged by, as each of them would have it alone.

    Data on disk, or Dask's, that all of them would read as a whole are read now, and are data in
    memory from then on. Others stay where they are: a worker gets what tells it where that is, and
    each network there reads its blocks in turn, within the bound.
    """
    if name == "sample_weight":
        return data
    data = as_data(data, name)
    if isinstance(data, Shards) and all(_fits(data, net) for net in nets):
        return data.dataset()
    return data


def _fits(data: Shards, net: Sequential) -> bool:
    try:
        return rows_within(data, net, 1) == len(data)
    except ValueError:  # not even a sample does, of which its job has the error
        return False
