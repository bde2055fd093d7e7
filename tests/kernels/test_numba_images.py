"""Numba's tiles for images, for processors with wider and narrower vectors than this one's.

That its engine computes what the layered loop does is tested with the other engine's.
"""

import os
import subprocess
import sys

import pytest
from test_numba_vectors import LEVELS

from fastbp import backends

TILES = """
import itertools
import numpy as np
import numba
from fastbp.kernels._numba.convolution import TILE, add_gradient as add, correlate as sum_up
from fastbp.kernels._numba.pointers import pointer, shift
from fastbp.kernels._numba.pooling import pool as forth, pool_back as back
from fastbp.kernels._numba.vectors import VECTOR_BYTES

assert VECTOR_BYTES == {bytes}, VECTOR_BYTES

@numba.njit
def correlate(m, n, parts, a, b, start, c):
    at, (rows, columns), samples = pointer, a.shape[1:], b.shape[2]
    for part in range(0, samples, parts):
        sum_up(
            m, n, (rows, 1, columns), at(a), (rows * columns, columns, 0, 1),
            shift(at(b), part), (samples, b.shape[1] * samples, 0, samples),
            at(start), shift(at(c), part), (n * samples, samples),
        )

@numba.njit
def add_gradient(m, n, a, b, c):
    at, (rows, columns, samples) = pointer, a.shape[1:]
    add(
        m, n, (rows, columns), at(a), (rows * columns * samples, columns * samples, samples),
        at(b), (samples, b.shape[1] * samples, samples), at(c), c.shape[1],
    )

@numba.njit
def pool(x, size, y, dy, dx, largest, dx_of_largest):
    at, counts, strides = pointer, x.shape[:2], (x.shape[1] * 16, 16)
    forth(counts, at(x), strides, size, at(y))
    back(counts, None, strides, size, False, at(dy), at(dx))
    forth(counts, at(x), strides, None, at(largest))
    back(counts, at(x), strides, None, True, at(dy), at(dx_of_largest))

rng = np.random.default_rng(0)
for real, tolerance in ((np.float32, 1e-4), (np.float64, 1e-13)):
    lanes = {bytes} // np.dtype(real).itemsize
    def normal(*shape):
        return rng.normal(size=shape).astype(real)
    for m in TILE:
        for n in TILE:
            a, b, start = normal(m, 3, 5), normal(3, 5 + n - 1, 16), normal(m)
            c = np.full((m, n, 16), np.nan, real)
            correlate(m, n, lanes, a, b, start, c)
            for j in range(n):
                want = start[:, None] + np.einsum("mkl,kls->ms", a, b[:, j : j + 5])
                assert np.allclose(c[:, j], want, rtol=tolerance, atol=tolerance)
        for n in (0, 1, 2, 3):
            a, b, c = normal(m, 3, 5, 16), normal(3, 8, 16), normal(m, 4)
            want = c.copy()
            for j in range(n):
                want[:, j] += np.einsum("mkls,kls->m", a, b[:, j : j + 5])
            if not n:
                want[:, 0] += a.sum(axis=(1, 2, 3))
            add_gradient(m, n, a, b, c)
            assert np.allclose(c, want, rtol=tolerance, atol=10 * tolerance)
    x = rng.integers(-1, 2, (2, 3, 16)).astype(real)
    x[1, 0, 3] = x[1, 2, 3] = np.nan
    y, largest, dy, dx = normal(16), normal(16), normal(16), np.full_like(x, np.nan)
    dx_of_largest = np.ones_like(x)
    pool(x, real(6), y, dy, dx, largest, dx_of_largest)
    assert np.allclose(y, x.mean(axis=(0, 1)), rtol=tolerance, atol=tolerance, equal_nan=True)
    assert np.allclose(dx, dy / 6, rtol=tolerance)
    assert np.array_equal(largest, x.max(axis=(0, 1)), equal_nan=True)
    first = np.arange(6)[:, None] == x.reshape(6, 16).argmax(axis=0)
    assert np.array_equal(dx_of_largest.reshape(6, 16), 1 + np.where(first, dy, 0))
"""

NO_IMAGES = """
import numpy as np
import fastbp as fb
from fastbp.kernels._numba import epoch, epoch_images

net = fb.Sequential(fb.Linear(5, 4), fb.Dropout(0.5), fb.Linear(4, 3))
with fb.use_backend("numba"):
    data = np.ones((8, 5), np.float32), np.zeros(8, np.int64)
    history = fb.fit(net, data, loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.1), epochs=1)
assert history.path.endswith("fused"), history.path
assert epoch._train_steps.signatures and not epoch_images.train_images.signatures
"""


def run(script: str, **environment: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("level", LEVELS)
def test_tiles_are_right_on_older_processors(level: str) -> None:
    if (backends.processor_level() or 0) < int(level[1]):
        pytest.skip("this processor has no such vectors")
    name, features, size = LEVELS[level]
    script = TILES.replace("{bytes}", str(size))
    run(script, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)


def test_tiles_are_right_on_this_processor() -> None:
    from fastbp.kernels._numba.vectors import VECTOR_BYTES

    run(TILES.replace("{bytes}", str(VECTOR_BYTES)))


def test_a_program_without_images_compiles_nothing_for_them() -> None:
    run(NO_IMAGES)
