"""Huge scores overflow nothing; NaN and infinity are passed on, never swallowed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from image_cases import ON_IMAGES
from kernel_cases import ELEMENTWISE, NORMS, NUMBERS, UNWEIGHTED, make_case
from numpy.testing import assert_allclose, assert_array_equal

from fastbp.kernels import KERNELS, _numpy

DTYPES = ["float32", "float64"]
# of one row, which becomes one row
ON_ROWS = [k for k in KERNELS if k not in ON_IMAGES and not k.startswith("dense")]
ACTIVATIONS = [k for k in ON_ROWS if k.endswith("_forward")]
HUGE = np.array(
    [[1e4, 0, -1e4], [-1e4, -1e4, -1e4], [1e4, 1e4, 9999], [-1e4, 1e4, 0], [0, -1e4, 5]]
)
LABELS = np.array([2, 0, 2, 1, 0])

pytestmark = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """NumPy warns of inf - inf and the like, which is right and not of interest here."""
    with np.errstate(all="ignore"):
        yield


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def test_softmax_of_huge_scores(kernels: Any, dtype: str) -> None:
    x, y = HUGE.astype(dtype), np.full_like(HUGE, np.nan, dtype)
    kernels.softmax_forward(x, y)
    assert_allclose(y, np.exp(log_softmax(HUGE)), rtol=4 * np.finfo(dtype).eps, atol=1e-37)


def test_log_softmax_of_huge_scores(kernels: Any, dtype: str) -> None:
    x, y = HUGE.astype(dtype), np.full_like(HUGE, np.nan, dtype)
    kernels.log_softmax_forward(x, y)
    assert_allclose(y, log_softmax(HUGE), rtol=4 * np.finfo(dtype).eps, atol=1e-37)


def test_log_softmax_gradient_of_huge_scores(kernels: Any, dtype: str) -> None:
    dy, dx = np.ones((5, 3), dtype), np.full((5, 3), np.nan, dtype)
    dy[:, 0] = -2
    kernels.log_softmax_backward(log_softmax(HUGE).astype(dtype), dy, dx)
    assert_allclose(dx, dy, rtol=0, atol=0)  # they sum to 0


@for_each("row", range(5))
def test_cross_entropy_of_huge_scores(kernels: Any, dtype: str, row: int) -> None:
    x, labels, dx = HUGE[[row]], LABELS[[row]], np.full((1, 3), np.nan, dtype)
    loss, eps = (
        kernels.cross_entropy_loss(x.astype(dtype), labels, UNWEIGHTED, 0.0, dx),
        np.finfo(dtype).eps,
    )
    assert_allclose(loss, -log_softmax(x)[0, labels[0]], rtol=4 * eps)  # small ones as precise
    assert_allclose(dx, np.exp(log_softmax(x)) - np.eye(3)[labels], rtol=4 * eps, atol=eps)


@for_each("n", [15, 16, 17, 35])
@for_each("columns", [1, 2, 10, 31, 32, 33])
def test_cross_entropy_of_rows_together_is_that_of_each(
    kernels: Any, dtype: str, n: int, columns: int, rng: np.random.Generator
) -> None:
    """Also of rows between which one without weight, which counts for nothing, may be anything."""
    x = np.where(rng.random((n, columns)) < 0.1, 1e4, rng.normal(0, 3, (n, columns))).astype(dtype)
    labels, weights = rng.integers(0, columns, n), 1 + rng.random(n)
    dx, each, loss = np.full_like(x, np.nan), np.full_like(x, np.nan), 0.0
    whole = kernels.cross_entropy_loss(x, labels, weights, 0.0, dx)
    x = np.repeat(x, 2, axis=0)
    x[1::2] = [np.nan, np.inf][n % 2]
    for row in range(n):
        alone = np.zeros(2 * n)
        alone[2 * row] = weights[row]
        one = np.full_like(x, np.nan)
        loss += weights[row] * kernels.cross_entropy_loss(x, np.repeat(labels, 2), alone, 0.0, one)
        assert_array_equal(np.delete(one, 2 * row, axis=0), 0)
        each[row] = one[2 * row]
    eps = np.finfo(dtype).eps
    assert_allclose(whole, loss / weights.sum(), rtol=4 * eps)
    share = (weights / weights.sum())[:, None].astype(dtype)
    assert_allclose(dx, each * share, rtol=4 * eps, atol=eps)
    x[2, 0] = np.nan  # a NaN reaches its row, and no other
    kernels.cross_entropy_loss(x[::2].copy(), labels, weights, 0.0, dx)
    assert_array_equal(np.isnan(dx).all(axis=1), np.arange(n) == 1)


def test_smoothed_cross_entropy_of_huge_scores(kernels: Any, dtype: str) -> None:
    x, dx = np.array([[1e4, -1e4]], dtype), np.full((1, 2), np.nan, dtype)
    assert kernels.cross_entropy_loss(x, LABELS[:1] * 0, UNWEIGHTED, 0.5, dx) == 0.25 * 2e4
    assert_array_equal(dx, [[0.25, -0.25]])


def test_hinge_of_huge_scores(kernels: Any, dtype: str) -> None:
    dx = np.full((5, 3), np.nan, dtype)
    # row by row: 20001 + 10001; 1 + 1; 2 + 2; 0; 6
    loss = kernels.hinge_loss(HUGE.astype(dtype), LABELS, UNWEIGHTED, 1.0, dx)
    assert loss == pytest.approx((30002 + 2 + 4 + 0 + 6) / 5, rel=1e-15)
    want = [[1, 1, -2], [-2, 1, 1], [1, 1, -2], [0, 0, 0], [-1, 0, 1]]
    assert_allclose(dx, np.array(want) / 5, rtol=np.finfo(dtype).eps)


def test_squared_hinge_of_huge_scores(kernels: Any, dtype: str) -> None:
    dx, rtol = np.full((5, 3), np.nan, dtype), np.finfo(dtype).eps
    loss = kernels.squared_hinge_loss(HUGE.astype(dtype), LABELS, UNWEIGHTED, 1.0, dx)
    assert loss == pytest.approx((20001.0**2 + 10001.0**2 + 2 + 8 + 0 + 36) / 5, rel=1e-15)
    want = [[20001, 10001, -30002], [-2, 1, 1], [2, 2, -4], [0, 0, 0], [-6, 0, 6]]
    assert_allclose(dx, np.array(want) * 2 / 5, rtol=4 * rtol)


def test_poisson_nll_of_huge_scores(kernels: Any, dtype: str) -> None:
    dx = np.full((1, 2), np.nan, dtype)
    loss = kernels.poisson_nll_loss(
        np.array([[-1e4, 0]], dtype), np.array([[3, 1]], dtype), UNWEIGHTED, dx
    )
    assert loss == (3e4 + 1) / 2
    assert_array_equal(dx, [[-1.5, 0]])
    with np.errstate(over="ignore"):
        loss = kernels.poisson_nll_loss(
            np.array([[1e4, 0]], dtype), np.array([[3, 1]], dtype), UNWEIGHTED, dx
        )
    assert (loss, dx[0, 0]) == (np.inf, np.inf)


def test_bce_with_logits_of_huge_scores(kernels: Any, dtype: str) -> None:
    x, target = np.array([[1e4, -1e4, 1e4, -1e4]], dtype), np.array([[0, 0, 1, 1]], dtype)
    dx = np.full((1, 4), np.nan, dtype)
    assert (
        kernels.bce_with_logits_loss(x, target, UNWEIGHTED, np.full(x.shape[1], 2.0), dx)
        == (1e4 + 0 + 0 + 2e4) / 4
    )
    assert_array_equal(dx, [[0.25, 0, 0, -0.5]])
    x, target = np.array([[-30, 30]], dtype), np.array([[0, 1]], dtype)  # small ones as precise
    dx = np.full((1, 2), np.nan, dtype)
    loss, e = (
        kernels.bce_with_logits_loss(x, target, UNWEIGHTED, np.full(x.shape[1], 1.0), dx),
        np.exp(-30),
    )
    assert_allclose(loss, np.log1p(e), rtol=8 * np.finfo(dtype).eps)
    assert_allclose(dx, np.array([[e, -e]]) / (1 + e) / 2, rtol=8 * np.finfo(dtype).eps)


@for_each("name", ACTIVATIONS)
def test_nan_in_is_nan_out(kernels: Any, dtype: str, name: str, rng: np.random.Generator) -> None:
    case = make_case(name, 1, 1, 67, dtype, rng)
    for j in (0, 13, 66):  # in a vector and in the rest after the last whole one
        x = np.copy(case["x"])
        x[0, j] = np.nan
        getattr(kernels, name)(*{**case, "x": x}.values())
        assert np.isnan(case["y"][0, j])
        row_wise = name in ("softmax_forward", "log_softmax_forward", "layer_norm_forward")
        assert np.isnan(case["y"]).sum() == (67 if row_wise else 1)


@for_each(
    ("name", "column"),
    [
        *(("hinge_loss", c) for c in (0, 3, 5, 19)),
        *(("squared_hinge_loss", c) for c in (0, 3, 5, 19)),
        *(("cross_entropy_loss", c) for c in (0, 3, 5, 19)),
        *(("soft_cross_entropy_loss", c) for c in (0, 19)),
        *((f"{kind}_error_loss", c) for kind in ("squared", "absolute") for c in (0, 19)),
        *(("huber_loss", c) for c in (0, 19)),
        *(("poisson_nll_loss", c) for c in (0, 19)),
        *(("bce_with_logits_loss", c) for c in (0, 19)),
        ("nll_loss", 3),
    ],
)
def test_nan_score_reaches_the_loss(
    kernels: Any, dtype: str, name: str, column: int, rng: np.random.Generator
) -> None:
    case = make_case(name, 4, 1, 20, dtype, rng)
    case["x"][2, column] = np.nan
    if "labels" in case:
        case["labels"][:] = 3
    assert np.isnan(getattr(kernels, name)(*case.values()))


@for_each("argument", ["x", "w", "b"])
@for_each("value", [np.nan, np.inf, -np.inf])
def test_dense_forward_shows_what_is_not_finite(
    kernels: Any, dtype: str, argument: str, value: float, rng: np.random.Generator
) -> None:
    case = make_case("dense_forward", 9, 35, 49, dtype, rng)
    case[argument].flat[-1] = value
    kernels.dense_forward(*case.values())
    hit = np.s_[-1, :] if argument == "x" else np.s_[:, -1]
    assert not np.any(np.isfinite(case["y"][hit]))
    case["y"][hit] = 0
    assert np.all(np.isfinite(case["y"]))


def test_dense_backward_shows_what_is_not_finite(
    kernels: Any, dtype: str, rng: np.random.Generator
) -> None:
    case = make_case("dense_backward", 9, 35, 49, dtype, rng)
    case["dy"][4, 48] = np.inf
    kernels.dense_backward(*case.values())
    assert not np.any(np.isfinite(case["dw"][:, 48]))
    assert case["db"][48] == np.inf
    case = make_case("dense_backward_input", 9, 35, 49, dtype, rng)
    case["w"][34, 48] = np.nan
    kernels.dense_backward_input(*case.values())
    assert np.all(np.isnan(case["dx"][:, 34]))
    assert np.all(np.isfinite(case["dx"][:, :34]))


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5])
SMOOTH = [k for k in ON_ROWS if k.endswith(("_forward", "_backward")) and k not in NORMS]


@for_each("name", SMOOTH)
def test_every_pair_of_special_values_goes_the_references_way(
    compiled: Any, dtype: str, name: str
) -> None:
    """One row for each pair; single columns, so that no row-wise sum hides anything."""
    first, second = (v.reshape(-1, 1).astype(dtype) for v in np.meshgrid(SPECIAL, SPECIAL))
    given = NUMBERS | {"x": first, "y": first, "dy": second}
    inputs = [given[a] for a in KERNELS[name].arguments[:-1]]
    want, got = np.full((2, 64, 1), np.nan, dtype)
    getattr(_numpy, name)(*inputs, want)
    getattr(compiled, name)(*inputs, got)
    eps = np.finfo(dtype).eps
    assert_allclose(got, want, rtol=4 * eps, atol=eps, equal_nan=True)


def test_the_reference_overflows_nowhere(dtype: str) -> None:
    """Infinity becomes the limit, silently; so do numbers as large as come up."""
    x = np.array([[np.nan, np.inf, -np.inf, 1e4, -1e4, 0, -0.0, 1e-40, -1e-40]], dtype)
    y, dx, dy = np.empty_like(x), np.empty_like(x), np.ones_like(x)
    for name in ELEMENTWISE:
        for approximate in (0.0, 1.0):
            given = NUMBERS | {"x": x, "y": y, "dy": dy, "dx": dx, "approximate": approximate}
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                for kernel in (f"{name}_forward", f"{name}_backward"):
                    getattr(_numpy, kernel)(*(given[a] for a in KERNELS[kernel].arguments))
            assert np.isnan([y[0, 0], dx[0, 0]]).all() or name in ("relu", "leaky_relu")
            assert np.isfinite(dx[0, 1:]).all(), name


@for_each("approximate", [0.0, 1.0])
@for_each("name", ["silu", "mish", "softplus", "gelu"])
def test_smooth_rectifiers_meet_their_limits(
    kernels: Any, dtype: str, name: str, approximate: float
) -> None:
    x = np.array([[np.inf, 1e4, 300, 0, -0.0, -1e4, -np.inf]], dtype)
    given = NUMBERS | {"x": x, "dy": np.ones_like(x), "approximate": approximate}
    given |= {"y": np.full_like(x, np.nan), "dx": np.full_like(x, np.nan)}
    for kernel in (f"{name}_forward", f"{name}_backward"):
        getattr(kernels, kernel)(*(given[a] for a in KERNELS[kernel].arguments))
    middle = np.log(2) / NUMBERS["beta"] if name == "softplus" else 0
    slope = 0.6 if name == "mish" else 0.5
    assert_allclose(given["y"], [[np.inf, 1e4, 300, middle, middle, 0, 0]], rtol=1e-6)
    assert_allclose(given["dx"], [[1, 1, 1, slope, slope, 0, 0]], rtol=1e-6)


def test_infinite_scores(kernels: Any, dtype: str) -> None:
    inf = np.inf
    x = np.array([[-inf, 0, 0], [-inf, -inf, 2], [inf, 0, 0], [-inf, -inf, -inf]], dtype)
    y = np.full_like(x, 7)
    kernels.softmax_forward(x, y)
    assert_array_equal(y[:2], [[0, 0.5, 0.5], [0, 0, 1]])
    assert np.all(np.isnan(y[2:]).any(axis=1))  # inf - inf: there is no answer, and it shows
    kernels.log_softmax_forward(x, y)
    assert_allclose(y[:2], np.log([[0, 0.5, 0.5], [0, 0, 1]]), rtol=1e-6)
    assert np.all(np.isnan(y[2:]).any(axis=1))
