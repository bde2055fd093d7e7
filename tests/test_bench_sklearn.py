"""bench/sklearn_mlp.py: both train the same, and a row says how long each took."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", "1.9")

BENCH = Path(__file__).resolve().parents[1] / "bench" / "sklearn_mlp.py"


def test_a_row_of_its_table() -> None:
    command = [sys.executable, str(BENCH), "--tables", "iris", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    head, _, row = done.stdout.splitlines()
    assert head.split(" | ")[1:3] == ["scikit-learn", "fastbp"]
    assert row.startswith("| iris, 200 epochs | ")
    assert row.count(" s") == 3
    assert row.count("×)") == 2
