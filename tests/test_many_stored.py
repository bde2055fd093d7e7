"""Several networks on data that stay on disk or with Dask: each worker reads its own."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import fastbp as fb

RNG = np.random.default_rng(31)
X = RNG.normal(size=(700, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def jobs(features=6, **options):
    nets = [
        fb.Sequential(fb.Linear(features, 8), fb.Tanh(), fb.Linear(8, 2), seed=k) for k in (1, 2)
    ]
    return [
        fb.Job(net, optimizer=fb.Adam(), epochs=2, seed=k, **options) for k, net in enumerate(nets)
    ]


def trained(data, executor=None, **options):
    found = jobs(**options)
    fb.fit_many(found, data, executor=executor, errors="raise")
    return found


def same(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one.net.params, other.net.params)
        assert one.history["train_loss"] == other.history["train_loss"]
        assert one.net.table == other.net.table


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, get_context("spawn")) as found:
        yield found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # in which no worker is
    for name in ("npz", "npy", "parquet"):
        (tmp_path / name).mkdir()
    np.save("npy/x.npy", X)
    np.save("npy/y.npy", Y)
    table = pd.DataFrame(X, columns=[*"abcdef"]).assign(label=np.array(["no", "yes"])[Y])
    for part in range(3):
        rows = slice(part * 240, part * 240 + 240)
        np.savez(f"npz/{part}.npz", x=X[rows], y=Y[rows])
        table[rows].to_parquet(f"parquet/{part}.parquet")
    return tmp_path


def test_workers_read_what_is_on_disk_within_the_bound(pool, folder):
    for data, options in (
        (fb.datasets.shards("npy", memory="24kB"), {}),
        (fb.datasets.shards("npz", memory="80kB"), {"validation": 0.2}),
        (fb.datasets.shards("parquet", "label", memory="600kB"), {}),
    ):
        right = trained(data, **options)
        alone = jobs(**options)[0]
        fb.fit(alone.net, data, **alone.arguments())
        same(right[:1], [alone])
        same(trained(data, pool, **options), right)
        own = jobs(**options, train=data)  # as data of the jobs' own
        fb.fit_many(own, executor=pool, errors="raise")
        same(own, right)
        alone = [fb.Job(own[0].net.copy(), epochs=2, train=data)]
        fb.fit_many(alone, executor=pool, errors="raise")


def test_what_all_would_read_as_a_whole_is_read_once(pool, folder, monkeypatch):
    data, reads = fb.datasets.shards("npz"), []
    pieces = type(data.source).pieces
    monkeypatch.setattr(
        type(data.source), "pieces", lambda self, block: reads.append(block) or pieces(self, block)
    )
    right = trained(data)
    assert reads == [0, 1, 2]
    same(trained(data, pool), right)
    same(trained((X, Y)), right)


def test_files_that_are_gone_are_the_jobs_errors(pool, folder):
    data = fb.datasets.shards("npy", memory="24kB")
    (folder / "npy/y.npy").unlink()
    some = jobs()
    fb.fit_many(some, data, executor=pool)
    for job in some:
        assert isinstance(job.error, FileNotFoundError)
        assert str(job.error) == f"{folder / 'npy/y.npy'}: this part of the data is missing"


def test_dasks_partitions_are_computed_where_they_are_trained_on(pool, folder):
    array = pytest.importorskip("dask.array")
    frames = pytest.importorskip("dask.dataframe")
    held = array.from_array(X, (100, 4)), array.from_array(Y, 100)
    table = frames.read_parquet("parquet")
    for data in (
        fb.datasets.shards(held, memory="40kB"),
        held,
        fb.datasets.shards(table, "label", memory="700kB"),
        table,
    ):
        same(trained(data, pool), trained(data))


def test_a_search_takes_them_too(pool, folder):
    small, whole = fb.datasets.shards("npy", memory="24kB"), fb.datasets.shards("npy")
    how = {"method": "halving", "n_trials": 3, "epochs": 3, "factor": 2, "hidden": (4,)}
    space = {"lr": fb.space.loguniform(1e-3, 1e-1)}
    here = fb.search(space, small, **how, output="found")
    there = fb.search(space, small, **how, executor=pool)
    again = fb.search(space, small, **how, output="found")
    assert [trial.score for trial in here] == [trial.score for trial in there]
    np.testing.assert_array_equal(here.best_model.params, there.best_model.params)
    assert again.rows() == here.rows()
    in_memory = fb.search(space, (X, Y), **how)
    assert [t.score for t in fb.search(space, whole, **how)] == [t.score for t in in_memory]
    table = fb.datasets.shards("parquet", "label", memory="600kB")
    found = fb.search({"lr": [0.01]}, table, method="grid", epochs=1, executor=pool)
    assert found.best_model.predict(pd.DataFrame(X, columns=[*"abcdef"])).shape == (700,)
    other = fb.search(space, small, validation=small, **how)
    assert len(other.rows()) == 3
