"""What losses share: a call, the targets they take, and what engines must know of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array, described
from fastbp._checks import as_labels, as_matrix, as_weights
from fastbp._hints import Guessed
from fastbp.kernels.numbers import LossKind
from fastbp.meaning import Meaning

__all__ = ["Loss", "ValuesLoss"]

UNWEIGHTED = np.zeros(0)
Given = np.ndarray | None  # (n,) float64, the weights of samples, if they have any
Computed = tuple[float, np.ndarray]  # a loss and its gradient


def given(weights: Given) -> np.ndarray:
    """Samples' weights as kernels take them."""
    return UNWEIGHTED if weights is None else weights


class Loss(Guessed):
    """What is minimised: ``loss, gradient = loss_function(scores, target)``."""

    kind: ClassVar[LossKind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # on the command line and in models
    one_hot: ClassVar[bool] = True  # whether classes may stand for rows of values

    def __call__(
        self, x: npt.ArrayLike, target: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient.

        Parameters
        ----------
        x : (n, outputs) float32 or float64
            What the network's last layer put out, n >= 1.
        target : (n,) integers, or (n, outputs) numbers for a loss of values
            The right classes, from 0, or the wanted outputs. Of two classes also False and True.
        weights : (n,) numbers, optional
            >= 0, how much each sample counts in the mean, Σ w·l / Σ w; one of weight 0 does not.

        Returns
        -------
        loss : float
            The mean over the batch; 0 if all weights are 0, and so is the gradient.
        gradient : (n, outputs), dtype of x
            dl/dx.
        """
        x = as_matrix(x, f"{self!r} scores")
        if not x.size:
            raise ValueError(f"{self!r}: expected at least one sample, got shape {x.shape}")
        target = self.check_target(target, len(x), x.shape[1], x.dtype)
        if weights is None:
            return self.compute(x, target)
        return self.compute(x, target, as_weights(weights, f"{self!r} weights", len(x)))

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """The target as the kernel wants it, for `rows` samples and `outputs` columns."""
        if outputs == 1:
            raise ValueError(
                f"{self!r}: expected scores of at least two classes, one a column; got a single "
                "column. Give the network an output for each class, or take BCEWithLogitsLoss, "
                "which tells two classes apart by one output; for values take MSELoss or L1Loss"
            )
        return as_labels(target, f"{self!r} labels", rows=rows, classes=outputs)

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """Loss and gradient of arguments that are known to be right; weights are float64."""
        raise NotImplementedError

    def meaning(self, outputs: int) -> Meaning:
        """What it makes of the scores of a network with so many outputs: classes."""
        return Meaning.CLASSES

    def outputs_for(self, classes: int) -> int:
        """How many outputs tell so many classes apart: one each."""
        return classes

    def kind_for(self, target: np.ndarray) -> int | None:
        """What engines know it by for such targets, as ``check_target`` gives them."""
        return self.kind

    def numbers(self, outputs: int) -> Sequence[float] | np.ndarray:
        """The real numbers that an engine must know of it, for so many columns of scores."""
        return ()

    def example_target(self, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
        """Targets that it takes, for checks: random classes, unless it needs others."""
        return rng.integers(0, outputs, rows)

    def _refuse(self, target: np.ndarray, wrong: np.ndarray, expected: str) -> None:
        """Name the first target that is wrong."""
        for row, column in np.argwhere(wrong)[:1]:
            raise ValueError(
                f"{self!r} target: expected {expected}; got {target[row, column]:g} at row {row}, "
                f"column {column}"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ValuesLoss(Loss):
    """What losses of values share: the target is numbers of the output's shape.

    Of one output they may also come as (n,). Of several, (n,) integers are classes, which stand for
    one-hot rows, unless values are more than that to a loss.
    """

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """(rows, outputs) values; labels become one-hot rows."""
        name = f"{self!r} target"
        array = as_array(target, name)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: expected real numbers, got {described(array)}")
        if array.dtype.kind in "iub" and (outputs == 1 or not self.one_hot):
            array = array.astype(np.float64)  # no bytes of pixels or classes, but numbers
        if outputs == 1 and array.ndim == 1:
            array = array[:, None]
        if array.ndim == 1 and not self.one_hot:
            raise ValueError(
                f"{name}: expected a two-dimensional array, one row of {outputs} values a sample; "
                f"got shape {array.shape}. Of classes take another loss, such as CrossEntropyLoss"
            )
        if array.ndim == 1 and array.dtype.kind in "iub":
            labels = as_labels(array, f"{self!r} labels", rows=rows, classes=outputs)
            return np.eye(outputs, dtype=dtype)[labels]
        if array.ndim == 1 and array.dtype.kind == "f":
            raise ValueError(
                f"{name}: expected a two-dimensional array, one row of {outputs} values a sample; "
                f"got shape {array.shape}. If they are classes, pass integers; if there is one "
                "value a sample, give the network one output"
            )
        return as_matrix(array, name, dtype=dtype, rows=rows, columns=outputs)

    def outputs_for(self, classes: int) -> int:
        """One each, where a class may stand for a row: 1 for itself and 0 for the others."""
        if not self.one_hot:
            raise ValueError(
                f"{self!r}: expected a row of {classes} values a sample; got {classes} classes"
            )
        return classes

    def meaning(self, outputs: int) -> Meaning:
        """Values; but where classes stood for one-hot rows, ``fit`` writes classes."""
        return Meaning.VALUES

    def example_target(self, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
        """Random values."""
        return rng.normal(size=(rows, outputs))
