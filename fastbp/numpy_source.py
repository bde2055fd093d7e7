"""Networks as Python files that need NumPy alone, and read as a lesson.

>>> fb.numpy_source.save(net, "net.py")
"""

from .interop.numpy_source import save

__all__ = ["save"]
