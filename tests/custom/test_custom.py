"""Activations and losses that users write: checked, and the same on every backend and path."""

import math
import os
import pickle
import subprocess
import sys
from math import tanh as imported_tanh

import numpy as np
import pytest

import fastbp as fb
from fastbp import backends
from fastbp.custom import DEFINED

HALF = 0.5


def sigmoid(x):
    """A function that others call."""
    return 1 / (1 + math.exp(-x))


@fb.activation
def swish(x):
    return x * sigmoid(x)


@swish.gradient
def swish_gradient(x, y):
    s = sigmoid(x)
    return y + s * (1 - y)


@fb.activation
def bent(x):
    """Branches, whole numbers, exponents, a loop, a global, an imported function."""
    if x < 0:
        return HALF * imported_tanh(x) ** 3
    total = 0
    for power in range(1, 3):
        total += x**power
    return max(total, 0)


@bent.gradient
def bent_gradient(x, y):
    if x < 0:
        t = np.tanh(x)
        return 3 * HALF * t**2 * (1 - t * t)
    return 1 + 2 * x


@fb.loss
def squared_hinge(x, label):
    total = 0.0
    for j in range(len(x)):
        if j != label:
            total += max(0.0, x[j] - x[label] + 1) ** 2
    return total


@squared_hinge.gradient
def squared_hinge_gradient(x, label, dx):
    dx[label] = 0
    for j in range(len(x)):
        if j != label:
            dx[j] = 2 * max(0.0, x[j] - x[label] + 1)
            dx[label] -= dx[j]


@fb.loss(values=True)
def huber(x, target):
    total = 0.0
    for j in range(len(x)):
        error = abs(x[j] - target[j])
        total += error**2 / 2 if error < 1 else error - 0.5
    return total


@huber.gradient
def huber_gradient(x, target, dx):
    for j in range(len(x)):
        dx[j] = min(max(x[j] - target[j], -1.0), 1.0)


def network(dtype="float64", activation=swish):
    return fb.Sequential(
        fb.Linear(7, 40),
        activation(),
        fb.Linear(40, 20),
        activation(),
        fb.Linear(20, 4),
        dtype=dtype,
        init="glorot",
    )


def data(values=False):
    rng = np.random.default_rng(5)
    y = rng.normal(size=(61, 4)) * 2 if values else rng.integers(0, 4, 61)
    return rng.normal(size=(61, 7)), y


def train(net, loss, **options):
    settings = {"epochs": 3, "batch_size": 8, "seed": 1, "optimizer": fb.SGD(0.002)} | options
    return fb.fit(net, data(isinstance(loss, huber)), loss=loss, **settings)


# Values and gradients


def test_values_are_those_of_the_function(backend, dtype):
    x = np.linspace(-4, 4, 33).reshape(3, 11).astype(dtype)
    layer = swish()
    y = layer.forward(x)
    s = 1 / (1 + np.exp(-x.astype(np.float64)))
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    assert y.dtype == dtype
    assert np.allclose(y, x * s, rtol=tolerance, atol=tolerance)
    dx = layer.backward(np.full_like(x, 2))
    assert np.allclose(dx, 2 * (x * s + s * (1 - x * s)), rtol=tolerance, atol=tolerance)


def test_a_function_may_branch_loop_and_call_others(backend, dtype):
    x = np.array([[-1.0, -0.25, 0.5, 2.0]], dtype)
    layer = bent()
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    below = [0.5 * math.tanh(-1) ** 3, 0.5 * math.tanh(-0.25) ** 3]
    assert np.allclose(layer.forward(x), [[*below, 0.75, 6.0]], rtol=tolerance)
    t = np.tanh([-1, -0.25])
    assert np.allclose(
        layer.backward(np.ones_like(x)), [[*(1.5 * t**2 * (1 - t**2)), 2, 5]], rtol=tolerance
    )


def test_extreme_inputs_overflow_quietly_alike(backend, dtype):
    x = np.array([[-1e4, 1e4, np.nan, np.inf]], dtype)
    y = swish().forward(x)
    assert np.array_equal(y, np.array([[0, 1e4, np.nan, np.inf]], dtype), equal_nan=True)


def test_losses_by_hand(backend, dtype):
    x = np.array([[0.5, 0.0, -2.0], [0.0, 3.0, 0.0]], dtype)
    loss, gradient = squared_hinge()(x, [0, 1])
    assert loss == pytest.approx(0.25 / 2)  # of the first row only column 1 violates, by 1/2
    assert np.allclose(gradient, [[-0.5, 0.5, 0], [0, 0, 0]])
    assert gradient.dtype == dtype
    loss, gradient = huber()(x, np.array([[0.0, 3.0, -2.0], [0.0, 3.0, 0.0]]))
    assert loss == pytest.approx((0.125 + 2.5) / 2)
    assert np.allclose(gradient, [[0.25, -0.5, 0], [0, 0, 0]])


