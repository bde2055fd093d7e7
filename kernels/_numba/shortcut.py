"""The sum that a shortcut ends in: what layers put out, and what went into them."""

from .jit import core, jit
from .pointers import pointer


@core
def sum_of(x, z, y, n):
    """y = x + z; y may be either."""
    for i in range(n):
        y[i] = x[i] + z[i]


@jit
def add(x, z, y):
    """y = x + z"""
    sum_of(pointer(x), pointer(z), pointer(y), x.size)
