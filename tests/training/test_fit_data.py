"""What fit makes of data: shares that are kept back, weights, names, and what is left out."""

import math
import re
import warnings

import numpy as np
import pytest

import fastbp as fb
from fastbp.datasets import Dataset

X = np.random.default_rng(1).normal(size=(90, 4))
Y = np.arange(90) % 3
COLUMN = np.random.default_rng(2).normal(size=90)
YES = (np.random.default_rng(3).random((90, 2)) > 0.5).astype(int)


def net(outputs=3, dtype="float64", *more):
    return fb.Sequential(fb.Linear(4, 8), fb.Tanh(), *more, fb.Linear(8, outputs), dtype=dtype)


def fit(network, *data, **options):
    return fb.fit(network, *data, **({"epochs": 2, "batch_size": 16} | options))


# A share that is kept back


def test_a_share_is_kept_back_of_each_class_alike():
    labels = np.repeat([0, 1, 2], [60, 20, 10])
    history = fit(net(), X, labels, validation=0.2)
    rows = history.validation_rows
    assert np.bincount(labels[rows]).tolist() == [12, 4, 2]
    assert np.array_equal(rows, np.unique(rows))


def test_which_rows_are_kept_back_is_the_seed_s_alone(backend):
    first, again = (fit(net(), X, Y, validation=0.3).validation_rows for _ in range(2))
    assert np.array_equal(first, again)
    others = fit(net(), X, Y, validation=0.3, seed=1).validation_rows
    assert not np.array_equal(first, others)


@pytest.mark.parametrize("fused", [True, False])
def test_a_row_that_is_kept_back_trains_nothing(backend, fused):
    """Whatever stands in those rows: the parameters are those without them, bit for bit."""
    whole, poisoned, without = net(), net(), net()
    clean = fit(whole, X, Y, validation=0.2, fused=fused)
    rows = clean.validation_rows
    x, others = X.copy(), np.setdiff1d(np.arange(90), rows)
    x[rows] = 1e6
    history = fit(poisoned, x, Y, validation=0.2, fused=fused)
    assert np.array_equal(whole.params, poisoned.params)
    fit(without, X[others], Y[others], fused=fused)
    assert np.array_equal(whole.params, without.params)
    assert history["val_loss"] != clean["val_loss"]  # they do judge it


def test_what_judges_is_what_was_kept_back(backend):
    network = net()
    history = fit(network, X, Y, validation=0.2)
    rows = history.validation_rows
    found = fb.evaluate(network, (X[rows], Y[rows]), fb.CrossEntropyLoss())
    assert history["val_accuracy"][-1] == found.accuracy
    assert history["val_loss"][-1] == found.loss


def test_values_have_a_loss_r2_and_mae_of_validation(backend):
    network = net(1)
    history = fit(network, X, COLUMN, validation=0.25)
    rows = history.validation_rows
    found = fb.evaluate(network, (X[rows], COLUMN[rows]), fb.MSELoss())
    last = history.epochs[-1]
    assert (last.val_loss, last.val_r2, last.val_mae) == (found.loss, found.r2, found.mae)
    assert len(rows) == 22


@pytest.mark.parametrize(
    ("share", "labels", "text"),
    [
        (0.1, np.repeat([0, 1], [87, 3]), "leaves no sample of class 1 to validate with"),
        (0.9, np.repeat([0, 1], [86, 4]), "leaves no sample of class 1 to train on"),
        (1.0, Y, "expected a number below 1, got 1.0"),
        (0.0, Y, "expected a number above 0, got 0.0"),
        (-0.1, Y, "expected a number above 0, got -0.1"),
        (math.nan, Y, "expected a finite number, got nan"),
    ],
)
def test_a_share_that_cannot_be(share, labels, text):
    with pytest.raises(ValueError, match="^validation: " + ".*" + re.escape(text)):
        fit(net(), X, labels, validation=share)


def test_validation_every_so_many_epochs_and_at_the_end(backend):
    history = fit(net(), X, Y, validation=0.2, epochs=7, validate_every=3)
    judged = [not math.isnan(loss) for loss in history["val_loss"]]
    assert judged == [False, False, True, False, False, True, True]


