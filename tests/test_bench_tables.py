"""bench/tables.py: a row of any table has what each reaches, and guessing alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", "1.9")

BENCH = Path(__file__).resolve().parents[1] / "bench" / "tables.py"


def test_rows_of_its_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": rng.normal(size=150), "word": rng.choice(["x", "y"], 150)})
    frame["kind"] = np.where((frame["a"] > 0.3) & (frame["word"] == "x"), "yes", "no")
    frame["size"] = 3 * frame["a"] + (frame["word"] == "x")
    frame.loc[::9, "a"] = np.nan
    for name in ("kind", "size"):
        frame[["a", "word", name]].to_csv(tmp_path / f"{name}.csv", index=False)
    command = [sys.executable, str(BENCH), "--seeds", "1", "--ensemble", "2"]
    for name in ("kind", "size"):
        command += ["--data", str(tmp_path / f"{name}.csv"), "--label", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    head, _, *rows = done.stdout.splitlines()
    names = [name.strip() for name in head.strip("|").split("|")]
    assert names == [
        *("table", "rows", "fastbp", "fastbp, 2", "MLP", "trees", "RealMLP-TD-S"),
        "most frequent",
    ]
    for row, name in zip(rows, ("kind", "size"), strict=True):
        cells = [text.strip() for text in row.strip("|").split("|")]
        assert cells[:2] == [name, "150"]
        scores = [float(text.split()[0]) for text in cells[2:6]]
        assert min(scores[:2]) > 0.8
        assert all(text.endswith(" s)") for text in cells[2:6])
        assert cells[6] == "not installed" or cells[6].endswith(" s)")
        assert (float(cells[7]) > 0.5) == (name == "kind")
