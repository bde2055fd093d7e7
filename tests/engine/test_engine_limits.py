"""A penalty on weights and clipped gradients: on the engines as layer by layer, and the same bits
for every number of threads.
"""

import copy

import numpy as np
import parts
import pytest
from for_each import for_each
from results import TOLERANCE, agree, same

import fastbp as fb
from fastbp.engine.epochs import Engine
from fastbp.optimizers.limits import Limits

pytestmark = pytest.mark.usefixtures("backend")

SAMPLES, FEATURES, CLASSES = 64, 48, 5

NETWORKS = {
    "one layer": lambda: (fb.Linear(48, 5),),
    "two layers": lambda: (fb.Linear(48, 300), fb.Tanh(), fb.Linear(300, 5)),
    "rows": lambda: (
        fb.Linear(48, 150), fb.ReLU(), fb.Dropout(0.2), fb.Linear(150, 33, bias=False),
        fb.LayerNorm(33), fb.Tanh(), fb.Scale(33), fb.Linear(33, 70), fb.Linear(70, 5),
    ),
    "batch norm": lambda: (
        fb.BatchNorm1d(48), fb.Linear(48, 130), fb.BatchNorm1d(130), fb.SiLU(), fb.Linear(130, 40),
        fb.Residual(fb.Linear(40, 40), fb.Tanh()), fb.Linear(40, 5),
    ),
    "images": lambda: (
        fb.Conv2d(3, 4, 2, bias=False), fb.BatchNorm2d(4), fb.ReLU(), fb.MaxPool2d(2),
        fb.Conv2d(4, 6, 1), fb.Flatten(), fb.LayerNorm(6), fb.Linear(6, 70), fb.Tanh(),
        fb.Linear(70, 5),
    ),
}  # fmt: skip
LIMITS = {
    "l2": Limits(l2=0.05),
    "clip_value": Limits(clip_value=0.004),
    "clip_norm": Limits(clip_norm=0.2),
    "l2 and clip_value": Limits(l2=0.5, clip_value=0.004),
    "l2 and clip_norm": Limits(l2=0.5, clip_norm=0.2),
    "too wide to matter": Limits(clip_norm=1e6),
}
OPTIMIZERS = {
    "sgd": lambda: fb.SGD(0.2),
    "momentum": lambda: fb.SGD(0.1, momentum=0.5, weight_decay=0.01),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3),
}


class Trained:
    """A network and its optimiser after an epoch, with the losses."""

    def __init__(
        self, name, limits, optimizer, dtype="float64", *, loss=None, batch=10, zeros=0.0,
        frozen=(), samples=SAMPLES,
    ):  # fmt: skip
        rng = np.random.default_rng(11)
        self.loss, self.limits, self.batch = loss or fb.CrossEntropyLoss(), limits, batch
        shape = (3, 4, 4) if name == "images" else None
        self.net = fb.Sequential(*NETWORKS[name](), dtype=dtype, input_shape=shape, seed=2)
        for number in frozen:
            self.net.layers[number].trainable = False
        self.x = rng.normal(size=(samples, FEATURES)) * (rng.random((samples, FEATURES)) >= zeros)
        self.x = self.x.astype(dtype)
        target = self.loss.example_target(rng, samples, CLASSES)
        self.target = self.loss.check_target(target, samples, CLASSES, self.net.dtype)
        self.order, self.optimizer = rng.permutation(samples), optimizer

    def layered(self):
        """The specification."""
        losses = []
        for start in range(0, len(self.order), self.batch):
            rows = self.order[start : start + self.batch]
            loss, gradient = self.loss.compute(self.net.forward(self.x[rows]), self.target[rows])
            losses.append(loss + self.limits.penalty(self.net))
            self.net.backward(gradient)
            self.limits.apply(self.net)
            self.optimizer.step(self.net)
        self.losses = np.array(losses)
        return self

    def fused(self, threads=1):
        """On the engine."""
        samples = self.x, self.target, 1.0
        engine = Engine(
            self.net, *samples, self.loss, self.optimizer, self.batch, threads, limits=self.limits
        )
        self.losses = engine.epoch(self.order, lambda steps, loss: False)
        return self

    def results(self):
        """All that came of it."""
        return self.net.params, self.net.buffers, self.losses, *self.optimizer.memory


@for_each(
    ("name", "limits", "optimizer", "dtype"),
    parts.pairs(NETWORKS, LIMITS, OPTIMIZERS, TOLERANCE),
    by=("dtype",),
)
def test_the_engine_limits_what_the_layered_loop_limits(name, limits, optimizer, dtype):
    def made(**options):
        make = OPTIMIZERS[optimizer]
        return Trained(name, LIMITS[limits], make(), dtype, **options)

    slow, fast = made().layered(), made().fused()
    agree(fast, slow, dtype)
    same(made().fused(2), fast)
    other = Trained(name, Limits(), OPTIMIZERS[optimizer](), dtype).fused()
    if limits == "too wide to matter":
        agree(fast, other, dtype)
    else:
        assert np.abs(other.net.params - fast.net.params).max() > 1e-5


