"""PyTorch's modules in and out: networks of them, their state dicts, and their training in place.

>>> net = fb.torch.from_torch(module)
>>> history = fb.torch.fit(module, x, y)
"""

from ._extras import check_version as _check_version

_LEAST = (2, 0)

_check_version("fastbp.torch", "PyTorch", "torch", "torch", _LEAST)

from .interop.torch import (  # noqa: E402 - what it needs comes first
    Residual,
    Scale,
    Standardize,
    fit,
    from_torch,
    load_state_dict,
    save,
    state_dict,
    to_torch,
)

__all__ = [
    "Residual",
    "Scale",
    "Standardize",
    "fit",
    "from_torch",
    "load_state_dict",
    "save",
    "state_dict",
    "to_torch",
]
