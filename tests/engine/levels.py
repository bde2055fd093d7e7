"""A script on every CPU level that this processor has, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fastbp.backends import active

HERE = Path(__file__).parent
BEFORE = f"""
import sys
import numpy as np
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]  # the tests of engines, and parts.py
"""


def assert_levels_agree(script: str, folder: Path) -> None:
    """Run it where it may import a test of engines; what it saves to sys.argv[1] is the same."""
    results = []
    for level in ("v2", "v3", "v4"):
        if level <= active().detail:
            path = folder / f"{level}.npy"
            environment = {**os.environ, "FASTBP_CPU": level, "FASTBP_BACKEND": "cython"}
            command = [sys.executable, "-c", BEFORE + script, path, level]
            subprocess.run(command, env=environment, check=True)
            results.append(np.load(path))
    for result in results:
        assert np.allclose(result, results[0], rtol=1e-9, atol=1e-12)
