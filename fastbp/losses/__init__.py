"""The losses. Each call returns the loss and its gradient by the network's output, in one pass.

A loss is averaged over the batch, so its gradient is too: a learning rate means the same for every
batch size. Where samples have weights w, the mean is Σ w·l / Σ w.

Whatever a module names in its ``__all__`` is there: a new loss is a class in one of them.
"""

from operator import attrgetter
from typing import TYPE_CHECKING

from fastbp._hints import missing

from .base import *
from .base import Loss
from .classes import *
from .values import *

_BUILT_IN = [
    value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Loss) and value.kind is not None
]

# By the names that text has for them, in the order of their kinds.
LOSSES: dict[str, type[Loss]] = {
    loss.name: loss for loss in sorted(_BUILT_IN, key=attrgetter("kind"))
}

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.losses")
