"""Checks of what users pass in, done once, before any kernel sees it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import as_array, check_range, described, is_whole
from ._tensors import is_module

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MOST_SIZE = 2**63 - 1  # what kernels count with
MOST_WEIGHT = 1e100  # of a sample: the sum of all is finite


def check_kind(part: object, kind: type, name: str) -> None:
    """Refuse what is no object of a kind; ``name`` is who wants one."""
    if isinstance(part, kind):
        return
    if isinstance(part, type) and issubclass(part, kind):
        raise TypeError(
            f"{name}: expected an object, {part.__name__}(...), got the class itself"
            + class_itself(part)
        )
    if is_module(part):
        raise TypeError(
            f"{name}: expected {kind.__name__} of fastbp, got a module of PyTorch's; write "
            "fb.torch.fit(module, ...), which trains it, or fb.torch.from_torch(module)"
        )
    raise TypeError(f"{name}: expected {kind.__name__}, got {part!r:.60}")


def class_itself(part: type) -> str:
    """What ends a message about a class in place of an object: how one is made."""
    needed = [p for p in inspect.signature(part).parameters.values() if p.default is p.empty]
    before = "fb." if part.__module__.startswith("fastbp.") else ""
    return f"; write {before}{part.__name__}({'...' if needed else ''})"


def as_dtype(dtype: Any) -> np.dtype:
    """float32 or float64 as a dtype, from its name, type or dtype."""
    try:
        checked = None if dtype is None else np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # the last of texts like ",,", which are parsed
        checked = None
    if checked is None or checked not in FLOATS:  # to NumPy, None == float64
        raise ValueError(f"dtype: expected float32 or float64; got {dtype!r}")
    return checked


def as_matrix(
    a: npt.ArrayLike,
    name: str,
    *,
    dtype: np.dtype | None = None,
    columns: int | None = None,
    rows: int | None = None,
) -> np.ndarray:
    """`a` as a C-contiguous (rows, columns) array of dtype, copied only where it must be.

    Without a dtype, float32 and float64 stay and anything else numeric becomes float64.
    """
    array = as_array(a, name)
    if array.ndim != 2:
        column = "; write x[:, None] for one column" if columns == 1 and array.ndim == 1 else ""
        single = "; write x[None] for a single sample" if array.shape == (columns,) else ""
        if array.ndim == 1 and not single and columns is not None and columns > 1:
            single = f"; a single sample has {columns} numbers"
        raise ValueError(
            f"{name}: expected a two-dimensional array, one sample a row; got shape {array.shape}"
            + (single or column)
        )
    return as_batch(
        array, name, dtype=dtype, rows=rows, shape=None if columns is None else (columns,)
    )


def as_batch(
    a: npt.ArrayLike,
    name: str,
    *,
    dtype: np.dtype | None = None,
    shape: tuple[int, ...] | None = None,
    rows: int | None = None,
) -> np.ndarray:
    """`a` as a C-contiguous array of samples, each of a shape, as ``as_matrix`` does."""
    array = as_array(a, name)
    if array.ndim < 2 or (array.ndim != 2 and shape is not None and len(shape) == 1):
        raise ValueError(
            f"{name}: expected a two-dimensional array, one sample a row; got shape {array.shape}"
        )
    if 0 in array.shape[1:]:
        raise ValueError(f"{name}: expected at least one column, got shape {array.shape}")
    if shape is not None and array.shape[1:] != shape:
        columns = f"{shape[0]} columns" if len(shape) == 1 else f"samples of shape {shape}"
        raise ValueError(f"{name}: expected {columns}, got {array.shape}")
    if rows is not None and array.shape[0] != rows:
        raise ValueError(f"{name}: expected {rows} rows, got {array.shape}")
    if array.dtype == np.uint8:
        raise TypeError(
            f"{name}: got uint8, which looks like raw pixels; scale them first "
            "(Dataset.batch does, or x / 255)"
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {described(array)}")
    if dtype is None:
        dtype = array.dtype if array.dtype in FLOATS else FLOATS[1]
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize:
        return np.ascontiguousarray(array, dtype)
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(array, dtype)
    except FloatingPointError:
        check_range(array, name, dtype)
        raise


def as_labels(y: npt.ArrayLike, name: str, *, rows: int, classes: int) -> np.ndarray:
    """`y` as (rows,) int64 labels from 0 to classes - 1; of two classes also False and True.

    Floating point numbers that are whole will do too.
    """
    array = as_array(y, name)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one label a sample, shape ({rows},); got {array.shape}")
    if len(array) != rows:
        raise ValueError(f"{name}: expected {rows} labels, one a sample; got {len(array)}")
    if array.dtype.kind not in ("iufb" if classes == 2 else "iuf"):
        raise TypeError(f"{name}: expected integer labels, got {described(array)}")
    if array.dtype.kind == "f" and (broken := np.flatnonzero(~is_whole(array))).size:
        first = broken[0]
        raise TypeError(f"{name}: expected integer labels, got {array[first]} at row {first}")
    labels = np.ascontiguousarray(array, np.int64)  # beyond int64 they become negative
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        first = outside[0]
        raise ValueError(
            f"{name}: expected labels from 0 to {classes - 1}; got {array[first]} at row {first}"
        )
    return labels


def as_weights(w: Any, name: str, rows: int) -> np.ndarray:
    """(rows,) float64: one weight a sample, from 0 to MOST_WEIGHT."""
    array = as_array(w, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {described(array)}")
    if array.shape != (rows,):
        raise ValueError(
            f"{name}: expected one weight a sample, shape ({rows},); got {array.shape}"
        )
    weights = np.ascontiguousarray(array, np.float64)
    for row in np.flatnonzero(~((weights >= 0) & (weights <= MOST_WEIGHT)))[:1]:
        raise ValueError(
            f"{name}: expected numbers from 0 to {MOST_WEIGHT:g}; got {weights[row]:g} at row {row}"
        )
    return weights


def as_training_weights(w: Any, name: str, rows: int) -> np.ndarray:
    """The same as a new array, which has one above 0."""
    weights = np.array(as_weights(w, name, rows))
    if not weights.any():
        raise ValueError(f"{name}: expected at least one weight above 0; all are 0")
    return weights


def as_count(n: Any, name: str, *, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{name}: expected a whole number, got {n!r}")
    if n < least:
        raise ValueError(f"{name}: expected at least {least}, got {shown(n)}")
    return int(n)


def as_size(n: Any, name: str, *, least: int = 1) -> int:
    """A whole number that an int64 holds."""
    size = as_count(n, name, least=least)
    if size > MOST_SIZE:
        raise ValueError(f"{name}: expected at most 2**63 - 1, got {shown(size)}")
    return size


def as_pair(n: Any, name: str, *, least: int = 1) -> tuple[int, int]:
    """One whole number for rows and columns alike, or two."""
    if isinstance(n, (tuple, list)):
        if len(n) != 2:
            raise ValueError(f"{name}: expected a whole number or two, got {n!r}")
        return as_size(n[0], name, least=least), as_size(n[1], name, least=least)
    return (as_size(n, name, least=least),) * 2


def as_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a sample: (channels, height, width), or (columns,)."""
    try:
        sizes = tuple(as_size(size, "input_shape") for size in shape)
    except TypeError:
        sizes = ()
    if len(sizes) not in (1, 3):
        raise ValueError(
            "Sequential input_shape: expected (channels, height, width), three whole numbers; "
            f"got {shape!r}"
        )
    return sizes


