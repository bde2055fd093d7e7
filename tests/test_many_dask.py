"""Dask's workers, in processes of their own, train the same networks as threads."""

import logging
import socket
import threading
import time
import warnings

import pytest
from many_jobs import Killed, X, Y, assert_same, fail, jobs, trained

import fastbp as fb

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    """Two workers, a thread each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Dask's own
        options = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
            distributed.Client(cluster, set_as_default=False) as found,
        ):
            yield found


def test_workers_train_what_threads_train(client, tmp_path):
    """By a client, its executor or its address; one that is killed loses nothing."""
    undisturbed, disturbed = trained(), jobs()
    ended = []
    fb.fit_many(disturbed, (X, Y), executor=client.get_executor(), on_result=ended.append)
    assert_same(undisturbed, disturbed)
    assert {*map(id, ended)} == {*map(id, disturbed)}
    by_address = jobs()
    by_address[3].callbacks = fail
    fb.fit_many(by_address, (X, Y), executor=client.scheduler.address)
    assert str(by_address[3].error) == "[Errno 28] disk full"
    assert_same(undisturbed[:3], by_address[:3])
    disturbed = jobs(checkpoint=tmp_path / "last", count=1) + jobs()[1:]
    disturbed[0].callbacks = Killed(tmp_path)
    fb.fit_many(disturbed, (X, Y), executor=client)
    assert_same(undisturbed, disturbed)


def test_what_is_cancelled_leaves_what_is_finished(client):
    long, event = jobs(3, epochs=1_000_000), threading.Event()
    long[0].epochs = 1
    threading.Timer(1.0, event.set).start()
    fb.fit_many(long, (X, Y), executor=client, cancel=event)
    assert [job.done for job in long] == [True, False, False]
    assert_same(trained(count=1, epochs=1), long[:1])
    while any(client.processing().values()):  # until the workers have stopped
        time.sleep(0.05)


def test_an_address_that_does_not_answer(monkeypatch, tmp_path):
    """Be it that nobody listens, or that somebody does and says nothing; no folder is left."""
    monkeypatch.setattr("fastbp.many.cluster.CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'"):
            fb.fit_many(jobs(1), (X, Y), executor=address)
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'"):
        fb.fit_many(jobs(1), (X, Y), executor=address)
    with pytest.raises(ValueError, match="expected a scheduler's address, like 'tcp://"):
        fb.search({"lr": [0.1]}, X, Y, executor="somewhere", output=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_a_scheduler_that_is_gone_leaves_what_is_finished(client):
    """The last test that has these workers."""
    some = jobs(3, epochs=1_000_000)
    some[0].epochs = 1
    restart = threading.Timer(1.5, client.restart)
    restart.start()
    with pytest.raises(ConnectionError, match=r"was restarted; 1 of 3 jobs are done, and have"):
        fb.fit_many(some, (X, Y), executor=client)
    restart.join()
    assert_same(trained(count=1, epochs=1), some[:1])
