"""Networks as ONNX models: onnx's own evaluator and ONNX Runtime compute what they do."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from numpy.testing import assert_allclose, assert_array_equal

import fastbp as fb
from fastbp.cli.gradcheck import cases
from fastbp.layers import BUILT_IN
from fastbp.layers.nesting import every_layer

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from fastbp.interop.onnx.layers import LAYERS
from fastbp.interop.onnx.writer import model_of

RNG = np.random.default_rng(0)
NETWORKS = {what: net for what, net, _ in cases("float64", 0)}
OPSETS = {"float32": (15, 21), "float64": (18,)}


def both(model: Any, feeds: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What the two make of it, by the outputs' names."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_outputs()]
    found = session.run(None, feeds), ReferenceEvaluator(model).run(None, feeds)
    return [dict(zip(names, each, strict=True)) for each in found]


def samples(net: Any, rows: int = 5) -> np.ndarray:
    shape = net.input_shape or (net.inputs,)
    return 2 * RNG.normal(size=(rows, *shape)).astype(net.dtype)


def changed(net: fb.Sequential) -> fb.Sequential:
    """With other numbers than those it starts with, running averages too."""
    net.params += 0.2 * RNG.random(net.params.size)
    net.buffers += 0.2 * RNG.random(net.buffers.size)
    return net


def test_every_layer_is_in_the_table_and_tried() -> None:
    assert set(LAYERS) == {*BUILT_IN.values()}
    tried = {type(layer) for net in NETWORKS.values() for layer in every_layer(net.layers)}
    assert tried == {*LAYERS}


@for_each("what", NETWORKS)
@pytest.mark.parametrize("dtype", OPSETS)
def test_both_compute_the_scores_of_every_layer(what: str, dtype: str, tmp_path: Path) -> None:
    net = changed(NETWORKS[what]).astype(dtype)
    x = samples(net)
    for opset in OPSETS[dtype]:
        model = model_of(net, opset)
        for found in both(model, {"x": x}):
            assert found["scores"].dtype == net.dtype
            assert_allclose(found["scores"], net.scores(x), rtol=1e-5, atol=1e-5)
    fb.onnx.save(net, tmp_path / "net.onnx", opset=opset)
    loaded = fb.onnx.load(tmp_path / "net.onnx")
    assert repr(loaded) == repr(net)
    assert_array_equal(loaded.params, net.params)
    assert_array_equal(loaded.buffers, net.buffers)


@pytest.mark.parametrize("columns", [(2,), (84,)], ids=["channels", "all numbers"])
def test_images_are_standardized(columns: tuple[int]) -> None:
    layer = fb.Standardize(RNG.normal(size=columns), 1 + RNG.random(columns))
    net = fb.Sequential(layer, fb.Flatten(), fb.Linear(84, 3), input_shape=(2, 7, 6))
    x = samples(net)
    for found in both(model_of(net), {"x": x}):
        assert_allclose(found["scores"], net.scores(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_the_batch_is_free(rows: int) -> None:
    net = fb.Sequential(fb.Linear(4, 3), fb.Tanh())
    x = samples(net, rows)
    for found in both(model_of(net), {"x": x}):
        assert_allclose(found["scores"], net.scores(x), rtol=1e-5, atol=1e-6)


MEANINGS = {"classes": 3, "two classes": 1, "labels": 2, "values": 2, "counts": 1, None: 3}


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_outputs_follow_from_what_scores_mean(meaning: str | None, networks: int) -> None:
    outputs = MEANINGS[meaning]
    nets = [fb.Sequential(fb.Linear(4, outputs), seed=k) for k in range(networks)]
    for net in nets:
        net.meaning = meaning
    net = nets[0] if networks == 1 else fb.Ensemble(nets)
    x = 4 * samples(nets[0], 50)
    for found in both(model_of(net), {"x": x}):
        assert next(iter(found)) == "scores"
        assert_allclose(found.pop("scores"), net.scores(x), rtol=1e-5, atol=1e-5)
        if meaning in ("classes", "two classes", "labels"):
            assert_allclose(found.pop("probabilities"), net.predict_proba(x), rtol=1e-4, atol=1e-6)
        if meaning == "counts":
            assert_allclose(found.pop("counts")[:, 0], net.predict(x), rtol=1e-4)
        assert not found


def test_an_ensemble_comes_back(tmp_path: Path) -> None:
    nets = [changed(fb.Sequential(fb.Linear(4, 3), fb.Dropout(0.2), seed=k)) for k in range(3)]
    net = fb.Ensemble(nets)
    fb.onnx.save(net, tmp_path / "net.onnx")
    loaded = fb.onnx.load(tmp_path / "net.onnx")
    x = samples(nets[0])
    assert isinstance(loaded, fb.Ensemble)
    assert_array_equal(loaded.scores(x), net.scores(x))


def test_a_network_of_any_columns(tmp_path: Path) -> None:
    net = fb.Sequential(fb.ReLU(), dtype="float64")
    fb.onnx.save(net, tmp_path / "net.onnx")
    for found in both(onnx.load(tmp_path / "net.onnx"), {"x": np.array([[-1.0, 2.0]])}):
        assert found["scores"].tolist() == [[0, 2]]
    assert repr(fb.onnx.load(tmp_path / "net.onnx")) == "Sequential(ReLU())"


def test_the_file_is_that_of_the_asked_opset_and_the_least_ir(tmp_path: Path) -> None:
    fb.onnx.save(fb.Sequential(fb.Linear(4, 3)), tmp_path / "net.onnx", opset=17)
    model = onnx.load(tmp_path / "net.onnx")
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    assert (model.ir_version, model.producer_name) == (8, "fastbp")
    assert {tensor.name for tensor in model.graph.initializer} == {"0.w", "0.b"}


def test_what_onnx_has_no_words_for_is_refused(tmp_path: Path) -> None:
    class Mine(fb.ReLU):
        pass

    path = tmp_path / "net.onnx"
    for layer, place in ((Mine(), "1"), (fb.Residual(fb.Tanh(), Mine()), "1.1")):
        net = fb.Sequential(fb.Linear(4, 3), layer)
        told = rf"onnx.save: layer {place} is Mine\(\), a layer of your own"
        with pytest.raises(TypeError, match=told):
            fb.onnx.save(net, path)
    net = fb.Sequential(fb.Linear(4, 3))
    for opset, error, told in (
        (11, ValueError, "opset: expected 15 to .*; got 11"),
        (99, ValueError, "opset: expected 15 to .*; got 99"),
        ("18", TypeError, "opset: expected a whole number"),
    ):
        with pytest.raises(error, match=told):
            fb.onnx.save(net, path, opset=opset)
    with pytest.raises(TypeError, match=r"onnx.save: expected Sequential, got \[1"):
        fb.onnx.save([1], path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        fb.onnx.save(net, tmp_path / "nowhere" / "net.onnx")
    assert not [*tmp_path.iterdir()]


def test_what_it_is_of_is_in_the_metadata(tmp_path: Path) -> None:
    net = fb.Sequential(fb.Linear(4, 2))
    net.meaning = "labels"
    fb.onnx.save(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    said = session.get_modelmeta().custom_metadata_map
    assert said["fastbp.meaning"] == "labels"
    assert json.loads(said["fastbp.architecture"])[0]["type"] == "Linear"


def test_each_loader_names_the_other(tmp_path: Path) -> None:
    net = fb.Sequential(fb.Linear(4, 2))
    fb.onnx.save(net, tmp_path / "net.onnx")
    net.save(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"cannot load a network: .*; fb.onnx.load reads ONNX"):
        fb.load(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match=r"it is no ONNX model, .*; fb.load reads what net.save"):
        fb.onnx.load(tmp_path / "net.safetensors")


def test_onnx_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "fastbp.onnx", raising=False)
    monkeypatch.delattr(fb, "onnx", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"not installed: pip install 'fastbp\[onnx\]'"):
        _ = fb.onnx
