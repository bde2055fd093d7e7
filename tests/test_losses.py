"""The losses and their gradients, against their definitions written as plain loops."""

import math
import re

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp import losses
from fastbp.backends import active

SHAPES = [(1, 2), (1, 10), (7, 3), (64, 10), (5, 101)]
TOLERANCE = {"float32": {"rtol": 3e-6, "atol": 1e-7}, "float64": {"rtol": 1e-12, "atol": 1e-15}}
LABEL_LOSSES = [fb.HingeLoss(), fb.SquaredHingeLoss(), fb.CrossEntropyLoss(), fb.NLLLoss()]
LOSSES = [*LABEL_LOSSES, fb.MSELoss(), fb.L1Loss(), fb.HuberLoss()]
VALUES_ONLY = [fb.PoissonNLLLoss(), fb.BCEWithLogitsLoss()]  # which no labels stand for


def hinge(scores, labels, margin=1.0):
    n, loss, gradient = len(scores), 0.0, np.zeros_like(scores)
    for i, y in enumerate(labels):
        for j in range(scores.shape[1]):
            violation = scores[i, j] - scores[i, y] + margin
            if j != y and violation > 0:
                loss += violation / n
                gradient[i, j] += 1 / n
                gradient[i, y] -= 1 / n
    return loss, gradient


def squared_hinge(scores, labels, margin=1.0):
    n, loss, gradient = len(scores), 0.0, np.zeros_like(scores)
    for i, y in enumerate(labels):
        for j in range(scores.shape[1]):
            violation = max(0, scores[i, j] - scores[i, y] + margin)
            if j != y:
                loss += violation**2 / n
                gradient[i, j] += 2 * violation / n
                gradient[i, y] -= 2 * violation / n
    return loss, gradient


def cross_entropy(scores, labels):
    n, loss, gradient = len(scores), 0.0, np.zeros_like(scores)
    for i, y in enumerate(labels):
        p = np.exp(scores[i]) / np.exp(scores[i]).sum()
        loss -= math.log(p[y]) / n
        gradient[i] = p / n
        gradient[i, y] -= 1 / n
    return loss, gradient


def smoothed(scores, labels, smoothing):
    loss, gradient = 0.0, np.zeros_like(scores)
    n, o = scores.shape
    for i, y in enumerate(labels):
        p = np.exp(scores[i]) / np.exp(scores[i]).sum()
        q = np.full(o, smoothing / o)
        q[y] += 1 - smoothing
        loss -= (q * np.log(p)).sum() / n
        gradient[i] = (p - q) / n
    return loss, gradient


def nll(scores, labels):
    n, loss, gradient = len(scores), 0.0, np.zeros_like(scores)
    for i, y in enumerate(labels):
        loss -= scores[i, y] / n
        gradient[i, y] = -1 / n
    return loss, gradient


def squared_error(outputs, targets):
    loss, gradient = 0.0, np.zeros_like(outputs)
    for index, o in np.ndenumerate(outputs):
        loss += (o - targets[index]) ** 2 / outputs.size
        gradient[index] = 2 * (o - targets[index]) / outputs.size
    return loss, gradient


def absolute_error(outputs, targets):
    loss, gradient = 0.0, np.zeros_like(outputs)
    for index, o in np.ndenumerate(outputs):
        loss += abs(o - targets[index]) / outputs.size
        gradient[index] = np.sign(o - targets[index]) / outputs.size
    return loss, gradient


def huber(outputs, targets, delta=1.0):
    loss, gradient = 0.0, np.zeros_like(outputs)
    for index, o in np.ndenumerate(outputs):
        d = o - targets[index]
        loss += (d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)) / outputs.size
        gradient[index] = (d if abs(d) <= delta else delta * np.sign(d)) / outputs.size
    return loss, gradient


def poisson(scores, counts):
    loss, gradient = 0.0, np.zeros_like(scores)
    for index, s in np.ndenumerate(scores):
        loss += (math.exp(s) - counts[index] * s) / scores.size
        gradient[index] = (math.exp(s) - counts[index]) / scores.size
    return loss, gradient


