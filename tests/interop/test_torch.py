"""fastbp.torch: modules become networks and come back, bit for bit; state dicts and their files."""

import re
import sys
from collections import OrderedDict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.cli.gradcheck import cases
from fastbp.layers.nesting import every_layer

torch = pytest.importorskip("torch")
nn = torch.nn
torch.set_num_threads(1)
LAYERS = import_module("fastbp.interop.torch.rows").LAYERS

# Every layer of the table, in the networks by which gradcheck checks them.
NETWORKS = {
    what: net
    for what, net, _ in cases("float64", 0)
    if any(type(layer) is row.ours for row in LAYERS for layer in every_layer(net.layers[1:-1]))
}


def same_bits(one, two):
    """Whether two state dicts have the same names, in one order, and the same numbers."""
    return [*one] == [*two] and all(
        one[name].dtype == two[name].dtype and torch.equal(one[name], two[name]) for name in one
    )


def used(net, rng):
    """A network with other numbers everywhere than it starts from, buffers and counts too."""
    net.params = rng.normal(size=net.params.shape)
    net.buffers = rng.uniform(0.5, 2, size=net.buffers.shape)
    for layer in every_layer(net.layers):
        if "num_batches_tracked" in layer.state():
            layer.num_batches_tracked = 7
    return net


def samples(net, rng, n=6):
    shape = (net.inputs,) if net.input_shape is None else net.input_shape
    return rng.normal(size=(n, *shape)).astype(net.dtype)


def said(net):
    """The layers; masks are drawn in another way in PyTorch, and have no seed there."""
    return re.sub(r"(Dropout\([\d.]+), \d+", r"\1", repr(net))


# There and back


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@for_each("what", NETWORKS)
def test_every_layer_there_and_back(what, rng):
    net = used(NETWORKS[what].copy(), rng).eval()
    module = fb.torch.to_torch(net)
    back = fb.torch.from_torch(module, input_shape=net.input_shape)
    assert said(back) == said(net)
    assert (back.dtype, back.training) == (net.dtype, False)
    assert np.array_equal(back.params, net.params)
    assert np.array_equal(back.buffers, net.buffers)
    again = fb.torch.to_torch(back)
    assert repr(again) == repr(module)
    assert same_bits(again.state_dict(), module.state_dict())
    assert same_bits(fb.torch.state_dict(net), module.state_dict())
    x = samples(net, rng)
    expected = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(net.scores(x), expected, rtol=1e-9, atol=1e-11)


def test_a_network_of_each_row_is_tried():
    tried = {type(layer) for net in NETWORKS.values() for layer in every_layer(net.layers)}
    assert tried == {row.ours for row in LAYERS}


def test_numbers_are_kept_in_float32_too(rng):
    net = used(fb.Sequential(fb.Linear(3, 5), fb.BatchNorm1d(5), fb.ELU(0.25)), rng)
    module = fb.torch.to_torch(net)
    assert module[0].weight.dtype == torch.float32
    assert module[0].weight.shape == (5, 3)
    assert np.array_equal(module[0].weight.detach().numpy(), net[0].w.T)
    assert np.array_equal(fb.torch.from_torch(module).params, net.params)
    assert module.training


def test_what_is_made_shares_nothing_and_draws_nothing():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    net = fb.Sequential(fb.Linear(3, 2))
    module = fb.torch.to_torch(net)
    assert torch.equal(torch.rand(1), expected)
    back = fb.torch.from_torch(module)
    with torch.no_grad():
        module[0].weight.zero_()
    assert net[0].w.all()
    assert back[0].w.all()


def test_modes_and_frozen_layers_are_kept():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.25), nn.Linear(3, 2))
    module[1].eval()
    module[0].requires_grad_(False)
    net = fb.torch.from_torch(module)
    assert [layer.trainable for layer in net] == [False, True, True, True]
    assert [layer.training for layer in net] == [True, False, True, True]
    again = fb.torch.to_torch(net)
    assert [part.training for part in again] == [True, False, True, True]
    assert [p.requires_grad for p in again.parameters()] == [False] * 2 + [True] * 4


