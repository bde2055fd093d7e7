"""What an epoch may be given for each step or sample, on the engine as layer by layer: factors of
the rate, weights, and room for the scores of the training passes.
"""

import numpy as np
import parts
import pytest
from for_each import for_each
from results import TOLERANCE, agree, same

import fastbp as fb
from fastbp.engine.epochs import Engine

pytestmark = pytest.mark.usefixtures("backend")

SAMPLES, FEATURES, CLASSES, BATCH = 37, 48, 5, 10
FACTORS = np.array([0.5, 2.0, 0.0, 1.25])
WEIGHTS = np.random.default_rng(4).integers(0, 3, SAMPLES) * 0.75

NETWORKS = {
    "one layer": lambda: (fb.Linear(48, 5),),
    "rows": lambda: (
        fb.Linear(48, 70), fb.ReLU(), fb.Dropout(0.2), fb.Linear(70, 33), fb.LayerNorm(33),
        fb.Tanh(), fb.Linear(33, 5),
    ),
    "batch norm": lambda: (fb.Linear(48, 30), fb.BatchNorm1d(30), fb.SiLU(), fb.Linear(30, 5)),
    "images": lambda: (
        fb.Conv2d(3, 4, 2), fb.BatchNorm2d(4), fb.ReLU(), fb.MaxPool2d(2), fb.Flatten(),
        fb.Linear(4, 20), fb.Tanh(), fb.Linear(20, 5),
    ),
}  # fmt: skip


class Trained:
    """A network and its optimiser after an epoch, with the losses and the scores that it kept."""

    def __init__(self, name, optimizer, dtype="float64", *, loss=None, zeros=0.0):
        rng = np.random.default_rng(11)
        self.loss = loss or fb.CrossEntropyLoss()
        shape = (3, 4, 4) if name == "images" else None
        self.net = fb.Sequential(*NETWORKS[name](), dtype=dtype, input_shape=shape, seed=2)
        self.x = rng.normal(size=(SAMPLES, FEATURES)) * (rng.random((SAMPLES, FEATURES)) >= zeros)
        self.x = self.x.astype(dtype)
        target = self.loss.example_target(rng, SAMPLES, CLASSES)
        self.target = self.loss.check_target(target, SAMPLES, CLASSES, self.net.dtype)
        self.order, self.optimizer = rng.permutation(SAMPLES), optimizer
        self.kept = np.full((SAMPLES, CLASSES), np.nan, dtype)

    def layered(self, factors=(1.0,) * 4, weights=None):
        """The specification."""
        self.losses = np.empty(len(factors))
        for step, factor in enumerate(factors):
            rows = self.order[step * BATCH : (step + 1) * BATCH]
            scores = self.net.forward(self.x[rows])
            self.kept[rows] = scores
            own = None if weights is None else weights[rows]
            self.losses[step], gradient = self.loss.compute(scores, self.target[rows], own)
            self.net.backward(gradient)
            self.optimizer.step(self.net, factor)
        return self

    def fused(self, threads=1, weights=None, **given):
        """On the engine."""
        settings = self.loss, self.optimizer, BATCH, threads, weights
        engine = Engine(self.net, self.x, self.target, 1.0, *settings)
        self.losses = engine.epoch(self.order, lambda steps, loss: False, **given)
        return self

    def results(self):
        """All that came of it."""
        return self.net.params, self.net.buffers, self.losses, self.kept, *self.optimizer.memory


@for_each(
    ("name", "optimizer", "dtype"),
    parts.pairs(NETWORKS, parts.OPTIMIZERS, TOLERANCE),
    by=("dtype",),
)
def test_factors_of_the_rate_and_kept_scores_are_the_layered_ones(name, optimizer, dtype):
    make = parts.OPTIMIZERS[optimizer]
    slow = Trained(name, make(), dtype).layered(FACTORS)
    fast, shared = Trained(name, make(), dtype), Trained(name, make(), dtype)
    agree(fast.fused(factors=FACTORS, kept=fast.kept), slow, dtype)
    same(shared.fused(2, factors=FACTORS, kept=shared.kept), fast)
    assert fast.optimizer.lr == make().lr


@pytest.mark.parametrize("name", NETWORKS)
def test_factors_of_one_and_kept_scores_change_nothing(name):
    made = [Trained(name, fb.SGD(0.1)) for _ in range(2)]
    given = {"factors": np.ones(4), "kept": np.empty_like(made[0].kept)}
    same(made[0].fused(), made[1].fused(**given))


def test_factors_where_zeros_of_the_data_are_left_out():
    slow = Trained("one layer", fb.SGD(0.1), zeros=0.97).layered(FACTORS)
    fast = Trained("one layer", fb.SGD(0.1), zeros=0.97)
    agree(fast.fused(factors=FACTORS, kept=fast.kept), slow)


@fb.loss
def distance(x, label):
    """A user's own loss, of classes."""
    total = 0.0
    for j in range(len(x)):
        total += (x[j] - x[label] + 1) ** 2
    return total


@distance.gradient
def distance_gradient(x, label, dx):
    """Of the same."""
    total = 0.0
    for j in range(len(x)):
        dx[j] = 2 * (x[j] - x[label] + 1)
        total += dx[j]
    dx[label] -= total


@for_each(
    ("name", "loss", "dtype"),
    parts.pairs(NETWORKS, [*parts.LOSSES, "a user's own"], TOLERANCE),
    by=("dtype",),
)
def test_weights_of_samples_are_the_layered_ones(backend, name, loss, dtype):
    make = (parts.LOSSES | {"a user's own": distance})[loss]
    if make is distance and backend == "cython":
        pytest.skip("only Numba fuses what users wrote")
    slow = Trained(name, fb.SGD(0.01), dtype, loss=make()).layered(weights=WEIGHTS)
    fast, shared = (Trained(name, fb.SGD(0.01), dtype, loss=make()) for _ in range(2))
    agree(fast.fused(weights=WEIGHTS, kept=fast.kept), slow, dtype)
    same(shared.fused(2, weights=WEIGHTS, kept=shared.kept), fast)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_one_change_nothing_and_those_of_0_move_nothing(name):
    plain, ones, none = (Trained(name, fb.SGD(0.1)) for _ in range(3))
    before = none.net.params.copy()
    same(ones.fused(weights=np.ones(SAMPLES)), plain.fused())
    none.fused(weights=np.zeros(SAMPLES))
    np.testing.assert_array_equal(none.losses, np.zeros(4))
    np.testing.assert_array_equal(none.net.params, before)


def test_a_rate_changed_by_hand_counts_below_the_factors():
    by_factor, by_hand = (Trained("rows", fb.Adam(0.004)) for _ in range(2))
    by_hand.optimizer.lr = 0.002
    by_hand.fused(factors=np.ones(4))
    same(by_factor.fused(factors=np.full(4, 0.5)), by_hand)
