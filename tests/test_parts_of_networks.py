"""A network as a row of layers, parts of it, layers that go from one to another, single samples."""

import copy
import gc

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb


def network(**options):
    """With buffers, a layer that has a state, and one inside another."""
    return fb.Sequential(
        fb.Standardize([1.0, 2, 3, 4], [2.0, 2, 2, 2]),
        fb.Linear(4, 5),
        fb.Residual(fb.Linear(5, 5), fb.Tanh()),
        fb.Dropout(0.5),
        fb.Linear(5, 3),
        **{"seed": 3} | options,
    )


def images():
    layers = fb.Conv2d(1, 2, 3), fb.ReLU(), fb.MaxPool2d(2), fb.Flatten(), fb.Linear(8, 3)
    return fb.Sequential(*layers, input_shape=(1, 6, 6))


def test_a_network_is_a_row_of_its_layers():
    net = network()
    assert len(net) == 5
    assert [*net] == [*net.layers]
    assert net[0] is net.layers[0]
    assert net[-1] is net.layers[-1]
    assert net[np.int64(1)] is net.layers[1]
    assert bool(net)
    with pytest.raises(IndexError):
        net[5]
    with pytest.raises(TypeError):
        net["0"]


@for_each(
    ("places", "columns"),
    [
        (slice(3), 4),
        (slice(1, None), 4),
        (slice(-3, -1), 5),
        (slice(1), 4),
        (slice(9), 4),
        (slice(2, None, 2), 5),
    ],
)
def test_a_slice_is_a_network_of_copies(backend, dtype, places, columns, rng):
    net, x = network(dtype=dtype), rng.normal(size=(6, columns))
    net.forward(rng.normal(size=(6, 4)))
    net.backward(np.ones((6, 3)))
    part = net[places]
    assert type(part) is fb.Sequential
    assert part.dtype == dtype
    assert list(map(repr, part)) == list(map(repr, net.layers[places]))
    expected = np.array(x, dtype)
    for layer in net.eval().layers[places]:
        expected = layer.forward(expected)
    assert np.array_equal(part.eval().forward(x), expected)
    assert not np.shares_memory(part.params, net.params)
    before = net.params.copy()
    part.params[...] = 7
    assert np.array_equal(net.params, before)
    assert not part.grads.any()


def test_a_slice_keeps_states_and_how_layers_are_trained():
    net = network()
    net.layers[3].step, net.layers[1].trainable = 17, False
    net.layers[1].lr_factor = 0.5
    part = net[1:4]
    assert part[2].step == 17
    assert part[2].seed == net[3].seed
    assert (part[0].trainable, part[0].lr_factor) == (False, 0.5)


def test_a_slice_means_what_the_network_does_if_it_ends_with_it():
    net = network()
    net.meaning = "values"
    assert net[1:].meaning == "values"
    assert net[:3].meaning is None
    assert repr(net[:]) == repr(net.copy())
    assert np.array_equal(net[:].params, net.params)


def test_a_slice_of_images_begins_with_what_comes_in_there(backend, rng):
    net, x = images(), rng.random((3, 1, 6, 6))
    inside = net[:2].scores(x)
    assert inside.shape == (3, 2, 4, 4)
    assert net[2:].input_shape == (2, 4, 4)
    np.testing.assert_allclose(net[2:].scores(inside), net.scores(x), rtol=1e-6)
    assert net[3:].input_shape == (2, 2, 2)
    assert net[4:].inputs == 8


def test_a_slice_that_is_no_network_is_refused():
    with pytest.raises(ValueError, match="expected at least one layer"):
        network()[5:]
    with pytest.raises(ValueError, match=r"Linear\(5, 5\) takes 5 columns, but 3 come in"):
        network()[::-1]


def test_a_slice_of_a_subclass_is_one():
    class Net(fb.Sequential):
        pass

    assert type(Net(fb.Linear(2, 3), fb.Tanh())[:1]) is Net


# From one network to another


@for_each(
    "layers",
    [
        lambda net: net.copy().layers[:3],
        lambda net: net[:3],
        lambda net: [*net[:3]],
        lambda net: [copy.deepcopy(layer) for layer in net.layers[:3]],
        lambda net: [copy.copy(layer) for layer in net.copy().layers[:3]],
        lambda net: net.frozen().layers[:3],
    ],
)
def test_layers_go_on_in_another_network_with_their_numbers(backend, layers, rng):
    net, x = network(), rng.normal(size=(4, 4))
    before = net.params.copy()
    other = fb.Sequential(*layers(net), fb.Linear(5, 2), dtype="float64", seed=9)
    gc.collect()
    assert other.dtype == np.float64
    for old, new in zip(net.layers[:3], other.layers[:3], strict=True):
        assert new.dtype == np.float64
        assert new is not old
    assert np.array_equal(other.params[:55], net.params[:55])
    assert np.array_equal(other.buffers, net.buffers)
    np.testing.assert_allclose(other[:3].scores(x), net[:3].astype("float64").scores(x), rtol=1e-14)
    labels = [0, 1, 0, 1]
    fb.fit(other, (x, labels), loss=fb.CrossEntropyLoss(), optimizer=fb.SGD(0.5), epochs=2)
    assert (other.params[:55] != before[:55]).all()
    assert np.array_equal(net.params, before)


