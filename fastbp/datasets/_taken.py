"""Data as ``fit`` takes them, whoever they are from."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ._given import is_dask
from ._torch import as_pair


def as_data(data: Any, name: str) -> Any:
    """Data as ``fit`` takes them: Dask's stay where they are, and PyTorch's become arrays.

    As of arrays, whole numbers are classes, and bytes are not scaled.
    """
    parts = data if isinstance(data, tuple | list) and len(data) == 2 else (data,)
    if any(map(is_dask, parts)):
        return import_module("fastbp.datasets.stored").of_dask(data)
    return as_pair(data, name)
