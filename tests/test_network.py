"""Sequential: the flat vectors and their views, the passes, inference, copies and complaints."""

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb

NEAR = {"float32": {"rtol": 2e-5, "atol": 2e-6}, "float64": {"rtol": 1e-12, "atol": 1e-14}}


def network(dtype="float32", seed=0):
    """6-5-4-3 with a sigmoid and a tanh."""
    layers = fb.Linear(6, 5), fb.Sigmoid(), fb.Linear(5, 4), fb.Tanh(), fb.Linear(4, 3)
    return fb.Sequential(*layers, seed=seed, dtype=dtype)


def parameters(net):
    """w and b of each Linear in float64."""
    linear = [layer for layer in net.layers if isinstance(layer, fb.Linear)]
    return [a.astype(np.float64) for layer in linear for a in (layer.w, layer.b)]


def assert_views(net):
    """The layers' parameters and gradients are the flat vectors, in order and without gaps."""
    names = [(layer, name) for layer in net.layers for name in layer.parameter_shapes()]
    for flat, prefix in ((net.params, ""), (net.grads, "d")):
        assert flat.dtype == net.dtype
        tensors = [getattr(layer, prefix + name) for layer, name in names]
        flat[...] = np.arange(flat.size)
        assert all(np.shares_memory(tensor, flat) for tensor in tensors)
        assert np.array_equal(np.concatenate([tensor.ravel() for tensor in tensors]), flat)
        assert all(tensor.flags.c_contiguous for tensor in tensors)


# The flat vectors


def test_layers_hold_views_into_the_flat_vectors(dtype):
    net = network(dtype)
    assert net.params.size == net.grads.size == 6 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3
    assert_views(net)


def test_each_layer_s_weights_come_first_row_by_row_and_then_its_biases():
    net = fb.Sequential(fb.Linear(2, 3), fb.Linear(3, 1))
    net.params[...] = range(13)
    assert net.layers[0].w.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert net.layers[0].b.tolist() == [6, 7, 8]
    assert net.layers[1].w.tolist() == [[9], [10], [11]]
    assert net.layers[1].b.tolist() == [12]


def test_gradients_start_at_zero():
    assert not network().grads.any()


def test_backward_fills_the_flat_gradients_in_place(backend):
    net = network()
    grads = net.grads
    net.forward(np.ones((2, 6)))
    net.backward(np.ones((2, 3)))
    assert net.grads is grads
    assert np.count_nonzero(grads) == grads.size


def test_a_network_may_have_no_parameters(backend):
    net = fb.Sequential(fb.Tanh(), fb.LogSoftmax())
    assert net.params.shape == net.grads.shape == (0,)
    assert (net.inputs, net.outputs) == (None, None)
    assert net.forward(np.zeros((2, 4))).shape == (2, 4)
    assert net.predict([[1, 3, 2]]).tolist() == [1]


def test_inputs_and_outputs():
    assert (network().inputs, network().outputs) == (6, 3)
    assert fb.Sequential(fb.Tanh(), fb.Linear(4, 2), fb.ReLU()).inputs == 4


# Forward and backward


def test_forward_and_backward_are_the_chain_rule_written_out(backend, dtype, rng):
    net = network(dtype)
    x, dy = rng.normal(size=(7, 6)).astype(dtype), rng.normal(size=(7, 3)).astype(dtype)
    w1, b1, w2, b2, w3, b3 = parameters(net)
    x64, m = x.astype(np.float64), dy.astype(np.float64)

    h1 = 1 / (1 + np.exp(-(x64 @ w1 + b1)))
    h2 = np.tanh(h1 @ w2 + b2)
    np.testing.assert_allclose(net.forward(x), h2 @ w3 + b3, **NEAR[dtype.name])

    dz2 = (m @ w3.T) * (1 - h2**2)
    dz1 = (dz2 @ w2.T) * h1 * (1 - h1)
    one = np.ones(7)
    expected = [x64.T @ dz1, one @ dz1, h1.T @ dz2, one @ dz2, h2.T @ m, one @ m]
    dx = net.backward(dy, input_gradient=True)
    flat = np.concatenate([gradient.ravel() for gradient in expected])
    np.testing.assert_allclose(net.grads, flat, **NEAR[dtype.name])
    np.testing.assert_allclose(dx, dz1 @ w1.T, **NEAR[dtype.name])