def nested():
    """A module as people nest them, with names, and what has no layer and needs none."""
    body = nn.Sequential(OrderedDict(fc=nn.Linear(6, 6), act=nn.GELU("tanh")))
    block = fb.torch.Residual(nn.Linear(6, 6), nn.Sequential(nn.Tanh(), nn.Identity()))
    return nn.Sequential(nn.Identity(), body, block, nn.Sequential(nn.Linear(6, 2)))


def test_nested_modules_become_one_row(rng):
    module = nested()
    net = fb.torch.from_torch(module)
    assert [type(layer).__name__ for layer in net] == ["Linear", "GELU", "Residual", "Linear"]
    x = samples(net, rng)
    expected = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(net.scores(x), expected, rtol=1e-5, atol=1e-6)


def test_a_module_gets_the_numbers_of_a_network(rng):
    module = nested()
    parameter = module[1].fc.weight
    net = used(fb.torch.from_torch(module), rng)
    net[3].trainable = False
    assert fb.torch.to_torch(net, module) is module
    assert module[1].fc.weight is parameter
    assert np.array_equal(fb.torch.from_torch(module).params, net.params)
    assert not module[3][0].bias.requires_grad
    with pytest.raises(ValueError, match=r"1\.fc, nn\.Linear: expected what Linear\(6, 7\) is"):
        fb.torch.to_torch(fb.Sequential(fb.Linear(6, 7)), module)
    with pytest.raises(ValueError, match="expected 1 modules with a layer, got 6"):
        fb.torch.to_torch(net[:1], module)
    with pytest.raises(ValueError, match="expected a module in float64, got float32"):
        fb.torch.to_torch(net.astype("float64"), module)


