"""The layers against their mathematics, written out in NumPy in float64."""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.layers import ACTIVATIONS

ROWS_AND_COLUMNS = [(1, 1), (2, 3), (7, 13), (1, 101), (64, 1), (0, 5)]
LINEAR_SIZES = [(1, 1, 1), (3, 5, 7), (8, 17, 33), (64, 2, 101), (5, 131, 1), (0, 4, 3)]
TOLERANCE = {"float32": {"rtol": 2e-6, "atol": 2e-6}, "float64": {"rtol": 1e-13, "atol": 1e-14}}


class Case(NamedTuple):
    """A layer without parameters, its mathematics, and its derivative: dl/dx from x and dl/dy."""

    layer: Callable[[], fb.Layer]
    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal(x):
    """How often a standard normal number is below x."""
    return np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2


def inner(x):
    """What GELU's approximation takes the tanh of."""
    return np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def log_softmax_backward(x, dy):
    """The whole Jacobian, dy_j/dx_i = [i = j] - p_i, times dy."""
    jacobian = np.eye(x.shape[1]) - softmax(x)[:, :, None]
    return np.einsum("nij,nj->ni", jacobian, dy)


CASES = {
    "ReLU": Case(fb.ReLU, lambda x: np.maximum(x, 0), lambda x, dy: dy * (x > 0)),
    "ELU": Case(
        fb.ELU,
        lambda x: np.where(x > 0, x, np.exp(x) - 1),
        lambda x, dy: dy * np.where(x > 0, 1, np.exp(x)),
    ),
    "ELU(0.3)": Case(
        lambda: fb.ELU(0.3),
        lambda x: np.where(x > 0, x, 0.3 * (np.exp(x) - 1)),
        lambda x, dy: dy * np.where(x > 0, 1, 0.3 * np.exp(x)),
    ),
    "LeakyReLU": Case(
        lambda: fb.LeakyReLU(0.2),
        lambda x: np.where(x > 0, x, 0.2 * x),
        lambda x, dy: dy * np.where(x > 0, 1, 0.2),
    ),
    "Tanh": Case(fb.Tanh, np.tanh, lambda x, dy: dy / np.cosh(x) ** 2),
    "Sigmoid": Case(fb.Sigmoid, sigmoid, lambda x, dy: dy * sigmoid(x) * sigmoid(-x)),
    "SELU": Case(
        fb.SELU,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        lambda x, dy: 1.0507009873554805 * dy * np.where(x > 0, 1, 1.6732632423543772 * np.exp(x)),
    ),
    "SiLU": Case(
        fb.SiLU,
        lambda x: x * sigmoid(x),
        lambda x, dy: dy * (sigmoid(x) + x * sigmoid(x) * sigmoid(-x)),
    ),
    "Mish": Case(
        fb.Mish,
        lambda x: x * np.tanh(np.log1p(np.exp(x))),
        lambda x, dy: (
            dy * (np.tanh(np.log1p(np.exp(x))) + x * sigmoid(x) / np.cosh(np.log1p(np.exp(x))) ** 2)
        ),
    ),
    "Softplus": Case(
        fb.Softplus,
        lambda x: np.log1p(np.exp(x)),
        lambda x, dy: dy * sigmoid(x),
    ),
    "Softplus(0.5, 1)": Case(
        lambda: fb.Softplus(0.5, 1),
        lambda x: np.where(0.5 * x > 1, x, 2 * np.log1p(np.exp(0.5 * x))),
        lambda x, dy: dy * np.where(0.5 * x > 1, 1, sigmoid(0.5 * x)),
    ),
    "GELU": Case(
        fb.GELU,
        lambda x: x * normal(x),
        lambda x, dy: dy * (normal(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    ),
    "GELU('tanh')": Case(
        lambda: fb.GELU("tanh"),
        lambda x: x * (1 + np.tanh(inner(x))) / 2,
        lambda x, dy: (
            dy
            * (
                (1 + np.tanh(inner(x))) / 2
                + x / 2 / np.cosh(inner(x)) ** 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
            )
        ),
    ),
    "LogSoftmax": Case(
        fb.LogSoftmax, lambda x: np.log(softmax(x)), lambda x, dy: log_softmax_backward(x, dy)
    ),
}


def test_every_activation_has_a_case():
    assert {case.layer().name for case in CASES.values()} == {*ACTIVATIONS, ""}


LAYERS = {"Linear": lambda: fb.Linear(3, 3)} | {name: case.layer for name, case in CASES.items()}
EVERY_LAYER = for_each("name", LAYERS)


def in_network(layer, dtype):
    return fb.Sequential(layer, dtype=dtype).layers[0]


def assert_close(actual, expected, dtype):
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, **TOLERANCE[dtype.name])


# Forward and backward


@for_each("name", CASES)
def test_forward_is_the_mathematics_and_backward_its_derivative_times_dy(backend, dtype, name, rng):
    case = CASES[name]
    for shape in ROWS_AND_COLUMNS:
        x, dy = rng.normal(0, 2, (2, *shape)).astype(dtype)
        layer = case.layer()
        assert_close(layer.forward(x), case.forward(x.astype(float)), dtype)
        assert_close(layer.backward(dy), case.backward(x.astype(float), dy.astype(float)), dtype)


@for_each(("n", "inputs", "outputs"), LINEAR_SIZES)
def test_linear_is_the_matrix_product(backend, dtype, n, inputs, outputs, rng):
    layer = in_network(fb.Linear(inputs, outputs), dtype)
    layer.w[...], layer.b[...] = rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)
    x, dy = rng.normal(size=(n, inputs)).astype(dtype), rng.normal(size=(n, outputs)).astype(dtype)
    w, b, x64, dy64 = (a.astype(np.float64) for a in (layer.w, layer.b, x, dy))
    y, dx = layer.forward(x), layer.backward(dy)
    assert_sum(y, x64 @ w + b, abs(x64) @ abs(w) + abs(b), inputs + 1)
    assert_sum(dx, dy64 @ w.T, abs(dy64) @ abs(w.T), outputs)
    assert_sum(layer.dw, x64.T @ dy64, abs(x64.T) @ abs(dy64), n)
    assert_sum(layer.db, dy64.sum(axis=0), abs(dy64).sum(axis=0), n)


