"""What scores mean: written by fit, kept by copies and files, followed by predictions."""

import copy
import math
import pickle

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.datasets import Dataset

RNG = np.random.default_rng(15)
X = RNG.normal(size=(90, 4))
LABELS = RNG.integers(0, 3, 90)
YES = X[:, 0] + X[:, 1] > 0
VALUES = X @ [1.0, -2.0, 0.5, 0.0] + 3
COUNTS = RNG.poisson(np.exp(X[:, 0]))
# What is trained with: the loss, its targets, the network's outputs, and the meaning.
CASES = {
    "classes": (fb.CrossEntropyLoss(), LABELS, 3, "classes"),
    "hinge": (fb.HingeLoss(), LABELS, 3, "classes"),
    "classes as values": (fb.MSELoss(), LABELS, 3, "classes"),
    "probabilities": (fb.CrossEntropyLoss(0.1), np.eye(3)[LABELS] * 0.7 + 0.1, 3, "classes"),
    "two classes": (fb.BCEWithLogitsLoss(), YES.astype(int), 1, "two classes"),
    "labels": (fb.BCEWithLogitsLoss(), np.stack([YES, X[:, 2] > 0], axis=1), 2, "labels"),
    "values": (fb.MSELoss(), VALUES, 1, "values"),
    "columns": (fb.L1Loss(), np.stack([VALUES, -VALUES], axis=1), 2, "values"),
    "whole numbers": (fb.HuberLoss(), VALUES.astype(int), 1, "values"),
    "counts": (fb.PoissonNLLLoss(), COUNTS, 1, "counts"),
}


def network(outputs, dtype="float64"):
    return fb.Sequential(fb.Linear(4, 6), fb.Tanh(), fb.Linear(6, outputs), dtype=dtype, seed=1)


def trained(case, fused=True, **options):
    """A network, its history, and the data that it was trained on."""
    loss, y, outputs, meaning = CASES[case]
    net = network(outputs)
    options = {"epochs": 3, "batch_size": 16, "optimizer": fb.Adam(0.02), "loss": loss} | options
    history = fb.fit(net, (X, y), validation=(X[:50], y[:50]), fused=fused, **options)
    assert net.meaning == meaning
    return net, history, y


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def r2(y, predicted):
    """Of each column, averaged, as scikit-learn's r2_score."""
    y, predicted = (a.reshape(len(y), -1) for a in (y, predicted))
    return np.mean(1 - ((y - predicted) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0))


@for_each("fused", [True, False])
@for_each("case", CASES)
def test_fit_writes_what_predict_and_evaluate_follow(backend, case, fused):
    net, history, y = trained(case, fused)
    scores, last = net.scores(X), history.epochs[-1]
    predicted, found = net.predict(X), fb.evaluate(net, (X, y), CASES[case][0])
    if net.meaning in ("values", "counts"):
        want = np.exp(scores) if net.meaning == "counts" else scores
        assert np.array_equal(predicted, want.reshape(y.shape))
        assert predicted.dtype == np.float64
        assert found.r2 == pytest.approx(r2(y, predicted), rel=1e-12)
        assert found.mae == pytest.approx(np.abs(predicted - y).mean(), rel=1e-12)
        assert math.isnan(found.accuracy)
        assert math.isnan(last.train_accuracy)
        assert (last.train_r2, last.train_mae) == (found.r2, found.mae)
        assert last.test_r2 == pytest.approx(r2(y[:50], predicted[:50]), rel=1e-12)
        return
    if net.meaning == "classes":
        assert np.array_equal(predicted, scores.argmax(axis=1))
    else:
        assert np.array_equal(predicted, (scores > 0).astype(int).reshape(y.shape))
    assert predicted.dtype == np.int64
    y = LABELS if case == "probabilities" else y
    assert found.accuracy == last.train_accuracy == pytest.approx((predicted == y).mean())
    assert last.test_accuracy == pytest.approx((predicted[:50] == y[:50]).mean())
    assert math.isnan(found.r2)
    assert math.isnan(last.train_mae)


@for_each("case", CASES)
def test_the_meaning_alone_says_what_targets_are(backend, case):
    net, _, y = trained(case)
    given = fb.evaluate(net, (X, y), CASES[case][0])
    without = fb.evaluate(net, (X, LABELS if case == "probabilities" else y))
    found = without.accuracy, without.r2, without.mae
    assert found == pytest.approx((given.accuracy, given.r2, given.mae), nan_ok=True)
    assert math.isnan(without.loss)


@for_each("case", CASES)
def test_probabilities(backend, dtype, case):
    net = trained(case)[0].astype(dtype)
    x, scores = X.astype(dtype), net.scores(X.astype(dtype))
    if net.meaning in ("values", "counts"):
        for some in (x, x[:1]):
            with pytest.raises(ValueError, match="have no probabilities; predict"):
                net.predict_proba(some)
        return
    p, rtol = net.predict_proba(x), 1e-5 if dtype == np.float32 else 1e-12
    if net.meaning == "classes":
        want = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    elif net.meaning == "two classes":
        want = np.hstack([sigmoid(-scores), sigmoid(scores)])
    else:
        want = sigmoid(scores)
    np.testing.assert_allclose(p, want, rtol=rtol)
    assert p.dtype == dtype
    for each in (net, net.frozen()):
        np.testing.assert_allclose(each.predict_proba(x[:1]), p[:1], rtol=rtol)
        assert np.array_equal(each.predict(x[:1]), net.predict(x)[:1])


