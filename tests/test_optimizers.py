"""The optimisers: SGD, one subtraction a parameter; and all of them on every backend."""

import copy
import math
import pickle
import re

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb


def test_a_step_is_params_minus_lr_times_grads(backend, dtype, rng):
    net = fb.Sequential(fb.Linear(7, 5), fb.Tanh(), fb.Linear(5, 3), dtype=dtype)
    net.grads[...] = rng.normal(size=net.grads.size)
    params, grads = net.params.astype(float), net.grads.astype(float)
    fb.SGD(lr=0.1).step(net)
    rounding = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(net.params, params - 0.1 * grads, rtol=rounding, atol=rounding)


def test_exactly_where_binary_numbers_are_exact(backend, dtype):
    net = fb.Sequential(fb.Linear(1, 1), dtype=dtype)
    net.params[...], net.grads[...] = [1, 2], [4, -8]
    fb.SGD(lr=0.25).step(net)
    assert net.params.tolist() == [0, 4]


def test_the_layers_see_the_step_and_the_gradients_stay(backend):
    net = fb.Sequential(fb.Linear(2, 1))
    net.params[...], net.grads[...] = 1, 2
    fb.SGD(lr=1).step(net)
    assert net.layers[0].w.tolist() == [[-1], [-1]]
    assert net.layers[0].b.tolist() == [-1]
    assert net.grads.tolist() == [2, 2, 2]


def test_a_network_without_parameters_stays_as_it_is(backend):
    fb.SGD(lr=1).step(fb.Sequential(fb.Tanh()))


def test_the_rate_may_change_between_steps(backend):
    net, optimizer = fb.Sequential(fb.Linear(1, 1)), fb.SGD(lr=1)
    net.params[...], net.grads[...] = 0, 1
    optimizer.step(net)
    optimizer.lr = 0.5
    optimizer.step(net)
    assert net.params.tolist() == [-1.5, -1.5]


@for_each("name", parts.OPTIMIZERS)
def test_a_step_s_factor_multiplies_the_rate_and_leaves_it(backend, name):
    by_factor, by_rate = (fb.Sequential(fb.Linear(3, 2), dtype="float64", seed=1) for _ in range(2))
    one, other = parts.OPTIMIZERS[name](), parts.OPTIMIZERS[name]()
    rate, other.lr = one.lr, other.lr / 4
    for net, step in ((by_factor, lambda net: one.step(net, 0.25)), (by_rate, other.step)):
        for gradient in (1.0, -0.5):
            net.grads[...] = gradient
            step(net)
    np.testing.assert_array_equal(by_factor.params, by_rate.params)
    assert one.lr == rate


@pytest.mark.parametrize("factor", [-1, math.nan, "1"])
def test_a_step_s_factor_is_a_number_from_0_on(factor):
    with pytest.raises((ValueError, TypeError), match=r"SGD\(lr=1\)\.step factor: expected "):
        fb.SGD(lr=1).step(fb.Sequential(fb.Linear(1, 1)), factor)


def test_nan_is_not_hidden(backend, dtype):
    net = fb.Sequential(fb.Linear(1, 1), dtype=dtype)
    net.params[...], net.grads[...] = 0, [np.nan, 1]
    fb.SGD(lr=0.5).step(net)
    np.testing.assert_array_equal(net.params, [np.nan, -0.5])