def bce(scores, targets, pos_weight=1.0):
    loss, gradient = 0.0, np.zeros_like(scores)
    weights = np.broadcast_to(pos_weight, scores.shape[1])
    for index, s in np.ndenumerate(scores):
        t, p, w = targets[index], 1 / (1 + math.exp(-s)), weights[index[1]]
        loss -= (w * t * math.log(p) + (1 - t) * math.log(1 - p)) / scores.size
        gradient[index] = ((1 - t) * p - w * t * (1 - p)) / scores.size
    return loss, gradient


def assert_same(actual, expected, dtype):
    """Loss and gradient are the same."""
    assert type(actual[0]) is float
    assert actual[1].dtype == dtype
    np.testing.assert_allclose(actual[0], expected[0], **TOLERANCE[dtype.name])
    np.testing.assert_allclose(actual[1], expected[1], **TOLERANCE[dtype.name])


def test_every_loss_is_among_these():
    assert {loss.name for loss in [*LOSSES, *VALUES_ONLY]} == set(losses.LOSSES)


# Values and gradients


@for_each("shape", SHAPES)
@for_each(
    ("loss", "definition"),
    [
        (fb.HingeLoss(), hinge),
        (fb.SquaredHingeLoss(), squared_hinge),
        (fb.SquaredHingeLoss(2.5), lambda s, y: squared_hinge(s, y, 2.5)),
        (fb.CrossEntropyLoss(), cross_entropy),
        (fb.CrossEntropyLoss(0.1), lambda s, y: smoothed(s, y, 0.1)),
        (fb.CrossEntropyLoss(1), lambda s, y: smoothed(s, y, 1)),
        (fb.NLLLoss(), nll),
    ],
)
def test_losses_of_labels(backend, dtype, loss, definition, shape, rng):
    scores, labels = rng.normal(0, 2, shape).astype(dtype), rng.integers(shape[1], size=shape[0])
    assert_same(loss(scores, labels), definition(scores.astype(np.float64), labels), dtype)


@for_each("shape", [*SHAPES, (9, 1)])
@for_each(
    ("loss", "definition"),
    [
        (fb.MSELoss(), squared_error),
        (fb.L1Loss(), absolute_error),
        (fb.HuberLoss(), huber),
        (fb.HuberLoss(0.3), lambda o, y: huber(o, y, 0.3)),
    ],
)
def test_losses_of_values(backend, dtype, loss, definition, shape, rng):
    outputs, targets = rng.normal(size=(2, *shape)).astype(dtype)
    expected = definition(outputs.astype(np.float64), targets.astype(np.float64))
    assert_same(loss(outputs, targets), expected, dtype)


def test_hinge_by_hand(backend, dtype):
    scores = np.array([[3, 1, 2.5], [0, 2, 1]], dtype)
    # Row 0, label 0: max(0, 1 - 3 + 1) + max(0, 2.5 - 3 + 1) = 0.5
    # Row 1, label 2: max(0, 0 - 1 + 1) + max(0, 2 - 1 + 1) = 2, where the first is at the margin
    loss, gradient = fb.HingeLoss()(scores, [0, 2])
    assert loss == 1.25
    assert gradient.tolist() == [[-0.5, 0, 0.5], [0, 0.5, -0.5]]


def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_classes(backend, dtype):
    loss, gradient = fb.CrossEntropyLoss()(np.full((1, 4), 7, dtype), [1])
    assert loss == pytest.approx(math.log(4), rel=1e-6)
    assert gradient.tolist() == [[0.25, -0.75, 0.25, 0.25]]


def test_squared_error_is_averaged_over_all_elements(backend, dtype):
    loss, gradient = fb.MSELoss()(np.array([[1, 2], [3, 4]], dtype), [[1, 0], [0, 4]])
    assert loss == (4 + 9) / 4
    assert gradient.tolist() == [[0, 1], [1.5, 0]]