@pytest.mark.parametrize("case", ["classes", "two classes", "labels", "values", "counts"])
def test_copies_and_files_keep_the_meaning(case, tmp_path):
    net, _, _ = trained(case)
    net.save(tmp_path / "net.safetensors")
    loaded = fb.load(tmp_path / "net.safetensors")
    copies = [net.copy(), net.astype("float32"), net.frozen(), copy.deepcopy(net), loaded]
    copies.append(pickle.loads(pickle.dumps(net)))
    for each in copies:
        assert each.meaning is net.meaning
    assert np.array_equal(loaded.predict(X), net.predict(X))


def test_a_network_that_was_never_fitted_predicts_classes(tmp_path):
    net = network(3)
    assert net.meaning is None
    assert np.array_equal(net.predict(X), net.scores(X).argmax(axis=1))
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1)
    net.save(tmp_path / "net.safetensors")
    assert fb.load(tmp_path / "net.safetensors").meaning is None


def test_what_a_meaning_can_be():
    net = network(2)
    net.meaning = "values"
    assert np.array_equal(net.predict(X), net.scores(X))
    with pytest.raises(ValueError, match="Sequential meaning: expected 'classes', 'two classes'"):
        net.meaning = "value"
    with pytest.raises(ValueError, match="expected one output for 'two classes'; the network has"):
        net.meaning = "two classes"
    assert net.meaning == "values"


def test_a_file_with_another_meaning_is_refused(tmp_path):
    trained("values")[0].save(tmp_path / "net.safetensors")
    data = (tmp_path / "net.safetensors").read_bytes()
    assert b'"meaning":"values"' in data
    (tmp_path / "net.safetensors").write_bytes(data.replace(b'"values"', b'"valuer"'))
    with pytest.raises(ValueError, match="cannot load a network: Sequential meaning: expected"):
        fb.load(tmp_path / "net.safetensors")


def test_many_networks_each_have_their_own():
    y = YES.astype(int)
    jobs = [
        fb.Job(network(1), loss, fb.SGD(0.1), epochs=1)
        for loss in (fb.BCEWithLogitsLoss(), fb.MSELoss(), fb.PoissonNLLLoss())
    ]
    fb.fit_many(jobs, (X, y), validation=(X, y))
    assert [job.net.meaning for job in jobs] == ["two classes", "values", "counts"]
    for job in jobs:
        assert math.isnan(job.history.epochs[0].test_accuracy) == (job is not jobs[0])


def test_a_dataset_s_labels_are_values_to_a_loss_of_values():
    data = Dataset(X, COUNTS)
    for loss in (fb.MSELoss(), fb.L1Loss(), fb.HuberLoss(), fb.PoissonNLLLoss()):
        net, other = network(1), network(1)
        for each, train in ((net, data), (other, (X.astype("f4"), COUNTS.astype(float)))):
            each.meaning = None
            fb.fit(each, train, loss=loss, optimizer=fb.SGD(0.01), epochs=2, validation=train)
        np.testing.assert_allclose(net.params, other.params, rtol=1e-5)
        assert fb.evaluate(net, data).mae == pytest.approx(
            np.abs(net.predict(X) - COUNTS).mean(), rel=1e-5
        )


@pytest.mark.parametrize(("meaning", "found"), [("classes", 0), ("labels", [0, 0])])
def test_what_is_predicted_where_an_input_is_nan(meaning, found):
    net = fb.Sequential(fb.Linear(3, 2))
    net.meaning = meaning
    x = np.array([1, np.nan, 2], "float32")
    for each in (net, net.frozen()):
        assert np.isnan(each.scores(x)).all()
        assert np.isnan(each.predict_proba(x)).all()
        assert each.predict(x).tolist() == found


def test_nan_scores_are_wrong_answers_and_no_values():
    net, zeros = network(2), np.zeros((90, 2))
    net.layers[-1].b[0] = np.nan
    found = {}
    for meaning, y in (("labels", zeros), ("classes", np.zeros(90, int)), ("values", zeros)):
        net.meaning = meaning
        found[meaning] = fb.evaluate(net, (X, y))
    assert found["labels"].accuracy == np.count_nonzero(net.scores(X)[:, 1] <= 0) / 180
    assert found["classes"].accuracy == 0
    assert np.isnan([found["values"].r2, found["values"].mae]).all()


def test_r2_of_targets_that_are_all_the_same():
    net = fb.Sequential(fb.Linear(1, 1), dtype="float64")
    net.params[:] = [1, 0]
    net.meaning = "values"
    assert fb.evaluate(net, ([[2.0], [2.0]], [2.0, 2.0])).r2 == 1
    assert fb.evaluate(net, ([[2.0], [3.0]], [2.0, 2.0])).r2 == 0
    assert fb.evaluate(net, ([[2.0], [4.0]], [2.0, 2.0])).mae == 1


def test_history_of_values(tmp_path):
    _, history, _ = trained("values")
    history.to_csv(tmp_path / "history.csv")
    head, first, *_ = (tmp_path / "history.csv").read_text().splitlines()
    assert head == "epoch,train_loss,train_r2,train_mae,val_loss,val_r2,val_mae,lr,seconds"
    assert float(first.split(",")[2]) == history["train_r2"][0]
