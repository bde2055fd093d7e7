"""On what a run was made: processor, versions, backend, and when."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path

from fastbp._version import __version__
from fastbp.backends import active
from fastbp.threads import available, requested


def describe_machine() -> dict[str, str]:
    """Facts, name -> value."""
    backend = active()
    asked = requested()
    return {
        "processor": f"{_processor()}, {available()} cores",
        "side by side": f"{asked or available()} networks, one thread each",
        "fastbp": f"{__version__}, backend {backend.name} {backend.detail}",
        "Python": f"{platform.python_version()}, NumPy {version('numpy')}",
        "system": platform.platform(terse=True),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line[:10] == "model name")
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
