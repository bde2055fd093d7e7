"""Losses of classes: the target of a sample is a label, or the probability of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array
from fastbp._checks import as_matrix
from fastbp._settings import Number
from fastbp.backends import kernels
from fastbp.kernels.numbers import LossKind

from .base import Computed, Given, Loss, given

__all__ = ["SUM_TOLERANCE", "CrossEntropyLoss", "HingeLoss", "NLLLoss", "SquaredHingeLoss"]

SUM_TOLERANCE = 1e-3  # of a row of probabilities: float16 and three printed digits keep to it


class _OfMargin(Loss):
    """What both hinge losses share: by how much the right class must win."""

    margin = Number(above=0)

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def numbers(self, outputs: int) -> tuple[float]:
        """The margin."""
        return (self.margin,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.margin:g})"


class HingeLoss(_OfMargin):
    """Multiclass hinge (Weston–Watkins): Σ over j ≠ y of max(0, s_j - s_y + margin).

    The sum over the wrong classes is not divided by their number; PyTorch's MultiMarginLoss
    divides it by the number of classes, which makes its gradient that much smaller. Exactly at
    the margin the derivative is 0.

    Parameters
    ----------
    margin : float
        By how much the right class must win, > 0.

    Examples
    --------
    >>> loss, gradient = fb.HingeLoss()([[2.0, 1.5, -1.0]], [0])
    >>> loss, gradient
    (0.5, array([[-1.,  1.,  0.]]))
    """

    kind, name = LossKind.HINGE, "hinge"

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds_j = 1/n where the margin is violated; dl/ds_y = -(how many are) / n."""
        gradient = np.empty_like(x)
        return kernels().hinge_loss(x, target, given(weights), self.margin, gradient), gradient


class SquaredHingeLoss(_OfMargin):
    """Multiclass hinge, squared: Σ over j ≠ y of max(0, s_j - s_y + margin)².

    Smooth, also at the margin. As in HingeLoss the sum is not divided by the number of classes;
    PyTorch's MultiMarginLoss(p=2) divides it.

    Parameters
    ----------
    margin : float
        By how much the right class must win, > 0.

    Examples
    --------
    >>> loss, gradient = fb.SquaredHingeLoss()([[2.0, 1.5, -1.0]], [0])
    >>> loss, gradient
    (0.25, array([[-1.,  1.,  0.]]))
    """

    kind, name = LossKind.SQUARED_HINGE, "squared-hinge"

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds_j = 2/n of what violates the margin; dl/ds_y = -(the sum of those)."""
        gradient, numbers = np.empty_like(x), (given(weights), self.margin)
        return kernels().squared_hinge_loss(x, target, *numbers, gradient), gradient


class CrossEntropyLoss(Loss):
    """-log softmax(s)_y: softmax and negative log-likelihood in one, on raw scores.

    The target is (n,) labels, or a row of (n, classes) probabilities q for each sample, of which
    it is -Σ q_j·log softmax(s)_j, as in PyTorch. They lie between 0 and 1, and a row's sum is 1 but
    for at most 0.001.

    Parameters
    ----------
    label_smoothing : float
        ε from 0 to 1: the share of the right class's 1 that all classes get in equal parts; of
        probabilities, q becomes (1 - ε)·q + ε/classes.

    Examples
    --------
    >>> scores = [[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]
    >>> loss, gradient = fb.CrossEntropyLoss()(scores, [2, 0])
    >>> loss, gradient = fb.CrossEntropyLoss()(scores, [[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    """

    kind, name = LossKind.CROSS_ENTROPY, "cross-entropy"
    label_smoothing = Number(least=0, most=1)

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """(rows,) labels, or (rows, outputs) probabilities."""
        array = as_array(target, f"{self!r} labels")
        if array.ndim != 2 or 1 in (outputs, array.shape[1]):  # a column of labels is none
            return super().check_target(array, rows, outputs, dtype)
        if array.shape != (rows, outputs):
            raise ValueError(
                f"{self!r} labels: expected one label a sample, shape ({rows},), or probabilities "
                f"of shape {(rows, outputs)}; got {array.shape}"
            )
        if array.dtype.kind in "iub":
            array = array.astype(dtype)  # rows of zeros and a one
        found = as_matrix(array, f"{self!r} target", dtype=dtype)
        self._refuse(found, ~((found >= 0) & (found <= 1)), "probabilities from 0 to 1")
        sums = found.sum(axis=1, dtype=np.float64)
        for row in np.flatnonzero(abs(sums - 1) > SUM_TOLERANCE)[:1]:
            raise ValueError(
                f"{self!r} target: expected rows of probabilities whose sum is 1 but for "
                f"{SUM_TOLERANCE:g}; got the sum {sums[row]:g} in row {row}"
            )
        return found

    def kind_for(self, target: np.ndarray) -> int:
        """Probabilities have a kind of their own."""
        return self.kind if target.ndim == 1 else LossKind.SOFT_CROSS_ENTROPY

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds = (softmax(s) - (1 - ε)·q - ε/outputs) / n; q is onehot(y) for a label y."""
        gradient, numbers = np.empty_like(x), (given(weights), self.label_smoothing)
        if target.ndim == 1:
            return kernels().cross_entropy_loss(x, target, *numbers, gradient), gradient
        return kernels().soft_cross_entropy_loss(x, target, *numbers, gradient), gradient

    def numbers(self, outputs: int) -> tuple[float]:
        """ε."""
        return (self.label_smoothing,)

    def __repr__(self) -> str:
        return (
            f"CrossEntropyLoss({self.label_smoothing:g})"
            if self.label_smoothing
            else super().__repr__()
        )


class NLLLoss(Loss):
    """-s_y: the negative log-likelihood, for scores that are log-probabilities (LogSoftmax).

    Examples
    --------
    >>> loss, gradient = fb.NLLLoss()(np.log([[0.5, 0.25, 0.25]]), [0])
    >>> round(loss, 4), gradient
    (0.6931, array([[-1.,  0.,  0.]]))
    """

    kind, name = LossKind.NLL, "nll"

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds = -onehot(y) / n."""
        gradient = np.empty_like(x)
        return kernels().nll_loss(x, target, given(weights), gradient), gradient
