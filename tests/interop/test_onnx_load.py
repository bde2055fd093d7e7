"""ONNX models that other programs wrote, read as chains of layers; and what is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from numpy.testing import assert_allclose, assert_array_equal

import fastbp as fb
from fastbp.cli.gradcheck import cases

pytest.importorskip("onnx")

import onnx
from onnx import helper, numpy_helper, parser

from fastbp.interop.onnx.writer import model_of

RNG = np.random.default_rng(0)
TORCH = np.load(Path(__file__).parents[1] / "data/torch_onnx.npz")
MODULES = sorted({name.partition(".")[0] for name in TORCH.files})
NETWORKS = {what: net for what, net, _ in cases("float32", 0)}
NOT_READ = {"Softplus(beta=0.5, threshold=10.0)"}  # written as nodes that are no layer


def written(tmp_path: Path, model: Any) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def model(text: str, opset: int = 18, **arrays: Any) -> onnx.ModelProto:
    """A graph in onnx's own words, with these constants."""
    domains = f'["" : {opset}, "ai.onnx.ml" : 3, "mine" : 1]'
    made = parser.parse_model(f"<ir_version: 8, opset_import: {domains}>\n{text}")
    for name, array in arrays.items():
        array = np.asarray(array, None if np.asarray(array).dtype.kind == "i" else np.float32)
        made.graph.initializer.append(numpy_helper.from_array(array, name))
    return made


@pytest.mark.parametrize("how", ["old", "new"])
@pytest.mark.parametrize("name", MODULES)
def test_what_pytorch_exports_is_read(name: str, how: str, tmp_path: Path) -> None:
    path = written(tmp_path, TORCH[f"{name}.{how}"].tobytes())
    if (beside := f"{name}.{how}.data") in TORCH.files:
        (tmp_path / "net.onnx.data").write_bytes(TORCH[beside].tobytes())
    net, x, y = fb.onnx.load(path), TORCH[f"{name}.x"], TORCH[f"{name}.y"]
    found = net.predict_proba(x) if net.meaning == "classes" else net.scores(x)
    assert_allclose(found, y, rtol=1e-5, atol=1e-6)


def test_its_layers_are_those_of_the_module(tmp_path: Path) -> None:
    said = {
        "classes": "Linear(4, 5), ReLU(), Linear(5, 3)",
        "residual": "Conv2d(1, 3, kernel=4, stride=1, padding='same'), "
        "Residual(Conv2d(3, 3, kernel=3, stride=1, padding=1), ReLU(), "
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True)), ReLU(), "
        "AvgPool2d(kernel=6, stride=6, padding=0), Flatten(), Linear(3, 2), "
        "input_shape=(1, 6, 6)",
    }
    for name, layers in said.items():
        net = fb.onnx.load(written(tmp_path, TORCH[f"{name}.old"].tobytes()))
        assert repr(net) == f"Sequential({layers})"


COMPOSED = [what for what in NETWORKS if "GELU" in what or "Mish" in what]  # before opset 18 or 20


@for_each(
    ("what", "opset"),
    [
        *((what, 21) for what in NETWORKS if what not in NOT_READ),
        *((each, 15) for each in COMPOSED),
    ],
)
def test_what_we_write_is_read_without_metadata_too(what: str, opset: int, tmp_path: Path) -> None:
    net = NETWORKS[what]
    made = model_of(net, opset)
    del made.metadata_props[:]
    loaded = fb.onnx.load(written(tmp_path, made))
    x = RNG.normal(size=(5, *(net.input_shape or (net.inputs,))))
    assert_allclose(loaded.scores(x), net.scores(x), rtol=1e-5, atol=1e-6)
    if not any(word in what for word in ("False", "Dropout")):
        assert repr(loaded) == repr(net)
        assert_array_equal(loaded.params, net.params)


def one(text: str, **arrays: Any) -> onnx.ModelProto:
    """Nodes from x (n, 4) to y."""
    return model(f"net (float[n, 4] x) => (float[n, k] y) {{ {text} }}", **arrays)


