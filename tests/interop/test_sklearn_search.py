"""Searches of fastbp.sklearn find what scikit-learn's find."""

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")

from scipy.stats import loguniform
from sklearn import model_selection
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import threads
from fastbp.interop.sklearn import folds, samples
from fastbp.sklearn import MLPClassifier, MLPRegressor, search

X, Y = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GRID = {"alpha": [1e-4, 1.0], "activation": ["relu", "tanh"]}


def short(kind: Any = MLPClassifier, **settings: Any) -> Any:
    """An estimator that a test has time for."""
    return kind(hidden_layer_sizes=(5,), max_iter=3, n_iter_no_change=3, random_state=0, **settings)


def assert_same(ours: Any, theirs: Any) -> None:
    """All that both found is the same, but how long it took."""
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name, found in theirs.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(ours.cv_results_[name], found, err_msg=name)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_score_ == theirs.best_score_
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_a_grid_has_scikit_learns_results() -> None:
    arguments = {"cv": 3, "scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}
    weights = np.linspace(0.5, 2, len(Y))
    ours = search.GridSearchCV(short(), GRID, return_train_score=True, **arguments)
    theirs = model_selection.GridSearchCV(short(), GRID, return_train_score=True, **arguments)
    assert_same(ours.fit(X, Y, sample_weight=weights), theirs.fit(X, Y, sample_weight=weights))
    assert ours.best_estimator_.n_threads is None
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).predict(X), ours.predict(X))


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
def test_a_random_search_of_a_pipeline_has_scikit_learns_results(n_jobs: int | None) -> None:
    pipeline = make_pipeline(StandardScaler(), short(MLPRegressor))
    settings = {"mlpregressor__alpha": loguniform(1e-5, 1)}
    arguments = {"n_iter": 3, "cv": 2, "random_state": 1, "n_jobs": n_jobs}
    ours = search.RandomizedSearchCV(pipeline, settings, **arguments)
    theirs = model_selection.RandomizedSearchCV(pipeline, settings, **arguments | {"n_jobs": None})
    assert_same(ours.fit(X, Y), theirs.fit(X, Y))


def test_each_network_is_trained_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    class Watched(MLPClassifier):
        def fit(self, X: Any, y: Any) -> Any:  # noqa: N803 - scikit-learn's name
            asked.append(threads.requested())
            return super().fit(X, y)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("FASTBP_NUM_THREADS", "2")
    search.GridSearchCV(short(Watched), {"alpha": [1, 2]}, cv=2).fit(X, Y)
    assert asked == [1, 1, 1, 1, 2]  # the last is the best again, alone


def test_a_setting_that_cannot_be_trained_scores_what_was_asked_for() -> None:
    settings = {"solver": ["sgd", "nonsense"]}
    with pytest.warns(FitFailedWarning, match="2 fits failed"):
        found = search.GridSearchCV(short(), settings, cv=2, error_score=-1, refit=False).fit(X, Y)
    assert found.cv_results_["mean_test_score"][1] == -1


@pytest.mark.parametrize("most", [1 << 27, 0])
def test_folds_are_taken_once_if_they_are_small(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    made: list[Any] = []

    def as_finite(x: Any, *arguments: Any) -> Any:
        made.append(x)
        return samples.as_finite(x, *arguments)

    monkeypatch.setattr(folds, "as_finite", as_finite)
    monkeypatch.setattr(folds, "MOST_KEPT", most)
    settings = {"alpha": [1e-4, 1.0], "dtype": ["float32", None]}
    arguments = {"cv": 3, "return_train_score": True}
    ours = search.GridSearchCV(short(), settings, n_jobs=2, **arguments).fit(X, Y)
    theirs = model_selection.GridSearchCV(short(), settings, **arguments).fit(X, Y)
    assert_same(ours, theirs)
    assert {len(x) for x in made} == {100}
    assert len(made) == 12 if not most else 6 <= len(made) <= 8  # two threads may make the same


@pytest.mark.parametrize("scoring", [None, lambda *_: 1 / 0])
def test_a_fit_and_a_score_that_fail_are_told_of_as_scikit_learn_does(scoring: Any) -> None:
    x = X.copy()
    x[140] = np.nan  # in one of the folds to train on, and in the other to be tested
    found = []
    for kind in (search.GridSearchCV, model_selection.GridSearchCV):
        made = kind(short(), {"alpha": [1.0]}, cv=2, scoring=scoring, refit=False, error_score=-1)
        with pytest.warns((UserWarning, FitFailedWarning)) as told:
            made.fit(x, Y)
        words = {str(warning.message).split("\n")[0] for warning in told}
        found.append((words, [made.cv_results_[f"split{i}_test_score"][0] for i in range(2)]))
    assert found[0] == found[1]
    assert found[0][1] == [-1, -1]


def test_other_estimators_are_refused() -> None:
    with pytest.raises(TypeError, match="expected an MLPClassifier or MLPRegressor of fastbp"):
        search.GridSearchCV(LogisticRegression(), {"C": [1, 2]}).fit(X, Y)
