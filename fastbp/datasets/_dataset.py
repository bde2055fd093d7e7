"""What every network is trained on: samples, their labels or values, and how to read them."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastbp._arrays import ADVICE, all_finite, as_array
from fastbp._checks import shown

MOST_INFERRED_CLASSES = 65536  # a larger label is a column of amounts or keys, not of labels
MOST_CLASSES = 2**31 - 1  # no network has so many outputs


class DataError(ValueError):
    """A file that cannot be read as a data set; the message holds its path and the reason."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples, their labels or values, and how to read them.

    Parameters
    ----------
    x : (n, features) or (n, rows, columns) array_like
        One sample a row, or pictures, which are flattened. uint8, float32 and float64 are kept
        (and not copied, if contiguous); other integers become float32, float16 becomes float32
        and longer floats become float64.
    y : (n,) array_like
        Integer labels from 0 to `classes` - 1, kept as int64. Integral floats are accepted. With
        ``values`` (n,) or (n, columns) finite numbers, kept as float64.
    classes : int, optional
        Number of classes, at least 2. Left out or None: the largest label + 1. Of values 0.
    scale : float
        A network sees ``x * scale``; 1/255 for pixels.
    image_shape : (rows, columns), optional
        Given if a row of x is a picture; pictures as `x` set it.
    name : str
        What messages and figures call the data.
    values : bool
        Whether y are values to be predicted, or rows of probabilities or of yes and no, instead of
        labels.

    Raises
    ------
    TypeError
        If x or y are not numbers, or another argument has the wrong type.
    ValueError
        If a shape, a label, a sample or another value is not as described above.
    """

    x: np.ndarray
    y: np.ndarray
    classes: int = None  # type: ignore[assignment]  # an int once __post_init__ has run
    scale: float = 1.0
    image_shape: tuple[int, int] | None = None
    name: str = "data"
    values: bool = False

    def __post_init__(self) -> None:
        x, image_shape = _check_samples(self.x, self.image_shape)
        if self.values:
            y, classes = _check_values(self.y, len(x), self.classes), 0
        else:
            y, classes = _check_labels(self.y, len(x), check_classes(self.classes))
        for field, value in (
            ("x", x),
            ("y", y),
            ("classes", classes),
            ("scale", check_scale(self.scale)),
            ("image_shape", image_shape),
            ("name", str(self.name)),
            ("values", bool(self.values)),
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, samples={len(self)}, features={self.features}, "
            f"dtype={self.x.dtype}, scale={self.scale:.6g}, "
            + (f"values={self.targets})" if self.values else f"classes={self.classes})")
        )

    @property
    def features(self) -> int:
        """Numbers in one sample."""
        return int(self.x.shape[1])

    @property
    def targets(self) -> int:
        """How many classes there are, or values a sample: what a network has outputs for."""
        if not self.values:
            return self.classes
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    def first(self, n: int) -> "Dataset":
        """Return the first `n` samples, all of them if there are fewer, without copying.

        Raises
        ------
        ValueError
            If n < 1.
        """
        n = operator.index(n)
        if n < 1:
            raise ValueError(f"first: expected n >= 1, got {n}")
        return replace(self, x=self.x[:n], y=self.y[:n])

    def batch(
        self, rows: slice | Sequence[int] | np.ndarray, dtype: DTypeLike = "float32"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a network is fed: the scaled samples at `rows`, and their labels or values.

        Parameters
        ----------
        rows : slice or (k,) integers
        dtype : float32 or float64

        Returns
        -------
        x : (k, features) array of `dtype`
            ``x[rows].astype(dtype) * scale``.
        y : (k,) int64 array
            Of values (k,) or (k, columns) float64. Both are new arrays.

        Raises
        ------
        IndexError
            If a row does not exist.
        TypeError
            If the rows are not integers.
        ValueError
            If `dtype` is another one, or a number does not fit it.
        """
        try:
            dtype = np.dtype(dtype)
        except SyntaxError:  # of a text like ",,", which NumPy parses
            raise ValueError(f"batch: expected dtype float32 or float64, got {dtype!r}") from None
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"batch: expected dtype float32 or float64, got {dtype}")
        rows = _check_rows(rows)
        try:
            with np.errstate(over="raise"):
                x = np.multiply(_take(self.x, rows), self.scale, dtype=dtype, order="C")
        except FloatingPointError:
            raise ValueError(
                f"batch: x * scale overflows {dtype}; pass dtype='float64' or a smaller scale"
            ) from None
        y = _take(self.y, rows)
        return x, y.copy() if isinstance(rows, slice) else y

    def images(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the unscaled pictures at `rows` as a (k, rows, columns) array.

        Raises
        ------
        IndexError
            If a row does not exist.
        TypeError
            If the rows are not integers.
        ValueError
            If the samples are no pictures (`image_shape` is None).
        """
        if self.image_shape is None:
            raise ValueError(f"images: {self.name!r} holds no pictures; give it an image_shape")
        return _take(self.x, _check_rows(rows)).reshape(-1, *self.image_shape)


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


def _check_samples(
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


def _check_labels(values: ArrayLike, samples: int, classes: int | None) -> tuple[np.ndarray, int]:
    """Return y as int64, and the number of classes."""
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
            raise ValueError(f"y: expected integer labels, got {y[i]} at index {i}{advice}")
    i = int(y.argmin())
    if y[i] < 0:
        raise ValueError(f"y: expected labels from 0, got {int(y[i])} at index {i}")
    i = int(y.argmax())
    largest = int(y[i])
    if classes is not None and largest >= classes:
        raise ValueError(
            f"y: expected labels 0 to {classes - 1}, got {largest} at index {i}; "
            f"pass classes={largest + 1} if it is meant"
        )
    if classes is None and largest >= MOST_INFERRED_CLASSES:
        advice = f"; pass classes={largest + 1} if it is one" if largest < MOST_CLASSES else ""
        raise ValueError(f"y: label {largest} at index {i} looks like no label{advice}")
    return np.ascontiguousarray(y, dtype=np.int64), classes or max(2, largest + 1)


def _check_values(values: ArrayLike, samples: int, classes: int | None) -> np.ndarray:
    """Return y as float64."""
    if classes:
        raise ValueError(f"classes: values have none, got {shown(classes)}")
    y = _numbers(values, "y", "encode text and categories as numbers first")
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise ValueError(f"y: expected (samples,) or (samples, columns) values, got {y.shape}")
    if len(y) != samples:
        raise ValueError(f"y: expected {samples} rows of values, as many as samples, got {len(y)}")
    if not all_finite(y):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
        raise ValueError(f"y: expected finite values, got {y[where]} at index {where}")
    return np.ascontiguousarray(y, dtype=np.float64)


def _check_rows(rows: slice | Sequence[int] | np.ndarray) -> slice | np.ndarray:
    if isinstance(rows, slice):
        return rows
    array = np.asarray(rows)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise TypeError(
            f"rows: expected a slice or a list of integers, got {array.ndim}-D {array.dtype}"
        )
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.intp).max:
        raise IndexError(f"rows: there is no sample {array.max()}")  # it would wrap to -1 and such
    return array.astype(np.intp, copy=False)


def _take(array: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    # take() is three times as fast as array[rows] for the few rows of a batch.
    return array[rows] if isinstance(rows, slice) else array.take(rows, axis=0)
