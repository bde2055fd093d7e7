"""Large batches, shared by samples: layer by layer, by any threads, several epochs in a call."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from results import TOLERANCE

import fastbp as fb
from fastbp.engine import sharing, workspace
from fastbp.engine.epochs import Engine
from fastbp.kernels.numbers import PlanColumn, Split
from fastbp.optimizers.limits import Limits

N = 330

NETWORKS: dict[str, Callable[[], list[fb.Layer]]] = {
    "deep": lambda: [
        fb.Linear(20, 130),
        fb.Tanh(),
        fb.Linear(130, 33),
        fb.Sigmoid(),
        fb.Linear(33, 3),
    ],
    "norms": lambda: [
        fb.Scale(20),
        fb.Linear(20, 37),
        fb.LayerNorm(37),
        fb.GELU(),
        fb.Dropout(0.2),
        fb.Linear(37, 3),
    ],
    "shortcut": lambda: [
        fb.Linear(20, 40),
        fb.Residual(fb.Linear(40, 40), fb.ReLU()),
        fb.Linear(40, 3, bias=False),
    ],
    "one": lambda: [fb.Linear(20, 3)],
}
OPTIMIZERS: dict[str, Callable[[], fb.optimizers.Optimizer]] = {
    "sgd": lambda: fb.SGD(lr=0.05),
    "momentum": lambda: fb.SGD(lr=0.01, momentum=0.9),
    "adam": lambda: fb.Adam(1e-3),
    "nadam": lambda: fb.NAdam(1e-3),
}


@pytest.fixture(autouse=True, params=["cython"])
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every batch that is large enough be shared by samples, on the backend that can."""
    monkeypatch.setattr(sharing, "LEAST_WORK", 0)
    with fb.use_backend(request.param):
        yield