def image(text: str, **arrays: Any) -> onnx.ModelProto:
    """Nodes from images x to y."""
    return model(f"net (float[n, 2, 6, 6] x) => (float[n, k, h, w] y) {{ {text} }}", **arrays)


W, B = RNG.normal(size=(4, 3)), RNG.normal(size=3)
READ: dict[str, tuple[onnx.ModelProto, str, Any]] = {
    "MatMul, Add": (
        one("h = MatMul(x, w) y = Add(h, b)", w=W, b=B),
        "Linear(4, 3)",
        lambda x: x @ W + B,
    ),
    "Add before": (
        one("h = MatMul(x, w) y = Add(b, h)", w=W, b=B[None]),
        "Linear(4, 3)",
        lambda x: x @ W + B,
    ),
    "a transposed W": (
        one("v = Transpose <perm = [1, 0]> (w) y = MatMul(x, v)", w=W.T),
        "Linear(4, 3, bias=False)",
        lambda x: x @ W,
    ),
    "Gemm": (
        one("y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)", w=W.T, b=B),
        "Linear(4, 3)",
        lambda x: 0.5 * x @ W + 2 * B,
    ),
    "Gemm, b for all": (
        one("y = Gemm(x, w, b)", w=W, b=0.5),
        "Linear(4, 3)",
        lambda x: x @ W + 0.5,
    ),
    "standardized": (
        one("h = Sub(x, m) i = Div(h, s) y = Gemm(i, w)", m=W[:, 0], s=[[2.0, 1, 3, 4]], w=W),
        "Standardize(4 columns), Linear(4, 3, bias=False)",
        lambda x: (x - W[:, 0]) / [2, 1, 3, 4] @ W,
    ),
    "one number for all": (
        one("h = Div(x, s) y = Gemm(h, w)", s=255.0, w=W),
        "Standardize(4 columns), Linear(4, 3, bias=False)",
        lambda x: x / 255 @ W,
    ),
    "Scaler": (
        one(
            "y = ai.onnx.ml.Scaler <offset = [1.0, 2.0, 3.0, 4.0], scale = [2.0, 2.0, 2.0, 0.5]>(x)"
        ),
        "Standardize(4 columns)",
        lambda x: (x - [1, 2, 3, 4]) * [2, 2, 2, 0.5],
    ),
    "Mul": (one("y = Mul(x, s)", s=W[:, 0]), "Scale(4)", lambda x: x * W[:, 0]),
    "Clip": (one("y = Clip(x, zero)", zero=0.0), "ReLU()", lambda x: np.maximum(x, 0)),
    "nothing": (
        one(
            "h = Dropout(x) i = Identity(h) j = Cast <to = 1>(i) k = Flatten(j) l = Reshape(k, s) "
            "y = Relu(l)",
            s=[-1, 4],
        ),
        "ReLU()",
        lambda x: np.maximum(x, 0),
    ),
    "a shortcut": (
        one("h = Gemm(x, w, b) i = Tanh(h) j = Add(x, i) y = Relu(j)", w=np.eye(4), b=np.ones(4)),
        "Residual(Linear(4, 4), Tanh()), ReLU()",
        lambda x: np.maximum(x + np.tanh(x + 1), 0),
    ),
    "SAME_UPPER": (
        image('y = Conv <auto_pad = "SAME_UPPER"> (x, w)', w=np.ones((1, 2, 2, 2))),
        "Conv2d(2, 1, kernel=2, stride=1, padding='same', bias=False), input_shape=(2, 6, 6)",
        None,
    ),
    "a bias of Conv by Add": (
        image("h = Conv(x, w) y = Add(h, b)", w=np.ones((3, 2, 1, 1)), b=np.ones((1, 3, 1, 1))),
        "Conv2d(2, 3, kernel=1, stride=1, padding=0), input_shape=(2, 6, 6)",
        lambda x: np.repeat(x.sum(axis=1, keepdims=True) + 1, 3, axis=1),
    ),
    "all of an image": (
        image("y = GlobalMaxPool(x)"),
        "MaxPool2d(kernel=6, stride=6, padding=0), input_shape=(2, 6, 6)",
        lambda x: x.max(axis=(2, 3), keepdims=True),
    ),
    "ceil_mode that changes nothing": (
        image("y = AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x)"),
        "AvgPool2d(kernel=2, stride=2, padding=0), input_shape=(2, 6, 6)",
        lambda x: x.reshape(len(x), 2, 3, 2, 3, 2).mean(axis=(3, 5)),
    ),
}