def as_number(
    a: Any,
    name: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """A finite number: above one, at least one, below one, at most one."""
    if isinstance(a, bool) or not isinstance(a, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {shown(a)}")
    try:
        number = float(a)
    except OverflowError:  # a whole number beyond every float
        raise ValueError(f"{name}: expected a finite number, got {shown(a)}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, got {a}")
    if above is not None and number <= above:
        raise ValueError(f"{name}: expected a number above {above:g}, got {a}")
    if least is not None and number < least:
        raise ValueError(f"{name}: expected at least {least:g}, got {a}")
    if below is not None and number >= below:
        raise ValueError(f"{name}: expected a number below {below:g}, got {a}")
    if most is not None and number > most:
        raise ValueError(f"{name}: expected at most {most:g}, got {a}")
    return number


def as_flag(a: Any, name: str) -> bool:
    """True or False."""
    if isinstance(a, (bool, np.bool_)):
        return bool(a)
    raise TypeError(f"{name}: expected True or False, got {a!r}")


def shown(number: object) -> str:
    """What came, for a message, which it does not fill: Python refuses to print the longest."""
    try:
        text = repr(number)
    except ValueError:
        return "a number of thousands of digits"
    text = " ".join(text.split())  # of an array, which has lines
    return text if len(text) <= 60 else f"{text[:60]}…"
