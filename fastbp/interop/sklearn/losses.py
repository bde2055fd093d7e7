"""scikit-learn's losses by fastbp's: the gradients are the same but for a factor, the values too.

scikit-learn sums the outputs' losses, and fastbp takes their mean. scikit-learn's squared error is
half of it, averaged over outputs as a loss, but summed in the gradient. Its logistic losses are of
probabilities, which it keeps away from 0 and 1, and its Poisson loss is a deviance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.special import expit, xlogy

from fastbp.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    L1Loss,
    Loss,
    MSELoss,
    PoissonNLLLoss,
)

# Shares of -log(eps) up to which a sample's loss is scikit-learn's, which keeps probabilities away
# from 0 and 1; and one less such a probability loses digits.
MOST_OF_SOFTMAX, MOST_OF_LOGISTIC = 0.95, 0.55

NEAR = 0.99  # of a limit: what is nearer is so whatever is rounded

FEW = 16  # columns of which NumPy is quicker at all rows of one than at all of a row

OfSamples = Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores, target -> (n,) losses


class Form(NamedTuple):
    """A loss, what scores go through to be predictions, and how it differs from scikit-learn's."""

    loss: Loss
    activate: Callable[[np.ndarray], np.ndarray]
    own: OfSamples | None = None  # fastbp's loss of each sample
    theirs: OfSamples | None = None  # scikit-learn's; None where it has no such loss
    share: float = 1.0  # of scikit-learn's gradient in fastbp's, times the outputs
    most: float | None = None  # share of -log(eps) from which a loss may be another

    def factor(self, outputs: int) -> float:
        """What scikit-learn's gradient is of fastbp's."""
        if self.theirs is None or isinstance(self.loss, CrossEntropyLoss):
            return self.share
        return self.share * outputs

    def difference(self, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How far scikit-learn's loss of each sample is above the factor times fastbp's."""
        assert self.own is not None
        assert self.theirs is not None
        with np.errstate(all="ignore"):
            own = self.factor(scores.shape[1]) * self.own(scores, target)
            return self.theirs(scores, target) - own

    def target(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """What the loss takes of (n, outputs) values, or of rows with a one for the class."""
        if isinstance(self.loss, CrossEntropyLoss | HingeLoss):
            return y.argmax(axis=1)
        return np.ascontiguousarray(y, dtype)

    def different(self, scores: np.ndarray, target: np.ndarray, means: np.ndarray) -> np.ndarray:
        """The samples whose losses may be others than the factor makes them, counted on.

        scores (epochs, n, outputs) are of epochs whose losses come to these means (epochs,).
        """
        epochs, n, outputs = scores.shape
        if self.theirs is None or (isinstance(self.loss, MSELoss) and outputs == 1):
            return np.arange(0)
        if self.most is None:
            return np.arange(epochs * n)
        eps = np.finfo(scores.dtype).eps
        found = self._behind(scores, target, -self.most * np.log(eps))
        small = ~(means > np.sqrt(eps))  # of which what it adds to each sample were seen
        if small.any():
            found = np.union1d(found, np.flatnonzero(small.repeat(n)))
        return found

    def _behind(self, scores: np.ndarray, target: np.ndarray, limit: float) -> np.ndarray:
        """The samples whose losses may be as high as the limit, counted on."""
        epochs, n, outputs = scores.shape
        rows, of_epochs = scores.reshape(-1, outputs), scores.reshape(epochs, -1)
        if not isinstance(self.loss, CrossEntropyLoss):
            if max(scores.max(), -scores.min()) + np.log(2) < limit:
                return np.arange(0)
            above = _highest_of_rows((scores * (1 - 2 * target)).reshape(rows.shape)) + np.log(2)
            return np.flatnonzero(~(above < limit))
        right = of_epochs.take(np.arange(0, n * outputs, outputs) + target, axis=1)
        # What is not so far behind an epoch's highest score is not behind the highest of its row.
        highest = of_epochs.max(axis=1, keepdims=True)
        far = np.flatnonzero(~(right > highest + scores.dtype.type(np.log(outputs) - NEAR * limit)))
        above = _highest_of_rows(rows.take(far, axis=0)) - right.take(far) + np.log(outputs)
        return far[~(above < limit)]


def _highest_of_rows(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] > FEW:
        return scores.max(axis=1)
    return reduce(np.maximum, scores.T)


def _clipped(p: np.ndarray) -> np.ndarray:
    eps = np.finfo(p.dtype).eps
    return np.clip(p, eps, 1 - eps)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """As SciPy's, which first asks whose array it is."""
    found = np.exp(scores - scores.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found


def _own_cross_entropy(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    behind = scores - scores.max(axis=1, keepdims=True)
    return np.log(np.exp(behind).sum(axis=1)) - behind[np.arange(len(labels)), labels]


def _cross_entropy(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -np.log(_clipped(_softmax(scores))[np.arange(len(labels)), labels])


def _own_binary(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.logaddexp(0, scores) - y * scores).mean(axis=1)


def _binary(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = _clipped(expit(scores))
    return -(xlogy(y, p) + xlogy(1 - y, 1 - p)).sum(axis=1)


def _own_squares(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((scores - y) ** 2).mean(axis=1)


def _squares(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((scores - y) ** 2).mean(axis=1) / 2


def _own_poisson(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.exp(scores) - y * scores).mean(axis=1)


def _poisson(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    rates = np.exp(scores)
    return (xlogy(y, y / rates) - y + rates).sum(axis=1)


def _same(scores: np.ndarray) -> np.ndarray:
    return scores


# By output activation, and losses that scikit-learn does not have by their names.
FORMS = {
    "softmax": Form(
        CrossEntropyLoss(),
        _softmax,
        *(_own_cross_entropy, _cross_entropy),
        most=MOST_OF_SOFTMAX,
    ),
    "logistic": Form(BCEWithLogitsLoss(), expit, _own_binary, _binary, most=MOST_OF_LOGISTIC),
    "identity": Form(MSELoss(), _same, _own_squares, _squares, share=0.5),
    "exp": Form(PoissonNLLLoss(), np.exp, _own_poisson, _poisson),
    "absolute_error": Form(L1Loss(), _same),
    "huber": Form(HuberLoss(), _same),
    "hinge": Form(HingeLoss(), _same),
}
