"""Hand-written gradients against numeric ones; and whether gradcheck finds the wrong ones."""

import math
import re
from itertools import pairwise

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb

HIDDEN = {
    **parts.ACTIVATIONS,
    "ELU()": fb.ELU,
    "ELU(0.3)": lambda: fb.ELU(0.3),
    "LogSoftmax": fb.LogSoftmax,
}
LOSSES = {name: make() for name, make in parts.LOSSES.items()} | {"HingeLoss()": fb.HingeLoss()}
DTYPES = ["float32", "float64"]


def network(*layers, seed=1, dtype="float64"):
    return fb.Sequential(*layers, init="glorot", seed=seed, dtype=dtype)


def batch(rng, n, inputs, outputs, loss="HingeLoss()"):
    return rng.normal(size=(n, inputs)), LOSSES[loss].example_target(rng, n, outputs)


def tensors(check):
    return {tensor.name: tensor for tensor in check.tensors}


def assert_holds(check, names):
    assert list(tensors(check)) == names
    assert check, str(check)
    assert not any(tensor.kinks for tensor in check.tensors)
    assert all(tensor.checked for tensor in check.tensors)


# The library's gradients


@for_each(("hidden", "loss", "dtype"), parts.pairs(HIDDEN, LOSSES, DTYPES), by=("dtype",))
def test_every_layer_with_every_loss(backend, dtype, hidden, loss, rng):
    net = network(fb.Linear(5, 4), HIDDEN[hidden](), fb.Linear(4, 3), dtype=dtype)
    check = fb.gradcheck(net, LOSSES[loss], *batch(rng, 6, 5, 3, loss))
    assert_holds(check, ["0.w", "0.b", "2.w", "2.b", "x"])


@for_each(("last", "loss"), parts.each(HIDDEN, LOSSES))
def test_every_layer_in_the_last_place(backend, dtype, last, loss, rng):
    net = network(fb.Linear(4, 3), HIDDEN[last](), dtype=dtype)
    check = fb.gradcheck(net, LOSSES[loss], *batch(rng, 5, 4, 3, loss))
    assert_holds(check, ["0.w", "0.b", "x"])


@for_each("first", HIDDEN)
def test_every_layer_in_the_first_place(backend, first, rng):
    net = network(HIDDEN[first](), fb.Linear(4, 3))
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), *batch(rng, 5, 4, 3))
    assert_holds(check, ["1.w", "1.b", "x"])


ODD = {
    "one": (1, (1, 1, 2)),
    "through one": (2, (3, 1, 2)),
    "primes": (3, (7, 11, 5)),
    "a single layer": (1, (13, 2)),
    "three layers": (17, (2, 3, 2, 3)),
}


@for_each(("shape", "loss", "dtype"), parts.pairs(ODD, LOSSES, DTYPES), by=("dtype",))
def test_odd_shapes(backend, dtype, shape, loss, rng):
    (n, widths), layers = ODD[shape], []
    for inputs, outputs in pairwise(widths):
        layers += [fb.Linear(inputs, outputs), fb.Tanh()]
    samples = batch(rng, n, widths[0], widths[-1], loss)
    check = fb.gradcheck(network(*layers, dtype=dtype), LOSSES[loss], *samples)
    assert check, str(check)


def test_squared_error_of_values(backend, dtype, rng):
    net = network(fb.Linear(4, 5), fb.Sigmoid(), fb.Linear(5, 2), dtype=dtype)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    assert_holds(fb.gradcheck(net, fb.MSELoss(), x, y), ["0.w", "0.b", "2.w", "2.b", "x"])


@for_each(("hidden", "loss"), parts.each(HIDDEN, LOSSES))
def test_along_a_random_direction_of_a_larger_network(backend, dtype, hidden, loss, rng):
    """<grad, v> = (l(θ + εv) - l(θ - εv)) / 2ε, the right side always in float64."""
    layers = fb.Linear(50, 41), HIDDEN[hidden](), fb.Linear(41, 30), fb.Tanh(), fb.Linear(30, 10)
    net = network(*layers, dtype=dtype)
    x, y = batch(rng, 20, 50, 10, loss)
    loss = LOSSES[loss]
    _, gradient = loss(net.forward(x), y)
    net.backward(gradient)

    along = rng.normal(size=net.params.size)
    along /= np.linalg.norm(along)
    exact, epsilon, values = net.astype("float64"), 1e-6, []
    start = exact.params.copy()
    for step in (epsilon, -epsilon):
        exact.params[...] = start + step * along
        values.append(loss(exact.forward(x), y)[0])
    numeric = (values[0] - values[1]) / (2 * epsilon)
    scale = np.linalg.norm(net.grads.astype(float)) / math.sqrt(net.params.size)
    near = 1e-6 if dtype == np.float64 else 1e-4
    assert net.grads.astype(float) @ along == pytest.approx(numeric, rel=near, abs=near * scale)