def assert_sum(actual, expected, magnitude, terms):
    """Within the bound for a sum of `terms` products, in any order (Higham, eq. 3.5)."""
    bound = (terms + 1) * np.finfo(actual.dtype).eps * magnitude
    assert (np.abs(actual - expected) <= bound).all()


def test_linear_of_small_whole_numbers_is_exact(backend, dtype):
    layer = in_network(fb.Linear(2, 3), dtype)
    layer.w[...], layer.b[...] = [[1, 2, 3], [4, 5, 6]], [10, 20, 30]
    assert layer.forward([[1, 0], [0, 1], [2, -1]]).tolist() == [
        [11, 22, 33],
        [14, 25, 36],
        [8, 19, 30],
    ]
    assert layer.backward([[1, 0, 0], [0, 1, 0], [1, 1, 1]]).tolist() == [[1, 4], [2, 5], [6, 15]]
    assert layer.dw.tolist() == [[3, 2, 2], [-1, 0, -1]]
    assert layer.db.tolist() == [2, 2, 1]


def test_backward_overwrites_the_gradients_and_never_adds(backend, dtype):
    layer = in_network(fb.Linear(2, 3), dtype)
    layer.forward(np.ones((4, 2)))
    layer.dw[...], layer.db[...] = np.nan, np.nan
    layer.backward(np.ones((4, 3)))
    layer.backward(np.ones((4, 3)))
    assert layer.dw.tolist() == [[4, 4, 4], [4, 4, 4]]
    assert layer.db.tolist() == [4, 4, 4]


def test_backward_parameters_gives_the_same_gradients_without_dx(backend, dtype, rng):
    layer = in_network(fb.Linear(5, 4), dtype)
    layer.forward(rng.normal(size=(6, 5)))
    dy = rng.normal(size=(6, 4))
    layer.backward(dy)
    dw, db = layer.dw.copy(), layer.db.copy()
    layer.dw[...], layer.db[...] = 0, 0
    assert layer.backward_parameters(dy) is None
    assert np.array_equal(layer.dw, dw)
    assert np.array_equal(layer.db, db)


def test_an_empty_batch_has_gradient_zero(backend, dtype):
    layer = in_network(fb.Linear(3, 2), dtype)
    layer.forward(np.empty((0, 3)))
    layer.dw[...], layer.db[...] = np.nan, np.nan
    layer.backward(np.empty((0, 2)))
    assert not layer.dw.any()
    assert not layer.db.any()


def test_the_derivative_of_relu_at_zero_is_zero(backend, dtype):
    relu = in_network(fb.ReLU(), dtype)
    relu.forward([[0.0, -0.0, 1e-30, -1e-30]])
    assert relu.backward([[1, 1, 1, 1]]).tolist() == [[0, 0, 1, 0]]


