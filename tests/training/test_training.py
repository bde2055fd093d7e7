"""fit and evaluate: what they compute, record, report and refuse."""

import csv
import math
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.backends import AUTOMATIC
from fastbp.datasets import Dataset
from fastbp.training import loop as training


@pytest.fixture(scope="module")
def digits():
    """The first digits of MNIST: 2 000 to train, 500 to test."""
    train, test = fb.datasets.mnist()
    return train.first(2000), test.first(500)


def blobs(n=101, seed=1):
    """Three clouds of points in the plane, apart from one another."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return np.array([[0, 2], [2, -1], [-2, -1]])[y] + rng.normal(0, 0.4, (n, 2)), y


def small(dtype="float64", seed=0):
    return fb.Sequential(fb.Linear(2, 8), fb.Tanh(), fb.Linear(8, 3), seed=seed, dtype=dtype)


def train(net, data=None, **options):
    """Fit a small network to the blobs; only what a test is about is said there."""
    settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.1), "batch_size": 8}
    return fb.fit(net, blobs() if data is None else data, **(settings | {"epochs": 2} | options))


# It learns


def test_it_parts_what_can_be_parted(backend, dtype):
    net = small(dtype)
    history = train(net, epochs=10, validation=blobs(60, seed=2))
    losses = history["train_loss"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 < losses[0]
    assert history["train_accuracy"][-1] == 1
    assert history["test_accuracy"][-1] == 1


def test_it_reads_digits(backend, digits):
    net = fb.Sequential(fb.Linear(784, 32), fb.Tanh(), fb.Linear(32, 10))
    settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.1), "batch_size": 16}
    history = fb.fit(net, digits[0], epochs=4, validation=digits[1], **settings)
    assert history["train_loss"][0] > 2 * history["train_loss"][-1]
    assert history["train_accuracy"][-1] > 0.92
    assert history["test_accuracy"][-1] > 0.84


def test_the_losses_of_the_final_network_are_the_same_on_every_backend(digits):
    """Report B's last experiment: 784-800-100-10, its first hundred steps."""
    losses = []
    for backend in AUTOMATIC:
        layers = fb.Linear(784, 800), fb.Tanh(), fb.Linear(800, 100), fb.Tanh(), fb.Linear(100, 10)
        with fb.use_backend(backend):
            net = fb.Sequential(*layers, init="normal")
            settings = {"loss": fb.HingeLoss(), "optimizer": fb.SGD(0.01), "batch_size": 8}
            history = fb.fit(net, digits[0].first(800), epochs=1, **settings)
        losses.append(history.loss_by_iteration)
    assert len(losses[0]) == 100
    assert losses[0][0] == pytest.approx(9, abs=1e-4)  # nine wrong classes, all scores about 0
    for other in losses[1:]:
        np.testing.assert_allclose(other, losses[0], rtol=1e-4)


# Computed once in plain NumPy, without fastbp; a change is a change of what every user gets.
TEN_LOSSES = [
    0.915314192997, 1.04884807004, 0.594016030964, 0.796308239285, 0.726271269703,
    0.947349427882, 0.662164451173, 0.474343065478, 0.627277072889, 0.365296009419,
]  # fmt: skip


def test_ten_losses_stay_what_they_are(backend):
    x = np.sin(np.arange(400) ** 1.5).reshape(100, 4)
    y = np.argmax(x[:, :3] + x[:, 1:], axis=1)
    layers = fb.Linear(4, 6), fb.Tanh(), fb.Linear(6, 3)
    net = fb.Sequential(*layers, init="glorot", seed=7, dtype="float64")
    settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.SGD(0.5), "batch_size": 10}
    history = fb.fit(net, (x, y), epochs=1, seed=11, **settings)
    np.testing.assert_allclose(history.loss_by_iteration, TEN_LOSSES, rtol=1e-9)


# The loop is what it says


