"""``python -m fastbp bench``: how fast this machine trains, measured by the suites in bench/."""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fastbp as fb
from fastbp.cli import _arguments
from fastbp.cli._arguments import FAILURE

HELP = "measure kernels and whole epochs on this machine, with the suites of a checkout's bench/"

WRONG_FILTER, NONE_SELECTED = 4, 5  # exit codes of pytest

TITLE = "{} benchmarks: median times; peak: share of what the cores in use attain at best"
COLUMNS = ["benchmark", "backend", "time", "samples/s", "GFLOP/s", "peak"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        help='which benchmarks, e.g. final-b8 or "dense and cython", as pytest -k takes them '
        "(default: all, which takes some minutes)",
    )
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the median time of each benchmark and what it comes to."""
    suites = find_suites()
    if args.filter:
        refuse_filter(suites, args.filter)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = pytest(suites, args.filter, f"--benchmark-json={results}", "--benchmark-quiet")
        # How far it is, and what failed, is for stderr.
        code = subprocess.run(command, cwd=suites.parent, stdout=sys.stderr).returncode
        rows = summarize(json.loads(results.read_text())) if results.exists() else []
    if args.json:
        _arguments.print_json({"ok": not code, "benchmarks": rows})
    elif rows:
        _arguments.print_table(TITLE.format(len(rows)), COLUMNS, texts(rows))
    return FAILURE if code else 0


def find_suites() -> Path:
    """The bench/ of the checkout that fastbp, or whoever calls it, is in."""
    missing = [
        name for name in ("pytest", "pytest_benchmark") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise ImportError(
            f"bench needs {' and '.join(missing).replace('_', '-')}: "
            "pip install pytest pytest-benchmark"
        )
    for checkout in (Path(fb.__file__).parents[1], Path.cwd()):
        if (checkout / "bench" / "bench_epoch.py").exists():
            return checkout / "bench"
    raise FileNotFoundError("bench runs in a checkout of fastbp only: its suites are not installed")


def pytest(suites: Path, words: str | None, *options: str) -> list[str]:
    """The command that runs the suites."""
    command = [sys.executable, "-m", "pytest", str(suites), "-q", *options]
    return [*command, f"-k={words}"] if words else command


def refuse_filter(suites: Path, words: str) -> None:
    """Refuse words that select nothing, before anything runs."""
    command = pytest(suites, words, "--collect-only")
    code = subprocess.run(command, cwd=suites.parent, capture_output=True).returncode
    if code == NONE_SELECTED:
        raise ValueError(
            f"--filter {words!r}: there is no such benchmark; there are kernels, e.g. "
            "linear_forward, and epochs, e.g. final-b8, on cython, numba and numpy"
        )
    if code == WRONG_FILTER:
        raise ValueError(f"--filter {words!r}: expected words joined by and, or, not")


def summarize(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each benchmark of pytest-benchmark's report; None stands for what is not counted.

    The seconds of an epoch are a whole one's, even if fewer samples were enough to measure it.
    """
    rows = []
    for benchmark in report["benchmarks"]:
        extra = benchmark["extra_info"]
        rows.append(
            {
                "name": extra.get("name", benchmark["name"]),
                "backend": extra.get("backend"),
                "seconds": extra.get("epoch_seconds", benchmark["stats"]["median"]),
            }
            | {key: extra.get(key) for key in ("samples_per_second", "gflops", "share_of_peak")}
        )
    return rows


def texts(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The rows of the table."""
    return [
        [
            row["name"],
            row["backend"] or "-",
            duration(row["seconds"]),
            _figure(row["samples_per_second"], ",.0f"),
            _figure(row["gflops"], ".1f"),
            _figure(row["share_of_peak"], ".0%"),
        ]
        for row in rows
    ]


def duration(seconds: float) -> str:
    """A time in the unit that suits it, four digits at most."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds * 1e6:.4g} µs"


def _figure(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)
