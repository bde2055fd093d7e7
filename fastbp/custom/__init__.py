"""Activations and losses that users write: a value, and its gradient by hand, as plain functions.

    @fb.activation
    def swish(x):
        return x / (1 + math.exp(-x))

    @swish.gradient
    def swish_gradient(x, y):            # dy/dx from input and output
        s = 1 / (1 + math.exp(-x))
        return y + s * (1 - y)

``swish()`` then is a layer. An activation is a function of one number; a loss is one of a row of
scores and its class (or row of values). The gradient is compared with numeric derivatives when it
is defined. The numba backend compiles both, and its engine calls them; the others call them as they
stand.
"""

from .activations import DEFINED as DEFINED
from .activations import UserActivation as UserActivation
from .activations import activation as activation
from .defined import GradientError as GradientError
from .losses import UserLoss as UserLoss
from .losses import loss as loss