@for_each("batch_size", [1, 8, 100, 101, 1000])
@for_each("loss", [fb.HingeLoss(), fb.CrossEntropyLoss(), fb.MSELoss()])
def test_fit_is_the_loop_one_would_write(backend, dtype, loss, batch_size):
    """Bit for bit, with 101 samples: the last batch is smaller, or the only one."""
    x, y = blobs()
    by_fit, by_hand, optimizer = small(dtype), small(dtype), fb.SGD(0.05)
    options = {"loss": loss, "optimizer": optimizer, "batch_size": batch_size}
    history = train(by_fit, seed=3, fused=False, **options)
    for epoch in (1, 2):
        order, losses = np.random.default_rng([3, epoch]).permutation(len(x)), []
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            value, gradient = loss(by_hand.forward(x[rows]), y[rows])
            by_hand.backward(gradient)
            optimizer.step(by_hand)
            losses.append(value)
        assert history.losses[epoch - 1].tolist() == losses
    assert np.array_equal(by_fit.params, by_hand.params)


def test_each_epoch_sees_each_sample_once_in_an_order_of_its_own(backend):
    class Seen(fb.Tanh):
        def forward(self, x):
            seen.extend(x[:, 0].tolist())
            return super().forward(x)

    class Split(fb.Callback):
        def on_epoch_end(self, epoch, net):
            epochs.append(seen[:50])  # the rest is the evaluation of the training data
            seen.clear()

    seen, epochs = [], []
    net = fb.Sequential(Seen(), fb.Linear(1, 2))
    data = np.arange(50.0)[:, None], np.arange(50) % 2
    train(net, data, epochs=3, optimizer=fb.SGD(0.001), callbacks=[Split()])
    assert [sorted(epoch) for epoch in epochs] == [list(range(50))] * 3
    assert len(set(map(tuple, epochs))) == 3


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(backend, dtype):
    runs = []
    for seed in (5, 5, 6):
        net = small(dtype)
        runs.append((train(net, seed=seed).loss_by_iteration, net.params))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])
    assert not np.array_equal(runs[0][0], runs[2][0])


def test_two_epochs_and_two_more_are_four(backend, dtype):
    at_once, in_two = small(dtype), small(dtype)
    four = train(at_once, epochs=4)
    first = train(in_two, epochs=2)
    second = train(in_two, epochs=2, history=first)
    assert second is first
    assert second["epoch"] == four["epoch"] == [1, 2, 3, 4]
    assert np.array_equal(second.loss_by_iteration, four.loss_by_iteration)
    assert second["train_loss"] == four["train_loss"]
    assert np.array_equal(in_two.params, at_once.params)


def test_a_history_left_out_starts_at_epoch_one_with_the_present_parameters(backend):
    net = small()
    train(net)
    again = train(net)
    assert again["epoch"] == [1, 2]
    assert again["train_loss"][0] < 0.6 * train(small())["train_loss"][0]


def test_networks_may_train_in_threads_side_by_side(backend):
    alone = [small(seed=seed) for seed in range(4)]
    together = [small(seed=seed) for seed in range(4)]
    for net in alone:
        train(net)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(train, together))
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a.params, b.params)


# Data


def test_the_same_numbers_in_any_dtype_train_the_same(backend, dtype, rng):
    pixels = rng.integers(256, size=(60, 2), dtype=np.uint8)
    y = (pixels[:, 0] > pixels[:, 1]).astype(int)
    x = pixels / 256  # exact in float32, like everything below
    given = [
        Dataset(pixels, y, 3, scale=1 / 256),
        Dataset(x, y, 3),
        (x, y),
        (x.astype(np.float32), y.astype(np.int8)),
        (np.asfortranarray(x), y.tolist()),
        (x.tolist(), np.repeat(y, 2)[::2]),
        (pixels.astype(int) / 256, y.astype(np.uint8)),
    ]
    params = []
    for data in given:
        net = small(dtype)
        train(net, data, validation=data)
        params.append(net.params)
    assert all(np.array_equal(params[0], other) for other in params[1:])


def test_data_are_left_alone(backend):
    x, y = blobs()
    x.setflags(write=False)
    y.setflags(write=False)
    train(small(), (x, y), validation=(x, y))


def test_squared_error_learns_values(backend, dtype, rng):
    x = rng.normal(size=(80, 2))
    y = x @ [[1, 2, 3], [4, 5, 6]] + [7, 8, 9]
    net = fb.Sequential(fb.Linear(2, 3), dtype=dtype)
    history = train(net, (x, y), loss=fb.MSELoss(), epochs=30, validation=(x, y))
    np.testing.assert_allclose(net.layers[0].w, [[1, 2, 3], [4, 5, 6]], rtol=1e-3)
    np.testing.assert_allclose(net.layers[0].b, [7, 8, 9], rtol=1e-3)
    assert np.isnan(history["train_accuracy"]).all()  # values are no classes
    assert np.isnan(history["test_accuracy"]).all()


