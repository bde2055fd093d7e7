"""bench/: every task has its peers and its goals, all compute the same, and else are refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from bench_modules import bench_modules

import fastbp as fb

CHECKED = 3
WITHOUT_GOALS = {"lenet-batch-norm-b32", "batch-norm-b64", "layer-norm-b64"}


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    names = "settings", "_tasks", "_peers_base", "_peers_fastbp", "_peers_table", "peers"
    with bench_modules(*names) as modules:
        yield modules


def problem(bench: SimpleNamespace, name: str) -> object:
    """A task on few samples, whose first iterations are few."""
    task = bench._tasks.TASKS[name]
    table = task.setting.table and task.setting.table._replace(rows=200)
    few = min(task.setting.batch_size, 60)
    setting = replace(task.setting, table=table, checked=CHECKED, batch_size=few)
    count = 2 if task.count > 1 else 1
    return bench._peers_base.Problem.of(task._replace(setting=setting, count=count))


def test_goals_are_of_tasks(bench):
    goals = bench._tasks.GOALS
    plain = {name for name in bench._tasks.TASKS if name.endswith("-plain")}
    assert set(goals) == set(bench._tasks.TASKS) - WITHOUT_GOALS - plain
    assert set(bench._tasks.NUMBA_GOALS) == set(bench.settings.SETTINGS)


def test_tasks_say_what_they_are(bench):
    tasks = bench._tasks.TASKS
    assert str(tasks["tiny-b8"]) == "4-32-16-4, tanh, mse, adam, batch 8, 320 000 rows"
    assert str(tasks["many-b64"]) == "16 networks 784-128-10, batch 64, a step of one of them"
    assert str(tasks["predict-policy-plain"]) == "one sample, 17-64-64-6, not frozen"
    assert str(tasks["predict-60000"]) == "60 000 rows, 784-128-10"


@pytest.mark.parametrize(
    ("name", "library", "who"),
    [
        ("final-b512", "torch", {"PyTorch"}),
        ("final-b512", "sklearn", {"scikit-learn"}),
        ("tiny-b8", "torch", {"PyTorch"}),
        ("tiny-b10000", "jax", {"JAX"}),
        ("lenet-b32", "jax", {"JAX", "JAX (im2col)"}),
        ("many-b64", "jax", {"JAX (vmap)"}),
        ("many-b64", "torch", {"PyTorch (bmm)", "PyTorch (vmap)"}),
        ("predict-one", "onnxruntime", {"onnxruntime"}),
        ("predict-100000", "onnxruntime", {"onnxruntime"}),
        ("predict-policy-plain", "torch", {"PyTorch"}),
        ("many-b64", "fastbp", {"fastbp"}),
    ],
)
def test_peers_compute_what_the_reference_does(bench, monkeypatch, name, library, who):
    pytest.importorskip(library)
    modules = {name: of for name, of in bench.peers.MODULES.items() if library in of}
    monkeypatch.setattr(bench.peers, "MODULES", modules)
    monkeypatch.setattr(bench.peers, "LEAST", 0)
    given = problem(bench, name)
    found = bench.peers.installed_peers(given, compiled=False)
    names = {str(peer).partition(", ")[0] for peer in found} - {"fastbp, numba"}
    assert names == who
    for peer in found:
        if peer.threads == 1:
            bench.peers.check(peer, given)
            assert bench.peers.clock(peer, given, 0.0)() > 0


def test_a_report_of_small_tasks(bench, monkeypatch, tmp_path, capsys):
    tasks = {name: problem(bench, name).task for name in ("tiny-b8", "many-b64", "predict-policy")}
    monkeypatch.setattr(bench.peers, "TASKS", tasks)
    monkeypatch.setattr(bench.peers, "MODULES", {"_peers_fastbp": ("fastbp",)})
    monkeypatch.setattr(bench._peers_fastbp.FastbpNumba, "can", lambda problem: False)
    monkeypatch.setattr(bench.peers, "REST", 0)
    monkeypatch.setattr(bench.peers, "LEAST", 0)
    file = tmp_path / "report.json"
    assert bench.peers.main(["--repeats", "2", "--seconds", "0", "--output", str(file)]) == 0
    report = json.loads(file.read_text())["settings"]
    assert [*report] == [*tasks]
    for name, measured in report.items():
        assert measured["goals"] == bench._tasks.GOALS[name]
        found = {(peer["name"], peer["threads"]) for peer in measured["peers"]}
        assert found == {("fastbp", None), ("fastbp", 1)}
        assert all(len(peer["seconds"]) == 2 for peer in measured["peers"])
    out = capsys.readouterr().out
    assert "| tiny-b8: 4-32-16-4, tanh, mse, adam, batch 8, 200 rows | " in out
    assert "PyTorch 250, JAX 7 | – |" in out


def test_how_near_the_peak(bench, monkeypatch):
    monkeypatch.setattr(bench._peers_table, "measured_peak", lambda: 1.0)
    monkeypatch.setattr(bench._peers_table, "available", lambda: 2)
    setting = bench.settings.SETTINGS["tiny-b8"]
    # 4-32-16-4: 704 multiply-adds forward, 704 for the gradient and 576 for what goes back.
    least = 2 * (704 + 704 + 576) * setting.size / 2e9
    peers = [("fastbp", 4 * least), ("PyTorch", 10 * least), ("JAX", 20 * least)]
    measured = [{"name": name, "threads": 1, "median": median} for name, median in peers]
    report = {"tiny-b8": {"goals": {"PyTorch": 5, "JAX": 40}, "peers": measured}}
    table = bench._peers_table.against_the_machine({"settings": report}).splitlines()
    assert [row.split(" | ")[3:] for row in table[2:]] == [
        ["25%", "PyTorch 5: 1.27 s", "50% |"],
        ["", "JAX 40: 0.32 s", "200% |"],
    ]


def test_zeros_of_images_are_left_out_of_what_is_needed(bench, monkeypatch):
    monkeypatch.setattr(bench.settings, "share_of_ink", lambda: 0.25)
    simple, table = (bench.settings.SETTINGS[name] for name in ("simple-b64", "tiny-b8"))
    first, last = 784 * 128, 128 * 10
    assert simple.flops == 2 * (2 * first + 3 * last)
    assert simple.needed_flops == 2 * (2 * first / 4 + 3 * last)
    assert table.needed_flops == table.flops


def test_wrong_predictions_and_losses_are_refused(bench):
    many, one = problem(bench, "many-b64"), problem(bench, "predict-one")
    peer = bench._peers_fastbp.FastbpMany(many, 1)
    right = peer.losses(bench.settings.first_order(CHECKED * many.setting.batch_size))
    assert right.shape == (2, CHECKED)
    assert not np.array_equal(right[0], right[1])
    peer.losses = lambda order: right[::-1]
    with pytest.raises(ValueError, match="simple-b64: computes something else"):
        bench.peers.check(peer, many)
    peer.losses = lambda order: right[:1]
    with pytest.raises(ValueError, match="losses of 1 networks, not of 2"):
        bench.peers.check(peer, many)
    other = bench._peers_fastbp.Fastbp(one, 1)
    other.predicting = one.setting.net(seed=7)
    with pytest.raises(ValueError, match="fastbp, 1 thread: predicts something else"):
        bench.peers.check(other, one)


def test_fastbp_predicts_frozen_unless_the_task_says_not(bench):
    for name, frozen in (("predict-policy", True), ("predict-policy-plain", False)):
        net = bench._peers_fastbp.Fastbp(problem(bench, name), None).predicting
        assert isinstance(net, fb.Sequential)
        assert net.params.flags.writeable is not frozen