@pytest.mark.parametrize("what", READ)
def test_nodes_are_read_as_layers(what: str, tmp_path: Path) -> None:
    made, layers, formula = READ[what]
    net = fb.onnx.load(written(tmp_path, made))
    assert repr(net) == f"Sequential({layers})"
    x = RNG.normal(size=(5, *(net.input_shape or (4,)))).astype(np.float32)
    if formula is not None:
        assert_allclose(net.scores(x), formula(x), rtol=1e-5, atol=1e-6)


def test_what_is_told_of_probabilities_is_left_out(tmp_path: Path) -> None:
    text = """net (float[n, 4] x) => (int64[n] label, float[n, k] p) {
        h = MatMul(x, w) s = Add(h, b) p = Softmax(s)
        c = ArgMax <axis = 1, keepdims = 0> (p) label = Gather(names, c) }"""
    net = fb.onnx.load(written(tmp_path, model(text, w=W, b=B, names=[5, 6, 7])))
    assert (repr(net), net.meaning) == ("Sequential(Linear(4, 3))", "classes")


REFUSED: dict[str, tuple[Any, str]] = {
    "a branch": (
        one("h = Relu(x) i = Tanh(h) y = Mul(h, i)"),
        r"node 'y' \(Mul\): a branch, for it takes 'h'",
    ),
    "two ends": (
        model("net (float[n, 4] x) => (float[n, 4] y, float[n, 4] z) { y = Relu(x) z = Tanh(x) }"),
        r"node 'z' \(Tanh\): a branch, for it takes 'x'",
    ),
    "a sum with what was within a layer": (
        one("h = MatMul(x, w) i = Add(h, b) j = Relu(i) y = Add(j, h)", w=np.eye(4), b=W[:, 0]),
        r"node 'y' \(Add\): a branch, for it takes 'h'",
    ),
    "an operator that is not here": (
        one("y = HardSwish(x)"),
        r"node 'y' \(HardSwish\): no layer of fastbp; known are Add, AveragePool",
    ),
    "another's operator": (
        one("y = mine.Relu(x)"),
        r"node 'y' \(mine.Relu\): no layer of fastbp",
    ),
    "two inputs": (
        model("net (float[n, 4] x, float[n, 4] z) => (float[n, 4] y) { y = Add(x, z) }"),
        r"it has 2 inputs \('x', 'z'\); expected one",
    ),
    "whole numbers": (
        model("net (int64[n, 4] x) => (int64[n, 4] y) { y = Identity(x) }"),
        "input 'x': expected float32 or float64, got int64",
    ),
    "sequences": (
        model("net (float[n, 4, 5] x) => (float[n, 4, 5] y) { y = Relu(x) }"),
        r"input 'x': expected rows \(n, columns\) or images .*, got 3 axes",
    ),
    "images of a free size": (
        model("net (float[n, 1, h, w] x) => (float[n, 1, h, w] y) { y = Relu(x) }"),
        "input 'x': expected images of a known size",
    ),
    "no opset that is known": (
        model("net (float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }", opset=7),
        "its opset is 7; expected 9 or later, which onnx.version_converter.convert_version makes",
    ),
    "no valid model": (
        one("y = Relu(z)"),
        "no valid ONNX model: .*",
    ),
    "W that flows": (
        one("h = Relu(x) y = MatMul(w, h)", w=np.eye(4)),
        r"node 'y' \(MatMul\): expected the samples as its first input",
    ),
    "columns that don't fit": (
        one("h = Relu(x) y = MatMul(h, w)", w=np.eye(3)),
        r"node 'y' \(MatMul\): Linear\(3, 3, bias=False\) takes 3 columns, but 4 come in",
    ),
    "dilations": (
        image("y = Conv <dilations = [2, 2]> (x, w)", w=np.ones((1, 2, 2, 2))),
        r"node 'y' \(Conv\): expected no dilations",
    ),
    "uneven pads": (
        image("y = Conv <pads = [0, 0, 2, 2]> (x, w)", w=np.ones((1, 2, 2, 2))),
        r"node 'y' \(Conv\): expected even pads, got \[0, 0, 2, 2\]",
    ),
    "a mean without the padding": (
        image("y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (x)"),
        r"node 'y' \(AveragePool\): expected count_include_pad=1",
    ),
    "a Clip at 6": (
        one("y = Clip(x, zero, six)", zero=0.0, six=6.0),
        r"node 'y' \(Clip\): expected 0 to infinity",
    ),
    "Softmax within": (
        one("h = Softmax(x) y = MatMul(h, w)", w=W),
        r"node 'y' \(MatMul\): it follows Softmax, which must come last",
    ),
    "Softmax of channels": (
        image("y = Softmax <axis = 1> (x)"),
        r"node 'y' \(Softmax\): expected rows",
    ),
    "too many nodes": (
        one(" ".join(f"y{k} = Identity(x)" for k in range(10_000)) + " y = Relu(x)"),
        "it has 10,001 nodes; expected at most 10,000",
    ),
    "another shape": (
        one("y = Reshape(x, s)", s=[-1, 2]),
        r"node 'y' \(Reshape\): expected \(n, all numbers\), got \[-1, 2\]",
    ),
    "a wrong axis": (
        one("y = LogSoftmax <axis = 0> (x)"),
        r"node 'y' \(LogSoftmax\): expected axis -1",
    ),
    "constants that need arithmetic": (
        one('v = Einsum <equation = "ij,jk->ik"> (w, w) y = MatMul(x, v)', w=np.eye(4)),
        r"node 'v' \(Einsum\): of constants alone; let onnxsim or onnxslim",
    ),
    "no file of ONNX": (b"# not a model\n", "it is no ONNX model, or an empty one"),
    "an empty file": (b"", "it is no ONNX model, or an empty one"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_chain_is_refused(what: str, tmp_path: Path) -> None:
    made, told = REFUSED[what]
    path = written(tmp_path, made)
    with pytest.raises(ValueError, match=rf"^{path}: cannot load a network: {told}") as caught:
        fb.onnx.load(path)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_beside_it_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, TORCH["residual.new"].tobytes())
    with pytest.raises(ValueError, match=r"tensor '.*' is in another file, 'net.onnx.data', which"):
        fb.onnx.load(path)
    (tmp_path / "net.onnx.data").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"cannot load a network: tensor '.*'"):
        fb.onnx.load(path)
    with pytest.raises(FileNotFoundError):
        fb.onnx.load(tmp_path / "none.onnx")