def test_everything_has_the_network_s_dtype(backend, dtype):
    net = network(dtype)
    for x in (np.ones((2, 6), np.float32), np.ones((2, 6), np.float64), np.ones((2, 6), int)):
        assert net.forward(x).dtype == dtype
        assert net.backward(np.ones((2, 3)), input_gradient=True).dtype == dtype
        assert net.predict_proba(x).dtype == dtype


class Recorder(fb.Linear):
    """Linear that notes which of its backward passes ran."""

    def backward(self, dy):
        dx = super().backward(dy)  # which calls backward_parameters
        self.called = "backward"
        return dx

    def backward_parameters(self, dy):
        self.called = "backward_parameters"
        super().backward_parameters(dy)


def test_without_input_gradient_the_first_layer_skips_dx(backend):
    first = Recorder(4, 3)
    net = fb.Sequential(first, fb.Tanh(), fb.Linear(3, 2))
    net.forward(np.ones((5, 4)))
    assert net.backward(np.ones((5, 2))) is None
    assert first.called == "backward_parameters"
    skipped = net.grads.copy()

    dx = net.backward(np.ones((5, 2)), input_gradient=True)
    assert dx.shape == (5, 4)
    assert first.called == "backward"
    assert np.array_equal(net.grads, skipped)


class Double(fb.Layer):
    """Y = 2·X, which counts its backward passes and may have a parameter, for nothing."""

    calls = 0

    def __init__(self, learns):
        self.learns = learns

    def parameter_shapes(self):
        return {"s": (1,)} if self.learns else {}

    def forward(self, x):
        self.y = 2 * self._input(x)
        return self.y

    def backward(self, dy):
        self.calls += 1
        if self.learns:
            self.ds[...] = 7
        return 2 * dy


@pytest.mark.parametrize("learns", [True, False])
def test_a_first_layer_of_ones_own_is_asked_for_what_it_learns(backend, learns):
    net = fb.Sequential(Double(learns), fb.Tanh())
    net.forward(np.zeros((2, 3)))
    assert net.backward(np.ones((2, 3))) is None
    assert net.layers[0].calls == learns
    assert net.grads.tolist() == [7] * learns
    assert net.backward(np.ones((2, 3)), input_gradient=True).tolist() == [[2, 2, 2]] * 2


def test_an_empty_batch_goes_through(backend, dtype):
    net = network(dtype)
    assert net.forward(np.empty((0, 6))).shape == (0, 3)
    assert net.backward(np.empty((0, 3)), input_gradient=True).shape == (0, 6)
    assert not net.grads.any()
    assert net.predict(np.empty((0, 6))).shape == (0,)
    assert net.predict_proba(np.empty((0, 6))).shape == (0, 3)


# Inference


def test_predict_is_the_largest_score_and_the_first_among_equals(backend):
    net = fb.Sequential(fb.ReLU())
    labels = net.predict([[1, 3, 2], [5, 5, 1], [-1, -2, -3], [0, 4, 4]])
    assert labels.tolist() == [1, 0, 0, 1]
    assert labels.dtype == np.int64


def test_probabilities_are_the_softmax_of_the_scores(backend, dtype, rng):
    net, x = network(dtype), rng.normal(0, 3, (40, 6))
    scores = net.scores(x).astype(np.float64)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(x), softmax, **NEAR[dtype.name])


