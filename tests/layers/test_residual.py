"""Residual: y = x + layers(x), by its definition, by hand and by finite differences."""

import copy

import numpy as np
import pytest

import fastbp as fb
from fastbp.layers.nesting import named_layers


def block(columns=5):
    return fb.Residual(fb.Linear(columns, columns), fb.Tanh(), fb.Linear(columns, columns))


def nested(**settings):
    """Rows, with a Residual inside another, and dropout."""
    return fb.Sequential(
        fb.Linear(3, 5),
        fb.Residual(fb.Linear(5, 5), fb.Residual(fb.ELU(), fb.Linear(5, 5)), fb.Dropout(0.3)),
        fb.Residual(fb.Sigmoid()),
        fb.Linear(5, 2),
        **settings,
    )


def on_images(**settings):
    return fb.Sequential(
        fb.Conv2d(1, 4, 3, padding=1),
        fb.Residual(fb.ReLU(), fb.Conv2d(4, 4, 3, padding=1), fb.Residual(fb.MaxPool2d(3, 1, 1))),
        fb.Flatten(),
        fb.Residual(fb.Linear(120, 120)),
        fb.Linear(120, 3),
        input_shape=(1, 6, 5),
        **settings,
    )


def test_the_sum_of_what_goes_in_and_what_comes_out(backend, dtype, rng):
    net = fb.Sequential(block(), dtype=dtype, seed=1)
    first, _, last = net.layers[0].layers
    x = rng.normal(size=(7, 5)).astype(dtype)
    inner = np.tanh(x @ first.w + first.b)
    want = x + inner @ last.w + last.b
    np.testing.assert_allclose(net.forward(x), want, rtol=0, atol=20 * np.finfo(dtype).eps)
    dy = rng.normal(size=(7, 5)).astype(dtype)
    dx = net.backward(dy, input_gradient=True)
    want = dy + (dy @ last.w.T * (1 - inner**2)) @ first.w.T
    np.testing.assert_allclose(dx, want, rtol=0, atol=40 * np.finfo(dtype).eps)
    np.testing.assert_allclose(last.db, dy.sum(axis=0), rtol=0, atol=40 * np.finfo(dtype).eps)


def test_by_hand(backend):
    net = fb.Sequential(fb.Residual(fb.Linear(2, 2)), dtype="float64")
    inner = net.layers[0].layers[0]
    inner.w, inner.b = [[1.0, 2.0], [3.0, 4.0]], [10.0, 20.0]
    assert net.forward(np.array([[1.0, -1.0]])).tolist() == [[9.0, 17.0]]  # 1 + 8, -1 + 18
    dx = net.backward(np.array([[1.0, 10.0]]), input_gradient=True)
    assert dx.tolist() == [[1 + 21.0, 10 + 43.0]]
    assert inner.dw.tolist() == [[1.0, 10.0], [-1.0, -10.0]]
    assert inner.db.tolist() == [1.0, 10.0]


@pytest.mark.parametrize("make", [nested, on_images])
def test_gradients_hold(backend, make, rng):
    net = make(dtype="float64", seed=2, init="glorot")
    x = rng.normal(size=(4, net.inputs))
    check = fb.gradcheck(net, fb.CrossEntropyLoss(), x, np.array([0, 1, 1, 0]))
    assert check, str(check)
    assert {tensor.name for tensor in check.tensors} > {"1.0.w", "1.0.b"} or make is on_images


def test_parameters_have_paths_for_names():
    net = nested()
    names = [name for name, _ in named_layers(net.layers)]
    assert names == ["0", "1", "1.0", "1.1", "1.1.0", "1.1.1", "1.2", "2", "2.0", "3"]
    inside = net.layers[1].layers[1].layers[1]
    inside.w[...] = 7
    assert (net.params[20 + 30 + 0 : 20 + 30 + 25] == 7).all()
    with pytest.raises(ValueError, match=r"layer 1\.1\.1, Linear\(5, 5\)\.w: expected shape"):
        inside.w = np.zeros(3)


def test_training_mode_reaches_the_layers_inside(rng):
    net, x = nested(), rng.normal(size=(50, 3))
    dropout = net.layers[1].layers[2]
    net.eval()
    assert not net.training
    assert not dropout.training
    in_use = net.forward(x)
    assert (net.train().forward(x) != in_use).any()
    assert dropout.training
    np.testing.assert_array_equal(net.scores(x), in_use)  # which takes no notice of the mode
    assert dropout.training


def test_scores_leave_nothing_behind(backend, rng):
    net, x = nested(), rng.normal(size=(3, 3))
    inside = net.layers[1].layers[0]
    net.forward(x)
    kept = inside.x
    net.scores(x + 1)
    np.testing.assert_array_equal(inside.x, kept)


def test_copies_share_nothing():
    net = nested(seed=3)
    for other in (net.copy(), copy.deepcopy(net), net.astype("float64").astype("float32")):
        assert repr(other) == repr(net)
        assert (other.params == net.params).all()
        inside = other.layers[1].layers[0]
        assert inside is not net.layers[1].layers[0]
        inside.w += 1
        assert (other.params != net.params).sum() == 25
        assert inside.dtype == other.dtype == "float32"
    with pytest.raises(ValueError, match="read-only"):
        net.frozen().layers[1].layers[0].w[...] = 0