def test_absolute_error_by_hand_and_its_derivative_at_zero(backend, dtype):
    loss, gradient = fb.L1Loss()(np.array([[1, 2], [3, 4]], dtype), [[1, 0], [0, 8]])
    assert loss == (0 + 2 + 3 + 4) / 4
    assert gradient.tolist() == [[0, 0.25], [0.25, -0.25]]


def test_gradients_of_each_sample_sum_to_zero_where_only_differences_count(backend, dtype, rng):
    scores, labels = rng.normal(size=(16, 10)).astype(dtype), rng.integers(10, size=16)
    for loss in (fb.HingeLoss(), fb.CrossEntropyLoss()):
        _, gradient = loss(scores, labels)
        np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=4 * np.finfo(dtype).eps)


def test_a_batch_is_averaged(backend, dtype, rng):
    """Twice the same samples: the same loss, and half the gradient for each."""
    scores, labels = rng.normal(size=(8, 10)).astype(dtype), rng.integers(10, size=8)
    for loss in LOSSES:
        value, gradient = loss(scores, labels)
        twice, gradients = loss(np.concatenate([scores, scores]), np.concatenate([labels, labels]))
        assert twice == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(gradients[:8], gradient / 2, rtol=1e-6)
        np.testing.assert_allclose(gradients[8:], gradient / 2, rtol=1e-6)


# Hinge: margin, and the other definition


def test_at_the_margin_the_hinge_and_its_derivative_are_zero(backend, dtype):
    loss, gradient = fb.HingeLoss()(np.array([[1, 0, -3]], dtype), [0])
    assert loss == 0
    assert not gradient.any()


def test_just_inside_the_margin_the_derivative_is_one(backend, dtype):
    tiny = np.finfo(dtype).eps
    loss, gradient = fb.HingeLoss()(np.array([[1, tiny, -3]], dtype), [0])
    assert loss == tiny
    assert gradient.tolist() == [[-1, 1, 0]]


@for_each("margin", [0.25, 2.5, 10])
def test_hinge_with_another_margin(backend, dtype, margin, rng):
    scores, labels = rng.normal(0, 2, (7, 5)).astype(dtype), rng.integers(5, size=7)
    expected = hinge(scores.astype(np.float64), labels, margin)
    assert_same(fb.HingeLoss(margin)(scores, labels), expected, dtype)


def test_hinge_is_pytorch_s_multi_margin_loss_times_the_number_of_classes(backend, dtype, rng):
    # The example in PyTorch's documentation of MultiMarginLoss, and the result printed there.
    scores = np.array([[0.1, 0.2, 0.4, 0.8]], dtype)
    assert fb.HingeLoss()(scores, [3])[0] == pytest.approx(4 * 0.325, rel=1e-6)

    scores, labels = rng.normal(size=(6, 10)).astype(dtype), rng.integers(10, size=6)
    loss, gradient = fb.HingeLoss()(scores, labels)
    right = scores[np.arange(6), labels, None]
    terms = np.maximum(0, 1 - right + scores)
    terms[np.arange(6), labels] = 0
    multi_margin = (terms.sum(axis=1) / 10).mean()  # PyTorch: the sum divided by x.size(1)
    assert loss == pytest.approx(10 * multi_margin, rel=1e-5)
    # Each wrong class counts 1/n here and 1/(n·classes) there.
    assert set(np.unique(gradient[gradient > 0])) == {dtype.type(1 / 6)}


