"""Parameters that scikit-learn's perceptrons do not have; left out, they change nothing."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("sklearn", "1.9")

from sklearn.datasets import load_iris

import fastbp as fb
from fastbp.interop.sklearn import samples
from fastbp.layers import ACTIVATIONS
from fastbp.sklearn import MLPClassifier, MLPRegressor

X, Y = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def trained(kind: Any = MLPClassifier, y: Any = Y, weights: Any = None, **options: Any) -> Any:
    return kind(**{"max_iter": 5, "random_state": 0} | options).fit(X, y, sample_weight=weights)


def assert_same(one: Any, other: Any) -> None:
    for found, wanted in zip(one.coefs_, other.coefs_, strict=True):
        assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("class_weight", "of_classes"),
    [({0: 1, 1: 3, 2: 0.5}, [1, 3, 0.5]), ("balanced", [50 / 80, 50 / 30, 50 / 40])],
)
def test_class_weights_are_weights_of_their_samples(class_weight: Any, of_classes: Any) -> None:
    y = np.repeat([0, 1, 2], [80, 30, 40])
    weights = np.random.RandomState(1).rand(150)
    found = trained(y=y, weights=weights, class_weight=class_weight)
    assert_same(found, trained(y=y, weights=weights * np.array(of_classes)[y]))


def test_class_weights_of_names_and_of_labels() -> None:
    names, of_names = np.array(["no", "yes"])[(Y > 0).astype(int)], np.where(Y > 0, 2.0, 0.5)
    found = trained(y=names.tolist(), class_weight={"no": 0.5, "yes": 2})
    assert_same(found, trained(y=names, weights=of_names))
    labels = np.stack([Y > 0, Y > 1], axis=1).astype(int)
    found = trained(y=labels, class_weight=[{0: 1, 1: 2}, {0: 1, 1: 3}])
    assert_same(found, trained(y=labels, weights=np.array([1.0, 2, 6])[Y]))


def test_balanced_classes_need_all_samples() -> None:
    with pytest.raises(ValueError, match="partial_fit does not see"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("activation", [*ACTIVATIONS])
def test_every_activation(activation: str, solver: str) -> None:
    found = trained(activation=activation, solver=solver, alpha=0)
    net = fb.Sequential(
        fb.Linear(4, 100), ACTIVATIONS[activation](), fb.Linear(100, 3), dtype="float64"
    )
    net[0].w, net[0].b = found.coefs_[0], found.intercepts_[0]
    net[2].w, net[2].b = found.coefs_[1], found.intercepts_[1]
    assert_allclose(found.predict_proba(X), net.predict_proba(X), rtol=1e-12)
    loss = fb.evaluate(net, (X, Y), loss=fb.CrossEntropyLoss()).loss
    # Adam's is the mean over its last epoch, of one batch: before its last step.
    assert_allclose(loss, found.loss_, rtol=1e-9 if solver == "lbfgs" else 0.1)


def test_sigmoid_is_logistic() -> None:
    assert_same(trained(activation="sigmoid"), trained(activation="logistic"))


@pytest.mark.parametrize(
    ("name", "loss"), [("absolute_error", fb.L1Loss()), ("huber", fb.HuberLoss())]
)
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_losses_of_values(name: str, loss: fb.losses.Loss, solver: str) -> None:
    target = X[:, 2:] * 3
    found = trained(
        MLPRegressor, target, loss=name, solver=solver, alpha=0, activation="tanh", max_iter=40
    )
    value, _ = loss(found.predict(X), target)
    assert_allclose(found.loss_, value, rtol=1e-12 if solver == "lbfgs" else 0.1)
    assert value < loss(np.zeros_like(target) + target.mean(axis=0), target)[0]


def test_dropout_drops_in_training_alone() -> None:
    one, same, without = (trained(dropout=p, hidden_layer_sizes=(20, 20)) for p in (0.5, 0.5, 0))
    assert_same(one, same)
    assert not np.allclose(one.coefs_[0], without.coefs_[0])
    assert_array_equal(one.predict_proba(X), one.predict_proba(X))
    with pytest.raises(ValueError, match=r"dropout=0\.5: expected solver"):
        trained(dropout=0.5, solver="lbfgs")


def test_an_arithmetic_of_float32() -> None:
    found, wide = trained(dtype="float32"), trained()
    assert {coef.dtype for coef in found.coefs_} == {np.dtype("float32")}
    assert found.predict_proba(X).dtype == np.float32
    assert_allclose(found.predict_proba(X), wide.predict_proba(X), rtol=1e-4)
    same = MLPClassifier(max_iter=5, random_state=0).fit(X.astype(np.float32), Y)
    for one, other in zip(found.coefs_, same.coefs_, strict=True):
        assert_array_equal(one, other)
    assert trained(MLPRegressor, X[:, 0], dtype="float32").predict(X).dtype == np.float32


@pytest.mark.parametrize("threads", [1, 2])
def test_many_samples_are_checked_and_converted_in_one_pass(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "LARGE", 1)
    monkeypatch.setattr(samples, "AT_ONCE", 28)  # seven rows, so that the last are fewer
    found = samples.as_finite(X / 3, "float32", threads)
    assert found is not None
    assert_array_equal(found, (X / 3).astype(np.float32))
    assert samples.as_finite(X, None, threads) is X
    for turned in (X.T, X[:, 1:]):  # whose rows are not one after another
        found = samples.as_finite(turned, None, threads)
        assert found is not None
        assert found.flags.c_contiguous
        assert_array_equal(found, turned)
    assert samples.as_finite(np.full((9, 4), 1e308), None, threads) is not None  # whose sum is not
    for wrong in (np.nan, np.inf, 1e39):
        x = X.copy()
        x[149, 1] = wrong
        with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"NaN|infinity"):
            MLPClassifier(max_iter=1, dtype="float32", n_threads=threads).fit(x, Y)
    for other in (X.tolist(), X.astype(int), X[0]):  # are left to scikit-learn
        assert samples.as_finite(other, "float32", threads) is None


def test_one_warning_says_that_epochs_are_at_an_end() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(dropout=0.1)
    assert [str(warning.message)[:30] for warning in caught] == ["Stochastic Optimizer: Maximum "]


def test_validation_data_of_ones_own_judges_epochs_and_the_rest_trains() -> None:
    own = {"X_val": X[::3], "y_val": Y[::3]}
    found = MLPClassifier(max_iter=8, random_state=0, early_stopping=True).fit(X, Y, **own)
    assert_same(
        trained(max_iter=1),
        MLPClassifier(max_iter=1, random_state=0, early_stopping=True).fit(X, Y, **own),
    )
    assert found.best_validation_score_ == max(found.validation_scores_)
    assert found.best_validation_score_ == found.score(X[::3], Y[::3])
    weights = np.linspace(1, 3, 50)
    values = MLPRegressor(max_iter=3, random_state=0, early_stopping=True, dtype="float32")
    values.fit(X, X[:, :2], **own | {"y_val": X[::3, :2]}, sample_weight_val=weights)
    assert values.best_validation_score_ == pytest.approx(
        values.score(X[::3], X[::3, :2], sample_weight=weights), rel=1e-6
    )


@pytest.mark.parametrize(
    ("own", "settings", "message"),
    [
        ({"X_val": X}, {"early_stopping": True}, "X_val is provided, but y_val was not"),
        ({"X_val": X, "y_val": Y}, {}, "early_stopping=False"),
        ({"X_val": X, "y_val": Y}, {"early_stopping": True, "solver": "lbfgs"}, "'lbfgs'"),
        ({"X_val": X, "y_val": Y + 1}, {"early_stopping": True}, r"classes \[3\]"),
        ({"X_val": X[:, 1:], "y_val": Y}, {"early_stopping": True}, "3 features"),
    ],
)
def test_validation_data_that_cannot_be_used(own: Any, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**settings).fit(X, Y, **own)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("classes", [2, 3])
def test_hinge_is_fastbps(classes: int, solver: str) -> None:
    y = np.array(["a", "b", "c"])[np.minimum(Y, classes - 1)]
    found = trained(y=y, loss="hinge", solver=solver, max_iter=50, alpha=0)
    net = fb.Sequential(fb.Linear(4, 100), fb.ReLU(), fb.Linear(100, classes), dtype="float64")
    for layer, w, b in zip(net.layers[::2], found.coefs_, found.intercepts_, strict=True):
        layer.w, layer.b = w, b
    assert_array_equal(found.predict(X), y[[*map([*y].index, found.classes_)]][net.predict(X)])
    assert found.score(X, y) > 0.65
    if solver == "lbfgs":
        assert_allclose(found.loss_, fb.HingeLoss()(net.scores(X), np.minimum(Y, classes - 1))[0])
    assert not hasattr(found, "predict_proba")


def test_hinge_of_several_labels() -> None:
    with pytest.raises(ValueError, match="expected one class a sample"):
        trained(y=np.stack([Y > 0, Y > 1], axis=1).astype(int), loss="hinge")


class Recorded:
    """A callback that keeps what it is told, and stops after so many epochs."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.scores: list[float] = []
        self.heard: list[str] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.heard.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.heard.append(f"{context.task_name} begins")

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any,
        fitted_estimator: Any,
    ) -> bool:
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and len(self.scores) == self.most


