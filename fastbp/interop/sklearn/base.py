"""What both estimators share: checks, the start, both ways of training, and scores."""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastbp.layers import ACTIVATIONS, Dropout

from .callbacks import Told
from .drawn import Draws
from .kept import Kept
from .lbfgs import fit_lbfgs
from .losses import FORMS, Form
from .network import network, random_layers, scores_of
from .samples import are_plain, as_finite
from .stochastic import Part, fit_stochastic

STOCHASTIC = ("sgd", "adam")
# Parameters of these types cannot change: they are compared with those that were right before.
COMPARED = frozenset({bool, float, int, str, type(None)})
_seen: deque[Any] = deque(maxlen=8)
# What scikit-learn's perceptrons do not take.
BEYOND: dict[str, list[Any]] = {
    "activation": [StrOptions({"identity", "logistic", *ACTIVATIONS})],
    "batch_norm": ["boolean"],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
}


class Perceptron(CallbackSupportMixin, BaseEstimator):
    """A multi-layer perceptron in scikit-learn's ways, which fastbp trains."""

    loss: str
    _parameter_constraints: dict[str, list[Any]]

    def _keep(self, parameters: Mapping[str, Any]) -> None:
        """Set what the constructor was given, as it is: its local names are no others."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on samples X and their classes or values y.

        Parameters
        ----------
        X : (n, features) array or sparse matrix
        y : (n,) classes or numbers, or (n, labels) zeros and ones, or (n, outputs) numbers
        sample_weight : (n,) array, optional
            How much each sample counts.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, optional
            What early stopping judges epochs by, instead of a part of X.
        """
        own = X_val, y_val, sample_weight_val
        self._train(X, y, sample_weight, incremental=False, own=own)
        return self

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """What scikit-learn asks for several times a fit: the constructor's parameters."""
        names: list[str] = super()._get_param_names()
        return names

    def _checked(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """The samples, and the targets as values."""
        raise NotImplementedError

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Samples and targets, checked."""
        finite = as_finite(X, self.dtype, self.n_threads)
        if finite is not None and are_plain(y, len(finite)) and self._takes(finite, reset):
            return finite, y
        x, y = validate_data(
            *(self, X if finite is None else finite, y),
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not is_classifier(self),
            dtype=self._dtypes(),
            ensure_all_finite=finite is None,
            reset=reset,
        )
        return x, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _takes(self, x: np.ndarray, reset: bool) -> bool:
        """Whether there are as many features as before; scikit-learn says else, and of names."""
        if hasattr(self, "feature_names_in_"):
            return False
        if reset:
            self.n_features_in_ = x.shape[1]
        return bool(self.n_features_in_ == x.shape[1])

    def _validate_params(self) -> None:
        """See to it that all parameters are such; of what was seen before they are."""
        others = self.get_params(deep=False)
        sizes = others.pop("hidden_layer_sizes", ())
        values = (*others.values(), *(sizes if type(sizes) is tuple else (sizes,)))
        kinds = tuple(map(type, values))
        given = type(self), type(sizes), kinds, values
        if not COMPARED.issuperset(kinds):
            super()._validate_params()
        elif given not in _seen:
            super()._validate_params()
            _seen.append(given)

    def _out_activation(self) -> str:
        """What scores go through to be predictions."""
        raise NotImplementedError

    def _encoded(self, y: Any) -> np.ndarray:
        """Checked targets as values."""
        raise NotImplementedError

    def _train(
        self, X: Any, y: Any, sample_weight: Any, incremental: bool, own: Sequence[Any] = ()
    ) -> None:
        """What fit and partial_fit do; own are X_val, y_val and sample_weight_val."""
        hidden = list(np.atleast_1d(np.asarray(self.hidden_layer_sizes)))
        if any(size <= 0 for size in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        for name in ("batch_norm", "dropout"):
            if getattr(self, name) and self.solver not in STOCHASTIC:
                raise ValueError(
                    f"{name}={getattr(self, name)}: expected solver 'sgd' or 'adam', got 'lbfgs'"
                )
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        x, values = self._checked(X, y, incremental, first)
        weights = self._weights(sample_weight, x, values, incremental)
        values = self._columns(values)
        self.n_outputs_ = values.shape[1]
        held_out = self._held_out(*own) if own else None
        draws = Draws(self.random_state)
        if first:
            sizes = [x.shape[1], *map(int, hidden), self.n_outputs_]
            self._start(draws, sizes, np.dtype(self.dtype or x.dtype))
        data = Part(x, values, weights)
        dropout = self._dropout(draws)
        told = None if incremental else self._told(X, y, sample_weight)
        with self._network(self.coefs_[0].dtype, dropout) as kept:
            if self.solver in STOCHASTIC:
                fit_stochastic(self, kept, draws, data, incremental, held_out, told)
            else:
                fit_lbfgs(self, kept.net, data)
        if not all(np.isfinite(numbers).all() for numbers in [*self.coefs_, *self.intercepts_]):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        if told is not None:
            told.ends()

    def _told(self, X: Any, y: Any, sample_weight: Any) -> Told | None:
        """The callbacks that were set, if any."""
        if not getattr(self, "_skl_callbacks", []):
            return None
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        epochs = self.max_iter if self.solver in STOCHASTIC else 0
        return Told(self, {"X": X, "y": y, "metadata": metadata}, epochs)

    def _columns(self, values: np.ndarray) -> np.ndarray:
        """What outputs are compared with, (n, outputs)."""
        return values.reshape(len(values), -1)

    def _held_out(self, X: Any, y: Any, sample_weight: Any) -> Part | None:
        """The samples that a user wants epochs to be judged by."""
        if X is None and y is None:
            return None
        if X is None or y is None:
            there, missing = ("y_val", "X_val") if X is None else ("X_val", "y_val")
            raise ValueError(f"{there} is provided, but {missing} was not provided.")
        if not self.early_stopping or self.solver not in STOCHASTIC:
            raise ValueError(
                "X_val and y_val are used by early_stopping=True with solver 'sgd' or 'adam', got "
                f"early_stopping={self.early_stopping} and solver={self.solver!r}."
            )
        x, y = self._validated(X, y, reset=False)
        encoded = self._encoded(y)
        weights = self._weights(sample_weight, x, encoded, False)
        values = self._columns(encoded)
        if values.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y_val: expected {self.n_outputs_} outputs, as y has, got {values.shape[1]}."
            )
        return Part(x, values, weights)

    def _weights(
        self, sample_weight: Any, x: Any, values: np.ndarray, incremental: bool
    ) -> np.ndarray | None:
        """The weight of each sample, in float64; None where all are 1."""
        if sample_weight is None:
            return None
        found: np.ndarray = _check_sample_weight(sample_weight, x)
        return found.astype(np.float64)

    def _start(self, draws: Draws, sizes: list[int], dtype: np.dtype) -> None:
        """All attributes, as they are before the first epoch."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        self.coefs_, self.intercepts_ = random_layers(draws, sizes, self.activation, dtype)
        if self.batch_norm:
            start = np.array([[1], [0], [0], [1]], dtype)
            self.norms_ = self._best_norms = [start.repeat(size, 1) for size in sizes[1:-1]]
        self._best_coefs = [coef.copy() for coef in self.coefs_]
        self._best_intercepts = [intercept.copy() for intercept in self.intercepts_]
        if self.solver in STOCHASTIC:
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            stops = self.early_stopping
            self.validation_scores_: list[float] | None = [] if stops else None
            self.best_validation_score_ = -np.inf if stops else None
            self.best_loss_ = None if stops else np.inf

    def _outputs(self, X: Any) -> np.ndarray:
        """The activated scores of samples, (n, outputs)."""
        if not hasattr(self, "coefs_"):
            check_is_fitted(self)  # which says so
        x = as_finite(X, None, self.n_threads)
        if x is None or not self._takes(x, reset=False):
            x = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        own = self.coefs_[0].dtype
        dtype = own if self.dtype else np.result_type(x.dtype, own)
        with self._network(dtype) as kept:
            scores = scores_of(kept.net, x.astype(dtype, copy=False), self.n_threads)
        return self._form().activate(scores)

    def _network(self, dtype: Any, dropout: Sequence[Dropout] = ()) -> AbstractContextManager[Kept]:
        """A network with the numbers of coefs_ and intercepts_, for a while."""
        norms = self.norms_ if self.batch_norm else ()
        return network(self.coefs_, self.intercepts_, self.activation, dtype, dropout, norms)

    def _dropout(self, draws: Draws) -> list[Dropout]:
        """That of each hidden layer; no random numbers are drawn without."""
        if not self.dropout:
            return []
        most, hidden = np.iinfo(np.int32).max, self.n_layers_ - 2
        seeds = draws.generator().randint(most, size=hidden)
        return [Dropout(self.dropout, int(seed)) for seed in seeds]

    def _form(self) -> Form:
        """The loss, and what scores go through."""
        return FORMS[self.loss if self.loss in FORMS else self.out_activation_]

    def _dtypes(self) -> Any:
        """What samples may be: of the dtype asked for, or of either."""
        return self.dtype or (np.float64, np.float32)

    def _is_stochastic(self) -> bool:
        """Whether there is a partial_fit; if not, an AttributeError says why."""
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
