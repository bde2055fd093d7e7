"""Weights of samples: each loss's mean and gradient are those of samples as often as they weigh."""

import json
import math
import re
from pathlib import Path

import numpy as np
import parts
import pytest
from for_each import for_each

import fastbp as fb

TORCH = json.loads((Path(__file__).parent / "data/torch_weights.json").read_text("utf-8"))
ROWS, CLASSES = 6, 5
COUNTS = np.array([2, 1, 3, 0, 1, 2])
NEAR = {"rtol": 1e-12, "atol": 1e-14}


@fb.loss
def absolute_margin(x, label):
    """A user's own loss, of classes."""
    total = 0.0
    for j in range(len(x)):
        total += abs(x[j] - x[label])
    return total


@absolute_margin.gradient
def absolute_margin_gradient(x, label, dx):
    """Of the same."""
    total = 0.0
    for j in range(len(x)):
        sign = 1.0 if x[j] > x[label] else -1.0 if x[j] < x[label] else 0.0
        dx[j] = sign
        total += sign
    dx[label] -= total


LOSSES = parts.LOSSES | {
    "of probabilities": lambda: fb.CrossEntropyLoss(0.125),
    "a user's own": absolute_margin,
}


def batch(name, loss, dtype="float64"):
    """Scores and targets."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(ROWS, CLASSES)).astype(dtype)
    if name == "of probabilities":
        return scores, rng.dirichlet(np.ones(CLASSES), ROWS)
    return scores, loss.example_target(rng, ROWS, CLASSES)


@for_each("name", LOSSES)
def test_whole_weights_are_repeated_samples(backend, name):
    loss = LOSSES[name]()
    scores, target = batch(name, loss)
    value, gradient = loss(scores, target, COUNTS)
    rows = np.repeat(np.arange(ROWS), COUNTS)
    wanted, repeated = loss(scores[rows], target[rows])
    sums = np.zeros_like(gradient)
    np.add.at(sums, rows, repeated)
    np.testing.assert_allclose(value, wanted, **NEAR)
    np.testing.assert_allclose(gradient, sums, **NEAR)


@for_each("name", LOSSES)
def test_weights_of_one_change_no_bit_and_only_their_ratio_counts(backend, dtype, name):
    loss = LOSSES[name]()
    scores, target = batch(name, loss, dtype)
    plain = loss(scores, target)
    for weights in (np.ones(ROWS), np.full(ROWS, 4.0)):
        weighted = loss(scores, target, weights)
        assert weighted[0] == plain[0]
        np.testing.assert_array_equal(weighted[1], plain[1])
    rtol = 4 * np.finfo(dtype).eps
    few, many = (loss(scores, target, factor * COUNTS) for factor in (1e-300, 3e99))
    np.testing.assert_allclose(few[0], many[0], rtol=rtol)
    np.testing.assert_allclose(few[1], many[1], rtol=rtol, atol=1e-300)


@for_each("name", LOSSES)
def test_where_nothing_weighs_there_is_no_loss_and_no_gradient(backend, dtype, name):
    loss = LOSSES[name]()
    value, gradient = loss(*batch(name, loss, dtype), np.zeros(ROWS))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((ROWS, CLASSES)))


@for_each("name", LOSSES)
def test_what_does_not_weigh_may_be_nan(backend, dtype, name):
    loss = LOSSES[name]()
    scores, target = batch(name, loss, dtype)
    wanted = loss(scores, target, COUNTS)
    scores[3] = np.nan
    with np.errstate(invalid="ignore"):
        value, gradient = loss(scores, target, COUNTS)
    assert value == wanted[0]
    np.testing.assert_array_equal(gradient, wanted[1])
    scores[2] = np.nan
    with np.errstate(invalid="ignore"):
        assert math.isnan(loss(scores, target, COUNTS)[0])


@for_each("case", TORCH)
def test_weights_of_classes_are_pytorch_s(backend, case):
    target = np.array(case["target"])
    loss = getattr(fb, case["name"])()
    value, gradient = loss(case["scores"], target, np.array(case["weights"])[target])
    np.testing.assert_allclose(value, case["loss"], **NEAR)
    np.testing.assert_allclose(gradient, case["gradient"], **NEAR)


@pytest.mark.parametrize(
    ("weights", "error", "text"),
    [
        ([1, 2], ValueError, "one weight a sample, shape (6,); got (2,)"),
        (np.ones((6, 1)), ValueError, "one weight a sample, shape (6,); got (6, 1)"),
        ([1, 1, -0.5, 1, 1, 1], ValueError, "numbers from 0 to 1e+100; got -0.5 at row 2"),
        ([1, 1, 1, math.nan, 1, 1], ValueError, "numbers from 0 to 1e+100; got nan at row 3"),
        ([1, 1, 1, 1, 1, math.inf], ValueError, "numbers from 0 to 1e+100; got inf at row 5"),
        ([1e101] * 6, ValueError, "numbers from 0 to 1e+100; got 1e+101 at row 0"),
        (["a"] * 6, TypeError, "real numbers, got "),
    ],
)
def test_weights_are_numbers_from_0_on_one_a_sample(weights, error, text):
    loss = fb.MSELoss()
    with pytest.raises(error, match=re.escape(f"MSELoss() weights: expected {text}")):
        loss(*batch("", loss), weights)
