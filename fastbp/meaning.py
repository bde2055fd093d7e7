"""What scores mean, and what is predicted from them.

A loss says it for the networks that it trains (``Loss.meaning``), ``fit`` writes it on the network
(``Sequential.meaning``), and the network's file keeps it.
"""

from enum import StrEnum
from typing import Any

import numpy as np

from ._settings import Setting
from .backends import kernels


class Meaning(StrEnum):
    """What the columns of scores stand for."""

    CLASSES = "classes"  # a column a class: the largest score wins
    TWO_CLASSES = "two classes"  # one column: above 0 it is class 1, else class 0
    LABELS = "labels"  # a column a question: above 0 it is yes
    VALUES = "values"  # what is predicted itself
    COUNTS = "counts"  # logarithms of what is predicted

    @property
    def is_values(self) -> bool:
        """Whether what is predicted are numbers, which have no accuracy and no probabilities."""
        return self in (Meaning.VALUES, Meaning.COUNTS)

    @property
    def is_classes(self) -> bool:
        """Whether one class a sample is predicted."""
        return self in (Meaning.CLASSES, Meaning.TWO_CLASSES)


SOFTMAX = (None, Meaning.CLASSES)  # meanings of which probabilities are the scores' softmax


def meaning_of(net: Any) -> Meaning:
    """What a network's scores mean: classes, as long as nobody said."""
    return net.meaning or Meaning.CLASSES


class Meant(Setting):
    """A network's meaning by its word; None as long as nobody said, which stands for classes."""

    def check(self, value: Any, name: str, obj: Any) -> Meaning | None:
        """The Meaning, if the network has as many outputs as it takes."""
        if value is None:
            return None
        try:
            meaning = Meaning(value)
        except ValueError:
            known = ", ".join(map(repr, map(str, Meaning)))
            raise ValueError(f"{name}: expected {known}; got {value!r}") from None
        if meaning is Meaning.TWO_CLASSES and obj.outputs not in (None, 1):
            raise ValueError(
                f"{name}: expected one output for {str(meaning)!r}; the network has {obj.outputs}"
            )
        return meaning


def predictions(scores: np.ndarray, meaning: Meaning) -> np.ndarray:
    """What (n, outputs) scores predict; see ``Sequential.predict``."""
    if meaning is Meaning.TWO_CLASSES:
        return (_only_column(scores) > 0).astype(np.int64)
    if meaning is Meaning.LABELS:
        return (scores > 0).astype(np.int64)
    if meaning.is_values:
        values = expected(scores, meaning)
        return values.reshape(-1) if values.shape[1] == 1 else values
    labels = np.empty(len(scores), np.int64)
    kernels().argmax(scores, labels)
    return labels


def expected(scores: np.ndarray, meaning: Meaning) -> np.ndarray:
    """The values that (n, outputs) scores of values stand for, in the targets' unit."""
    if meaning is not Meaning.COUNTS:
        return scores
    with np.errstate(over="ignore"):
        return np.exp(scores)


def probabilities(scores: np.ndarray, meaning: Meaning, name: str) -> np.ndarray:
    """The probabilities of (n, outputs) scores; see ``Sequential.predict_proba``."""
    if meaning.is_values:
        raise ValueError(
            f"{name}: its scores mean {meaning}, which have no probabilities; predict(x) gives "
            "the values. Of classes set meaning = 'classes' first"
        )
    if meaning is Meaning.TWO_CLASSES:
        yes = _only_column(scores)[:, None]
        scores = np.hstack([-yes, yes])
    found = np.empty_like(scores)
    if meaning is Meaning.TWO_CLASSES or meaning is Meaning.LABELS:
        kernels().sigmoid_forward(scores, found)
    else:
        kernels().softmax_forward(scores, found)
    return found


def softmax(scores: np.ndarray) -> None:
    """Let rows of scores become the probabilities of classes."""
    kernels().softmax_forward(scores, scores)


def _only_column(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] != 1:
        raise ValueError(
            f"scores: expected one column, which tells two classes apart; got {scores.shape}"
        )
    return scores[:, 0]
