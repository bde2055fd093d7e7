"""The engine computes what the layered loop computes, for any number of threads bit for bit."""

import multiprocessing
import os
import subprocess
import sys
import threading
from itertools import chain, repeat

import numpy as np
import parts
import pytest
from for_each import for_each
from levels import assert_levels_agree

import fastbp as fb
from fastbp.backends import active, kernels
from fastbp.engine import pace, sharing
from fastbp.engine import settings as settings_module
from fastbp.engine.epochs import Engine
from fastbp.kernels.numbers import Choice

pytestmark = pytest.mark.usefixtures("backend")

SAMPLES, FEATURES, CLASSES = 101, 13, 5

NETWORKS = {
    "lone": lambda: (fb.Linear(13, 5),),
    "relu": lambda: (fb.Linear(13, 70), fb.ReLU(), fb.Linear(70, 5)),
    "tanh": lambda: (
        fb.Linear(13, 130),
        fb.Tanh(),
        fb.Linear(130, 64),
        fb.Tanh(),
        fb.Linear(64, 5),
    ),
    "sigmoid": lambda: (fb.Sigmoid(), fb.Linear(13, 40), fb.Sigmoid(), fb.Linear(40, 5)),
    "log-softmax": lambda: (fb.Linear(13, 7), fb.LogSoftmax(), fb.Linear(7, 5), fb.LogSoftmax()),
    "odd": lambda: (fb.Linear(13, 1), fb.Linear(1, 96), fb.ReLU(), fb.Tanh(), fb.Linear(96, 5)),
    **{
        name: lambda make=make: (fb.Linear(13, 33), make(), fb.Linear(33, 5))
        for name, make in parts.ACTIVATIONS.items()
    },
}
OPTIMIZERS = parts.OPTIMIZERS | {
    "sgd": lambda: fb.SGD(0.01),
    "momentum": lambda: fb.SGD(0.003, momentum=0.5),
    "nesterov": lambda: fb.SGD(0.003, momentum=0.5, nesterov=True, weight_decay=0.01),
    "decay": lambda: fb.SGD(0.01, weight_decay=0.1),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3, weight_decay=0.01),
}
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}  # of a training, fused against layered


