"""What every network is trained on: samples, their labels or values, and how to read them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastbp._checks import as_training_weights
from fastbp._hints import Guessed
from fastbp.pages import notebook

from ._checked import check_classes, check_labels, check_samples, check_scale, check_values

if TYPE_CHECKING:
    from ._fitted import Table

LISTED = 20  # classes, at most, that a notebook counts one by one


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Guessed):
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
    sample_weight : (n,) array_like, optional
        How much each sample counts in training, >= 0; see ``fb.fit``.
    table : Table, optional
        How the samples were made of a table; ``fb.datasets.table`` gives it, and ``fb.fit`` hands
        it to the network.

    Raises
    ------
    TypeError
        If x or y are not numbers, or another argument has the wrong type.
    ValueError
        If a shape, a label, a sample or another value is not as described above.

    Examples
    --------
    >>> data = fb.datasets.Dataset(x, y)
    >>> len(data), data.features, data.classes
    (60, 4, 3)
    >>> rows, labels = data.batch([0, 1])
    """

    x: np.ndarray
    y: np.ndarray
    classes: int = None  # type: ignore[assignment]  # an int once __post_init__ has run
    scale: float = 1.0
    image_shape: tuple[int, int] | None = None
    name: str = "data"
    values: bool = False
    sample_weight: np.ndarray | None = None
    table: Table | None = None

    if TYPE_CHECKING:  # what it is given, of which it makes what it keeps

        def __init__(
            self,
            x: ArrayLike,
            y: ArrayLike,
            classes: int | None = None,
            scale: float = 1.0,
            image_shape: tuple[int, int] | None = None,
            name: str = "data",
            values: bool = False,
            sample_weight: ArrayLike | None = None,
            table: Table | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        x, image_shape = check_samples(self.x, self.image_shape)
        if self.values:
            y, classes = check_values(self.y, len(x), self.classes), 0
        else:
            y, classes = check_labels(self.y, len(x), check_classes(self.classes))
        weights = self.sample_weight
        if weights is not None:
            weights = as_training_weights(weights, "sample_weight", len(x))
        for field, value in (
            ("x", x),
            ("y", y),
            ("classes", classes),
            ("scale", check_scale(self.scale)),
            ("image_shape", image_shape),
            ("name", str(self.name)),
            ("values", bool(self.values)),
            ("sample_weight", weights),
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

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        facts: dict[str, object] = {"samples": f"{len(self):,}", "features": self.features}
        if self.image_shape is not None:
            facts["pictures"] = " × ".join(map(str, self.image_shape))
        facts |= {"dtype": self.x.dtype, "scale": f"{self.scale:.6g}"}
        counted = ""
        if self.values:
            low, mean, high = (f"{f(self.y):.6g}" for f in (np.min, np.mean, np.max))
            facts["values"] = f"{self.targets} a sample, from {low} to {high}, mean {mean}"
        else:
            facts["classes"] = self.classes
            counts = np.bincount(self.y, minlength=self.classes)
            if self.classes <= LISTED:
                rows = [[name, f"{n:,}"] for name, n in zip(self._names(), counts, strict=True)]
                counted = notebook.tabled(("class", "samples"), rows)
        if self.sample_weight is not None:
            facts["weights"] = f"{self.sample_weight.min():.6g} to {self.sample_weight.max():.6g}"
        return notebook.shown(f"Dataset {self.name!r}", notebook.listed(facts), counted)

    def _names(self) -> list[str]:
        """Of the classes."""
        label = None if self.table is None else self.table.label
        return [*map(str, getattr(label, "names", range(self.classes)))]

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

    def first(self, n: int) -> Dataset:
        """Return the first `n` samples, all of them if there are fewer, without copying.

        Raises
        ------
        ValueError
            If n < 1.
        """
        n = operator.index(n)
        if n < 1:
            raise ValueError(f"first: expected n >= 1, got {n}")
        return rows_of(self, slice(n))

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


def rows_of(data: Dataset, rows: slice | np.ndarray) -> Dataset:
    """Some of the samples, with their weights."""
    weights = None if data.sample_weight is None else data.sample_weight[rows]
    return replace(data, x=data.x[rows], y=data.y[rows], sample_weight=weights)