@pytest.mark.parametrize(
    ("margin", "error", "text"),
    [
        (0, ValueError, "HingeLoss margin: expected a number above 0, got 0"),
        (-1.0, ValueError, "HingeLoss margin: expected a number above 0, got -1.0"),
        (math.inf, ValueError, "HingeLoss margin: expected a finite number, got inf"),
        ("1", TypeError, "HingeLoss margin: expected a number, got '1'"),
    ],
)
def test_a_margin_is_a_number_above_zero(margin, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fb.HingeLoss(margin)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_a_smoothing_is_a_share(wrong):
    with pytest.raises(ValueError, match="CrossEntropyLoss label_smoothing: expected"):
        fb.CrossEntropyLoss(wrong)


# Log-probabilities


@for_each("shape", SHAPES)
def test_log_softmax_with_nll_is_cross_entropy(backend, dtype, shape, rng):
    """The same loss, and through the layer's backward the same gradient by the scores."""
    scores, labels = rng.normal(0, 3, shape).astype(dtype), rng.integers(shape[1], size=shape[0])
    layer = fb.LogSoftmax()
    loss, by_log_probabilities = fb.NLLLoss()(layer.forward(scores), labels)
    both = loss, layer.backward(by_log_probabilities)
    assert_same(both, fb.CrossEntropyLoss()(scores, labels), dtype)


def test_cross_entropy_of_large_scores_neither_overflows_nor_loses_its_gradient(backend, dtype):
    loss, gradient = fb.CrossEntropyLoss()(np.array([[1e4, -1e4, 0], [0, 1e4, 0]], dtype), [1, 1])
    assert loss == 1e4  # (20 000 + 0) / 2
    assert gradient.tolist() == [[0.5, -0.5, 0], [0, 0, 0]]


# Probabilities


@pytest.mark.parametrize("smoothing", [0, 0.25])
def test_rows_of_a_one_are_labels(backend, dtype, smoothing, rng):
    scores, labels = rng.normal(0, 3, (7, 4)).astype(dtype), rng.integers(4, size=7)
    loss = fb.CrossEntropyLoss(smoothing)
    expected = loss(scores, labels)
    for kind in (dtype, "bool", "uint8", "int64", ">f8"):
        assert_same(loss(scores, np.eye(4)[labels].astype(kind)), expected, dtype)


@for_each("shape", SHAPES)
def test_cross_entropy_of_probabilities(backend, dtype, shape, rng):
    scores, target = rng.normal(0, 3, shape).astype(dtype), rng.random(shape) ** 3
    target = (target / target.sum(axis=1, keepdims=True)).astype(dtype)
    x, q = scores.astype(np.float64), target.astype(np.float64)
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    whole = q.sum(axis=1, keepdims=True)  # 1, but for rounding
    expected = -(q * np.log(p)).sum() / len(x), (whole * p - q) / len(x)
    assert_same(fb.CrossEntropyLoss()(scores, target), expected, dtype)


def test_probabilities_of_large_scores(backend, dtype):
    loss, gradient = fb.CrossEntropyLoss()(np.array([[1e4, -1e4]], dtype), [[0.5, 0.5]])
    assert loss == 1e4
    assert gradient.tolist() == [[0.5, -0.5]]


@for_each(
    ("target", "text"),
    [
        ([[1.0, 0], [1.1, -0.1]], "expected probabilities from 0 to 1; got 1.1 at row 1, column 0"),
        ([[1.0, 0], [0, math.nan]], "from 0 to 1; got nan at row 1, column 1"),
        ([[0.5, 0.5], [0.5, 0.498]], "whose sum is 1 but for 0.001; got the sum 0.998 in row 1"),
        ([[0, 0], [1, 0]], "got the sum 0 in row 0"),
        ([[1, 1], [1, 0]], "got the sum 2 in row 0"),
        ([[1.0, 0, 0], [0, 0, 1]], "or probabilities of shape (2, 2); got (2, 3)"),
        ([[1.0, 0]], "or probabilities of shape (2, 2); got (1, 2)"),
    ],
)
def test_rows_that_are_no_probabilities(backend, target, text):
    with pytest.raises(ValueError, match=r"CrossEntropyLoss\(\) .*" + re.escape(text)):
        fb.CrossEntropyLoss()(np.zeros((2, 2)), target)


def test_sums_are_1_but_for_rounding():
    for off in (-0.0009, 0.0009):
        fb.CrossEntropyLoss()(np.zeros((1, 2)), [[0.5, 0.5 + off]])
    fb.CrossEntropyLoss()(np.zeros((1, 3)), np.full((1, 3), 1 / 3, "f2"))


# Targets of the losses of values


@pytest.mark.parametrize("loss", [fb.MSELoss(), fb.L1Loss()])
def test_labels_stand_for_one_hot_rows(backend, dtype, loss, rng):
    outputs, labels = rng.normal(size=(5, 3)).astype(dtype), np.array([0, 2, 1, 1, 2])
    one_hot = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0], [0, 0, 1]], float)
    from_labels, from_rows = (loss(outputs, target) for target in (labels, one_hot))
    assert from_labels[0] == from_rows[0]
    assert np.array_equal(from_labels[1], from_rows[1])


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        (np.zeros((3, 3)), ValueError, "MSELoss() target: expected 2 columns, got (3, 3)"),
        (np.zeros((4, 2)), ValueError, "MSELoss() target: expected 3 rows, got (4, 2)"),
        (
            np.zeros(3),
            ValueError,
            "MSELoss() target: expected a two-dimensional array, one row of 2",
        ),
        (np.full((3, 2), "a"), TypeError, "MSELoss() target: expected real numbers, got dtype <U1"),
    ],
    ids=["columns", "rows", "float labels", "text"],
)
def test_values_must_have_the_shape_of_the_output(target, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fb.MSELoss()(np.zeros((3, 2)), target)


# Losses of values that are no classes


@for_each("shape", [*SHAPES, (9, 1)])
@for_each(
    ("loss", "definition"),
    [
        (fb.PoissonNLLLoss(), poisson),
        (fb.BCEWithLogitsLoss(), bce),
        (fb.BCEWithLogitsLoss(2.5), lambda s, t: bce(s, t, 2.5)),
    ],
)
def test_losses_of_values_alone(backend, dtype, loss, definition, shape, rng):
    scores, targets = rng.normal(size=shape).astype(dtype), loss.example_target(rng, *shape)
    expected = definition(scores.astype(np.float64), targets)
    assert_same(loss(scores, targets), expected, dtype)
    assert_same(loss(scores, targets.astype(dtype)), expected, dtype)
    if shape[1] == 1:
        assert_same(loss(scores, targets[:, 0]), expected, dtype)


@pytest.mark.parametrize("loss", VALUES_ONLY, ids=repr)
def test_classes_do_not_stand_for_values_alone(loss):
    text = f"{loss!r} target: expected a two-dimensional array, one row of 3 values a sample; got"
    for labels in ([0, 1], np.zeros(2), np.array([False, True])):
        with pytest.raises(ValueError, match="^" + re.escape(text)):
            loss(np.zeros((2, 3)), labels)


@for_each("loss", VALUES_ONLY)
@for_each("kind", ["bool", "uint8", "int64", "float16", ">f8"])
def test_zeros_and_ones_of_any_type_are_values(backend, dtype, loss, kind, rng):
    scores, targets = rng.normal(size=(5, 3)).astype(dtype), rng.integers(0, 2, (5, 3))
    value, gradient = loss(scores, targets.astype(float))
    found = loss(scores, targets.astype(kind))
    assert found[0] == value
    assert np.array_equal(found[1], gradient)


@pytest.mark.parametrize("loss", VALUES_ONLY, ids=repr)
def test_values_alone_of_nan_scores_and_of_no_sample(backend, dtype, loss):
    scores = np.zeros((3, 4), dtype)
    scores[1, 2] = np.nan
    assert math.isnan(loss(scores, np.zeros((3, 4)))[0])
    with pytest.raises(ValueError, match="expected at least one sample, got shape"):
        loss(np.empty((0, 3)), np.empty((0, 3)))


@pytest.mark.parametrize("wrong", [-1, -0.5, math.nan, math.inf])
def test_counts_are_named_by_their_row(wrong):
    text = f"PoissonNLLLoss() target: expected counts from 0 on; got {wrong:g} at row 2"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        fb.PoissonNLLLoss()(np.zeros((4, 1)), [1.0, 0.0, wrong, -3.0])
    target = np.ones((4, 3))
    target[2, 1] = wrong
    with pytest.raises(ValueError, match=re.escape(f"got {wrong:g} at row 2, column 1")):
        fb.PoissonNLLLoss()(np.zeros((4, 3)), target)


@pytest.mark.parametrize("wrong", [-1e-3, 1.001, 255, math.nan])
def test_numbers_beyond_0_and_1_are_named_by_their_place(wrong):
    target = np.ones((4, 3))
    target[2, 1] = target[3, 0] = wrong
    loss = fb.BCEWithLogitsLoss()
    text = f"{loss!r} target: expected numbers from 0 to 1; got {wrong:g} at row 2, column 1"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        loss(np.zeros((4, 3)), target)
    with pytest.raises(ValueError, match="at row 2, column 0"):
        loss(np.zeros((4, 1)), target[:, 1])


@for_each("labels", [[0, 1, 1], [False, True, True], [0.0, 1.0, 1.0], [[0], [1], [1]]])
def test_labels_of_one_output_are_no_and_yes(backend, dtype, labels):
    loss, gradient = fb.BCEWithLogitsLoss()(np.zeros((3, 1), dtype), labels)
    assert loss == pytest.approx(math.log(2), rel=1e-6)
    np.testing.assert_allclose(gradient, np.array([[1], [-1], [-1]]) / 6, rtol=1e-6)


def test_a_weight_for_each_output(backend, dtype, rng):
    scores, targets = rng.normal(size=(7, 3)).astype(dtype), rng.random((7, 3))
    weights, loss = [0.5, 2, 0], fb.BCEWithLogitsLoss([0.5, 2, 0])
    assert_same(
        loss(scores, targets.astype(dtype)), bce(scores.astype(float), targets, weights), dtype
    )
    with pytest.raises(ValueError, match="expected scores of 3 columns, as pos_weight has; got 2"):
        loss(scores[:, :2], targets[:, :2])


@pytest.mark.parametrize(("weight", "path"), [(None, "fused"), (2, "fused"), ([2, 1, 1], "fused")])
def test_an_array_of_weights_trains_layered(weight, path, rng):
    if not active().can("engine"):
        pytest.skip("no engine")
    net, x = fb.Sequential(fb.Linear(4, 3)), rng.normal(size=(20, 4))
    history = fb.fit(
        net, (x, (x[:, :3] > 0).astype(int)), loss=fb.BCEWithLogitsLoss(weight),
        optimizer=fb.SGD(0.5), epochs=2,
    )  # fmt: skip
    assert history.path.endswith(path)
    assert history.epochs[1].train_loss < history.epochs[0].train_loss


@pytest.mark.parametrize(
    ("weight", "error", "text"),
    [
        (-1, ValueError, "expected at least 0, got -1"),
        (math.nan, ValueError, "expected a finite number, got nan"),
        ("2", TypeError, "expected a number, got '2'"),
        ([1, -2], ValueError, "expected at least 0, got -2"),
        ([], ValueError, "expected a number or one for each output; got []"),
        ([[1.0]], ValueError, "expected a number or one for each output; got [[1.0]]"),
    ],
)
def test_weights_are_numbers_from_0_on(weight, error, text):
    with pytest.raises(error, match="^" + re.escape(f"BCEWithLogitsLoss pos_weight: {text}")):
        fb.BCEWithLogitsLoss(weight)


# Labels


EVERY_LOSS = for_each("loss", LOSSES)


@for_each("labels", [[0, 1, -1, 9], [0, 1, 3, 9], np.array([0, 1, 2**63], "u8")])
@EVERY_LOSS
def test_a_label_out_of_range_is_named_with_its_row(loss, labels):
    text = f"{loss!r} labels: expected labels from 0 to 2; got {labels[2]} at row 2"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        loss(np.zeros((len(labels), 3)), labels)


@for_each("n", [0, 2, 4])
@EVERY_LOSS
def test_there_is_one_label_a_sample(loss, n):
    text = f"{loss!r} labels: expected 3 labels, one a sample; got {n}"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        loss(np.zeros((3, 2)), np.zeros(n, int))


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_whole_numbers_are_labels_whatever_their_dtype(loss, dtype):
    x, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([3, 0, 1])
    (value, gradient), (same, also) = loss(x, labels.astype(dtype)), loss(x, labels)
    assert value == same
    assert np.array_equal(gradient, also)
    for wrong in (0.5, np.nan, np.inf):
        with pytest.raises(TypeError, match=rf"expected integer labels, got {wrong} at row 1"):
            loss(x, np.array([3, wrong, 1], dtype))


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=repr)
@pytest.mark.parametrize("kind", ["<U1", "object"])
def test_labels_are_whole_numbers(loss, kind):
    with pytest.raises(TypeError, match=r"labels: expected integer labels, got dtype"):
        loss(np.zeros((2, 2)), np.array([0, 1]).astype(kind))


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=repr)
def test_labels_are_one_dimensional(loss):
    text = "labels: expected one label a sample, shape (2,); got (2, 1)"
    with pytest.raises(ValueError, match=re.escape(text)):
        loss(np.zeros((2, 2)), [[0], [1]])


