"""Buffers: numbers of a model that no optimiser moves, in the third flat vector of a network."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb


class Highest(fb.layers.Layer):
    """A layer of one's own: Y = X, and the largest number so far of each column."""

    def parameter_shapes(self):
        return {"s": (3,)}

    def buffer_shapes(self):
        return {"top": (3,), "seen": (1, 1)}

    def initialize(self, rng, default):
        self.top = np.full(3, -100)

    def forward(self, x):
        x = self._input(x, (3,))
        if self.training:
            self.top = np.maximum(self.top, x.max(axis=0))
            self.seen += len(x)
        return self._output(x, x + self.s)

    def backward(self, dy):
        self.ds = dy.sum(axis=0)
        return dy


def network(dtype="float32"):
    return fb.Sequential(fb.Linear(2, 3, init="normal"), Highest(), Highest(), dtype=dtype)


def every_copy(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    yield net.copy()
    yield copy.deepcopy(net)
    yield pickle.loads(pickle.dumps(net))
    yield fb.load(tmp_path / "net.safetensors", layers=[Highest])
    yield net.astype("float64")
    yield net.frozen()


def test_buffers_are_views_of_one_vector(dtype):
    net = network(dtype)
    assert net.buffers.dtype == dtype
    assert net.params.size == net.grads.size == 9 + 6
    assert net.buffers.tolist() == [-100, -100, -100, 0] * 2
    net.forward(np.ones((5, 2)))
    assert net.layers[2].seen == 5
    net.buffers[5] = 7
    assert net.layers[2].top[1] == 7
    net.layers[1].top = [1, 2, 3]  # copied in
    assert net.buffers[:3].tolist() == [1, 2, 3]
    net.buffers = np.arange(8)
    assert net.layers[2].top.tolist() == [4, 5, 6]
    assert "8 numbers in buffers" in str(net)
    assert "buffers" not in str(fb.Sequential(fb.Linear(2, 3)))


def test_copies_have_buffers_of_their_own(dtype, tmp_path):
    net = network(dtype)
    net.buffers = np.arange(8) / 3
    for other in every_copy(net, tmp_path):
        np.testing.assert_array_equal(other.buffers, net.buffers)
        assert not np.shares_memory(other.buffers, net.buffers)
        assert np.shares_memory(other.buffers, other.layers[1].top)


def test_no_optimiser_moves_buffers(rng):
    net = network()
    fb.fit(
        net,
        (rng.normal(size=(20, 2)), rng.integers(3, size=20)),
        loss=fb.CrossEntropyLoss(),
        optimizer=fb.AdamW(0.1, weight_decay=0.5),
        epochs=3,
    )
    assert net.layers[1].seen == net.layers[2].seen == 60
    assert np.array_equal(net.layers[1].top, net.layers[1].top.astype("f4"))


def test_other_shapes_dtypes_and_names_are_refused():
    net = network()
    for name, shape in {"top": (3,), "seen": (1, 1)}.items():
        for wrong in ((1,), (*shape, 1), shape[:-1]):
            with pytest.raises(ValueError, match=rf"layer 1, Highest\(\)\.{name}: expected shape"):
                setattr(net.layers[1], name, np.ones(wrong))
        with pytest.raises(TypeError, match="real numbers"):
            setattr(net.layers[1], name, np.ones(shape, complex))
        with pytest.raises(AttributeError, match="stays"):
            delattr(net.layers[1], name)
    with pytest.raises(ValueError, match=r"Sequential\.buffers: expected shape"):
        net.buffers = np.zeros(3)
    net.layers[1].top.shape = (3, 1)
    with pytest.raises(ValueError, match=r"layer 1, Highest\(\).top: expected float32 \(3,\)"):
        net.forward(np.ones((1, 2)))


def test_names_must_differ():
    class Twice(Highest):
        def buffer_shapes(self):
            return {"ds": (3,)}

    with pytest.raises(ValueError, match="share the name 'ds'"):
        fb.Sequential(Twice())


def test_a_frozen_network_keeps_its_buffers():
    frozen = network().frozen()
    with pytest.raises(ValueError, match=r"top: it is read-only.* frozen .*net\.copy\(\)"):
        frozen.layers[1].top = np.zeros(3)
    with pytest.raises(ValueError, match=r"buffers: it is read-only"):
        frozen.buffers = np.zeros(8)
    with pytest.raises(ValueError, match="read-only"):
        frozen.buffers[0] = 1


def test_a_file_without_a_buffer_is_refused_and_odd_numbers_are_told(tmp_path):
    class Plain(Highest):
        def buffer_shapes(self):
            return {}

    Plain.__name__ = "Highest"
    net, path = network(), tmp_path / "net.safetensors"
    net.buffers[3] = np.inf
    net.save(path)
    with pytest.raises(ValueError, match=r"tensors do not fit its architecture \(1\.seen, 1\.top"):
        fb.load(path, layers=[Plain])
    with pytest.warns(RuntimeWarning, match="1 of 8 numbers in buffers are NaN or infinite"):
        fb.load(path, layers=[Highest])


def test_a_layer_alone_needs_its_buffers():
    layer = Highest()
    layer.s, layer.top, layer.seen = np.zeros(3), np.zeros(3), np.zeros((1, 1))
    assert (layer.forward(np.ones((2, 3))) == 1).all()
    del layer.top
    with pytest.raises(RuntimeError, match="put it into a Sequential"):
        layer.forward(np.ones((2, 3)))