# Weights


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("images", [False, True])
def test_whole_number_weights_are_repeated_samples(backend, fused, images):
    x, y = X[:12], Y[:12]
    weights = np.array([2, 1, 3, 0, 1, 1, 2, 1, 1, 0, 1, 1])
    rows = np.repeat(np.arange(12), weights)

    def network():
        if not images:
            return net()
        layers = fb.Conv2d(1, 3, 2), fb.ReLU(), fb.Flatten(), fb.Linear(3, 3)
        return fb.Sequential(*layers, input_shape=(1, 2, 2), dtype="float64")

    weighted, repeated = network(), network()
    options = {"optimizer": fb.SGD(0.1), "epochs": 3, "fused": fused, "shuffle": False}
    first = fit(weighted, x, y, batch_size=12, sample_weight=weights, **options)
    second = fit(repeated, x[rows], y[rows], batch_size=len(rows), **options)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(first["train_loss"], second["train_loss"], rtol=1e-12)


def test_a_class_weight_is_that_of_its_samples(backend):
    by_class, by_sample, balanced = net(), net(), net()
    labels = np.repeat([0, 1, 2], [60, 20, 10])
    weight = {0: 0.5, 2: 3.0}
    fit(by_class, X, labels, class_weight=weight)
    fit(by_sample, X, labels, sample_weight=np.array([0.5, 1.0, 3.0])[labels])
    assert np.array_equal(by_class.params, by_sample.params)
    fit(balanced, X, labels, class_weight="balanced")
    fit(by_class := net(), X, labels, class_weight=[90 / 180, 90 / 60, 90 / 30])
    assert np.array_equal(by_class.params, balanced.params)


def test_both_weights_multiply_and_a_dataset_has_its_own(backend):
    both, own = net(), net()
    weights = np.linspace(0, 2, 90)
    fit(both, X, Y, class_weight={1: 2.0}, sample_weight=weights)
    of_classes = np.array([1.0, 2.0, 1.0])[Y]
    fit(own, Dataset(X, Y, sample_weight=weights * of_classes))
    assert np.array_equal(both.params, own.params)


def test_the_loss_of_an_epoch_is_weighted_too():
    weights = np.linspace(0, 2, 90)
    network, loss = net(), fb.CrossEntropyLoss()
    history = fit(network, X, Y, epochs=1, batch_size=90, shuffle=False, sample_weight=weights)
    scores = net().forward(X)
    rows = [loss(scores[i : i + 1], Y[i : i + 1])[0] for i in range(90)]
    assert history["train_loss"][0] == pytest.approx(np.average(rows, weights=weights), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"sample_weight": np.ones(89)}, "sample_weight: expected one weight a sample"),
        ({"sample_weight": -np.ones(90)}, "sample_weight: expected numbers from 0"),
        ({"sample_weight": np.full(90, np.nan)}, "sample_weight: expected numbers from 0"),
        ({"sample_weight": np.zeros(90)}, "sample_weight: .* all are 0"),
        ({"sample_weight": (Y == 0) * 1.0, "class_weight": {0: 0}}, "all weights are 0"),
        ({"class_weight": {3: 1.0}}, "class 3 does not occur"),
        ({"class_weight": {0: -1.0}}, r"class_weight\[0\]: expected at least 0, got -1"),
        ({"class_weight": {0: math.nan}}, r"class_weight\[0\]: expected a finite number"),
        ({"class_weight": [1.0, 2.0]}, "one weight for each of 3 classes"),
        ({"class_weight": "even"}, "expected 'balanced', a dict or an array, got 'even'"),
        ({"class_weight": [0, 0, 0]}, "all have weight 0"),
    ],
)
def test_weights_that_cannot_be(given, text):
    network = net()
    before = network.params.copy()
    with pytest.raises(ValueError, match=text):
        fit(network, X, Y, **given)
    assert np.array_equal(network.params, before)


def test_values_have_no_class_weights():
    with pytest.raises(ValueError, match="class_weight: the targets are values"):
        fit(net(1), X, COLUMN, class_weight="balanced")


# Names, and what is left out


@pytest.mark.parametrize(
    ("outputs", "y", "loss"),
    [
        (3, Y, fb.CrossEntropyLoss()),
        (3, np.eye(3)[Y], fb.CrossEntropyLoss()),
        (1, Y % 2, fb.BCEWithLogitsLoss()),
        (1, Y % 2 == 0, fb.BCEWithLogitsLoss()),
        (2, YES, fb.BCEWithLogitsLoss()),
        (1, COLUMN, fb.MSELoss()),
        (1, Y, fb.MSELoss()),
        (2, np.column_stack([COLUMN, COLUMN]), fb.MSELoss()),
    ],
)
def test_a_loss_fits_the_targets_and_adam_steps(outputs, y, loss):
    left_out, named = net(outputs), net(outputs)
    fit(left_out, X, y)
    fit(named, (X, y), loss=loss, optimizer=fb.Adam())
    assert np.array_equal(left_out.params, named.params)
    assert left_out.meaning == named.meaning