def test_a_graph_that_was_changed_is_read_as_it_is(tmp_path: Path) -> None:
    net = fb.Sequential(fb.Linear(4, 3), fb.Tanh())
    made = model_of(net)
    last = made.graph.node[-1]
    made.graph.node.insert(2, helper.make_node("Relu", [last.input[0]], ["more"]))
    last.input[0] = "more"
    assert repr(fb.onnx.load(written(tmp_path, made))) == (
        "Sequential(Linear(4, 3), Tanh(), ReLU())"
    )


def test_other_weights_in_our_file_are_read(tmp_path: Path) -> None:
    net = fb.Sequential(fb.Linear(4, 3), fb.Tanh())
    made = model_of(net)
    made.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.float32([1, 2, 3]), "0.b"))
    assert fb.onnx.load(written(tmp_path, made)).layers[0].b.tolist() == [1, 2, 3]
    made.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.float32([1, 2]), "0.b"))
    told = r"tensor 0.b: expected float32 \(3,\), got float32 \(2,\)"
    with pytest.raises(ValueError, match=told):
        fb.onnx.load(written(tmp_path, made))


def test_odd_numbers_are_counted(tmp_path: Path) -> None:
    net = fb.Sequential(fb.Linear(4, 3))
    net.params[0] = np.nan
    fb.onnx.save(net, tmp_path / "net.onnx")
    with pytest.warns(RuntimeWarning, match="1 of 15 parameters are NaN or infinite"):
        fb.onnx.load(tmp_path / "net.onnx")
