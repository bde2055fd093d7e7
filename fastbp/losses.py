"""The losses. Each call returns the loss and its gradient by the network's output, in one pass.

A loss is averaged over the batch, so its gradient is too: a learning rate means the same for every
batch size. Where samples have weights w, the mean is Σ w·l / Σ w.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ._arrays import as_array
from ._checks import as_matrix
from ._hints import missing
from ._loss import Computed, Given, given
from ._loss import Loss as Loss
from ._loss import ValuesLoss as ValuesLoss
from ._settings import Number, Weights
from .backends import kernels
from .kernels.numbers import LossKind
from .meaning import Meaning

SUM_TOLERANCE = 1e-3  # of a row of probabilities: float16 and three printed digits keep to it


class HingeLoss(Loss):
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
    margin = Number(above=0)

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds_j = 1/n where the margin is violated; dl/ds_y = -(how many are) / n."""
        gradient = np.empty_like(x)
        return kernels().hinge_loss(x, target, given(weights), self.margin, gradient), gradient

    def numbers(self, outputs: int) -> tuple[float]:
        """The margin."""
        return (self.margin,)

    def __repr__(self) -> str:
        return f"HingeLoss({self.margin:g})"


class SquaredHingeLoss(Loss):
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
    margin = Number(above=0)

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin

    def compute(self, x: np.ndarray, target: np.ndarray, weights: Given = None) -> Computed:
        """dl/ds_j = 2/n of what violates the margin; dl/ds_y = -(the sum of those)."""
        gradient, numbers = np.empty_like(x), (given(weights), self.margin)
        return kernels().squared_hinge_loss(x, target, *numbers, gradient), gradient

    def numbers(self, outputs: int) -> tuple[float]:
        """The margin."""
        return (self.margin,)

    def __repr__(self) -> str:
        return f"SquaredHingeLoss({self.margin:g})"


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


# By the names that text has for them.
LOSSES: dict[str, type[Loss]] = {
    value.name: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Loss) and value.kind is not None
}

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.losses")
