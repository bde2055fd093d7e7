"""Processes train the same networks as threads, whatever happens to them."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from many_jobs import Killed, X, Y, assert_same, fail, jobs, soon, trained

import fastbp as fb
from fastbp import backends
from fastbp.many import work
from fastbp.many.packing import Packer
from fastbp.many.sending import NoParcelError, open_parcel, remove_parcel, write_parcel
from fastbp.many.work import Terms, UnfitWorkerError, agree

OURS = Path("/dev/shm")


@pytest.fixture(scope="module")
def pool():
    """Two processes, made anew as on every system."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as found:
        yield found


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_train_what_threads_train(pool, method):
    """In whichever order, and a second time in the same pool; nothing is left behind."""
    before = {*OURS.glob("fastbp-*")}
    alone, together = jobs(validation=0.2), jobs(validation=0.2)
    fb.fit_many(alone, (X, Y))
    ended = []
    if method == "spawn":
        fb.fit_many(together[::-1], (X, Y), executor=pool, on_result=ended.append)
    else:
        with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as forked:
            fb.fit_many(together, (X, Y), executor=forked, on_result=ended.append)
    assert_same(alone, together)
    assert {*map(id, ended)} == {*map(id, together)}
    fb.fit_many(alone[:1], (X, Y))  # both go on, the one from where a process left it
    fb.fit_many(together[:1], (X, Y), executor=pool)
    assert_same(alone[:1], together[:1])
    assert len(together[0].history) == 6
    assert {*OURS.glob("fastbp-*")} == before


class Noted(fb.Callback):
    """Writes down which epochs are trained, and when each training begins and ends."""

    def __init__(self, folder, name):
        self.path = Path(folder, f"{name}.txt")

    def on_train_begin(self, net):
        self.began = time.monotonic()

    def on_epoch_end(self, epoch, net):
        with self.path.open("a") as file:
            file.write(f"{epoch.epoch}\n")

    def on_train_end(self, net):
        np.save(self.path.with_suffix(".npy"), [self.began, time.monotonic()])


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_killed_worker_loses_nothing(tmp_path, checkpoint):
    """Its jobs run again, from their checkpoint; others that were with it end as ever."""
    options = {"early_stopping": fb.EarlyStopping("train_loss", 5), "epochs": 4}
    undisturbed, disturbed = trained(count=5, **options), jobs(count=5, **options)
    disturbed[1].callbacks = (Noted(tmp_path, "epochs"), Killed(tmp_path))
    if checkpoint:
        disturbed[1].checkpoint = fb.Checkpoint(tmp_path / "last", keep_best=False)
        fb.fit(undisturbed[0].net.copy(), X, Y, checkpoint=tmp_path / "last")  # of another call
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        fb.fit_many(disturbed, (X, Y), executor=pool)
    assert_same(undisturbed, disturbed)
    epochs = Path(tmp_path, "epochs.txt").read_text().split()
    assert epochs == [*"12", *("234" if checkpoint else "1234")]


