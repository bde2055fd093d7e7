"""PyTorch's modules as networks and back, their state dicts, and their training by fastbp."""

from .convert import from_torch, to_torch
from .fit import fit
from .modules import Residual, Scale, Standardize
from .states import load_state_dict, save, state_dict

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
