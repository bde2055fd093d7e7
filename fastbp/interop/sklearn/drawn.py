"""What fits draw from a seed, remembered: all fits of a search begin with the same numbers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from sklearn.utils import check_random_state

MOST_KEPT, LARGEST_KEPT = 1 << 23, 1 << 20  # bytes of all that is remembered, and of one draw
SEEDS = 1 << 32

Arrays = tuple[np.ndarray, ...]
Way = Callable[..., Arrays]  # of drawing from a generator


class _Drawn(NamedTuple):
    arrays: Arrays
    place: object  # what is drawn after it is known by

    def bytes(self) -> int:
        """How much memory it takes."""
        return sum(array.nbytes for array in self.arrays)


class Draws:
    """The random numbers of one fit, as scikit-learn draws them from a ``random_state``.

    A seed gives the same numbers in each fit. They are looked up, and its generator, whose making
    takes as long as an epoch of a small table, is made for what no fit has drawn yet. All arrays
    are read-only.
    """

    def __init__(self, random_state: Any) -> None:
        self.remembers = type(random_state) is int and 0 <= random_state < SEEDS
        self.seed = random_state
        self.made = None if self.remembers else check_random_state(random_state)
        self.past: list[tuple[Way, tuple[Any, ...]]] = []
        self.place: object = random_state

    def layers(self, sizes: tuple[int, ...], gain: float) -> Arrays:
        """The weights and biases that a network starts from: layer by layer, w before b."""
        return self._draw(_layers, sizes, gain)

    def orders(self, epochs: int, before: np.ndarray) -> np.ndarray:
        """Those of the samples in the next epochs, (epochs, n): the last one is shuffled again."""
        return self._draw(_orders, epochs, len(before), own=before)[0]

    def generator(self) -> RandomState:
        """Of all that is drawn from here on, of which nothing is remembered."""
        self.remembers = False
        return self._generator()

    def _draw(self, way: Way, *given: Hashable, own: Any = None) -> Arrays:
        """What a way draws with what it is given, and its own that follows from what was drawn."""
        key = self.place, way, given
        known = _remembered(key) if self.remembers else None
        if known is None:
            known = _Drawn(way(self._generator(), *given, own), object())
            for array in known.arrays:
                array.flags.writeable = False
            if self.remembers:
                _remember(key, known)
        else:
            self.made = None  # which is behind now
        self.past.append((way, given))
        self.place = known.place
        return known.arrays

    def _generator(self) -> RandomState:
        if self.made is None:
            self.made = RandomState(self.seed)
            for way, given in self.past:
                way(self.made, *given, None)
        return self.made


def _layers(rng: RandomState, sizes: tuple[int, ...], gain: float, _: None) -> Arrays:
    found = []
    for inputs, outputs in pairwise(sizes):
        bound = np.sqrt(gain / (inputs + outputs))
        found += [rng.uniform(-bound, bound, shape) for shape in ((inputs, outputs), outputs)]
    return tuple(found)


def _orders(rng: RandomState, epochs: int, n: int, before: np.ndarray | None) -> Arrays:
    unshuffled, found = np.arange(n), np.empty((epochs, n), np.int64)
    before = unshuffled if before is None else before
    for order in found:
        places = unshuffled.copy()
        rng.shuffle(places)
        before = before.take(places, out=order, mode="clip")  # which needs no buffer
    return (found,)


_kept: OrderedDict[Hashable, _Drawn] = OrderedDict()  # by what was drawn before, and what now
_bytes = 0  # of all of them
_one_at_a_time = threading.Lock()


def _remembered(key: Hashable) -> _Drawn | None:
    with _one_at_a_time:
        known = _kept.get(key)
        if known is not None:
            _kept.move_to_end(key)
        return known


def _remember(key: Hashable, drawn: _Drawn) -> None:
    global _bytes
    if drawn.bytes() > LARGEST_KEPT:
        return
    with _one_at_a_time:
        if key in _kept:  # by another thread, meanwhile
            return
        _kept[key] = drawn
        _bytes += drawn.bytes()
        while _bytes > MOST_KEPT:
            _bytes -= _kept.popitem(last=False)[1].bytes()
