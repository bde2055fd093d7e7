"""What an activation costs that a user wrote: final-b8 on numba's engine, beside the built-in."""

import math
from typing import Any

import numpy as np
import pytest
from measures import kernels_or_skip, note
from settings import SEED, SETTINGS, training_data

import fastbp as fb

SETTING, ROUNDS, SAMPLES = SETTINGS["final-b8"], 5, 60_000


@fb.activation
def written_tanh(x):
    return math.tanh(x)


@written_tanh.gradient
def written_tanh_gradient(x, y):
    return 1 - y * y


_trained = 0.0


def training_seconds() -> float:
    """The clock: it runs while ``fit`` trains, not while it evaluates."""
    return _trained


def _epoch(activation: type[fb.Layer], samples: int) -> np.ndarray:
    global _trained
    i, wide, narrow, o = SETTING.sizes
    net = fb.Sequential(
        fb.Linear(i, wide),
        activation(),
        fb.Linear(wide, narrow),
        activation(),
        fb.Linear(narrow, o),
        seed=SEED,
    )
    history = fb.fit(
        net,
        training_data().first(samples),
        loss=SETTING.loss_function(),
        optimizer=fb.SGD(SETTING.lr),
        epochs=1,
        batch_size=SETTING.batch_size,
        threads=1,
    )
    assert history.path.endswith("fused")
    _trained += history.seconds
    return history.losses[0]


@pytest.mark.parametrize("activation", [fb.Tanh, written_tanh], ids=lambda kind: kind.__name__)
@pytest.mark.benchmark(timer=training_seconds)
def bench_written_activation(benchmark: Any, activation: type[fb.Layer]) -> None:
    kernels_or_skip("numba")
    benchmark.group = "an activation that a user wrote"
    with fb.use_backend("numba"):
        assert np.allclose(_epoch(activation, 800), _epoch(fb.Tanh, 800), rtol=1e-3)
        benchmark.pedantic(_epoch, (activation, SAMPLES), rounds=ROUNDS)
    note(
        benchmark,
        f"final-b8-{activation.__name__}",
        "numba",
        samples=SAMPLES,
        flops=SAMPLES * SETTING.needed_flops,
        cores=1,
    )
