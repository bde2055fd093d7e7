"""There is one set of parameters, whichever way it is reached or replaced."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb

DENSE = {"w": (5, 4), "b": (4,), "dw": (5, 4), "db": (4,)}
CONVOLUTION = {"w": (3, 2, 3, 3), "b": (3,), "dw": (3, 2, 3, 3), "db": (3,)}


class Scale(fb.layers.Layer):
    """A layer of one's own: Y = s·X, a column each."""

    def parameter_shapes(self):
        return {"s": (4,)}

    def initialize(self, rng, default):
        self.s = np.ones(4)

    def forward(self, x):
        self.x = self._input(x)
        self.y = self.x * self.s
        return self.y

    def backward(self, dy):
        self.ds = (dy * self.x).sum(axis=0)  # assigned, not written into: the same
        return dy * self.s


def dense(dtype="float32"):
    return fb.Sequential(fb.Linear(5, 4), fb.Tanh(), Scale(), fb.Linear(4, 4), dtype=dtype)


def images(dtype="float32"):
    return fb.Sequential(
        fb.Conv2d(2, 3, 3),
        fb.ReLU(),
        fb.Flatten(),
        fb.Linear(48, 4),
        input_shape=(2, 6, 6),
        dtype=dtype,
    )


def every_way(net, x, tmp_path):
    """What the network makes of some samples, each way there is; the first ones only of some."""
    net.save(tmp_path / "net.safetensors")
    many = np.tile(x, (300, 1))
    yield net.forward(x)
    yield net.scores(x)
    yield net.scores(many)
    yield net.scores(x[:1])
    yield net.frozen().scores(x[:1])
    yield net.copy().forward(x)
    yield copy.deepcopy(net).forward(x)
    yield pickle.loads(pickle.dumps(net)).forward(x)
    yield fb.load(tmp_path / "net.safetensors", layers=[Scale]).forward(x)
    yield net.astype("float64").forward(x)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("make", [dense, images])
def test_what_is_assigned_counts_everywhere(backend, dtype, make, whole, rng, tmp_path):
    net, other = make(dtype), make(dtype)
    x = rng.normal(size=(3, net.inputs)).astype(dtype)
    net.scores(x[:1])  # before, so that whatever is kept for one sample is there
    wanted = rng.normal(size=net.params.size)
    other.params[...] = wanted
    if whole:
        net.params = wanted
    else:
        for layer, like in zip(net.layers, other.layers, strict=True):
            for name in layer.parameter_shapes():
                value = getattr(like, name)
                setattr(layer, name, np.asfortranarray(value.astype(float)))  # any order and dtype
    assert np.array_equal(net.params, other.params)
    want = other.forward(x)
    for got in every_way(net, x, tmp_path):
        np.testing.assert_allclose(got[: len(x)], want[: len(got)], 1e-5, 1e-6)
    for layer in net.layers:
        for name in layer.parameter_shapes():
            assert np.shares_memory(getattr(layer, name), net.params)
            assert np.shares_memory(getattr(layer, f"d{name}"), net.grads)


@pytest.mark.parametrize("fused", [True, False])
def test_what_is_assigned_is_what_is_trained(backend, fused, rng):
    x, y = rng.normal(size=(40, 5)).astype("f4"), rng.integers(4, size=40)
    nets = [fb.Sequential(fb.Linear(5, 4), fb.Linear(4, 4), seed=seed) for seed in (1, 2)]
    given = nets[0].layers[0].w.copy()
    nets[1].layers[0].w = given
    nets[1].layers[0].b = nets[0].layers[0].b
    nets[1].layers[1].w = nets[0].layers[1].w
    nets[1].layers[1].b = nets[0].layers[1].b
    before = given.copy()
    for net in nets:
        fb.fit(net, (x, y), loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=2, fused=fused)
    assert np.array_equal(nets[0].params, nets[1].params)
    assert np.array_equal(given, before)  # copied, not taken


