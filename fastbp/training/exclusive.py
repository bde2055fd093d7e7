"""What may be trained: nothing twice at a time, in whichever thread, and nothing frozen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastbp.layers.nesting import lowest_trained
from fastbp.network import Sequential

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


def check_trainable(net: Sequential, name: str) -> None:
    """Refuse a network of which nothing would be trained; ``name`` is who would."""
    if not net.params.flags.writeable:
        raise ValueError(f"{name}: the network is frozen; train a copy of it, net.copy()")
    if net.params.size and lowest_trained(net.layers) == len(net.layers):
        raise ValueError(
            f"{name}: every layer with parameters is frozen (trainable = False), so that there is "
            "nothing to train; set trainable = True on one"
        )
