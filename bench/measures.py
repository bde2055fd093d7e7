"""What a benchmark's time means: samples and floating point operations a second."""

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fastbp import backends

PEAK_SHAPE = (64, 784, 128)  # n, i, o: all of it fits the second-level cache
PEAK_CALLS = 100


def kernels_or_skip(backend: str) -> Any:
    """A backend's kernels; where it cannot be loaded the benchmark is skipped, saying why."""
    found = dict(backends.status())[backend]
    return pytest.skip(found) if isinstance(found, str) else found.kernels


@cache
def measured_peak() -> float:
    """GFLOP/s that one core of this machine attains with the fastest of the backends.

    Measured, not looked up: the best of many calls of ``dense_forward`` in float32, at a shape
    where neither memory nor the call itself costs anything to speak of.
    """
    loaded = (found for _, found in backends.status() if not isinstance(found, str))
    return max(_dense_gflops(backend.kernels) for backend in loaded)


def _dense_gflops(kernels: Any) -> float:
    n, i, o = PEAK_SHAPE
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, i), (i, o), (o,)))
    y, best = np.empty((n, o), np.float32), np.inf
    with threadpool_limits(1, user_api="blas"):
        kernels.dense_forward(x, w, b, y)  # Numba compiles in its first call
        for _ in range(PEAK_CALLS):
            start = time.perf_counter()
            kernels.dense_forward(x, w, b, y)
            best = min(best, time.perf_counter() - start)
    return 2 * n * i * o / best / 1e9


def note(
    benchmark: Any,
    name: str,
    backend: str,
    *,
    samples: int = 0,
    epoch: int = 0,
    flops: float = 0,
    cores: int = 1,
) -> None:
    """Add what the times come to, for one call's `samples` and `flops`, where they are counted.

    `epoch` is how many samples a whole epoch has, of which `samples` may be a part. The share of
    the peak is that of the `cores` which the call may use.
    """
    benchmark.extra_info |= {"name": name, "backend": backend}
    if benchmark.stats is None:  # with --benchmark-disable nothing was timed
        return
    seconds = benchmark.stats.stats.median
    if samples:
        benchmark.extra_info["samples_per_second"] = samples / seconds
    if epoch:
        benchmark.extra_info["epoch_seconds"] = seconds * epoch / samples
    if flops:
        gflops, peak = flops / seconds / 1e9, measured_peak()
        benchmark.extra_info |= {
            "gflops": gflops,
            "peak_gflops": peak,  # of one core
            "share_of_peak": gflops / (peak * cores),
        }