@for_each("batch", [1, 6, 33, 64, 600])
@for_each("limits", ["l2", "clip_value", "l2 and clip_value", "clip_norm"])
@for_each("loss", [fb.HingeLoss, fb.MSELoss])
def test_zeros_and_any_batch(loss, limits, batch):
    """Of data and of gradients: what else may leave them out."""

    def made():
        given = {"loss": loss(), "batch": batch, "zeros": 0.9, "samples": 300 if batch > 9 else 20}
        return Trained("two layers", LIMITS[limits], fb.SGD(0.1), **given)

    fast = made().fused()
    agree(fast, made().layered())
    same(made().fused(2), fast)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("most", [0.003, 0.1, 3.0, 50.0])
def test_a_limit_that_some_columns_cannot_reach(most, dtype):
    """Which then move as without one; the same ones for every number of threads."""

    def made(most=most):
        given = {"batch": 7, "zeros": 0.9, "loss": fb.HingeLoss()}
        return Trained("two layers", Limits(clip_value=most), fb.SGD(0.3), dtype, **given)

    fast = made().fused()
    agree(fast, made().layered(), dtype)
    same(made().fused(2), fast)
    moved = np.abs(fast.net.params - made(None).fused().net.params).max()
    assert moved > 0.1 if most < 3 else moved < 1e-6


def test_bytes_and_numbers_that_are_not_finite_reach_every_limit():
    made = Trained("two layers", Limits(clip_value=0.05), fb.SGD(0.3), zeros=0.9, batch=9)
    made.x = np.where(made.x, np.clip(np.abs(100 * made.x), 1, 255), 0).astype(np.uint8)
    slow = copy.deepcopy(made)
    slow.x = slow.x / 1.0
    agree(made.fused(), slow.layered())
    for wrong, steps in ((np.nan, 1), (np.inf, 2)):  # tanh(±inf) is 1, but infinite weights follow
        made = Trained("two layers", Limits(clip_value=0.05), fb.SGD(0.3), zeros=0.9, batch=9)
        made.x[made.order[3], 5] = wrong
        losses = made.fused().losses
        assert len(losses) == steps
        assert np.isnan(losses[-1])


@pytest.mark.parametrize(("l2", "near"), [(0.5, 1e-12), (6.0, 1e-12), (10.0, 1e-12), (14.0, 1e-9)])
@pytest.mark.parametrize(("batch", "loss"), [(6, fb.HingeLoss), (20, fb.CrossEntropyLoss)])
def test_weights_that_shrink_fast_on_sparse_data(batch, loss, l2, near, monkeypatch):
    """By the factors 0.95, 0.4, 0 and -0.4 a step, in one chunk of steps or in many."""

    def made():
        given = {"loss": loss(), "batch": batch, "zeros": 0.9, "samples": 130}
        return Trained("two layers", Limits(l2=l2), fb.SGD(0.1), **given)

    slow, fast = made().layered(), made().fused()
    for found, expected in zip(fast.results(), slow.results(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=near, atol=near)
    monkeypatch.setattr("fastbp.engine.epochs.Threads.next_chunk", lambda self, steps: (1, 2))
    same(made().fused(2), fast)


def test_weights_shown_in_the_middle_of_an_epoch_are_shrunk(monkeypatch):
    chunk = "fastbp.engine.epochs.Threads.next_chunk"
    monkeypatch.setattr(chunk, lambda self, steps: (min(3, steps), 1))
    made = Trained("two layers", LIMITS["l2"], fb.SGD(0.1), batch=4, zeros=0.9)
    short = Trained("two layers", LIMITS["l2"], fb.SGD(0.1), batch=4, zeros=0.9)
    short.order = short.order[:12]
    shown = []

    def look(steps, loss):
        if steps == 3:
            engine.show()
            shown.append(made.net.params.copy())
        return False

    samples = made.x, made.target, 1.0
    engine = Engine(
        made.net, *samples, made.loss, made.optimizer, made.batch, 1, limits=made.limits
    )
    engine.epoch(made.order, look)
    np.testing.assert_allclose(shown[0], short.layered().net.params, rtol=1e-12, atol=1e-14)


@for_each("limits", ["l2 and clip_norm", "clip_norm", "clip_value"])
@for_each(
    ("name", "frozen"),
    [("rows", [0]), ("rows", [0, 3]), ("batch norm", [1, 6]), ("images", [0]), ("images", [4, 7])],
)
def test_what_is_frozen_counts_for_the_penalty_alone(name, frozen, limits):
    def made():
        return Trained(name, LIMITS[limits], fb.SGD(0.1), frozen=frozen)

    fast = made().fused()
    agree(fast, made().layered())
    same(made().fused(2), fast)


@pytest.mark.parametrize("name", ["two layers", "images"])
def test_a_penalty_beyond_all_numbers_moves_nothing(name):
    made = Trained(name, LIMITS["l2"], fb.SGD(0.1))
    made.net.layers[-1].w[0, 0] = 1e200
    before = made.net.params.copy()
    made.fused(2)
    assert made.losses.tolist() == [np.inf]
    np.testing.assert_array_equal(made.net.params, before)
