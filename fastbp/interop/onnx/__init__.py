"""Networks as ONNX models, and back."""

from .reader import load
from .writer import save

__all__ = ["load", "save"]
