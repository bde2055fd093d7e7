"""Whole epochs of the settings on every backend and loop, and the prediction of one sample.

Before a loop is timed, the losses of its first iterations are compared with the reference's.
"""

from typing import Any, NamedTuple

import pytest
from measures import kernels_or_skip, note
from settings import (
    PREDICTION,
    SETTINGS,
    Setting,
    check_losses,
    train,
    training_data,
)

import fastbp as fb
from fastbp import backends, threads

ROUNDS = 3
PART = 12_000  # of an epoch of the slower loops, enough for a rate
PART_OF_IMAGES = 2_000  # the same for networks on images


class Loop(NamedTuple):
    """How an epoch is run."""

    backend: str
    fused: bool
    threads: int | None = None

    @property
    def cores(self) -> int:
        """How many it may use: compiled kernels called one by one compute where they are called."""
        if self.fused or self.backend == "numpy":
            return self.threads or threads.available()
        return 1

    def __str__(self) -> str:
        return f"fused-{self.threads or 'auto'}" if self.fused else "layered"


LOOPS = (
    Loop("cython", fused=True, threads=1),
    Loop("cython", fused=True, threads=2),
    Loop("cython", fused=True),
    Loop("cython", fused=False),
    Loop("numba", fused=True, threads=1),
    Loop("numba", fused=True, threads=2),
    Loop("numba", fused=True),
    Loop("numba", fused=False),
    Loop("numpy", fused=False),
)

_trained = 0.0


def training_seconds() -> float:
    """The clock of these benchmarks: it runs while ``fit`` trains, not while it evaluates."""
    return _trained


def done_flops(setting: Setting, loop: Loop) -> float:
    """Operations that training on one sample takes: engines leave out what meets a pixel of 0.

    0 where nobody counts them: of the hinge loss they leave out the samples that have none too.
    """
    if not loop.fused:
        return setting.flops
    return 0 if setting.loss == "hinge" else setting.needed_flops


def _epoch(setting: Setting, loop: Loop, samples: int) -> fb.History:
    global _trained
    history = train(setting, samples, fused=loop.fused, threads=loop.threads)
    if history.path.endswith("fused") != loop.fused:
        raise RuntimeError(f"expected {loop}, ran {history.path}")
    _trained += history.seconds
    return history


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: f"{loop}-{loop.backend}")
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
@pytest.mark.benchmark(timer=training_seconds)
def bench_epoch(benchmark: Any, setting: Setting, loop: Loop) -> None:
    kernels_or_skip(loop.backend)
    samples = setting.size if loop.fused else PART_OF_IMAGES if setting.model else PART
    benchmark.group = setting.name
    with fb.use_backend(loop.backend):
        first = _epoch(setting, loop, setting.checked * setting.batch_size)
        check_losses(f"{loop.backend}, {loop}", setting, first.losses[0])
        benchmark.pedantic(_epoch, (setting, loop, samples), rounds=ROUNDS)
    note(
        benchmark,
        f"{setting.name}-{loop}",
        loop.backend,
        samples=samples,
        epoch=setting.size,
        flops=samples * done_flops(setting, loop),
        cores=loop.cores,
    )


@pytest.mark.parametrize("backend", backends.AUTOMATIC)
def bench_predict_one(benchmark: Any, backend: str) -> None:
    kernels_or_skip(backend)
    x, _ = training_data().batch(range(1))
    benchmark.group = "predict-one"
    with fb.use_backend("numpy"):
        expected = PREDICTION.net().predict_proba(x)
    with fb.use_backend(backend):
        net = PREDICTION.net()
        assert net.predict_proba(x) == pytest.approx(expected, rel=1e-3)
        benchmark(net.predict_proba, x)
    note(benchmark, "predict-one", backend, samples=1, flops=PREDICTION.forward_flops)
