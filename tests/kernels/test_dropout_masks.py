"""Dropout's masks: Philox's words, the same wherever and however they are asked for."""

import math
from typing import Any

import numpy as np
import pytest
from for_each import for_each

MASK = 2**32 - 1


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x32-10, word by word as Salmon et al. 2011 (section 3.4) draw it."""
    for _ in range(10):
        a, b = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = (
            (b >> 32) ^ counter[1] ^ key[0],
            b & MASK,
            (a >> 32) ^ counter[3] ^ key[1],
            a & MASK,
        )
        key = (key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK
    return counter


def word(seed: int, step: int, row: int, column: int) -> int:
    """Which word decides about an element: it is dropped where word < p·2³²."""
    counter = (column // 4, row, step & MASK, step >> 32)
    return philox(counter, (seed & MASK, seed >> 32))[column % 4]


# The authors' own known answers (Random123's kat_vectors): counter, key, result
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def dropout(kernels: Any, x: Any, p: float, seed: int, step: int) -> np.ndarray:
    x = np.asarray(x)
    y = np.full_like(x, np.nan)
    kernels.dropout(x, p, seed, step, y)
    return y


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_formula_here_gives_the_published_numbers(counter: str, key: str, result: str) -> None:
    counter, key, result = (
        tuple(int(n, 16) for n in words.split()) for words in (counter, key, result)
    )
    assert philox(counter, key) == result


def test_the_first_words_are_the_published_ones(kernels: Any) -> None:
    """Each is between the two p, one 2**-32 apart, at which its element is kept and dropped."""
    for column, number in enumerate(int(n, 16) for n in KNOWN[0][2].split()):
        kept, dropped = (
            dropout(kernels, np.ones((1, 4)), (number + k) / 2**32, 0, 0) for k in (0, 1)
        )
        assert (kept[0, column] > 0, dropped[0, column]) == (True, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each(
    ("seed", "step"),
    [(0, 0), (1, 0), (0, 1), (7, 2**32 - 1), (7, 2**32), (2**32, 3), (2**63 - 1, 2**40 + 9)],
)
@for_each("p", [0.1, 0.5, 0.75])
def test_an_element_is_dropped_where_its_word_is_below_p(
    kernels: Any, dtype: str, seed: int, step: int, p: float, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((5, 39)).astype(dtype)
    words = [[word(seed, step, row, column) for column in range(39)] for row in range(5)]
    want = np.where(np.array(words) < int(p * 2**32), 0, x * x.dtype.type(1 / (1 - p)))
    np.testing.assert_array_equal(dropout(kernels, x, p, seed, step), want)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_mean_that_stays(kernels: Any, p: float) -> None:
    y = dropout(kernels, np.ones((300, 1000)), p, 2024, 6)
    deviation = math.sqrt(p * (1 - p) / y.size)
    assert abs((y == 0).mean() - p) < 4 * deviation
    assert abs(y.mean() - 1) < 4 * deviation / (1 - p)
    for axis in (0, 1):  # no row and no column is dropped more often than chance has it
        shares = (y == 0).mean(axis=axis)
        assert abs(shares - p).max() < 5 * math.sqrt(p * (1 - p) / y.shape[axis])


def test_masks_of_other_seeds_steps_and_rows_have_nothing_in_common(kernels: Any) -> None:
    masks = [
        dropout(kernels, np.ones((2, 4000)), 0.5, seed, step) > 0
        for seed, step in ((0, 0), (0, 1), (1, 0), (0, 2**32), (2**32, 0))
    ]
    rows = np.concatenate(masks)
    agree = (rows[:, None] == rows).mean(axis=2)
    assert abs(agree[~np.eye(len(rows), dtype=bool)] - 0.5).max() < 5 * math.sqrt(0.25 / 4000)


def test_the_mask_does_not_depend_on_how_many_rows_and_columns_there_are(kernels: Any) -> None:
    whole = dropout(kernels, np.ones((33, 131)), 0.4, 5, 6)
    for rows in (0, 1, 2, 32):
        for columns in (1, 3, 4, 5, 16, 17, 130):
            part = dropout(kernels, np.ones((rows, columns)), 0.4, 5, 6)
            np.testing.assert_array_equal(part, whole[:rows, :columns])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_p_everything_stays(kernels: Any, dtype: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 37)).astype(dtype)
    np.testing.assert_array_equal(dropout(kernels, x, 0.0, 1, 2), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_stays_or_becomes_zero(kernels: Any, dtype: str) -> None:
    mask = dropout(kernels, np.ones((4, 35)), 0.5, 1, 2) > 0
    for value in (np.nan, np.inf, -np.inf):
        y = dropout(kernels, np.full((4, 35), value, dtype), 0.5, 1, 2)
        np.testing.assert_array_equal(y, np.where(mask, value, 0))
