"""PyTorch's modules in and out: networks of them, their state dicts, and their training in place.

>>> net = fb.torch.from_torch(module)
>>> history = fb.torch.fit(module, x, y)
"""

from importlib.metadata import PackageNotFoundError as _NotFound
from importlib.metadata import version as _version

_LEAST = (2, 0)

try:
    _found = _version("torch")
except _NotFound:
    raise ModuleNotFoundError(
        "fastbp.torch needs PyTorch, which is not installed: pip install 'fastbp[torch]'"
    ) from None
if tuple(int(part) for part in _found.split(".")[:2]) < _LEAST:
    raise ImportError(
        f"fastbp.torch needs PyTorch 2.0 or later, found {_found}: "
        "pip install --upgrade 'fastbp[torch]'"
    )

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