@pytest.mark.parametrize("loss", [squared_hinge, huber])
@pytest.mark.parametrize("activation", [swish, bent])
def test_gradcheck_holds(backend, dtype, activation, loss):
    x, y = data(loss is huber)
    assert fb.gradcheck(network(dtype, activation), loss(), x[:5], y[:5], most=25)


# The engine


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("activation", "loss"), [(swish, fb.HingeLoss), (bent, squared_hinge), (fb.Tanh, huber)]
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
def test_numba_fuses_what_numpy_computes(dtype, tolerance, activation, loss, threads):
    nets, histories = [], []
    for name, path in (("numpy", "layered (the numpy backend has no engine)"), ("numba", "fused")):
        with fb.use_backend(name):
            nets.append(network(dtype, activation))
            histories.append(train(nets[-1], loss(), threads=threads))
            assert histories[-1].path.endswith(path)
    assert np.allclose(nets[0].params, nets[1].params, rtol=tolerance, atol=tolerance)
    losses = [history.loss_by_iteration for history in histories]
    assert np.allclose(*losses, rtol=tolerance)


def test_a_user_activation_may_come_first_or_last():
    nets = []
    for name in ("numpy", "numba"):
        with fb.use_backend(name):
            net = fb.Sequential(swish(), fb.Linear(7, 4), bent(), dtype="float64")
            train(net, fb.CrossEntropyLoss(), optimizer=fb.Adam(0.01))
            nets.append(net.params)
    assert np.allclose(*nets, rtol=1e-10)


def test_threads_change_no_bit():
    with fb.use_backend("numba"):
        results = []
        for threads in (1, 2, 4):
            net = network("float32")
            train(net, squared_hinge(), threads=threads)
            results.append(net.params)
    assert all(np.array_equal(result, results[0]) for result in results)


def test_the_native_backend_runs_layered_and_says_why():
    net = network()
    with fb.use_backend("cython"):
        path = train(net, squared_hinge(), epochs=1).path
        assert "layered (squared_hinge() is a user's own function" in path
        assert "only the numba backend fuses" in path
        assert "swish()" in train(net, fb.HingeLoss(), epochs=1).path


def test_divergence_is_told():
    net = network()
    net.params[0] = np.nan
    with fb.use_backend("numba"), pytest.raises(fb.DivergenceError, match="epoch 1, step 1,"):
        train(net, fb.HingeLoss())


def test_a_network_of_user_layers_copies_and_pickles():
    net = network()
    x = data()[0]
    for other in (net.copy(), net.astype("float32"), pickle.loads(pickle.dumps(net))):
        assert np.allclose(other.forward(x), net.forward(x), atol=1e-5)


# What is refused


def test_a_gradient_that_leaves_places_out_is_told_so():
    @fb.loss
    def missed(x, label):
        return -x[label]

    with pytest.raises(fb.GradientError, match=r"it is NaN, or not written, and numerically 0;"):

        @missed.gradient
        def only_one(x, label, dx):
            dx[label] = -1


def test_a_wrong_gradient_is_an_error_that_says_where():
    @fb.activation
    def cube(x):
        return x**3

    with pytest.raises(fb.GradientError) as caught:

        @cube.gradient
        def wrong(x, y):
            return 3 * x * x if x < 2 else x

    text = str(caught.value)
    assert text.startswith("activation cube: its gradient is not its derivative: at x = 6.01 ")
    assert "it is 6.01, and numerically 108.36" in text
    assert "@cube.gradient(check=False)" in text
    with pytest.raises(TypeError, match=r"activation cube has no gradient yet: define it with @cu"):
        cube()

    @cube.gradient(check=False)
    def meant(x, y):
        return 1.0

    assert cube().forward(np.full((1, 2), 2.0)).tolist() == [[8, 8]]
    del DEFINED["cube"]


def test_a_wrong_gradient_of_a_loss_is_an_error_that_says_where():
    @fb.loss
    def linear(x, label):
        return x[0] - x[label]

    for fill in (lambda x, label, dx: None, lambda x, label, dx: dx.fill(1)):
        with pytest.raises(
            fb.GradientError, match=r"loss linear: .* at dx\[\d\] of x = \[.*\], la"
        ):
            linear.gradient(fill)
    with pytest.raises(TypeError, match="loss linear has no gradient yet"):
        linear()