@pytest.mark.parametrize(
    ("make", "position", "shapes"),
    [(dense, 0, DENSE), (images, 0, CONVOLUTION), (dense, 2, {"s": (4,), "ds": (4,)})],
)
def test_other_shapes_and_dtypes_are_refused(make, position, shapes):
    net = make()
    before, layer = net.params.copy(), net.layers[position]
    for name, shape in shapes.items():
        where = rf"layer {position}, {type(layer).__name__}\(.*\)\.{name}: expected "
        for wrong in ((1,), (*shape, 1), shape[:-1], tuple(n + 1 for n in shape), (0,)):
            with pytest.raises(ValueError, match=where + "shape"):
                setattr(layer, name, np.ones(wrong, "f4"))
        for dtype in (complex, object, bool, "U1"):
            with pytest.raises(TypeError, match=where + "real numbers"):
                setattr(layer, name, np.ones(shape, dtype))
        with pytest.raises((ValueError, TypeError)):
            setattr(layer, name, None)
        with pytest.raises(AttributeError, match="stays"):
            delattr(layer, name)
    for name in ("params", "grads"):
        with pytest.raises(ValueError, match=f"{name}: expected shape"):
            setattr(net, name, np.zeros(3, "f4"))
        with pytest.raises(TypeError, match=f"{name}: expected real numbers"):
            setattr(net, name, np.zeros(net.params.size, complex))
    assert np.array_equal(net.params, before)


def test_operators_in_place_work(rng):
    net = dense()
    want = net.params * 2 + 1
    net.params *= 2
    for layer in (net.layers[0], net.layers[2], net.layers[3]):
        for name in layer.parameter_shapes():
            setattr(layer, name, getattr(layer, name).__iadd__(1))
    assert np.allclose(net.params, want)
    net.grads[...] = 1
    net.params -= 0.5 * net.grads
    assert np.allclose(net.params, want - 0.5)


@pytest.mark.parametrize("name", ["w", "dw"])
def test_a_shape_changed_in_place_is_not_read_beyond(backend, name):
    net = dense()
    y = net.forward(np.ones((6, 5)))
    getattr(net.layers[0], name).shape = (4, 5)
    with pytest.raises(ValueError, match=rf"layer 0, Linear\(5, 4\)\.{name}: expected .* \(5, 4\)"):
        net.backward(np.ones_like(y)) if name == "dw" else net.forward(np.ones((6, 5)))
    net.params.shape = (2, -1)
    with pytest.raises(ValueError, match="does not own"):
        net.params.resize(3, refcheck=False)
    assert net.copy().params.shape == (44 + 4,)


def test_parameters_set_by_hand_outside_of_a_network(backend):
    layer = fb.Linear(2, 3)
    with pytest.raises(RuntimeError, match="has no parameters yet"):
        layer.forward(np.ones((1, 2)))
    layer.w, layer.b = np.ones((2, 3)), np.zeros(3)
    assert (layer.forward(np.ones((1, 2))) == 2).all()
    with pytest.raises(RuntimeError, match="has no parameters yet"):
        layer.backward(np.ones((1, 3)))
    layer.dw, layer.db = np.empty((2, 3)), np.empty(3)
    assert (layer.backward(np.ones((1, 3))) == 3).all()
    for name, shape in DENSE.items():
        setattr(layer, name, np.ones(shape))
        with pytest.raises(ValueError, match=rf"{name}: expected shape"):
            layer.forward(np.ones((1, 2))) if name in "wb" else layer.backward(np.ones((1, 3)))
        setattr(layer, name, np.ones({"w": (2, 3), "b": 3}[name[-1]]))


def test_a_layer_copied_alone_is_part_of_no_network():
    net = dense()
    for one in (copy.deepcopy(net.layers[0]), pickle.loads(pickle.dumps(net.layers[0]))):
        one.w[...] = 7
        assert not np.shares_memory(one.w, net.params)
        assert (one.forward(np.zeros((1, 5))) == net.layers[0].b).all()
    assert not (net.params == 7).any()


def test_a_frozen_network_cannot_be_changed():
    frozen = dense().frozen()
    for change in (
        lambda: setattr(frozen, "params", frozen.params + 1),
        lambda: setattr(frozen.layers[0], "w", np.ones((5, 4))),
        lambda: fb.SGD(0.1).step(frozen),
    ):
        with pytest.raises(ValueError, match=r"frozen .*net\.copy\(\)"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        frozen.layers[0].w += 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        frozen.params.flags.writeable = True
    assert frozen.copy().params.flags.writeable


def test_names_of_parameters_must_differ():
    class Twice(Scale):
        def parameter_shapes(self):
            return {"s": (4,), "ds": (4,)}

    with pytest.raises(ValueError, match="share the name 'ds'"):
        fb.Sequential(Twice())
