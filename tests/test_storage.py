"""Files: what is saved comes back, what is damaged is refused with its path, and nothing is lost.

Files that save would not write are made here with the safetensors library itself.
"""

import errno
import json
import math
import os
import pickle
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import parts
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp import storage


def network(dtype="float32", seed=0):
    """Every layer there is but those of images."""
    activations = (make() for make in parts.ACTIVATIONS.values())
    layers = fb.Linear(6, 5), fb.ReLU(), fb.Linear(5, 4), fb.ELU(0.7), fb.Linear(4, 3), *activations
    return fb.Sequential(*layers, fb.LogSoftmax(), seed=seed, dtype=dtype)


@pytest.fixture
def path(tmp_path):
    """Where a network may be saved, in a folder of its own."""
    return tmp_path / "net.safetensors"


class Repeat(fb.Layer):
    """One that takes what its settings do not name."""

    def __init__(self, times):
        self.times = times


class Stretch(fb.Layer):
    """A layer of one's own: Y = X·s, with a setting and a parameter."""

    settings = ("start",)

    def __init__(self, start=1.0):
        self.start = start

    def parameter_shapes(self):
        return {"s": (1,)}

    def initialize(self, rng, default):
        self.s[...] = self.start

    def forward(self, x):
        self.x = self._input(x)
        self.y = self.x * self.s
        return self.y

    def backward(self, dy):
        self.ds[...] = np.sum(dy * self.x)
        return dy * self.s


# There and back


def test_a_network_comes_back_bit_for_bit(backend, dtype, path, rng):
    net, x = network(dtype), rng.normal(size=(50, 6))
    net.params[...] = rng.normal(size=net.params.size)
    net.save(path)
    again = fb.load(path)
    assert repr(again) == repr(net)
    assert again.dtype == dtype
    assert np.array_equal(again.params, net.params)
    assert np.array_equal(again.scores(x), net.scores(x))
    assert again.layers[3].alpha == 0.7


def test_loading_draws_no_starting_values(path):
    fb.Sequential(fb.Linear(600, 600)).save(path)
    size = 4 * 600 * 601
    tracemalloc.start()
    try:
        net = fb.load(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert net.params.nbytes == size
    assert most < 4.5 * size  # the file, its tensors, parameters, gradients


def test_what_one_backend_saved_the_others_load(path, rng):
    x, scores = rng.normal(size=(20, 6)), []
    for saves, loads in (("cython", "numpy"), ("numpy", "numba"), ("numba", "cython")):
        with fb.use_backend(saves):
            network("float64").save(path)
        with fb.use_backend(loads):
            scores.append(fb.load(path).scores(x))
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-12)
    np.testing.assert_allclose(scores[2], scores[0], rtol=1e-12)


def test_a_loaded_network_trains_on_as_the_saved_one_would(backend, path, rng):
    data = rng.normal(size=(40, 6)), rng.integers(3, size=40)
    net = network()
    net.save(path)
    again = fb.load(path)
    for each in (net, again):
        fb.fit(each, data, loss=fb.NLLLoss(), optimizer=fb.SGD(0.1), epochs=2)
    assert np.array_equal(again.params, net.params)
    assert np.shares_memory(again.layers[0].w, again.params)


def test_special_numbers_come_back(path):
    net = fb.Sequential(fb.Linear(2, 2))
    net.params[...] = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38]
    net.save(path)
    with pytest.warns(RuntimeWarning, match=r"net.safetensors: 3 of 6 parameters are NaN or inf"):
        assert fb.load(path).params.tobytes() == net.params.tobytes()


