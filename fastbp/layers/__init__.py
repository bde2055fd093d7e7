"""The layers. Each is its mathematics, forward and backward, on the kernels of the active backend.

Whatever a module names in its ``__all__`` is there: a new layer is a class in one of them.
"""

from .activations import *
from .base import *
from .dense import *
from .dropout import *
from .images import *
