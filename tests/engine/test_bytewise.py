"""Samples that are made of bytes are kept as bytes, and train to the same bits."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from results import TOLERANCE

import fastbp as fb
from fastbp.engine import bytewise, sharing
from fastbp.engine.bytewise import FORMS, as_bytes
from fastbp.engine.epochs import Engine

LEVELS = np.arange(256)
OPTIMIZERS: dict[str, Callable[[], fb.optimizers.Optimizer]] = {
    "sgd": lambda: fb.SGD(lr=0.05),
    "momentum": lambda: fb.SGD(lr=0.01, momentum=0.9),
    "rmsprop": lambda: fb.RMSprop(1e-3),
    "adam": lambda: fb.Adam(1e-3),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let few samples count as many, on the backend that keeps bytes."""
    monkeypatch.setattr(bytewise, "LEAST", 0)
    monkeypatch.setattr(sharing, "LEAST_WORK", 0)
    monkeypatch.setattr(sharing, "FIRST", 0)
    with fb.use_backend("cython"):
        yield


def numbers(form: tuple[float, float], dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """All levels, and others at random, as that form makes them."""
    levels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    levels.reshape(-1)[:256] = LEVELS
    scale, divisor = (np.dtype(dtype).type(number) for number in form)
    return levels / divisor if divisor else levels * scale


@for_each("dtype", ["float32", "float64"])
@for_each("form", FORMS)
@for_each("columns", [1, 63, 64, 65, 300])
@for_each("threads", [1, 2])
def test_bytes_are_found_in_each_form(
    threads: int, columns: int, form: tuple[float, float], dtype: str
) -> None:
    x = numbers(form, dtype, (-(-300 // columns), columns))
    found = as_bytes(x, threads)
    assert found.x.dtype == np.uint8
    scale, divisor = np.array([found.scale, found.divisor], dtype)
    again = found.x.astype(dtype)
    np.testing.assert_array_equal(again / divisor if divisor else again * scale, x)


@for_each("dtype", ["float32", "float64"])
@for_each("place", [0, 63, 64, 299])
@for_each("wrong", [np.nan, np.inf, -np.inf, -1, 256, 0.5, 1e30, np.nextafter(1, 2), 1e-40])
def test_one_number_that_is_none_leaves_all_as_they_are(
    wrong: float, place: int, dtype: str
) -> None:
    x = numbers(FORMS[0], dtype, (3, 100))
    x.reshape(-1)[place] = (
        np.nextafter(x.dtype.type(1), x.dtype.type(2)) if 1 < wrong < 1.1 else wrong
    )
    if x.reshape(-1)[place] == 0:
        return  # too small for the dtype
    found = as_bytes(x, 2)
    assert found.x is x
    assert found[1:] == (1, 0)


def test_few_samples_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    x = np.zeros((10, 10), np.float32)
    assert as_bytes(x, 1).x is x


def test_a_float32_of_a_double_is_the_quotient_of_floats() -> None:
    wanted = LEVELS.astype("f4") / np.float32(255)
    np.testing.assert_array_equal((LEVELS / 255).astype("f4"), wanted)
    np.testing.assert_array_equal((LEVELS * (1 / 255)).astype("f4"), wanted)


def images(rows: int, columns: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Mostly zeros, as of written digits, and their classes."""
    rng = np.random.default_rng(4)
    used = (rng.random((rows, columns // 4 + 1)) < 0.3).repeat(4, axis=1)[:, :columns]
    x = rng.integers(0, 256, (rows, columns)) * used
    return x.astype(dtype) / np.dtype(dtype).type(255), rng.integers(0, 3, rows)


def trained(x: np.ndarray, y: np.ndarray, optimizer: str, **how: Any) -> list[np.ndarray]:
    """Parameters and losses after two epochs."""
    layers = [fb.Linear(x.shape[1], 72), fb.ReLU(), fb.Linear(72, 3)]
    net = fb.Sequential(layers, dtype=x.dtype, seed=1)
    how = {"loss": "cross_entropy", "epochs": 2, "seed": 0} | how
    history = fb.fit(net, (x, y), optimizer=OPTIMIZERS[optimizer](), **how)
    return [net.params, np.array(history.losses)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("optimizer", OPTIMIZERS)
@for_each(
    ("rows", "columns", "batch", "more"),
    [
        (40, 20, 5, {}),  # too few at a time to take sixteen
        (150, 67, 64, {}),  # three columns fill no block
        (300, 131, 129, {"l2": 0.01}),  # two chunks, and more than sixteen blocks
        (301, 20, 200, {}),  # a last batch of one chunk
        (600, 64, 530, {}),
        (300, 64, 140, {"loss": "hinge"}),  # backward leaves out samples
        (140, 36, 70, {"clip_norm": 0.1}),
        (140, 36, 70, {"clip_value": 1e-3}),
    ],
)
def test_the_same_bits_as_of_floats_and_by_any_threads(
    rows: int,
    columns: int,
    batch: int,
    more: dict[str, Any],
    optimizer: str,
    dtype: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = images(rows, columns, dtype)
    how = {"batch_size": batch} | more
    layered = trained(x, y, optimizer, fused=False, **how)
    found = trained(x, y, optimizer, threads=1, **how)
    shared = trained(x, y, optimizer, threads=2, **how)
    monkeypatch.setattr(bytewise, "LEAST", 1 << 40)
    floats = trained(x, y, optimizer, threads=2, **how)
    for a, b, c, d in zip(layered, found, shared, floats, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=TOLERANCE[dtype])
        np.testing.assert_array_equal(c, b)
        np.testing.assert_array_equal(d, b)


def test_an_engine_for_other_samples_looks_at_them_anew() -> None:
    x, y = images(100, 40, "float32")
    net = fb.Sequential(fb.Linear(40, 70), fb.ReLU(), fb.Linear(70, 3), dtype="float32", seed=1)
    given: tuple[Any, ...] = (1.0, fb.CrossEntropyLoss(), fb.Adam(1e-3), 64, 1)
    engine = Engine(net, x, y, *given)
    assert engine.x.dtype == np.uint8
    for other, dtype in ((x + np.float32(0.3), "float32"), (x * 255, "uint8"), (x, "uint8")):
        engine.again(other, y, fb.Adam(1e-3))
        assert engine.x.dtype == dtype
        fresh = fb.Sequential(fb.Linear(40, 70), fb.ReLU(), fb.Linear(70, 3), dtype="float32")
        fresh.params = net.params
        wanted = Engine(fresh, other, y, *given).epoch(np.arange(100), lambda *_: False)
        losses = engine.epoch(np.arange(100), lambda *_: False)
        np.testing.assert_array_equal(losses, wanted)
        np.testing.assert_array_equal(fresh.params, net.params)
        assert engine.x.shape == other.shape
        assert np.isfinite(losses).all()


def test_what_is_fed_part_by_part_and_images_of_a_network_stay_floats() -> None:
    x, y = images(100, 64, "float32")
    net = fb.Sequential(fb.Linear(64, 3), dtype="float32")
    loss, optimizer = fb.CrossEntropyLoss(), fb.SGD(lr=0.1)
    parts = Engine(net, x[:50], y[:50], 1.0, loss, optimizer, 10, 1, samples=100)
    assert parts.x.dtype == np.float32
    layers = [fb.Conv2d(1, 2, 3), fb.Flatten(), fb.Linear(72, 3)]
    convolved = fb.Sequential(layers, dtype="float32", input_shape=(1, 8, 8))
    assert Engine(convolved, x, y, 1.0, loss, optimizer, 10, 1).x.dtype == np.float32
