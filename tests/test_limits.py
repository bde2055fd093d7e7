"""A penalty on weights and clipped gradients, layer by layer and on the engines: what PyTorch
computes (data/make_torch_limits.py), what they are by definition, and what is refused.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.engine.epochs import Engine
from fastbp.optimizers.limits import Limits

DATA = Path(__file__).parent / "data"
TORCH = json.loads((DATA / "torch_losses.json").read_text("utf-8"))
LIMITED = json.loads((DATA / "torch_limits.json").read_text("utf-8"))["limits"]


def network():
    i, hidden, o = TORCH["sizes"]
    net = fb.Sequential(fb.Linear(i, hidden), fb.Tanh(), fb.Linear(hidden, o), dtype="float64")
    net.params[...] = TORCH["start"]
    return net


def optimizer_of(case):
    settings = dict(case["settings"])
    if "eps" in settings:
        settings["epsilon"] = settings.pop("eps")
    return getattr(fb, case["optimizer"])(**settings)


def layered(net, x, y, limits, optimizer, orders, batch):
    """Each step's loss."""
    loss, losses = fb.CrossEntropyLoss(), []
    for order in orders:
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            value, gradient = loss.compute(net.forward(x[rows]), y[rows])
            losses.append(value + limits.penalty(net))
            net.backward(gradient)
            limits.apply(net)
            optimizer.step(net)
    return losses


def fused(net, x, y, limits, optimizer, orders, batch):
    samples = x, y, 1.0, fb.CrossEntropyLoss()
    engine = Engine(net, *samples, optimizer, batch, 1, limits=limits)
    return np.concatenate([engine.epoch(order, lambda steps, loss: False) for order in orders])


@pytest.mark.parametrize(
    ("backend_name", "way"), [("numpy", layered), ("cython", fused), ("numba", fused)]
)
@for_each("case", LIMITED)
def test_sixty_steps_are_pytorchs(backend_name, case, way):
    net, x, y = network(), np.array(TORCH["x"]), np.array(TORCH["y"])
    for layer, trained in zip(net.layers[::2], case["trained"], strict=True):
        layer.trainable = trained
    orders = [
        np.random.default_rng([TORCH["seed"], epoch]).permutation(len(x))
        for epoch in range(1, TORCH["epochs"] + 1)
    ]
    limits, optimizer = Limits(**case["limits"]), optimizer_of(case)
    with fb.use_backend(backend_name):
        losses = way(net, x, y, limits, optimizer, orders, TORCH["batch_size"])
    np.testing.assert_allclose(losses, case["losses"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(net.params, case["params"], rtol=1e-12, atol=1e-12)


# By definition


def test_the_gradient_is_that_of_the_loss_with_its_penalty(rng):
    """Central differences of what is reported, in every parameter."""
    net = fb.Sequential(
        fb.Conv2d(1, 2, 2), fb.BatchNorm2d(2), fb.Flatten(), fb.Linear(8, 3), fb.Scale(3),
        input_shape=(1, 3, 3), dtype="float64",
    )  # fmt: skip
    x, y, limits, loss = rng.normal(size=(5, 9)), np.arange(5) % 3, Limits(l2=0.3), fb.MSELoss()
    y = np.eye(3)[y]

    def reported():
        value, gradient = loss.compute(net.forward(x), y)
        return value + limits.penalty(net), gradient

    net.backward(reported()[1])
    limits.apply(net)
    gradient, step = net.grads.copy(), 1e-6
    for k in range(net.params.size):
        kept, found = net.params[k], []
        for net.params[k] in (kept + step, kept - step):
            found.append(reported()[0])
        net.params[k] = kept
        assert gradient[k] == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-5, abs=1e-8)


def graded(rng, dtype="float64"):
    net = fb.Sequential(fb.Linear(7, 5), fb.Tanh(), fb.Linear(5, 3), dtype=dtype)
    net.grads[...] = rng.normal(size=net.grads.size)
    return net, net.grads.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_clipped_as_numpy_clips_them(rng, dtype):
    net, before = graded(rng, dtype)
    net.grads[3] = math.nan
    Limits(clip_value=0.3).apply(net)
    wanted = np.clip(before, -0.3, 0.3).astype(dtype)
    wanted[3] = math.nan
    np.testing.assert_array_equal(net.grads, wanted)


def test_a_norm_is_that_of_all_that_is_trained(rng):
    net, before = graded(rng)
    net.layers[0].trainable = False
    Limits(clip_norm=0.5).apply(net)
    norm = math.sqrt(math.fsum(g * g for g in before[40:]))
    np.testing.assert_allclose(net.grads[40:], before[40:] * (0.5 / (norm + 1e-6)), rtol=1e-14)
    np.testing.assert_array_equal(net.grads[:40], before[:40])
    before = net.grads.copy()
    Limits(clip_norm=0.6).apply(net)  # which is not reached
    np.testing.assert_array_equal(net.grads, before)


def test_a_norm_that_is_nan_leaves_no_number(rng):
    net, _ = graded(rng)
    net.grads[0] = math.nan
    Limits(clip_norm=0.5).apply(net)
    assert np.isnan(net.grads).all()


def test_the_penalty_is_of_weights_alone():
    net = fb.Sequential(fb.Linear(2, 3), fb.LayerNorm(3), fb.Scale(3), fb.Linear(3, 2))
    net.params[...] = 2
    net.layers[0].trainable = False
    assert Limits(l2=0.5).penalty(net) == 0.25 * 4 * 12
    assert Limits(clip_norm=1.0).penalty(net) == 0
    net.grads[...] = 0
    Limits(l2=0.5).apply(net)
    assert (np.flatnonzero(net.grads) == np.arange(18, 24)).all()


def test_none_is_none():
    assert not Limits()
    assert all([Limits(l2=1e-4), Limits(clip_value=1), Limits(clip_norm=1)])


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"l2": -1}, ValueError, "l2: expected at least 0, got -1"),
        ({"l2": math.nan}, ValueError, "l2: expected a finite number, got nan"),
        ({"l2": None}, TypeError, "l2: expected a number, got None"),
        ({"clip_value": 0}, ValueError, "clip_value: expected a number above 0, got 0"),
        ({"clip_norm": -2.0}, ValueError, "clip_norm: expected a number above 0, got -2.0"),
        ({"clip_norm": math.inf}, ValueError, "clip_norm: expected a finite number, got inf"),
        ({"clip_norm": "1"}, TypeError, "clip_norm: expected a number, got '1'"),
        ({"clip_norm": True}, TypeError, "clip_norm: expected a number, got True"),
        (
            {"clip_norm": 1, "clip_value": 0.5},
            ValueError,
            "clip_value and clip_norm: expected one of them, got 0.5 and 1",
        ),
    ],
)
def test_what_is_no_limit_is_refused(settings, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        Limits(**settings)
