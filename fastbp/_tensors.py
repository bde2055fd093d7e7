"""PyTorch's tensors as arrays. Nothing imports it here: who has a tensor, has it."""

import sys
from typing import Any

import numpy as np


def is_tensor(a: object) -> bool:
    """Whether it is one of PyTorch's tensors."""
    torch = sys.modules.get("torch")
    kind = None if torch is None else vars(torch).get("Tensor")  # which may just be imported
    return kind is not None and isinstance(a, kind)


def is_module(a: object) -> bool:
    """Whether it is one of PyTorch's modules."""
    nn = sys.modules.get("torch.nn")
    kind = None if nn is None else vars(nn).get("Module")
    return kind is not None and isinstance(a, kind)


def numbers_of(tensor: Any, name: str) -> np.ndarray:
    """A tensor's numbers, shared where they can be, whether or not it requires a gradient.

    Raises
    ------
    TypeError
        If it has none (on the device "meta"), or has them elsewhere, or not all of them (sparse).
    """
    device, layout = tensor.device.type, str(tensor.layout)
    if device == "meta":
        raise TypeError(
            f"{name}: got a tensor on the device 'meta', which has a shape and no numbers; make it "
            "on the CPU, device='cpu'"
        )
    if device != "cpu":
        raise TypeError(f"{name}: got a tensor on {tensor.device}; bring it here, x.cpu()")
    if layout != "torch.strided" or tensor.is_nested:
        raise TypeError(
            f"{name}: got a {'nested' if tensor.is_nested else 'sparse'} tensor ({layout}); pass "
            "all of its numbers, x.to_dense() or x.to_padded_tensor(0)"
        )
    tensor = tensor.detach().resolve_conj().resolve_neg()
    try:
        numbers: np.ndarray = tensor.numpy()
    except TypeError:  # NumPy has no bfloat16 and nothing shorter than float16
        if not tensor.is_floating_point():
            raise TypeError(
                f"{name}: got a tensor of {tensor.dtype}; convert it, x.float() or x.dequantize()"
            ) from None
        numbers = tensor.float().numpy()
    return numbers
