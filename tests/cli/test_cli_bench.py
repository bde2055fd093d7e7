"""``bench``: finding the suites, choosing among them, and what is printed. Nothing is timed."""

import json
import sys

import pytest
from command_line import FASTBP, assert_error, run, run_script

from fastbp.cli import bench

# The command on a checkout that is not there, and on one whose one suite takes no time.
ELSEWHERE = "import fastbp\nfastbp.__file__ = {!r}\nsys.exit(main(sys.argv[1:]))"
SUITE = """
import pytest
@pytest.mark.parametrize("number", [1, 2])
def test_suite(benchmark, number):
    benchmark.extra_info |= {"name": f"epoch {number}", "backend": "numpy", "epoch_seconds": 2.5,
                             "samples_per_second": 24e3, "gflops": 61.2, "share_of_peak": 0.3}
    benchmark.pedantic(int)
    assert number == 1
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with a suite of two benchmarks, of which one fails, and how to run `bench` on it."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "bench_epoch.py").write_text(SUITE)
    (tmp_path / "bench" / "pytest.ini").write_text("[pytest]\npython_files = bench_*.py\n")
    script = ELSEWHERE.format(str(tmp_path / "fastbp" / "__init__.py"))
    alone = {"PYTEST_XDIST_WORKER": None}  # pytest-benchmark would not measure beside others
    return lambda *options: run_script(script, "bench", *options, cwd=tmp_path, env=alone)


def test_outside_a_checkout_is_one_line(tmp_path):
    script = ELSEWHERE.format(str(tmp_path / "fastbp" / "__init__.py"))
    assert_error(run_script(script, "bench", cwd=tmp_path), "bench runs in a checkout")


def test_without_what_measures_is_one_line(tmp_path):
    script = (
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name: None if name == 'pytest_benchmark' else find(name)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    result = run_script(script, "bench", cwd=tmp_path)
    assert_error(result, "bench needs pytest-benchmark: pip install pytest pytest-benchmark")


def test_wrong_filters_are_one_line(checkout):
    assert_error(
        checkout("--filter", "frob"),
        "--filter 'frob': there is no such benchmark; there are kernels",
    )
    assert_error(checkout("--filter", "1 and ("), "--filter '1 and (': expected words joined by")


def test_wrong_usage_and_help(tmp_path):
    assert_error(run("bench", "--frob", cwd=tmp_path), "--frob", "--help", code=2)
    result = run("bench", "--help", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert all(option in result.out for option in ("--filter", "--json"))


def test_a_table_on_stdout_and_progress_on_stderr(checkout):
    result = checkout("--filter", "1")
    assert result.code == 0
    assert result.out.startswith("1 benchmarks: median times")
    (row,) = [line for line in result.out.splitlines() if "numpy" in line]
    assert row.split() == ["epoch", "1", "numpy", "2.5", "s", "24,000", "61.2", "30%"]
    assert "1 passed, 1 deselected" in result.err


def test_json_has_what_passed_and_the_exit_code_says_that_one_failed(checkout):
    result = checkout("--json")
    assert result.code == 1
    assert "1 failed, 1 passed" in result.err
    rates = {"samples_per_second": 24000.0, "gflops": 61.2, "share_of_peak": 0.3}
    row = {"name": "epoch 1", "backend": "numpy", "seconds": 2.5} | rates
    assert result.json["ok"] is False
    assert row in result.json["benchmarks"]


def test_what_is_not_counted_is_a_dash():
    report = {"benchmarks": [{"name": "b", "extra_info": {}, "stats": {"median": 4.56e-5}}]}
    rows = bench.summarize(report)
    json.dumps(rows, allow_nan=False)
    assert bench.texts(rows) == [["b", "-", "45.6 µs", "-", "-", "-"]]


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.3456, "12.35 s"), (1, "1 s"), (0.0123, "12.3 ms"), (2e-6, "2 µs")]
)
def test_durations(seconds, text):
    assert bench.duration(seconds) == text


def test_the_suites_of_this_checkout_are_found():
    assert FASTBP[0] == sys.executable
    assert (bench.find_suites() / "settings.py").exists()