def test_the_shape_of_images_is_said_by_the_module_or_beside_it(rng):
    layers = nn.Conv2d(2, 3, 3, padding="same"), nn.Flatten(), nn.Linear(90, 2)
    unflatten = nn.Unflatten(1, (2, 5, 6))
    net = fb.torch.from_torch(nn.Sequential(unflatten, *layers))
    assert net.input_shape == (2, 5, 6)
    assert repr(fb.torch.from_torch(nn.Sequential(*layers), input_shape=(2, 5, 6))) == repr(net)
    x = rng.normal(size=(3, 60)).astype("float32")
    expected = nn.Sequential(unflatten, *layers)(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(net.scores(x), expected, rtol=1e-4, atol=1e-5)


# What is refused


class Net(nn.Module):
    """As people write them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 2))


def tied():
    linear = nn.Linear(3, 3)
    return nn.Sequential(linear, nn.ReLU(), linear)


def hooked():
    module = nn.Sequential(nn.Linear(3, 3))
    module[0].register_forward_hook(lambda *_: None)
    return module


def half_frozen():
    module = nn.Sequential(nn.Linear(3, 3))
    module[0].bias.requires_grad_(False)
    return module


REFUSED = {
    "unknown": (
        lambda: nn.Sequential(nn.LSTM(3, 4), nn.Sequential(nn.ReLU(), nn.Softmax(1), Net())),
        "there is no layer for 0: nn.LSTM, 1.1: nn.Softmax, 1.2: Net; leave it out, predict_proba",
    ),
    "in a residual": (
        lambda: nn.Sequential(fb.torch.Residual(nn.GLU())),
        "no layer for 0.0: nn.GLU",
    ),
    "no row": (Net, "expected an nn.Sequential, got Net; its forward may do anything: give the"),
    "one layer": (lambda: nn.Linear(2, 2), "expected an nn.Sequential, got nn.Linear"),
    "no module": (lambda: [1], "expected an nn.Sequential, got list"),
    "a network": (
        lambda: fb.Sequential(fb.Tanh()),
        "got Sequential of fastbp, which is a network already",
    ),
    "nothing": (nn.Sequential, "expected at least one layer"),
    "columns": (
        lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 3)),
        r"Linear\(4, 3\) takes 4 columns, but 3 come in",
    ),
    "images": (
        lambda: nn.Sequential(nn.Dropout(), nn.Conv2d(1, 2, 3)),
        r"1, nn\.Conv2d takes images of a known size; name it, input_shape=\(channels",
    ),
    "dilation": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2)),
        r"0, nn\.Conv2d: expected dilation=\(1, 1\), got \(2, 2\)",
    ),
    "padding": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")),
        "expected padding_mode='zeros', got 'reflect'",
    ),
    "ceil": (
        lambda: nn.Sequential(nn.MaxPool2d(2, ceil_mode=True)),
        "0, nn.MaxPool2d: expected ceil_mode=False, got True",
    ),
    "count": (
        lambda: nn.Sequential(nn.AvgPool2d(2, count_include_pad=False)),
        "expected count_include_pad=True, got False",
    ),
    "averages": (
        lambda: nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)),
        "expected track_running_stats=True, got False",
    ),
    "several columns": (
        lambda: nn.Sequential(nn.LayerNorm((3, 4))),
        r"0, nn\.LayerNorm: LayerNorm normalized_shape: expected a whole number, got \(3, 4\)",
    ),
    "no bias": (
        lambda: nn.Sequential(nn.LayerNorm(4, bias=False)),
        r"expected weight, bias, got \['weight'\]",
    ),
    "drops all": (
        lambda: nn.Sequential(nn.Dropout(1.0)),
        "0, nn.Dropout: Dropout p: expected a number below 1, got 1.0",
    ),
    "tied": (tied, "0.weight and 2.weight are the same; layers share none"),
    "hooks": (hooked, "0, nn.Linear: it has hooks or a forward of its own"),
    "half frozen": (half_frozen, "0, nn.Linear: expected requires_grad of all its parameters"),
    "half": (lambda: nn.Sequential(nn.Linear(2, 3)).half(), "got float16; module.float"),
    "mixed": (
        lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3).double()),
        "expected all numbers in float32, or all in float64; got float32, float64",
    ),
    "nowhere": (
        lambda: nn.Sequential(nn.Linear(2, 3, device="meta")),
        "0.weight: got a tensor on the device 'meta', which has a shape and no",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_modules_that_have_no_network_are_refused_by_name(what):
    make, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError), match=f"^from_torch: .*{message}") as caught:
        fb.torch.from_torch(make())
    assert len(str(caught.value).splitlines()) == 1


def test_layers_that_have_no_module_are_refused_by_name():
    class Mine(fb.Linear):
        """May compute anything."""

    net = fb.Sequential(fb.Residual(Mine(2, 2)), fb.Tanh(), Mine(2, 3))
    for make in (fb.torch.to_torch, fb.torch.state_dict):
        with pytest.raises(TypeError, match=r"there is no module for 0\.0: Mine, 2: Mine$"):
            make(net)
    with pytest.raises(TypeError, match="to_torch: expected Sequential, got Linear"):
        fb.torch.to_torch(fb.Linear(2, 2))


# State dicts


@pytest.fixture
def net(rng):
    layers = fb.Linear(3, 4), fb.BatchNorm1d(4), fb.Residual(fb.Linear(4, 4)), fb.Linear(4, 2)
    return used(fb.Sequential(*layers), rng)


def test_states_have_pytorchs_names_and_layout(net):
    state = fb.torch.state_dict(net)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "0.weight": (4, 3),
        "0.bias": (4,),
        "1.weight": (4,),
        "1.bias": (4,),
        "1.running_mean": (4,),
        "1.running_var": (4,),
        "1.num_batches_tracked": (),
        "2.0.weight": (4, 4),
        "2.0.bias": (4,),
        "3.weight": (2, 4),
        "3.bias": (2,),
    }
    assert state["1.num_batches_tracked"].dtype == torch.int64
    state["0.weight"].zero_()
    assert net[0].w.all()


def test_states_are_loaded_in_both(net, rng):
    other = used(net.copy(), rng)
    module = fb.torch.to_torch(other)
    keys = module.load_state_dict(fb.torch.state_dict(net))
    assert not keys.missing_keys
    assert same_bits(module.state_dict(), fb.torch.state_dict(net))
    assert fb.torch.load_state_dict(other, module.state_dict()) == ([], [])
    assert same_bits(fb.torch.state_dict(other), fb.torch.state_dict(net))
    arrays = {name: tensor.numpy() for name, tensor in fb.torch.state_dict(net).items()}
    fb.torch.load_state_dict(used(other, rng), arrays)
    assert np.array_equal(other.params, net.params)


def test_safetensors_files_go_both_ways(net, rng, tmp_path):
    files = pytest.importorskip("safetensors.torch")
    ours, theirs = tmp_path / "ours.safetensors", str(tmp_path / "theirs.safetensors")
    module = fb.torch.to_torch(used(net.copy(), rng))
    fb.torch.save(net, ours)
    module.load_state_dict(files.load_file(ours))
    assert same_bits(module.state_dict(), fb.torch.state_dict(net))
    files.save_file(module.state_dict(), theirs)
    other = used(net.copy(), rng)
    fb.torch.load_state_dict(other, theirs)
    assert same_bits(fb.torch.state_dict(other), fb.torch.state_dict(net))
    files.save_model(module, theirs)
    fb.torch.load_state_dict(other, theirs)


def test_what_does_not_fit_is_named_and_changes_nothing(net):
    before, state = net.params.copy(), fb.torch.state_dict(net)
    left = {name: state[name] for name in state if name not in ("1.running_var", "3.bias")}
    wrong = {
        "missing 1.running_var, 3.bias; unexpected 4.weight": left | {"4.weight": torch.ones(2)},
        r"0.weight: expected shape \(4, 3\), got \(3, 4\); 3.bias: expected shape \(2,\), got": (
            state | {"0.weight": state["0.weight"].T, "3.bias": torch.ones(3)}
        ),
        "1.num_batches_tracked: expected a whole number": (
            state | {"1.num_batches_tracked": torch.tensor(1.5)}
        ),
        "0.bias: expected real numbers, got dtype complex64": (
            state | {"0.bias": torch.ones(4, dtype=torch.complex64)}
        ),
        "0.bias: got a tensor on the device 'meta'": (
            state | {"0.bias": torch.ones(4, device="meta")}
        ),
        "expected a dict or a path, got list": [1],
    }
    for message, given in wrong.items():
        with pytest.raises((TypeError, ValueError), match=f"^load_state_dict: .*{message}"):
            fb.torch.load_state_dict(net, given)
    assert np.array_equal(net.params, before)
    keys = fb.torch.load_state_dict(net, left | {"x": 1}, strict=False)
    assert keys == (["1.running_var", "3.bias"], ["x"])


def test_files_that_are_none_are_refused(net, tmp_path):
    path = tmp_path / "net.pt"
    torch.save(fb.torch.state_dict(net), path)
    with pytest.raises(ValueError, match=r"net.pt: .*torch\.load\(path, weights_only=True\)"):
        fb.torch.load_state_dict(net, path)
    net.save(path)
    with pytest.raises(ValueError, match=r"net.pt: it holds a network of fastbp: write fb.load"):
        fb.torch.load_state_dict(net, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ValueError, match=r"net.pt: not a whole safetensors file: it is not as long"
    ):
        fb.torch.load_state_dict(net, path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fb.torch.load_state_dict(net, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no numbers"):
        fb.torch.save(fb.Sequential(fb.ReLU()), path)


def test_what_the_document_says_runs(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).resolve().parents[2] / "docs/torch.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names = {"x": rng.normal(size=(60, 4)), "y": np.arange(60) % 3}
    for block in blocks:
        exec(block, names)
    assert names["history"].epochs[-1].epoch == 5
    assert [row.theirs.__name__ for row in LAYERS if row.theirs.__name__ not in text] == []


# Where PyTorch is not


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, r"needs PyTorch, which is not installed: pip install 'fastbp\[torch\]'"),
        ("1.13.1+cpu", "needs PyTorch 2.0 or later, found 1.13.1"),
    ],
)
def test_without_pytorch_or_with_an_old_one(monkeypatch, version, message):
    from importlib import metadata

    def found(name):
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)
    monkeypatch.delitem(sys.modules, "fastbp.torch", raising=False)
    with pytest.raises(ImportError, match=message):
        import fastbp.torch  # noqa: F401
