"""What fits draw is what a RandomState of their seed gives, whatever was remembered of others."""

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.9")

from fastbp.interop.sklearn import drawn
from fastbp.interop.sklearn.drawn import Draws

SIZES, N = (4, 3, 2), 7


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(drawn, "_kept", type(drawn._kept)())
    monkeypatch.setattr(drawn, "_bytes", 0)


def layers(of):
    """A network's start, from a RandomState or Draws."""
    if isinstance(of, Draws):
        return of.layers(SIZES, 6.0)
    shapes = ((4, 3), 3, 7), ((3, 2), 2, 5)
    return [of.uniform(-b, b, s) for *both, n in shapes for s in both for b in [np.sqrt(6 / n)]]


def orders(of, epochs, before):
    """Of epochs, from a RandomState or Draws."""
    if isinstance(of, Draws):
        return of.orders(epochs, before)
    found = []
    for _ in range(epochs):
        places = np.arange(N)
        of.shuffle(places)
        before = before[places]
        found.append(before)
    return np.array(found)


def drawn_by(of, epochs, then=0):
    """The start, the orders of so many epochs at a time, and numbers of the generator then."""
    found, order = list(layers(of)), np.arange(N)
    for count in epochs:
        found.append(orders(of, count, order))
        order = found[-1][-1]
    generator = of.generator() if isinstance(of, Draws) else of
    return [*found, generator.randint(1 << 30, size=then)]


@pytest.mark.parametrize("limit", [1 << 23, 200, 0])
def test_a_seed_gives_what_its_generator_does(monkeypatch, limit):
    monkeypatch.setattr(drawn, "MOST_KEPT", limit)
    ways = [((3, 2), 1), ((3, 2), 0), ((3, 1, 4), 2), ((), 3), ((3, 2, 1), 1), ((5,), 0), ((3,), 2)]
    for seed in (0, 1, 0, 2**32 - 1):
        for epochs, then in ways:
            expected = drawn_by(np.random.RandomState(seed), epochs, then)
            for ours, theirs in zip(drawn_by(Draws(seed), epochs, then), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert drawn._bytes == sum(each.bytes() for each in drawn._kept.values()) <= limit
    assert bool(drawn._kept) == (limit > 0)


def test_a_generator_of_ones_own_goes_on():
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    for _ in range(2):
        for one, other in zip(drawn_by(Draws(ours), (2,)), drawn_by(theirs, (2,)), strict=True):
            np.testing.assert_array_equal(one, other)
    assert ours.randint(1 << 30) == theirs.randint(1 << 30)
    assert not drawn._kept


def test_what_is_drawn_again_needs_no_generator(monkeypatch):
    first = drawn_by(Draws(5), (3, 2))
    monkeypatch.setattr(drawn, "RandomState", lambda seed: pytest.fail("it was drawn before"))
    again, order = Draws(5), np.arange(N)
    for one, other in zip(again.layers(SIZES, 6.0), first, strict=False):
        assert one is other
        assert not one.flags.writeable
    np.testing.assert_array_equal(again.orders(3, order), first[4])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_numpy_refuses_are_refused(seed):
    with pytest.raises(ValueError, match="Seed must be between 0"):
        Draws(seed)