def test_dropout_goes_on_with_its_next_mask(backend, path, rng):
    """A saved network that trains on sees the masks that it would have seen without the pause."""
    data = rng.normal(size=(40, 6)), rng.integers(3, size=40)

    def train(net, history):
        loss, optimizer = fb.CrossEntropyLoss(), fb.SGD(0.1)
        return fb.fit(net, data, loss=loss, optimizer=optimizer, epochs=2, history=history)

    net = fb.Sequential(fb.Linear(6, 8), fb.Dropout(0.4), fb.Linear(8, 3), fb.Dropout(0.1))
    history = train(net, fb.History())
    net.save(path)
    again = fb.load(path)
    assert [again.layers[k].step for k in (1, 3)] == [net.layers[k].step for k in (1, 3)]
    assert again.layers[1].step > 0
    epochs = fb.History([*history.epochs], [*history.losses])
    for each, so_far in ((net, history), (again, epochs)):
        train(each, so_far)
    assert np.array_equal(again.params, net.params)


def test_files_without_a_state_load_as_before(path):
    layers = [*LAYERS, {"type": "Dropout", "p": 0.5, "seed": 3}]
    write(path, architecture=json.dumps(layers))
    assert fb.load(path).layers[2].step == 0
    write(path, architecture=json.dumps(layers), state=json.dumps({"2": {"step": 12}}))
    assert fb.load(path).layers[2].step == 12
    fb.Sequential(fb.Linear(2, 3)).save(path)
    with safe_open(path, framework="numpy") as file:
        assert "state" not in file.metadata()


@pytest.mark.parametrize(
    "state",
    [
        {"2": {"step": -1}},
        {"2": {"step": 2.0}},
        {"2": {"step": "1"}},
        {"2": {"p": 0}},
        {"2": {}},
        {"2": 7},
        {"0": {"step": 1}},
        {"3": {"step": 1}},
        {"x": {}},
        [],
        7,
    ],
    ids=str,
)
def test_a_state_that_is_none_is_refused(path, state):
    layers = [*LAYERS, {"type": "Dropout", "p": 0.5, "seed": 3}]
    write(path, architecture=json.dumps(layers), state=json.dumps(state))
    assert_refused(path, "")


def test_a_network_without_parameters_comes_back(path):
    fb.Sequential(fb.Tanh(), fb.ELU(0.5), dtype="float64").save(path)
    again = fb.load(path)
    assert repr(again) == "Sequential(Tanh(), ELU(0.5))"
    assert again.dtype == np.float64


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_paths_may_be_text(path, kind):
    network().save(kind(path))
    assert np.array_equal(fb.load(kind(path)).params, network().params)


def test_others_can_read_the_file(path):
    net = network()
    net.save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        assert sorted(file.keys()) == ["0.b", "0.w", "2.b", "2.w", "4.b", "4.w"]
        assert np.array_equal(file.get_tensor("2.w"), net.layers[2].w)
    assert (metadata["format"], metadata["version"], metadata["dtype"]) == (
        "fastbp",
        "1",
        "float32",
    )
    assert json.loads(metadata["architecture"])[:4] == [
        {"type": "Linear", "inputs": 6, "outputs": 5},
        {"type": "ReLU"},
        {"type": "Linear", "inputs": 5, "outputs": 4},
        {"type": "ELU", "alpha": 0.7},
    ]


# Layers of one's own


def test_a_layer_of_ones_own_is_named_to_load(backend, dtype, path):
    net = fb.Sequential(fb.Linear(2, 2), Stretch(0.5), dtype=dtype)
    net.layers[1].s[...] = 3
    net.save(path)
    again = fb.load(path, layers=[Stretch])
    assert (again.layers[1].start, again.layers[1].s.tolist()) == (0.5, [3])
    assert np.array_equal(again.scores([[1, 2]]), net.scores([[1, 2]]))


def test_without_its_type_a_layer_of_ones_own_is_not_guessed(path):
    fb.Sequential(fb.Linear(2, 2), Stretch()).save(path)
    with pytest.raises(ValueError, match=r"unknown layer 'Stretch'; known are Linear, ReLU, ELU, "):
        fb.load(path)


# Refused files