@pytest.mark.parametrize("loss", ["cross-entropy", "cross_entropy", "CROSS_ENTROPY"])
def test_losses_and_optimisers_by_name(loss):
    by_name, by_object = net(), net()
    fit(by_name, [X, Y], loss=loss, optimizer="sgd")
    fit(by_object, X, Y, loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.01))
    assert np.array_equal(by_name.params, by_object.params)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"loss": "crossentropy"}, ValueError, "fit loss: expected one of .*cross-entropy.* got"),
        ({"optimizer": "adamax"}, ValueError, "fit optimizer: expected one of .*adam.* got"),
        ({"verbose": 1}, TypeError, "no argument 'verbose'; write progress=True"),
        ({"validation_split": 0.1}, TypeError, "write validation=0.1"),
        ({"lr": 0.1}, TypeError, r"write optimizer=fb.Adam\(lr=0.001\)"),
        ({"epoch": 3}, TypeError, "did you mean epochs="),
        ({"qqq": 3}, TypeError, "fit: it has no argument 'qqq'; it has train, y, loss"),
        ({"schedule": fb.schedules.Step}, TypeError, "expected an object such as"),
        ({"early_stopping": 3}, TypeError, r"write early_stopping=fb.EarlyStopping\(patience"),
        ({"early_stopping": True}, ValueError, "monitors 'val_loss', but there are no validation"),
        ({"metrics": "f1"}, TypeError, "fit metrics: expected 'epoch', 'running', None or a dict"),
        ({"metrics": {"f1": len}}, ValueError, "functions are for validation data"),
        ({"metrics": {"lr": len}, "validation": 0.1}, ValueError, "a name that the history has"),
        ({"max_seconds": 0}, ValueError, "max_seconds: expected a number above 0"),
        ({"validate_every": 0}, ValueError, "validate_every: expected at least 1"),
        ({"shuffle": 1}, TypeError, "shuffle: expected True or False"),
    ],
)
def test_what_fit_has_not(given, error, text):
    with pytest.raises(error, match=text):
        fit(net(), X, Y, **given)


def test_x_alone_is_no_data():
    with pytest.raises(TypeError, match=r"train: expected a Dataset or \(x, y\), got ndarray"):
        fit(net(), X)


def test_without_shuffling_the_order_is_the_data_s(backend):
    first, second = net(), net()
    fit(first, X, Y, shuffle=False, seed=1)
    fit(second, X, Y, shuffle=False, seed=2)
    assert np.array_equal(first.params, second.params)


def test_negative_log_likelihood_of_raw_scores_is_told():
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 4
    told = (
        r"NLLLoss\(\) takes log-probabilities, but exp of the scores has the sum [\d.]+, not 1; end"
    )
    for last in ((), (fb.Tanh(),), (fb.Residual(fb.Linear(4, 4)),)):
        net = fb.Sequential(fb.Linear(3, 4), *last)
        with pytest.warns(UserWarning, match=told) as warned:
            fb.fit(net, x, y, loss="nll", epochs=1)
        assert [warning.filename for warning in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fb.fit(fb.Sequential(fb.Linear(3, 4), fb.LogSoftmax()), x, y, loss="nll", epochs=1)
        fb.fit(fb.Sequential(fb.Linear(3, 4)), x, y, loss="cross-entropy", epochs=1)


def test_whole_labels_of_any_dtype_are_classes():
    """As a column of a table comes, or what NumPy's loadtxt reads."""
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 4
    nets = [fb.Sequential(fb.Linear(3, 4)) for _ in range(3)]
    for net, labels in zip(nets, (y, y.astype("f4"), y.astype("f8")), strict=True):
        fb.fit(net, x, labels, epochs=2, validation=(x, labels))
        assert net.meaning == "classes"
        assert np.array_equal(net.params, nets[0].params)
        assert fb.evaluate(net, (x, labels)).accuracy == fb.evaluate(nets[0], (x, y)).accuracy
    with pytest.raises(ValueError, match="If they are classes, pass integers"):
        fb.fit(nets[0], x, y + 0.5)
    one = fb.Sequential(fb.Linear(3, 1))
    fb.fit(one, x, y.astype("f8"), epochs=1)
    assert one.meaning == "values"
