"""State dicts: a network's numbers by PyTorch's names, in memory and in safetensors files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch

from fastbp._arrays import as_array
from fastbp._checks import check_kind
from fastbp._files import StrPath, naming, open_regular, write_atomically
from fastbp.ensemble import Ensemble
from fastbp.layers import Layer
from fastbp.network import Sequential
from fastbp.storage import FORMAT, PROBLEMS, packed, read_header

from .arrays import all_names, read, shape_of, write
from .pairs import check_layers


class Keys(NamedTuple):
    """What ``load_state_dict`` did without, as PyTorch's returns it."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def state_dict(net: Sequential) -> dict[str, torch.Tensor]:
    """A network's numbers by PyTorch's names, in its order and layout.

    Parameters
    ----------
    net : Sequential

    Returns
    -------
    dict of torch.Tensor
        As ``to_torch(net).state_dict()``: "0.weight" is (outputs, inputs), inside a Residual it is
        "2.0.weight"; of BatchNorm there are "running_mean", "running_var" and
        "num_batches_tracked". New tensors.

    Raises
    ------
    TypeError
        If PyTorch has no module for a layer.

    Examples
    --------
    >>> module.load_state_dict(fb.torch.state_dict(net))
    """
    return {name: torch.from_numpy(array) for name, array in _numbers(net, "state_dict").items()}


def save(net: Sequential, path: StrPath) -> None:
    """Write a network's state dict to a safetensors file, whole, or not at all.

    It is read by ``safetensors.torch.load_file``, and by ``load_state_dict``.

    Parameters
    ----------
    net : Sequential
    path : path

    Raises
    ------
    TypeError
        If PyTorch has no module for a layer.
    ValueError
        If the network has no numbers.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> fb.torch.save(net, "module.safetensors")
    >>> import safetensors.torch
    >>> module.load_state_dict(safetensors.torch.load_file("module.safetensors"))
    """
    numbers = _numbers(net, "save")
    if not numbers:
        raise ValueError(f"save: {net!r} has no numbers, of which the file would be")
    data = packed(numbers, {"format": "pt"})
    write_atomically(path, lambda file: file.write(data))


def load_state_dict(
    net: Sequential, state: Mapping[str, Any] | StrPath, *, strict: bool = True
) -> Keys:
    """Give a network the numbers of a PyTorch module: of its state dict, or of a file of that.

    Nothing is changed where anything is refused.

    Parameters
    ----------
    net : Sequential
    state : dict of tensors or arrays, or path
        By PyTorch's names and in its layout; a path is that of a safetensors file.
    strict : bool
        Whether all names must be there, and no others.

    Returns
    -------
    Keys
        The pair of ``missing_keys`` and ``unexpected_keys``, both empty if strict.

    Raises
    ------
    ValueError
        If names are missing or unexpected, or a shape is another: all of them are named. If the
        file is none.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> fb.torch.load_state_dict(net, module.state_dict())
    >>> fb.torch.save(net, "module.safetensors")
    >>> fb.torch.load_state_dict(net, "module.safetensors")
    """
    check_kind(net, Sequential, "load_state_dict")
    check_layers(net.layers, "load_state_dict")
    if isinstance(state, (str, os.PathLike)):
        state = _read(state)
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict: expected a dict or a path, got {type(state).__name__}")
    known = all_names(net)
    missing = [name for name in known if name not in state]
    keys = Keys(missing, [name for name in state if name not in known])
    given = {
        name: as_array(state[name], f"load_state_dict: {name}") for name in known if name in state
    }
    faults = [*_odd_names(keys)] if strict else []
    faults += [fault for name, array in given.items() for fault in _odd(name, array, *known[name])]
    if faults:
        raise ValueError(f"load_state_dict: {'; '.join(faults)}")
    for name, array in given.items():
        write(*known[name], array)
    return keys


def _odd_names(keys: Keys) -> Iterator[str]:
    """What is wrong with the names."""
    for what, names in (("missing", keys.missing_keys), ("unexpected", keys.unexpected_keys)):
        if names:
            yield f"{what} {', '.join(map(str, names))}"


def _odd(name: str, array: np.ndarray, layer: Layer, here: str) -> Iterator[str]:
    """What is wrong with an array."""
    shape, is_count = shape_of(layer, here), here in layer.state()
    if array.shape != shape:
        yield f"{name}: expected shape {shape}, got {array.shape}"
    elif array.dtype.kind not in ("iu" if is_count else "fiu"):
        what = "a whole number" if is_count else "real numbers"
        yield f"{name}: expected {what}, got dtype {array.dtype}"
    elif is_count and array < 0:
        yield f"{name}: expected a number from 0 on, got {array}"


def _numbers(net: Sequential, who: str) -> dict[str, np.ndarray]:
    """All of a network's, by PyTorch's names."""
    if isinstance(net, Ensemble):
        raise TypeError(
            f"{who}: a state dict is of one network, and these are {len(net)}; take one of "
            "them, net[0], or train one alone (--ensemble 1)"
        )
    check_kind(net, Sequential, who)
    check_layers(net.layers, who)
    return {name: read(layer, here) for name, (layer, here) in all_names(net).items()}


def _read(path: StrPath) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, which is data and executes nothing."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    with naming(path), open_regular(path) as file:
        try:
            if read_header(file).get("__metadata__", {}).get("format") == FORMAT:
                raise ValueError("it holds a network of fastbp: write fb.load(path)")
            file.seek(0)
            found: dict[str, torch.Tensor] = load(file.read())
        except (*PROBLEMS, SafetensorError) as problem:
            raise ValueError(f"{path}: {problem}{_hint(file)}") from None
    return found


def _hint(file: BinaryIO) -> str:
    """What to do about a file of torch.save, which is a ZIP archive."""
    file.seek(0)
    if file.read(2) != b"PK":
        return ""
    return "; load the dict first, torch.load(path, weights_only=True), and give that"