@for_each("kind", ["int8", "uint8", "int32", "uint64", ">i4"])
@EVERY_LOSS
def test_labels_of_any_integer_type_are_the_same(backend, loss, kind, rng):
    scores, labels = rng.normal(size=(4, 3)), np.array([2, 0, 1, 1])
    value, gradient = loss(scores, labels)
    for same in (labels.astype(kind), labels.tolist(), np.repeat(labels, 2)[::2]):
        other = loss(scores, same)
        assert other[0] == value
        assert np.array_equal(other[1], gradient)


# Scores


@EVERY_LOSS
def test_an_empty_batch_has_no_mean(loss):
    text = f"{loss!r}: expected at least one sample, got shape (0, 3)"
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        loss(np.empty((0, 3)), np.empty(0, int))


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((1, 2, 3))], ids=["1-D", "3-D"])
@EVERY_LOSS
def test_scores_are_two_dimensional(loss, scores):
    with pytest.raises(ValueError, match=re.escape(f"{loss!r} scores: expected a two-dimension")):
        loss(scores, [0])


@EVERY_LOSS
def test_the_arrangement_of_the_scores_does_not_matter(backend, dtype, loss, rng):
    scores, labels = rng.normal(size=(6, 4)).astype(dtype), rng.integers(4, size=6)
    read_only = scores.copy()
    read_only.setflags(write=False)
    value, gradient = loss(scores, labels)
    for same in (np.asfortranarray(scores), np.repeat(scores, 2, axis=1)[:, ::2], read_only):
        other = loss(same, labels)
        assert other[0] == value
        assert np.array_equal(other[1], gradient)
    assert np.array_equal(scores, read_only)  # and they are left alone