@pytest.mark.parametrize(
    ("lr", "error", "text"),
    [
        (0, ValueError, "SGD lr: expected a number above 0, got 0"),
        (-0.1, ValueError, "SGD lr: expected a number above 0, got -0.1"),
        (math.nan, ValueError, "SGD lr: expected a finite number, got nan"),
        (math.inf, ValueError, "SGD lr: expected a finite number, got inf"),
        ("0.1", TypeError, "SGD lr: expected a number, got '0.1'"),
        (None, TypeError, "SGD lr: expected a number, got None"),
        (True, TypeError, "SGD lr: expected a number, got True"),
    ],
)
def test_the_rate_is_a_number_above_zero(lr, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fb.SGD(lr=lr)


def test_repr():
    assert repr(fb.SGD(lr=0.01)) == "SGD(lr=0.01)"
    assert repr(fb.SGD(np.float32(0.5))) == "SGD(lr=0.5)"


# All of them


def walked(optimizer, steps=60):
    """Parameters, step by step, of a network whose gradients are random numbers."""
    rng = np.random.default_rng(4)
    net = fb.Sequential(fb.Linear(7, 5), dtype="float64")
    for _ in range(steps):
        net.grads[...] = rng.normal(size=net.grads.size)
        optimizer.step(net)
        yield net.params.copy()


@for_each("name", parts.OPTIMIZERS)
def test_sixty_steps_are_the_references(backend, name):
    found = list(walked(parts.OPTIMIZERS[name]()))
    with fb.use_backend("numpy"):
        wanted = list(walked(parts.OPTIMIZERS[name]()))
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


def test_rmsprop_as_its_docstring_has_it(backend):
    lr, alpha, epsilon, mu, decay = 0.03, 0.8, 0.01, 0.6, 0.2
    net = fb.Sequential(fb.Linear(7, 5), dtype="float64")
    p, m, v, rng = net.params.copy(), 0.0, 0.0, np.random.default_rng(4)
    steps = walked(fb.RMSprop(lr, alpha, epsilon, mu, decay))
    for found in steps:
        g = rng.normal(size=p.size) + decay * p
        v = alpha * v + (1 - alpha) * g**2
        m = mu * m + g / (np.sqrt(v) + epsilon)
        p = p - lr * m
        np.testing.assert_allclose(found, p, rtol=1e-11, atol=1e-13)


@for_each("decays", [0.0, 4e-3, 3.0])
@for_each("beta1", [0.0, 0.5, 0.9, 0.9999])
def test_nadam_as_its_docstring_has_it(backend, beta1, decays):
    lr, beta2, epsilon, decay = 0.03, 0.8, 0.01, 0.2
    net = fb.Sequential(fb.Linear(7, 5), dtype="float64")
    p, m, v, product, rng = net.params.copy(), 0.0, 0.0, 1.0, np.random.default_rng(4)
    for t, found in enumerate(walked(fb.NAdam(lr, beta1, beta2, epsilon, decay, decays)), 1):
        g = rng.normal(size=p.size) + decay * p
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        mu, coming = (beta1 * (1 - 0.96 ** (s * decays) / 2) for s in (t, t + 1))
        product *= mu
        mean = (1 - mu) / (1 - product) * g + coming / (1 - product * coming) * m
        p = p - lr * mean / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        np.testing.assert_allclose(found, p, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("backend_name", ["cython", "numba"])
def test_nadam_continues_where_it_was(backend_name, rng):
    """Two epochs in a run, or in two, fused or one of them layered."""
    x, found = rng.normal(size=(60, 5)), []
    data = x, (x[:, 0] > 0).astype(int)
    for runs in (((2, True),), ((1, True), (1, True)), ((1, False), (1, True))):
        with fb.use_backend(backend_name):
            net = fb.Sequential(fb.Linear(5, 8), fb.Tanh(), fb.Linear(8, 2), dtype="float64")
            history, optimizer = fb.History(), fb.NAdam()
            for epochs, fused in runs:
                history = fb.fit(
                    net, data, loss=fb.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs,
                    batch_size=7, fused=fused, history=history,
                )  # fmt: skip
        found.append(net.params)
    assert np.array_equal(found[0], found[1])
    np.testing.assert_allclose(found[2], found[0], rtol=1e-9, atol=1e-12)


def test_adagrad_as_its_docstring_has_it(backend):
    lr, lr_decay, epsilon, decay, first = 0.03, 0.1, 0.01, 0.2, 0.3
    net = fb.Sequential(fb.Linear(7, 5), dtype="float64")
    p, v, rng = net.params.copy(), first, np.random.default_rng(4)
    for t, found in enumerate(walked(fb.Adagrad(lr, lr_decay, epsilon, decay, first)), 1):
        g = rng.normal(size=p.size) + decay * p
        v = v + g**2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(v) + epsilon)
        np.testing.assert_allclose(found, p, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["lr_decay", "weight_decay", "initial_accumulator_value"])
def test_settings_of_adagrad_are_checked(name):
    with pytest.raises(ValueError, match=rf"^Adagrad {name}: expected at least 0, got -1$"):
        fb.Adagrad(**{name: -1})
    with pytest.raises(ValueError, match=r"^Adagrad epsilon: expected a number above 0, got 0$"):
        fb.Adagrad(epsilon=0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"alpha": 1.0}, "RMSprop alpha: expected a number below 1, got 1"),
        ({"momentum": -0.1}, "RMSprop momentum: expected at least 0, got -0.1"),
        ({"epsilon": 0}, "RMSprop epsilon: expected a number above 0, got 0"),
        ({"weight_decay": -1}, "RMSprop weight_decay: expected at least 0, got -1"),
        ({"lr": 0}, "RMSprop lr: expected a number above 0, got 0"),
    ],
)
def test_settings_of_rmsprop_are_checked(settings, text):
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        fb.RMSprop(**settings)


