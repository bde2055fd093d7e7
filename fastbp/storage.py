"""Saving and loading networks: one .safetensors file holds architecture and parameters.

The file is data only: loading executes nothing. The architecture is JSON in the file's metadata;
the tensors are named "<layer>.<parameter>", like "0.w" (inputs, outputs) and "0.b".
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ._files import StrPath, write_atomically
from .custom import DEFINED
from .layers import BUILT_IN, Layer
from .network import Above, Sequential

FORMAT = "fastbp"
VERSION = "1"


def save(net: Sequential, path: StrPath) -> None:
    """Write a network to a file: whole, or not at all."""
    import json

    from safetensors.numpy import save as to_bytes

    tensors = {
        f"{position}.{name}": getattr(layer, name)
        for position, layer in enumerate(net.layers)
        for name in layer.parameter_shapes()
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": str(net.dtype),
        "architecture": json.dumps([describe(layer) for layer in net.layers]),
    }
    if net.input_shape is not None:
        metadata["input_shape"] = json.dumps(net.input_shape)
    # safetensors takes no empty file: a network without parameters has one empty tensor
    data = _with_sorted_header(to_bytes(tensors or {"none": np.zeros(0, net.dtype)}, metadata))
    write_atomically(path, lambda file: file.write(data))


Above.save = save


def describe(layer: Layer) -> dict[str, Any]:
    """A layer as plain data: its type's name and its settings."""
    return {"type": type(layer).__name__} | {name: getattr(layer, name) for name in layer.settings}


def _with_sorted_header(data: bytes) -> bytes:
    """The same file with its JSON header in order, so that equal networks make equal files.

    safetensors writes metadata in whatever order its hash table has. The header's size comes first,
    as 8 bytes, little end first; offsets count from the header's end, so they stay.
    """
    import json

    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":"))
    text = header.encode().ljust(-(-len(header.encode()) // 8) * 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def load(path: StrPath, layers: Iterable[type[Layer]] = ()) -> Sequential:
    """Read a network that ``Sequential.save`` wrote.

    Parameters
    ----------
    path : path
        A .safetensors file.
    layers : iterable of Layer subclasses
        Your own layer types that the network uses, found by their class names. Activations
        that ``fb.activation`` defined are known already.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or holds no fastbp network; the message has the path and the reason.
    """
    import json

    path = Path(path)
    with path.open("rb"):  # a missing or unreadable file is an OSError that names it
        pass
    try:
        metadata, tensors = _read(path)
        if metadata.get("format") != FORMAT:
            raise ValueError("it holds no fastbp network")
        if metadata.get("version") != VERSION:
            raise ValueError(f"its format version is {metadata.get('version')!r}, not {VERSION!r}")
        known = BUILT_IN | DEFINED | {layer.__name__: layer for layer in layers}
        parts = [_build_layer(row, known) for row in json.loads(metadata["architecture"])]
        _check_tensors(parts, tensors, metadata["dtype"])
        shape = json.loads(metadata.get("input_shape", "null"))
        net = Sequential(*parts, input_shape=shape, init="normal", dtype=metadata["dtype"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        reason = f"{problem} is missing" if isinstance(problem, KeyError) else problem
        raise ValueError(f"{path}: cannot load a network: {reason}") from problem
    for name, tensor in tensors.items():
        if name != "none":
            position, _, parameter = name.partition(".")
            getattr(net.layers[int(position)], parameter)[...] = tensor
    return net


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OverflowError, MemoryError) as problem:
        raise ValueError(f"not a whole safetensors file ({problem})") from problem


def _build_layer(row: dict[str, Any], known: dict[str, type[Layer]]) -> Layer:
    settings = dict(row)
    kind = settings.pop("type")
    if kind not in known:
        raise ValueError(
            f"unknown layer {kind!r}; known are {', '.join(known)}; define your own activations "
            "(@fb.activation) before, and pass your own layer types: load(path, layers=[...])"
        )
    return known[kind](**settings)


def _check_tensors(layers: list[Layer], tensors: dict[str, np.ndarray], dtype: str) -> None:
    """Compare with the architecture before anything is allocated for it."""
    shapes = {
        f"{position}.{name}": shape
        for position, layer in enumerate(layers)
        for name, shape in layer.parameter_shapes().items()
    } or {"none": (0,)}
    if set(shapes) != set(tensors):
        odd = ", ".join(sorted(set(shapes) ^ set(tensors)))
        raise ValueError(f"its tensors do not fit its architecture ({odd})")
    for name, shape in shapes.items():
        if tensors[name].shape != shape or str(tensors[name].dtype) != dtype:
            raise ValueError(
                f"tensor {name}: expected {dtype} {shape}, "
                f"got {tensors[name].dtype} {tensors[name].shape}"
            )
