"""Every kernel, the reference first of all, against numbers worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from kernel_cases import UNWEIGHTED, make_case
from numpy.testing import assert_allclose, assert_array_equal

from fastbp.kernels import KERNELS

E = math.e
LN2 = math.log(2)
SELU = 1.0507009873554805, 1.6732632423543772  # scale and alpha
NUMBERS = {"alpha": 0.7, "negative_slope": 0.25, "beta": 2.0, "threshold": 3.0, "approximate": 0.0}


def array(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def unwritten(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


def labels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_gather_takes_rows_in_order_and_scales_them(kernels: Any) -> None:
    data, x = np.array([[0, 51], [255, 102], [1, 2]], dtype=np.uint8), unwritten(3, 2)
    kernels.gather(data, labels(1, 0, 1), 1 / 255, x)
    assert_allclose(x, [[1, 0.4], [0, 0.2], [1, 0.4]], rtol=1e-15)


def test_dense_forward(kernels: Any) -> None:
    x, w, b = array([[1, 2], [3, 4]]), array([[1, 0, -1], [2, 1, 0]]), array([10, 20, 30])
    y = unwritten(2, 3)
    kernels.dense_forward(x, w, b, y)
    assert_array_equal(y, [[15, 22, 29], [21, 24, 27]])


def test_dense_backward(kernels: Any) -> None:
    x, dy = array([[1, 2], [3, 4]]), array([[1, 0, -1], [2, 1, 0]])
    dw, db = unwritten(2, 3), unwritten(3)
    kernels.dense_backward(x, dy, dw, db)
    assert_array_equal(dw, [[7, 3, -1], [10, 4, -2]])
    assert_array_equal(db, [3, 1, -1])


def test_dense_backward_input(kernels: Any) -> None:
    dy, w, dx = array([[1, 2, 3]]), array([[1, 0, -1], [2, 1, 0]]), unwritten(1, 2)
    kernels.dense_backward_input(dy, w, dx)
    assert_array_equal(dx, [[-2, 4]])


def test_dense_on_an_empty_batch_has_a_zero_gradient(kernels: Any) -> None:
    dw, db = unwritten(3, 2), unwritten(2)
    kernels.dense_backward(unwritten(0, 3), unwritten(0, 2), dw, db)
    assert_array_equal(dw, np.zeros((3, 2)))
    assert_array_equal(db, [0, 0])


FORWARD = {  # x -> y
    "relu_forward": ([-2, 0, 3], [0, 0, 3]),
    "elu_forward": ([-LN2, 0, 3], [-0.35, 0, 3]),  # alpha is 0.7
    "tanh_forward": ([-LN2, 0, LN2], [-0.6, 0, 0.6]),
    "sigmoid_forward": ([-LN2, 0, LN2], [1 / 3, 1 / 2, 2 / 3]),
    "leaky_relu_forward": ([-2, 0, 3], [-0.5, 0, 3]),  # negative_slope is 0.25
    "selu_forward": ([-LN2, 0, 3], [-SELU[0] * SELU[1] / 2, 0, 3 * SELU[0]]),
    "silu_forward": ([-LN2, 0, LN2], [-LN2 / 3, 0, LN2 * 2 / 3]),
    "mish_forward": ([-LN2, 0, LN2], [-LN2 * 5 / 13, 0, LN2 * 4 / 5]),
    "softplus_forward": ([0, LN2 / 2, 2], [LN2 / 2, math.log(3) / 2, 2]),  # beta 2, threshold 3
    "gelu_forward": ([-1, 0, 1], [-0.15865525393145707, 0, 0.8413447460685429]),  # by erf
    "softmax_forward": ([LN2, 0, 0], [1 / 2, 1 / 4, 1 / 4]),
    "log_softmax_forward": ([LN2, 0, 0], [-LN2, -2 * LN2, -2 * LN2]),
}


@for_each("name", FORWARD)
def test_forward(kernels: Any, name: str) -> None:
    given = NUMBERS | {"x": array([FORWARD[name][0]]), "y": unwritten(1, 3)}
    getattr(kernels, name)(*(given[argument] for argument in KERNELS[name].arguments))
    assert_allclose(given["y"], [FORWARD[name][1]], rtol=1e-15, atol=0)


BACKWARD = {  # y, dy -> dx
    "relu_backward": ([-1, 0, 3], [5, 5, 5], [0, 0, 5]),  # the slope at 0 is taken for 0
    "elu_backward": ([-0.35, 0, 3], [2, 2, 2], [0.7, 1.4, 2]),  # at 0 from the left, alpha is 0.7
    "tanh_backward": ([-0.6, 0, 1], [2, 2, 2], [1.28, 2, 0]),
    "sigmoid_backward": ([0.25, 0.5, 1], [4, 4, 4], [0.75, 1, 0]),
    "leaky_relu_backward": ([-0.5, 0, 3], [8, 8, 8], [2, 2, 8]),  # at 0 from the left
    "selu_backward": (
        [-SELU[0] * SELU[1] / 2, 0, 3],
        [2, 2, 2],
        [SELU[0] * SELU[1], 2 * SELU[0] * SELU[1], 2 * SELU[0]],  # at 0 from the left
    ),
    "log_softmax_backward": ([-LN2, -2 * LN2, -2 * LN2], [4, -2, 6], [0, -4, 4]),
}


@for_each("name", BACKWARD)
def test_backward(kernels: Any, name: str) -> None:
    y, dy, want = (array([row]) for row in BACKWARD[name])
    given = NUMBERS | {"x": unwritten(1, 3), "y": y, "dy": dy, "dx": unwritten(1, 3)}
    getattr(kernels, name)(*(given[argument] for argument in KERNELS[name].arguments))
    dx = given["dx"]
    assert_allclose(dx, want, rtol=1e-15, atol=1e-15)


BACKWARD_BY_X = {  # x, dx where dy is 1
    "silu_backward": (
        [-LN2, 0, LN2],
        [(1 - LN2 * 2 / 3) / 3, 1 / 2, (1 + LN2 / 3) * 2 / 3],
    ),
    "mish_backward": (
        [-LN2, 0, LN2],
        [5 / 13 - LN2 * 48 / 169, 3 / 5, 4 / 5 + LN2 * 6 / 25],
    ),
    "softplus_backward": ([0, LN2 / 2, 2], [1 / 2, 2 / 3, 1]),
    "gelu_backward": ([-1, 0, 1], [-0.08331547058768629, 1 / 2, 1.0833154705876863]),
}


@for_each("name", BACKWARD_BY_X)
def test_backward_by_x(kernels: Any, name: str) -> None:
    x, want = (array([row]) for row in BACKWARD_BY_X[name])
    given = NUMBERS | {"x": x, "y": unwritten(1, 3), "dy": np.ones((1, 3)), "dx": unwritten(1, 3)}
    getattr(kernels, name)(*(given[argument] for argument in KERNELS[name].arguments))
    assert_allclose(given["dx"], want, rtol=2e-15, atol=1e-15)


def test_hinge_loss_counts_the_violated_margins(kernels: Any) -> None:
    x = array([[1, 2, 4, 1.5], [9, 1, 2, 3]])  # row 0: 2 - 1 + 1 = 2, then 4 and 1.5; row 1: none
    dx = unwritten(2, 4)
    assert kernels.hinge_loss(x, labels(0, 0), UNWEIGHTED, 1.0, dx) == (2 + 4 + 1.5) / 2
    assert_array_equal(dx, [[-1.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]])


def test_hinge_loss_exactly_at_the_margin_is_zero_with_zero_gradient(kernels: Any) -> None:
    dx = unwritten(1, 3)
    assert kernels.hinge_loss(array([[2, 1, 0.5]]), labels(0), UNWEIGHTED, 1.0, dx) == 0
    assert_array_equal(dx, [[0, 0, 0]])


def test_squared_hinge_loss_squares_the_violations(kernels: Any) -> None:
    dx = np.full((2, 3), np.nan)
    loss = kernels.squared_hinge_loss(
        array([[3, 1, 2.5], [0, 2, 1]]), labels(0, 2), UNWEIGHTED, 1.0, dx
    )
    assert loss == (0.5**2 + 2**2) / 2
    assert_array_equal(dx, [[-0.5, 0, 0.5], [0, 2, -2]])


def test_hinge_loss_takes_any_margin(kernels: Any) -> None:
    dx = unwritten(1, 3)
    assert kernels.hinge_loss(array([[2, 1, 0.5]]), labels(0), UNWEIGHTED, 1.25, dx) == 0.25
    assert_array_equal(dx, [[-1, 1, 0]])


def test_cross_entropy_of_uniform_scores_is_the_log_of_the_classes(kernels: Any) -> None:
    dx = unwritten(2, 4)
    loss = kernels.cross_entropy_loss(np.full((2, 4), 3.0), labels(0, 2), UNWEIGHTED, 0.0, dx)
    assert loss == pytest.approx(math.log(4), rel=1e-15)
    assert_allclose(dx, array([[-3, 1, 1, 1], [1, 1, -3, 1]]) / 8, rtol=1e-15)


def test_cross_entropy_of_known_odds(kernels: Any) -> None:
    dx = unwritten(1, 3)
    loss = kernels.cross_entropy_loss(
        array([[LN2, 0, 0]]), labels(1), UNWEIGHTED, 0.0, dx
    )  # 1/2, 1/4, 1/4
    assert loss == pytest.approx(2 * LN2, rel=1e-15)
    assert_allclose(dx, [[0.5, -0.75, 0.25]], rtol=1e-15)


def test_soft_cross_entropy_of_known_odds(kernels: Any) -> None:
    dx, x = unwritten(2, 3), array([[LN2, 0, 0], [0, LN2, 0]])  # 1/2, 1/4, 1/4 and 1/4, 1/2, 1/4
    target = array([[0.5, 0.5, 0], [0, 1, 0]])
    loss = kernels.soft_cross_entropy_loss(x, target, UNWEIGHTED, 0.0, dx)
    assert loss == pytest.approx((0.5 * LN2 + 0.5 * 2 * LN2 + LN2) / 2, rel=1e-15)
    assert_allclose(dx, array([[0, -0.25, 0.25], [0.25, -0.5, 0.25]]) / 2, rtol=1e-15, atol=1e-17)
    # Half of the ones in equal parts: 5/12, 5/12, 1/6 and 1/6, 2/3, 1/6.
    loss = kernels.soft_cross_entropy_loss(x, target, UNWEIGHTED, 0.5, dx)
    assert loss == pytest.approx((5 / 12 * 3 + 1 / 3 + 1 / 3 * 2 + 2 / 3) * LN2 / 2, rel=1e-15)
    assert_allclose(dx[0] * 2, [1 / 2 - 5 / 12, 1 / 4 - 5 / 12, 1 / 4 - 1 / 6], rtol=1e-14)


def test_nll_loss(kernels: Any) -> None:
    dx = unwritten(2, 3)
    assert kernels.nll_loss(array([[-1, -2, -3], [-4, -5, -6]]), labels(1, 2), UNWEIGHTED, dx) == 4
    assert_array_equal(dx, [[0, -0.5, 0], [0, 0, -0.5]])


def test_nll_of_log_softmax_is_cross_entropy(kernels: Any, rng: np.random.Generator) -> None:
    x, target = rng.standard_normal((9, 7)), rng.integers(0, 7, 9)
    y, dy, dx, want = (unwritten(9, 7) for _ in range(4))
    kernels.log_softmax_forward(x, y)
    loss = kernels.nll_loss(y, target, UNWEIGHTED, dy)
    kernels.log_softmax_backward(y, dy, dx)
    assert loss == pytest.approx(
        kernels.cross_entropy_loss(x, target, UNWEIGHTED, 0.0, want), rel=1e-14
    )
    assert_allclose(dx, want, rtol=1e-12, atol=1e-16)


def test_squared_error_is_a_mean_over_all_elements(kernels: Any) -> None:
    dx = unwritten(2, 2)
    loss = kernels.squared_error_loss(
        array([[1, 2], [3, 4]]), array([[1, 0], [6, 3]]), UNWEIGHTED, dx
    )
    assert loss == (0 + 4 + 9 + 1) / 4
    assert_array_equal(dx, [[0, 1], [-1.5, 0.5]])


def test_absolute_error_is_a_mean_over_all_elements(kernels: Any) -> None:
    dx = unwritten(2, 2)
    loss = kernels.absolute_error_loss(
        array([[1, 2], [3, 4]]), array([[1, 0], [6, 3]]), UNWEIGHTED, dx
    )
    assert loss == (0 + 2 + 3 + 1) / 4
    assert_array_equal(dx, [[0, 0.25], [-0.25, 0.25]])


def test_huber_loss_is_half_a_square_up_to_delta_and_then_a_line(kernels: Any) -> None:
    dx = unwritten(2, 2)
    loss = kernels.huber_loss(
        array([[1, 2], [3, 4]]), array([[0.5, 0], [6, 4]]), UNWEIGHTED, 2.0, dx
    )
    assert loss == (0.125 + 2 + 2 * (3 - 1) + 0) / 4
    assert_array_equal(dx, array([[0.5, 2], [-2, 0]]) / 4)


def test_poisson_nll_loss_is_of_logarithms(kernels: Any) -> None:
    dx = unwritten(2, 2)
    loss = kernels.poisson_nll_loss(
        array([[0, LN2], [-LN2, 0]]), array([[1, 2], [0, 3]]), UNWEIGHTED, dx
    )
    assert loss == pytest.approx((1 + 2 - 2 * LN2 + 0.5 + 1) / 4, rel=1e-14)
    assert_allclose(dx, array([[0, 0], [0.5, -2]]) / 4, rtol=1e-14, atol=1e-16)


def test_bce_with_logits_loss_is_of_raw_scores(kernels: Any) -> None:
    dx, ln3 = np.full((2, 2), np.nan), np.log(3)  # sigmoid(log(3)) = 3/4
    x, target = array([[0, ln3], [-ln3, ln3]]), array([[1, 1], [0, 0.5]])
    loss = kernels.bce_with_logits_loss(x, target, UNWEIGHTED, np.full(x.shape[1], 2.0), dx)
    ln43, ln4 = np.log(4 / 3), np.log(4)
    assert loss == pytest.approx((2 * LN2 + 2 * ln43 + ln43 + ln43 + ln4 / 2) / 4, rel=1e-14)
    assert_allclose(dx, array([[-1, -0.5], [0.25, 0.375 - 0.25]]) / 4, rtol=1e-14)


@for_each("name", [name for name in KERNELS if name.endswith("_loss")])
def test_loss_of_an_empty_batch_is_zero(kernels: Any, name: str) -> None:
    case = make_case(name, 0, 1, 3, np.float64, np.random.default_rng(0))
    assert getattr(kernels, name)(*case.values()) == 0


def test_sgd_step(kernels: Any) -> None:
    params = array([1, 2, 3])
    kernels.sgd_step(array([4, 0, -2]), 0.25, params)
    assert_array_equal(params, [0, 2, 3.5])


def test_adagrad_step(kernels: Any) -> None:
    params, v = array([2, 0]), array([7, 0])
    # g = 2.5 + 0.25 * 2 = 3, v = 16; the rate is 8 / (1 + 2 * 0.5)
    kernels.adagrad_step(array([2.5, 0]), 8.0, 0.5, 1e-300, 0.25, 3.0, params, v)
    assert_array_equal(v, [16, 0])
    assert_array_equal(params, [2 - 4 * 3 / 4, 0])


def test_argmax_of_equal_values_is_the_first(kernels: Any) -> None:
    found = labels(-1, -1, -1)
    kernels.argmax(array([[1, 3, 3], [2, 2, 2], [-5, -7, -4]]), found)
    assert_array_equal(found, [1, 0, 2])


def test_argmax_counts_the_first_nan_as_largest(kernels: Any) -> None:
    nan, inf = math.nan, math.inf
    found = labels(-1, -1, -1, -1)
    kernels.argmax(array([[nan, 1, inf], [1, nan, nan], [inf, 1, nan], [-inf, -inf, 0]]), found)
    assert_array_equal(found, [0, 1, 2, 2])


def test_sum_errors_sums_squares_and_distances_of_each_column(kernels: Any) -> None:
    x, target, errors = array([[1, 5], [3, -1]]), array([[2, 5], [0, 1]]), unwritten(2, 2)
    kernels.sum_errors(x, target, errors)
    assert_array_equal(errors, [[10, 4], [4, 2]])
    kernels.sum_errors(x[:0], target[:0], errors)
    assert_array_equal(errors, np.zeros((2, 2)))
    x[1, 0] = np.nan
    kernels.sum_errors(x, target, errors)
    assert_array_equal(errors, [[np.nan, 4], [np.nan, 2]])


def test_accuracy_is_the_share_of_rows_that_are_right(kernels: Any) -> None:
    x = array([[1, 3, 3], [2, 2, 2], [-5, -7, -4], [0, 1, math.nan]])
    assert kernels.accuracy(x, labels(2, 0, 2, 2)) == 0.75  # of two equal ones the first counts
    x = np.array([[1, np.nan, np.inf], [np.nan, np.nan, 3], [np.inf, np.inf, 2], [-np.inf] * 3])
    assert kernels.accuracy(x, labels(1, 0, 0, 0)) == 1  # the first NaN is the largest
    assert kernels.accuracy(x, labels(2, 1, 1, 1)) == 0
    assert kernels.accuracy(unwritten(0, 3), labels()) == 0


def test_momentum_step(kernels: Any) -> None:
    params, v = array([1, 2]), array([4, -8])
    kernels.momentum_step(array([1, 1]), 0.5, 0.25, 0.5, params, v)
    assert v.tolist() == [1 + 1 + 0.5, -2 + 1 + 1]
    assert params.tolist() == [1 - 1.25, 2 - 0]


def test_nesterov_step_looks_ahead(kernels: Any) -> None:
    params, v = array([1, 2]), array([4, -8])
    kernels.nesterov_step(array([1, 1]), 0.5, 0.25, 0.5, params, v)
    assert v.tolist() == [2.5, 0]
    assert params.tolist() == [1 - 0.5 * (1.5 + 0.625), 2 - 0.5 * 2]


def test_rmsprop_step(kernels: Any) -> None:
    params, m, v = array([2, 0]), array([4, 0]), array([0, 16])
    kernels.rmsprop_step(array([3, 0]), 0.5, 0.75, 1e-300, 0.25, 0.5, params, m, v)
    assert_array_equal(v, [0.25 * 4**2, 0.75 * 16])  # g = 3 + 0.5 * 2, and 0
    assert_array_equal(m, [0.25 * 4 + 4 / 2, 0])
    assert_array_equal(params, [2 - 0.5 * 3, 0])


def test_the_first_adam_step_is_the_sign_of_the_gradient(kernels: Any) -> None:
    params, m, v = array([1, 1, 1]), array([0, 0, 0]), array([0, 0, 0])
    kernels.adam_step(array([3, -0.01, 0]), 0.25, 0.75, 0.5, 1e-12, 0.0, 1.0, params, m, v)
    assert np.allclose(m, [0.75, -0.0025, 0])
    assert np.allclose(v, [4.5, 5e-5, 0])
    assert np.allclose(params, [0.75, 1.25, 1])


def test_adamw_shrinks_the_params_and_not_the_gradient(kernels: Any) -> None:
    params, m, v = array([8.0]), array([0.0]), array([0.0])
    kernels.adamw_step(array([0]), 0.5, 0.9, 0.99, 1e-8, 0.25, 1.0, params, m, v)
    assert params.tolist() == [8 * (1 - 0.125)]
    assert m.tolist() == [0]
    kernels.adam_step(array([0]), 0.5, 0.75, 0.99, 1e-8, 0.25, 1.0, params, m, v)
    assert m.tolist() == [0.25 * 0.25 * 7]
