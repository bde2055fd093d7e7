"""Writing a network, or an ensemble, as an ONNX model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import onnx
from onnx import GraphProto, ModelProto, helper

from fastbp import storage
from fastbp._checks import as_count
from fastbp._files import StrPath, write_atomically
from fastbp._version import __version__
from fastbp.datasets import Classes
from fastbp.ensemble import Ensemble
from fastbp.interop.exported import networks_of
from fastbp.layers import Layer, Shape
from fastbp.network import Sequential

from . import answers, columns
from .graph import ML, Graph
from .layers import LAYERS
from .written import Site

DEFAULT = 18  # the opset that PyTorch's exporter writes
LEAST = 15  # since which BatchNormalization is what it is
ML_VERSION = 3
PREFIX = "fastbp."  # of our own metadata


def save(net: Sequential | Ensemble, path: StrPath, opset: int = DEFAULT) -> None:
    """Write a network, or an ensemble, as an ONNX model: whole, or not at all.

    Of numbers its one input is "x", (n, inputs) or (n, channels, height, width), of any n. Its
    outputs are "scores" and, where ``net.meaning`` says what they are, "probabilities" or "counts".

    Of a table there is an input for each column, (n, 1): float64 of numbers, NaN where missing;
    text of words, "" where missing. Outputs are "label" and "probabilities" of classes, by their
    names, "value" of values, in their unit and range, and "scores".

    Parameters
    ----------
    net : Sequential or Ensemble
        Of fastbp's own layers. Its dtype is that of the arithmetic; but of a float64 network,
        convolutions, mean pools and some activations are in float32: ONNX Runtime has no others.
    path : path
        Most end in .onnx.
    opset : int
        Version of ONNX's operators, 15 or later.

    Raises
    ------
    TypeError, ValueError
        If it is no network, or has a layer or a column that ONNX has no words for; or ``opset`` is
        older than 15 or newer than the installed onnx.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 16), fb.Tanh(), fb.Linear(16, 3))
    >>> fb.onnx.save(net, "net.onnx")
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession("net.onnx")
    >>> (scores,) = session.run(["scores"], {"x": x.astype("float32")})
    """
    data = model_of(net, opset).SerializeToString(deterministic=True)
    write_atomically(path, lambda file: file.write(data))


def model_of(net: Sequential | Ensemble, opset: int = DEFAULT) -> ModelProto:
    """The model that ``save`` writes."""
    nets = networks_of(net, "onnx.save")
    _check_opset(opset)
    graph = Graph(net.dtype, opset)
    if net.table is None:
        shape = net.input_shape or (net.inputs or "columns",)
        x = graph.input("x", net.dtype, shape)
    else:
        x = columns.write(graph, net.table)
    scores = [through(graph, one.layers, x, one.input_shape, place) for place, one in nets.items()]
    shape = next(iter(nets.values())).shapes[-1] or ("columns",)
    answers.write(graph, net, answers.together(graph, scores, net), shape)
    return _model(graph, net)


def _check_opset(opset: int) -> None:
    newest = onnx.defs.onnx_opset_version()
    if not LEAST <= as_count(opset, "opset") <= newest:
        raise ValueError(
            f"opset: expected {LEAST} to {newest}, which onnx {onnx.__version__} knows; got {opset}"
        )


def through(graph: Graph, layers: Iterable[Layer], x: str, shape: Shape | None, within: str) -> str:
    """Layers one after another; returns what comes out of the last."""
    for position, layer in enumerate(layers):
        name = f"{within}{position}"
        x = LAYERS[type(layer)].write(Site(graph, layer, name, shape, through), x)
        shape = layer.output_shape(shape)
    return x


def _model(graph: Graph, net: Sequential | Ensemble) -> ModelProto:
    """The model of a graph, with what ``load`` makes the same network of."""
    versions = [helper.make_opsetid("", graph.opset)]
    if any(node.domain == ML for node in graph.nodes):
        versions.append(helper.make_opsetid(ML, ML_VERSION))
    made = graph.made("fastbp")
    model = helper.make_model(
        made,
        opset_imports=versions,
        ir_version=helper.find_min_ir_version_for(versions),
        producer_name="fastbp",
        producer_version=__version__,
        doc_string=repr(net),
    )
    _, described = storage.described(net)
    own = {f"{PREFIX}{name}": value for name, value in described.items()}
    own[f"{PREFIX}graph"] = digest(made)
    if net.table is not None and isinstance(net.table.label, Classes):
        own["classes"] = json.dumps(net.table.label.names)
    helper.set_model_props(model, own)
    return model


def digest(graph: GraphProto) -> str:
    """A hash of a graph's nodes, which another program may change, and of what its inputs are."""
    parts = [*graph.node, *graph.input, *graph.output]
    whole = b"".join(part.SerializeToString(deterministic=True) for part in parts)
    return hashlib.sha256(whole).hexdigest()
