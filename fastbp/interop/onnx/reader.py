"""Reading an ONNX model: what ``save`` wrote as it was, any other as a chain of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, external_data_helper

from fastbp import storage
from fastbp._files import StrPath, naming, open_regular
from fastbp.ensemble import Ensemble
from fastbp.layers.initializers import Nothing
from fastbp.layers.sizes import MOST_BYTES
from fastbp.network import Sequential

from .chain import OURS, Chain
from .evaluated import array_of
from .read import Found
from .writer import PREFIX, digest

LEAST = 9  # the first opset whose nodes mean what today's do
NAMES = {"float16": "F16", "float32": "F32", "float64": "F64"}  # as safetensors' headers have them


def load(path: StrPath, most_bytes: int = MOST_BYTES) -> Sequential | Ensemble:
    """Read an ONNX model that ``save`` wrote, or one that is a chain of layers that are here.

    What ``save`` wrote comes back as it was, an Ensemble and a table too, as long as no other
    program changed the graph. Of others, as PyTorch's exporter makes them, a chain of nodes becomes
    a Sequential, with sums that go around some of them (Residual). A Softmax at the end is left
    out, for then ``net.predict_proba`` is what it was; so is what follows it.

    Parameters
    ----------
    path : path
        Weights may be in other files beside it ("external data").
    most_bytes : int
        What one sample may take on its way through the layers, as in ``Sequential``.

    Returns
    -------
    Sequential or Ensemble

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no ONNX model, or of an opset before 9, or one that no layers of fastbp are; the
        message has the path, the node and its operator.

    Examples
    --------
    >>> net = fb.onnx.load("net.onnx")
    """
    with naming(path), open_regular(path) as file:
        data = file.read()
    try:
        model = _parsed(data)
        _read_beside(model, path)
        loaded = _own(model, most_bytes) or _other(model, most_bytes)
    except storage.PROBLEMS as problem:
        raise ValueError(storage.unloadable(path, problem)) from problem
    storage.warn_of_odd(loaded, path)
    return loaded


def _parsed(data: bytes) -> ModelProto:
    """The model, if it is one whose opset is known."""
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        model = ModelProto()
    if not model.graph.node:
        told = "fb.load reads what net.save wrote"
        raise ValueError(f"it is no ONNX model, or an empty one; {told}")
    if (opset := _opset(model)) < LEAST:
        raise ValueError(
            f"its opset is {opset}; expected {LEAST} or later, which "
            "onnx.version_converter.convert_version makes of it"
        )
    return model


def _opset(model: ModelProto) -> int:
    """The version of ONNX's own operators; the newest known where only others are named."""
    versions = [each.version for each in model.opset_import if each.domain in OURS]
    return versions[0] if versions else onnx.defs.onnx_opset_version()


def _read_beside(model: ModelProto, path: StrPath) -> None:
    """Read weights that are in other files, of the same folder."""
    said = (each.t for node in model.graph.node for each in node.attribute if each.HasField("t"))
    for tensor in (*model.graph.initializer, *said):
        if tensor.data_location == TensorProto.EXTERNAL:
            try:
                external_data_helper.load_external_data_for_tensor(tensor, str(Path(path).parent))
            except (OSError, onnx.checker.ValidationError, ValueError) as problem:
                where = {each.key: each.value for each in tensor.external_data}
                raise ValueError(
                    f"tensor {tensor.name!r} is in another file, {where.get('location')!r}, which "
                    f"cannot be read: {str(problem).splitlines()[0]}"
                ) from None
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]


def _own(model: ModelProto, most_bytes: int) -> Sequential | Ensemble | None:
    """What ``save`` wrote, if it did, and the graph is as it was."""
    said = {each.key: each.value for each in model.metadata_props}
    own = {key.removeprefix(PREFIX): v for key, v in said.items() if key.startswith(PREFIX)}
    if own.pop("graph", None) != digest(model.graph) or own.get("format") != storage.FORMAT:
        return None
    tensors = {each.name: each for each in model.graph.initializer if each.name[:1].isdigit()}
    header = {name: _header(tensor) for name, tensor in tensors.items()}

    def read() -> dict[str, np.ndarray]:
        return {name: array_of(tensor) for name, tensor in tensors.items()}

    nothing = {"none": {"shape": [0], "dtype": NAMES[own["dtype"]]}}
    return storage.made_of(own, header or nothing, read, most_bytes=most_bytes)


def _header(tensor: TensorProto) -> dict[str, Any]:
    kind = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    return {"shape": [*tensor.dims], "dtype": NAMES.get(kind, kind)}


def _other(model: ModelProto, most_bytes: int) -> Sequential:
    """The network of a graph that is a chain."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as problem:
        raise ValueError(f"no valid ONNX model: {str(problem).splitlines()[0]}") from None
    chain = Chain(model.graph, _opset(model))
    images = chain.input_shape is not None and len(chain.input_shape) == 3
    net = Sequential(
        *(found.layer for found in chain.found),
        input_shape=chain.input_shape if images else None,
        init=Nothing(),
        dtype=chain.dtype,
        most_bytes=most_bytes,
    )
    _fill(chain.found)
    net.meaning = chain.meaning
    return net


def _fill(found: list[Found] | tuple[Found, ...]) -> None:
    """Give layers their numbers."""
    for each in found:
        for name, array in each.arrays.items():
            setattr(each.layer, name, array)
        _fill(each.inside)