# Layers of one's own: right ones


class Swish(fb.Layer):
    """Y = X·σ(s·X), where s is learnt."""

    def __init__(self, start=1.0):
        self.start = start

    def parameter_shapes(self):
        return {"s": (1,)}

    def initialize(self, rng, default):
        self.s[...] = self.start

    def forward(self, x):
        self.x = self._input(x)
        self.gate = 1 / (1 + np.exp(-self.s * self.x))
        self.y = self.x * self.gate
        return self.y

    def backward(self, dy):
        slope = self.gate * (1 - self.gate)
        self.ds[...] = np.sum(dy * self.x**2 * slope)
        return dy * (self.gate + self.s * self.x * slope)


def test_a_layer_of_ones_own_holds(backend, dtype, rng):
    net = network(fb.Linear(4, 5), Swish(1.3), fb.Linear(5, 3), dtype=dtype)
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), *batch(rng, 6, 4, 3))
    assert_holds(check, ["0.w", "0.b", "1.s", "2.w", "2.b", "x"])


def test_a_layer_of_ones_own_may_come_first(backend, rng):
    net = network(Swish(), fb.Linear(4, 3))
    check = fb.gradcheck(net, fb.HingeLoss(), *batch(rng, 6, 4, 3))
    assert_holds(check, ["0.s", "1.w", "1.b", "x"])


def test_a_layer_of_ones_own_learns(backend, dtype):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)  # no straight line parts these
    net = network(fb.Linear(2, 16), Swish(), fb.Linear(16, 2), dtype=dtype)
    history = fb.fit(
        net, (x, y), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.5), epochs=60, batch_size=20
    )
    assert net.layers[1].s[0] != 1.0
    assert np.shares_memory(net.layers[1].s, net.params)
    assert history["train_loss"][-1] < 0.25 * history["train_loss"][0]
    assert history["train_accuracy"][-1] > 0.95


class Mirror(fb.Layer):
    """Y = X with its columns in reverse: not contiguous, and float64 whatever comes in."""

    def forward(self, x):
        self.y = np.asarray(x, np.float64)[:, ::-1]
        return self.y

    def backward(self, dy):
        return np.asarray(dy)[:, ::-1]


@for_each("loss", LOSSES)
def test_a_layer_of_ones_own_may_put_out_any_float_array(backend, dtype, loss, rng):
    """Also as the last one, whose output goes to the loss."""
    net = network(Mirror(), fb.Linear(4, 3), Mirror(), dtype=dtype)
    x, y = batch(rng, 6, 4, 3, loss)
    loss = LOSSES[loss]
    scores = net.forward(x)
    assert scores.dtype == dtype
    assert scores.flags.c_contiguous
    assert fb.gradcheck(net, loss, x, y)
    fb.fit(net, (x, y), loss=loss, optimizer=fb.SGD(0.1), epochs=1)
    assert np.array_equal(net.scores(x), net.forward(x))


# Layers of one's own: wrong ones


