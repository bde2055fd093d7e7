"""bench/promises.py: its table says what is wanted, what is, and whether it holds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest
from bench_modules import bench_modules

REPORT = {
    "float64": {"a": 0.5, "b": 0.44},
    "level": "there is no v3",
    "beyond": {"c": 4.0, "d": 12.345},
}
TABLE = """\
| promise | of | wanted | is | holds |
| --- | --- | ---: | ---: | --- |
| float64's speed, of float32's | b | ≥ 0.45 | 0.44 | **no** |
| float64's speed, of float32's | a | ≥ 0.45 | 0.50 | yes |
| AVX2's speed, of AVX-512's | there is no v3 | ≥ 0.5 | – | – |
| fit beyond its training | d | ≤ 5 % | 12.35 % | **no** |
| fit beyond its training | c | ≤ 5 % | 4.00 % | yes |
"""


@pytest.fixture(scope="module")
def promises() -> Iterator[ModuleType]:
    with bench_modules("promises") as modules:
        yield modules.promises


def test_the_table_is_made_from_the_json(promises, tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    assert promises.main(["--table", str(tmp_path / "report.json")]) == 0
    assert capsys.readouterr().out == TABLE


def test_the_shortest_of_each_side_counts_and_they_take_turns(promises):
    times, order = {"a": [0.0, 3.0, 1.0, 2.0], "b": [0.0, 5.0, 6.0, 4.0]}, []

    def side(name):
        order.append(name)
        return times[name][order.count(name) - 1]

    sides = [lambda: side("a"), lambda: side("b")]
    assert promises.shortest(sides, 3) == [1.0, 4.0]
    assert order == ["a", "b"] * 4  # the first of each counts for nothing


@pytest.mark.parametrize("name", ["float64", "shared", "threads", "beyond"])
def test_a_setting_has_a_figure(promises, name):
    setting = promises.SETTINGS["tiny-b8"]
    setting = replace(setting, table=setting.table._replace(rows=64))
    figures = promises.measured(name, [setting], 1)
    assert [*figures] == ["tiny-b8"]
    assert figures["tiny-b8"] > 0


def test_networks_are_frozen(promises, monkeypatch):
    monkeypatch.setattr(promises, "LEAST", 0.0)
    monkeypatch.setattr(promises, "ROWS", (1, 3))
    figures = promises.measured("frozen", [], 1)
    assert len(figures) == 8
    assert "17-64-64-6, 3 rows" in figures


def test_what_cannot_be_measured_says_why(promises, monkeypatch):
    def refuse(settings, repeats):
        raise promises.WorkerError("there is no v3")
        yield

    monkeypatch.setitem(
        promises.PROMISES, "level", promises.PROMISES["level"]._replace(measure=refuse)
    )
    assert promises.measured("level", [], 1) == "there is no v3"