def test_the_derivative_of_leaky_relu_at_zero_is_its_slope(backend, dtype):
    leaky = in_network(fb.LeakyReLU(0.25), dtype)
    leaky.forward([[0.0, -0.0, 1e-30, -1e-30]])
    assert leaky.backward([[1, 1, 1, 1]]).tolist() == [[0.25, 0.25, 1, 0.25]]


def test_the_derivative_of_elu_at_zero_is_alpha(backend, dtype):
    elu = in_network(fb.ELU(0.5), dtype)
    elu.forward([[0.0, 1e-30]])
    assert elu.backward([[1, 1]]).tolist() == [[0.5, 1]]


def test_backward_belongs_to_the_latest_forward(backend):
    tanh = fb.Tanh()
    tanh.forward([[5.0, 5.0]])
    tanh.forward([[0.0]])
    assert tanh.backward([[3.0]]).tolist() == [[3.0]]


@EVERY_LAYER
def test_each_forward_returns_a_new_array_and_leaves_its_input(backend, name, dtype, rng):
    layer = in_network(LAYERS[name](), dtype)
    x = rng.normal(size=(4, 3)).astype(dtype)
    before = x.copy()
    first = layer.forward(x)
    kept = first.copy()
    layer.forward(-x)
    assert np.array_equal(first, kept)
    assert np.array_equal(x, before)


@EVERY_LAYER
def test_backward_leaves_dy_alone(backend, name, dtype, rng):
    layer = in_network(LAYERS[name](), dtype)
    x, dy = rng.normal(size=(2, 4, 3)).astype(dtype)
    before = dy.copy()
    layer.forward(x)
    dx = layer.backward(dy)
    assert np.array_equal(dy, before)
    assert not np.shares_memory(dx, dy)


# What may go in