def test_squared_error_learns_classes_from_labels(backend):
    history = train(small(), loss=fb.MSELoss(), epochs=20)
    assert history["train_accuracy"][-1] == 1


# History


def test_the_record_of_an_epoch(backend):
    net, data, validation = small(), blobs(), blobs(50, seed=2)
    history = train(net, data, epochs=2, validation=validation)
    assert [len(losses) for losses in history.losses] == [13, 13]
    assert history.loss_by_iteration.shape == (26,)
    assert history.loss_by_iteration.dtype == np.float64
    weights = [8] * 12 + [5]  # 101 samples
    means = [np.average(losses, weights=weights) for losses in history.losses]
    assert history["train_loss"] == pytest.approx(means, rel=1e-14)
    last = history.epochs[-1]
    assert last.epoch == 2
    assert last.train_accuracy == np.mean(net.predict(data[0]) == data[1])
    assert last.test_accuracy == np.mean(net.predict(validation[0]) == validation[1])
    assert all(seconds > 0 for seconds in history["seconds"])
    assert history.seconds == sum(history["seconds"])
    assert history.path.startswith(f"{backend} ")


def test_without_validation_the_test_accuracy_is_nan(backend):
    assert np.isnan(train(small())["test_accuracy"]).all()


def test_validation_changes_nothing(backend):
    with_it, without = small(), small()
    train(with_it, validation=blobs(40, seed=9))
    train(without)
    assert np.array_equal(with_it.params, without.params)


def test_an_empty_history():
    history = fb.History()
    assert history.loss_by_iteration.shape == (0,)
    assert history.seconds == 0
    assert history["train_loss"] == []


def test_history_as_csv(backend, tmp_path):
    history = train(small(), epochs=2, validation=blobs(30))
    history.to_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "lr",
        "seconds",
    ]
    assert [row[0] for row in rows] == ["1", "2"]
    for row, epoch in zip(rows, history.epochs, strict=True):  # every digit comes back
        assert list(map(float, row)) == [getattr(epoch, column) for column in header]


def test_nan_in_csv(backend, tmp_path):
    train(small(), epochs=1).to_csv(str(tmp_path / "history.csv"))
    _, row = (tmp_path / "history.csv").read_text().splitlines()
    assert row.split(",")[3] == "nan"


def test_a_csv_in_a_missing_folder_names_it(tmp_path):
    target = tmp_path / "none" / "history.csv"
    with pytest.raises(FileNotFoundError, match=re.escape(f"{target}: the folder {target.parent}")):
        fb.History().to_csv(target)


# Callbacks


class Notes(fb.Callback):
    def __init__(self):
        self.progress, self.ends = [], []

    def on_progress(self, epoch, samples, total, loss):
        self.progress.append((epoch, samples, total, loss))

    def on_epoch_end(self, epoch, net):
        self.ends.append((epoch, net, net.params.copy()))


def test_the_end_of_an_epoch_is_told_with_its_record_and_the_network(backend):
    net, notes = small(), Notes()
    history = train(net, epochs=3, callbacks=[notes])
    assert [end[0] for end in notes.ends] == history.epochs
    assert all(end[1] is net for end in notes.ends)
    assert not np.array_equal(notes.ends[0][2], notes.ends[1][2])
    assert np.array_equal(notes.ends[2][2], net.params)


def test_progress_is_told_ten_times_a_second_at_most(backend, monkeypatch):
    class Clock:  # each look at it takes 30 ms
        now = 0.0

        def perf_counter(self):
            self.now += 0.03
            return self.now

    clock, notes = Clock(), Notes()
    times = []
    notes.on_progress = lambda *_: times.append(clock.now)
    monkeypatch.setattr(training, "time", clock)
    train(small(), batch_size=1, callbacks=[notes], fused=False)
    assert len(times) > 20
    assert min(np.diff(times)) > training.REPORT_EVERY


