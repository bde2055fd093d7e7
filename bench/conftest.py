"""Lets the benchmarks use the tests' table of example calls, tests/kernel_cases.py."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
