"""Networks as ONNX models, which other programs run; and the way back.

>>> fb.onnx.save(net, "net.onnx")
>>> net = fb.onnx.load("net.onnx")
"""

from importlib.util import find_spec as _find_spec

if _find_spec("onnx") is None:
    raise ModuleNotFoundError(
        "fastbp.onnx needs onnx, which is not installed: pip install 'fastbp[onnx]'"
    )

from .interop.onnx import load, save

__all__ = ["load", "save"]
