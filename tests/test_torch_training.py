"""Losses, their gradients and sixty steps of each optimiser are PyTorch's.

data/make_torch_losses.py and make_torch_rates.py wrote down what PyTorch computes, in float64.
"""

import json
from pathlib import Path

import numpy as np
from for_each import for_each

import fastbp as fb
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS

TORCH = json.loads((Path(__file__).parent / "data/torch_losses.json").read_text("utf-8"))
RATES = json.loads((Path(__file__).parent / "data/torch_rates.json").read_text("utf-8"))
NEAR = {"rtol": 1e-9, "atol": 1e-9}


def network():
    i, hidden, o = TORCH["sizes"]
    net = fb.Sequential(fb.Linear(i, hidden), fb.Tanh(), fb.Linear(hidden, o), dtype="float64")
    net.params[...] = TORCH["start"]
    return net


def trained(net, optimizer, fused):
    settings = {name: TORCH[name] for name in ("epochs", "batch_size", "seed")}
    data = np.array(TORCH["x"]), np.array(TORCH["y"])
    fb.fit(net, data, loss=fb.CrossEntropyLoss(), optimizer=optimizer, fused=fused, **settings)


@for_each("case", TORCH["losses"])
def test_losses_and_gradients(backend, case):
    loss = getattr(fb, case["name"])(**case["settings"])
    value, gradient = loss(case["scores"], case["target"])
    np.testing.assert_allclose(value, case["loss"], **NEAR)
    np.testing.assert_allclose(gradient, case["gradient"], **NEAR)


@for_each("fused", [True, False])
@for_each("case", TORCH["optimizers"])
def test_sixty_steps(backend, case, fused):
    net = network()
    trained(net, getattr(fb, case["name"])(**case["settings"]), fused)
    np.testing.assert_allclose(net.params, case["params"], **NEAR)


@for_each("fused", [True, False])
@for_each("case", RATES["optimizers"])
def test_sixty_steps_of_layers_with_their_own_rates(backend, case, fused):
    net = network()
    for layer, how in zip((net.layers[0], net.layers[2]), case["rates"], strict=True):
        layer.trainable, layer.lr_factor, layer.bias_lr_factor = how
    optimizer = getattr(fb, case["name"])(**case["settings"])
    trained(net, optimizer, fused)
    np.testing.assert_allclose(net.params, case["params"], **NEAR)


def test_all_of_them_are_compared():
    losses, optimizers = (
        {case["name"] for case in TORCH[what]} for what in ("losses", "optimizers")
    )
    assert losses == {kind.__name__ for kind in LOSSES.values()}
    assert optimizers == {kind.__name__ for kind in OPTIMIZERS.values()}
