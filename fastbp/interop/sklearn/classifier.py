"""MLPClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from .base import BEYOND, Perceptron


class MLPClassifier(ClassifierMixin, Perceptron):
    """scikit-learn's MLPClassifier, trained by fastbp.

    It has scikit-learn's parameters, attributes and methods; the same ``random_state`` gives the
    same numbers but for rounding. Their documentation is that of
    ``sklearn.neural_network.MLPClassifier``; what follows is there besides.

    Parameters
    ----------
    activation : str
        Also fastbp's: "elu", "gelu", "leaky-relu", "mish", "selu", "silu", "softplus", "sigmoid".
    class_weight : dict or "balanced", optional
        What each class's samples count, times their own weights. "balanced" is by how many
        samples a class has, whatever their weights.
    loss : {"log_loss", "hinge"}
        "hinge" is that of several classes: 1 and how far each other class's score is ahead of the
        right one's, where that is positive. It knows no probabilities.
    batch_norm : bool
        Whether the sums of each hidden layer are normalized over the batch before the activation,
        and in use by running averages; of solvers sgd and adam. ``norms_`` has their numbers.
    dropout : float
        The share of each hidden layer's outputs that each step drops; of solvers sgd and adam.
    dtype : {"float32", "float64"}, optional
        Of the arithmetic; X's, if left out.
    n_threads : int, optional
        How many threads compute; the results are the same, bit for bit, for any number. Left out,
        it is FASTBP_NUM_THREADS or what is measured to be fastest.

    Examples
    --------
    >>> from fastbp.sklearn import MLPClassifier
    >>> classifier = MLPClassifier(hidden_layer_sizes=(50,), random_state=1).fit(x, y)
    >>> classifier.predict(x[:5])
    """

    _parameter_constraints: dict[str, list[Any]] = (
        neural_network.MLPClassifier._parameter_constraints
        | BEYOND
        | {"class_weight": [StrOptions({"balanced"}), dict, list, None]}
        | {"loss": [StrOptions({"log_loss", "hinge"})]}
    )

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        loss: str = "log_loss",
        batch_norm: bool = False,
        dropout: float = 0.0,
        dtype: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """Train for one epoch.

        Parameters
        ----------
        X, y, sample_weight
            As fit's.
        classes : (classes,) array
            All that there will be; needed by the first call.
        """
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
        self._train(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The class of each sample, (n,); of several labels yes and no, (n, labels)."""
        found = self._outputs(X)
        classes: np.ndarray
        if self.loss == "hinge" or self.out_activation_ == "softmax":
            classes = self.classes_[found.argmax(axis=1)]
        else:
            found = found.ravel() if self.n_outputs_ == 1 else found
            classes = self._label_binarizer.inverse_transform(found)
        return classes

    @available_if(lambda self: self._has_probabilities())
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (n, classes), in the order of ``classes_``."""
        found = self._outputs(X)
        return np.hstack([1 - found, found]) if self.n_outputs_ == 1 else found

    @available_if(lambda self: self._has_probabilities())
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of ``predict_proba``."""
        found = self.predict_proba(X)
        return np.log(found, out=found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of samples X whose class, or all whose labels, are predicted as y has them."""
        found = self.predict(X)
        plain = sample_weight is None and _are_numbers(y) and _are_numbers(found)
        if plain and len(y) == len(found):
            return float((found == y).mean())
        return float(accuracy_score(y, found, sample_weight=sample_weight))

    def _encoded(self, y: Any) -> np.ndarray:
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if len(unknown):
            raise ValueError(f"`y_val` has classes {unknown} that `y` has not: {self.classes_}")
        return self._binarized(y)

    def _binarized(self, y: Any) -> np.ndarray:
        if y.ndim == 2 or len(self.classes_) < 2:
            found: np.ndarray = self._label_binarizer.transform(y).astype(bool)
            return found
        found = y[:, np.newaxis] == self.classes_  # what it comes to, without its checks
        return found if len(self.classes_) > 2 else found[:, 1:]

    def _columns(self, values: np.ndarray) -> np.ndarray:
        values = super()._columns(values)
        if self.loss == "hinge" and values.shape[1] == 1:  # a score for each of two classes
            return np.hstack([~values, values])
        return values

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        x, y = self._validated(X, y, reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = _binarizer(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        return x, self._binarized(y)

    def _weights(
        self, sample_weight: Any, x: Any, values: np.ndarray, incremental: bool
    ) -> np.ndarray | None:
        weights = super()._weights(sample_weight, x, values, incremental)
        if self.class_weight is None:
            return weights
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit does not "
                "see: give a dict of weights"
            )
        y = self._label_binarizer.inverse_transform(values.astype(int))
        of_classes: np.ndarray = compute_sample_weight(self.class_weight, y)
        return of_classes if weights is None else weights * of_classes

    def _has_probabilities(self) -> bool:
        """Whether its scores are any; if not, an AttributeError says why."""
        if self.loss == "hinge":
            raise AttributeError("probability estimates are not available for loss='hinge'")
        return True

    def _check_classes(self, found: np.ndarray) -> None:
        """Refuse classes that training cannot go on with."""
        if self.warm_start and {*found} != {*self.classes_}:
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {found}"
            )
        if not self.warm_start and len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _out_activation(self) -> str:
        if self.loss == "hinge" and self._label_binarizer.y_type_.startswith("multilabel"):
            raise ValueError("loss='hinge': expected one class a sample in `y`, got several labels")
        if self.loss == "hinge":
            return "identity"
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _are_numbers(y: Any) -> bool:
    """Whether these are classes by whole numbers, which need none of scikit-learn's checks."""
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biu"


def _binarizer(y: Any) -> LabelBinarizer:
    """A LabelBinarizer as its fit leaves it, which looks at the kind of y again and again."""
    found = LabelBinarizer()
    if _are_numbers(y):
        classes = np.unique(y)
        if 2 <= len(classes) <= len(y) // 2:  # or it had a warning or an error
            found.classes_, found.sparse_input_ = classes, False
            found.y_type_ = "binary" if len(classes) == 2 else "multiclass"
            return found
    return found.fit(y)
