"""Rows that have a label, and which column it is; what a table's file is called, and its errors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checked import DataError
from ._csv import LABEL_NAMES
from ._dialect import text_of
from ._files import bad_file
from ._frame import column_of

if TYPE_CHECKING:
    import pandas as pd


def label_of(names: Sequence[str], label: str | int | None) -> str:
    """The label's name: that which was asked for, or the only one that is clearly it."""
    if label is not None:
        return column_of(names, label, "label")
    lower = [name.strip().lower() for name in names]
    found = [lower.index(each) for each in LABEL_NAMES if each in lower]
    if not found:
        raise ValueError(
            "which column is the label? Pass label= (--label); the columns are " + text_of(names)
        )
    return names[found[0]]


def labelled(frame: pd.DataFrame, label: str | int | None) -> tuple[pd.DataFrame, str]:
    """The rows that have a label, and its column."""
    name = label_of([*frame.columns], label)
    frame = with_label(frame, name)
    if len(frame) < 2:
        raise ValueError("expected at least 2 rows, got 1")
    return frame, name


def without_label(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Which rows have no label."""
    cells = frame[name]
    missing = cells.isna()
    if cells.dtype.kind not in "biuf":  # words may be blank
        missing |= cells.astype(object).map(str).str.strip() == ""
    found: np.ndarray = missing.to_numpy(bool)
    return found


def with_label(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows that have a label."""
    missing = without_label(frame, name)
    if missing.all():
        raise ValueError(f"label {name!r}: missing in all rows")
    if missing.any():
        told = f"{missing.sum():,} of {len(frame):,} rows have no {name!r}: they are left out"
        warnings.warn(told, UserWarning, stacklevel=5)
        frame = frame[~missing]
    return frame


def source_of(data: Any) -> str:
    """A file's path."""
    return os.fspath(data) if isinstance(data, str | os.PathLike) else ""


def name_of(data: Any) -> str:
    """What samples of a table are called: by its file."""
    source = source_of(data)
    return Path(source).name if source else "table"


def placed(problem: ValueError, data: Any) -> ValueError:
    """What is wrong with a file's table names the file."""
    source = source_of(data)
    if not source or isinstance(problem, DataError):
        return problem
    return bad_file(source, problem)
