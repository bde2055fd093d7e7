"""Networks as C headers, which need no fastbp and no Python.

>>> fb.c.save(net, "policy.h")
"""

from .interop.c import save

__all__ = ["save"]