@EVERY_LOSS
def test_scores_in_a_list_are_float64(backend, loss):
    assert loss([[1, 2], [3, 4]], [0, 1])[1].dtype == np.float64


@EVERY_LOSS
def test_nan_scores_give_a_nan_loss(backend, dtype, loss):
    scores = np.zeros((3, 4), dtype)
    scores[1] = np.nan
    assert math.isnan(loss(scores, [0, 1, 2])[0])


def test_one_nan_score_is_enough(backend, dtype):
    scores = np.zeros((3, 4), dtype)
    scores[1, 3] = np.nan  # not the right class's
    for loss in (fb.HingeLoss(), fb.CrossEntropyLoss(), fb.MSELoss()):
        assert math.isnan(loss(scores, [0, 1, 2])[0])


# A single column


@for_each("loss", [fb.MSELoss(), fb.L1Loss()])
@for_each("kind", ["float64", "float16", "int64", "uint8", "bool", ">i4", "uint64"])
def test_targets_of_one_output_are_values_whatever_their_type(backend, dtype, loss, kind):
    outputs = np.array([[3.0], [-2.0], [1.0]], dtype)
    targets = np.array([1, 0, 1]).astype(kind)
    right = loss(outputs, np.array([[1.0], [0.0], [1.0]]))
    assert right[0] == {"MSELoss": 8 / 3, "L1Loss": 4 / 3}[type(loss).__name__]
    for same in (targets, targets[:, None], targets.tolist()):
        found = loss(outputs, same)
        assert found[0] == right[0]
        assert np.array_equal(found[1], right[1])


