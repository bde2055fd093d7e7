"""bench/peers.py: its table comes from the JSON alone, and its arguments are checked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[1] / "bench" / "peers.py"


def peer(name, threads, median, way=""):
    return {"name": name, "way": way, "threads": threads, "median": median, "seconds": [median]}


REPORT = {
    "date": "2030-01-02",
    "machine": {"processor": "A Processor", "cores": 2},
    "versions": {"fastbp": "1.2", "torch": "3.4", "scikit-learn": "5.6"},
    "backend": "cython v4",
    "repeats": 3,
    "settings": {
        "final-b8": {
            "description": "784-800-100-10, tanh, hinge, batch 8",
            "lr": 0.01,
            "goals": {"PyTorch": 20, "JAX": 8},
            "goals_of_numba": {"PyTorch": 10},
            "peers": [
                peer("fastbp", None, 0.8),
                peer("fastbp", 1, 1.2),
                peer("fastbp, numba", None, 0.9),
                peer("JAX", None, 9.6, "vmap"),
                peer("JAX", None, 7.2, "another"),
                peer("PyTorch", 1, 12.0),
                peer("PyTorch", 2, 9.92),
            ],
        },
        "predict-one": {
            "description": "one sample, 784-128-10",
            "lr": 0.1,
            "goals": {"onnxruntime": 8},
            "goals_of_numba": {},
            "peers": [
                peer("fastbp", None, 2e-5),
                peer("fastbp", 1, 1.9e-5),
                peer("PyTorch", 1, 1e-5),
                peer("scikit-learn", 1, 123.4e-6),
            ],
        },
    },
}
TABLE = """\
|  | fastbp | fastbp, 1 thread | fastbp, numba | PyTorch | JAX | scikit-learn |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| final-b8: 784-800-100-10, tanh, hinge, batch 8 | 0.80 s | 1.20 s | 0.90 s (1.12×) \
| 9.92 s (12.4×) | 7.20 s (9.00×) | – |
| predict-one: one sample, 784-128-10 | 20.0 µs | 19.0 µs | – | 10.0 µs (0.50×) | – \
| 123 µs (6.17×) |
"""
GOALS = """\
|  | fastbp | × PyTorch | × JAX | × onnxruntime | goal | reached |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| final-b8 | 0.80 s | 12.4 | 9.00 | – | PyTorch 20, JAX 8 | not PyTorch |
| predict-one | 19.0 µs | 0.53 | – | – | onnxruntime 8 | – |
| final-b8, numba | 0.90 s | 11.0 | 8.00 | – | PyTorch 10 | yes |
"""


def peers(*arguments):
    return subprocess.run(
        [sys.executable, PEERS, *arguments], capture_output=True, text=True, timeout=60
    )


def test_what_is_reached_is_told_from_the_json(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    done = peers("--goals", tmp_path / "report.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, GOALS, "")


def test_the_table_is_made_from_the_json(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    done = peers("--table", tmp_path / "report.json")
    assert (done.returncode, done.stderr) == (0, "")
    table, _, lines = done.stdout.partition("\n\n")
    assert f"{table}\n" == TABLE
    assert max(map(len, lines.splitlines())) <= 100
    origin = lines.replace("\n", " ")
    assert "the median of 3," in origin
    assert origin.endswith(
        "A Processor, 2 cores, 2030-01-02; fastbp 1.2, PyTorch 3.4, scikit-learn 5.6; "
        "fastbp's backend: cython v4. "
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--settings", "frob"], "'frob'"), (["--repeats", "0"], "--repeats"), (["frob"], "frob")],
)
def test_wrong_usage(arguments, complaint):
    done = peers(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
