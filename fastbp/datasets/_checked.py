"""What a data set is made of, checked: samples, labels or values, and weights."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from fastbp._arrays import ADVICE, all_finite, as_array
from fastbp._checks import shown

MOST_INFERRED_CLASSES = 65536  # a larger label is a column of amounts or keys, not of labels
MOST_CLASSES = 2**31 - 1  # no network has so many outputs


class DataError(ValueError):
    """A file that cannot be read as a data set; the message holds its path and the reason.

    Examples
    --------
    >>> with open("broken.npz", "wb") as file:
    ...     size = file.write(b"not one")
    >>> try:
    ...     fb.datasets.load("broken.npz")
    ... except fb.datasets.DataError as error:
    ...     print("broken.npz" in str(error))
    True
    """


def check_classes(classes: int | None) -> int | None:
    """Return `classes` as an int of at least 2, or None as it is."""
    if classes is None:
        return None
    try:
        count = operator.index(classes)
    except TypeError:
        raise TypeError(f"classes: expected an integer, got {classes!r}") from None
    if count < 2:
        raise ValueError(f"classes: expected at least 2 (as for yes and no), got {shown(count)}")
    if count > MOST_CLASSES:
        raise ValueError(f"classes: expected at most 2**31 - 1, got {shown(count)}")
    return count


def check_most_bytes(most_bytes: int | None) -> int | None:
    """Return `most_bytes` as an int of at least 1, or None as it is."""
    try:
        number = None if most_bytes is None else operator.index(most_bytes)
    except TypeError:
        raise TypeError(f"most_bytes: expected an integer, got {most_bytes!r}") from None
    if number is not None and number < 1:
        raise ValueError(f"most_bytes: expected at least 1, got {number}")
    return number


def check_scale(scale: float) -> float:
    """Return `scale` as a positive float that float32 can hold as well."""
    if not isinstance(scale, Real):
        raise TypeError(f"scale: expected a number, got {scale!r}")
    limits = np.finfo(np.float32)
    try:
        number = float(scale)
    except OverflowError:  # an integer or a fraction beyond every float
        number = float("inf")
    if not limits.tiny <= number <= limits.max:
        raise ValueError(f"scale: expected a positive finite number (float32), got {shown(scale)}")
    return number


def _numbers(values: ArrayLike, name: str, advice: str) -> np.ndarray:
    """Turn what the user gave into an array of numbers."""
    array = as_array(values, name)
    if array.dtype.kind not in "biuf":
        advice = advice if array.dtype.kind in "OUST" else ADVICE[array.dtype.kind]
        raise TypeError(f"{name}: expected numbers, got dtype {array.dtype}; {advice}")
    return array


def check_samples(
    values: ArrayLike, image_shape: Sequence[int] | None
) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Return x as the class describes it, and the shape of one picture."""
    x = _numbers(values, "x", "encode text and categories as numbers first")
    if x.ndim not in (2, 3):
        raise ValueError(
            f"x: expected (samples, features) or (samples, rows, columns), got shape {x.shape}; "
            "reshape it to x.reshape(samples, -1)"
        )
    if x.size == 0:
        raise ValueError(f"x: expected at least one sample and one feature, got shape {x.shape}")
    shape = _check_image_shape(x, image_shape)
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):  # an overflow shows up as an infinity, below
            x = x.astype(kept_dtype(x.dtype), copy=False)
        if not all_finite(x):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
            raise ValueError(
                f"x: expected finite numbers, got {x[where]} at index {where}; "
                "drop or fill in such samples first"
            )
    return np.ascontiguousarray(x).reshape(len(x), -1), shape


def kept_dtype(dtype: np.dtype) -> type[np.number]:
    """In what samples of a dtype are kept."""
    if dtype == np.uint8:
        return np.uint8
    return np.float64 if dtype.kind == "f" and dtype.itemsize >= 8 else np.float32


def _check_image_shape(x: np.ndarray, image_shape: Sequence[int] | None) -> tuple[int, int] | None:
    """Return (rows, columns) as ints: given, or known from 3-D x, or None."""
    known = x.shape[1:]
    if image_shape is None:
        return (known[0], known[1]) if x.ndim == 3 else None
    try:
        rows, columns = (operator.index(size) for size in image_shape)
    except (TypeError, ValueError):
        raise TypeError(f"image_shape: expected (rows, columns), got {image_shape!r}") from None
    fits = known == (rows, columns) if x.ndim == 3 else known[0] == rows * columns
    if not fits or rows < 1:
        raise ValueError(f"image_shape: {rows} × {columns} does not fit x of shape {x.shape}")
    return rows, columns


def check_labels(
    values: ArrayLike, samples: int, classes: int | None, first: int = 0
) -> tuple[np.ndarray, int]:
    """Return y as int64, and the number of classes; messages count from ``first``."""
    y = _numbers(values, "y", "number the classes from 0: np.unique(y, return_inverse=True)[1]")
    if y.ndim != 1:
        raise ValueError(
            f"y: expected one label a sample, shape ({samples},), got {y.shape}; "
            "a single column wants y.ravel(), one-hot rows y.argmax(axis=1)"
        )
    if len(y) != samples:
        raise ValueError(f"y: expected {samples} labels, as many as samples, got {len(y)}")
    if y.dtype.kind == "f":
        fractional = ~np.isfinite(y) | (y != np.floor(y))
        if fractional.any():
            i = int(fractional.argmax())
            advice = "; with values=True (--values) they are values" if np.isfinite(y[i]) else ""
            raise ValueError(f"y: expected integer labels, got {y[i]} at index {first + i}{advice}")
    i = int(y.argmin())
    if y[i] < 0:
        raise ValueError(f"y: expected labels from 0, got {int(y[i])} at index {first + i}")
    i = int(y.argmax())
    largest = int(y[i])
    if classes is not None and largest >= classes:
        raise ValueError(
            f"y: expected labels 0 to {classes - 1}, got {largest} at index {first + i}; "
            f"pass classes={largest + 1} if it is meant"
        )
    if classes is None and largest >= MOST_INFERRED_CLASSES:
        advice = f"; pass classes={largest + 1} if it is one" if largest < MOST_CLASSES else ""
        raise ValueError(f"y: label {largest} at index {first + i} looks like no label{advice}")
    return np.ascontiguousarray(y, dtype=np.int64), classes or max(2, largest + 1)


def check_values(
    values: ArrayLike, samples: int, classes: int | None, first: int = 0
) -> np.ndarray:
    """Return y as float64; messages count from ``first``."""
    if classes:
        raise ValueError(f"classes: values have none, got {shown(classes)}")
    y = _numbers(values, "y", "encode text and categories as numbers first")
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise ValueError(f"y: expected (samples,) or (samples, columns) values, got {y.shape}")
    if len(y) != samples:
        raise ValueError(f"y: expected {samples} rows of values, as many as samples, got {len(y)}")
    if not all_finite(y):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
        place = (where[0] + first, *where[1:])
        raise ValueError(f"y: expected finite values, got {y[where]} at index {place}")
    return np.ascontiguousarray(y, dtype=np.float64)