def test_values_of_one_output_may_be_any_number(backend, dtype):
    loss, gradient = fb.MSELoss()(np.zeros((2, 1), dtype), [1, -2])
    assert loss == 2.5
    assert gradient.tolist() == [[-1], [2]]


@pytest.mark.parametrize("loss", LABEL_LOSSES, ids=repr)
@pytest.mark.parametrize("target", [[0, 0], [0.0, 1.0], [True, False], [[0], [1]]])
def test_a_single_column_has_no_classes(loss, target):
    text = f"{loss!r}: expected scores of at least two classes, one a column; got a single column."
    with pytest.raises(ValueError, match="^" + re.escape(text) + ".*MSELoss or L1Loss"):
        loss(np.zeros((2, 1)), target)


@EVERY_LOSS
def test_false_and_true_are_the_classes_of_two_columns(backend, dtype, loss, rng):
    scores = rng.normal(size=(4, 2)).astype(dtype)
    value, gradient = loss(scores, [1, 0, 0, 1])
    for same in ([True, False, False, True], np.array([1, 0, 0, 1], bool)):
        other = loss(scores, same)
        assert other[0] == value
        assert np.array_equal(other[1], gradient)
    with pytest.raises(TypeError, match="labels: expected integer labels, got dtype bool; convert"):
        loss(np.zeros((2, 3)), [True, False])


