"""How parameters start: distributions, seeds, and who decides."""

import math
import re

import numpy as np
import pytest

import fastbp as fb

INPUTS, OUTPUTS = 300, 200  # 60 000 weights: a sample's std is within 1 % of the true one


def start(init, seed=0, inputs=INPUTS, outputs=OUTPUTS, dtype="float64"):
    layer = fb.Linear(inputs, outputs)
    fb.Sequential(layer, init=init, seed=seed, dtype=dtype)
    return layer.w, layer.b


def assert_uniform(values, bound):
    """Within ±bound, nearly up to it, and spread evenly: std = bound/√3, mean 0, quarters equal."""
    n = values.size
    assert np.abs(values).max() <= bound
    assert np.abs(values).max() > bound * (1 - 20 / n)
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=4 / math.sqrt(n))
    assert values.mean() == pytest.approx(0, abs=4 * values.std() / math.sqrt(n))
    quarters, _ = np.histogram(values, 4, (-bound, bound))
    np.testing.assert_allclose(quarters / n, 0.25, atol=4 * math.sqrt(0.1875 / n))


def assert_normal(values, std):
    """Mean 0, this std, and a share of 68 % within it: more than a uniform one's 58 %."""
    n = values.size
    assert values.std() == pytest.approx(std, rel=4 / math.sqrt(2 * n))
    assert values.mean() == pytest.approx(0, abs=4 * std / math.sqrt(n))
    assert np.mean(np.abs(values) < std) == pytest.approx(0.6827, abs=4 * 0.466 / math.sqrt(n))
    assert np.abs(values).max() > 3 * std


def test_uniform_is_bounded_by_one_over_the_root_of_the_inputs():
    w, b = start("uniform")
    assert_uniform(w, 1 / math.sqrt(INPUTS))
    assert_uniform(b, 1 / math.sqrt(INPUTS))


def test_normal_is_a_thousandth_and_biases_are_zero():
    w, b = start("normal")
    assert_normal(w, 1e-3)
    assert not b.any()


def test_normal_with_another_std():
    w, b = start(fb.initializers.Normal(0.5))
    assert_normal(w, 0.5)
    assert not b.any()
    assert not start(fb.initializers.Normal(0))[0].any()


def test_glorot_looks_at_both_sides():
    w, b = start("glorot")
    assert_uniform(w, math.sqrt(6 / (INPUTS + OUTPUTS)))
    assert not b.any()


def test_he_looks_at_the_inputs():
    w, b = start("he")
    assert_normal(w, math.sqrt(2 / INPUTS))
    assert not b.any()


def test_ntk_is_normal_over_the_root_of_the_inputs_with_normal_biases():
    w, b = start("ntk")
    assert_normal(w, 1 / math.sqrt(INPUTS))
    assert b.std() == pytest.approx(1, rel=4 / math.sqrt(2 * OUTPUTS))
    assert b.mean() == pytest.approx(0, abs=4 / math.sqrt(OUTPUTS))


@pytest.mark.parametrize("init", ["uniform", "normal", "glorot", "he", "ntk"])
def test_one_input_and_one_output_are_enough(init):
    w, b = start(init, inputs=1, outputs=1)
    assert w.shape == (1, 1)
    assert b.shape == (1,)
    assert np.isfinite([w[0, 0], b[0]]).all()


@pytest.mark.parametrize("init", ["uniform", "normal", "glorot", "he", "ntk"])
def test_a_seed_is_a_start(init):
    first, same, other = (start(init, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, same)
    assert not np.isin(first, other).any()


@pytest.mark.parametrize("init", ["uniform", "normal", "glorot", "he", "ntk"])
def test_float32_and_float64_start_from_the_same_numbers(init):
    exact, rounded = (start(init, dtype=dtype) for dtype in ("float64", "float32"))
    for a, b in zip(exact, rounded, strict=True):
        assert np.array_equal(a.astype(np.float32), b)


def test_layers_start_from_different_numbers():
    net = fb.Sequential(fb.Linear(50, 50), fb.Tanh(), fb.Linear(50, 50))
    assert not np.isin(net.layers[0].w, net.layers[2].w).any()


def test_uniform_is_the_default():
    default = fb.Sequential(fb.Linear(20, 10)).params
    assert np.array_equal(default, fb.Sequential(fb.Linear(20, 10), init="uniform").params)


def test_a_layer_s_own_init_comes_first():
    first, second = fb.Linear(INPUTS, OUTPUTS), fb.Linear(OUTPUTS, INPUTS, init="he")
    fb.Sequential(first, second, init="normal", dtype="float64")
    assert_normal(first.w, 1e-3)
    assert_normal(second.w, math.sqrt(2 / OUTPUTS))


def test_an_initializer_of_ones_own():
    class Identity(fb.initializers.Initializer):
        def __call__(self, rng, inputs, outputs):
            return np.eye(inputs, outputs), np.arange(outputs)

    w, b = start(Identity(), inputs=2, outputs=3)
    assert w.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert b.tolist() == [0, 1, 2]


def test_an_unknown_name_is_answered_with_the_known_ones():
    text = (
        "init: expected normal, uniform, glorot, he, ntk, normal:STD or an fb.initializers object; "
        "got 'zeros'"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        fb.Sequential(fb.Linear(2, 2), init="zeros")
    with pytest.raises(ValueError, match=r"init: expected normal, .*; got 'xavier'"):
        fb.Linear(2, 2, init="xavier")


@pytest.mark.parametrize(
    ("std", "error", "text"),
    [
        (-1, ValueError, "Normal std: expected at least 0, got -1"),
        (math.nan, ValueError, "Normal std: expected a finite number, got nan"),
        ("1", TypeError, "Normal std: expected a number, got '1'"),
    ],
)
def test_std_is_checked(std, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fb.initializers.Normal(std)