def test_what_progress_tells(backend, monkeypatch):
    monkeypatch.setattr(training, "REPORT_EVERY", -1)  # after every batch
    notes = Notes()
    history = train(small(), callbacks=[notes], fused=False)
    samples = [*range(8, 101, 8), 101]
    assert [p[:3] for p in notes.progress] == [(e, s, 101) for e in (1, 2) for s in samples]
    assert [p[3] for p in notes.progress] == history.loss_by_iteration.tolist()


def test_callbacks_are_called_in_order_and_need_not_do_anything(backend):
    order = []

    class Named(fb.Callback):
        def __init__(self, name):
            self.name = name

        def on_epoch_end(self, epoch, net):
            order.append((epoch.epoch, self.name))

    train(small(), callbacks=[Named("a"), fb.Callback(), Named("b")])
    assert order == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


class StopAt(fb.Callback):
    """Raise in the middle of an epoch, or at its end."""

    def __init__(self, epoch, error, middle=False):
        self.epoch, self.error, self.middle = epoch, error, middle

    def on_progress(self, epoch, samples, total, loss):
        if self.middle and epoch == self.epoch:
            raise self.error

    def on_epoch_end(self, epoch, net):
        if not self.middle and epoch.epoch == self.epoch:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(("middle", "finished"), [(False, 2), (True, 1)], ids=["end", "middle"])
def test_after_an_exception_the_history_holds_the_finished_epochs(
    backend, monkeypatch, error, middle, finished
):
    monkeypatch.setattr(training, "REPORT_EVERY", -1)
    history, net = fb.History(), small()
    with pytest.raises(type(error)):
        train(net, epochs=5, history=history, callbacks=[StopAt(2, error, middle)])
    undisturbed = train(small(), epochs=5)
    assert history["epoch"] == list(range(1, finished + 1))
    assert history["train_loss"] == undisturbed["train_loss"][:finished]
    assert np.array_equal(history.loss_by_iteration, np.concatenate(undisturbed.losses[:finished]))
    train(net, epochs=1, history=history)  # and it can be continued
    assert history["epoch"] == list(range(1, finished + 2))


def test_an_interrupted_evaluation_leaves_no_half_epoch(backend):
    class Interrupted(fb.Tanh):
        def forward(self, x):
            if len(x) == 31:  # the validation data
                raise KeyboardInterrupt
            return super().forward(x)

    history = fb.History()
    net = fb.Sequential(fb.Linear(2, 8), Interrupted(), fb.Linear(8, 3))
    with pytest.raises(KeyboardInterrupt):
        train(net, history=history, validation=blobs(31))
    assert history.epochs == []
    assert history.losses == []


# Numbers that are none, or too large


