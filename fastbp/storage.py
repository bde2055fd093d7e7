"""Saving and loading networks, one or several: a .safetensors file holds architecture and numbers.

The file is data only: loading executes nothing. The architecture is JSON in the file's metadata,
beside the word for what the scores mean and the Table of the columns that became inputs, where
``fit`` wrote them on the network, and so is the state of layers that have one, as the step of a
Dropout, which its next mask comes from. The tensors are named "<layer>.<parameter>", like "0.w"
(inputs, outputs) and "0.b"; inside a Residual like "2.0.w". Those of buffers are named likewise.

The file of an Ensemble, version 2, has a list of architectures and of states, and its tensors begin
with the number of their network: "1.0.w" is the first layer's of the second.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import numpy as np

from . import datasets
from ._above import Above
from ._files import StrPath, naming, open_regular, write_atomically
from .custom import DEFINED
from .ensemble import MOST_NETWORKS, Ensemble
from .layers import BUILT_IN, Layer
from .layers.data import as_data, from_data
from .layers.initializers import Nothing
from .layers.nesting import named_layers
from .layers.sizes import MOST_BYTES
from .network import Sequential

FORMAT = "fastbp"
VERSION, OF_SEVERAL = "1", "2"  # of a network's file, and of an ensemble's
MOST_HEADER = 10_000_000  # bytes: a thousand layers need a hundredth
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "I32": "int32", "I64": "int64"}
# What a file whose parts have the wrong types or values may make of itself.
PROBLEMS = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


def save(net: Sequential | Ensemble, path: StrPath) -> None:
    """Write a network, or all of an ensemble, to a file: whole, or not at all."""
    data = to_bytes(net)
    write_atomically(path, lambda file: file.write(data))


Above.save = save


def to_bytes(net: Sequential | Ensemble) -> bytes:
    """A network's file, or an ensemble's."""
    tensors, metadata = described(net)
    # safetensors takes no empty file: a network without parameters has one empty tensor
    return packed(tensors or {"none": np.zeros(0, net.dtype)}, metadata)


def described(net: Sequential | Ensemble) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All numbers of a network, or of an ensemble's, by their names; and what it is besides."""
    import json

    several, nets = isinstance(net, Ensemble), named(net)
    tensors = {
        f"{place}{name}.{array}": getattr(layer, array)
        for place, each in nets.items()
        for name, layer in named_layers(each.layers)
        for array in tensor_shapes(layer)
    }
    rows = [[as_data(layer) for layer in each.layers] for each in nets.values()]
    metadata = {
        "format": FORMAT,
        "version": OF_SEVERAL if several else VERSION,
        "dtype": str(net.dtype),
        "architecture": json.dumps(rows if several else rows[0]),
    }
    if net.meaning is not None:
        metadata["meaning"] = str(net.meaning)
    if net.table is not None:
        metadata["table"] = json.dumps(net.table.as_data(), allow_nan=False)
    if net.input_shape is not None:
        metadata["input_shape"] = json.dumps(net.input_shape)
    states = [_states(each) for each in nets.values()]
    if any(states):
        metadata["state"] = json.dumps(states if several else states[0])
    return tensors, metadata


def named(net: Sequential | Ensemble) -> dict[str, Sequential]:
    """A network, or all of an ensemble, by how the names of their tensors begin."""
    return dict(_named([*net])) if isinstance(net, Ensemble) else {"": net}


def _named(each: list[Any]) -> list[tuple[str, Any]]:
    """Networks, and how the names of their tensors begin."""
    return [(f"{number}.", one) for number, one in enumerate(each)]


def _states(net: Sequential) -> dict[str, Any]:
    """The state of layers that have one, by their names."""
    states = {name: layer.state() for name, layer in named_layers(net.layers)}
    return {name: state for name, state in states.items() if state}


def tensor_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Name and shape of a layer's arrays, which are the tensors of a file."""
    return layer.parameter_shapes() | layer.buffer_shapes()