def test_a_kink_is_no_error():
    @fb.activation
    def hard(x):
        return min(max(x, -1), 1)

    @hard.gradient
    def hard_gradient(x, y):
        return 1 if -1 < x < 1 else 0

    assert hard().forward(np.array([[-3.0, 0.5]])).tolist() == [[-1, 0.5]]
    del DEFINED["hard"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fb.activation(math.tanh), "activation: expected a function (x), got <built-in"),
        (lambda: fb.activation(lambda x, y: x), "activation <lambda>: expected a function of (x)"),
        (lambda: fb.activation(3), "activation: expected a function (x), got 3"),
        (lambda: fb.loss(lambda x: x), "loss <lambda>: expected a function of (x, label)"),
        (lambda: swish.gradient(lambda x: x), "gradient of activation swish <lambda>: expected"),
        (lambda: fb.activation(lambda *x: x), "activation <lambda>: expected a function of (x)"),
    ],
)
def test_what_is_no_such_function_is_refused(make, message):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_what_numba_cannot_compile_is_said():
    @fb.activation
    def careful(x):
        if x > 100:
            raise ValueError("too large")
        return x

    careful.gradient(lambda x, y: 1.0)
    x = np.ones((1, 2))
    with fb.use_backend("numpy"):
        assert careful().forward(x).tolist() == [[1, 1]]
    with fb.use_backend("numba"), pytest.raises(TypeError) as caught:
        careful().forward(x)
    assert str(caught.value).startswith("careful: Numba cannot compile it; mend it, or train with")
    assert "it may raise an exception" in str(caught.value)
    del DEFINED["careful"]


# Saving and loading


def test_a_saved_network_finds_its_activation_by_name(tmp_path):
    net, x = network(), data()[0]
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(fb.load(tmp_path / "net.safetensors").forward(x), net.forward(x))


def test_loading_without_the_definition_asks_for_it(tmp_path, monkeypatch):
    network().save(tmp_path / "net.safetensors")
    monkeypatch.delitem(DEFINED, "swish")
    with pytest.raises(ValueError, match=r"unknown layer 'swish'; .*define your own activations"):
        fb.load(tmp_path / "net.safetensors")
    assert fb.load(tmp_path / "net.safetensors", layers=[swish]).layers[1].forward([[0]]) == 0


def test_loading_with_another_definition_of_the_name_is_refused(tmp_path, monkeypatch):
    network().save(tmp_path / "net.safetensors")

    def other(x):
        return 2 * x

    monkeypatch.setitem(DEFINED, "swish", type("swish", (swish,), {"value": staticmethod(other)}))
    with pytest.raises(ValueError, match="activation swish is defined differently here"):
        fb.load(tmp_path / "net.safetensors")


# Without Numba


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
sys.path.insert(0, {folder!r})
import numpy as np, fastbp as fb
from test_custom import bent, huber, network, squared_hinge, swish, train
for name in ("cython", "numpy"):
    with fb.use_backend(name):
        for loss in (squared_hinge(), huber(), fb.HingeLoss()):
            history = train(network(activation=bent), loss)
            assert np.isfinite(history.loss_by_iteration).all()
            assert "layered" in history.path
        net = fb.Sequential(fb.Linear(7, 4))
        print(train(net, fb.HingeLoss()).path.split(", ")[1])
"""


def test_all_but_the_numba_backend_works_without_numba():
    script = WITHOUT_NUMBA.format(folder=os.path.dirname(__file__))
    environment = {k: v for k, v in os.environ.items() if k != "FASTBP_BACKEND"}
    process = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert process.stderr == ""
    assert process.stdout == "fused\nlayered (the numpy backend has no engine)\n"
    assert backends.active()


# Targets


def test_targets_are_what_a_loss_says_they_are(backend):
    """Values for a loss of values, of one output as (n,) too; classes need two columns."""
    values, classes = huber(), squared_hinge()
    right = values(np.array([[0.5], [3.0]]), [[0.0], [1.0]])
    for target in ([0, 1], [0.0, 1.0], [False, True], np.array([0, 1], "u1")):
        assert values(np.array([[0.5], [3.0]]), target)[0] == right[0] == (0.125 + 1.5) / 2
    with pytest.raises(ValueError, match="at least two classes, one a column; got a single"):
        classes(np.zeros((2, 1)), [0, 0])
    with pytest.raises(ValueError, match="one row of 3 values a sample"):
        values(np.zeros((2, 3)), [0.0, 1.0])
