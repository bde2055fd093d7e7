"""Layers that are frozen, or have a rate of their own: what is set goes where the layer goes."""

import copy
import json
import pickle

import numpy as np
import pytest
from safetensors import safe_open

import fastbp as fb
from fastbp import models

X, Y = np.random.default_rng(0).normal(size=(30, 5)), np.arange(30) % 3


def network(dtype="float64"):
    net = fb.Sequential(
        fb.Linear(5, 4),
        fb.Residual(fb.Dropout(0.3), fb.Linear(4, 4), fb.Tanh()),
        fb.Linear(4, 3),
        dtype=dtype,
    )
    net.layers[0].trainable = False
    net.layers[1].layers[1].lr_factor = 0.5
    net.layers[2].bias_lr_factor = 3
    return net


def how(net):
    return [layer.rule for layer in net.layers]


def loaded(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    return fb.load(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "again",
    [
        lambda net, _: net.copy(),
        lambda net, _: copy.deepcopy(net),
        lambda net, _: net.astype("float32"),
        lambda net, _: net.frozen(),
        lambda net, _: pickle.loads(pickle.dumps(net)),
        loaded,
    ],
)
def test_it_is_copied_and_saved(again, tmp_path):
    net = network()
    other = again(net, tmp_path)
    assert how(other) == how(net)
    assert not other.layers[0].trainable
    assert other.layers[1].layers[1].lr_factor == 0.5
    assert other.layers[2].bias_lr_factor == 3


def test_a_file_says_it_only_of_layers_that_have_it_set(tmp_path):
    network().save(tmp_path / "net.safetensors")
    with safe_open(tmp_path / "net.safetensors", "numpy") as file:
        rows = json.loads(file.metadata()["architecture"])
    named = {"trainable", "lr_factor", "bias_lr_factor"}
    assert [named & set(row) for row in rows] == [{"trainable"}, set(), {"bias_lr_factor"}]
    assert named & set(rows[1]["layers"][1]) == {"lr_factor"}


TOML = """
[network]
layers = [
    {type = "Linear", outputs = 4, trainable = false},
    {type = "Residual", layers = [{type = "Linear", lr_factor = 0.5}], bias_lr_factor = 2},
    {type = "Linear"},
]
"""


def test_a_models_file_may_say_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    net = models.read(str(path)).build(5, 3)
    inside = net.layers[1].layers[0]
    assert [layer.trainable for layer in net.layers] == [False, True, True]
    assert (inside.lr_factor, inside.bias_lr_factor) == (0.5, 2)
    for wrong, text in (
        ("trainable = 0", "layer 1: Linear trainable: expected True or False, got 0"),
        ("trainable = false, lr_factor = -1", "layer 1: Linear lr_factor: expected at least 0"),
    ):
        path.write_text(TOML.replace("trainable = false", wrong))
        with pytest.raises((TypeError, ValueError), match=f"mine.toml: {text}"):
            models.read(str(path)).build(5, 3)


def test_what_is_set_on_a_layer_made_of_others_is_set_inside():
    net = network()
    net.layers[1].trainable = False
    assert [layer.trainable for layer in net.layers[1].layers] == [False] * 3
    net.layers[1].layers[1].trainable = True  # and may be set again
    net.layers[1].layers[1].lr_factor = 1
    before = net.params.copy()
    fb.fit(net, (X, Y), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.1), epochs=1)
    moved = net.params != before
    inside = slice(24, 24 + 20)
    assert moved[inside].all()
    assert not moved[:24].any()


class Wall(fb.Layer):
    """A layer that no gradient may reach."""

    def forward(self, x):
        return self._output(None, self._input(x))

    def backward(self, dy):
        raise AssertionError("backward went too far")


@pytest.mark.parametrize("inside", [False, True])
def test_no_gradient_goes_below_the_lowest_layer_that_is_trained(backend, inside):
    parts = fb.Linear(5, 5), Wall(), fb.Linear(5, 5)
    net = fb.Sequential(*((fb.Residual(*parts),) if inside else parts), fb.Linear(5, 3))
    parts[0].trainable = False
    before = net.params.copy()
    history = fb.fit(net, (X, Y), loss=fb.CrossEntropyLoss(), optimizer=fb.Adam(), epochs=1)
    assert "layered" in history.path
    assert np.array_equal(net.params[:30], before[:30])
    assert (net.params[30:] != before[30:]).any()


def test_dropout_below_it_has_another_mask_in_each_step(backend):
    """As the engine, which counts them too: see test_engine_frozen."""
    net = fb.Sequential(fb.Linear(5, 4), fb.Dropout(0.5), fb.Linear(4, 3))
    net.layers[0].trainable = False
    for fused in (False, True):
        before = net.layers[1].step
        how = {"epochs": 1, "batch_size": 10, "fused": fused}
        fb.fit(net, (X, Y), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), **how)
        assert net.layers[1].step == before + 3


def test_gradients_by_hand_are_those_of_all_layers(backend):
    """backward with input_gradient computes them, and gradcheck compares them."""
    net = network()
    net.eval()
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), X, Y)
    assert check
    assert {tensor.name for tensor in check.tensors} >= {"0.w", "1.1.w", "2.b"}


def test_a_step_by_hand_moves_what_is_trained(backend):
    net = network()
    net.grads[...] = 1
    before = net.params.copy()
    fb.SGD(lr=0.5).step(net)
    expected = np.r_[np.zeros(24), np.full(20, 0.25), np.full(12, 0.5), np.full(3, 1.5)]
    np.testing.assert_allclose(before - net.params, expected, rtol=1e-12, atol=1e-15)