def test_probabilities_of_a_sample_sum_to_one(backend, dtype, rng):
    probabilities = network(dtype).predict_proba(rng.normal(0, 3, (40, 6)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=3 * np.finfo(dtype).eps)


def test_after_log_softmax_probabilities_are_exp_of_the_output(backend, dtype, rng):
    net = fb.Sequential(fb.Linear(6, 4), fb.LogSoftmax(), dtype=dtype)
    x = rng.normal(0, 3, (40, 6))
    np.testing.assert_allclose(net.predict_proba(x), np.exp(net.forward(x)), **NEAR[dtype.name])


@pytest.mark.parametrize("n", [999, 1000, 1001, 2500])
def test_any_number_of_samples_gives_what_one_pass_gives(backend, n, rng):
    net, x = network(), rng.normal(size=(n, 6))
    at_once = net.forward(x)
    np.testing.assert_allclose(net.scores(x), at_once, rtol=1e-5, atol=1e-6)
    assert np.array_equal(net.predict(x), at_once.argmax(axis=1))
    assert net.predict_proba(x).shape == (n, 3)


def test_inference_takes_a_dataset_and_scales_it(backend, dtype, rng):
    pixels = rng.integers(256, size=(1200, 6), dtype=np.uint8)
    data = fb.datasets.Dataset(pixels, np.zeros(1200, int), scale=1 / 255)
    net = network(dtype)
    expected = net.scores(pixels / 255)
    np.testing.assert_allclose(net.scores(data), expected, **NEAR[dtype.name])
    assert np.array_equal(net.predict(data), expected.argmax(axis=1))
    assert net.predict_proba(data).shape == (1200, 3)


def test_inference_between_forward_and_backward_disturbs_nothing(backend, rng):
    net, x, dy = network(), rng.normal(size=(8, 6)), rng.normal(size=(8, 3))
    net.forward(x)
    net.backward(dy)
    expected = net.grads.copy()
    net.forward(x)
    net.predict(rng.normal(size=(3, 6)))
    net.predict_proba(rng.normal(size=(5, 6)))
    net.grads[...] = np.nan
    net.backward(dy)
    assert np.array_equal(net.grads, expected)


def test_several_threads_may_predict_at_once(backend, rng):
    layers = fb.Linear(20, 50), fb.Tanh(), fb.Linear(50, 10), fb.LogSoftmax()
    net = fb.Sequential(*layers)
    parts = [rng.normal(size=(int(n), 20)) for n in rng.integers(1, 1500, 24)]
    expected = [net.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(net.predict_proba, parts))
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a, b)


# Copies


def clone_of(net, how):
    return {
        "copy": lambda: net.copy(),
        "copy.copy": lambda: copy.copy(net),
        "deepcopy": lambda: copy.deepcopy(net),
        "pickle": lambda: pickle.loads(pickle.dumps(net)),
        "astype": lambda: net.astype(net.dtype),
    }[how]()


@for_each("how", ["copy", "copy.copy", "deepcopy", "pickle", "astype"])
def test_a_copy_is_the_same_network_and_shares_nothing(backend, dtype, how, rng):
    net, x = network(dtype), rng.normal(size=(4, 6))
    net.forward(x)
    net.backward(np.ones((4, 3)))
    scores, params, grads = net.forward(x), net.params.copy(), net.grads.copy()

    clone = clone_of(net, how)
    assert type(clone) is fb.Sequential
    assert repr(clone) == repr(net)
    assert clone.dtype == dtype
    assert np.array_equal(clone.params, params)
    assert np.array_equal(clone.forward(x), scores)
    assert_views(clone)
    assert not set(map(id, clone.layers)) & set(map(id, net.layers))
    assert np.array_equal(net.params, params)  # assert_views wrote into the clone's
    assert np.array_equal(net.grads, grads)


@pytest.mark.parametrize("how", ["copy", "copy.copy", "deepcopy", "pickle", "astype"])
def test_the_network_that_was_copied_still_trains(backend, how, rng):
    net, x = network(), rng.normal(size=(4, 6))
    scores = net.forward(x)
    clone_of(net, how)
    net.backward(np.ones_like(scores))
    assert np.count_nonzero(net.grads) == net.grads.size
    assert_views(net)


@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle"])
def test_a_copy_remembers_no_batch(backend, how):
    net = network()
    net.forward(np.ones((2, 6)))
    with pytest.raises(RuntimeError, match=re.escape("Linear(4, 3): call forward before backward")):
        clone_of(net, how).backward(np.ones((2, 3)))


