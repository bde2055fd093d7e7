"""fit by L-BFGS: SciPy's, with the loss and the gradient of all samples by fastbp."""

from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.utils.fixes import _get_additional_lbfgs_options_dict
from sklearn.utils.optimize import _check_optimize_result

from fastbp.meaning import Meaning
from fastbp.network import Sequential
from fastbp.training.gradient import Objective
from fastbp.training.samples import Samples

from .losses import Form
from .network import dense_layers, read
from .stochastic import Part


def fit_lbfgs(estimator: Any, net: Sequential, data: Part) -> None:
    """Minimise an estimator's loss, and leave there what came of it."""
    target = _Target(net, estimator._form(), data, estimator)
    found = minimize(
        target,
        net.params[target.places].astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
            **_get_additional_lbfgs_options_dict("iprint", 1 if estimator.verbose else -1),
        },
    )
    estimator.n_iter_ = _check_optimize_result("lbfgs", found, estimator.max_iter)
    estimator.loss_ = found.fun
    target.put(found.x)
    estimator.coefs_, estimator.intercepts_ = read(target.net)


class _Target:
    """The loss and its gradient, by the parameters as scikit-learn orders them."""

    def __init__(self, net: Sequential, form: Form, data: Part, estimator: Any) -> None:
        x = data.x if isinstance(data.x, np.ndarray) else data.x.toarray()
        self.form, self.weights, self.outputs = form, data.weights, data.y.shape[1]
        self.samples = Samples(
            np.ascontiguousarray(x, net.dtype),
            form.target(data.y, net.dtype),
            *(None, Meaning.VALUES, 1.0, self.outputs, data.weights),
        )
        self.kept = np.empty((data.samples, self.outputs), net.dtype)
        self.objective = Objective(net, self.samples, form.loss, estimator.n_threads, self.kept)
        self.net = self.objective.net
        total = data.samples if data.weights is None else float(data.weights.sum())
        self.penalty = estimator.alpha / total
        self.places, self.coefs = _places(net)

    def put(self, x: np.ndarray) -> None:
        """Give the network these parameters."""
        self.net.params[self.places] = x

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.put(x)
        factor = self.form.factor(self.outputs)
        value, own = self.objective()
        value *= factor
        gradient = factor * own[self.places].astype(np.float64)
        means = np.array([value])
        rows = self.form.different(self.kept[np.newaxis], self.samples.target, means)
        if len(rows):
            more = self.form.difference(self.kept[rows], self.samples.target[rows])
            weights = np.ones(len(self.kept)) if self.weights is None else self.weights
            value += float((more * weights[rows]).sum() / weights.sum())
        coefs = x[: self.coefs]
        gradient[: self.coefs] += self.penalty * coefs
        return value + self.penalty / 2 * float(coefs @ coefs), gradient


def _places(net: Sequential) -> tuple[np.ndarray, int]:
    """Where in ``net.params`` the coefs are, then the intercepts; and how many are of coefs."""
    coefs, intercepts, start = [], [], 0
    for layer in dense_layers(net):
        end = start + layer.inputs * layer.outputs
        coefs.append(np.arange(start, end))
        start = end + layer.outputs
        intercepts.append(np.arange(end, start))
    return np.concatenate([*coefs, *intercepts]), sum(map(len, coefs))
