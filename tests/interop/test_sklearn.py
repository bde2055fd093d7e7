"""What scikit-learn's tools expect of an estimator."""

import io
import pickle
import subprocess
import sys
import warnings
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("sklearn", "1.9")

import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from fastbp.sklearn import MLPClassifier, MLPRegressor

X, Y = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size`",
)


@pytest.mark.filterwarnings("ignore")  # of what the checks try, as scikit-learn's own tests
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_check_estimator_without_expected_failures(kind: Any) -> None:
    found = check_estimator(kind(max_iter=100), on_skip=None)
    assert {check["status"] for check in found} == {"passed", "skipped"}
    assert {check["check_name"] for check in found if check["status"] == "skipped"} <= {
        "check_array_api_input",  # of which scikit-learn's have nothing either
        "check_classifiers_multilabel_output_format_decision_function",
    }


def test_searches_in_two_processes_find_what_one_finds() -> None:
    found = []
    for jobs in (1, 2):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), MLPClassifier(max_iter=5, random_state=0)),
            {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__hidden_layer_sizes": [5, (8, 4)]},
            cv=3,
            n_jobs=jobs,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(search.fit(X, Y))
    scores = [search.cv_results_["mean_test_score"] for search in found]
    assert_array_equal(*scores)
    assert found[0].best_params_ == found[1].best_params_


def test_cross_val_score_of_regressors() -> None:
    regressor = MLPRegressor(solver="lbfgs", max_iter=50, random_state=0)
    scores = cross_val_score(
        regressor, X[:, :3], X[:, 3], cv=KFold(3, shuffle=True, random_state=0)
    )
    assert scores.min() > 0.8


def test_pipelines_of_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[*"abcd"])
    steps = make_pipeline(StandardScaler(), MLPClassifier(max_iter=5)).set_output(
        transform="pandas"
    )
    steps.fit(frame, pandas.Series(Y))
    assert [*steps[-1].feature_names_in_] == [*"abcd"]
    assert steps.predict(frame).shape == (150,)


@pytest.mark.parametrize("copied", ["pickle", "joblib"])
@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_a_pickled_estimator_goes_on_as_the_original(copied: str, options: dict[str, Any]) -> None:
    estimator = MLPClassifier(max_iter=4, random_state=np.random.RandomState(0), **options)
    estimator.partial_fit(X, Y, classes=[0, 1, 2])
    if copied == "pickle":
        other = pickle.loads(pickle.dumps(estimator))
    else:
        file = io.BytesIO()
        joblib.dump(estimator, file)
        other = joblib.load(file)
    for each in (estimator, other):
        each.partial_fit(X, Y)
    for one, two in zip(estimator.coefs_, other.coefs_, strict=True):
        assert_array_equal(one, two)


def test_a_clone_has_the_parameters_and_nothing_else() -> None:
    estimator = MLPRegressor("poisson", alpha=0.1, n_threads=2).fit(X, Y)
    other = clone(estimator)
    assert other.get_params() == estimator.get_params()
    assert not hasattr(other, "coefs_")


def test_weights_are_routed() -> None:
    weights = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = MLPClassifier(max_iter=40, random_state=0)
        estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(estimator, {"alpha": [1e-4]}, cv=3)
        search.fit(X, Y, sample_weight=weights)
    assert 2 not in search.predict(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1}, "'alpha' parameter of MLPClassifier must be a float in the range"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
        ({"activation": "sinus"}, "'activation' parameter of MLPClassifier"),
        ({"n_threads": 0}, "'n_threads' parameter of MLPClassifier"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**parameters).fit(X, Y)


def test_warnings_are_scikit_learns() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(max_iter=2, batch_size=1000).fit(X, Y)
    assert {warning.category for warning in caught} == {UserWarning, ConvergenceWarning}


def test_import_fastbp_imports_no_scikit_learn() -> None:
    code = "import sys, fastbp; sys.exit('sklearn' in sys.modules)"
    assert not subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.parametrize(
    ("version", "message"), [(None, "is not installed: pip install"), ("1.4.2", "found 1.4.2")]
)
def test_without_scikit_learn_or_an_old_one(
    monkeypatch: pytest.MonkeyPatch, version: str | None, message: str
) -> None:
    from importlib import metadata

    def found(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)
    monkeypatch.delitem(sys.modules, "fastbp.sklearn", raising=False)
    with pytest.raises(ImportError, match=message):
        import fastbp.sklearn  # noqa: F401