LAYERS = [{"type": "Linear", "inputs": 2, "outputs": 3}, {"type": "Tanh"}]
TENSORS = {"0.w": np.ones((2, 3), np.float32), "0.b": np.zeros(3, np.float32)}
METADATA = {
    "format": "fastbp",
    "version": "1",
    "dtype": "float32",
    "architecture": json.dumps(LAYERS),
}


def write(path, tensors=TENSORS, without=None, **metadata):
    """A file as save writes it, with changes."""
    metadata = METADATA | metadata
    metadata.pop(without, None)
    path.write_bytes(to_bytes(tensors, metadata))


def assert_refused(path, reason):
    """Loading is a ValueError that names the file and the reason, a regular expression."""
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(path))}: cannot load a network: .*{reason}"
    ):
        fb.load(path)


def test_the_file_the_other_tests_change_is_right(path):
    write(path)
    assert repr(fb.load(path)) == "Sequential(Linear(2, 3), Tanh())"


def test_a_file_cut_short_anywhere_is_refused(path):
    network().save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert_refused(path, "not a whole safetensors file")


def test_a_file_with_something_behind_it_is_refused(path):
    write(path)
    path.write_bytes(path.read_bytes() + b"\0")
    assert_refused(path, "not a whole safetensors file")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8, b"\xff" * 64, b"not a network at all, but text", bytes(range(256))],
    ids=["empty", "zeros", "ones", "text", "bytes"],
)
def test_garbage_is_refused(path, content):
    path.write_bytes(content)
    assert_refused(path, "not a whole safetensors file")


def test_damaged_bytes_load_or_are_refused_and_nothing_else(path, rng):
    """Flipped parameters cannot be noticed; whatever else happens is a ValueError."""
    network().save(path)
    whole = path.read_bytes()
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            fb.load(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 - it need not be raised


def test_another_program_s_safetensors_file_is_refused(path):
    path.write_bytes(to_bytes(TENSORS))
    assert_refused(path, "it holds no fastbp network")
    write(path, format="pt")
    assert_refused(path, "it holds no fastbp network")


@pytest.mark.parametrize("version", ["0", "3", "1.0", ""])
def test_another_version_is_refused(path, version):
    write(path, version=version)
    assert_refused(path, re.escape(f"its format version is {version!r}, not '1'"))


@pytest.mark.parametrize("key", ["version", "dtype", "architecture"])
def test_missing_metadata_is_named(path, key):
    write(path, without=key)
    assert_refused(path, "its format version is None" if key == "version" else f"'{key}' is miss")


def test_a_missing_tensor_is_named(path):
    write(path, {"0.w": TENSORS["0.w"]})
    assert_refused(path, r"its tensors do not fit its architecture \(0\.b\)")


@pytest.mark.parametrize("name", ["0.dw", "1.w", "7.w", "none", "layers", "0.__class__"])
def test_an_extra_tensor_is_named(path, name):
    write(path, TENSORS | {name: np.zeros(1, np.float32)})
    assert_refused(path, r"its tensors do not fit its architecture \(" + re.escape(name))


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2, 4), (2, 3, 1)])
def test_a_tensor_of_another_shape_is_refused(path, shape):
    write(path, TENSORS | {"0.w": np.ones(shape, np.float32)})
    assert_refused(path, re.escape(f"tensor 0.w: expected float32 (2, 3), got float32 {shape}"))


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32"])
def test_a_tensor_of_another_dtype_is_refused(path, dtype):
    write(path, TENSORS | {"0.b": np.zeros(3, dtype)})
    assert_refused(path, re.escape(f"tensor 0.b: expected float32 (3,), got {dtype} (3,)"))


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_a_network_of_another_dtype_is_refused(path, dtype):
    write(path, {name: a.astype(dtype) for name, a in TENSORS.items()}, dtype=dtype)
    assert_refused(path, f"dtype: expected float32 or float64; got '{dtype}'")


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([], "its tensors do not fit its architecture (0.b, 0.w, none)"),
        (None, "'NoneType' object is not iterable"),
        (7, "'int' object is not iterable"),
        ("Linear", "dictionary update sequence"),
        ([7], "'int' object is not iterable"),
        ([{}], "'type' is missing"),
        ([{"type": ["Linear"]}], "unhashable type: 'list'"),
        ([{"type": "Linear"}], "Linear: missing a required argument"),
        ([LAYERS[0] | {"hidden": 1}], "Linear has no option 'hidden'"),
        ([LAYERS[0] | {"inputs": 2.0}], "Linear inputs: expected a whole number, got 2.0"),
        ([LAYERS[0] | {"inputs": -2}], "Linear inputs: expected at least 1, got -2"),
        ([LAYERS[0], {"type": "ELU", "alpha": -1}], "ELU alpha: expected at least 0, got -1"),
        ([LAYERS[0], {"type": "?"}], "unknown layer '?'"),
    ],
)
def test_an_architecture_that_is_none_is_refused(path, layers, reason):
    write(path, architecture=json.dumps(layers))
    assert_refused(path, re.escape(reason))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[1,]", "Expecting value|Illegal trailing comma"),
        ("NaN", "'float' object is not iterable"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
    ],
    ids=["empty", "comma", "NaN", "deep"],
)
def test_an_architecture_that_is_no_json_is_refused(path, text, reason):
    write(path, architecture=text)
    assert_refused(path, f"({reason})")


