"""bench/sweep.py: a cell that is slower than its neighbours let expect is marked, and no other."""

import json
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from bench_modules import bench_modules

BATCHES, WIDTHS = (1, 10, 100), (8, 16)
WORK = np.array([[8, 32], [80, 320], [800, 3200]]) * 1e6


@pytest.fixture(scope="module")
def sweep() -> Iterator[ModuleType]:
    with bench_modules("sweep") as modules:
        yield modules.sweep


def marks(sweep: ModuleType, seconds: list[list[float]]) -> list[tuple[int, int]]:
    found = sweep.marks(BATCHES, WIDTHS, np.array(seconds), WORK)
    return [(mark.batch, mark.width) for mark in found]


def test_what_its_work_explains_is_not_marked(sweep):
    at_one_rate, at_a_rising_one = WORK / 1e9, WORK**0.7 / 1e9
    assert marks(sweep, at_one_rate) == marks(sweep, at_a_rising_one) == []
    assert marks(sweep, np.ones_like(WORK)) == []  # nothing but what every step costs


def test_a_rate_that_falls_is_marked(sweep):
    seconds = WORK / 1e9
    seconds[2, 1] *= 1.3
    (mark,) = sweep.marks(BATCHES, WIDTHS, seconds, WORK)
    assert (mark.batch, mark.width, mark.beside) == (100, 16, (100, 8))
    assert mark.times == pytest.approx(1.3)
    seconds[2, 1] /= 1.1
    assert marks(sweep, seconds) == []


def test_less_work_that_takes_longer_is_marked(sweep):
    seconds = np.full_like(WORK, 1e-3)
    seconds[0, 0] = 2e-3
    assert marks(sweep, seconds) == [(1, 8)]


def test_the_worst_is_first_and_has_its_sign_in_the_table(sweep):
    seconds = WORK / 1e9
    seconds[0, 1] *= 3
    seconds[2, 0] *= 2
    found = sweep.marks(BATCHES, WIDTHS, seconds, WORK)
    assert [(mark.batch, mark.width) for mark in found] == [(1, 16), (100, 8)]
    assert sweep.table(BATCHES, WIDTHS, WORK / seconds / 1e9, found) == (
        " batch |      8      16 \n"
        "     1 |      1   0.333*\n"
        "    10 |      1       1 \n"
        "   100 |    0.5*      1 \n"
        "batch 1, width 16: 3.00 times slower than batch 1, width 8 lets expect\n"
        "batch 100, width 8: 2.00 times slower than batch 10, width 8 lets expect"
    )


def test_a_small_sweep(sweep, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sweep, "TABLE", sweep.TABLE._replace(rows=100))
    file = tmp_path / "sweep.json"
    sizes = ["--batches", "8", "3", "--widths", "2", "--seconds", "0", "--repeats", "1"]
    assert sweep.main([*sizes, "--optimizer", "adam", "--output", str(file)]) == 0
    report = json.loads(file.read_text())
    assert (report["batches"], report["widths"], report["optimizer"]) == ([3, 8], [2], "adam")
    assert report["flops"] == [[n * 2 * (2 * 16 * 2 + 3 * (2 * 2 + 2))] for n in (3, 8)]
    assert capsys.readouterr().out.startswith(" batch |      2 \n     3 |")
    with pytest.raises(SystemExit):
        sweep.main(["--batches", "51"])
