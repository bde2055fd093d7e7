"""Models of tables as ONNX models: they take the columns as they are, and say what predict says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bench_modules import bench_modules
from numpy.testing import assert_allclose, assert_array_equal

import fastbp as fb
from fastbp.datasets import Table

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

with bench_modules("_onnx_columns") as bench:
    COLUMNS = bench._onnx_columns

pytestmark = pytest.mark.filterwarnings("ignore:column .income. is the label in another unit")
ROWS = 80


def people() -> pd.DataFrame:
    """Numbers and words, with gaps, a constant with gaps, yes and no, truths, and rare words."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "town": rng.choice(["Rome", "Oslo", "Bern"], ROWS),
            "age": rng.normal(40, 10, ROWS),
            "income": np.exp(rng.normal(10, 1, ROWS)),
            "flat": np.where(np.arange(ROWS) % 7, 5.0, np.nan),
            "rare": [f"w{k}" if k < 120 else "often" for k in rng.integers(0, 240, ROWS)],
            "member": rng.choice(["yes", "no"], ROWS),
            "working": rng.choice([True, False], ROWS),
        }
    )
    frame.loc[3:9, "age"] = np.nan
    frame.loc[5:7, "town"] = None
    frame.loc[50:60, "member"] = None
    return frame


FRAME = people()
LABELS = {
    "words": np.array(["good", "bad", "fair"])[np.arange(ROWS) % 3],
    "whole numbers": (FRAME.income > 2e4).astype(int) + 3,
    "truths": FRAME.income > 2e4,
    "values": FRAME.income / 3,
}


def new() -> pd.DataFrame:
    """Other rows, with words that were not there, gaps where there were none, and outliers."""
    frame = people()[::-1].reset_index(drop=True)
    frame.loc[0, "town"], frame.loc[1, "member"], frame.loc[2, "income"] = "Paris", "perhaps", 1e15
    frame.loc[3, "income"], frame.loc[4, "rare"], frame.loc[5, "flat"] = np.nan, None, -7e9
    return frame


def network(table: Table, seed: int = 0, dtype: str = "float32") -> fb.Sequential:
    """One of random weights, as if it had been trained on the table."""
    outputs = len(table.label.names) if isinstance(table.label, fb.datasets.Classes) else 1
    net = fb.Sequential(
        fb.Linear(len(table.features), 8), fb.Mish(), fb.Linear(8, outputs), seed=seed, dtype=dtype
    )
    net.params *= 3
    net.meaning = "values" if outputs == 1 else "classes"
    net.table = table
    return net


