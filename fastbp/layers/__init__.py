"""The layers. Each is its mathematics, forward and backward, on the kernels of the active backend.

Whatever a module names in its ``__all__`` is there: a new layer is a class in one of them.
"""

from typing import TYPE_CHECKING

from fastbp._hints import missing
from fastbp.kernels.numbers import is_elementwise, is_norm

from .activations import *
from .base import *
from .base import Layer
from .batch_norm import *
from .convolution import *
from .dense import *
from .dropout import *
from .flatten import *
from .normalization import *
from .pooling import *
from .residual import *
from .rowwise import *
from .smooth import *
from .standardize import *

# By class name, in the order of their kinds: what files may name and engines run.
BUILT_IN: dict[str, type[Layer]] = {
    layer.__name__: layer
    for _, _, layer in sorted(
        (value.kind, value.__name__, value)
        for value in list(vars().values())
        if isinstance(value, type) and issubclass(value, Layer) and value.kind is not None
    )
}

# By the names that the command line has for them: what goes between dense layers.
ACTIVATIONS: dict[str, type[Layer]] = {
    layer.name: layer
    for layer in BUILT_IN.values()
    if layer.kind is not None and is_elementwise(layer.kind)
}

# What may go between a dense layer and its activation, likewise.
NORMALIZATIONS: dict[str, type[Layer]] = {
    layer.name: layer
    for layer in BUILT_IN.values()
    if layer.kind is not None and is_norm(layer.kind) and layer.name
}

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.layers")
