"""The order of an epoch is NumPy's permutation, though the native backend draws it by itself."""

from typing import Any

import numpy as np
import pytest

import fastbp as fb
from fastbp.backends import active
from fastbp.training.feeding import drawn

# Around what one mask serves, and around how many places are drawn at a time.
SIZES = (0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 255, 256, 257, 511, 512, 513, 1000, 4097, 65_536, 70_001)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.SFC64])
def test_an_order_is_the_permutation_of_the_generator(bits: Any) -> None:
    with fb.use_backend("cython"):
        assert active().can("orders")
        for size in SIZES:
            for seed in range(3):
                ours, numpys = (np.random.Generator(bits([seed, size])) for _ in range(2))
                for generator in (ours, numpys):
                    generator.integers(9, dtype=np.uint32)  # half of a draw of 64 bits is left
                order = drawn(ours, size)
                assert order.dtype == np.int64
                np.testing.assert_array_equal(order, numpys.permutation(size))
                assert ours.integers(2**62) == numpys.integers(2**62)  # both go on alike