def test_callbacks_are_told_of_epochs_and_may_stop() -> None:
    heard = Recorded(2)
    found = MLPClassifier(random_state=0).set_callbacks(heard).fit(X, Y)
    assert found.n_iter_ == 2
    assert_same(found, trained(max_iter=2))
    assert heard.heard == ["setup", "fit begins", *["epoch begins"] * 2, "teardown"]
    once = trained(max_iter=1)
    assert heard.scores == [once.score(X, Y), found.score(X, Y), found.score(X, Y)]


def test_lbfgs_tells_callbacks_when_it_is_done() -> None:
    heard = Recorded(9)
    found = MLPRegressor(solver="lbfgs", max_iter=5).set_callbacks(heard).fit(X, Y)
    assert heard.scores == [found.score(X, Y)]


@pytest.mark.parametrize("stops", [False, True])
def test_batch_norm_is_in_the_network(stops: bool) -> None:
    options = {"batch_norm": True, "learning_rate_init": 0.02, "early_stopping": stops}
    found = trained(hidden_layer_sizes=(8, 6), max_iter=30, batch_size=40, **options)
    net = fb.Sequential(
        *(fb.Linear(4, 8), fb.BatchNorm1d(8), fb.ReLU()),
        *(fb.Linear(8, 6), fb.BatchNorm1d(6), fb.ReLU(), fb.Linear(6, 3)),
        dtype="float64",
    )
    for layer, w, b in zip(net.layers[::3], found.coefs_, found.intercepts_, strict=True):
        layer.w, layer.b = w, b
    for norm, numbers in zip(net.layers[1::3], found.norms_, strict=True):
        norm.w, norm.b, norm.running_mean, norm.running_var = numbers
    assert_array_equal(found.predict(X), net.predict(X))
    assert found.score(X, Y) > 0.7
    if stops:
        assert found.best_validation_score_ == max(found.validation_scores_)


def test_batch_norm_goes_on_where_it_was() -> None:
    once = trained(batch_norm=True, warm_start=True, max_iter=1)
    assert_same(
        once, MLPClassifier(batch_norm=True, random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
    )
    before = [numbers.copy() for numbers in once.norms_]
    once.fit(X, Y)
    assert all((new != old).any() for new, old in zip(once.norms_, before, strict=True))


@pytest.mark.parametrize("options", [{"batch_size": 149}, {"batch_size": 1}, {"solver": "lbfgs"}])
def test_batch_norm_of_what_cannot_be_normalized(options: Any) -> None:
    with pytest.raises(ValueError, match="batch_norm=True: expected"):
        trained(batch_norm=True, **options)