def arrangements(a):
    """The same numbers, otherwise arranged in memory."""
    strided = np.zeros((2 * len(a), 3 * a.shape[1]), a.dtype)
    strided[::2, ::3] = a
    read_only = a.copy()
    read_only.setflags(write=False)
    return {
        "Fortran": np.asfortranarray(a),
        "strided": strided[::2, ::3],
        "backwards": a[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "list": a.tolist(),
        "other byte order": a.astype(a.dtype.newbyteorder()),
        "wider": a.astype(np.longdouble),
    }


@EVERY_LAYER
def test_the_arrangement_in_memory_does_not_matter(backend, name, dtype, rng):
    layer = in_network(LAYERS[name](), dtype)
    x, dy = rng.normal(size=(2, 5, 3)).astype(dtype)
    y = layer.forward(x).copy()
    dx = layer.backward(dy).copy()
    other_dys = arrangements(dy)
    for name, other_x in arrangements(x).items():
        assert np.array_equal(layer.forward(other_x), y), name
        assert np.array_equal(layer.backward(other_dys[name]), dx), name


@EVERY_LAYER
def test_whole_numbers_count_as_real_numbers(backend, name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    for kind in ("int64", "int8", "uint16", "bool", "float16"):
        x = np.array([[0, 1, 1], [1, 0, 1]], kind)
        assert np.array_equal(layer.forward(x), layer.forward(x.astype(dtype))), kind


def test_outside_of_a_network_the_input_decides_the_dtype(backend):
    assert fb.Tanh().forward(np.zeros((1, 2), np.float32)).dtype == np.float32
    assert fb.Tanh().forward(np.zeros((1, 2), np.float64)).dtype == np.float64
    assert fb.Tanh().forward([[0, 1]]).dtype == np.float64


@EVERY_LAYER
def test_in_a_network_the_network_decides_the_dtype(backend, name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    for x in (np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float64), [[0, 1, 2]]):
        assert layer.forward(x).dtype == dtype
        assert layer.backward(np.zeros((1, 3))).dtype == dtype


# What may not


def complaint(layer, text):
    return "^" + re.escape(f"{layer!r}{text}")


@EVERY_LAYER
def test_raw_pixels_are_refused_with_advice(name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    advice = ": got uint8, which looks like raw pixels; scale them first"
    with pytest.raises(TypeError, match=complaint(layer, advice)):
        layer.forward(np.zeros((2, 3), np.uint8))


@for_each("kind", ["<U2", "S3", "complex128", "object", "datetime64[s]"])
@EVERY_LAYER
def test_only_real_numbers_go_in(name, dtype, kind):
    layer = in_network(LAYERS[name](), dtype)
    with pytest.raises(TypeError, match=complaint(layer, ": expected real numbers, got dtype ")):
        layer.forward(np.zeros((2, 3)).astype(kind))


@for_each("shape", [(), (3,), (2, 3, 1), (2, 3, 1, 1)])
@EVERY_LAYER
def test_only_two_dimensions_go_in(name, dtype, shape):
    layer = in_network(LAYERS[name](), dtype)
    if len(shape) > 2 and not isinstance(layer, (fb.Linear, fb.LogSoftmax)):
        assert layer.forward(np.zeros(shape)).shape == shape  # elementwise: images are as good
        return
    text = f": expected a two-dimensional array, one sample a row; got shape {shape}"
    with pytest.raises(ValueError, match=complaint(layer, text)):
        layer.forward(np.zeros(shape))


@EVERY_LAYER
def test_no_columns_are_refused(name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    with pytest.raises(ValueError, match=complaint(layer, ": expected at least one column, got ")):
        layer.forward(np.zeros((2, 0)))


def test_linear_names_the_columns_it_expects():
    layer = in_network(fb.Linear(784, 128), "float32")
    text = ": expected 784 columns, got (64, 783)"
    with pytest.raises(ValueError, match=complaint(layer, text)):
        layer.forward(np.zeros((64, 783)))
    assert repr(layer) == "Linear(784, 128)"


@EVERY_LAYER
def test_backward_needs_a_forward(name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    text = ": call forward before backward"
    with pytest.raises(RuntimeError, match=complaint(layer, text)):
        layer.backward(np.zeros((2, 3)))


def test_backward_parameters_needs_a_forward():
    layer = in_network(fb.Linear(3, 3), "float32")
    with pytest.raises(RuntimeError, match=complaint(layer, ": call forward before backward")):
        layer.backward_parameters(np.zeros((2, 3)))


@for_each(
    ("shape", "text"),
    [
        ((4, 2), "expected 3 columns, got (4, 2)"),
        ((5, 3), "expected 4 rows, got (5, 3)"),
        ((12,), "expected a two-dimensional array, one sample a row; got shape (12,)"),
    ],
)
@EVERY_LAYER
def test_dy_must_have_the_shape_of_y(name, dtype, shape, text):
    layer = in_network(LAYERS[name](), dtype)
    layer.forward(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=complaint(layer, f".backward: {text}")):
        layer.backward(np.zeros(shape))


def test_linear_needs_a_network():
    layer = fb.Linear(3, 2)
    text = " has no parameters yet: put it into a Sequential first"
    with pytest.raises(RuntimeError, match=complaint(layer, text)):
        layer.forward(np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: fb.Linear(0, 3), ValueError, "Linear inputs: expected at least 1, got 0"),
        (lambda: fb.Linear(3, -2), ValueError, "Linear outputs: expected at least 1, got -2"),
        (lambda: fb.Linear(2.5, 3), TypeError, "Linear inputs: expected a whole number, got 2.5"),
        (lambda: fb.Linear(3, "4"), TypeError, "Linear outputs: expected a whole number, got '4'"),
        (lambda: fb.Linear(True, 3), TypeError, "Linear inputs: expected a whole number, got True"),
        (lambda: fb.Linear(3, 4, "zero"), ValueError, "init: expected normal, uniform, glorot, he"),
        (lambda: fb.ELU(-0.1), ValueError, "ELU alpha: expected at least 0, got -0.1"),
        (lambda: fb.ELU(np.nan), ValueError, "ELU alpha: expected a finite number, got nan"),
        (lambda: fb.ELU("1"), TypeError, "ELU alpha: expected a number, got '1'"),
        (
            lambda: fb.LeakyReLU(-0.1),
            ValueError,
            "LeakyReLU negative_slope: expected at least 0, got -0.1",
        ),
        (lambda: fb.Softplus(0), ValueError, "Softplus beta: expected a number above 0, got 0"),
        (
            lambda: fb.GELU("erf"),
            ValueError,
            "GELU approximate: expected 'none' or 'tanh', got 'erf'",
        ),
        (lambda: fb.GELU(1), ValueError, "GELU approximate: expected 'none' or 'tanh', got 1"),
    ],
)
def test_settings_are_checked(make, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        make()


# NaN, infinity and large numbers


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (fb.ReLU(), [np.nan, np.inf, 0]),
        (fb.ELU(0.5), [np.nan, np.inf, -0.5]),
        (fb.Tanh(), [np.nan, 1, -1]),
        (fb.Sigmoid(), [np.nan, 1, 0]),
    ],
    ids=repr,
)
def test_nan_stays_and_infinity_goes_to_the_limit(backend, dtype, layer, expected):
    y = layer.forward(np.array([[np.nan, np.inf, -np.inf]], dtype))
    np.testing.assert_array_equal(y, [expected])


def test_nan_in_a_row_makes_the_row_nan_and_no_other(backend, dtype, rng):
    x = rng.normal(size=(9, 7)).astype(dtype)
    x[4, 2] = np.nan
    linear = in_network(fb.Linear(7, 5), dtype)
    for layer in (linear, fb.LogSoftmax()):
        bad = np.isnan(layer.forward(x))
        assert bad[4].all()
        assert bad.sum() == bad[4].size


@EVERY_LAYER
def test_nan_in_dy_reaches_the_gradients(backend, name, dtype):
    layer = in_network(LAYERS[name](), dtype)
    # ReLU hands no dy back where its output is 0, so the outputs are positive here.
    layer.forward(np.ones((2, 3)))
    if isinstance(layer, fb.Linear):
        layer.w[...] = 1
    dx = layer.backward([[0, 0, 0], [0, np.nan, 0]])
    assert not np.isnan(dx[0]).any()
    assert np.isnan(dx[1, 1])
    if isinstance(layer, fb.Linear):
        assert np.isnan(layer.dw).tolist() == [[False, True, False]] * 3
        assert np.isnan(layer.db).tolist() == [False, True, False]


def test_log_softmax_of_infinite_scores(backend, dtype):
    log_softmax = in_network(fb.LogSoftmax(), dtype)
    y = log_softmax.forward([[-np.inf, 0, 0]])  # a class that cannot be
    np.testing.assert_allclose(y, [[-np.inf, -np.log(2), -np.log(2)]], rtol=1e-6)
    with np.errstate(invalid="ignore"):  # ∞ - ∞, of which NumPy warns
        assert np.isnan(log_softmax.forward([[np.inf, 0, 0]])[0, 0])


def test_nothing_overflows(backend, dtype):
    x = np.array([[1e4, -1e4, 0]], dtype)
    assert fb.Sigmoid().forward(x).tolist() == [[1, 0, 0.5]]
    assert fb.Tanh().forward(x).tolist() == [[1, -1, 0]]
    assert fb.ELU().forward(x).tolist() == [[1e4, -1, 0]]
    assert fb.LogSoftmax().forward(x).tolist() == [[0, -2e4, -1e4]]


def test_small_numbers_keep_their_digits(backend, dtype):
    x = np.array([[1e-10, -1e-10]], dtype)
    for layer in (fb.Tanh(), fb.ELU()):
        np.testing.assert_allclose(layer.forward(x), x, rtol=2e-7)


# How they look


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (fb.Linear(784, 100), "Linear(784, 100)"),
        (fb.ReLU(), "ReLU()"),
        (fb.ELU(), "ELU(1.0)"),
        (fb.ELU(alpha=0.25), "ELU(0.25)"),
        (fb.LeakyReLU(), "LeakyReLU(0.01)"),
        (fb.SELU(), "SELU()"),
        (fb.SiLU(), "SiLU()"),
        (fb.Mish(), "Mish()"),
        (fb.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (fb.GELU(), "GELU('none')"),
        (fb.GELU("tanh"), "GELU('tanh')"),
        (fb.Tanh(), "Tanh()"),
        (fb.Sigmoid(), "Sigmoid()"),
        (fb.LogSoftmax(), "LogSoftmax()"),
    ],
    ids=repr,
)
def test_repr_is_how_to_make_it(layer, text):
    assert repr(layer) == text
    assert repr(eval(text, vars(fb))) == text


def test_a_layer_of_ones_own_must_say_what_it_does():
    layer = fb.Layer()
    with pytest.raises(
        NotImplementedError, match=r"Layer has no forward\(self, x\), which returns y"
    ):
        layer.forward([[1.0]])
    with pytest.raises(
        NotImplementedError, match=r"Layer has no backward\(self, dy\), which train"
    ):
        layer.backward([[1.0]])
    assert layer.parameter_shapes() == {}
    assert layer.output_shape((7,)) == (7,)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_a_word_is_kept_in_files(tmp_path, approximate):
    net = fb.Sequential(fb.Linear(3, 2), fb.GELU(approximate))
    net.save(tmp_path / "net.safetensors")
    assert repr(fb.load(tmp_path / "net.safetensors").layers[1]) == f"GELU({approximate!r})"


def test_a_word_may_change_and_counts_from_then_on(backend):
    gelu, x = fb.GELU(), np.array([[-2.0, 3.0]])
    by_erf = gelu.forward(x)
    gelu.approximate = "tanh"
    assert (gelu.forward(x) == fb.GELU("tanh").forward(x)).all()
    assert (gelu.forward(x) != by_erf).all()
    with pytest.raises(ValueError, match=r"^GELU approximate: expected"):
        gelu.approximate = "relu"
