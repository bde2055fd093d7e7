"""What is being trained at the moment, in whichever thread: nothing is trained twice at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_BUSY: dict[int, object] = {}  # id of a network or an optimiser -> the fit that has it
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_BUSY.clear)


@contextmanager
def exclusively(*things: Any) -> Iterator[None]:
    """Keep these to one call of fit; RuntimeError at once if another has one of them."""
    fit = object()
    try:
        for thing in things:
            if _BUSY.setdefault(id(thing), fit) is not fit:  # which no other thread can divide
                raise RuntimeError(
                    f"fit: {type(thing).__name__} is being trained already, by a fit that has not "
                    "ended; train a copy (net.copy(), and an optimiser of its own), or wait"
                )
        yield
    finally:
        for thing in things:
            if _BUSY.get(id(thing)) is fit:
                del _BUSY[id(thing)]
