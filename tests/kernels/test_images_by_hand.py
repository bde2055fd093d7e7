"""The kernels on images, the reference first of all, against numbers worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from numpy.testing import assert_array_equal

NAN, INF = math.nan, math.inf


def images(*rows: Any) -> np.ndarray:
    """One image of one channel, (1, 1, h, w)."""
    return np.array(rows, np.float64)[None, None]


def unwritten(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


def pair(rows: int, columns: int) -> np.ndarray:
    return np.array([rows, columns], np.int64)


COUNT = images([1, 2, 3], [4, 5, 6], [7, 8, 9])


# Convolution


def test_convolution_does_not_turn_its_window_over(kernels: Any) -> None:
    y = unwritten(1, 1, 2, 2)
    kernels.conv2d_forward(COUNT, images([1, 2], [0, -1]), np.array([10.0]), pair(1, 1), y)
    assert_array_equal(y, images([10 + 1 + 4 - 5, 10 + 2 + 6 - 6], [10 + 14 - 8, 10 + 5 + 12 - 9]))


def test_convolution_sums_over_channels_and_has_filters(kernels: Any) -> None:
    x = np.concatenate([COUNT, -COUNT], axis=1)
    w = np.array([[[[1.0]], [[1.0]]], [[[2.0]], [[0.0]]], [[[0.0]], [[3.0]]]])
    y = unwritten(1, 3, 3, 3)
    kernels.conv2d_forward(x, w, np.array([0.5, 0, 1]), pair(1, 1), y)
    assert_array_equal(y[0], [np.full((3, 3), 0.5), 2 * COUNT[0, 0], 1 - 3 * COUNT[0, 0]])


def test_convolution_steps_down_and_right(kernels: Any) -> None:
    y = unwritten(1, 1, 2, 1)
    kernels.conv2d_forward(COUNT, images([1, 10]), np.array([0.0]), pair(2, 3), y)
    assert_array_equal(y, images([21], [87]))


def test_gradients_of_convolution(kernels: Any) -> None:
    w, dy = images([1, 2], [0, -1]), images([1, 2], [3, 4])
    dw, db, dx = unwritten(1, 1, 2, 2), unwritten(1), unwritten(1, 1, 3, 3)
    kernels.conv2d_backward(COUNT, dy, pair(1, 1), dw, db)
    assert_array_equal(dw, images([1 + 4 + 12 + 20, 2 + 6 + 15 + 24], [4 + 10 + 21 + 32, 77]))
    assert_array_equal(db, [10])
    kernels.conv2d_backward_input(dy, w, pair(1, 1), dx)
    assert_array_equal(dx, images([1, 2 + 2, 4], [3, 4 + 6 - 1, 8 - 2], [0, -3, -4]))


def test_pixels_that_no_window_sees_have_no_gradient(kernels: Any) -> None:
    dy, dx = images([1, 2], [3, 4]), unwritten(1, 1, 5, 6)  # windows of one pixel, every other one
    kernels.conv2d_backward_input(dy, images([7]), pair(2, 2), dx)
    want = np.zeros((5, 6))
    want[:3:2, :3:2] = [[7, 14], [21, 28]]
    assert_array_equal(dx[0, 0], want)


def test_each_image_of_a_batch_is_seen_alone_and_their_gradients_are_summed(kernels: Any) -> None:
    x, dy = np.concatenate([COUNT, 10 * COUNT]), np.array([1.0, 2.0]).reshape(2, 1, 1, 1)
    y, dw, db = unwritten(2, 1, 1, 1), unwritten(1, 1, 3, 3), unwritten(1)
    kernels.conv2d_forward(x, np.ones((1, 1, 3, 3)), np.array([0.25]), pair(1, 1), y)
    assert_array_equal(y.ravel(), [45.25, 450.25])
    kernels.conv2d_backward(x, dy, pair(1, 1), dw, db)
    assert_array_equal(dw, 21 * COUNT)
    assert_array_equal(db, [3])


def test_convolution_of_no_images_has_a_zero_gradient(kernels: Any) -> None:
    dw, db = unwritten(2, 3, 2, 2), unwritten(2)
    kernels.conv2d_backward(unwritten(0, 3, 4, 4), unwritten(0, 2, 3, 3), pair(1, 1), dw, db)
    assert not dw.any()
    assert not db.any()


# Pooling


def test_maximum_of_each_window_and_the_rest_is_left(kernels: Any) -> None:
    x, y = images([1, 2, 9, 4, 9], [5, 3, 9, 7, 9], [9, 9, 9, 9, 9]), unwritten(1, 1, 1, 2)
    kernels.max_pool2d_forward(x, pair(2, 2), pair(2, 2), y)
    assert_array_equal(y, images([5, 9]))
    dx = np.full_like(x, np.nan)
    kernels.max_pool2d_backward(x, images([10, 20]), pair(2, 2), pair(2, 2), dx)
    assert_array_equal(dx, images([0, 0, 20, 0, 0], [10, 0, 0, 0, 0], [0] * 5))


def test_the_first_of_equal_maxima_gets_the_gradient(kernels: Any) -> None:
    x, dx = images([1, 1, -2, -2], [1, 1, -3, -2]), unwritten(1, 1, 2, 4)
    kernels.max_pool2d_backward(x, images([5, 6]), pair(2, 2), pair(2, 2), dx)
    assert_array_equal(dx, images([5, 0, 6, 0], [0, 0, 0, 0]))


def test_a_maximum_of_several_windows_gets_all_their_gradients(kernels: Any) -> None:
    x, dx = images([0, 1, 0], [1, 9, 1], [0, 1, 9]), unwritten(1, 1, 3, 3)
    kernels.max_pool2d_backward(x, images([1, 2], [4, 8]), pair(2, 2), pair(1, 1), dx)
    assert_array_equal(dx, images([0, 0, 0], [0, 15, 0], [0, 0, 0]))


def test_pools_keep_channels_and_images_apart(kernels: Any) -> None:
    x = np.arange(2 * 3 * 2 * 2, dtype=float).reshape(2, 3, 2, 2)
    y = unwritten(2, 3, 1, 1)
    kernels.max_pool2d_forward(x, pair(2, 2), pair(2, 2), y)
    assert_array_equal(y[..., 0, 0], [[3, 7, 11], [15, 19, 23]])
    kernels.avg_pool2d_forward(x, pair(2, 2), pair(2, 2), y)
    assert_array_equal(y[..., 0, 0], [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]])


def test_a_border_of_minus_infinity_is_never_the_maximum(kernels: Any) -> None:
    x, y = images([-INF, -INF, -INF], [-INF, -5, -INF]), unwritten(1, 1, 1, 2)
    kernels.max_pool2d_forward(x, pair(2, 2), pair(1, 1), y)
    assert_array_equal(y, images([-5, -5]))


def test_a_window_of_minus_infinities_gives_the_gradient_to_its_first(kernels: Any) -> None:
    x, dx = np.full((1, 1, 2, 2), -INF), unwritten(1, 1, 2, 2)
    kernels.max_pool2d_backward(x, images([3]), pair(2, 2), pair(2, 2), dx)
    assert_array_equal(dx, images([3, 0], [0, 0]))


def test_the_first_nan_counts_as_maximum(kernels: Any) -> None:
    x = images([1, NAN, INF, 7], [NAN, 3, 0, NAN])
    y, dx = unwritten(1, 1, 1, 2), unwritten(1, 1, 2, 4)
    kernels.max_pool2d_forward(x, pair(2, 2), pair(2, 2), y)
    assert np.isnan(y).all()
    kernels.max_pool2d_backward(x, images([5, 6]), pair(2, 2), pair(2, 2), dx)
    assert_array_equal(dx, images([0, 5, 0, 0], [0, 0, 0, 6]))


def test_mean_of_each_window(kernels: Any) -> None:
    y, dx = unwritten(1, 1, 2, 2), unwritten(1, 1, 3, 3)
    kernels.avg_pool2d_forward(COUNT, pair(2, 2), pair(1, 1), y)
    assert_array_equal(y, images([3, 4], [6, 7]))
    kernels.avg_pool2d_backward(images([4, 8], [12, 16]), pair(2, 2), pair(1, 1), dx)
    assert_array_equal(dx, images([1, 3, 2], [4, 10, 6], [3, 7, 4]))


def test_mean_of_windows_with_gaps_between(kernels: Any) -> None:
    y, dx = unwritten(1, 1, 1, 2), unwritten(1, 1, 3, 3)
    kernels.avg_pool2d_forward(COUNT, pair(2, 1), pair(2, 2), y)
    assert_array_equal(y, images([2.5, 4.5]))
    kernels.avg_pool2d_backward(images([4, 8]), pair(2, 1), pair(2, 2), dx)
    assert_array_equal(dx, images([2, 0, 4], [2, 0, 4], [0, 0, 0]))


# Padding


def test_padding_puts_a_border_and_takes_it_away(kernels: Any) -> None:
    y, dx = unwritten(1, 1, 3, 6), unwritten(1, 1, 1, 2)
    kernels.pad2d_forward(images([1, 2]), pair(1, 2), -7.0, y)
    assert_array_equal(y, images([-7] * 6, [-7, -7, 1, 2, -7, -7], [-7] * 6))
    kernels.pad2d_backward(images(range(6), range(6, 12), range(12, 18)), pair(1, 2), dx)
    assert_array_equal(dx, images([8, 9]))


def test_padding_of_nothing_is_a_copy(kernels: Any) -> None:
    y = unwritten(1, 1, 3, 3)
    kernels.pad2d_forward(COUNT, pair(0, 0), -INF, y)
    assert_array_equal(y, COUNT)


# What is not finite


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("value", [NAN, INF])
@for_each("width", [5, 37])  # of an image: within a vector, and more than some
def test_what_is_not_finite_shows_where_windows_see_it(
    kernels: Any, dtype: str, value: float, width: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((3, 2, 6, width)).astype(dtype)
    w, b = rng.standard_normal((17, 2, 3, 3)).astype(dtype), np.zeros(17, dtype)
    x[1, 1, 2, width - 2] = value
    y = np.zeros((3, 17, 4, width - 2), dtype)
    with np.errstate(invalid="ignore"):
        kernels.conv2d_forward(x, w, b, pair(1, 1), y)
    want = np.zeros_like(y, bool)
    want[1, :, :3, width - 4 :] = True
    assert_array_equal(~np.isfinite(y), want)
    pooled = np.zeros((3, 2, 4, width - 2), dtype)
    for pool in (kernels.max_pool2d_forward, kernels.avg_pool2d_forward):
        pool(x, pair(3, 3), pair(1, 1), pooled)
        bad = ~np.isfinite(pooled)
        assert_array_equal(bad[1, 1], want[1, 0])
        assert bad.sum() == bad[1, 1].sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_that_are_not_finite_show(
    kernels: Any, dtype: str, rng: np.random.Generator
) -> None:
    x, dy = np.ones((17, 2, 6, 9), dtype), np.ones((17, 5, 4, 7), dtype)
    w = rng.standard_normal((5, 2, 3, 3)).astype(dtype)
    dy[16, 4, 3, 6] = NAN
    dw, db, dx = np.zeros_like(w), np.zeros(5, dtype), np.zeros_like(x)
    kernels.conv2d_backward(x, dy, pair(1, 1), dw, db)
    assert np.isnan(dw[4]).all()
    assert np.isfinite(dw[:4]).all()
    assert np.isnan(db).tolist() == [False] * 4 + [True]
    kernels.conv2d_backward_input(dy, w, pair(1, 1), dx)
    want = np.zeros(x.shape, bool)
    want[16, :, 3:, 6:] = True
    assert_array_equal(np.isnan(dx), want)
