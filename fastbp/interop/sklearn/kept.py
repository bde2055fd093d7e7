"""Networks and engines that are kept for the next fit or prediction of the same shape."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from fastbp.engine.epochs import Engine
from fastbp.network import Sequential

MOST_KEPT, LARGEST_KEPT = 8, 1 << 23  # networks that nobody uses, and bytes of one with its engine


class Kept:
    """A network whose numbers are about to be set, and what trained it last.

    Attributes
    ----------
    engine : Engine or None
        It can train again what is alike in ``trains``.
    """

    def __init__(self, shape: Hashable, net: Sequential) -> None:
        self.shape, self.net = shape, net
        self.engine: Engine | None = None
        self.trains: Hashable = None

    def bytes(self) -> int:
        """How much memory it takes."""
        own = 2 * self.net.params.nbytes
        return own if self.engine is None else own + self.engine.settings.space.work.nbytes


_idle: deque[Kept] = deque(maxlen=MOST_KEPT)
_one_at_a_time = threading.Lock()


@contextmanager
def lent(shape: Hashable, make: Callable[[], Sequential]) -> Iterator[Kept]:
    """A network of this shape that nobody else uses meanwhile.

    A small network costs more to make than to train for an epoch. What an error leaves behind is
    not kept, nor what has a shape of None.
    """
    kept = _taken(shape) or Kept(shape, make())
    yield kept
    if shape is not None and kept.bytes() <= LARGEST_KEPT:
        with _one_at_a_time:
            _idle.append(kept)


def _taken(shape: Hashable) -> Kept | None:
    """The last of this shape that was given back, if there is one."""
    with _one_at_a_time:
        for kept in reversed(_idle):
            if kept.shape == shape:
                _idle.remove(kept)
                return kept
    return None