@pytest.mark.parametrize("make", [nested, on_images])
def test_files_hold_what_is_inside(tmp_path, make, rng):
    net = make(seed=4)
    for _, layer in named_layers(net.layers):
        if isinstance(layer, fb.Dropout):
            layer.step = 17
    net.save(tmp_path / "net.safetensors")
    other = fb.load(tmp_path / "net.safetensors")
    assert repr(other) == repr(net)
    assert (other.params == net.params).all()
    x = rng.normal(size=(5, net.inputs))
    np.testing.assert_array_equal(other.train().forward(x), net.train().forward(x))  # one mask


def test_summary_indents_what_is_inside():
    lines = str(nested()).splitlines()
    assert [line.split("  (n")[0].rstrip() for line in lines[2:-2]] == [
        "Linear(3, 5)",
        "Residual",
        "  Linear(5, 5)",
        "  Residual",
        "    ELU(1.0)",
        "    Linear(5, 5)",
        f"  {nested().layers[1].layers[2]!r}",
        "Residual",
        "  Sigmoid()",
        "Linear(5, 2)",
    ]
    assert lines[-1].startswith("92 parameters")
    assert repr(block(3)) == "Residual(Linear(3, 3), Tanh(), Linear(3, 3))"


def test_inputs_are_those_of_the_first_layer_that_names_them():
    assert fb.Sequential(fb.Residual(fb.Tanh(), fb.Linear(4, 4)), fb.Tanh()).inputs == 4
    assert fb.Sequential(fb.Residual(fb.Tanh()), fb.Linear(6, 4)).inputs == 6
    assert fb.Sequential(fb.Residual(fb.Tanh())).inputs is None


LINEAR, NESTED = fb.Linear(4, 4), nested()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fb.Residual(), ValueError, "Residual: expected at least one layer"),
        (lambda: fb.Residual(3), TypeError, r"Residual: expected layers, fb.Residual\(fb.Linear"),
        (
            lambda: fb.Sequential(fb.Linear(2, 4), fb.Residual(fb.Linear(4, 3))),
            ValueError,
            r"Sequential, layer 1: Residual\(Linear\(4, 3\)\): expected layers that put out the "
            r"shape that comes in, \(4,\), for both are added; they put out \(3,\)",
        ),
        (
            lambda: fb.Sequential(fb.Residual(fb.Linear(4, 3))),
            ValueError,
            r"comes in, \(4,\), for both are added; they put out \(3,\)",
        ),
        (
            lambda: fb.Sequential(fb.Linear(2, 4), fb.Residual(fb.Tanh(), fb.Linear(3, 4))),
            ValueError,
            r"Residual\(Tanh\(\), Linear\(3, 4\)\), layer 1: .* takes 3 columns, but 4 come in",
        ),
        (
            lambda: fb.Sequential(fb.Residual(fb.Conv2d(1, 1, 3)), input_shape=(1, 5, 5)),
            ValueError,
            r"\(1, 5, 5\), for both are added; they put out \(1, 3, 3\)",
        ),
        (
            lambda: fb.Sequential(fb.Residual(fb.Flatten()), input_shape=(1, 5, 5)),
            ValueError,
            r"they put out \(25,\)",
        ),
        (
            lambda: fb.Sequential(fb.Residual(LINEAR), fb.Residual(LINEAR)),
            ValueError,
            r"Linear\(4, 4\) at position 1\.0 is used twice",
        ),
        (
            lambda: fb.Sequential(*NESTED.layers[1].layers[:1]),
            ValueError,
            "is part of another network",
        ),
        (
            lambda: fb.Sequential(fb.Residual(NESTED.layers[0])),
            ValueError,
            r"at position 0\.0 is part of another network",
        ),
    ],
)  # fmt: skip
def test_what_is_no_residual_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_layers_inside_stay():
    net = fb.Sequential(block())
    for name in ("layers", "_layers"):
        with pytest.raises(AttributeError):
            setattr(net.layers[0], name, ())


class Wider(fb.Layer):
    """Puts out what it says that it does not."""

    def forward(self, x):
        return np.repeat(x, 2, axis=1)


def test_a_layer_that_puts_out_another_shape_than_it_says():
    net = fb.Sequential(fb.Linear(2, 3), fb.Residual(Wider()))
    message = r"Residual\(Wider\(\)\): its layers: expected 3 columns, got \(4, 6\)"
    with pytest.raises(ValueError, match=message):
        net.forward(np.ones((4, 2)))


def test_memory_is_that_of_all_layers_inside():
    wide = fb.Residual(fb.Linear(10, 1000), fb.Linear(1000, 10))
    assert wide.numbers_inside((10,)) == 1020
    net = fb.Sequential(fb.Linear(5, 10), wide, input_shape=(5,))
    assert net.sample_bytes == 4 * (5 + 10 + 1020)
    with pytest.raises(ValueError, match="one sample takes"):
        fb.Sequential(block(), input_shape=(5,), most_bytes=60)
