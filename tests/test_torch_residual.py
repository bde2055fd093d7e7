"""Networks with Residuals are PyTorch's: scores, gradients, and sixty steps of Adam.

data/make_torch_residual.py wrote down what PyTorch computes, in float64.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp.layers import BUILT_IN
from fastbp.layers.data import from_data

TORCH = json.loads((Path(__file__).parent / "data/torch_residual.json").read_text("utf-8"))
NEAR = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(params=TORCH["cases"])
def case(request):
    return TORCH["cases"][request.param]


def network(case):
    layers = (from_data(row, BUILT_IN) for row in case["layers"])
    net = fb.Sequential(*layers, input_shape=case["shape"], dtype="float64")
    net.params = case["start"]
    return net


def test_scores_and_gradients(backend, case):
    net = network(case)
    x, y = np.array(case["x"]), np.array(case["y"])
    np.testing.assert_allclose(net.forward(x), case["scores"], **NEAR)
    _, gradient = fb.CrossEntropyLoss()(net.forward(x), y)
    dx = net.backward(gradient, input_gradient=True)
    np.testing.assert_allclose(dx, case["dx"], **NEAR)
    np.testing.assert_allclose(net.grads, case["grads"], **NEAR)


@pytest.mark.parametrize("fused", [True, False])
def test_sixty_steps(backend, case, fused):
    net, adam = network(case), fb.Adam(0.02, epsilon=1e-6)
    data, loss = (np.array(case["x"]), np.array(case["y"])), fb.CrossEntropyLoss()
    history = fb.fit(net, data, loss=loss, optimizer=adam, fused=fused, **TORCH["fit"])
    assert history.path.endswith("fused") == (fused and backend != "numpy")
    np.testing.assert_allclose(net.params, case["params"], **NEAR)
