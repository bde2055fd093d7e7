"""scikit-learn's searches find the same where Dask's processes train fastbp's perceptrons."""

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")
pytest.importorskip("distributed")

import joblib
from dask.distributed import Client, LocalCluster
from scipy.stats import loguniform
from sklearn import model_selection
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp.sklearn import MLPClassifier

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def searches():
    """A grid of perceptrons, and a random search of a pipeline, none of them trained."""
    short = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}
    grid = {"alpha": [1e-4, 1.0], "activation": ["relu", "silu"]}
    yield model_selection.GridSearchCV(MLPClassifier(**short), grid, cv=2, n_jobs=2)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**short))
    settings = {"mlpclassifier__learning_rate_init": loguniform(1e-3, 1e-1)}
    yield model_selection.RandomizedSearchCV(
        pipeline, settings, n_iter=3, cv=2, random_state=1, n_jobs=2
    )


def test_searches_over_dask_have_the_same_results():
    x, y = load_iris(return_X_y=True)
    here = [each.set_params(n_jobs=None).fit(x, y) for each in searches()]
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        there = [each.fit(x, y) for each in searches()]
    for ours, theirs in zip(here, there, strict=True):
        for name, found in ours.cv_results_.items():
            if "time" not in name:
                np.testing.assert_array_equal(theirs.cv_results_[name], found, err_msg=name)
        assert theirs.best_params_ == ours.best_params_
        np.testing.assert_array_equal(theirs.predict_proba(x), ours.predict_proba(x))