@pytest.mark.parametrize("name", parts.OPTIMIZERS)
def test_repr_says_how_to_make_it(name):
    optimizer = parts.OPTIMIZERS[name]()
    again = eval(repr(optimizer), vars(fb))
    assert type(again) is type(optimizer)
    assert again.lr == optimizer.lr


# Numbers that float32 rounds


@for_each("fused", [True, False])
@for_each("beta2", [0.9999, 0.99999999, 1 - 2**-53])
@for_each("kind", [fb.Adam, fb.AdamW])
def test_a_beta_near_one_moves_float32_as_float64(backend, kind, beta2, fused, rng):
    """1 - beta2 keeps its digits: the first step is lr, whatever the betas."""
    x, moved = rng.normal(size=(60, 5)), {}
    for dtype in ("float32", "float64"):
        net = fb.Sequential(fb.Linear(5, 8), fb.Tanh(), fb.Linear(8, 2), dtype=dtype)
        start, optimizer = net.params.copy(), kind(0.003, beta2=beta2, epsilon=1e-12)
        fb.fit(
            net, (x, (x[:, 0] > 0).astype(int)), loss=fb.CrossEntropyLoss(), optimizer=optimizer,
            epochs=3, batch_size=60, fused=fused,
        )  # fmt: skip
        moved[dtype] = net.params - start
    np.testing.assert_allclose(moved["float32"], moved["float64"], rtol=1e-3, atol=2e-6)


@for_each("kind", [fb.Adam, fb.AdamW, fb.NAdam, fb.RMSprop, fb.Adagrad])
@for_each("epsilon", [1e-300, 1e-50, 1e-40])
def test_an_epsilon_that_is_0_in_float32_makes_no_nan(backend, kind, epsilon, rng):
    """Where the gradient is 0 the parameter stays; elsewhere epsilon is too small to count."""
    x = rng.normal(size=(60, 3))
    x[:, 1] = 0
    for fused in (True, False):
        net = fb.Sequential(fb.Linear(3, 2))
        start = net.layers[0].w.copy()
        options = {"weight_decay": 0.0} if kind is fb.AdamW else {}
        fb.fit(
            net, (x, (x[:, 0] > 0).astype(int)), loss=fb.CrossEntropyLoss(),
            optimizer=kind(0.01, epsilon=epsilon, **options), epochs=2, fused=fused,
        )  # fmt: skip
        assert np.array_equal(net.layers[0].w[1], start[1])
        assert np.isfinite(net.params).all()
        assert (net.layers[0].w[[0, 2]] != start[[0, 2]]).all()


def test_numbers_that_are_too_large_are_named():
    assert fb.SGD(10**20).lr == 1e20
    for lr, text in (
        (10**400, "SGD lr: expected a finite number, got 10{59}…$"),
        (10**5000, "SGD lr: expected a finite number, got a number of thousands of digits"),
        (np.longdouble("1e400"), "SGD lr: expected a finite number, got inf"),
    ):
        with pytest.raises(ValueError, match=text):
            fb.SGD(lr)


# Whose memory it is


REMEMBERING = [name for name in parts.OPTIMIZERS if parts.OPTIMIZERS[name]().states]
DATA = np.random.default_rng(1).normal(size=(60, 5)), np.arange(60) % 2


