"""What the engine's memory is told about the data."""

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import kernels
from fastbp.engine.program import compile_network
from fastbp.engine.workspace import WIDEST_GAP, Workspace, is_sparse
from fastbp.kernels.numbers import PlanColumn

NET = fb.Sequential(fb.Linear(32, 100), fb.Tanh(), fb.Linear(100, 5))
PROGRAM = compile_network(NET, 32)


def samples(zeros):
    rng = np.random.default_rng(0)
    return rng.random((50, 32)) * np.repeat(rng.random((50, 8)) >= zeros, 4, axis=1)


@pytest.mark.parametrize(("zeros", "expected"), [(0, False), (0.2, False), (0.7, True), (1, True)])
def test_zeros_are_left_out_where_most_blocks_are_zero(zeros, expected):
    assert is_sparse(PROGRAM, samples(zeros), NET.params, 800) is expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_zero_hides_a_parameter_that_is_not_finite(bad):
    params = NET.params.copy()
    params[7] = bad
    assert not is_sparse(PROGRAM, samples(0.7), params, 800)


def test_a_batch_whose_output_no_32_bits_can_index_is_dense():
    most = (2**31 - 1) // (100 + WIDEST_GAP)
    assert is_sparse(PROGRAM, samples(0.7), NET.params, most)
    assert not is_sparse(PROGRAM, samples(0.7), NET.params, most + 1)


@pytest.mark.parametrize("backend", ["cython", "numba"])
def test_no_row_of_an_output_has_a_wider_gap_behind_it(backend):
    with fb.use_backend(backend):
        space = Workspace(kernels(), PROGRAM, NET.params, 64, splits=[0] * 3, threads=1, buffers=2)
    assert 100 <= space.plan[0, 0, PlanColumn.WIDTH] <= 100 + WIDEST_GAP
