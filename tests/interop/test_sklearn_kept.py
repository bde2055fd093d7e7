"""What fastbp.sklearn keeps from one fit to the next changes no bit of it, and holds no samples."""

import gc
import threading
import weakref

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn", "1.9")

from fastbp.interop.sklearn import base, kept  # noqa: E402
from fastbp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

rng = np.random.default_rng(4)
X = rng.standard_normal((90, 16))
FEW_USED = np.where(rng.random((90, 16)) < 0.9, 0.0, X)
CLASSES, VALUES = np.arange(90) % 3, X[:, :3] * 0.5

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {
    "plain": (MLPClassifier, {}, X, CLASSES),
    "other penalty": (MLPClassifier, {"alpha": 0.1}, X, CLASSES),
    "other rate": (MLPClassifier, {"learning_rate_init": 0.1}, X, CLASSES),
    "sgd": (MLPClassifier, {"solver": "sgd"}, X, CLASSES),
    "no momentum": (MLPClassifier, {"solver": "sgd", "momentum": 0}, X, CLASSES),
    "zeros": (MLPClassifier, {"solver": "sgd", "momentum": 0}, FEW_USED, CLASSES),
    "zeros, adam": (MLPClassifier, {}, FEW_USED, CLASSES),
    "batches": (MLPClassifier, {"batch_size": 32}, X, CLASSES),
    "fewer samples": (MLPClassifier, {}, X[:60], CLASSES[:60]),
    "hinge": (MLPClassifier, {"loss": "hinge"}, X, CLASSES),
    "held out": (MLPClassifier, {"early_stopping": True}, X, CLASSES),
    "dropout": (MLPClassifier, {"dropout": 0.5}, X, CLASSES),
    "batch norm": (MLPClassifier, {"batch_norm": True}, X, CLASSES),
    "values": (MLPRegressor, {}, X, VALUES),
    "it diverges": (MLPRegressor, {"solver": "sgd", "learning_rate_init": 1e30}, X, VALUES),
    "float32": (MLPClassifier, {"dtype": "float32"}, X, CLASSES),
}


def fitted(name):
    """What a fit comes to: an error, or its numbers and predictions."""
    kind, options, x, y = SETTINGS[name]
    estimator = kind(hidden_layer_sizes=(8,), max_iter=4, random_state=0, **options)
    try:
        estimator.fit(x, y)
    except ValueError as problem:
        return [str(problem)]
    found = [*estimator.coefs_, *estimator.intercepts_, estimator.predict(x)]
    return [array.tobytes() for array in found] + [estimator.loss_curve_]


def test_any_order_of_fits_comes_to_the_same_bits(monkeypatch):
    monkeypatch.setattr(kept, "LARGEST_KEPT", -1)
    alone = {name: fitted(name) for name in SETTINGS}
    monkeypatch.undo()
    kept._idle.clear()
    order = [str(name) for name in rng.permutation([*SETTINGS] * 3)]
    assert [name for name in order if fitted(name) != alone[name]] == []
    assert kept._idle


def test_fits_in_threads_at_once_come_to_the_same_bits():
    alone, wrong = {name: fitted(name) for name in SETTINGS}, []

    def fit_all(first):
        for place in range(2 * len(SETTINGS)):
            name = [*SETTINGS][(first + 3 * place) % len(SETTINGS)]
            if fitted(name) != alone[name]:
                wrong.append(name)

    threads = [threading.Thread(target=fit_all, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(kept._idle) <= kept.MOST_KEPT


def test_an_engine_trains_again_and_holds_no_samples():
    kept._idle.clear()
    engines = []
    for _ in range(2):
        x, y = X.copy(), CLASSES.copy()
        MLPClassifier(max_iter=2, random_state=0).fit(x, y)
        engines.append(kept._idle[-1].engine)
        gone = weakref.ref(x), weakref.ref(y)
        del x, y
        gc.collect()
        assert [array() for array in gone] == [None, None]
    assert engines[0] is engines[1]


def test_what_is_large_is_not_kept(monkeypatch):
    kept._idle.clear()
    monkeypatch.setattr(kept, "LARGEST_KEPT", 1000)
    MLPClassifier(max_iter=1).fit(X, CLASSES)
    assert not kept._idle


def test_a_prediction_in_the_middle_of_a_fit_has_a_network_of_its_own():
    kept._idle.clear()
    first = MLPClassifier(max_iter=3, random_state=0).fit(X, CLASSES)
    expected = first.predict_proba(X)
    with kept.lent(kept._idle[-1].shape, lambda: pytest.fail("one is kept")) as taken:
        taken.net.params[...] = np.nan
        np.testing.assert_array_equal(first.predict_proba(X), expected)
        assert np.isnan(taken.net.params).all()
    assert len(kept._idle) == 2


def test_what_an_error_leaves_behind_is_not_kept():
    kept._idle.clear()
    with pytest.raises(ZeroDivisionError), kept.lent(("shape",), lambda: None):
        raise ZeroDivisionError
    assert not kept._idle


def test_parameters_that_were_right_are_asked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(
        sklearn.base, "validate_parameter_constraints", lambda *_, **__: asked.append(0)
    )
    base._seen.clear()
    for sizes in ((8,), (8,), 8, [8], [8], (np.int64(8),), (np.int64(8),)):
        MLPClassifier(sizes)._validate_params()
    MLPClassifier((8,), random_state=True)._validate_params()
    MLPClassifier((8,), random_state=1)._validate_params()
    MLPRegressor("squared_error", (8,))._validate_params()
    assert len(asked) == 9


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_plain_arrays_are_checked_as_scikit_learn_does(kind):
    fitted = kind(max_iter=1).fit(X, CLASSES)
    assert fitted.n_features_in_ == 16
    wrong = X.copy()
    wrong[40, 3] = np.nan
    for x, words in ((wrong, "NaN"), (X[:, :5], "5 features"), (X[:0], "0 sample"), (X[0], "2D")):
        for call in (fitted.predict, lambda x: fitted.score(x, CLASSES[: len(x)])):
            with pytest.raises(ValueError, match=words):
                call(x)
    for x, y in ((wrong, CLASSES), (X, CLASSES[:7]), (X, np.where(CLASSES > 1, np.inf, 1.0))):
        with pytest.raises(ValueError, match=r"NaN|inconsistent|infinity"):
            kind().fit(x, y)
    with pytest.raises(ValueError, match="5 features"):
        fitted.partial_fit(X[:, :5], CLASSES)