def test_layers_that_a_network_has_are_refused():
    net = network()
    with pytest.raises(
        ValueError,
        match=r"Linear\(4, 5\) at position 0 is part of another network; make a new layer, or ta",
    ):
        fb.Sequential(*net.layers[1:])
    with pytest.raises(ValueError, match=r"at position 1\.0 is part of another network"):
        fb.Sequential(fb.Linear(2, 5), fb.Residual(net.layers[2].layers[0]))
    part = net[1:]
    with pytest.raises(ValueError, match="is part of another network"):
        fb.Sequential(*part)


def test_a_network_that_was_refused_does_not_keep_its_layers():
    layer = fb.Linear(3, 4)
    with pytest.raises(ValueError, match="takes 5 columns"):
        fb.Sequential(layer, fb.Linear(5, 2))
    assert fb.Sequential(layer, fb.Linear(4, 2))[0] is layer


def test_new_layers_start_as_ever():
    alone = fb.Sequential(fb.Linear(5, 2), seed=9)
    other = fb.Sequential(*network()[:3], fb.Linear(5, 2), seed=9)
    assert np.array_equal(other[3].w, alone[0].w)


def test_layers_as_a_list(backend):
    made = fb.Sequential([fb.Linear(4, 3), fb.Residual([fb.Linear(3, 3), fb.Tanh()])], seed=1)
    like = fb.Sequential(fb.Linear(4, 3), fb.Residual(fb.Linear(3, 3), fb.Tanh()), seed=1)
    assert repr(made) == repr(like)
    assert np.array_equal(made.params, like.params)
    assert len(fb.Sequential((fb.Tanh(), fb.ReLU()))) == 2


# Samples


@for_each("make", [network, images])
@for_each("meaning", ["classes", "labels", "values"])
def test_a_single_sample_gives_its_own(backend, dtype, make, meaning, rng):
    net = make().astype(dtype)
    net.meaning = meaning
    x = rng.normal(size=(5, *(net.input_shape or (4,)))).astype(dtype)
    ones = [x[2], x[2].tolist(), x[2].astype("f8")] + [x[2].ravel()] * (make is images)
    for one in ones:
        assert net.scores(one).shape == net(one).shape == (3,)
        np.testing.assert_allclose(net.scores(one), net.scores(x[2:3])[0], rtol=1e-5)
        np.testing.assert_allclose(net.predict(one), net.predict(x[2:3])[0], rtol=1e-5)
        if meaning != "values":
            np.testing.assert_allclose(
                net.predict_proba(one), net.predict_proba(x[2:3])[0], rtol=1e-5
            )
    if meaning == "classes":
        assert type(net.predict(x[2])) is np.int64


def test_a_network_is_called_as_scores(backend, rng):
    net, x = network(), rng.normal(size=(700, 4))
    assert np.array_equal(net(x), net.scores(x))
    with pytest.raises(RuntimeError, match="call forward before backward; scores keeps nothing"):
        net.backward(net(x))


def test_a_sample_of_another_size_is_refused():
    text = r"one sample a row; got shape \(5,\); a single sample has 4 numbers$"
    with pytest.raises(ValueError, match=text):
        network().predict(np.zeros(5))
    with pytest.raises(ValueError, match=r"got shape \(4,\); write x\[None\] for a single sample$"):
        network().forward(np.zeros(4))
    column = fb.Sequential(fb.Linear(1, 2))
    with pytest.raises(ValueError, match=r"got shape \(3,\); write x\[:, None\] for one column$"):
        column.predict(np.zeros(3))
    assert column.predict_proba(np.zeros(1)).shape == (2,)
    with pytest.raises(ValueError, match=r"expected images \(1, 6, 6\), or rows .* \(1, 6, 5\)"):
        images().predict(np.zeros((1, 6, 5)))


# What stands above networks, as their methods


def test_fit_evaluate_and_score_are_the_functions(backend, rng):
    x, y = rng.normal(size=(60, 4)), rng.integers(3, size=60)
    how = {"loss": fb.CrossEntropyLoss(), "epochs": 2, "batch_size": 8}
    one, two = network(), network()
    history = one.fit(x, y, optimizer=fb.Adam(), **how)
    assert history["train_loss"] == fb.fit(two, (x, y), optimizer=fb.Adam(), **how)["train_loss"]
    assert np.array_equal(one.params, two.params)
    found = fb.evaluate(one, (x, y), fb.CrossEntropyLoss())
    assert one.evaluate(x, y, loss=fb.CrossEntropyLoss()) == found
    assert one.evaluate((x, y)).accuracy == found.accuracy
    assert one.score(x, y) == found.accuracy == np.mean(one.predict(x) == y)
    data = fb.datasets.Dataset(x, y)
    assert one.score(data) == pytest.approx(found.accuracy)
    one.fit(data, optimizer=fb.Adam(), **how)


def test_the_score_of_values_is_r2(rng):
    x, y = rng.normal(size=(40, 4)), rng.normal(size=40)
    net = fb.Sequential(fb.Linear(4, 1))
    net.fit(x, y, loss=fb.MSELoss(), optimizer=fb.SGD(0.1), epochs=5)
    p = net.predict(x).astype(float)
    assert net.score(x, y) == pytest.approx(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def test_a_class_loads_as_load_does(tmp_path):
    net = network()
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(fb.Sequential.load(tmp_path / "net.safetensors").params, net.params)


@pytest.mark.parametrize("name", ["trainable", "requires_grad"])
def test_what_is_said_of_layers_is_not_said_of_networks(name):
    with pytest.raises(AttributeError, match=f"{name!r}: write for layer in net: layer.trainable"):
        setattr(network(), name, False)