class WrongTanh(fb.Tanh):
    """Tanh with its derivative times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def backward(self, dy):
        return super().backward(dy) * self.factor


@pytest.mark.parametrize("factor", [2, -1, 1.001], ids=["factor 2", "sign", "factor 1.001"])
def test_a_wrong_derivative_is_found_in_everything_before_it(backend, factor, rng):
    net = network(fb.Linear(4, 5), WrongTanh(factor), fb.Linear(5, 3))
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), *batch(rng, 6, 4, 3))
    assert not check
    found = tensors(check)
    assert [name for name, t in found.items() if t.worst > check.tolerance] == ["0.w", "0.b", "x"]
    for name in ("0.w", "0.b", "x"):
        # |a - n| / max(|a|, |n|) for a = factor·n
        error = abs(factor - 1) / max(abs(factor), 1)
        assert found[name].worst == pytest.approx(error, rel=1e-3)
        assert found[name].analytic == pytest.approx(factor * found[name].numeric, rel=1e-3)


class WrongLinear(fb.Linear):
    """Linear whose backward makes one of several mistakes."""

    def __init__(self, inputs, outputs, mistake):
        super().__init__(inputs, outputs)
        self.mistake = mistake

    def backward_parameters(self, dy):
        dy = self._gradient(dy)
        dw, db = self.x.T @ dy, dy.sum(axis=0)
        match self.mistake:
            case "db forgotten":
                self.dw[...] = dw
                return
            case "db averaged":
                db /= len(dy)
            case "dw transposed":
                dw = dw.T
            case "dw wrong in one place":
                dw[1, 2] *= 1.01
            case "dw replaced":
                self.dw, self.db[...] = dw, db
                return
            case "added up":
                self.dw += dw
                self.db += db
                return
        self.dw[...], self.db[...] = dw, db

    def backward(self, dy):
        self.backward_parameters(dy)
        w = self.w.T if self.mistake == "w not transposed" else self.w
        return np.asarray(dy) @ w.T


@for_each(
    ("mistake", "wrong"),
    [
        ("none", []),
        ("db forgotten", ["2.b"]),
        ("db averaged", ["2.b"]),
        ("dw transposed", ["2.w"]),
        ("dw wrong in one place", ["2.w"]),
        ("dw replaced", []),  # what is assigned is copied
        ("added up", ["2.w", "2.b"]),
        ("w not transposed", ["0.w", "0.b", "x"]),
    ],
)
def test_a_mistake_is_found_in_the_right_tensors(backend, dtype, mistake, wrong, rng):
    layers = fb.Linear(3, 4), fb.Tanh(), WrongLinear(4, 4, mistake), fb.Tanh(), fb.Linear(4, 3)
    check = fb.gradcheck(network(*layers, dtype=dtype), fb.CrossEntropyLoss(), *batch(rng, 6, 3, 3))
    found = [tensor.name for tensor in check.tensors if tensor.worst > check.tolerance]
    assert found == wrong
    assert bool(check) is (not wrong)
    lines = [f"WRONG at {name}" in str(check) for name in tensors(check)]
    assert lines == [name in wrong for name in tensors(check)]


def test_a_wrong_element_is_named_with_both_numbers(backend, rng):
    net = network(fb.Linear(3, 4), fb.Tanh(), WrongLinear(4, 4, "dw wrong in one place"))
    check = fb.gradcheck(net, fb.MSELoss(), *batch(rng, 6, 3, 4))
    tensor = tensors(check)["2.w"]
    assert tensor.index == (1, 2)
    assert tensor.analytic == pytest.approx(1.01 * tensor.numeric, rel=1e-6)
    assert check.worst == tensor.worst == pytest.approx(1 - 1 / 1.01, rel=1e-4)
    assert (
        f"  WRONG at 2.w[1, 2]: hand-written {tensor.analytic:.9g}, numeric {tensor.numeric:.9g}\n"
    ) in str(check)
    assert str(check).endswith("GRADIENTS ARE WRONG (tolerance 1e-06)")


def test_a_wrong_loss_is_found(backend, rng):
    class Doubled(fb.CrossEntropyLoss):
        def compute(self, x, target):
            loss, gradient = super().compute(x, target)
            return 2 * loss, gradient

    check = fb.gradcheck(network(fb.Linear(4, 3)), Doubled(), *batch(rng, 6, 4, 3))
    assert [tensor.worst for tensor in check.tensors] == pytest.approx([0.5] * 3, rel=1e-3)


def test_nan_gradients_are_wrong(backend, rng):
    class NoNumber(fb.Tanh):
        def backward(self, dy):
            return np.full_like(dy, np.nan)

    net = network(fb.Linear(4, 3), NoNumber())
    check = fb.gradcheck(net, fb.MSELoss(), *batch(rng, 5, 4, 3))
    assert not check
    assert [tensor.worst for tensor in check.tensors] == [math.inf] * 3


# Kinks


def test_a_kink_is_counted_and_not_failed(backend):
    net = network(fb.ReLU())
    check = fb.gradcheck(net, fb.MSELoss(), [[0.0, 0.5, -0.5], [1, 0, 2]], np.ones((2, 3)))
    (tensor,) = check.tensors
    assert (tensor.name, tensor.checked, tensor.kinks) == ("x", 4, 2)
    assert check
    assert re.search(r"^x +4 +2 ", str(check), re.MULTILINE)


def test_the_margin_of_the_hinge_is_a_kink(backend):
    check = fb.gradcheck(network(fb.Tanh()), fb.HingeLoss(np.tanh(0.5)), [[0.5, 0.0, 2]], [0])
    (tensor,) = check.tensors
    assert (tensor.checked, tensor.kinks) == (1, 2)  # right class and column 1 tie; 2 is beyond
    assert check


def test_a_tensor_with_nothing_but_kinks_fails(backend):
    check = fb.gradcheck(network(fb.ReLU()), fb.MSELoss(), np.zeros((2, 3)), np.ones((2, 3)))
    assert not check
    assert check.tensors[0].checked == 0
    assert "every coordinate lies on a kink, so nothing was compared" in str(check)


def test_where_the_loss_is_zero_all_around_a_gradient_of_zero_is_right(backend):
    net = network(fb.Linear(2, 2))
    net.params[...] = [9, 0, 0, 9, 0, 0]
    check = fb.gradcheck(net, fb.HingeLoss(), [[1, 0], [0, 1]], [0, 1])  # margins of 9
    assert check, str(check)
    assert check.worst == 0


# What it leaves, takes and says


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_is_left_as_it_was(backend, dtype, rng):
    net = network(fb.Linear(4, 5), fb.ReLU(), fb.Linear(5, 3), dtype=dtype)
    loss, (x, y) = fb.CrossEntropyLoss(), batch(rng, 6, 4, 3)
    _, gradient = loss(net.forward(x), y)
    net.backward(gradient)
    params, grads, x_before = net.params.copy(), net.grads.copy(), x.copy()
    fb.gradcheck(net, loss, x, y)
    fb.gradcheck(net, loss, *batch(rng, 3, 4, 3))
    assert np.array_equal(net.params, params)
    assert np.array_equal(net.grads, grads)
    assert np.array_equal(x, x_before)
    # The layers still remember the batch before, and write into the network's own gradients.
    net.grads[...] = 0
    net.backward(gradient)
    assert np.array_equal(net.grads, grads)


def test_the_batch_may_be_read_only(backend, rng):
    x, y = batch(rng, 4, 3, 2)
    x.setflags(write=False)
    y.setflags(write=False)
    assert fb.gradcheck(network(fb.Linear(3, 2)), fb.CrossEntropyLoss(), x, y)


def test_large_tensors_are_sampled(backend, rng):
    net = network(fb.Linear(30, 20), fb.Tanh(), fb.Linear(20, 3))
    x, y = batch(rng, 10, 30, 3)
    check = fb.gradcheck(net, fb.MSELoss(), x, y, most=50)
    assert [tensor.checked for tensor in check.tensors] == [50, 20, 50, 3, 50]
    assert check
    assert fb.gradcheck(net, fb.MSELoss(), x, y, most=50) == check
    assert fb.gradcheck(net, fb.MSELoss(), x, y, most=50, seed=1) != check


def test_the_tolerance_follows_the_dtype_unless_given(backend, rng):
    x, y = batch(rng, 4, 3, 2)
    for dtype, tolerance in (("float64", 1e-6), ("float32", 1e-3)):
        net = network(fb.Linear(3, 2), fb.Tanh(), dtype=dtype)
        assert fb.gradcheck(net, fb.MSELoss(), x, y).tolerance == tolerance
        strict = fb.gradcheck(net, fb.MSELoss(), x, y, tolerance=1e-15)
        assert strict.tolerance == 1e-15
        assert not strict  # rounding alone is more


def test_what_is_printed(backend, rng):
    net = network(fb.Linear(4, 3), fb.Tanh())
    lines = str(fb.gradcheck(net, fb.MSELoss(), *batch(rng, 6, 4, 3))).splitlines()
    assert lines[0].split() == ["tensor", "checked", "kinks", "worst", "error"]
    rows = [line.split()[:3] for line in lines[1:-1]]
    assert rows == [["0.w", "12", "0"], ["0.b", "3", "0"], ["x", "24", "0"]]
    assert lines[-1] == "all gradients hold (tolerance 1e-06)"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"epsilon": 0}, ValueError, "epsilon: expected a number above 0, got 0"),
        ({"epsilon": math.nan}, ValueError, "epsilon: expected a finite number, got nan"),
        ({"most": 0}, ValueError, "most: expected at least 1, got 0"),
        ({"most": 2.5}, TypeError, "most: expected a whole number, got 2.5"),
        ({"tolerance": -1}, ValueError, "tolerance: expected a number above 0, got -1"),
    ],
)
def test_options_are_checked(options, error, text):
    with pytest.raises(error, match="^" + re.escape(text)):
        fb.gradcheck(network(fb.Linear(2, 2)), fb.MSELoss(), [[1, 2]], [0], **options)


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (np.zeros((2, 3)), [0, 1], "x: expected 2 columns, got (2, 3)"),
        (np.zeros((2, 2)), [0, 5], "CrossEntropyLoss() labels: expected labels from 0 to 1; got 5"),
        (np.zeros((0, 2)), [], "CrossEntropyLoss(): expected at least one sample"),
    ],
)
def test_the_batch_is_checked(x, y, text):
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        fb.gradcheck(network(fb.Linear(2, 2)), fb.CrossEntropyLoss(), x, y)
