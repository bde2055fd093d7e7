"""Epochs that go on from what an engine holds, and steps whose penalties differ."""

import numpy as np
import pytest

import fastbp as fb
from fastbp.engine.epochs import Engine
from fastbp.optimizers.limits import Limits

pytestmark = pytest.mark.usefixtures("backend")

SAMPLES, BATCH = 37, 10
X = np.random.default_rng(0).normal(size=(SAMPLES, 12))
Y = np.random.default_rng(1).integers(0, 5, SAMPLES)


def started(l2=0.1):
    """A network and its engine, with Adam and BatchNorm, which remember things."""
    net = fb.Sequential(
        fb.Linear(12, 30), fb.BatchNorm1d(30), fb.Tanh(), fb.Linear(30, 5), dtype="float64"
    )
    return net, engine_of(net, fb.Adam(0.01), l2)


def engine_of(net, optimizer, l2):
    numbers = net, X, Y, 1.0, fb.CrossEntropyLoss(), optimizer, BATCH, 2
    return Engine(*numbers, limits=Limits(l2=l2))


def run(engine, epoch, **options):
    order = np.random.default_rng(epoch).permutation(SAMPLES)
    return engine.epoch(order, lambda steps, loss: False, **options)


def test_held_epochs_are_bit_for_bit_those_that_are_not():
    net, engine = started()
    other, holding = started()
    losses = [run(engine, epoch) for epoch in range(4)]
    with holding.hold():
        found = []
        for epoch in range(3):
            found.append(run(holding, epoch))
            assert not np.array_equal(other.params, net.params)
        at_first = other.params.copy()
        holding.show()
        shown = other.params.copy(), other.buffers.copy()
        with pytest.raises(ValueError, match="read-only"):
            other.params[0] = 0
    assert not np.array_equal(at_first, shown[0])
    np.testing.assert_array_equal(other.params, shown[0])
    np.testing.assert_array_equal(other.buffers, shown[1])
    found.append(run(holding, 3))
    np.testing.assert_array_equal(found, losses)
    np.testing.assert_array_equal(other.params, net.params)
    np.testing.assert_array_equal(other.buffers, net.buffers)
    assert holding.task.optimizer.steps == engine.task.optimizer.steps == 16
    for one, two in zip(holding.task.optimizer.memory, engine.task.optimizer.memory, strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_ends_it_leaves_the_network_as_trained():
    net, engine = started()
    start = net.params.copy()

    def interrupted():
        with engine.hold():
            run(engine, 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not np.array_equal(net.params, start)
    assert not engine.held
    net.params[0] = 0


@pytest.mark.parametrize("penalties", [[0.1] * 4, [0.1, 0.1, 0.1, 0.3], [0.5, 0.0, 0.2, 0.2]])
def test_each_step_has_its_penalty(penalties):
    net, engine = started()
    other, single = started()
    losses = run(engine, 0, penalties=np.array(penalties))
    order, found = np.random.default_rng(0).permutation(SAMPLES), []
    for step, l2 in enumerate(penalties):
        single = engine_of(other, single.task.optimizer, l2)
        rows = order[step * BATCH : (step + 1) * BATCH]
        found += [*single.epoch(rows, lambda steps, loss: False)]
    np.testing.assert_allclose(losses, found, rtol=1e-12)
    np.testing.assert_allclose(net.params, other.params, rtol=1e-9, atol=1e-12)