def packed(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A safetensors file, its JSON header in order, so that equal networks make equal files.

    safetensors writes metadata in whatever order its hash table has. The header's size comes first,
    as 8 bytes, little end first; offsets count from the header's end, so they stay.
    """
    import json

    from safetensors.numpy import save as to_safetensors

    data = to_safetensors(tensors, metadata)
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":"))
    text = header.encode().ljust(-(-len(header.encode()) // 8) * 8)
    return b"".join([len(text).to_bytes(8, "little"), text, memoryview(data)[8 + size :]])


def load(
    path: StrPath, layers: Iterable[type[Layer]] = (), most_bytes: int = MOST_BYTES
) -> Sequential | Any:
    """Read a network, or an ensemble, that ``save`` wrote.

    A network with parameters that are NaN or infinite is read too, with a warning that counts them.

    Parameters
    ----------
    path : path
        A .safetensors file.
    layers : iterable of Layer subclasses
        Your own layer types that the network uses, found by their class names. Activations
        that ``fb.activation`` defined are known already.
    most_bytes : int
        What one sample may take on its way through the layers, as in ``Sequential``: above it the
        file is refused.

    Returns
    -------
    Sequential or Ensemble

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or holds no fastbp network, or is no file but a pipe or a device; the
        message has the path and the reason.

    Examples
    --------
    >>> net.save("net.safetensors")
    >>> np.array_equal(fb.load("net.safetensors").scores(x), net.scores(x))
    True
    """
    layers = tuple(layers)
    if wrong := [
        each for each in layers if not (isinstance(each, type) and issubclass(each, Layer))
    ]:
        raise TypeError(f"layers: expected Layer subclasses, got {wrong[0]!r:.60}")
    with naming(path), open_regular(path) as file:
        try:
            loaded = from_file(file, layers, most_bytes)
        except PROBLEMS as problem:
            hint = "; fb.onnx.load reads ONNX models" if str(path).endswith(".onnx") else ""
            raise ValueError(f"{unloadable(path, problem)}{hint}") from problem
    warn_of_odd(loaded, path)
    return loaded


def unloadable(path: StrPath, problem: BaseException) -> str:
    """What is wrong with a file, in words."""
    reason = f"{problem} is missing" if isinstance(problem, KeyError) else problem
    return f"{path}: cannot load a network: {reason}"


def warn_of_odd(loaded: Sequential | Ensemble, path: StrPath) -> None:
    """Count the parameters that are NaN or infinite, for whoever called the caller."""
    nets = [loaded] if isinstance(loaded, Sequential) else [*loaded]
    for what, vectors in (
        ("parameters", [net.params for net in nets]),
        ("numbers in buffers", [net.buffers for net in nets]),
    ):
        size = sum(numbers.size for numbers in vectors)
        if odd := size - sum(np.count_nonzero(np.isfinite(numbers)) for numbers in vectors):
            warnings.warn(
                f"{path}: {odd:,} of {size:,} {what} are NaN or infinite",
                RuntimeWarning,
                stacklevel=3,
            )


Above.load = load


def from_file(
    file: BinaryIO, layers: Iterable[type[Layer]], most_bytes: int
) -> Sequential | Ensemble:
    """What a file says, compared with what it holds before anything is allocated for it."""
    header = read_header(file)
    metadata = header.pop("__metadata__", {})
    if metadata.get("format") != FORMAT:
        raise ValueError("it holds no fastbp network")
    return made_of(metadata, header, lambda: read_tensors(file), layers, most_bytes)


def made_of(
    metadata: dict[str, str],
    header: dict[str, Any],
    read: Callable[[], dict[str, np.ndarray]],
    layers: Iterable[type[Layer]] = (),
    most_bytes: int = MOST_BYTES,
) -> Sequential | Ensemble:
    """What ``described`` told of; its tensors are read when the header's shapes and dtypes fit."""
    import json

    known = BUILT_IN | DEFINED | {layer.__name__: layer for layer in layers}
    version, rows = metadata.get("version"), json.loads(metadata["architecture"])
    if version == OF_SEVERAL:
        if not isinstance(rows, list) or not all(isinstance(each, list) for each in rows):
            raise ValueError("expected a list of networks, each a list of layers")
        if not 1 <= len(rows) <= MOST_NETWORKS:
            raise ValueError(f"expected 1 to {MOST_NETWORKS} networks, got {len(rows)}")
        nets, states = dict(_named(rows)), list[Any]([{}] * len(rows))
        if "state" in metadata:
            states = json.loads(metadata["state"])
    elif version == VERSION:
        nets, states = {"": rows}, [json.loads(metadata.get("state", "{}"))]
    else:
        raise ValueError(f"its format version is {version!r}, not {VERSION!r} or {OF_SEVERAL!r}")
    parts = {place: [from_data(row, known) for row in rows] for place, rows in nets.items()}
    _check_tensors(parts, header, metadata["dtype"])
    tensors, found = read(), []
    table = json.loads(metadata.get("table", "null"))
    made = None if table is None else datasets.Table.from_data(table)
    for (place, each), state in zip(parts.items(), states, strict=True):
        net = Sequential(
            *each,
            input_shape=json.loads(metadata.get("input_shape", "null")),
            init=Nothing(),
            dtype=metadata["dtype"],
            most_bytes=most_bytes,
        )
        net.meaning, net.table = metadata.get("meaning"), made
        _fill(net, place, tensors, state)
        found.append(net)
    return Ensemble(found) if version == OF_SEVERAL else found[0]


def _fill(
    net: Sequential, place: str, tensors: dict[str, np.ndarray], states: dict[str, Any]
) -> None:
    """Give a network its numbers, which fit, and its layers their states."""
    layers = dict(named_layers(net.layers))
    for name, layer in layers.items():
        for array in tensor_shapes(layer):
            getattr(layer, array)[...] = tensors[f"{place}{name}.{array}"]
    for name, state in states.items():
        layers[name].set_state(state)


def read_header(file: BinaryIO) -> dict[str, Any]:
    """What the file says of itself, of which its length is true."""
    import json

    held = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(8)
    size = int.from_bytes(start, "little")
    if len(start) < 8 or size > held - 8:
        raise ValueError("not a whole safetensors file: it ends within its header")
    if size > MOST_HEADER:
        raise ValueError(f"its header has {size:,} bytes; expected at most {MOST_HEADER:,}")
    try:
        header = json.loads(file.read(size))
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"not a whole safetensors file ({problem})") from problem
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ValueError("not a whole safetensors file: its header is no table")
    ends = [row["data_offsets"][1] for name, row in header.items() if name != "__metadata__"]
    if max(ends, default=0) != held - 8 - size:
        raise ValueError("not a whole safetensors file: it is not as long as its header says")
    return header


def read_tensors(file: BinaryIO) -> dict[str, np.ndarray]:
    """What the file holds."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    file.seek(0)
    try:
        return from_bytes(file.read())
    except SafetensorError as problem:
        raise ValueError(f"not a whole safetensors file ({problem})") from problem


def _check_tensors(networks: dict[str, list[Layer]], tensors: dict[str, Any], dtype: str) -> None:
    """Compare with the architectures before anything is allocated for it."""
    shapes = {
        f"{place}{name}.{array}": shape
        for place, layers in networks.items()
        for name, layer in named_layers(layers)
        for array, shape in tensor_shapes(layer).items()
    } or {"none": (0,)}
    if set(shapes) != set(tensors):
        odd = ", ".join(sorted(set(shapes) ^ set(tensors)))
        raise ValueError(f"its tensors do not fit its architecture ({odd})")
    for name, shape in shapes.items():
        written = tensors[name]
        found, kind = tuple(written["shape"]), DTYPES.get(written["dtype"], written["dtype"])
        if found != shape or kind != dtype:
            raise ValueError(f"tensor {name}: expected {dtype} {shape}, got {kind} {found}")
