"""Networks by the names of their parts."""

import numpy as np
import pytest

import fastbp as fb
from fastbp.dense import ACTIVATIONS, LOSSES, dense_layers, dense_network


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_between_all_layers_but_none_on_the_scores(name):
    layers = dense_layers([9, 5, 4, 3], name, "hinge")
    kinds = [type(layer) for layer in layers]
    assert kinds == [fb.Linear, ACTIVATIONS[name], fb.Linear, ACTIVATIONS[name], fb.Linear]
    sizes = [(layer.inputs, layer.outputs) for layer in layers[::2]]
    assert sizes == [(9, 5), (5, 4), (4, 3)]


@pytest.mark.parametrize("loss", LOSSES)
def test_only_nll_wants_log_probabilities(loss):
    last = dense_layers([4, 2], "tanh", loss)[-1]
    assert isinstance(last, fb.LogSoftmax) == (LOSSES[loss] is fb.NLLLoss)


def test_a_network_is_its_layers_and_options():
    net = dense_network([4, 3, 2], "elu", "hinge", init="glorot", seed=5, dtype="float64")
    twin = fb.Sequential(
        fb.Linear(4, 3), fb.ELU(), fb.Linear(3, 2), init="glorot", seed=5, dtype="float64"
    )
    assert np.array_equal(net.params, twin.params)
    assert net.dtype == np.float64