def both(net: Any, path: Path, frame: pd.DataFrame, **options: Any) -> list[dict[str, np.ndarray]]:
    """What ONNX Runtime and onnx's evaluator make of rows, by the outputs' names."""
    fb.onnx.save(net, path, **options)
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path)
    names = [each.name for each in session.get_outputs()]
    inputs = COLUMNS.columns_of(session, frame)
    texts = COLUMNS.texts_of(inputs)
    found = session.run(None, inputs), ReferenceEvaluator(onnx.load(path)).run(None, texts)
    return [dict(zip(names, each, strict=True)) for each in found]


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("what", LABELS)
def test_both_say_what_predict_says(what: str, networks: int, tmp_path: Path) -> None:
    table = fb.datasets.table(FRAME.assign(y=LABELS[what]), "y").table
    nets = [network(table, seed) for seed in range(networks)]
    net, frame, path = nets[0] if networks == 1 else fb.Ensemble(nets), new(), tmp_path / "net.onnx"
    for found in both(net, path, frame, opset=(15, 18)[networks // 2]):
        assert next(iter(found)) == ("value" if what == "values" else "label")
        assert_allclose(found.pop("scores"), net.scores(frame), rtol=1e-5, atol=1e-5)
        if what == "values":
            assert_allclose(found.pop("value"), net.predict(frame), rtol=1e-5)
        else:
            assert_array_equal(found.pop("label"), net.predict(frame))
            probabilities = net.predict_proba(frame)
            assert_allclose(found.pop("probabilities"), probabilities, rtol=1e-4, atol=1e-6)
            said = {each.key: each.value for each in onnx.load(path).metadata_props}
            assert json.loads(said["classes"]) == [*probabilities.columns]
        assert not found
    loaded = fb.onnx.load(path)
    assert loaded.table == table
    assert_array_equal(loaded.predict(frame), net.predict(frame))


def test_values_stay_within_their_range(tmp_path: Path) -> None:
    table = fb.datasets.table(FRAME.assign(y=LABELS["values"]), "y").table
    net = network(table)
    for shift, end in ((-1e3, table.label.low), (1e3, table.label.high)):
        net.layers[2].b = [shift]
        for found in both(net, tmp_path / "net.onnx", new()):
            assert found["value"].tolist() == [end] * ROWS


def test_two_classes_of_one_output_and_float64(tmp_path: Path) -> None:
    table = fb.datasets.table(FRAME.assign(y=LABELS["truths"]), "y").table
    net = fb.Sequential(fb.Linear(len(table.features), 1), dtype="float64")
    net.meaning, net.table = "two classes", table
    for found in both(net, tmp_path / "net.onnx", new()):
        assert found["label"].dtype == bool
        assert_array_equal(found["label"], net.predict(new()))
        assert_allclose(found["probabilities"], net.predict_proba(new()), rtol=1e-9)
        assert_allclose(found["scores"], net.scores(new()), rtol=1e-9)


@pytest.mark.parametrize(
    "columns", [["age", "income"], ["town"], ["member", "town"], ["flat", "age"]], ids=str
)
def test_tables_of_some_kinds_of_columns(columns: list[str], tmp_path: Path) -> None:
    frame = FRAME[columns].assign(y=LABELS["words"])
    net = network(fb.datasets.table(frame, "y").table)
    for found in both(net, tmp_path / "net.onnx", new()[columns]):
        assert_allclose(found["scores"], net.scores(new()[columns]), rtol=1e-5, atol=1e-5)


def test_more_words_than_have_places(tmp_path: Path) -> None:
    words = [f"w{k}" for k in range(150)] * 2
    frame = pd.DataFrame({"word": words, "y": np.arange(300) % 3 > 0})
    net = network(fb.datasets.table(frame, "y", category="word").table)
    for found in both(net, tmp_path / "net.onnx", frame):
        assert_allclose(found["scores"], net.scores(frame[["word"]]), rtol=1e-5, atol=1e-5)


def test_columns_may_be_called_like_outputs(tmp_path: Path) -> None:
    frame = FRAME[["age", "town"]].set_axis(["scores", "label"], axis=1)
    net = network(fb.datasets.table(frame.assign(y=LABELS["words"]), "y").table)
    for found in both(net, tmp_path / "net.onnx", frame):
        assert {*found} == {"scores_", "label_", "probabilities"}
        assert_array_equal(found["label_"], net.predict(frame))


def changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> fb.Sequential:
    return network(fb.datasets.table(change(FRAME.assign(y=LABELS["words"])), "y").table)


def test_what_onnx_has_no_words_for_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    net = changed(lambda frame: frame.assign(born=pd.date_range("2024-01-01", periods=ROWS)))
    with pytest.raises(ValueError, match=r"column 'born' has dates.*\(drop='born', --drop born\)"):
        fb.onnx.save(net, path)
    net = changed(lambda frame: frame.rename(columns={"age": ""}))
    with pytest.raises(ValueError, match="a column without a name"):
        fb.onnx.save(net, path)
    net = changed(lambda frame: frame)
    net.meaning = "values"
    with pytest.raises(ValueError, match="the scores mean values, but 'y' has classes"):
        fb.onnx.save(net, path)
    assert not path.exists()


def test_what_is_said_of_onnx_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(30, 4))
    names: dict[str, Any] = {
        "fb": fb,
        "onnxruntime": onnxruntime,
        "x": x,
        "y": np.arange(30) % 3,
        "frame": FRAME.assign(income=LABELS["words"]),
    }
    text = (Path(__file__).parents[2] / "docs/onnx.md").read_text("utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 3
    for block in found:
        exec(block, names)
    assert_allclose(names["scores"], names["net"].scores(x), rtol=1e-5, atol=1e-5)
    assert_array_equal(names["labels"], names["model"].predict(names["frame"]))