@for_each("name", ["train", "validation", "data"])
@for_each(("number", "shown"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_nan_and_infinity_are_found_before_anything_moves(backend, dtype, name, number, shown):
    (x, y), values, net = blobs(100), np.ones((100, 3)), small(dtype)
    bad_x, bad_values = x.copy(), values.copy()
    bad_x[3, 1], bad_values[98, 2] = number, number
    before = net.params.copy()

    def use(data, loss):
        if name == "data":
            return fb.evaluate(net, data, loss)
        sets = {"train": (x, values if loss else y)} | {name: data}
        options = {"loss": loss} if loss else {}
        return train(net, sets["train"], validation=sets.get("validation"), **options)

    text = f"{name} x: {shown} at row 3, column 1; drop or fill in such samples first"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        use((bad_x, y), None)
    text = f"{name}: y: {shown} at row 98, column 2;"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        use((x, bad_values), fb.MSELoss())
    assert np.array_equal(net.params, before)


def test_large_sums_of_finite_numbers_are_fine(backend):
    x = np.full((4, 2), np.finfo("f4").max, "f4")
    assert fb.evaluate(fb.Sequential(fb.ReLU()), (x, [0, 0, 0, 0])).accuracy == 1


@pytest.mark.parametrize("n", [1, 5, 3000])
def test_what_overflows_float32_is_refused_on_every_path(backend, n):
    x, y = np.ones((n, 2)), np.zeros(n, int)
    x[n // 2, 1] = -1e39
    net, place = small("float32"), f"-1e+39 at row {n // 2}, column 1 is too large for float32; use"
    ways = {
        "forward": lambda: net.forward(x),
        "scores": lambda: net.scores(x),
        "predict": lambda: net.predict(x),
        "probabilities": lambda: net.predict_proba(x),
        "evaluate": lambda: fb.evaluate(net, (x, y)),
        "fit": lambda: train(net, (x, y)),
        "values": lambda: train(net, (np.ones((n, 2)), x[:, [0, 1, 0]]), loss=fb.MSELoss()),
        "scores of data": lambda: net.scores(Dataset(x, y)),
        "evaluate data": lambda: fb.evaluate(net, Dataset(x, y)),
        "fit data": lambda: train(net, Dataset(x, y)),
    }
    for way in ways.values():
        with pytest.raises(ValueError, match=re.escape(place)):
            way()
    assert np.isfinite(small("float64").scores(x)).all()
    assert np.isfinite(fb.evaluate(small("float64"), (x, y), fb.CrossEntropyLoss()).loss)


def test_what_overflows_with_its_scale_is_refused(backend):
    data = Dataset(np.full((4, 2), 1e38, "f4"), [0, 1, 2, 0], scale=10)
    text = "e+38 * 10 at row 0, column 0 is too large for float32;"
    with pytest.raises(ValueError, match=re.escape(text)):
        train(small("float32"), data)
    train(small("float64"), data, epochs=1)


def test_a_sample_whose_scores_are_nan_is_not_right(backend):
    net = fb.Sequential(fb.Linear(1, 2))
    net.params[...] = [1, 1, 0, np.nan]
    data = [[1.0], [2.0]], [0, 1]
    assert net.predict(data[0]).tolist() == [1, 1]  # as np.argmax: the first NaN
    assert fb.evaluate(net, data).accuracy == 0


def test_a_network_may_be_asked_about_nan(backend, dtype):
    net = small(dtype)
    for n in (1, 4, 1000):
        assert np.isnan(net.scores(np.full((n, 2), np.nan))).all()


# Whose targets they are


def test_integers_are_values_for_one_output(backend, dtype):
    net, x = fb.Sequential(fb.Linear(5, 1), dtype=dtype), np.ones((600, 5))
    net.params[...] = 0
    for y in (np.zeros(600, int), np.zeros((600, 1)), np.zeros(600, bool), Dataset(x, [0] * 600)):
        history = train(net, y if isinstance(y, Dataset) else (x, y), loss=fb.MSELoss(), epochs=1)
        assert not net.params.any()
        assert math.isnan(history["train_accuracy"][0])  # values are no classes
    assert fb.evaluate(net, (x, np.full(600, 3, "u1")), fb.L1Loss()).loss == 3


@pytest.mark.parametrize("loss", [fb.CrossEntropyLoss(), fb.HingeLoss(), fb.NLLLoss()], ids=repr)
def test_a_network_of_one_output_has_no_classes(loss):
    net, data = fb.Sequential(fb.Linear(2, 1)), (np.ones((4, 2)), [0, 0, 0, 0])
    for use in (
        lambda: train(net, data, loss=loss),
        lambda: fb.evaluate(net, data, loss),
        lambda: fb.evaluate(net, data),
        lambda: fb.gradcheck(net, loss, *data),
    ):
        with pytest.raises(ValueError, match="expected scores of at least two classes, one a col"):
            use()


def test_labels_that_somebody_changes_later_change_nothing(backend):
    """Kernels index with them, so they are copied."""
    x, y = blobs()
    right = train(small(), (x, y.copy()), epochs=4).loss_by_iteration

    class Spoiler:
        def on_epoch_end(self, epoch, net):
            y[...] = 10**8

        def on_progress(self, *_):
            pass

    for data in ((x, y), Dataset(x, y)):
        kept = y.copy()
        found = train(small(), data, epochs=4, callbacks=[Spoiler()]).loss_by_iteration
        assert np.array_equal(found, right)
        y[...] = kept


# Divergence


def test_a_nan_loss_is_reported_with_its_place(backend, dtype):
    x, y = blobs()
    net = fb.Sequential(fb.Linear(2, 3), dtype=dtype)
    net.params[...] = 10
    # In batch 4 of epoch 1: finite, but its scores are all infinite, and their softmax is NaN.
    x[np.random.default_rng([0, 1]).permutation(len(x))[30]] = np.finfo(dtype).max
    text = (
        "the loss became NaN in epoch 1, step 4, with learning rate 0.1; "
        "try a smaller rate, or check the scale of the data"
    )
    with pytest.raises(fb.DivergenceError, match="^" + re.escape(text) + "$") as caught:
        train(net, (x, y))
    losses = caught.value.losses  # of the epoch that was not finished
    assert np.isfinite(losses).tolist() == [True, True, True, False]


def test_a_rate_that_is_too_large_is_reported(backend, dtype):
    net, history = fb.Sequential(fb.Linear(2, 1), dtype=dtype), fb.History()
    x, y = blobs(40)
    pattern = r"^the loss became infinite in epoch \d+, step [1-5], with learning rate 30; try"
    with pytest.raises(fb.DivergenceError, match=pattern) as caught:
        train(
            net,
            (x, y[:, None].astype(float)),
            loss=fb.MSELoss(),
            optimizer=fb.SGD(30),
            epochs=10_000,
            history=history,
        )
    assert f"in epoch {len(history.epochs) + 1}," in str(caught.value)
    assert history.epochs
    assert np.isfinite(history.loss_by_iteration).all()


def test_parameters_that_overflow_in_the_very_last_step_are_reported(backend, dtype):
    rate = 1e39 if dtype == np.float32 else 1.5e308
    net, history = fb.Sequential(fb.Linear(2, 1), dtype=dtype), fb.History()
    data = np.full((4, 2), 10.0), np.full((4, 1), 10.0)
    text = f"a parameter became NaN or infinite in epoch 1, step 1, with learning rate {rate:g};"
    with pytest.raises(fb.DivergenceError, match="^" + re.escape(text)) as caught:
        train(net, data, loss=fb.MSELoss(), optimizer=fb.SGD(rate), epochs=1, history=history)
    assert history.epochs == []
    assert len(caught.value.losses) == 1


def test_divergence_is_an_arithmetic_error():
    assert issubclass(fb.DivergenceError, ArithmeticError)


# What fit refuses

X, Y = np.zeros((10, 2)), np.arange(10) % 3


@for_each(
    ("options", "error", "text"),
    [
        ({"epochs": 0}, ValueError, "epochs: expected at least 1, got 0"),
        ({"epochs": 2.0}, TypeError, "epochs: expected a whole number, got 2.0"),
        ({"batch_size": 0}, ValueError, "batch_size: expected at least 1, got 0"),
        ({"batch_size": 1.5}, TypeError, "batch_size: expected a whole number, got 1.5"),
        ({"batch_size": "8"}, TypeError, "batch_size: expected a whole number, got '8'"),
        ({"batch_size": True}, TypeError, "batch_size: expected a whole number, got True"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"seed": 0.5}, TypeError, "seed: expected a whole number, got 0.5"),
        ({"threads": 0}, ValueError, "threads: expected at least 1, got 0"),
        ({"threads": "2"}, TypeError, "threads: expected a whole number, got '2'"),
    ],
)
def test_options_are_checked(backend, options, error, text):
    net = small()
    before = net.params.copy()
    with pytest.raises(error, match="^" + re.escape(text) + "$"):
        train(net, **options)
    assert np.array_equal(net.params, before)


@for_each("name", ["train", "validation"])
@for_each(
    ("data", "error", "text"),
    [
        ((X[:0], Y[:0]), ValueError, "{name}: expected at least one sample, got none"),
        ((np.zeros((10, 3)), Y), ValueError, "{name} x: expected 2 columns, got (10, 3)"),
        ((np.zeros(10), Y), ValueError, "{name} x: expected a two-dimensional array, one sample"),
        ((X.astype(np.uint8), Y), TypeError, "{name} x: got uint8, which looks like raw pixels"),
        ((X.astype(str), Y), TypeError, "{name} x: expected real numbers, got dtype <U32"),
        (X, TypeError, "{name}: expected a Dataset or (x, y), got ndarray"),
        (7, TypeError, "{name}: expected a Dataset or (x, y), got int"),
        ((X, Y, Y), TypeError, "{name}: expected a Dataset or (x, y), got tuple"),
        (
            Dataset(np.zeros((10, 3)), Y, name="wide"),
            ValueError,
            "{name}: the network takes 2 columns; got Dataset('wide', samples=10, features=3,",
        ),
        (
            (X, Y + 1),
            ValueError,
            "{name}: CrossEntropyLoss() labels: expected labels from 0 to 2; got 3 at row 2",
        ),
        ((X, -Y), ValueError, "{name}: CrossEntropyLoss() labels: expected labels from 0"),
        (
            Dataset(X, Y + 1),
            ValueError,
            "{name}: CrossEntropyLoss() labels: expected labels from 0 to 2; got 3 at row 2",
        ),
        ((X, Y[:9]), ValueError, "{name}: CrossEntropyLoss() labels: expected 10 labels, one"),
        (
            (X, Y + 0.5),
            TypeError,
            "{name}: CrossEntropyLoss() labels: expected integer labels, got",
        ),
        ((X, X), ValueError, "{name}: CrossEntropyLoss() labels: expected one label a sample"),
    ],
)
def test_data_are_checked_before_anything_moves(backend, name, data, error, text):
    net = small()
    before, sets = net.params.copy(), {"train": (X, Y)} | {name: data}
    with pytest.raises(error, match="^" + re.escape(text.format(name=name))):
        train(net, sets["train"], validation=sets.get("validation"))
    assert np.array_equal(net.params, before)


def test_values_must_have_the_network_s_outputs(backend):
    text = "MSELoss() target: expected 3 columns, got (10, 2)"
    with pytest.raises(ValueError, match=re.escape(text)):
        train(small(), (X, X), loss=fb.MSELoss())


# Evaluation


def test_evaluate_is_the_mean_over_all_samples_of_any_number(backend, dtype):
    """2 500 samples are taken in parts of unlike size."""
    net, (x, y) = small(dtype), blobs(2500)
    y[::7] = 0  # so that some are wrong
    train(net, epochs=1)
    for loss in (fb.HingeLoss(), fb.CrossEntropyLoss(), fb.MSELoss()):
        found = fb.evaluate(net, (x, y), loss)
        assert found.accuracy == np.mean(net.predict(x) == y)
        assert found.loss == pytest.approx(loss(net.scores(x), y)[0], rel=1e-6)
    assert 0.5 < found.accuracy < 1


def test_evaluate_by_hand(backend):
    data = [[3, 1], [0, 2], [1, 2], [5, 4]], [0, 1, 0, 0]
    found = fb.evaluate(fb.Sequential(fb.ReLU()), data, fb.HingeLoss())
    assert found == (0.75, (0 + 0 + 2 + 0) / 4)


def test_evaluate_without_a_loss(backend):
    found = fb.evaluate(small(), blobs())
    assert math.isnan(found.loss)
    assert found.accuracy == np.mean(small().predict(blobs()[0]) == blobs()[1])


def test_evaluate_takes_a_dataset_and_scales_it(backend, digits):
    net = fb.Sequential(fb.Linear(784, 10))
    test = digits[1]
    assert fb.evaluate(net, test) == pytest.approx(
        fb.evaluate(net, (test.x / 255, test.y)), nan_ok=True
    )


def test_evaluate_of_values_has_no_accuracy(backend):
    net = fb.Sequential(fb.ReLU())
    found = fb.evaluate(net, ([[1.0, 2.0]], [[1.0, 4.0]]), fb.MSELoss())
    assert math.isnan(found.accuracy)
    assert found.loss == 2


def test_evaluate_disturbs_nothing(backend, rng):
    net, x, dy = small(), rng.normal(size=(4, 2)), rng.normal(size=(4, 3))
    net.forward(x)
    net.backward(dy)
    grads = net.grads.copy()
    fb.evaluate(net, blobs(), fb.HingeLoss())
    assert np.array_equal(net.grads, grads)
    net.backward(dy)
    assert np.array_equal(net.grads, grads)


def test_evaluate_checks_its_data():
    with pytest.raises(ValueError, match="data: expected at least one sample, got none"):
        fb.evaluate(small(), (X[:0], Y[:0]))
    with pytest.raises(ValueError, match=re.escape("labels: expected labels from 0 to 2; got 3")):
        fb.evaluate(small(), (X, Y + 1))
