"""Numba's matrix products, for processors with wider and narrower vectors than this one's."""

import os
import subprocess
import sys

import pytest

from fastbp import backends

SCRIPT = """
import numpy as np
import numba
from fastbp.kernels._numba.pointers import pointer
from fastbp.kernels._numba import tile
from fastbp.kernels._numba.vectors import VECTOR_BYTES

assert VECTOR_BYTES == {bytes}, VECTOR_BYTES

@numba.njit
def product(a, b, start, c):
    at, (n, depth), o = pointer, a.shape, b.shape[1]
    tile.product(n, o, depth, at(a), depth, 1, at(b), o, at(start), 0, at(c), o)

@numba.njit
def product_of_rows(a, b, start, c):
    at, (n, depth), o = pointer, a.shape, b.shape[0]
    tile.product_of_rows(n, 4, o, depth, at(a), depth, at(b), depth, at(start), at(c), o)

rng = np.random.default_rng(0)
for real, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
    lanes = {bytes} // np.dtype(real).itemsize
    for n in (1, 2, 3, 7, 8, 19):
        for vectors in (1, 2, 3, 5):
            a = rng.normal(size=(n, vectors * lanes)).astype(real)
            b = rng.normal(size=(len(a.T), 3 * vectors * lanes)).astype(real)
            start, c = rng.normal(size=len(b.T)).astype(real), np.full((n, len(b.T)), np.nan, real)
            product(a, b, start, c)
            assert np.allclose(c, start + a @ b, rtol=tolerance, atol=10 * tolerance)
            rows = rng.normal(size=(12, len(a.T))).astype(real)
            c = np.full((n, 12), np.nan, real)
            product_of_rows(a, rows, start[:12].copy() if len(start) > 11 else np.ones(12, real), c)
            first = start[:12] if len(start) > 11 else 1
            assert np.isnan(c[:, :4]).all()
            assert np.allclose((first + a @ rows.T)[:, 4:], c[:, 4:], rtol=tolerance,
                               atol=10 * tolerance)
"""
AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2"
LEVELS = {"v2": ("x86-64-v2", "+sse2,+sse4.2,+popcnt", 16), "v3": ("haswell", AVX2, 32)}


@pytest.mark.parametrize("level", LEVELS)
def test_products_are_right_on_older_processors(level: str) -> None:
    if (backends.processor_level() or 0) < int(level[1]):
        pytest.skip("this processor has no such vectors")
    name, features, size = LEVELS[level]
    environment = {**os.environ, "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{bytes}", str(size))],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
