"""Memory to work in starts at a page, a huge one where there is much of it."""

import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp._memory import HUGE_PAGE, LARGE, LINE, zeros


@pytest.mark.parametrize("size", [8, LARGE - 8, LARGE, HUGE_PAGE, HUGE_PAGE + 8])
def test_zeros_are_all_there_and_start_at_a_page(size: int, dtype: np.dtype) -> None:
    found = zeros(size // dtype.itemsize, dtype)
    assert found.dtype == dtype
    assert found.nbytes == size
    assert found.ctypes.data % (HUGE_PAGE if size >= LARGE else 4096) == 0
    assert not found.any()
    found[...] = 1  # it may all be written
    assert found.sum() == len(found)


def test_where_the_system_has_no_huge_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("mmap.MADV_HUGEPAGE", raising=False)
    found = zeros(LARGE, np.dtype(np.float32))
    assert found.nbytes == 4 * LARGE
    assert found.ctypes.data % 4096 == 0


def test_a_networks_numbers_start_at_a_line_of_the_cache(dtype: np.dtype) -> None:
    net = fb.Sequential(fb.Linear(3, 5), fb.BatchNorm1d(5), dtype=dtype)
    for same in (net, net.copy(), net[:2], pickle.loads(pickle.dumps(net))):
        for vector in (same.params, same.grads, same.buffers):
            assert vector.ctypes.data % LINE == 0