def data(dtype: str, zeros: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Samples, of whose blocks of four columns such a share is zero, and their classes."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 20)) * (rng.random((N, 5)) >= zeros).repeat(4, axis=1)
    return x.astype(dtype), rng.integers(0, 3, N)


def trained(
    name: str, optimizer: str, dtype: str, zeros: float = 0.0, **how: Any
) -> tuple[np.ndarray, list[float]]:
    """Parameters and losses after two epochs."""
    net = fb.Sequential(NETWORKS[name](), dtype=dtype, seed=1)
    how = {"loss": "cross_entropy", "epochs": 2, "seed": 0} | how
    history = fb.fit(net, data(dtype, zeros), optimizer=OPTIMIZERS[optimizer](), **how)
    return net.params, history["train_loss"]


def engine(batch_size: int, threads: int, **how: Any) -> tuple[fb.Sequential, Engine]:
    """One that trains a network by Adam, whose first layer has so many columns."""
    columns = how.pop("columns", 130)
    layers = [
        fb.Linear(20, columns),
        fb.Tanh(),
        fb.Linear(columns, 33),
        fb.ReLU(),
        fb.Linear(33, 3),
    ]
    net = fb.Sequential(layers, dtype="float64", seed=1)
    x, y = data("float64", how.pop("zeros", 0.0))
    settings = {"loss": fb.CrossEntropyLoss(), "optimizer": fb.Adam(1e-3)} | how
    loss, optimizer = settings.pop("loss"), settings.pop("optimizer")
    return net, Engine(net, x, y, 1.0, loss, optimizer, batch_size, threads, **settings)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@for_each("optimizer", OPTIMIZERS)
@for_each("name", NETWORKS)
def test_as_layer_by_layer_and_the_same_bits_by_any_threads(
    name: str, optimizer: str, dtype: str
) -> None:
    how = {"batch_size": {"sgd": 64, "momentum": 100, "adam": 129, "nadam": 330}[optimizer]}
    how |= {"l2": 0.01} if optimizer in ("sgd", "nadam") else {}
    wanted, losses_wanted = trained(name, optimizer, dtype, fused=False, **how)
    found, losses = trained(name, optimizer, dtype, threads=1, **how)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(losses, losses_wanted, rtol=TOLERANCE[dtype])
    for threads in (2, 3):
        params, same_losses = trained(name, optimizer, dtype, threads=threads, **how)
        np.testing.assert_array_equal(params, found)
        assert same_losses == losses


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@for_each("columns", [1, 4, 5, 9, 33])
@for_each("targets", [1, 3, 4])
def test_tables_of_few_columns_and_a_last_batch_of_few_rows(
    targets: int, columns: int, dtype: str
) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, columns)).astype(dtype)
    y = rng.normal(size=(N, targets)).astype(dtype)

    def run(**how: Any) -> list[np.ndarray]:
        layers = [fb.Linear(columns, 19), fb.Tanh(), fb.Linear(19, targets)]
        net = fb.Sequential(layers, dtype=dtype, seed=1)
        history = fb.fit(net, (x, y), loss="mse", epochs=1, batch_size=(N - 6) // 3, seed=0, **how)
        return [net.params, history.losses[0]]

    wanted, found, shared = run(fused=False), run(threads=1), run(threads=2)
    for a, b, c in zip(wanted, found, shared, strict=True):
        np.testing.assert_allclose(b, a, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        np.testing.assert_array_equal(c, b)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["deep", "one"])
def test_zeros_of_the_data_are_left_out(name: str, dtype: str) -> None:
    how = {"batch_size": 130, "l2": 0.01, "zeros": 0.8}
    wanted, _ = trained(name, "adam", dtype, fused=False, **how)
    found, _ = trained(name, "adam", dtype, threads=1, **how)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(trained(name, "adam", dtype, threads=2, **how)[0], found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [64, 200, 512, 513])  # beyond 512 nothing is kept of it
def test_no_bit_depends_on_whether_zeros_are_left_out(
    dtype: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)  # 22 columns: the last two fill no block
    x = rng.normal(size=(530, 22)) * (rng.random((530, 6)) < 0.2).repeat(4, axis=1)[:, :22]
    found = []
    for most_used, threads in ((1, 1), (1, 2), (0, 1)):
        monkeypatch.setattr(workspace, "MOST_USED", most_used)
        net = fb.Sequential([fb.Linear(22, 30), fb.ReLU(), fb.Linear(30, 3)], dtype=dtype, seed=1)
        how = {"loss": "cross_entropy", "optimizer": "adam", "l2": 0.01, "threads": threads}
        fb.fit(
            net,
            (x.astype(dtype), np.arange(530) % 3),
            batch_size=batch_size,
            epochs=2,
            seed=0,
            **how,
        )
        found.append(net.params.copy())
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_what_is_not_trained_stays() -> None:
    nets = []
    for how in ({"fused": False}, {"threads": 1}, {"threads": 2}):
        net = fb.Sequential(NETWORKS["deep"](), dtype="float64", seed=1)
        net.layers[0].trainable = net.layers[4].trainable = False
        before = net.params.copy()
        fb.fit(net, data("float64"), loss="cross_entropy", optimizer="adam", batch_size=70, seed=0,
               epochs=1, **how)  # fmt: skip
        np.testing.assert_array_equal(net.layers[0].w.ravel(), before[: 20 * 130])
        np.testing.assert_array_equal(net.layers[4].w.ravel(), before[-33 * 3 - 3 : -3])
        nets.append(net)
    np.testing.assert_allclose(nets[1].params, nets[0].params, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(nets[2].params, nets[1].params)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch_size", [100, 50])
def test_epochs_in_one_call_are_those_of_one_after_another(batch_size: int, threads: int) -> None:
    rng = np.random.default_rng(5)
    orders = np.stack([rng.permutation(N) for _ in range(3)])
    steps = -(-N // batch_size)
    penalties = rng.random(3 * steps) + 0.1
    (one, together), (other, apart) = (engine(batch_size, threads, limits=Limits(l2=0.5))
                                       for _ in range(2))  # fmt: skip
    kept, each = np.empty((3 * N, 3)), np.empty((3, N, 3))
    losses = together.epoch(orders, lambda *_: False, kept=kept, penalties=penalties)
    found = [
        apart.epoch(order, lambda *_: False, kept=each[i],
                    penalties=penalties[i * steps : (i + 1) * steps])
        for i, order in enumerate(orders)
    ]  # fmt: skip
    np.testing.assert_array_equal(one.params, other.params)
    np.testing.assert_array_equal(losses, np.concatenate(found))
    np.testing.assert_array_equal(kept.reshape(3, N, 3), each)


def test_a_loss_that_is_not_finite_moves_nothing() -> None:
    net, engine_ = engine(100, 2)
    net.layers[0].w[0, 0] = np.nan
    before = net.params.copy()
    losses = engine_.epoch(np.arange(N), lambda *_: False)
    assert len(losses) == 1
    assert not np.isfinite(losses[0])
    np.testing.assert_array_equal(net.params, before)


@pytest.mark.parametrize(
    ("how", "is_shared"),
    [
        ({}, True),
        ({"zeros": 0.9}, False),  # the first layer leaves zeros out, and has columns for two
        ({"zeros": 0.9, "columns": 30}, True),  # but not so few
        ({"zeros": 0.9, "columns": 30, "optimizer": fb.SGD(lr=0.1)}, False),
        ({"loss": fb.HingeLoss()}, False),  # which leaves samples out of backward
        ({"limits": Limits(clip_norm=1.0)}, False),
        ({"limits": Limits(l2=1.0)}, True),
    ],
)
def test_which_batches_are_shared_by_samples(how: dict[str, Any], is_shared: bool) -> None:
    splits = engine(64, 2, **how)[1].settings.space.plan[:, :, PlanColumn.SPLIT]
    assert (splits == Split.BY_SAMPLES).all() == is_shared
    assert not (
        engine(63, 2, **how)[1].settings.space.plan[:, :, PlanColumn.SPLIT] == Split.BY_SAMPLES
    ).any()


@pytest.mark.parametrize(
    ("batch_size", "segments"), [(63, None), (64, 2), (255, 2), (256, 4), (512, 8), (9999, 8)]
)
def test_segments_depend_on_the_batch_alone(batch_size: int, segments: int | None) -> None:
    _, engine_ = engine(64, 1)
    assert sharing.by_samples(engine_.task.program, batch_size) == segments