def data(loss=None, dtype=np.float64, zeros=0.85):
    """Samples of which many features are 0, and labels, or values for a squared error."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(SAMPLES, FEATURES)) * (rng.random((SAMPLES, FEATURES)) > zeros)
    return x.astype(dtype), (loss or fb.CrossEntropyLoss()).example_target(rng, SAMPLES, CLASSES)


def train(name, loss, optimizer, dtype="float64", batch_size=8, samples=None, **options):
    net, step = fb.Sequential(*NETWORKS[name](), dtype=dtype), OPTIMIZERS[optimizer]()
    settings = {"epochs": 3, "batch_size": batch_size, "seed": 1} | options
    history = fb.fit(net, samples or data(loss), loss=loss, optimizer=step, **settings)
    return net, history, step


# The binding test: fused and layered, for every layer, loss and optimiser


@for_each(
    ("name", "loss", "optimizer", "dtype"),
    parts.pairs(NETWORKS, parts.LOSSES, parts.OPTIMIZERS, TOLERANCE),
    by=("name", "dtype"),
)
def test_fused_is_layered(name, loss, optimizer, dtype):
    loss, tolerance = parts.LOSSES[loss](), TOLERANCE[dtype]
    layered, slow, old = train(name, loss, optimizer, dtype, fused=False)
    fused, fast, new = train(name, loss, optimizer, dtype)
    assert fast.path.endswith("fused")
    assert slow.path.endswith("layered (asked for)")
    scale = np.abs(layered.params).max()
    assert np.abs(fused.params - layered.params).max() <= tolerance * scale
    assert np.allclose(
        fast.loss_by_iteration, slow.loss_by_iteration, rtol=tolerance, atol=tolerance
    )
    assert new.steps == old.steps == 3 * 13
    for a, b in zip(new.memory, old.memory, strict=True):
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-12)


class Changes(fb.Callback):
    """Calls a function after the first epoch."""

    def __init__(self, change):
        self.change = change

    def on_epoch_end(self, epoch, net):
        if epoch.epoch == 1:
            self.change(net)


CHANGES = {
    "rate": ("sgd", lambda net, loss, step: setattr(step, "lr", 0.005)),
    "momentum": ("momentum", lambda net, loss, step: setattr(step, "momentum", 0.9)),
    "decay": ("nesterov", lambda net, loss, step: setattr(step, "weight_decay", 0.2)),
    "betas": ("adam", lambda net, loss, step: vars(step).update(beta1=0.5, beta2=0.9)),
    "epsilon": ("adamw", lambda net, loss, step: setattr(step, "epsilon", 0.1)),
    "alpha": ("sgd", lambda net, loss, step: setattr(net.layers[1], "alpha", 0.9)),
    "p": ("sgd", lambda net, loss, step: vars(net.layers[2]).update(p=0.1, seed=3)),
    "margin": ("sgd", lambda net, loss, step: setattr(loss, "margin", 2.0)),
    "plain to momentum": ("sgd", lambda net, loss, step: setattr(step, "momentum", 0.5)),
    "momentum to plain": ("momentum", lambda net, loss, step: setattr(step, "momentum", 0.0)),
    "momentum to nesterov": ("momentum", lambda net, loss, step: setattr(step, "nesterov", True)),
    "decayed biases": ("decay", lambda net, loss, step: setattr(step, "decay_biases", False)),
    "where epsilon is": ("adam", lambda net, loss, step: setattr(step, "epsilon_outside", True)),
    "trainable": ("adam", lambda net, loss, step: setattr(net.layers[0], "trainable", False)),
    "factor": ("sgd", lambda net, loss, step: setattr(net.layers[0], "lr_factor", 0.1)),
    "factor of a bias": (
        "adam",
        lambda net, loss, step: setattr(net.layers[3], "bias_lr_factor", 4),
    ),
}


@for_each("threads", [1, 2])
@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_between_epochs_counts(name, threads):
    optimizer, change = CHANGES[name]
    found = []
    for fused, changes in ((True, True), (False, True), (True, False)):
        net = fb.Sequential(
            fb.Linear(13, 40), fb.ELU(0.5), fb.Dropout(0.3), fb.Linear(40, 5), dtype="float64"
        )
        loss, step = fb.HingeLoss(0.7), OPTIMIZERS[optimizer]()
        callback = Changes(lambda net, loss=loss, step=step: change(net, loss, step))
        fb.fit(
            net,
            data(),
            loss=loss,
            optimizer=step,
            epochs=3,
            batch_size=8,
            callbacks=[callback] if changes else [],
            fused=fused,
            threads=threads,
        )
        found.append((net.params, *step.memory))
    for fused, layered in zip(*found[:2], strict=True):
        assert np.allclose(fused, layered, rtol=1e-9, atol=1e-12)
    assert not np.allclose(found[0][0], found[2][0], rtol=1e-4)


@for_each("batch_size", [1, 2, 7, 19, 100, 101, 1000])
@for_each("optimizer", ["sgd", "adam"])
def test_any_batch_size(batch_size, optimizer):
    loss = fb.CrossEntropyLoss()
    layered, slow, _ = train("tanh", loss, optimizer, batch_size=batch_size, fused=False)
    fused, fast, _ = train("tanh", loss, optimizer, batch_size=batch_size)
    assert np.allclose(fused.params, layered.params, rtol=1e-9, atol=1e-12)
    assert np.allclose(fast.loss_by_iteration, slow.loss_by_iteration, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("source", ["uint8", "float32", "float64"])
@for_each("zeros", [0.0, 0.97])
def test_any_data_with_and_without_zeros(dtype, source, zeros):
    rng = np.random.default_rng(3)
    x = (rng.integers(1, 256, (97, 13)) * (rng.random((97, 13)) >= zeros)).astype(source)
    samples = fb.datasets.Dataset(x, rng.integers(0, 5, 97), 5, scale=1 / 255)
    runs = [
        train("relu", fb.HingeLoss(), "sgd", dtype, samples=samples, fused=fused)
        for fused in (True, False)
    ]
    assert np.allclose(
        runs[0][0].params, runs[1][0].params, atol=1e-5 if dtype == "float32" else 1e-12
    )


@pytest.mark.parametrize("batch_size", [1, 8, 64, 101])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["relu", "lone"])
def test_leaving_out_zeros_changes_no_bit(monkeypatch, name, dtype, batch_size):
    results = []
    for sparse in (False, True):
        monkeypatch.setattr(settings_module, "is_sparse", lambda *_, mode=sparse: mode)
        for threads in (1, 2):
            options = {"dtype": dtype, "batch_size": batch_size, "threads": threads}
            results.append(train(name, fb.HingeLoss(), "sgd", **options)[0].params)
    assert all(np.array_equal(result, results[0]) for result in results)


@for_each("features", [1, 2, 3, 4, 5, 31])
@for_each("batch_size", [3, 150])
def test_any_number_of_features_that_are_mostly_zero(features, batch_size):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, features)) * (rng.random((300, features)) > 0.9)
    nets = []
    for fused in (True, False):
        net = fb.Sequential(fb.Linear(features, 70), fb.Tanh(), fb.Linear(70, 3), dtype="float64")
        fb.fit(
            net,
            (x, (x[:, 0] > 0).astype(int)),
            loss=fb.HingeLoss(),
            optimizer=fb.SGD(0.1),
            epochs=2,
            batch_size=batch_size,
            fused=fused,
        )
        nets.append(net.params)
    assert np.allclose(nets[0], nets[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("zeros", [0.0, 0.97])
def test_zeros_are_left_out_where_it_pays(zeros):
    rng = np.random.default_rng(3)
    x = rng.random((1000, 13)) * (rng.random((1000, 13)) >= zeros)
    net = fb.Sequential(*NETWORKS["relu"]())
    labels = np.zeros(1000, np.int64)
    # momentum moves every weight at every step, which not every engine does beside zeros
    moves = active().can("samples")
    for optimizer, leaves_out in ((fb.SGD(0.1), True), (fb.SGD(0.1, momentum=0.5), moves)):
        engine = Engine(net, x, labels, 1.0, fb.HingeLoss(), optimizer, batch_size=8, threads=1)
        assert engine.settings.choices[Choice.SPARSE] == (leaves_out and zeros > 0.5)


# Threads


@for_each(
    ("name", "dtype", "optimizer"),
    parts.pairs(NETWORKS, TOLERANCE, ["sgd", "nesterov", "adamw"]),
    by=("dtype",),
)
def test_every_number_of_threads_gives_the_same_bits(name, dtype, optimizer):
    loss = fb.CrossEntropyLoss()
    one, history, _ = train(name, loss, optimizer, dtype, epochs=1, threads=1)
    for threads in (2, 3, 4):
        net, other, _ = train(name, loss, optimizer, dtype, epochs=1, threads=threads)
        assert np.array_equal(net.params, one.params)
        assert np.array_equal(other.loss_by_iteration, history.loss_by_iteration)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [8, 600])
def test_layers_that_give_every_thread_something(batch_size, optimizer):
    """The second batch size is more than threads exchange at a time."""
    nets, x, y = [], *data()
    times = 7 if batch_size > len(x) else 1
    samples = np.tile(x, (times, 1)), np.tile(y, times)
    for threads in (1, 2, 3, 4, 7):
        net = fb.Sequential(
            fb.Linear(13, 500),
            fb.Tanh(),
            fb.Linear(500, 300),
            fb.Tanh(),
            fb.Linear(300, 270),
            fb.ReLU(),
            fb.Linear(270, 5),
            dtype="float64",
        )
        fb.fit(
            net,
            samples,
            loss=fb.HingeLoss(),
            optimizer=OPTIMIZERS[optimizer](),
            epochs=2,
            batch_size=batch_size,
            threads=threads,
        )
        nets.append(net.params)
    layered, how = net.copy(), {"loss": fb.HingeLoss(), "epochs": 1, "batch_size": batch_size}
    fb.fit(layered, samples, optimizer=fb.SGD(0.01), fused=False, **how)
    fb.fit(net, samples, optimizer=fb.SGD(0.01), threads=3, **how)
    assert all(np.array_equal(params, nets[0]) for params in nets[:-1])
    assert np.allclose(net.params, layered.params, rtol=1e-9, atol=1e-12)


def test_two_networks_train_in_two_python_threads():
    alone = [train(name, fb.HingeLoss(), "adam")[0].params for name in ("relu", "tanh")]
    together = {}

    def run(name):
        together[name] = train(name, fb.HingeLoss(), "adam", threads=2)[0].params

    workers = [threading.Thread(target=run, args=(name,)) for name in ("relu", "tanh")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert np.array_equal(together["relu"], alone[0])
    assert np.array_equal(together["tanh"], alone[1])


def _train_in_a_child(queue, backend):
    fb.use_backend(backend)
    sharing.FIRST = sharing.LATER = 0
    queue.put(train("tanh", fb.HingeLoss(), "sgd", threads=2)[0].params)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_can_train_after_its_parent_has(method, backend):
    here = train("tanh", fb.HingeLoss(), "sgd", threads=2)[0].params
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_train_in_a_child, args=(queue, backend))
    child.start()
    assert np.array_equal(queue.get(timeout=60), here)
    child.join(60)
    assert child.exitcode == 0


LEVEL = """
from test_engine import NETWORKS, fb, train
from fastbp.engine import sharing
from fastbp.backends import active
assert active().detail == sys.argv[2]
sharing.FIRST = sharing.LATER = 0
for name in NETWORKS:
    layered = train(name, fb.HingeLoss(), "sgd", fused=False)[0].params
    fused = train(name, fb.HingeLoss(), "sgd", threads=1)[0].params
    assert np.allclose(fused, layered, rtol=1e-9, atol=1e-12), name
    assert np.array_equal(train(name, fb.HingeLoss(), "sgd", threads=3)[0].params, fused), name
