"""What models say of Dask's samples: the same as of those in memory, block by block."""

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp import threads

array = pytest.importorskip("dask.array")
frames = pytest.importorskip("dask.dataframe")
RNG = np.random.default_rng(31)
X = RNG.normal(size=(70, 6)).astype(np.float32)
CHUNKED = array.from_array(X, (30, 4))
WAYS = "scores", "predict", "predict_proba", "__call__"


@pytest.fixture(scope="module")
def net():
    found = fb.Sequential(fb.Linear(6, 8), fb.Tanh(), fb.Linear(8, 3))
    fb.fit(found, X, np.arange(70) % 3, epochs=1)
    return found


def same(lazy, right):
    assert lazy.ndim == np.ndim(right)
    assert lazy.dtype == right.dtype
    np.testing.assert_allclose(np.asarray(lazy), right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_arrays_give_lazy_arrays_of_the_same(net, way):
    for model in (net, fb.Ensemble([net, net.copy()])):
        right = getattr(model, way)(X)
        same(getattr(model, way)(CHUNKED), right)
        assert getattr(model, way)(CHUNKED).chunks[0] == (30, 30, 10)
        some = CHUNKED[CHUNKED[:, 0] > 1]  # of chunks whose rows nobody knows
        same(getattr(model, way)(some), right[X[:, 0] > 1])
        same(getattr(model, way)(frames.from_pandas(pd.DataFrame(X), npartitions=3)), right)


def test_the_network_is_that_of_the_call_and_computes_in_one_thread(net, monkeypatch):
    other, counts = net.copy(), []
    lazy = other.predict(CHUNKED)
    other.params[:] = 0
    same(lazy, net.predict(X))

    def counted(net, x):
        counts.append(threads.count())
        return x[:, :3].copy()

    monkeypatch.setattr(fb.prediction, "row_scores", counted)
    net.predict(CHUNKED).compute(scheduler="synchronous")
    assert counts == [1] * 3  # the blocks; the row that was tried took the shortest way


def test_images_come_by_whole_samples():
    net = fb.Sequential(fb.Conv2d(1, 2, 3), fb.Flatten(), fb.Linear(72, 2), input_shape=(1, 8, 8))
    images = RNG.normal(size=(10, 1, 8, 8)).astype(np.float32)
    for chunks in ((4, 1, 4, 8), (1, 1, 8, 8)):
        same(net.scores(array.from_array(images, chunks)), net.scores(images))
    same(net[:1].scores(array.from_array(images, 4)), net[:1].scores(images))


def test_a_tables_network_names_what_partitions_are():
    table = pd.DataFrame(X, columns=[*"abcdef"]).assign(word=np.where(X[:, 1] > 0, "u", "v"))
    data = fb.datasets.table(table.assign(label=np.where(X[:, 0] > 0, "yes", "no")), "label")
    net = fb.Sequential(fb.Linear(data.features, 2))
    fb.fit(net, data, epochs=1)
    held = frames.from_pandas(table, npartitions=3)
    assert net.predict(held).compute().tolist() == net.predict(table).tolist()
    assert not len(net.predict(held[held.a > 99]).compute())
    right = net.predict_proba(table)
    pd.testing.assert_frame_equal(net.predict_proba(held).compute(), right, rtol=1e-5)
    with pytest.raises(ValueError, match="the table lacks 'b', 'c'"):
        net.predict(held[["a"]])


def test_what_does_not_fit_is_said_at_once(net):
    assert net.predict(CHUNKED[0]) == net.predict(X[0])  # a single sample
    with pytest.raises(ValueError, match="expected 6 columns"):
        net.predict(CHUNKED[:, :3])
    with pytest.raises(TypeError, match="x: expected numbers, got dtype object"):
        net.predict(CHUNKED.astype(object))