def test_layers_that_do_not_fit_together_are_refused(path):
    layers = [*LAYERS, {"type": "Linear", "inputs": 4, "outputs": 1}]
    more = {"2.w": np.zeros((4, 1), np.float32), "2.b": np.zeros(1, np.float32)}
    write(path, TENSORS | more, architecture=json.dumps(layers))
    assert_refused(path, re.escape("layer 2: Linear(4, 1) takes 4 columns, but 3 come in"))


@pytest.mark.parametrize("size", [10**6, 10**12, 10**30])
def test_huge_claims_allocate_nothing(path, size):
    write(path, architecture=json.dumps([LAYERS[0] | {"inputs": size, "outputs": size}]))
    tracemalloc.start()
    try:
        assert_refused(
            path, rf"tensor 0\.w: expected float32 \({size}, {size}\), got float32 \(2, 3\)"
        )
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_more_than_the_file_holds_is_refused(path):
    claim = {"0.w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    header = json.dumps({"__metadata__": METADATA} | claim).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 64)
    assert_refused(path, "not a whole safetensors file")
    path.write_bytes((10**15).to_bytes(8, "little") + header)
    assert_refused(path, "not a whole safetensors file")


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_a_deep_header_is_refused(path, depth):
    header = b'{"a":' * depth
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert_refused(path, "not a whole safetensors file")


def test_an_absurdly_long_header_is_refused_unread(path):
    size = storage.MOST_HEADER + 1
    with path.open("wb") as file:
        file.write(size.to_bytes(8, "little"))
        file.truncate(8 + size)  # takes no room on the disk
    tracemalloc.start()
    try:
        assert_refused(path, "its header has 10,000,001 bytes; expected at most 10,000,000")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


HUGE = [2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400]


@pytest.mark.parametrize("number", [*HUGE, 1e308, math.inf, math.nan], ids=lambda n: f"{n!r:.20}")
@pytest.mark.parametrize("setting", ["in_channels", "out_channels", "kernel", "stride", "padding"])
def test_numbers_that_no_machine_has_are_refused(path, setting, number):
    layer = {"type": "Conv2d", "in_channels": 1, "out_channels": 1, "kernel": 1} | {setting: number}
    tensors = {"0.w": np.ones((1, 1, 1, 1), np.float32), "0.b": np.zeros(1, np.float32)}
    shape = json.dumps([1, 4, 4])
    write(path, tensors, architecture=json.dumps([layer]), input_shape=shape)
    try:
        fb.load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: cannot load a network: ")  # noqa: PT017


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes that have names")
def test_pipes_and_devices_are_refused_at_once(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: is a pipe; expected a file"):
        fb.load(path)
    with pytest.raises(ValueError, match=r"^/dev/zero: is a device; expected a file"):
        fb.load("/dev/zero")


# Nothing is executed


class Trap:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_a_pickle_is_refused_and_not_run(path, tmp_path):
    trace = tmp_path / "trace"
    path.write_bytes(pickle.dumps(Trap(trace)))
    assert_refused(path, "not a whole safetensors file")
    assert not trace.exists()


@pytest.mark.parametrize("name", ["os.system", "Sequential", "Layer", "__import__", "Trap", ""])
def test_only_layers_that_load_knows_are_made(path, name):
    write(path, architecture=json.dumps([*LAYERS, {"type": name}]))
    assert_refused(path, re.escape(f"unknown layer {name!r}; known are Linear, "))


# Paths


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        fb.load(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        fb.load(tmp_path)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        network().save(tmp_path)


def test_saving_into_a_missing_folder_names_it(tmp_path):
    target = tmp_path / "none" / "net.safetensors"
    text = f"{target}: the folder {target.parent} does not exist"
    with pytest.raises(FileNotFoundError, match="^" + re.escape(text)):
        network().save(target)
    assert list(tmp_path.iterdir()) == []


# All or nothing


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch, step, error):
    def fail(*_):
        raise error

    network(seed=1).save(path)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        network(seed=2).save(path)
    monkeypatch.undo()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert np.array_equal(fb.load(path).params, network(seed=1).params)


def test_a_network_that_cannot_be_described_is_not_half_saved(path):
    network().save(path)
    with pytest.raises(TypeError, match="ndarray is not JSON serializable"):
        fb.Sequential(fb.Linear(1, 1), Stretch(start=np.array([1.0, 2.0])[:1])).save(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert np.array_equal(fb.load(path).params, network().params)


def test_a_save_replaces_the_old_file(path):
    network(seed=1).save(path)
    network(seed=2).save(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert np.array_equal(fb.load(path).params, network(seed=2).params)


@pytest.mark.skipif(os.name != "posix", reason="files have no such permissions there")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_follow_the_umask(path, mask):
    before = os.umask(mask)
    try:
        network().save(path)
    finally:
        assert os.umask(before) == mask
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_parallel_saves_leave_one_whole_file(path):
    nets = [network(seed=seed) for seed in range(8)]
    before = os.umask(0o022)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda net: [net.save(path) for _ in range(5)], nets))
    finally:
        assert os.umask(before) == 0o022  # the process's, which no thread may change
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    found = fb.load(path).params
    assert any(np.array_equal(found, net.params) for net in nets)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644


def test_what_could_not_be_made_again_is_refused_while_it_is_there(path):
    net = fb.Sequential(fb.Linear(4, 3), Repeat(2))
    with pytest.raises(
        TypeError, match="Repeat: a file could not make it again: missing a required"
    ) as told:
        net.save(path)
    assert "its settings name none; write settings" in str(told.value)
    assert not path.exists()
    fb.Sequential(fb.Linear(4, 3), Stretch(2.0)).save(path)
    assert fb.load(path, layers=[Stretch])[1].start == 2.0


def test_a_setting_that_a_file_cannot_have_is_named(tmp_path):
    class Steps(fb.Layer):
        settings = ("steps",)

        def __init__(self, steps):
            self.steps = steps

    path = tmp_path / "net.safetensors"
    for steps, reason in ((np.ones(2), "ndarray is not JSON"), ({1, 2}, "set is not JSON")):
        net = fb.Sequential(fb.Linear(2, 2), Steps(steps))
        with pytest.raises(
            TypeError, match=rf"Steps: a file cannot have its steps, .*{reason}.*numbers"
        ):
            net.save(path)
    assert not path.exists()
    fb.Sequential(fb.Linear(2, 2), Steps({"a": [1, 0.5, None]})).save(path)
    assert fb.load(path, layers=[Steps])[1].steps == {"a": [1, 0.5, None]}