class Slow(fb.Callback):
    """Lets whichever process trains first take long, and writes down who trained what."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def on_train_begin(self, net):
        mine = str(os.getpid())
        with suppress(FileExistsError), (self.folder / "slow").open("x") as file:
            file.write(mine)
        with (self.folder / "trained").open("a") as file:
            file.write(f"{mine}\n")
        if (self.folder / "slow").read_text() == mine:
            time.sleep(0.5)


@pytest.mark.parametrize("number", [None, "1"])
def test_a_slow_worker_keeps_nobody_waiting_but_for_its_own_jobs(
    pool, tmp_path, monkeypatch, number
):
    """Nor is a second process idle for one thread in each, which is what others' pools ask for."""
    for name in ("FASTBP_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if number:
        monkeypatch.setenv("OMP_NUM_THREADS", number)
    undisturbed, disturbed = trained(count=12), jobs(count=12)
    for job in disturbed:
        job.callbacks = Slow(tmp_path)
    fb.fit_many(disturbed, (X, Y), executor=pool)
    assert_same(undisturbed, disturbed)
    slow, by = (tmp_path / "slow").read_text(), (tmp_path / "trained").read_text().split()
    assert len(by) == 12
    assert by.count(slow) < 6


def kill(epoch):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_that_kills_each_worker_is_to_blame():
    undisturbed, disturbed = trained(), jobs()
    disturbed[2].callbacks = kill
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        fb.fit_many(disturbed, (X, Y), executor=pool)
    assert "3 workers died that trained it" in str(disturbed[2].error)
    del undisturbed[2], disturbed[2]
    assert_same(undisturbed, disturbed)


def test_a_job_that_fails_or_diverges_stops_no_other(pool):
    undisturbed, disturbed = trained(), jobs()
    disturbed[0].callbacks, disturbed[1].optimizer = fail, fb.SGD(1e30)
    disturbed[2].train, disturbed[3].callbacks = (X[:, :5], Y), threading.Lock().acquire
    seen = []
    fb.fit_many(disturbed, (X, Y), executor=pool, on_result=seen.append)
    assert len(seen) == 6
    errors = [job.error for job in disturbed]
    assert isinstance(errors[0], OSError)
    assert errors[0].errno == 28
    assert "in fail" in errors[0].__notes__[0]
    assert isinstance(errors[1], fb.DivergenceError)
    assert disturbed[1].divergence is errors[1]
    assert errors[1].losses.size
    assert "expected 9 columns" in str(errors[2])
    assert "job 3's callbacks cannot be sent to a worker: " in str(errors[3])
    assert_same(undisturbed[4:], disturbed[4:])
    with pytest.raises(OSError, match="disk full"):
        fb.fit_many(disturbed[:1], (X, Y), executor=pool, errors="raise")


def test_nobody_oversubscribes(pool, tmp_path):
    """Processes share the processors, and one that is alone trains as many as there are."""

    def most_at_once(executor, **options):
        some = jobs(8, epochs=30)
        for number, job in enumerate(some):
            job.callbacks = Noted(tmp_path, number)
        fb.fit_many(some, (X, Y), executor=executor, **options)
        spans = [np.load(tmp_path / f"{number}.npy") for number in range(8)]
        return max(sum(a <= start < b for a, b in spans) for start, _ in spans)

    assert most_at_once(pool, threads=1) == 1
    assert most_at_once(pool, threads=2) <= 2
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(4, fork) as large, ThreadPoolExecutor(4) as threads:
        assert most_at_once(large, threads=2) <= 2
        assert most_at_once(threads, threads=2) <= 2
    with ProcessPoolExecutor(1, fork) as single:
        assert most_at_once(single, threads=2) == 2


def test_what_is_cancelled_leaves_what_is_finished(pool):
    finished = jobs()
    fb.fit_many(finished, (X, Y), executor=pool, on_result=lambda job: job is finished[0])
    undisturbed = trained()
    assert finished[0].done
    ended = [number for number, job in enumerate(finished) if job.done]
    assert_same([undisturbed[number] for number in ended], [finished[number] for number in ended])
    long, event = jobs(3, epochs=1_000_000), threading.Event()
    long[0].epochs = 1
    fb.fit_many(long, (X, Y), executor=pool, cancel=event, on_result=soon(event.set))
    assert [job.done for job in long] == [True, False, False]
    assert 0 < len(long[1].history) < 1_000_000
    with pytest.raises(KeyboardInterrupt):
        fb.fit_many(long, (X, Y), executor=pool, on_result=soon(signal.raise_signal, signal.SIGINT))
    assert [job.done for job in long] == [True, False, False]
    fb.fit_many(short := jobs(), (X, Y), executor=pool)  # which is as it was
    assert_same(trained(), short)


def test_data_are_sent_once(pool):
    """Those of all, and those that several jobs have; a job of many is a few kilobytes."""
    some, large = jobs(4), (np.repeat(X, 50, axis=0), np.repeat(Y, 50))
    for job in some[:3]:
        job.train, job.sample_weight = (large[0], large[1]), np.ones(7500)
    some[0].sample_weight = some[1].sample_weight = np.ones(7500)
    packer = Packer(some, (X, Y), None)
    assert len(packer.things) == 4
    sizes = [len(packer.packed(number)) for number in range(4)]
    assert max(sizes[0], sizes[1], sizes[3]) < 8000 < 7500 * 8 < sizes[2] < 8000 + 7500 * 8
    some[3].callbacks = partial(print, np.ones(2_000_000))
    with pytest.warns(RuntimeWarning, match=r"job 3's callbacks are 16.0 MB, which go to a worker"):
        packer.packed(3)


def test_a_worker_that_does_not_see_the_file_gets_its_bytes():
    """As one on another machine; arrays are as they were."""
    parcel = write_parcel([(X, Y), None])
    content = Path(parcel.path).read_bytes()
    remove_parcel(parcel.path)
    with pytest.raises(NoParcelError):
        open_parcel(parcel)
    (x, y), nothing = open_parcel(parcel._replace(content=content))
    assert nothing is None
    assert np.array_equal(x, X)
    assert np.array_equal(y, Y)
    assert open_parcel(parcel)[0][0] is x  # kept, by its name


def test_data_of_who_lives_stay():
    """However old their file is; those of who was killed go (tests/tuning/test_search.py)."""
    parcel = write_parcel([(X, Y)])
    os.utime(parcel.path, (0, 0))
    remove_parcel(write_parcel([(X, Y)]).path)
    assert Path(parcel.path).exists()
    remove_parcel(parcel.path)
    assert not Path(parcel.path).exists()


def test_what_cannot_be_is_refused(pool):
    with pytest.raises(TypeError, match="train cannot be sent to a worker: "):
        fb.fit_many(jobs(1), (X, [threading.Lock()]), executor=pool)
    with pytest.raises(TypeError, match="executor: expected one of concurrent"):
        fb.fit_many(jobs(1), (X, Y), executor=2)
    with pytest.raises(ValueError, match="errors: expected raise or keep, got 'no'"):
        fb.fit_many(jobs(1), (X, Y), errors="no")
    dying = ProcessPoolExecutor(2, multiprocessing.get_context("fork"), os._exit, (3,))
    with dying, pytest.raises(RuntimeError, match=r'die before .* __name__ == "__main__"'):
        fb.fit_many(jobs(20), (X, Y), executor=dying)


def built_by_nobody():
    """Let this process be one in which no native code was built."""
    backends._loaded.clear()
    work._agreed = None  # which a fork takes over
    backends.processor_level = lambda: None


def test_a_worker_that_would_compute_something_else_is_named():
    terms = Terms.of_here(backends.active().name)
    text = rf"worker .*, process {os.getpid()} has fastbp .* and not 0\.0\.1, NumPy .* and not 1\.9"
    with pytest.raises(UnfitWorkerError, match=text):
        agree(terms._replace(fastbp="0.0.1", NumPy="1.9"))
    fork = multiprocessing.get_context("fork")
    with fb.use_backend("cython"), ProcessPoolExecutor(1, fork, built_by_nobody) as pool:
        text = "worker .*: backend 'cython' is not available: the native kernels were not built"
        with pytest.raises(RuntimeError, match=text):
            fb.fit_many(jobs(2), (X, Y), executor=pool)