np.save(sys.argv[1], train("tanh", fb.HingeLoss(), "sgd")[0].params)
"""


@pytest.mark.parametrize("backend", ["cython"], indirect=True)
def test_every_cpu_level_agrees(tmp_path):
    assert_levels_agree(LEVEL, tmp_path)


# Threads are chosen


class Clock:
    """Stands in for the module time: it moves when it is told."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(pace.thread_counts, "available", lambda: 2)
    monkeypatch.delenv("FASTBP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(pace, "time", Clock())
    return pace.time


def chunks(threads, clock, total, seconds_of):
    """(threads, steps, seconds) of each chunk of so many steps, which take seconds_of(threads)."""
    done = 0
    while done < total:
        steps, number = threads.next_chunk(total - done)
        assert 1 <= steps <= total - done
        seconds = steps * seconds_of(number)
        clock.now += seconds
        threads.took(number, steps, seconds)
        done += steps
        yield number, steps, seconds


def test_threads_are_measured_unless_told(monkeypatch, clock):
    threads = pace.Threads(None, 8)
    numbers = [
        number for number, *_ in chunks(threads, clock, 1000, {1: 7e-5, 2: 4.5e-5}.__getitem__)
    ]
    # The first step says how many make each chunk of a trial.
    assert numbers == [2] * 6
    assert clock.now == pytest.approx(1000 * 4.5e-5)
    numbers = [
        number for number, *_ in chunks(threads, clock, 1000, {1: 7e-5, 2: 4.5e-5}.__getitem__)
    ]
    assert 1 in numbers
    assert clock.now == pytest.approx(2000 * 4.5e-5, rel=0.02)
    assert str(threads) == "2 threads"
    assert pace.Threads(3, 8).next_chunk(9)[1] == 3
    assert pace.Threads(3, 2).most == 2  # no more than there is work for
    monkeypatch.setenv("FASTBP_NUM_THREADS", "1")
    assert pace.Threads(None, 8).choices == {1}


def test_a_processor_that_wakes_up_late_misleads_no_trial(clock):
    threads = pace.Threads(None, 8)
    seconds = {1: repeat(7e-5), 2: chain([4e-3, 3e-3], repeat(4.5e-5))}
    used = [*chunks(threads, clock, 1000, lambda number: next(seconds[number]))]
    assert str(threads) == "2 threads"
    assert sum(steps for number, steps, _ in used if number == 2) > 900


@pytest.mark.parametrize("fastest", [1, 2])
def test_a_trial_of_long_steps_is_not_mixed_with_another(clock, fastest):
    """One that lasts until the other number of threads is to be tried again."""
    threads, seconds = pace.Threads(None, 8), {fastest: 0.2, 3 - fastest: 0.4}
    for _ in range(20):
        list(chunks(threads, clock, 3, seconds.__getitem__))
        assert all(
            threads.pace[number] == pytest.approx(seconds[number]) for number in threads.pace
        )
    assert threads.choices == threads.pace.keys() == {1, 2}


@pytest.mark.parametrize("fastest", [1, 2])
@pytest.mark.parametrize("step", [3e-6, 5e-5, 4e-3])
@pytest.mark.parametrize("total", [1, 10, 117, 20_000])
def test_trials_cost_little_however_long_a_run_is(clock, fastest, step, total):
    threads = pace.Threads(None, 8)
    used = []
    while clock.now < 0.15 or len(used) < 50:  # short epochs, which no trial fits into, or long
        used += chunks(threads, clock, total, lambda number: step * (1 + (number != fastest)))
    used = [chunk for chunk in used if chunk[0] != fastest]
    tries = 2 + np.log2(1 + clock.now / 0.05)  # of four steps at least, which here take two each
    first = 0.075 if fastest == 1 else 0.005  # until one thread is tried
    assert sum(seconds for *_, seconds in used) < first + 5 * step * tries + 0.06 * clock.now
    assert len(used) > 1
    assert max(seconds for *_, seconds in used) <= 0.02 + 2 * step


def test_a_number_of_threads_that_becomes_faster_is_found_out(clock):
    threads = pace.Threads(None, 8)
    list(chunks(threads, clock, 20_000, {1: 1e-4, 2: 2e-4}.__getitem__))
    assert str(threads) == "1 thread"
    list(chunks(threads, clock, 7000, {1: 1e-4, 2: 6e-5}.__getitem__))
    assert str(threads) == "2 threads"
    last = list(chunks(threads, clock, 1100, {1: 1e-4, 2: 6e-5}.__getitem__))
    assert all(seconds > 0.01 for *_, seconds in last)  # no short rest at the end


def test_a_thread_makes_way_for_one_that_reads(monkeypatch, clock):
    monkeypatch.setattr(pace.thread_counts, "available", lambda: 3)
    threads, seconds = pace.Threads(None, 8), {1: 9e-5, 3: 4e-5}
    list(chunks(threads, clock, 500, seconds.__getitem__))
    known = dict(threads.pace)
    with monkeypatch.context() as reading:
        reading.setattr(pace.thread_counts, "is_beside", lambda: True)
        used = [*chunks(threads, clock, 200, {2: 1.0}.__getitem__)]
        assert {number for number, *_ in used} == {2}
        assert used[0][1] in (75, 76)  # steps that three threads do in 3 ms
        assert pace.Threads(3, 8).next_chunk(9)[1] == 3  # as asked
        assert pace.Threads(None, 8).next_chunk(9) == (1, 3)  # which says how long a step takes
    assert threads.pace == known  # of what was slow there nothing is learned
    assert next(chunks(threads, clock, 9, seconds.__getitem__))[0] == 3


PLACES = """
import os, sys, numpy as np, fastbp as fb
from fastbp.engine import epochs as engine
from fastbp.kernels.numbers import Sync
words = []
original = engine.Engine._run
def run(self, *arguments):
    done = original(self, *arguments)
    words.append(int(self.sync[Sync.TAKEN]))
    return done
engine.Engine._run = run
if sys.argv[1] == "1":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
allowed = os.sched_getaffinity(0)
rng = np.random.default_rng(0)
data = rng.random((64, 784)), rng.integers(0, 10, 64)
net = fb.Sequential(fb.Linear(784, 800), fb.Tanh(), fb.Linear(800, 10))
for _ in range(20):
    fb.fit(net, data, loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=1, batch_size=8, threads=2)
assert os.sched_getaffinity(0) == allowed
print(min(word.bit_count() for word in words), max(word.bit_count() for word in words))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processors are Linux's to choose")
@pytest.mark.parametrize("backend", ["cython"], indirect=True)
@pytest.mark.parametrize("processors", [1, 2])
def test_threads_that_train_together_are_on_processors_of_their_own(processors):
    """As far as there are so many; and they may go where they might before."""
    if len(os.sched_getaffinity(0)) < processors:
        pytest.skip("one processor")
    environment = {**os.environ, "FASTBP_BACKEND": "cython"}
    result = subprocess.run(
        [sys.executable, "-c", PLACES, str(processors)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [str(processors)] * 2


# Endings


def test_divergence_is_told_like_the_layered_loop_tells_it():
    messages = []
    x, y = data()
    for fused in (True, False):
        net = fb.Sequential(*NETWORKS["relu"](), dtype="float64")
        with pytest.raises(fb.DivergenceError) as caught:
            fb.fit(net, (x * 1e3, y), loss=fb.HingeLoss(), optimizer=fb.SGD(1e60), fused=fused)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_shows_even_where_its_input_is_zero(bad):
    net = fb.Sequential(fb.Linear(13, 5))
    net.layers[0].w[3, 2] = bad
    x, y = data()
    x[:, 3] = 0
    with pytest.raises(fb.DivergenceError, match="epoch 1, step 1,"):
        fb.fit(net, (x, y), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.1), epochs=1)


def test_an_interrupt_keeps_what_was_trained(monkeypatch):
    monkeypatch.setattr("fastbp.training.loop.REPORT_EVERY", -1)

    class Stop(fb.Callback):
        def on_progress(self, epoch, samples, total, loss):
            if epoch == 2:
                raise KeyboardInterrupt

    net, history = fb.Sequential(*NETWORKS["tanh"]()), fb.History()
    before = net.params.copy()
    with pytest.raises(KeyboardInterrupt):
        fb.fit(
            net,
            data(),
            loss=fb.HingeLoss(),
            optimizer=fb.SGD(0.01),
            batch_size=1,
            epochs=9,
            callbacks=[Stop()],
            history=history,
        )
    assert len(history.epochs) == 1
    assert np.isfinite(net.params).all()
    assert not np.array_equal(net.params, before)


def test_a_thread_that_cannot_start_ends_the_run(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        train("tanh", fb.HingeLoss(), "sgd", threads=3)


# What runs layered, and why


def test_what_the_engine_cannot_express_runs_layered_and_says_why():
    class Mine(fb.Tanh):
        pass

    net = fb.Sequential(fb.Linear(13, 4), Mine(), fb.Linear(4, 5))
    history = fb.fit(net, data(), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=1)
    assert history.path.endswith("layered (Mine() is no built-in layer)")
    with fb.use_backend("numpy"):
        _, history, _ = train("tanh", fb.HingeLoss(), "sgd")
        assert history.path.endswith("layered (the numpy backend has no engine)")


def test_subnormals_are_the_callers_own_business_again_afterwards():
    train("tanh", fb.HingeLoss(), "sgd", threads=2)
    assert np.float32(1e-40) * np.float32(1) != 0


def test_the_engine_keeps_an_optimizers_memory_between_calls_of_fit():
    whole, _, _ = train("tanh", fb.HingeLoss(), "adam", epochs=4)
    net, step, history = (
        fb.Sequential(*NETWORKS["tanh"](), dtype="float64"),
        fb.Adam(0.002, epsilon=1e-3, weight_decay=0.01),
        fb.History(),
    )
    for fused in (True, False, True, False):
        fb.fit(
            net,
            data(),
            loss=fb.HingeLoss(),
            optimizer=step,
            epochs=1,
            batch_size=8,
            seed=1,
            history=history,
            fused=fused,
        )
    assert np.allclose(net.params, whole.params, rtol=1e-8, atol=1e-11)
    assert hasattr(kernels(), "train_steps")
