"""What columns are worth: by hand where one decides alone, and as scikit-learn has it."""

import numpy as np
import pandas as pd
import pytest
from sklearn import inspection, metrics

import fastbp as fb
from fastbp.tabular import importance

# a table whose columns say the label is what these tests are about
pytestmark = pytest.mark.filterwarnings("ignore:column .* says the label of each row")
ROWS = 120


@pytest.fixture(scope="module")
def frame():
    """Two kinds of animals, of which the word alone tells; a number with gaps; and a weight."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {"size": rng.normal(size=ROWS), "cry": rng.choice(["moo", "wuff", "miau"], ROWS)}
    )
    table["weight"] = 100 * table["size"] + np.where(table["cry"] == "moo", 500, 20)
    table["kind"] = np.where(table["cry"] == "moo", "cow", "pet")
    table.loc[::7, "size"] = np.nan
    return table


def model_of(frame, label, drop, epochs=40):
    data = fb.datasets.table(frame, label=label, drop=drop)
    net = fb.Sequential(fb.Linear(data.features, 16), fb.Tanh(), fb.Linear(16, data.targets))
    fb.fit(net, data, epochs=epochs, optimizer=fb.Adam(0.02), batch_size=20)
    return net


class Adapter:
    """A model as scikit-learn's inspection takes it: with columns in a DataFrame."""

    def __init__(self, net, score):
        self.net, self.score_of = net, score

    def fit(self, x, y):
        raise NotImplementedError

    def score(self, x, y):
        return self.score_of(y, self.net.predict(x))


@pytest.mark.parametrize(("label", "drop"), [("kind", "weight"), ("weight", "kind")])
def test_numbers_are_scikit_learns(frame, label, drop):
    net = model_of(frame, label, drop)
    found = fb.permutation_importance(net, frame, repeats=4, seed=5)
    score = metrics.accuracy_score if label == "kind" else metrics.r2_score
    x = frame[["size", "cry"]]
    theirs = inspection.permutation_importance(
        Adapter(net, score), x, frame[label], n_repeats=4, random_state=5
    )
    assert found.columns == ("size", "cry")
    for name in ("importances", "importances_mean", "importances_std"):
        np.testing.assert_allclose(getattr(found, name), theirs[name], atol=1e-6)
    assert found.score == pytest.approx(score(frame[label], net.predict(frame)))
    assert found.measure == {"kind": "accuracy", "weight": "R²"}[label]


def test_the_column_that_decides_alone_has_all(frame):
    net = model_of(frame, "kind", "weight")
    net.layers[0].w[:2] = 0  # size, and whether it is missing
    found = fb.permutation_importance(net, frame)
    assert found.score == 1
    assert found.importances[0].tolist() == [0] * 5
    cows = (frame["kind"] == "cow").mean()
    by_chance = 2 * cows * (1 - cows)  # how often two rows, taken by chance, differ
    assert found.importances_mean[1] == pytest.approx(by_chance, abs=0.06)
    table = found.to_dataframe()
    assert (list(table.index), list(table)) == (["cry", "size"], ["mean", "std"])


def test_a_frame_a_dataset_and_labels_apart_are_the_same(frame, monkeypatch):
    net = model_of(frame, "kind", "weight", epochs=1)
    want = fb.permutation_importance(net, frame).importances
    for given in (
        (net.table.dataset(frame),),
        (frame.drop(columns="kind"), frame["kind"]),
        (frame[["cry", "size"]], [*frame["kind"]]),
    ):
        assert (fb.permutation_importance(net, *given).importances == want).all()
    monkeypatch.setattr(importance, "AT_ONCE", 1)  # a repeat at a time
    assert (fb.permutation_importance(net, frame).importances == want).all()


def test_of_many_rows_some_are_taken(frame):
    net = model_of(frame, "kind", "weight", epochs=1)
    some = fb.permutation_importance(net, frame, most_rows=30, seed=1)
    assert (30 * some.score) == pytest.approx(round(30 * some.score))
    again = fb.permutation_importance(net, frame, most_rows=30, seed=1)
    assert (again.importances == some.importances).all()
    other = fb.permutation_importance(net, frame, most_rows=30, seed=2)
    assert (other.importances != some.importances).any()
    whole = fb.permutation_importance(net, frame, most_rows=None)
    assert (fb.permutation_importance(net, frame).importances == whole.importances).all()


def test_what_does_not_go_is_refused(frame):
    net = model_of(frame, "kind", "weight", epochs=1)
    with pytest.raises(TypeError, match="expected a model of a table"):
        fb.permutation_importance(fb.Sequential(fb.Linear(2, 2)), frame)
    for given, options, message in (
        ((frame.drop(columns="kind"),), {}, "lacks its label, 'kind'"),
        ((frame.drop(columns="cry"),), {}, "lacks 'cry'"),
        ((net.table.dataset(frame), [1]), {}, "a Dataset has its labels"),
        ((frame, ["cow"]), {}, "y: expected 120 labels, one a row, got 1"),
        ((frame,), {"repeats": 0}, "repeats: expected at least 1, got 0"),
        ((frame,), {"most_rows": 0}, "most_rows: expected at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            fb.permutation_importance(net, *given, **options)