def trained(optimizer, *epochs, fused=True, between=lambda optimizer: optimizer):
    """The parameters of a fresh network after so many epochs, and again so many."""
    net, history = fb.Sequential(fb.Linear(5, 8), fb.Tanh(), fb.Linear(8, 2)), fb.History()
    for count in epochs:
        fb.fit(
            net,
            DATA,
            loss=fb.CrossEntropyLoss(),
            optimizer=optimizer,
            epochs=count,
            history=history,
            fused=fused,
        )
        optimizer = between(optimizer)
    return net.params


@for_each("fused", [True, False])
@for_each("name", parts.OPTIMIZERS)
def test_memory_belongs_to_a_network(backend, name, fused):
    optimizer = parts.OPTIMIZERS[name]()
    first = trained(optimizer, 2, fused=fused)
    steps = optimizer.steps
    assert np.array_equal(trained(optimizer, 2, fused=fused), first)  # another one: afresh
    assert optimizer.steps == steps
    whole = trained(parts.OPTIMIZERS[name](), 4, fused=fused)
    assert np.array_equal(trained(optimizer, 2, 2, fused=fused), whole)  # the same one goes on


@for_each("name", REMEMBERING)
@for_each(
    "again", [copy.copy, copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))]
)
def test_a_copy_keeps_a_memory_of_its_own(name, again):
    whole = trained(parts.OPTIMIZERS[name](), 4)
    optimizer = parts.OPTIMIZERS[name]()
    assert np.array_equal(trained(optimizer, 2, 2, between=again), whole)
    memory = [vector.copy() for vector in optimizer.memory]
    trained(again(optimizer), 1)
    for vector, before in zip(optimizer.memory, memory, strict=True):
        assert np.array_equal(vector, before)


def remembering(optimizer, memory, fused):
    optimizer.memory = memory  # what is no vector at all is refused here
    trained(optimizer, 1, fused=fused)


@for_each("fused", [True, False])
@for_each("name", REMEMBERING)
def test_memory_that_does_not_fit_is_refused(backend, name, fused):
    def read_only():
        vector = np.zeros(66, "f4")
        vector.flags.writeable = False
        return vector

    def fitting():
        return np.zeros(66, "f4")

    states, one = parts.OPTIMIZERS[name]().states, fitting()
    wrong = [
        lambda: fitting()[:3],
        lambda: np.zeros(66),
        lambda: np.zeros(132, "f4")[::2],
        lambda: fitting()[None],
        lambda: [0.0] * 66,
        lambda: np.ma.masked_array(fitting()),
        read_only,
    ]
    memories = [tuple(make() for _ in range(states)) for make in wrong]
    memories += [tuple(fitting() for _ in range(states + 1)), (one, one, one)[: max(2, states)]]
    for memory in memories:
        optimizer = parts.OPTIMIZERS[name]()
        with pytest.raises(ValueError, match=r"memory: expected .*reset\(\)"):
            remembering(optimizer, memory, fused)
        optimizer.reset()
        trained(optimizer, 1, fused=fused)


def test_steps_are_a_count():
    optimizer = fb.Adam()
    for wrong in (-1, 0.5, None):
        with pytest.raises((ValueError, TypeError), match="Adam steps: expected"):
            optimizer.steps = wrong


@pytest.mark.parametrize("memory", [[1, 2, 3], 7, "m", (np.zeros((2, 3)),), [None]])
def test_what_is_no_vector_is_no_memory(memory):
    optimizer = fb.Adam()
    with pytest.raises(ValueError, match=r"Adam\(lr=0.001\)\.memory: expected vectors, float32 or"):
        optimizer.memory = memory
    assert optimizer.memory == ()


def test_whoever_names_a_network_to_an_optimiser_is_told_where_it_goes():
    net = fb.Sequential(fb.Linear(3, 2))
    for given in (net.params, net, [net.params], iter(net)):
        with pytest.raises(TypeError, match=r"Adam lr: expected a number, got .*; write fb\.Adam"):
            fb.Adam(given)
    with pytest.raises(TypeError, match=r"got array\(\[[^\n]*…; write fb\.SGD\(lr=0\.01\)"):
        fb.SGD(np.zeros(100))
