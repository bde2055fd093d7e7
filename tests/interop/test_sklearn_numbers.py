"""The same numbers as scikit-learn's, trained in the same process from the same random_state."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("sklearn", "1.9")

from scipy.sparse import csr_matrix
from sklearn import neural_network
from sklearn.datasets import load_digits, load_iris

import fastbp as fb
import fastbp.sklearn
from fastbp.interop.sklearn import steps

RNG = np.random.RandomState(0)
IRIS = load_iris(return_X_y=True)
X, DIGITS = (array[:300] for array in load_digits(return_X_y=True))
X = X / 16
SCORES = X @ RNG.normal(size=(64, 3))
TARGETS = {
    "iris": IRIS,
    "digits": (X, DIGITS),
    "names": (IRIS[0], np.array(["one", "two", "three"])[IRIS[1]]),
    "binary": (X, DIGITS > 4),
    "labels": (X, (SCORES > 0).astype(int)),
    "value": (X, SCORES[:, 0]),
    "values": (X, SCORES),
    "count": (X, RNG.poisson(np.exp(SCORES[:, 0] / 3))),
    "counts": (X, RNG.poisson(np.exp(SCORES / 3))),
    "sparse": (csr_matrix(X), DIGITS),
}
REGRESSION = ("value", "values", "count", "counts")
WEIGHTED = "weighted "
SGD: dict[str, Any] = {"solver": "sgd", "learning_rate_init": 0.05}
LBFGS: dict[str, Any] = {"solver": "lbfgs", "max_iter": 8}
STOPS: dict[str, Any] = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 25}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("iris", {}),
    ("digits", {"activation": "identity"}),
    ("digits", {"activation": "logistic", "hidden_layer_sizes": (20, 10)}),
    ("digits", {"activation": "tanh", "batch_size": 32}),
    ("digits", {"shuffle": False, "alpha": 0}),
    ("digits", {"alpha": 1.0, "batch_size": 7, "max_iter": 3}),
    ("digits", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    ("digits", {**SGD, "momentum": 0}),
    ("digits", {**SGD, "nesterovs_momentum": False}),
    ("digits", {**SGD, "momentum": 1}),
    ("iris", {**SGD, "learning_rate": "invscaling", "power_t": 0.3}),
    ("iris", {**SGD, "learning_rate": "adaptive", "tol": 0.05, "max_iter": 200}),
    ("digits", {**SGD, "learning_rate": "adaptive", **STOPS}),
    ("digits", STOPS),
    ("digits", LBFGS),
    ("names", {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 200}),
    ("names", STOPS),
    ("binary", {}),
    ("binary", {**SGD, "activation": "tanh", **STOPS}),
    ("binary", {**LBFGS, "activation": "logistic"}),
    ("labels", {}),
    ("labels", {**SGD, "activation": "logistic", "hidden_layer_sizes": 30}),
    ("labels", STOPS),
    ("labels", LBFGS),
    ("value", {"activation": "identity"}),
    ("value", {**SGD, "learning_rate": "invscaling"}),
    ("value", STOPS),
    ("values", {"alpha": 0.5, "batch_size": 70}),
    ("values", {**SGD, "activation": "tanh", **STOPS}),
    ("values", LBFGS),
    ("count", {"loss": "poisson"}),
    ("count", {"loss": "poisson", **LBFGS, "activation": "tanh"}),
    ("counts", {"loss": "poisson", **SGD, "learning_rate_init": 1e-3}),
    ("counts", {"loss": "poisson", **STOPS}),
    ("sparse", {}),
    ("sparse", LBFGS),
    (WEIGHTED + "iris", {}),
    (WEIGHTED + "digits", {**SGD, "batch_size": 64, "max_iter": 4}),
    (WEIGHTED + "digits", STOPS),
    (WEIGHTED + "digits", LBFGS),
    (WEIGHTED + "binary", {"batch_size": 50, "max_iter": 4}),
    (WEIGHTED + "labels", {"alpha": 0}),
    (WEIGHTED + "values", {**STOPS, "max_iter": 5}),
    (WEIGHTED + "counts", {"loss": "poisson", "max_iter": 4}),
]  # fmt: skip


def both(data: str, options: dict[str, Any]) -> list[Any]:
    """scikit-learn's estimator and ours, trained."""
    x, y = TARGETS[data.removeprefix(WEIGHTED)]
    kind = "MLPRegressor" if data.removeprefix(WEIGHTED) in REGRESSION else "MLPClassifier"
    weights = np.random.RandomState(1).rand(len(y)) if data.startswith(WEIGHTED) else None
    found = []
    for module in (neural_network, fastbp.sklearn):
        estimator = getattr(module, kind)(**{"max_iter": 12, "random_state": 5} | options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(estimator.fit(x, y, sample_weight=weights))
    return found


def assert_same(ours: Any, theirs: Any) -> None:
    """To 1e-7 of the largest number in each array."""
    for found, wanted in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert found.dtype == wanted.dtype
        assert_allclose(found, wanted, rtol=1e-7, atol=1e-7 * abs(wanted).max())
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert_allclose(ours.loss_, theirs.loss_, rtol=1e-7)


@pytest.mark.parametrize(("data", "options"), CASES)
def test_numbers_are_scikit_learns(data: str, options: dict[str, Any]) -> None:
    theirs, ours = both(data, options)
    assert_same(ours, theirs)
    x, _ = TARGETS[data.removeprefix(WEIGHTED)]
    if hasattr(theirs, "classes_"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-7, atol=1e-12)
    else:
        wanted = theirs.predict(x)
        assert_allclose(ours.predict(x), wanted, rtol=1e-7, atol=1e-7 * abs(wanted).max())
    if theirs.solver != "lbfgs":
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-7)
        for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
            assert_either_none_or_close(getattr(ours, name), getattr(theirs, name))


