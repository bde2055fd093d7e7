"""Networks as ONNX models, which other programs run; and the way back.

>>> fb.onnx.save(net, "net.onnx")
>>> net = fb.onnx.load("net.onnx")
"""

from importlib.util import find_spec as _find_spec

from ._extras import missing as _missing

if _find_spec("onnx") is None:
    raise _missing("fastbp.onnx", "onnx", "onnx")

from .interop.onnx import load, save

__all__ = ["load", "save"]
