"""Optimisers: how the parameters follow the gradient.

Conventions are PyTorch's: weight decay adds decay·θ to the gradient (AdamW shrinks θ instead), and
momentum collects gradients, not steps. Rates and all other numbers may be changed at any time; they
are checked like the constructor's, and count from the next step on.

What an optimiser remembers belongs to the network that it steps: for another network it starts
afresh. ``reset`` forgets it. A pickled or copied optimiser keeps what it remembers, for the first
network that it steps then.

Whatever a module names in its ``__all__`` is there: a new optimiser is a class in one of them.
"""

from typing import TYPE_CHECKING

from fastbp._hints import missing

from .adam import *
from .adaptive import *
from .base import *
from .base import Optimizer
from .gradients import *
from .sgd import *

# What engines know, by class name.
BUILT_IN: dict[str, type[Optimizer]] = {
    value.__name__: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
}

# Those of them that take steps, by the names that text has for them.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    value.name: value for value in BUILT_IN.values() if value.name
}

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.optimizers")
