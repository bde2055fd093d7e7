"""The kernels, and an engine that runs whole epochs, as plain loops that Numba compiles.

Everything runs without the GIL and is compiled when first called, for the processor at hand; the
machine code is kept on disk (see cache.py). A module has the name of its native twin, but for jit,
pointers, vectors, user_code and cache, which are Numba's alone. The contract's names, which stand
in fastbp.kernels, are gathered here; nothing is checked in here.
"""

import importlib

from fastbp.kernels import ENGINE, KERNELS, USER_CODE

CAPABILITIES = frozenset({"engine", "images", "user_code"})

_NAMES = KERNELS.keys() | ENGINE.keys() | USER_CODE.keys()
_MODULES = (
    "activations batch conv2d dense dropout epoch layout losses normalization pooling rowwise "
    "shortcut updates user_code"
)

for _module in _MODULES.split():
    _found = vars(importlib.import_module(f".{_module}", __name__))
    globals().update({name: _found[name] for name in _NAMES & _found.keys()})