def assert_either_none_or_close(found: Any, wanted: Any) -> None:
    assert (found is None) == (wanted is None)
    if wanted is not None:
        assert_allclose(found, wanted, rtol=1e-7)


@pytest.mark.parametrize("options", [{}, SGD, {**SGD, "learning_rate": "invscaling"}])
@pytest.mark.parametrize("again", ["warm_start", "partial_fit"])
def test_going_on(options: dict[str, Any], again: str) -> None:
    pair = []
    for module in (neural_network, fastbp.sklearn):
        settings = {"max_iter": 5, "random_state": np.random.RandomState(2)} | options
        estimator = module.MLPClassifier(**settings, warm_start=again == "warm_start")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part in (slice(0, 150), slice(150, 300), slice(100, 200)):
                if again == "warm_start":
                    estimator.fit(X, DIGITS)
                else:
                    estimator.partial_fit(X[part], DIGITS[part], classes=np.arange(10))
        pair.append(estimator)
    assert_same(pair[1], pair[0])
    assert_allclose(pair[1].loss_curve_, pair[0].loss_curve_, rtol=1e-7)


@pytest.mark.parametrize("scale", [30.0, 1e4])
def test_saturated_probabilities_have_scikit_learns_loss(scale: float) -> None:
    for y in (DIGITS, DIGITS > 4, (SCORES > 0).astype(int)):
        curves = []
        for module in (neural_network, fastbp.sklearn):
            estimator = module.MLPClassifier(max_iter=3, random_state=1, alpha=0.1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                curves.append(estimator.fit(scale * X, y).loss_curve_)
        assert_allclose(curves[1], curves[0], rtol=1e-7)


@pytest.mark.parametrize("options", [{}, STOPS])
def test_sparse_samples_that_would_be_too_large(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "DENSE_SHARE", 0.0)
    assert_same(*reversed(both("sparse", options)))


def test_every_backend(backend: str) -> None:
    for case in (CASES[3], CASES[10], CASES[28]):
        theirs, ours = both(*case)
        assert_same(ours, theirs)


def test_every_number_of_threads_gives_the_same_bits() -> None:
    found = [
        fastbp.sklearn.MLPClassifier(max_iter=3, random_state=0, n_threads=threads)
        for threads in (1, 2)
    ]
    for estimator in found:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(X, DIGITS)
    for one, two in zip(found[0].coefs_, found[1].coefs_, strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_is_reached_from_fastbp() -> None:
    assert fb.sklearn is fastbp.sklearn