def test_a_copy_keeps_the_gradients(backend):
    net = network()
    net.grads[...] = range(net.grads.size)
    assert np.array_equal(net.copy().grads, net.grads)
    assert np.array_equal(net.astype("float64").grads, net.grads)


def test_astype_rounds_the_parameters_once(backend, rng):
    net, x = network("float64"), rng.normal(size=(3, 6))
    single = net.astype("float32")
    assert np.array_equal(single.params, net.params.astype(np.float32))
    assert single.forward(x).dtype == np.float32
    np.testing.assert_allclose(single.forward(x), net.forward(x), rtol=1e-5, atol=1e-6)
    assert net.forward(x).dtype == np.float64
    assert_views(single)


def test_a_pickle_holds_each_parameter_once(backend):
    net = fb.Sequential(fb.Linear(100, 90), fb.Tanh(), fb.Linear(90, 10))
    net.forward(np.zeros((500, 100)))
    assert len(pickle.dumps(net)) < net.params.nbytes + 2000


# Seeds


def test_a_seed_gives_the_same_network(dtype):
    assert np.array_equal(network(dtype, seed=5).params, network(dtype, seed=5).params)
    assert not np.array_equal(network(dtype, seed=5).params, network(dtype, seed=6).params)


def test_the_same_seed_in_another_dtype_gives_the_same_numbers():
    exact = network("float64", seed=5).params
    assert np.array_equal(network("float32", seed=5).params, exact.astype(np.float32))


# What it says


SUMMARY = """\
layer          output  parameters
---------------------------------
Linear(20, 4)  (n, 4)          84
ReLU()         (n, 4)           0
Linear(4, 3)   (n, 3)          15
---------------------------------
99 parameters, float32, 0.00 MB"""


def test_summary_prints_layers_shapes_and_parameters(capsys):
    net = fb.Sequential(fb.Linear(20, 4), fb.ReLU(), fb.Linear(4, 3))
    assert net.summary() is None
    assert capsys.readouterr().out == SUMMARY + "\n"
    assert str(net) == SUMMARY


def test_summary_counts_large_networks_with_commas():
    net = fb.Sequential(fb.Linear(784, 800), fb.Linear(800, 10), dtype="float64")
    lines = str(net).splitlines()
    assert lines[2].split() == ["Linear(784,", "800)", "(n,", "800)", "628,000"]
    assert lines[-1] == "636,010 parameters, float64, 5.09 MB"


def test_summary_says_any_where_the_columns_are_open():
    net = fb.Sequential(fb.Tanh(), fb.Linear(4, 3))
    assert str(net).splitlines()[2].split() == ["Tanh()", "(n,", "any)", "0"]


def test_repr_is_on_one_line():
    net = fb.Sequential(fb.Linear(2, 2), fb.ELU(0.5))
    assert repr(net) == "Sequential(Linear(2, 2), ELU(0.5))"


# What it refuses


