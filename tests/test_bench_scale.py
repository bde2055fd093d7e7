"""bench/scale.py: exchanges and jobs cost what their formulas say; the page has its tables."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from bench_modules import bench_modules


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    with bench_modules("_scale_model", "scale") as modules:
        yield modules


def test_an_exchange_is_messages_and_bytes(bench):
    network = bench._scale_model.Network(alpha=1.0, beta=0.01)
    assert network.exchange(2, 100) == pytest.approx(2 * 1 + 2 * 0.5 * 100 * 0.01)
    assert network.exchange(8, 100) == pytest.approx(2 * 3 + 2 * 0.875 * 100 * 0.01)


def test_more_machines_pay_where_the_exchange_is_short(bench):
    model = bench._scale_model
    steps = {8: 8.0, 4: 4.0, 2: 2.0, 1: 1.0}
    assert model.best_speedup(steps, 0, model.Network(0, 1)) == (8.0, 8)
    assert model.best_speedup(steps, 0, model.Network(10, 1)) == (1.0, 1)
    times, machines = model.best_speedup(steps, 0, model.Network(0.5, 0))
    assert machines == 4
    assert times == pytest.approx(8 / (2 + 2))
    # two machines save half the batch, and lose two messages: 2 · 2 · 0.5 / 1
    assert model.paying_batch(steps, 0, model.Network(0.5, 0)) == pytest.approx(2)
    assert model.paying_batch({2: 1.0, 1: 1.0}, 0, model.Network(1, 1)) == float("inf")


@pytest.mark.parametrize("workers", [1, 4, 1000])
def test_jobs_that_cost_nothing_to_hand_out_keep_all_busy(bench, workers):
    model, free = bench._scale_model, bench._scale_model.Costs(0, 0, 0)
    assert model.makespan(workers, 1000, 1.0, free)[0] == pytest.approx(1000 / workers)
    assert model.efficiency(workers, 1000, 1.0, free) == pytest.approx(1)
    if workers < 1000:
        assert model.efficiency(workers, 1000, 0.001, free) > 0.95


def test_the_caller_is_the_limit_of_many_workers(bench):
    model = bench._scale_model
    costs = model.Costs(task=0.01, job=0, worker=0)
    took, tasks = model.makespan(1000, 10_000, 1.0, costs)
    assert took == pytest.approx(tasks * 0.01, rel=0.1)  # one after another
    assert tasks < 7000  # of several jobs, while many wait
    one, _ = model.makespan(1, 100, 1.0, model.Costs(0, 0, worker=0.5, begin=3.0))
    assert one == pytest.approx(153)
    idle = model.Costs(0, 0, 0, idle_worker=0.2)
    assert model.efficiency(1, 100, 1.0, idle) == pytest.approx(0.8)


def test_what_shares_cores_waits(bench):
    model = bench._scale_model
    share = model.efficiency_of_cores
    assert share(2, 100, 1.0, model.Costs(0, 1.0, 0), 2) == pytest.approx(0.5, rel=0.05)
    assert share(2, 100, 1.0, model.Costs(0, 0, 0, idle_client=0.4), 2) == pytest.approx(0.8)
    assert share(2, 100, 1.0, model.Costs(0, 0, 0, beside=1.25), 2) == pytest.approx(0.8)
    assert share(1, 100, 1.0, model.Costs(0, 0, 0, beside=1.25), 2) == pytest.approx(1.0)


def test_the_page_has_the_tables_of_its_figures(bench):
    if not bench.scale.FIGURES.exists():
        pytest.skip("python bench/scale.py has measured nothing yet")
    figures = json.loads(bench.scale.FIGURES.read_text("utf-8"))
    text = bench.scale.PAGE.read_text("utf-8")
    assert bench.scale.page(text, figures) == text, "run python bench/scale.py --tables"
    assert all(made.count("\n") > 3 for made in bench.scale.tables(figures).values())


def test_steps_are_measured(bench):
    found = bench.scale.measured_steps(("tiny-b8",), 0.001, 1)["tiny-b8"]
    assert sorted(found["steps"]) == [1, 2, 4, 8]
    assert min(found["steps"].values()) > 0
    assert found["bytes"] == 4 * (4 * 32 + 32 + 32 * 16 + 16 + 16 * 4 + 4)
