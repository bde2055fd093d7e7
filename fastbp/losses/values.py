"""Losses of values: the target is numbers of the output's shape."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastbp._settings import Number, Weights
from fastbp.backends import kernels
from fastbp.kernels.numbers import LossKind
from fastbp.meaning import Meaning

from .base import Computed, Given, ValuesLoss, given

__all__ = ["BCEWithLogitsLoss", "HuberLoss", "L1Loss", "MSELoss", "PoissonNLLLoss"]


class MSELoss(ValuesLoss):
    """(o - y)², averaged over all n·outputs elements, as in PyTorch and Keras.

    The target is numbers of the output's shape; (n,) will do for one output. For several, (n,)
    integers are classes, which stand for one-hot rows.

    Examples
    --------
    >>> loss, gradient = fb.MSELoss()([[2.0], [4.0]], [[1.0], [4.5]])
    >>> loss, gradient
    (0.625, array([[ 1. ],
           [-0.5]]))
    """

    kind, name = LossKind.SQUARED_ERROR, "mse"

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/do = 2(o - y) / (n·outputs)."""
        gradient = np.empty_like(x)
        return kernels().squared_error_loss(x, target, given(weights), gradient), gradient


class L1Loss(ValuesLoss):
    """|o - y|, averaged over all n·outputs elements, as in PyTorch. The derivative at 0 is 0.

    The target is numbers of the output's shape; (n,) will do for one output. For several, (n,)
    integers are classes, which stand for one-hot rows.

    Examples
    --------
    >>> loss, gradient = fb.L1Loss()([[2.0], [4.0]], [[1.0], [4.5]])
    >>> loss, gradient
    (0.75, array([[ 0.5],
           [-0.5]]))
    """

    kind, name = LossKind.ABSOLUTE_ERROR, "l1"

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/do = sign(o - y) / (n·outputs)."""
        gradient = np.empty_like(x)
        return kernels().absolute_error_loss(x, target, given(weights), gradient), gradient


class HuberLoss(ValuesLoss):
    """(o - y)²/2 up to a distance δ, from there δ·(|o - y| - δ/2), averaged as in PyTorch.

    The target is as MSELoss takes it.

    Parameters
    ----------
    delta : float
        δ, > 0: from where on a distance counts no longer by its square.

    Examples
    --------
    >>> loss, gradient = fb.HuberLoss()([[2.0], [4.0]], [[1.0], [4.5]])
    >>> loss, gradient
    (0.3125, array([[ 0.5 ],
           [-0.25]]))
    """

    kind, name = LossKind.HUBER, "huber"
    delta = Number(above=0)

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/do = (o - y), but from -δ to δ, / (n·outputs)."""
        gradient = np.empty_like(x)
        return kernels().huber_loss(x, target, given(weights), self.delta, gradient), gradient

    def numbers(self, outputs: int) -> tuple[float]:
        """δ."""
        return (self.delta,)

    def __repr__(self) -> str:
        return f"HuberLoss({self.delta:g})"


class PoissonNLLLoss(ValuesLoss):
    """e^s - t·s, averaged over all n·outputs elements: counts t, whose rates have logarithms s.

    As PyTorch's, which adds no log(t!) either. The target is counts, >= 0, of the output's shape;
    (n,) will do for one output.

    Examples
    --------
    >>> loss, gradient = fb.PoissonNLLLoss()([[0.0], [1.0]], [[1], [3]])
    >>> round(loss, 4), gradient
    (0.3591, array([[ 0.        ],
           [-0.14085909]]))
    """

    kind, name, one_hot = LossKind.POISSON_NLL, "poisson", False

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """(rows, outputs) finite numbers from 0 on."""
        counts = super().check_target(target, rows, outputs, dtype)
        self._refuse(counts, ~((counts >= 0) & (counts < np.inf)), "counts from 0 on")
        return counts

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds = (e^s - t) / (n·outputs)."""
        gradient = np.empty_like(x)
        return kernels().poisson_nll_loss(x, target, given(weights), gradient), gradient

    def meaning(self, outputs: int) -> Meaning:
        """Counts, whose logarithms the scores are."""
        return Meaning.COUNTS

    def example_target(self, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
        """Random counts."""
        return rng.integers(0, 4, (rows, outputs))


class BCEWithLogitsLoss(ValuesLoss):
    """Binary cross-entropy of raw scores, averaged over all n·outputs elements, as in PyTorch.

    -w·t·log p - (1 - t)·log(1 - p) with p = sigmoid(s). Each output answers a question of its own
    with yes (1) or no (0): the target is numbers from 0 to 1 of the output's shape; of one output
    (n,) labels 0 and 1 will do.

    Parameters
    ----------
    pos_weight : float or (outputs,) array, optional
        w >= 0, how much a yes counts; an array has one for each output.

    Examples
    --------
    >>> loss, gradient = fb.BCEWithLogitsLoss()([[0.0], [2.0]], [1, 1])
    >>> round(loss, 4), gradient
    (0.41, array([[-0.25      ],
           [-0.05960146]]))
    """

    kind, name, one_hot = LossKind.BCE_WITH_LOGITS, "bce", False
    pos_weight = Weights()

    def __init__(self, pos_weight: npt.ArrayLike | None = None) -> None:
        self.pos_weight = pos_weight

    def check_target(
        self, target: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype
    ) -> np.ndarray:
        """(rows, outputs) numbers from 0 to 1."""
        self.numbers(outputs)  # as many as there are columns
        values = super().check_target(target, rows, outputs, dtype)
        self._refuse(values, ~((values >= 0) & (values <= 1)), "numbers from 0 to 1")
        return values

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds = ((1 - t)·p - w·t·(1 - p)) / (n·outputs)."""
        gradient = np.empty_like(x)
        of_yes = self.numbers(x.shape[1])
        loss = kernels().bce_with_logits_loss(x, target, given(weights), of_yes, gradient)
        return loss, gradient

    def numbers(self, outputs: int) -> np.ndarray:
        """w of each output."""
        weights = np.asarray(1.0 if self.pos_weight is None else self.pos_weight)
        if weights.ndim and len(weights) != outputs:
            raise ValueError(
                f"{self!r}: expected scores of {len(weights)} columns, as pos_weight has; "
                f"got {outputs}"
            )
        return np.full(outputs, weights)

    def outputs_for(self, classes: int) -> int:
        """One, which tells two classes apart."""
        if classes != 2:
            raise ValueError(
                f"{self!r}: expected two classes, which one output tells apart, or a row of "
                f"{classes} values a sample; got {classes} classes, for which CrossEntropyLoss is"
            )
        return 1

    def meaning(self, outputs: int) -> Meaning:
        """Two classes from one output; of several, each is a question of its own."""
        return Meaning.TWO_CLASSES if outputs == 1 else Meaning.LABELS

    def example_target(self, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
        """Random numbers from 0 to 1."""
        return rng.random((rows, outputs))

    def __repr__(self) -> str:
        if self.pos_weight is None:
            return "BCEWithLogitsLoss()"
        if isinstance(self.pos_weight, float):
            return f"BCEWithLogitsLoss({self.pos_weight:g})"
        weights = np.array2string(self.pos_weight, threshold=6, separator=", ")
        return f"BCEWithLogitsLoss({weights})"