# One's own, and how they look


def test_a_loss_of_ones_own_needs_only_compute(backend):
    class AbsoluteError(fb.MSELoss):
        def compute(self, x, target):
            return float(np.abs(x - target).mean()), np.sign(x - target) / x.size

    loss, gradient = AbsoluteError()(np.array([[1.0, 5.0]]), [[2.0, 2.0]])
    assert loss == 2
    assert gradient.tolist() == [[-0.5, 0.5]]


def test_repr():
    assert list(map(repr, [*LOSSES, *VALUES_ONLY])) == [
        "HingeLoss(1)",
        "SquaredHingeLoss(1)",
        "CrossEntropyLoss()",
        "NLLLoss()",
        "MSELoss()",
        "L1Loss()",
        "HuberLoss(1)",
        "PoissonNLLLoss()",
        "BCEWithLogitsLoss()",
    ]
    assert repr(fb.BCEWithLogitsLoss(2)) == "BCEWithLogitsLoss(2)"
    assert repr(fb.BCEWithLogitsLoss([2, 0.5])) == "BCEWithLogitsLoss([2. , 0.5])"
    assert repr(fb.HingeLoss(0.5)) == "HingeLoss(0.5)"
    assert repr(fb.CrossEntropyLoss(0.1)) == "CrossEntropyLoss(0.1)"


@for_each("loss", [*LOSSES, *VALUES_ONLY])
def test_subnormal_scores_are_as_good_as_zeros(backend, dtype, loss, rng):
    tiny = np.finfo(dtype).smallest_subnormal
    scores, target = tiny * rng.integers(-9, 10, (6, 4)).astype(dtype), rng.integers(0, 2, (6, 4))
    target = target if loss in VALUES_ONLY else target[:, 0]
    value, gradient = loss(scores, target)
    want = loss(np.zeros((6, 4), dtype), target)
    np.testing.assert_allclose(value, want[0], rtol=1e-6, atol=1e-30)
    if not isinstance(loss, fb.L1Loss):  # whose derivative jumps at 0
        np.testing.assert_allclose(gradient, want[1], rtol=1e-6, atol=1e-30)
