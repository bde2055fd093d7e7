"""Dask's workers, in processes of their own, train the same networks as threads."""

import logging
import socket
import threading
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
from many_jobs import Killed, X, Y, assert_same, fail, jobs, soon, trained

import fastbp as fb
from fastbp.many.cluster import SPARE, Cluster, opened

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


def test_a_search_finds_what_threads_find(client, tmp_path):
    """Rung by rung, and from its folder without training anything again."""
    space = {"lr": fb.space.loguniform(1e-3, 1e-1), "hidden": [(4,), (8,)]}
    how = {"method": "halving", "n_trials": 4, "factor": 2, "epochs": 4, "optimizer": "adam"}
    here = fb.search(space, X, Y, **how)
    there = fb.search(space, X, Y, **how, output=tmp_path, executor=client)
    again = fb.search(space, X, Y, **how, output=tmp_path, executor=client)
    assert again.rows() == there.rows()
    for ours, theirs in zip(there, here, strict=True):
        assert ours.row() | {"seconds": 0} == theirs.row() | {"seconds": 0}
        assert np.array_equal(there.model(ours).params, here.model(theirs).params)
    assert sorted(trial.epochs for trial in there) == [1, 1, 2, 4]


def test_workers_stop_for_a_caller_that_is_gone(client):
    """Its client is closed, which is to the scheduler as if it had been killed."""
    with opened(client.scheduler.address) as other:
        threading.Timer(1.0, other.close).start()
        with pytest.raises(ConnectionError, match=r"the Dask client of .* was closed; 0 of 2 jobs"):
            fb.fit_many(jobs(2, epochs=10_000_000), (X, Y), executor=other)
        with pytest.raises(ConnectionError, match="was closed; 0 of 1 jobs are done"):
            fb.fit_many(jobs(1), (X, Y), executor=other)
    end = time.monotonic() + 20
    while any(client.run(tasks).values()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(client.run(tasks).values())


def test_a_scheduler_that_speaks_to_all_while_a_client_comes(client, monkeypatch):
    """Then the first words are more than Dask's client expects: the next attempt finds them."""
    refused = iter([True, True])

    class Startled(distributed.Client):
        def __init__(self, *args, **options):
            assert not next(refused, False)
            super().__init__(*args, **options)

    monkeypatch.setattr(distributed, "Client", Startled)
    with opened(client.scheduler.address) as other:
        assert other.submit(pow, 2, 5).result() == 32
    assert next(refused, None) is None


def tasks(dask_worker):
    """Those that a worker still trains."""
    return [*map(str, dask_worker.state.tasks)]


def test_what_is_cancelled_leaves_what_is_finished(client):
    long, event = jobs(3, epochs=1_000_000), threading.Event()
    long[0].epochs = 1
    fb.fit_many(long, (X, Y), executor=client, cancel=event, on_result=soon(event.set))
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
    monkeypatch.undo()  # who answers does so at once, but for a machine that is busy
    with socket.create_server(("127.0.0.1", 0)) as other:
        answering = threading.Thread(target=answer_as_a_dashboard, args=(other,))
        answering.start()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"who answers at '{address}' is no Dask sch"):
            fb.fit_many(jobs(1), (X, Y), executor=address)
        answering.join()
    with pytest.raises(ValueError, match="expected a scheduler's address, like 'tcp://"):
        fb.search({"lr": [0.1]}, X, Y, executor="somewhere", output=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def answer_as_a_dashboard(server):
    """Once, in words that are none of Dask's."""
    with server.accept()[0] as connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9)
        connection.recv(1)


def test_each_worker_computes_its_own_blocks(client):
    """Of data that have no room, which go to no worker; those that a cluster keeps are refused."""
    array = pytest.importorskip("dask.array")
    x, y = array.from_array(X, (50, 9)), array.from_array(Y, 50)
    right, found = jobs(2), jobs(2)
    small = fb.datasets.shards((x, y), memory="24kB")
    fb.fit_many(right, small)
    fb.fit_many(found, small, executor=client)
    assert_same(right, found)
    with client.as_current():
        kept = fb.datasets.shards((x.persist(), y), memory="24kB")
        with pytest.raises(TypeError, match=r"train cannot be sent .*: Dask's workers hold it"):
            fb.fit_many(jobs(2), kept, executor=client)


def test_what_a_cluster_keeps_comes_block_by_block(client, monkeypatch):
    """After persist(), where it is larger than the bound: never as a whole, and the same bits."""
    array = pytest.importorskip("dask.array")
    some = array.from_array(X, (50, 9)), array.from_array(Y, 50)
    with client.as_current():
        kept = tuple(part.persist() for part in some)
        found, gathered = [], []
        gather = client.gather
        monkeypatch.setattr(
            client, "gather", lambda *a, **k: gathered.append(gather(*a, **k)) or gathered[-1]
        )
        for data in (some, kept):
            (job,) = jobs(1)
            small = fb.datasets.shards(data, memory="24kB", copy=False, prefetch=False)
            fb.fit(job.net, small, **job.arguments())
            found.append(job)
    np.testing.assert_array_equal(found[0].net.params, found[1].net.params)
    sizes = {len(block) for blocks in gathered for block in blocks}
    assert sizes == {50}


def test_a_second_task_waits_at_each_worker_but_where_it_would_run(client):
    """So nobody waits for a next one, and no more networks train at a time than ``threads``."""
    expected = {None: (2, 4 + SPARE), 1: (1, 1), 2: (2, 4), 7: (2, 7)}
    for threads, (lanes, window) in expected.items():
        crew = Cluster(jobs(1), (X, Y), None, client, threads)
        crew.check()
        assert (crew.lanes, crew.window) == (lanes, window)


def test_a_slow_worker_holds_nobody_up(client, tmp_path):
    """The other one takes what is not begun; the results are the same."""
    undisturbed, found = trained(count=24), jobs(24)
    slow = min(client.scheduler_info(n_workers=-1)["workers"])
    for job in found:
        job.callbacks = Slow(slow, tmp_path / "where")
    fb.fit_many(found, (X, Y), executor=client)
    assert_same(undisturbed, found)
    where = (tmp_path / "where").read_text().split()
    assert len(where) == 24
    assert where.count(slow) < 12


class Slow(fb.Callback):
    """Waits, in one worker, after each epoch; says which worker it was that trained."""

    def __init__(self, worker, path):
        self.worker, self.path = worker, path

    def on_epoch_end(self, epoch, net):
        if distributed.get_worker().address == self.worker:
            time.sleep(0.1)

    def on_train_end(self, net):
        with self.path.open("a") as file:
            file.write(f"{distributed.get_worker().address}\n")


def test_a_scheduler_that_is_gone_leaves_what_is_finished(client):
    """The last test that has these workers."""
    some = jobs(3, epochs=1_000_000)
    some[0].epochs = 1
    restarted = threading.Event()

    def restart():
        with suppress(Exception):  # a worker that takes too long; its tasks are gone in any case
            client.restart(wait_for_workers=False)
        restarted.set()

    with pytest.raises(ConnectionError, match=r"was restarted; 1 of 3 jobs are done, and have"):
        fb.fit_many(some, (X, Y), executor=client, on_result=soon(restart))
    assert restarted.wait(60)
    assert_same(trained(count=1, epochs=1), some[:1])