@pytest.mark.parametrize(
    ("layers", "error", "text"),
    [
        ((), ValueError, "Sequential: expected at least one layer"),
        (
            (fb.Linear(3, 5), fb.Tanh(), fb.Linear(4, 2)),
            ValueError,
            "Sequential, layer 2: Linear(4, 2) takes 4 columns, but 5 come in",
        ),
        (
            (fb.Linear(3, 5), fb.Tanh),
            TypeError,
            "Sequential: expected layers, fb.Sequential(fb.Linear(...), ...); got type at "
            "position 1; write fb.Tanh()",
        ),
        (([fb.Linear(3, 5)], fb.Tanh()), TypeError, "got list at position 0"),
        ((fb.Linear,), TypeError, "got type at position 0; write fb.Linear(...)"),
        ((network(), fb.Tanh()), TypeError, "got Sequential at position 0; write *net[:] for cop"),
        ((3,), TypeError, "got int at position 0"),
        (([],), ValueError, "Sequential: expected at least one layer"),
    ],
    ids=["none", "no fit", "class", "list", "sizes", "network", "number", "empty list"],
)
def test_layers_must_be_layers_that_fit(layers, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fb.Sequential(*layers)


def test_a_layer_cannot_be_used_twice():
    layer = fb.Linear(3, 3)
    text = "Sequential: Linear(3, 3) at position 2 is used twice"
    with pytest.raises(ValueError, match=re.escape(text)):
        fb.Sequential(layer, fb.Tanh(), layer)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"dtype": "float16"}, ValueError, "dtype: expected float32 or float64; got 'float16'"),
        ({"dtype": None}, ValueError, "dtype: expected float32 or float64; got None"),
        ({"dtype": "real"}, ValueError, "dtype: expected float32 or float64; got 'real'"),
        ({"dtype": int}, ValueError, "dtype: expected float32 or float64; got <class 'int'>"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"seed": 1.0}, TypeError, "seed: expected a whole number, got 1.0"),
        ({"seed": None}, TypeError, "seed: expected a whole number, got None"),
    ],
)
def test_options_are_checked(options, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        fb.Sequential(fb.Linear(2, 2), **options)


def test_astype_is_checked():
    with pytest.raises(ValueError, match="dtype: expected float32 or float64; got 'int8'"):
        network().astype("int8")


METHODS = ["forward", "scores", "predict", "predict_proba"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (np.zeros((5, 7)), ValueError, "expected 6 columns, got (5, 7)"),
        (np.zeros(5), ValueError, "expected a two-dimensional array, one sample a row; got shape"),
        (np.zeros((5, 6), np.uint8), TypeError, "got uint8, which looks like raw pixels"),
        (np.full((5, 6), "a"), TypeError, "expected real numbers, got dtype <U1"),
    ],
    ids=["columns", "1-D", "pixels", "text"],
)
def test_what_goes_in_is_checked(method, x, error, text):
    net = network()
    with pytest.raises(error, match="^" + re.escape(repr(net)) + ".*" + re.escape(text)):
        getattr(net, method)(x)


def test_a_dataset_must_have_the_right_features():
    data = fb.datasets.Dataset(np.zeros((4, 7)), [0, 1, 0, 1], name="wide")
    with pytest.raises(ValueError, match=r"expected 6 features, got Dataset\('wide', samples=4, f"):
        network().predict(data)


@pytest.mark.parametrize("input_gradient", [False, True])
def test_backward_needs_a_forward(input_gradient):
    with pytest.raises(RuntimeError, match=re.escape("Linear(4, 3): call forward before backward")):
        network().backward(np.zeros((2, 3)), input_gradient)


@pytest.mark.parametrize("input_gradient", [False, True])
def test_backward_of_a_single_layer_needs_a_forward(input_gradient):
    net = fb.Sequential(fb.Linear(4, 3))
    with pytest.raises(RuntimeError, match=re.escape("Linear(4, 3): call forward before backward")):
        net.backward(np.zeros((2, 3)), input_gradient)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((5, 4), "Linear(4, 3).backward: expected 3 columns, got (5, 4)"),
        ((4, 3), "Linear(4, 3).backward: expected 5 rows, got (4, 3)"),
    ],
)
def test_dy_must_have_the_shape_of_the_scores(shape, text):
    net = network()
    net.forward(np.zeros((5, 6)))
    with pytest.raises(ValueError, match=re.escape(text)):
        net.backward(np.zeros(shape))


def test_layers_of_another_network_are_refused() -> None:
    net = fb.Sequential(fb.Linear(4, 3), fb.Tanh())
    with pytest.raises(ValueError, match="at position 0 is part of another network"):
        fb.Sequential(*net.layers)


class PairSum(fb.Layer):
    """Halves the columns, and says so."""

    def output_shape(self, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if shape is None else (shape[0] // 2,)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = x[:, ::2] + x[:, 1::2]
        return self.y


def test_a_layer_that_changes_the_columns_may_come_first() -> None:
    net = fb.Sequential(PairSum(), fb.Linear(5, 2))
    assert net.inputs is None
    assert net.forward(np.ones((3, 10))).shape == (3, 2)
