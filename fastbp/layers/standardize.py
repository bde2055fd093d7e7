"""Standardize: what is done to the data, as a fixed layer of the network that needs it."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array
from fastbp._checks import as_size
from fastbp.backends import kernels
from fastbp.datasets import Dataset, is_shards
from fastbp.kernels.numbers import Column, Kind

from .base import Layer, Shape, as_rows
from .initializers import Initializer

if TYPE_CHECKING:
    from fastbp.datasets import Shards

__all__ = ["Standardize"]

ROWS_AT_ONCE = 4096  # of the samples whose mean and deviation are computed


class Standardize(Layer):
    """Y = (X - mean) / std, with fixed numbers for each column: a network's first layer.

    So what was done to the training data is part of the model, and of its file.

    Parameters
    ----------
    mean, std : (columns,) or (channels,) array_like
        Of each column of X, or, of images, of each channel (or each number, channel by channel).

    Attributes
    ----------
    mean, std : ndarray
        Buffers, once the layer is part of a ``Sequential``.

    Raises
    ------
    ValueError
        If a mean is NaN or infinite, or a deviation is not above 0 and finite.

    See Also
    --------
    Standardize.of : the layer that standardizes given samples.

    Examples
    --------
    >>> net = fb.Sequential(fb.Standardize.of(x), fb.Linear(4, 16), fb.Tanh(), fb.Linear(16, 3))
    """

    kind = Kind.STANDARDIZE

    def __init__(self, mean: npt.ArrayLike, std: npt.ArrayLike) -> None:
        self.mean, self.std = _vector(mean, "mean"), _vector(std, "std")
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"Standardize: expected as many deviations as means, got {len(self.mean)} means "
                f"and {len(self.std)} deviations"
            )
        self._start = self.mean, self.std
        self._check()

    @property
    def inputs(self) -> int:
        """Columns of X, where it is no image."""
        return len(self._start[0])

    @classmethod
    def of(cls, x: npt.ArrayLike | Dataset | Shards) -> Standardize:
        """The layer that brings these samples to mean 0 and standard deviation 1.

        Parameters
        ----------
        x : (n, columns) array_like, (n, channels, height, width) images, Dataset or Shards
            Mean and deviation (over n) are those of each column, or of each channel. A constant
            column has deviation 1: it becomes 0.

        Raises
        ------
        ValueError
            If a column has NaN or infinite numbers, or there are no samples.

        Examples
        --------
        >>> fb.Standardize.of([[1.0, 5.0], [3.0, 5.0]]).std
        array([1., 1.])
        """
        if is_shards(x):
            mean, std = x.moments.mean * x.scale, x.moments.std * x.scale
            return cls(mean, _without_rounding(mean, std))
        parts = _Parts(x)
        mean = sum(part.sum(axis=(0, 2)) for part in parts) / parts.count
        mean += sum((part - mean[:, None]).sum(axis=(0, 2)) for part in parts) / parts.count
        square = sum(((part - mean[:, None]) ** 2).sum(axis=(0, 2)) for part in parts)
        if not np.isfinite(square).all():
            column = int(np.flatnonzero(~np.isfinite(square))[0])
            raise ValueError(
                f"Standardize.of: expected finite numbers, got NaN or infinite ones in "
                f"column {column}"
            )
        std = np.sqrt(square / parts.count)
        return cls(mean, _without_rounding(mean, std))

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Compute Y = (X - mean) / std."""
        x = self._input(x)
        self.output_shape(x.shape[1:])
        mean, std = self._for_columns(x)
        y = np.empty_like(x)
        kernels().standardize_forward(as_rows(x), mean, std, as_rows(y))
        return self._output(x, y)

    def backward(self, dy: npt.ArrayLike) -> np.ndarray:
        """dl/dX = dY / std."""
        dy = self._gradient(dy)
        _, std = self._for_columns(dy)
        dx = np.empty_like(dy)
        kernels().standardize_backward(as_rows(dy), std, as_rows(dx))
        return dx

    def _for_columns(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each number of a sample."""
        each = math.prod(x.shape[1:]) // len(self.mean)
        return np.repeat(self.mean, each), np.repeat(self.std, each)

    def buffer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Mean and deviation, a number for each column or channel."""
        return {"mean": self._start[0].shape, "std": self._start[1].shape}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill the buffers, in the network's dtype."""
        self.mean[...], self.std[...] = self._start
        self._check()

    def _check(self) -> None:
        """Refuse what is no mean and deviation."""
        for name, wrong, expected in (
            ("mean", ~np.isfinite(self.mean), "finite numbers"),
            ("std", ~((self.std > 0) & np.isfinite(self.std)), "finite numbers above 0"),
        ):
            if wrong.any():
                column = int(np.flatnonzero(wrong)[0])
                got = getattr(self, name)[column]
                raise ValueError(f"Standardize {name}: expected {expected}, got {got} at {column}")

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """The input's shape."""
        known = (len(self._start[0]),)
        if shape is None:
            return known
        if known not in (shape[:1], (math.prod(shape),)):
            what = f"{shape[0]} columns" if len(shape) == 1 else f"images {shape}"
            raise ValueError(f"{self!r} has {known[0]} means and deviations, but {what} come in")
        return shape

    def as_affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Y = X / std - mean / std."""
        mean, std = self.mean.astype(np.float64), self.std.astype(np.float64)
        return 1 / std, -mean / std

    def columns(self) -> dict[Column, int]:
        """Its two buffers."""
        return {Column.VECTOR: len(self._start[0]), Column.BUFFERS: 2}

    def description(self) -> dict[str, Any]:
        """How many numbers it has, which stand in the buffers."""
        return {"columns": len(self._start[0])}

    @classmethod
    def described(cls, *layers: Layer, **settings: Any) -> Layer:
        """Of that size, with buffers that are filled later; or of a mean and a deviation."""
        if "columns" not in settings:
            return cls(*layers, **settings)
        columns = as_size(settings.pop("columns"), "Standardize columns")
        return cls(np.zeros(columns), np.ones(columns), *layers, **settings)

    def __repr__(self) -> str:
        return f"Standardize({len(self._start[0])} columns)"


def _without_rounding(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Deviations, 1 of a constant: what is left of that by rounding is none."""
    constant = std <= 4 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(constant, 1.0, std)


def _vector(numbers: npt.ArrayLike, name: str) -> np.ndarray:
    """Means or deviations, as float64 of their own."""
    array = as_array(numbers, f"Standardize {name}")
    if array.ndim != 1 or not array.size or array.dtype.kind not in "fiub":
        raise ValueError(
            f"Standardize {name}: expected a number for each column, shape (columns,); got "
            f"{array.dtype} {array.shape}"
        )
    return np.array(array, np.float64)


class _Parts:
    """Samples as (n, columns, numbers of each) float64 arrays, some rows at a time."""

    def __init__(self, x: npt.ArrayLike | Dataset) -> None:
        scale = x.scale if isinstance(x, Dataset) else 1.0
        array = x.x if isinstance(x, Dataset) else as_array(x, "Standardize.of")
        if array.ndim not in (2, 4) or not array.size or array.dtype.kind not in "fiub":
            raise ValueError(
                "Standardize.of: expected samples, (n, columns) or (n, channels, height, width) "
                f"real numbers; got {array.dtype} {array.shape}"
            )
        self.array, self.scale = array.reshape(*array.shape[:2], -1), scale
        self.count = len(array) * self.array.shape[2]

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.array), ROWS_AT_ONCE):
            yield self.array[start : start + ROWS_AT_ONCE].astype(np.float64) * self.scale
